//! How to reach servers as they are deployed, how to see what goes on, and what errors of connecting mean.

#[doc = include_str!("../docs/tls.md")]
pub mod tls {}

#[doc = include_str!("../docs/proxies.md")]
pub mod proxies {}

#[doc = include_str!("../docs/cookies.md")]
pub mod cookies {}

#[doc = include_str!("../docs/watching.md")]
pub mod watching {}

#[doc = include_str!("../docs/wire-log.md")]
pub mod wire_log {}

#[doc = include_str!("../docs/mismatch.md")]
pub mod mismatch {}

#[doc = include_str!("../docs/performance.md")]
pub mod performance {}
