//! The line that is being typed: editing, history, completion, and a way to print above it.

use std::collections::BTreeSet;

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, ExternalPrinter, Helper};

use crate::failure::{Exit, Failure};
use crate::terminal;
use crate::typed::COMMANDS;

/// See the [module](self).
pub(crate) struct Editor(rustyline::Editor<Words, MemHistory>);

impl Editor {
    pub(crate) fn new() -> Result<Self, Failure> {
        terminal::keep();
        let config = Config::builder().auto_add_history(true).build();
        let mut editor =
            rustyline::Editor::with_history(config, MemHistory::new()).map_err(broken)?;
        editor.set_helper(Some(Words::default()));
        Ok(Self(editor))
    }

    /// Prints above the line.
    pub(crate) fn printer(&mut self) -> Result<Box<dyn ExternalPrinter + Send>, Failure> {
        let printer = self.0.create_external_printer().map_err(broken)?;
        Ok(Box::new(printer))
    }

    /// The next line.
    ///
    /// # Errors
    /// What is wrong with the terminal.
    pub(crate) fn line(&mut self, namespace: &str) -> Result<Typing, Failure> {
        let place = if namespace == "/" { "" } else { namespace };
        match self.0.readline(&format!("{place}> ")) {
            Ok(line) => {
                if let Some(words) = self.0.helper_mut() {
                    words.remember(&line);
                }
                Ok(Typing::Line(line))
            }
            Err(ReadlineError::Eof) => Ok(Typing::Over),
            Err(ReadlineError::Interrupted) => Ok(Typing::Interrupted),
            Err(error) => Err(broken(error)),
        }
    }
}

/// What somebody did at the prompt.
pub(crate) enum Typing {
    /// Typed a line.
    Line(String),
    /// Ctrl-D.
    Over,
    /// Ctrl-C.
    Interrupted,
}

fn broken(error: ReadlineError) -> Failure {
    Failure::new(Exit::Failed, "other", format!("cannot edit lines: {error}"))
}

/// Completes commands, and events that were typed before.
#[derive(Default)]
struct Words(BTreeSet<String>);

impl Words {
    fn remember(&mut self, line: &str) {
        if let Some(word) = line.split_whitespace().next() {
            self.0.insert(word.to_owned());
        }
    }
}

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..at];
        if typed.contains(char::is_whitespace) {
            return Ok((at, Vec::new()));
        }
        let commands = COMMANDS.into_iter().map(str::to_owned);
        let mut fitting: BTreeSet<String> = commands.chain(self.0.iter().cloned()).collect();
        fitting.retain(|word| word.starts_with(typed));
        let fitting = fitting.into_iter().map(|word| word + " ").collect();
        Ok((0, fitting))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {}
impl Validator for Words {}
impl Helper for Words {}
