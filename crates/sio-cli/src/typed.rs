//! What a person types into `sio connect`.

use sio_core::Value;

use crate::json::{AckName, Command, Input, parse_many};

/// A line that was typed.
#[derive(Debug, PartialEq)]
pub(crate) enum Typed {
    /// Nothing.
    Nothing,
    /// What a program can ask for, too.
    Do(Input),
    /// Join a namespace, and turn to it.
    Join(String, Vec<(String, String)>),
    /// Turn to a namespace that is joined.
    Use(String),
    /// Show where the connection stands.
    State,
    /// Show what can be typed.
    Help,
}

/// What can be typed.
pub(crate) const HELP: &str = "\
event json…          emit an event: news \"text\" {\"a\":1} [1,2] {\"$bytes\":\"aGk=\"}
/ack event json…     the same, and show the server's answer
/reply N json…       answer the server's question N
/join NAME [K=V]…    join a namespace, and emit there from now on
/use NAME            emit in another namespace that is joined
/leave [NAME]        leave a namespace
/emit event json…    emit an event whose name begins with a slash
/state               show where the connection stands
/quit, Ctrl-D        close the connection and leave";

/// The commands, for completing them.
pub(crate) const COMMANDS: [&str; 9] = [
    "/ack", "/emit", "/help", "/join", "/leave", "/quit", "/reply", "/state", "/use",
];

/// Reads a line; `number` is the name of the ack, if it asks for one.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn parse(line: &str, number: u64) -> Result<Typed, String> {
    let line = line.trim();
    let (word, rest) = first_word(line);
    let here = |command| {
        Typed::Do(Input {
            namespace: None,
            command,
        })
    };
    Ok(match word {
        "" => Typed::Nothing,
        "/help" | "/?" => Typed::Help,
        "/state" => Typed::State,
        "/quit" | "/exit" => here(Command::Close),
        "/ack" => here(emit(rest, Some(AckName::Number(number)))?),
        "/emit" => here(emit(rest, None)?),
        "/reply" => {
            let (ask, rest) = first_word(rest);
            let ask = ask
                .parse()
                .map_err(|_| "/reply needs the number of a question".to_owned())?;
            here(Command::Reply {
                ask,
                args: values(rest)?,
            })
        }
        "/join" => {
            let (name, query) = first_word(rest);
            if name.is_empty() {
                return Err("/join needs the name of a namespace".to_owned());
            }
            let pairs = query
                .split_whitespace()
                .map(|pair| match pair.split_once('=') {
                    Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
                    None => Err(format!("{pair} is no query: name=value is")),
                });
            Typed::Join(name.to_owned(), pairs.collect::<Result<_, _>>()?)
        }
        "/use" if !rest.is_empty() => Typed::Use(rest.to_owned()),
        "/use" => return Err("/use needs the name of a namespace".to_owned()),
        "/leave" => Typed::Do(Input {
            namespace: (!rest.is_empty()).then(|| rest.to_owned()),
            command: Command::Leave,
        }),
        command if command.starts_with('/') => {
            return Err(format!("there is no {command}; /help shows what there is"));
        }
        _ => here(emit(line, None)?),
    })
}

/// Whether nothing may be typed behind this line.
pub(crate) fn is_end(line: &str) -> bool {
    matches!(line.trim(), "/quit" | "/exit")
}

fn emit(text: &str, ack: Option<AckName>) -> Result<Command, String> {
    let (event, args) = if text.starts_with('"') {
        // A name that is no word is written as JSON, too.
        let mut values = values(text)?.into_iter();
        match values.next() {
            Some(Value::String(event)) => (event, values.collect()),
            _ => return Err("an event needs a name".to_owned()),
        }
    } else {
        let (event, rest) = first_word(text);
        if event.is_empty() {
            return Err("an event needs a name".to_owned());
        }
        (event.to_owned(), values(rest)?)
    };
    Ok(Command::Emit {
        event,
        args,
        ack,
        timeout: None,
    })
}

fn values(text: &str) -> Result<Vec<Value>, String> {
    parse_many(text).map_err(|error| {
        let first = first_word(text).0;
        let is_bare = first
            .chars()
            .all(|c| c.is_alphanumeric() || "-_.!?'".contains(c));
        if is_bare && first.chars().any(char::is_alphabetic) {
            format!("{first} is no JSON; a text is written in quotes: \"{text}\"")
        } else {
            format!("{error} of {text}")
        }
    })
}

fn first_word(text: &str) -> (&str, &str) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn emitted(line: &str) -> (String, Vec<Value>, bool) {
        match parse(line, 1).unwrap() {
            Typed::Do(Input {
                command: Command::Emit {
                    event, args, ack, ..
                },
                ..
            }) => (event, args, ack.is_some()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_event_and_its_values() {
        let (event, args, _) = emitted(r#"  news {"a": 1} 5 "x y" [] "#);
        assert_eq!((event.as_str(), args.len()), ("news", 4));
        assert_eq!(args[2], "x y");
        assert_eq!(emitted("news"), ("news".to_owned(), vec![], false));
        assert_eq!(
            emitted(r#""my event" 1"#),
            ("my event".to_owned(), vec![1.into()], false)
        );
        assert_eq!(emitted("/emit /odd"), ("/odd".to_owned(), vec![], false));
        assert_eq!(
            emitted("/ack add 1 2"),
            ("add".to_owned(), vec![1.into(), 2.into()], true)
        );
    }

    #[test]
    fn commands() {
        assert_eq!(parse("", 1), Ok(Typed::Nothing));
        assert_eq!(parse("/state", 1), Ok(Typed::State));
        let query = vec![("t".to_owned(), "1=2".to_owned())];
        assert_eq!(
            parse("/join chat t=1=2", 1),
            Ok(Typed::Join("chat".to_owned(), query))
        );
        assert_eq!(parse("/use /a", 1), Ok(Typed::Use("/a".to_owned())));
        let reply = Input {
            namespace: None,
            command: Command::Reply {
                ask: 3,
                args: vec!["x".into()],
            },
        };
        assert_eq!(parse(r#"/reply 3 "x""#, 1), Ok(Typed::Do(reply)));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_right() {
        for (line, said) in [
            (
                "say hello world",
                r#"hello is no JSON; a text is written in quotes: "hello world""#,
            ),
            ("say {", "no JSON: EOF"),
            ("/jion x", "there is no /jion; /help"),
            ("/join", "needs the name"),
            ("/join a b", "name=value"),
            ("/reply x", "number of a question"),
            ("/ack", "needs a name"),
        ] {
            let text = parse(line, 1).unwrap_err();
            assert!(text.contains(said), "{line} gave {text}");
        }
    }
}
