//! Handlers: what a program registers, and the table that says which of them run for an event.
//!
//! The table runs nothing itself. Whoever dispatches asks it for a [plan](Registry::plan), then
//! [takes](Registry::take) one handler after the other, runs it, and [puts it back](Registry::put_back): so no lock
//! around the table is held while a handler runs, and a handler may register and remove, also itself.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::event::{Ack, Event};
use crate::status::{DisconnectReason, Status};

/// Names one registered handler, for [removing](Removal::Handler) it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HandlerId(u64);

/// Something that runs for events, or for changes of status.
pub struct Handler(Kind);

type OnEvent = Box<dyn FnMut(&Event) -> Result<()> + Send>;
type OnStatus = Box<dyn FnMut(&Status) + Send>;

enum Kind {
    Event(OnEvent),
    Status(OnStatus),
}

impl Handler {
    /// A handler of events.
    pub fn event(run: impl FnMut(&Event) -> Result<()> + Send + 'static) -> Self {
        Self(Kind::Event(Box::new(run)))
    }

    /// A handler of changes of status.
    pub fn status(run: impl FnMut(&Status) + Send + 'static) -> Self {
        Self(Kind::Status(Box::new(run)))
    }

    /// Runs the handler for an event.
    ///
    /// # Errors
    /// [`Error::Decode`] if the payload has another type than the handler takes, [`Error::Handler`] if it failed.
    pub fn run_event(&mut self, event: &Event) -> Result<()> {
        match &mut self.0 {
            Kind::Event(run) => run(event),
            Kind::Status(_) => Ok(()),
        }
    }

    /// Runs the handler for a change of status.
    pub fn run_status(&mut self, status: &Status) {
        match &mut self.0 {
            Kind::Event(_) => {}
            Kind::Status(run) => run(status),
        }
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Event(_) => "Handler(event)",
            Kind::Status(_) => "Handler(status)",
        })
    }
}

/// What can be given to `on` and `once`: a closure of nothing, of the payload, or of the payload and the [`Ack`].
///
/// The payload's type says what is expected: a tuple takes several arguments, `()` none, anything else the first.
/// The closure returns nothing, or a `Result<(), E>` whose error is reported as [`Status::Error`]. One that never returns
/// says what it would: `|| -> () { std::process::exit(0) }`.
pub trait IntoHandler<Marker> {
    /// The handler that decodes the payload and runs the closure.
    fn into_handler(self) -> Handler;
}

impl<F, R> IntoHandler<fn() -> R> for F
where
    F: FnMut() -> R + Send + 'static,
    R: HandlerOutput,
{
    fn into_handler(mut self) -> Handler {
        Handler::event(move |event| self().into_result(event))
    }
}

impl<F, T, R> IntoHandler<fn(T) -> R> for F
where
    F: FnMut(T) -> R + Send + 'static,
    T: DeserializeOwned,
    R: HandlerOutput,
{
    fn into_handler(mut self) -> Handler {
        Handler::event(move |event| self(event.decode()?).into_result(event))
    }
}

impl<F, T, R> IntoHandler<fn(T, Ack) -> R> for F
where
    F: FnMut(T, Ack) -> R + Send + 'static,
    T: DeserializeOwned,
    R: HandlerOutput,
{
    fn into_handler(mut self) -> Handler {
        Handler::event(move |event| self(event.decode()?, event.ack().clone()).into_result(event))
    }
}

/// What a handler may return.
pub trait HandlerOutput {
    /// The output as a result; an error names the event.
    ///
    /// # Errors
    /// [`Error::Handler`] with what the handler returned.
    fn into_result(self, event: &Event) -> Result<()>;
}

impl HandlerOutput for () {
    fn into_result(self, _: &Event) -> Result<()> {
        Ok(())
    }
}

impl<E> HandlerOutput for std::result::Result<(), E>
where
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    fn into_result(self, event: &Event) -> Result<()> {
        self.map_err(|error| Error::Handler {
            event: event.name().into(),
            source: Arc::from(error.into()),
        })
    }
}

/// When a handler runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// For events of this name.
    Event(ByteString),
    /// For every event.
    Any,
    /// For events that no handler is registered for by name.
    Unhandled,
    /// For changes of status.
    Status,
}

