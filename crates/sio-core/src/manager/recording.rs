//! The wire log of a connection's sessions.

use super::Manager;
use crate::session::Session;
use crate::wire_log::Recorder;

impl<S: Session, W> Manager<S, W> {
    /// Records every session from the next one on.
    pub fn record(&mut self, recorder: Recorder) {
        self.recorder = Some(Box::new(recorder));
    }

    /// Records nothing any more.
    pub fn stop_recording(&mut self) {
        self.recorder = None;
    }

    /// What was recorded since the last time, to be written somewhere; often empty.
    pub fn take_recorded(&mut self) -> String {
        self.recorder
            .as_mut()
            .map_or_else(String::new, |recorder| recorder.take())
    }
}
