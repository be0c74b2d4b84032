//! Events as they reach a program, and the answer a server may want to them.

use std::fmt;
use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytestring::ByteString;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, UsageError};
use crate::payload::{Args, Encoded, Value};
use crate::session::AckId;
use crate::status::DisconnectReason;

/// An event the server sent.
///
/// Cloning is cheap: the payload is shared.
#[derive(Debug, Clone)]
pub struct Event {
    namespace: ByteString,
    name: ByteString,
    args: Args,
    ack: Ack,
}

impl Event {
    /// An event. Programs get them from a client; tests of handlers make them.
    #[must_use]
    pub fn new(namespace: ByteString, name: ByteString, args: Args, ack: Ack) -> Self {
        Self {
            namespace,
            name,
            args,
            ack,
        }
    }

    /// The event's name; any text, also the empty one.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace it came in, `/` for the root.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The arguments as the type asked for: a tuple takes the first ones, `()` none, anything else the first.
    ///
    /// # Errors
    /// [`Error::Decode`] if they have another type or are missing.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        self.args.decode().map_err(|source| Error::Decode {
            what: format!("the event {:?}", &*self.name).into(),
            source: Arc::new(source),
        })
    }

    /// The arguments as dynamic values.
    ///
    /// # Errors
    /// [`Error::Decode`] if the server sent broken JSON.
    pub fn values(&self) -> Result<Vec<Value>> {
        self.args.to_values().map_err(|source| Error::Decode {
            what: format!("the event {:?}", &*self.name).into(),
            source: Arc::new(source),
        })
    }

    /// The arguments as they came.
    #[must_use]
    pub fn args(&self) -> &Args {
        &self.args
    }

    /// The answer the server wants, if [`Ack::is_wanted`].
    #[must_use]
    pub fn ack(&self) -> &Ack {
        &self.ack
    }
}

/// The answer to a server's question.
///
/// Clones are answers to the same question; the first one sent counts. An `Ack` keeps no connection alive.
#[derive(Clone)]
pub struct Ack(Option<Arc<Question>>);

/// A question of the server, as the client that has to send the answer knows it.
pub struct Question {
    /// The namespace it came in.
    pub namespace: ByteString,
    /// Its number.
    pub id: AckId,
    /// Which connection of the client it came over: an answer over a later one could hit another question.
    pub epoch: u64,
    answered: AtomicBool,
    replier: Weak<dyn Reply>,
}

impl Question {
    /// A question that is not answered yet.
    #[must_use]
    pub fn new(namespace: ByteString, id: AckId, epoch: u64, replier: Weak<dyn Reply>) -> Self {
        Self {
            namespace,
            id,
            epoch,
            answered: AtomicBool::new(false),
            replier,
        }
    }
}

/// Sends answers; implemented by clients.
pub trait Reply: Send + Sync {
    /// Whether the protocol can carry this answer.
    ///
    /// # Errors
    /// [`UsageError::Unsupported`].
    fn check(&self, payload: &Encoded) -> Result<()>;

    /// Sends `payload` as the answer to `question`.
    ///
    /// # Errors
    /// [`Error::Disconnected`] if the connection the question came over is gone.
    fn reply(&self, question: &Question, payload: Encoded) -> Result<()>;
}

impl Ack {
    /// The ack of an event whose sender wants none.
    #[must_use]
    pub const fn unwanted() -> Self {
        Self(None)
    }

    /// The ack of a question, answered through `replier`.
    #[must_use]
    pub fn wanted(namespace: ByteString, id: AckId, epoch: u64, replier: Weak<dyn Reply>) -> Self {
        Self(Some(Arc::new(Question::new(namespace, id, epoch, replier))))
    }