/// Which handlers to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// This one.
    Handler(HandlerId),
    /// All that were registered for this event by name.
    Event(ByteString),
    /// Every handler of events; those of status stay.
    AllEvents,
}

/// The handlers of one namespace, in the order of registration.
#[derive(Debug, Default)]
pub struct Registry {
    next: u64,
    // Few and short keys, which are looked up for every event: comparing beats hashing.
    entries: BTreeMap<HandlerId, Entry>,
    by_name: BTreeMap<ByteString, Vec<HandlerId>>,
    any: Vec<HandlerId>,
    unhandled: Vec<HandlerId>,
    status: Vec<HandlerId>,
}

#[derive(Debug)]
struct Entry {
    trigger: Trigger,
    once: bool,
    /// `None` while the handler runs.
    handler: Option<Handler>,
}

/// Handlers that were removed, to be dropped where no lock is held: that may run code of the program.
#[derive(Debug)]
#[must_use = "to be dropped where no lock is held"]
pub struct Removed(Vec<Entry>);

impl Removed {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

impl Registry {
    /// Registers a handler; with `once` it runs for one event at most.
    pub fn add(&mut self, trigger: Trigger, once: bool, handler: Handler) -> HandlerId {
        let id = HandlerId(self.next);
        self.next += 1;
        self.list_mut(&trigger).push(id);
        let entry = Entry {
            trigger,
            once,
            handler: Some(handler),
        };
        self.entries.insert(id, entry);
        id
    }

    /// Moves the handlers of another table behind those of this one.
    pub fn append(&mut self, other: Self) {
        for entry in other.entries.into_values() {
            if let Some(handler) = entry.handler {
                self.add(entry.trigger, entry.once, handler);
            }
        }
    }

    /// Removes handlers. One that runs now finishes, and does not run again.
    pub fn remove(&mut self, which: &Removal) -> Removed {
        let ids: Vec<HandlerId> = match which {
            Removal::Handler(id) => vec![*id],
            Removal::Event(name) => self.by_name.get(name).cloned().unwrap_or_default(),
            Removal::AllEvents => {
                let status = &self.status;
                let is_event = |id: &&HandlerId| !status.contains(id);
                self.entries.keys().filter(is_event).copied().collect()
            }
        };
        Removed(ids.into_iter().filter_map(|id| self.forget(id)).collect())
    }

    /// Whether nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether there are handlers of events.
    #[must_use]
    pub fn has_event(&self) -> bool {
        self.entries.len() > self.status.len()
    }

    /// Whether there are handlers of changes of status.
    #[must_use]
    pub fn has_status(&self) -> bool {
        !self.status.is_empty()
    }

    /// Writes the handlers to run for an event into `plan`, in the order of registration.
    pub fn plan(&self, name: &str, plan: &mut Vec<HandlerId>) {
        plan.clear();
        match self.by_name.get(name) {
            Some(named) if !named.is_empty() => plan.extend(named),
            _ => plan.extend(&self.unhandled),
        }
        if !self.any.is_empty() {
            plan.extend(&self.any);
            plan.sort_unstable();
        }
    }

    /// Writes the handlers to run for a change of status into `plan`, in the order of registration.
    pub fn plan_status(&self, plan: &mut Vec<HandlerId>) {
        plan.clear();
        plan.extend(&self.status);
    }

    /// Takes a handler out to run it. `None` if it was removed since the plan was made.
    pub fn take(&mut self, id: HandlerId) -> Option<Handler> {
        let entry = self.entries.get_mut(&id)?;
        let handler = entry.handler.take();
        if entry.once {
            self.forget(id);
        }
        handler
    }

    /// Puts a handler back after it ran. If it was removed meanwhile, or is to run only once, it is given back, to be
    /// dropped where no lock is held: that may run code of the program.
    #[must_use = "to be dropped where no lock is held"]
    pub fn put_back(&mut self, id: HandlerId, handler: Handler) -> Option<Handler> {
        match self.entries.get_mut(&id) {
            Some(entry) => entry.handler.replace(handler),
            None => Some(handler),
        }
    }

