//! `-v`: what the client tells through `tracing`, on standard error, or above the line that is being typed.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};

use anstream::{AutoStream, ColorChoice};
use rustyline::ExternalPrinter;
use tracing::Level;

use crate::failure::Failure;
use crate::run::spawn;

/// Shows it from here on.
pub(crate) fn show(
    verbose: u8,
    above: Option<Box<dyn ExternalPrinter + Send>>,
) -> Result<(), Failure> {
    let level = match verbose {
        0 => return Ok(()),
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let has_colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let logs = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(io::stderr().is_terminal() && has_colours);
    match above {
        Some(above) => logs.with_writer(Mutex::new(Above::new(above)?)).init(),
        None => logs.with_writer(io::stderr).init(),
    }
    Ok(())
}

/// Prints on a thread of its own: the client tells some things with its connection locked, and whoever edits the line may
/// be waiting for that.
struct Above(Sender<String>);

impl Above {
    fn new(mut printer: Box<dyn ExternalPrinter + Send>) -> Result<Self, Failure> {
        let (sender, lines) = mpsc::channel::<String>();
        spawn("sio-log", move || {
            for line in lines {
                if printer.print(line).is_err() {
                    return; // the terminal is gone
                }
            }
        })?;
        Ok(Self(sender))
    }
}

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(text).into_owned();
        self.0.send(line).map_err(io::Error::other)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
