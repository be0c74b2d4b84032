//! The commands, a file for each.

pub(crate) mod completions;
pub(crate) mod connect;
pub(crate) mod emit;
pub(crate) mod listen;
pub(crate) mod probe;
pub(crate) mod replay;
