//! Where lines go: standard output, or above the line that is being typed.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use rustyline::ExternalPrinter;

use crate::failure::{Exit, Failure};

/// See the [module](self).
pub(crate) struct Screen {
    out: io::BufWriter<io::Stdout>,
    out_has_colours: bool,
    err_has_colours: bool,
    above: Option<Box<dyn ExternalPrinter + Send>>,
}

impl Screen {
    /// Standard output; lines stand above the one that is being typed, if somebody types.
    pub(crate) fn new(above: Option<Box<dyn ExternalPrinter + Send>>) -> Self {
        Self {
            out: io::BufWriter::new(io::stdout()),
            out_has_colours: AutoStream::choice(&io::stdout()) != ColorChoice::Never,
            err_has_colours: AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            above,
        }
    }

    /// Writes a line of output; it may wait for [`flush`](Self::flush).
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let text = with_colours(text, self.out_has_colours);
        if let Some(above) = &mut self.above {
            if above.print(format!("{text}\n")).is_ok() {
                return Ok(());
            }
            // Nobody types any more: what comes now stands where it is.
            self.above = None;
        }
        writeln!(self.out, "{text}")
    }

    /// Writes a line as it is, whatever it holds.
    pub(crate) fn data(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// Writes a line beside the output, behind what was written before.
    pub(crate) fn aside(&mut self, text: &str) -> io::Result<()> {
        if self.above.is_some() && io::stderr().is_terminal() {
            return self.line(text);
        }
        self.flush()?;
        // Nobody may listen there any more; the output is what counts.
        let _ = writeln!(io::stderr(), "{}", with_colours(text, self.err_has_colours));
        Ok(())
    }

    /// Hands over what was written.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Whether something was written. An output that is closed is no error: whoever reads it has seen enough.
///
/// # Errors
/// If it could not be written for another reason.
pub(crate) fn written(written: io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let text = format!("cannot write the output: {error}");
            Err(Failure::new(Exit::Failed, "output", text))
        }
        _ => Ok(()),
    }
}

fn with_colours(text: &str, has_colours: bool) -> Cow<'_, str> {
    if has_colours {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(strip_str(text).to_string())
    }
}
