//! C6: TLS, on the servers that are [deployed](crate::server::DEPLOYED).

use crate::case::Case;
use crate::protocol::Protocol;

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    Vec::new()
}
