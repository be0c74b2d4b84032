//! What comes instead of an answer.

use std::io;

use sio_core::Error;

use super::WIRE_FACTOR;
use super::body::BodyTooLarge;
use super::exchange::Fault;
use super::unread::HeadTooLarge;

/// Why there will be no answer.
pub(super) enum Trouble {
    /// This says it all.
    Own(Error),
    /// The connection was closed instead.
    Closed,
    /// It is more than allowed.
    Beyond(Box<dyn std::error::Error + Send + Sync>),
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Own(error)
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        let is_bound = |error: &(dyn std::error::Error + Send + Sync + 'static)| {
            error.is::<HeadTooLarge>() || error.is::<BodyTooLarge>()
        };
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ if error.get_ref().is_some_and(is_bound) => {
                error.into_inner().map_or(Self::Closed, Self::Beyond)
            }
            _ => Self::Other(Box::new(error)),
        }
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Http(error) => error.into(),
            // What breaks off within what is packed.
            Fault::Body(error) if error.kind() == io::ErrorKind::UnexpectedEof => CutOff.into(),
            Fault::Body(error) => error.into(),
        }
    }
}

impl From<ureq_proto::Error> for Trouble {
    fn from(error: ureq_proto::Error) -> Self {
        Self::Other(Box::new(error))
    }
}

impl From<http::Error> for Trouble {
    fn from(error: http::Error) -> Self {
        Self::Other(Box::new(error))
    }
}

impl From<CutOff> for Trouble {
    fn from(error: CutOff) -> Self {
        Self::Other(Box::new(error))
    }
}

/// Whether this is how a stream may end within a body.
pub(super) fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

#[derive(Debug, thiserror::Error)]
#[error("the connection was closed before the answer was complete")]
pub(super) struct CutOff;

#[derive(Debug, thiserror::Error)]
#[error(
    "the answer is longer than {0} bytes on the wire, {WIRE_FACTOR} times Limits::message_bytes"
)]
pub(super) struct AnswerTooLong(pub(super) usize);

#[derive(Debug, thiserror::Error)]
#[error("the answer has the content coding {0:?}, which was not asked for")]
pub(super) struct UnknownCoding(pub(super) String);

/// What a peer means that closes a connection instead of answering.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed without an answer{}", if *.may_want_tls { "; is this a port for https?" } else { "" })]
pub(crate) struct ClosedWithoutAnswer {
    /// Nothing was encrypted, and the server has not said a word so far.
    pub(crate) may_want_tls: bool,
}

/// The first byte of a TLS alert, which no answer of HTTP begins with.
pub(crate) const TLS_ALERT: u8 = 0x15;

#[derive(Debug, thiserror::Error)]
#[error("what answers speaks TLS: this is a port for https")]
pub(crate) struct AnswersInTls;
