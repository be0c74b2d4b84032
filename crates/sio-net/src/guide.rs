//! How to reach servers as they are deployed.

#[doc = include_str!("../docs/cookies.md")]
pub mod cookies {}