    fn forget(&mut self, id: HandlerId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.list_mut(&entry.trigger).retain(|other| *other != id);
        if let Trigger::Event(name) = &entry.trigger
            && self.by_name.get(name).is_some_and(Vec::is_empty)
        {
            self.by_name.remove(name);
        }
        Some(entry)
    }

    fn list_mut(&mut self, trigger: &Trigger) -> &mut Vec<HandlerId> {
        match trigger {
            Trigger::Event(name) => self.by_name.entry(name.clone()).or_default(),
            Trigger::Any => &mut self.any,
            Trigger::Unhandled => &mut self.unhandled,
            Trigger::Status => &mut self.status,
        }
    }
}

/// Handlers that are registered before there is a connection to register them with.
///
/// What a server sends in its connection handler arrives with the connection itself; handlers given here see it.
#[derive(Debug, Default)]
#[must_use]
pub struct Handlers(Registry);

impl Handlers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `handler` for every event of this name.
    pub fn on<M>(mut self, event: &str, handler: impl IntoHandler<M>) -> Self {
        let trigger = Trigger::Event(event.into());
        self.0.add(trigger, false, handler.into_handler());
        self
    }

    /// Runs `handler` for the first event of this name.
    pub fn once<M>(mut self, event: &str, handler: impl IntoHandler<M>) -> Self {
        let trigger = Trigger::Event(event.into());
        self.0.add(trigger, true, handler.into_handler());
        self
    }

    /// Runs `handler` for every event, of whatever name.
    pub fn on_any(mut self, handler: impl FnMut(&Event) + Send + 'static) -> Self {
        self.0.add(Trigger::Any, false, observer(handler));
        self
    }

    /// Runs `handler` for events that no handler is registered for by name.
    pub fn on_unhandled(mut self, handler: impl FnMut(&Event) + Send + 'static) -> Self {
        self.0.add(Trigger::Unhandled, false, observer(handler));
        self
    }

    /// Runs `handler` for every change of status.
    pub fn on_status(mut self, handler: impl FnMut(&Status) + Send + 'static) -> Self {
        self.0.add(Trigger::Status, false, Handler::status(handler));
        self
    }

    /// Runs `handler` each time the namespace becomes usable, with whether it was before: then the server knows nothing
    /// any more of what was subscribed to. What the handler emits leaves before anything that waits.
    pub fn on_connect(self, mut handler: impl FnMut(bool) + Send + 'static) -> Self {
        self.on_status(move |status| {
            if let Status::Connected { again } = status {
                handler(*again);
            }
        })
    }

    /// Runs `handler` each time the namespace stops being usable.
    pub fn on_disconnect(
        self,
        mut handler: impl FnMut(&DisconnectReason) + Send + 'static,
    ) -> Self {
        self.on_status(move |status| {
            if let Status::Disconnected(reason) = status {
                handler(reason);
            }
        })
    }

    /// Runs `handler` for errors that belong to no call: the server's own, a handler's, a payload of the wrong type.
    pub fn on_error(self, mut handler: impl FnMut(&Error) + Send + 'static) -> Self {
        self.on_status(move |status| {
            if let Status::Error(error) = status {
                handler(error);
            }
        })
    }

    /// The table, for a client that starts with it.
    #[must_use]
    pub fn into_registry(self) -> Registry {
        self.0
    }
}

