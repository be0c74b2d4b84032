//! Where and why a nom parser stopped, for errors that name the place.

use nom::error::{ErrorKind, ParseError};
use nom::{Err, IResult};

/// What a parser of text gives.
pub type Parsed<'a, T, E> = IResult<&'a str, T, Fault<'a, E>>;

/// Where parsing stopped, and what was expected there: for failures of nom's own parsers, the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault<'a, E> {
    /// What had not been read.
    pub rest: &'a str,
    /// What was expected.
    pub expected: E,
}

impl<'a, E: Default> ParseError<&'a str> for Fault<'a, E> {
    fn from_error_kind(rest: &'a str, _: ErrorKind) -> Self {
        Self {
            rest,
            expected: E::default(),
        }
    }

    fn append(_: &'a str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// An error that no other rule can mend.
///
/// # Errors
/// Always.
pub fn fail<T, E>(rest: &str, expected: E) -> Parsed<'_, T, E> {
    Err(Err::Failure(Fault { rest, expected }))
}

/// The fault of a parser that did not ask for more input, as only nom's streaming parsers do.
pub fn fault<'a, E: Default>(error: Err<Fault<'a, E>>) -> Fault<'a, E> {
    match error {
        Err::Error(fault) | Err::Failure(fault) => fault,
        Err::Incomplete(_) => Fault {
            rest: "",
            expected: E::default(),
        },
    }
}
