//! `sio listen`.

use crate::args::Listen;
use crate::connection;
use crate::failure::{Exit, Failure};
use crate::printer::{Form, Printer};
use crate::run::{Run, Wanted};
use crate::screen::Screen;

pub(crate) fn listen(options: &Listen) -> Result<Exit, Failure> {
    let reconnect = connection::reconnect(!options.staying.no_reconnect);
    let builder = connection::builder(&options.connection)?.reconnect(reconnect);
    let run = Run::connect(builder, &options.connection)?;
    let form = if options.output.json {
        Form::Json
    } else {
        Form::Events {
            times: !options.no_time,
        }
    };
    let wanted = Wanted {
        events: options.events.clone(),
        no_events: false,
        count: options.count,
        strict: false,
    };
    run.until_its_end(&mut Printer::new(form, Screen::new(None)), wanted)
}