/// A handler that only looks.
pub(crate) fn observer(mut look: impl FnMut(&Event) + Send + 'static) -> Handler {
    Handler::event(move |event| {
        look(event);
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::payload::{Args, Encoded};

    type Log = Arc<Mutex<Vec<String>>>;

    fn event(name: &str, args: &impl serde::Serialize) -> Event {
        let (json, _) = Encoded::event(name, args).unwrap().into_parts();
        let (name, args) = Args::event(json, Vec::new()).unwrap();
        Event::new("/".into(), name, args, Ack::unwanted())
    }

    fn note(log: &Log, text: &'static str) -> Handler {
        let log = Arc::clone(log);
        observer(move |_| log.lock().unwrap().push(text.to_owned()))
    }

    /// Dispatches as a client does, without threads.
    fn dispatch(registry: &mut Registry, event: &Event) -> Vec<Error> {
        let mut plan = Vec::new();
        registry.plan(event.name(), &mut plan);
        let mut errors = Vec::new();
        for id in plan {
            if let Some(mut handler) = registry.take(id) {
                errors.extend(handler.run_event(event).err());
                drop(registry.put_back(id, handler));
            }
        }
        errors
    }

    #[test]
    fn named_and_catch_all_handlers_run_in_the_order_of_registration() {
        let (log, mut registry) = (Log::default(), Registry::default());
        registry.add(Trigger::Event("a".into()), false, note(&log, "first"));
        registry.add(Trigger::Any, false, note(&log, "any"));
        registry.add(Trigger::Event("a".into()), false, note(&log, "last"));
        registry.add(Trigger::Unhandled, false, note(&log, "unhandled"));
        dispatch(&mut registry, &event("a", &()));
        assert_eq!(*log.lock().unwrap(), ["first", "any", "last"]);
        log.lock().unwrap().clear();
        dispatch(&mut registry, &event("b", &()));
        assert_eq!(*log.lock().unwrap(), ["any", "unhandled"]);
    }

    #[test]
    fn once_runs_once() {
        let (log, mut registry) = (Log::default(), Registry::default());
        registry.add(Trigger::Event("a".into()), true, note(&log, "x"));
        dispatch(&mut registry, &event("a", &()));
        dispatch(&mut registry, &event("a", &()));
        assert_eq!(log.lock().unwrap().len(), 1);
        assert!(registry.is_empty());
    }

    #[test]
    fn a_handler_removed_while_it_runs_does_not_come_back() {
        let mut registry = Registry::default();
        let id = registry.add(Trigger::Event("a".into()), false, observer(|_| {}));
        let running = registry.take(id).unwrap();
        assert_eq!(registry.remove(&Removal::Handler(id)).count(), 1);
        assert!(registry.put_back(id, running).is_some());
        assert!(registry.take(id).is_none());
        assert_eq!(registry.remove(&Removal::Handler(id)).count(), 0);
    }

    #[test]
    fn removal_by_event_and_of_all_events() {
        let (log, mut registry) = (Log::default(), Registry::default());
        registry.add(Trigger::Event("a".into()), false, note(&log, "a"));
        registry.add(Trigger::Event("a".into()), false, note(&log, "a"));
        registry.add(Trigger::Event("b".into()), false, note(&log, "b"));
        registry.add(Trigger::Any, false, note(&log, "any"));
        registry.add(Trigger::Status, false, Handler::status(|_| {}));
        assert_eq!(registry.remove(&Removal::Event("a".into())).count(), 2);
        assert_eq!(registry.remove(&Removal::AllEvents).count(), 2);
        let mut plan = Vec::new();
        registry.plan_status(&mut plan);
        assert_eq!(plan.len(), 1, "handlers of status stay");
    }

    #[test]
    fn closures_of_every_shape_are_handlers() {
        let log = Log::default();
        let sink = |text: &'static str| {
            let log = Arc::clone(&log);
            move || log.lock().unwrap().push(text.to_owned())
        };
        let (s0, s1, s2, s3, s4, s5) = (
            sink("none"),
            sink("one"),
            sink("two"),
            sink("ack"),
            sink("vec"),
            sink("unit"),
        );
        let mut registry = Handlers::new()
            .on("e", s0)
            .on("e", move |_: u32| s1())
            .on("e", move |(_, _): (u32, String)| s2())
            .on("e", move |_: u32, ack: Ack| {
                s3();
                ack.send(())
            })
            .on("e", move |_: Vec<u32>| s4())
            .on("e", move |(): ()| s5())
            .into_registry();
        let errors = dispatch(&mut registry, &event("e", &(1, "x")));
        assert_eq!(*log.lock().unwrap(), ["none", "one", "two", "ack", "unit"]);
        assert_eq!(errors.len(), 1, "a number is no list: {errors:?}");
        assert!(matches!(errors[0], Error::Decode { .. }));
    }

    #[test]
    fn what_a_handler_returns_as_an_error_is_reported_with_the_event() {
        let mut registry = Handlers::new()
            .on("e", || Err::<(), _>("no disk"))
            .into_registry();
        let errors = dispatch(&mut registry, &event("e", &()));
        assert_eq!(errors[0].chain(), "the handler of \"e\" failed: no disk");
    }
}
