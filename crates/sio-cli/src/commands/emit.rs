//! `sio emit`.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use sio_core::Value;

use crate::args::{Argument, Emit};
use crate::connection::{self, unreadable};
use crate::failure::{Exit, Failure};
use crate::happening::Happening;
use crate::json::{Command, Input, parse};
use crate::printer::{Form, Printer};
use crate::run::{ONLY_ACK, Run, Wanted};
use crate::screen::Screen;

pub(crate) fn emit(options: &Emit) -> Result<Exit, Failure> {
    let connection = &options.connection;
    if connection.namespace.len() > 1 {
        return Err(Failure::usage(
            "an event goes into one namespace: give --namespace once",
        ));
    }
    let arguments = options.payload.iter().enumerate();
    let args: Result<Vec<Value>, Failure> = arguments
        .map(|(index, argument)| value(index + 1, argument))
        .collect();
    let command = Command::Emit {
        event: options.event.clone(),
        args: args?,
        ack: options.ack.then_some(ONLY_ACK),
        timeout: None,
    };
    let builder = connection::builder(connection)?.reconnect(connection::reconnect(false));
    let run = Run::connect(builder, connection)?;
    let done = run.talk.act(Input {
        namespace: None,
        command,
    });
    if let Err(failure) = done {
        run.post.put(Happening::Fault(None, failure));
    }
    run.post.put(Happening::InputOver);
    let form = if options.output.json {
        Form::Json
    } else {
        Form::Values
    };
    let wanted = Wanted {
        no_events: true,
        strict: true,
        ..Wanted::default()
    };
    run.until_its_end(&mut Printer::new(form, Screen::new(None)), wanted)
}

fn value(number: usize, argument: &Argument) -> Result<Value, Failure> {
    match argument {
        Argument::Bytes(file) => match fs::read(file) {
            Ok(bytes) => Ok(Value::Bytes(bytes.into())),
            Err(error) => Err(unreadable(file, &error)),
        },
        Argument::Json(text) => {
            let (json, place) = if text == "-" {
                let mut json = String::new();
                let read = io::stdin().read_to_string(&mut json);
                read.map_err(|error| unreadable(Path::new("standard input"), &error))?;
                (json, "standard input")
            } else if let Some(file) = text.strip_prefix('@') {
                let path = Path::new(file);
                let json = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
                (json, file)
            } else {
                return parse(text).map_err(|error| {
                    let quoted = Value::from(text.as_str());
                    let text =
                        format!("argument {number}: {error}; as a text it is written '{quoted}'");
                    Failure::usage(text)
                });
            };
            parse(&json).map_err(|error| Failure::usage(format!("{place}: {error}")))
        }
    }
}