    /// Whether the server wants an answer.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Answers: a tuple is several values, `()` none, anything else one. May be called later and from any thread.
    ///
    /// If the server wants no answer ([`is_wanted`](Self::is_wanted)), nothing is sent and the call succeeds, so
    /// that a handler can serve events with and without a question.
    ///
    /// # Errors
    /// [`UsageError::AnsweredTwice`] if this question was answered before: only the first answer was sent.
    /// [`Error::Encode`] if the values cannot be written, [`UsageError::Unsupported`] if they hold bytes and the protocol
    /// has none: then it may still be answered. [`Error::Disconnected`] if the connection the question came
    /// over is gone.
    pub fn send<T: Serialize>(&self, values: T) -> Result<()> {
        let Some(question) = &self.0 else {
            return Ok(());
        };
        let payload = Encoded::values(&values).map_err(|source| Error::Encode {
            what: ByteString::from_static("a reply"),
            source: Arc::new(source),
        })?;
        let replier = question.replier.upgrade();
        if let Some(replier) = &replier {
            // A program may answer with something else then.
            replier.check(&payload)?;
        }
        if question.answered.swap(true, Ordering::AcqRel) {
            return Err(UsageError::AnsweredTwice.into());
        }
        match replier {
            Some(replier) => replier.reply(question, payload),
            None => Err(Error::Disconnected(DisconnectReason::Client)),
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("Ack(unwanted)"),
            Some(question) => write!(f, "Ack({} of {})", question.id, question.namespace),
        }
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question")
            .field("namespace", &self.namespace)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Events in the pull style: the same events, in the same order, as handlers get.
///
/// Iterating waits for the next event and ends when the namespace is closed and every event before was taken.
/// A receiver keeps no connection alive. It goes on over the loss of a connection that is made again, and ends with one
/// that is not; what is opened again later has receivers of its own.
///
/// ```no_run
/// # fn show(events: sio_core::event::Events) {
/// for event in events {
///     println!("{}: {:?}", event.name(), event.values());
/// }
/// # }
/// ```
pub struct Events(Box<dyn EventSource>);

/// Where [`Events`] come from; implemented by clients.
pub trait EventSource: Send {
    /// The next event: waits for `limit` at most, for ever without one.
    ///
    /// # Errors
    /// [`Closed`](NextError::Closed) when none will come any more, [`Empty`](NextError::Empty) when none came in time.
    fn next(&mut self, limit: Option<Duration>) -> std::result::Result<Event, NextError>;

    /// How many events were given up because they were taken too slowly.
    fn lost(&self) -> u64;
}

/// Why there is no next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NextError {
    /// None came in time; a later call may find one.
    #[error("no event came in time")]
    Empty,
    /// The namespace is closed, and every event before was taken.
    #[error("the namespace is closed")]
    Closed,
}

impl Events {
    /// A receiver over a client's queue.
    #[must_use]
    pub fn new(source: Box<dyn EventSource>) -> Self {
        Self(source)
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// [`NextError::Closed`] when none will come any more.
    pub fn recv(&mut self) -> std::result::Result<Event, NextError> {
        self.0.next(None)
    }

    /// Waits for the next event, but no longer than `limit`.
    ///
    /// # Errors
    /// [`NextError::Empty`] if none came in time, [`NextError::Closed`] when none will come any more.
    pub fn recv_timeout(&mut self, limit: Duration) -> std::result::Result<Event, NextError> {
        self.0.next(Some(limit))
    }

    /// The next event if it is here already.
    ///
    /// # Errors
    /// [`NextError::Empty`] if there is none now, [`NextError::Closed`] when none will come any more.
    pub fn try_recv(&mut self) -> std::result::Result<Event, NextError> {
        self.0.next(Some(Duration::ZERO))
    }

    /// How many events were given up because this receiver took them too slowly: those beyond the bounds of its
    /// [inbox](crate::Bounds::inbox).
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost()
    }

    /// An iterator that ends when no event came for `limit`, or when the namespace is closed.
    pub fn timeout(&mut self, limit: Duration) -> impl Iterator<Item = Event> + '_ {
        std::iter::from_fn(move || self.recv_timeout(limit).ok())
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.recv().ok()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Events")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Sent(Mutex<Vec<(AckId, String)>>);

    impl Reply for Sent {
        fn check(&self, payload: &Encoded) -> Result<()> {
            if payload.attachments().len() == 0 {
                return Ok(());
            }
            Err(UsageError::Unsupported {
                what: "bytes",
                instead: "text",
            }
            .into())
        }

        fn reply(&self, question: &Question, payload: Encoded) -> Result<()> {
            let text = payload.json().to_string();
            self.0.lock().unwrap().push((question.id, text));
            Ok(())
        }
    }

    fn question(sent: &Arc<Sent>) -> Ack {
        let replier: Arc<dyn Reply> = Arc::clone(sent) as Arc<dyn Reply>;
        Ack::wanted("/".into(), 7, 1, Arc::downgrade(&replier))
    }

    #[test]
    fn only_the_first_answer_leaves_and_the_second_call_says_so() {
        let sent = Arc::new(Sent::default());
        let ack = question(&sent);
        let same = ack.clone();
        same.send(("yes", 2)).unwrap();
        let second = ack.send("again").unwrap_err();
        assert!(matches!(second, Error::Usage(UsageError::AnsweredTwice)));
        assert_eq!(*sent.0.lock().unwrap(), [(7, r#"["yes",2]"#.to_owned())]);
    }

    #[test]
    fn an_answer_the_protocol_cannot_carry_leaves_room_for_another() {
        let sent = Arc::new(Sent::default());
        let ack = question(&sent);
        let bytes = Value::Bytes(bytes::Bytes::from_static(b"x"));
        let refused = ack.send(bytes).unwrap_err();
        assert!(matches!(
            refused,
            Error::Usage(UsageError::Unsupported { .. })
        ));
        ack.send("text").unwrap();
        assert_eq!(*sent.0.lock().unwrap(), [(7, r#"["text"]"#.to_owned())]);
    }

    #[test]
    fn an_answer_nobody_wants_is_not_sent_and_no_error() {
        assert!(!Ack::unwanted().is_wanted());
        Ack::unwanted().send("ignored").unwrap();
    }

    #[test]
    fn an_answer_after_the_client_is_gone_says_so() {
        let sent = Arc::new(Sent::default());
        let ack = question(&sent);
        drop(sent);
        assert!(matches!(ack.send(()), Err(Error::Disconnected(_))));
    }
}
