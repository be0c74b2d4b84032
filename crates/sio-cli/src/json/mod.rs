//! The JSON lines of `--json`, in both directions. What they mean to a program stands in `JSON.md`.

mod input;
mod output;
mod value;

pub use input::{AckName, Command, Input};
pub use output::{Fault, Line, State};
pub use value::{ParseError, parse, parse_many, to_text};
