//! `-v`: what the client tells through `tracing`, on standard error, or above the line that is being typed.

use std::io::{self, IsTerminal as _, Write};
use std::sync::Mutex;

use anstream::{AutoStream, ColorChoice};
use rustyline::ExternalPrinter;
use tracing::Level;

/// Shows it from here on.
pub(crate) fn show(verbose: u8, above: Option<Box<dyn ExternalPrinter + Send>>) {
    let level = match verbose {
        0 => return,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let has_colours = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
    let logs = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(io::stderr().is_terminal() && has_colours);
    match above {
        Some(above) => logs.with_writer(Mutex::new(Above(above))).init(),
        None => logs.with_writer(io::stderr).init(),
    }
}

struct Above(Box<dyn ExternalPrinter + Send>);

impl Write for Above {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(text).into_owned();
        self.0.print(line).map_err(io::Error::other)?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
