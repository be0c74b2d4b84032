//! The dialects that clients speak, and how the application's words are written in each.

use super::application::Sink;

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dialect {
    /// Socket.IO 1.x and 2.x.
    EngineIo3,
    /// Socket.IO 3.x and 4.x.
    EngineIo4,
    /// Socket.IO 0.9.
    Legacy,
}

impl Dialect {
    /// Writes an event; `args` stands between the brackets.
    pub(super) fn event(self, name: &[u8], args: &[u8], sink: &mut impl Sink) {
        let [before, between, after] = self.frame_of_event();
        let comma: &[u8] = match (self, args.is_empty()) {
            (Self::Legacy, _) | (_, true) => b"",
            (_, false) => b",",
        };
        sink.packet(&[before, name, between, comma, args, after]);
    }

    /// What stands before an event's name, between it and its arguments, and behind them.
    pub(super) const fn frame_of_event(self) -> [&'static [u8]; 3] {
        match self {
            Self::EngineIo3 | Self::EngineIo4 => [b"42[\"", b"\"", b"]"],
            Self::Legacy => [b"5:::{\"name\":\"", b"\",\"args\":[", b"]}"],
        }
    }

    /// Writes an ack.
    pub(super) fn ack(self, id: &[u8], args: &[u8], sink: &mut impl Sink) {
        match self {
            Self::EngineIo3 | Self::EngineIo4 => sink.packet(&[b"43", id, b"[", args, b"]"]),
            Self::Legacy if args.is_empty() => sink.packet(&[b"6:::", id]),
            Self::Legacy => sink.packet(&[b"6:::", id, b"+[", args, b"]"]),
        }
    }

    /// The heartbeat that the server sends, if it is the server that does.
    pub(super) const fn heartbeat(self) -> Option<&'static [u8]> {
        match self {
            Self::EngineIo3 => None,
            Self::EngineIo4 => Some(b"2"),
            Self::Legacy => Some(b"2::"),
        }
    }

    /// What ends a poll that nothing came for.
    pub(super) const fn noop(self) -> &'static [u8] {
        match self {
            Self::EngineIo3 | Self::EngineIo4 => b"6",
            Self::Legacy => b"8::",
        }
    }
}
