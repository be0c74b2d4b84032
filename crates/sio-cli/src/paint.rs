//! What a person reads: values, events and states as text with colours, which the output takes out where they do not
//! belong.
//!
//! What a server sends cannot move the cursor or turn the text around: such characters are shown as escapes.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use sio_core::{ConnectionState, Status, Value};

const KEY: Style = AnsiColor::Blue.on_default();
const TEXT: Style = AnsiColor::Green.on_default();
const BYTES: Style = AnsiColor::Magenta.on_default();
const NAMESPACE: Style = AnsiColor::Cyan.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const GOOD: Style = AnsiColor::Green.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// A value as one line of JSON, with `<N bytes>` where bytes are.
fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => push(out, DIM, "null"),
        Value::Bool(bool) => push(out, BOLD, &bool.to_string()),
        Value::Number(number) => push(out, Style::new(), &number.to_string()),
        Value::String(text) => push(out, TEXT, &quoted(text)),
        Value::Bytes(bytes) => push(out, BYTES, &format!("<{} bytes>", bytes.len())),
        Value::Array(array) => {
            out.push('[');
            for (index, value) in array.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, value);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (key, value)) in object.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                push(out, KEY, &quoted(key));
                out.push(':');
                write_value(out, value);
            }
            out.push('}');
        }
    }
}

fn push(out: &mut String, style: Style, text: &str) {
    // Writing into a string cannot fail.
    let _ = write!(out, "{style}{text}{style:#}");
}

/// A JSON string that is safe to show.
fn quoted(text: &str) -> String {
    let json = serde_json::to_string(text).unwrap_or_default();
    safe(&json)
}

/// A text with every character escaped that would do something to a terminal.
pub(crate) fn safe(text: &str) -> String {
    let is_harmful =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(is_harmful) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe
}

/// The same for a text of several lines.
pub(crate) fn safe_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(safe).collect();
    lines.join("\n")
}

/// The name of an event: as it is, or quoted where it would not be one word.
fn name(event: &str) -> String {
    let is_word = !event.is_empty()
        && event
            .chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && c != '"')
        && !event.starts_with('/');
    if is_word { safe(event) } else { quoted(event) }
}

/// An event: `12:00:01.234 /chat news {"title":"x"}`, the root without its name.
pub(crate) fn event(
    time: Option<&str>,
    namespace: &str,
    event: &str,
    args: &[Value],
    ask: Option<u64>,
) -> String {
    let mut out = stamp(time);
    if namespace != "/" {
        push(&mut out, NAMESPACE, &safe(namespace));
        out.push(' ');
    }
    push(&mut out, BOLD, &name(event));
    write_values(&mut out, args);
    if let Some(ask) = ask {
        out.push(' ');
        push(&mut out, DIM, &format!("(question {ask})"));
    }
    out
}

/// An ack: `12:00:01.234 ack of add after 1.2 ms 3`.
pub(crate) fn ack(
    time: Option<&str>,
    event: &str,
    took: Duration,
    outcome: Result<&[Value], &str>,
) -> String {
    let mut out = stamp(time);
    let took = format!("{:.1} ms", took.as_secs_f64() * 1e3);
    let _ = write!(
        out,
        "{GOOD}ack{GOOD:#} of {} {DIM}after {took}{DIM:#}",
        name(event)
    );
    match outcome {
        Ok(args) => write_values(&mut out, args),
        Err(why) => {
            out.push(' ');
            push(&mut out, BAD, &safe(why));
        }
    }
    out
}

fn write_values(out: &mut String, values: &[Value]) {
    for value in values {
        out.push(' ');
        write_value(out, value);
    }
}

fn stamp(time: Option<&str>) -> String {
    match time {
        Some(time) => format!("{DIM}{time}{DIM:#} "),
        None => String::new(),
    }
}

/// The line that counts most.
pub(crate) fn headline(text: &str) -> String {
    format!("{BOLD}{}{BOLD:#}", safe(text))
}

/// A text about the connection, in words.
pub(crate) fn remark(time: Option<&str>, text: &str) -> String {
    let mut out = stamp(time);
    push(&mut out, DIM, &safe(text));
    out
}

/// The same, about something that went wrong.
pub(crate) fn complaint(time: Option<&str>, text: &str) -> String {
    let mut out = stamp(time);
    push(&mut out, BAD, &safe(text));
    out
}

/// A change of status in words, and whether it is about something that went wrong; `None` for what the words before and
/// behind it say already.
pub(crate) fn status(
    namespace: &str,
    status: &Status,
    transport: Option<&str>,
    id: Option<&str>,
) -> Option<(String, bool)> {
    let place = if namespace == "/" {
        String::new()
    } else {
        format!(" {namespace}")
    };
    Some(match status {
        Status::Connected { again } => {
            let again = if *again { " again" } else { "" };
            let over = transport.map_or_else(String::new, |name| format!(" over {name}"));
            let id = id.map_or_else(String::new, |id| format!(", id {id}"));
            (format!("connected{again}{place}{over}{id}"), false)
        }
        Status::Upgraded => ("upgraded to websocket".to_owned(), false),
        Status::UpgradeFailed(error) => (
            format!("stays on polling, the upgrade failed: {}", error.chain()),
            true,
        ),
        Status::TransportFailed { transport, error } => (
            format!("{transport} failed, trying the next one: {}", error.chain()),
            true,
        ),
        Status::Disconnected(reason) => (format!("disconnected{place}: {reason}"), true),
        Status::ReconnectScheduled { delay, .. } => (
            format!("connecting again in {:.1} s", delay.as_secs_f64()),
            false,
        ),
        Status::ReconnectError { attempt, error } => {
            (format!("attempt {attempt} failed: {}", error.chain()), true)
        }
        Status::ReconnectFailed { attempts, error } => {
            let text = format!(
                "{attempts} attempts failed, given up{place}: {}",
                error.chain()
            );
            (text, true)
        }
        Status::Error(error) => (error.chain(), true),
        _ => return None,
    })
}

/// The state of a namespace, coloured.
pub(crate) fn state(state: ConnectionState) -> String {
    let style = match state {
        ConnectionState::Connected => GOOD,
        ConnectionState::Disconnected => BAD,
        _ => DIM,
    };
    let mut out = String::new();
    push(&mut out, style, &state.to_string());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn an_event_reads_as_one_line() {
        let args = [
            [("b", Value::Null), ("a", true.into())]
                .into_iter()
                .collect(),
            Value::Bytes(b"abc"[..].into()),
        ];
        let line = event(Some("12:00:01.234"), "/chat", "news", &args, Some(3));
        assert_eq!(
            plain(&line),
            r#"12:00:01.234 /chat news {"a":true,"b":null} <3 bytes> (question 3)"#
        );
        assert_eq!(plain(&event(None, "/", "x", &[], None)), "x");
    }

    #[test]
    fn a_server_cannot_write_to_the_terminal() {
        let args = [Value::from("\u{1b}[2J\u{9b}1m\u{7f}\u{202e}\n")];
        let line = plain(&event(None, "/", "a\u{1b}]0;b\u{7}", &args, None));
        assert_eq!(
            line,
            "\"a\\u001b]0;b\\u0007\" \"\\u001b[2J\\u009b1m\\u007f\\u202e\\n\""
        );
        let text = plain(&complaint(None, "it said \u{1b}[1m"));
        assert_eq!(text, "it said \\u001b[1m");
    }

    #[test]
    fn a_name_that_is_no_word_is_quoted() {
        for (event, shown) in [
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("/x", "\"/x\""),
            ("ü", "ü"),
        ] {
            assert_eq!(name(event), shown);
        }
    }
}
