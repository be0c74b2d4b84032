//! `sio probe`.

use sio_auto::Family;

use crate::args::Probe;
use crate::connection;
use crate::failure::{Exit, Failure};
use crate::printer::{Form, Printer};
use crate::screen::{self, Screen};

pub(crate) fn probe(options: &Probe) -> Result<Exit, Failure> {
    let report = connection::builder(&options.connection)?.probe()?;
    let form = if options.output.json {
        Form::Json
    } else {
        Form::Talk { times: false }
    };
    let mut printer = Printer::new(form, Screen::new(None));
    let printed = printer.report(&report).and_then(|()| printer.flush());
    screen::written(printed)?;
    // As connecting to it would end.
    Ok(match (report.protocol, report.server) {
        (Some(_), _) => Exit::Done,
        (None, Family::NotSocketIo | Family::Unknown) => Exit::NotConnected,
        (None, _) => Exit::Refused,
    })
}
