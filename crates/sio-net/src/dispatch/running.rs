//! Running user code: the handlers of an event or of a change of status, with no lock held, and panics made errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sio_core::handler::{Handler, HandlerId};
use sio_core::{Error, Event, Status};

use crate::space::Space;

thread_local! {
    /// The namespace whose handlers of `Status::Connected` this thread runs.
    static HOOK_OF: Cell<Option<*const Space>> = const { Cell::new(None) };
}

/// Whether the current thread runs handlers that a namespace is connected: what they emit goes before what waits.
pub(crate) fn is_in_hook_of(space: &Space) -> bool {
    HOOK_OF.get().is_some_and(|hook| std::ptr::eq(hook, space))
}

pub(super) fn run_event(space: &Arc<Space>, event: &Event, plan: &mut Vec<HandlerId>) {
    let mut first = space.with_registry(|registry| {
        registry.plan(event.name(), plan);
        plan.first().and_then(|&id| registry.take(id))
    });
    for (place, &id) in plan.iter().enumerate() {
        let handler = if place == 0 {
            first.take()
        } else {
            space.with_registry(|registry| registry.take(id))
        };
        let Some(mut handler) = handler else {
            continue; // removed by a handler before it
        };
        let result = guarded(event.name(), || handler.run_event(event)).and_then(|ran| ran);
        put_back(space, id, handler);
        if let Err(error) = result {
            tracing::warn!(namespace = %space.name, error = %shown(&error), "a handler failed");
            run_status(space, &Status::Error(error), &mut Vec::new());
        }
    }
}

pub(super) fn run_status(space: &Arc<Space>, status: &Status, plan: &mut Vec<HandlerId>) {
    space.with_registry(|registry| registry.plan_status(plan));
    let before = HOOK_OF.get();
    if matches!(status, Status::Connected { .. }) {
        HOOK_OF.set(Some(Arc::as_ptr(space)));
    }
    for &id in &*plan {
        let Some(mut handler) = space.with_registry(|registry| registry.take(id)) else {
            continue;
        };
        let result = guarded("a change of status", || handler.run_status(status));
        put_back(space, id, handler);
        if let Err(error) = result {
            // Reporting it to the handlers of status could go round for ever.
            tracing::warn!(namespace = %space.name, error = %error.chain(), "a handler failed");
        }
    }
    HOOK_OF.set(before);
}

/// A handler has run. What it captured is dropped with it if it does not run again, which may run user code too.
fn put_back(space: &Space, id: HandlerId, handler: Handler) {
    let unwanted = space.with_registry(|registry| registry.put_back(id, handler));
    if unwanted.is_none() {
        return;
    }
    if let Err(error) = guarded("what a handler captured", || drop(unwanted)) {
        tracing::warn!(namespace = %space.name, error = %error.chain(), "a handler failed");
    }
}

/// An error as it is logged. What payloads are made of stays out: that is in the cause of one of the wrong type.
fn shown(error: &Error) -> String {
    match error {
        Error::Decode { .. } => error.to_string(),
        error => error.chain(),
    }
}

/// Runs user code; a panic becomes an error.
pub(crate) fn guarded<R>(what: &str, run: impl FnOnce() -> R) -> Result<R, Error> {
    // What a handler captured is its own to keep consistent; nothing of ours is touched inside.
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no text".to_owned());
        Error::Handler {
            event: what.into(),
            source: Arc::new(Panicked(text)),
        }
    })
}

/// A handler panicked.
#[derive(Debug, thiserror::Error)]
#[error("it panicked: {0}")]
struct Panicked(String);
