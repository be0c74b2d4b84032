//! Published crates at one work of the benchmark; see ../../README.md.
//!
//!     peers-rust <work> <url> <count> [<extra>]
//!
//! The client is rust_socketio, of the work `codec` the parser of socketioxide. Status 3: it cannot do the work.

#![forbid(unsafe_code)]
#![warn(missing_docs, clippy::all)]

mod client;
mod codec;
mod measure;
mod works;

use std::error::Error;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use serde_json::{Map, Value};

const USAGE: &str = "usage: peers-rust <work> <url> <count> [<extra>]";
const FAILED: u8 = 1;
const CANNOT: u8 = 3;

/// What a work ends with: the fields of its line, or why there is none.
type Outcome = Result<Map<String, Value>, Failure>;

enum Failure {
    /// In one sentence.
    CannotDo(String),
    Other(Box<dyn Error>),
}

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

struct Request {
    work: String,
    url: String,
    count: usize,
    extra: Option<usize>,
}

impl Request {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let number = |text: String| Some(text.parse::<NonZeroUsize>().ok()?.get());
        let request = Self {
            work: arguments.next()?,
            url: arguments.next()?,
            count: number(arguments.next()?)?,
            extra: match arguments.next() {
                Some(text) => Some(number(text)?),
                None => None,
            },
        };
        arguments.next().is_none().then_some(request)
    }
}

fn main() -> ExitCode {
    let Some(request) = Request::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(FAILED);
    };
    match works::run(&request) {
        Ok(fields) => {
            let mut line = Map::from_iter([("work".to_owned(), request.work.into())]);
            line.extend(fields);
            println!("{}", Value::Object(line));
            ExitCode::SUCCESS
        }
        Err(Failure::CannotDo(sentence)) => {
            eprintln!("{sentence}");
            ExitCode::from(CANNOT)
        }
        Err(Failure::Other(error)) => {
            eprintln!("{}: {error}", request.work);
            ExitCode::from(FAILED)
        }
    }
}
