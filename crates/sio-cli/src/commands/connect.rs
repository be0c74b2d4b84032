//! `sio connect`: lines that are typed, or written by a program.

use std::io::{self, BufRead, IsTerminal as _};
use std::sync::Arc;

use sio_core::Socket as _;

use crate::args::Connect;
use crate::connection;
use crate::editor::{Editor, Typing};
use crate::failure::{Exit, Failure};
use crate::happening::{Happening, Post};
use crate::json::Input;
use crate::logs;
use crate::paint;
use crate::printer::{Form, Printer};
use crate::run::{Run, Wanted, spawn};
use crate::screen::Screen;
use crate::talk::Talk;
use crate::typed::{self, Typed};

pub(crate) fn connect(options: &Connect) -> Result<Exit, Failure> {
    let is_typed = !options.output.json && io::stdin().is_terminal() && io::stdout().is_terminal();
    let editor = if is_typed { Some(Editor::new()?) } else { None };
    let (mut editor, above) = match editor {
        Some(mut editor) => {
            if options.output.verbose > 0 && io::stderr().is_terminal() {
                logs::show(options.output.verbose, Some(editor.printer()?))?;
            }
            let above = editor.printer()?;
            (Some(editor), Some(above))
        }
        None => (None, None),
    };
    let connection = &options.connection;
    let reconnect = connection::reconnect(!options.staying.no_reconnect);
    let builder = connection::builder(connection)?
        .reconnect(reconnect)
        .keep_open(true);
    let run = Run::connect(builder, connection)?;
    let (talk, post) = (Arc::clone(&run.talk), run.post.clone());
    if editor.is_some() {
        post.put(Happening::Say(
            "/help shows what can be typed; Ctrl-D leaves.".to_owned(),
        ));
    }
    let is_json = options.output.json;
    spawn("sio-input", move || match &mut editor {
        Some(editor) => read_typed(editor, &talk, &post),
        None if is_json => read_lines(io::stdin().lock(), &post, |line, number| {
            do_json(line, number, &talk, &post);
        }),
        None => read_lines(io::stdin().lock(), &post, |line, number| {
            do_typed(line, number, &talk, &post);
        }),
    })?;
    let form = if is_json {
        Form::Json
    } else {
        Form::Talk {
            times: !options.no_time,
        }
    };
    run.until_its_end(
        &mut Printer::new(form, Screen::new(above)),
        Wanted::default(),
    )
}

/// Hands on each line, with its number from 1; empty ones only count.
fn read_lines(mut input: impl BufRead, post: &Post, mut take: impl FnMut(&str, u64)) {
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        match input.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => match str::from_utf8(&line) {
                Ok(text) if text.trim().is_empty() => {}
                Ok(text) => take(text.trim(), number),
                Err(_) => post.put(Happening::Fault(Some(number), Failure::input("no UTF-8"))),
            },
            Err(error) => {
                let failure = Failure::input(format!("cannot read the input: {error}"));
                post.put(Happening::Fault(Some(number), failure));
                break;
            }
        }
    }
    post.put(Happening::InputOver);
}

fn do_json(line: &str, number: u64, talk: &Talk, post: &Post) {
    let done = Input::parse(line)
        .map_err(Failure::input)
        .and_then(|input| talk.act(input));
    if let Err(failure) = done {
        post.put(Happening::Fault(Some(number), failure));
    }
}

/// Does what was typed, or piped in without `--json`.
fn do_typed(line: &str, number: u64, talk: &Talk, post: &Post) {
    let done = match typed::parse(line, number) {
        Err(why) => Err(Failure::input(why)),
        Ok(Typed::Nothing) => Ok(()),
        Ok(Typed::Do(input)) => talk.act(input),
        Ok(Typed::Join(namespace, query)) => talk
            .join(&namespace, query)
            .and_then(|()| talk.turn_to(&namespace)),
        Ok(Typed::Use(namespace)) => talk.turn_to(&namespace),
        Ok(Typed::State) => {
            post.put(Happening::Say(state(talk)));
            Ok(())
        }
        Ok(Typed::Help) => {
            post.put(Happening::Say(typed::HELP.to_owned()));
            Ok(())
        }
    };
    if let Err(failure) = done {
        post.put(Happening::Fault(None, failure));
    }
}

fn read_typed(editor: &mut Editor, talk: &Talk, post: &Post) {
    let mut number = 0;
    loop {
        number += 1;
        match editor.line(&talk.current()) {
            Ok(Typing::Line(line)) => {
                do_typed(&line, number, talk, post);
                if typed::is_end(&line) {
                    return;
                }
            }
            Ok(Typing::Over) => break,
            Ok(Typing::Interrupted) => return post.put(Happening::Interrupted),
            Err(failure) => {
                post.put(Happening::Fault(None, failure));
                break;
            }
        }
    }
    post.put(Happening::InputOver);
}

fn state(talk: &Talk) -> String {
    let current = talk.current();
    let mut text = String::new();
    for (name, state) in talk.states() {
        let mark = if name == current {
            " (emits go here)"
        } else {
            ""
        };
        text.push_str(&format!(
            "{} {}{mark}\n",
            paint::safe(&name),
            paint::state(state)
        ));
    }
    if let Some(client) = talk.client() {
        text.push_str(&paint::safe_lines(&client.report().to_string()));
    }
    text
}
