//! What the suites of 0.9 need: its transports, what its servers saw, and how its posts are read.

use std::sync::mpsc;

use sio_core::{Args, DisconnectReason, Encoded, Socket, Status, Transport, Value};
use sio_legacy::{Client, Session};

use crate::case::{Failure, Outcome};
use crate::context::{Context, Mode, PATIENCE, StatusLog};
use crate::control::Request;
use crate::{ensure, ensure_eq};

pub(super) type Cx = Context<Session>;

// --- transports -----------------------------------------------------------------------------------------------------

/// Those that consist of HTTP requests.
pub(super) const HTTP: &[Mode] = &[Mode::Polling, Mode::HtmlFile, Mode::JsonpPolling];
/// Those that ask again and again.
pub(super) const POLLS: &[Mode] = &[Mode::Polling, Mode::JsonpPolling];
/// Those on which the server writes when it likes, and beats.
pub(super) const STREAMS: &[Mode] = &[Mode::WebSocket, Mode::HtmlFile];
/// All but htmlfile.
pub(super) const WITHOUT_HTMLFILE: &[Mode] = &[Mode::WebSocket, Mode::Polling, Mode::JsonpPolling];

/// The transport of a mode.
pub(super) fn transport(cx: &Cx) -> Transport {
    match cx.mode() {
        Mode::WebSocket => Transport::WebSocket,
        Mode::HtmlFile => Transport::HtmlFile,
        Mode::JsonpPolling => Transport::JsonpPolling,
        _ => Transport::Polling,
    }
}

/// Its name in paths and in the server's list.
pub(super) fn wire_name(cx: &Cx) -> &'static str {
    match cx.mode() {
        Mode::WebSocket => "websocket",
        Mode::HtmlFile => "htmlfile",
        Mode::JsonpPolling => "jsonp-polling",
        _ => "xhr-polling",
    }
}

/// The port whose server offers this transport and no other.
pub(super) fn only_variant(cx: &Cx) -> &'static str {
    match cx.mode() {
        Mode::WebSocket => "websocket-only",
        Mode::HtmlFile => "htmlfile-only",
        Mode::JsonpPolling => "jsonp-only",
        _ => "polling-only",
    }
}

/// The kind of request that brings packets on an HTTP transport.
pub(super) fn get_kind(cx: &Cx) -> &'static str {
    if cx.mode() == Mode::HtmlFile {
        "stream"
    } else {
        "poll"
    }
}

// --- what the server saw --------------------------------------------------------------------------------------------

/// The texts of the packets the server received, in order.
pub(super) fn received(cx: &Cx) -> Outcome<Vec<String>> {
    let packets = cx.control().received()?;
    Ok(packets
        .iter()
        .map(|packet| packet.text().to_owned())
        .collect())
}

/// The texts of the packets the server sent, in order.
pub(super) fn sent(cx: &Cx) -> Outcome<Vec<String>> {
    let packets = cx.control().sent()?;
    Ok(packets
        .iter()
        .map(|packet| packet.text().to_owned())
        .collect())
}

/// The same, of the newest session alone.
pub(super) fn received_in_newest(cx: &Cx) -> Outcome<Vec<String>> {
    let newest = cx.control().sessions()?.pop().ok_or("no session")?;
    let packets = cx.control().received()?;
    Ok(packets
        .iter()
        .filter(|packet| packet.sid == newest.sid)
        .map(|packet| packet.text().to_owned())
        .collect())
}

/// How many of the packets the server received are exactly this one.
pub(super) fn count_received(cx: &Cx, packet: &str) -> Outcome<usize> {
    let received = received(cx)?;
    Ok(received.iter().filter(|text| *text == packet).count())
}

/// Waits until the server received exactly this packet.
pub(super) fn wait_received(cx: &Cx, packet: &str) -> Outcome {
    let waited = cx.until(&format!("{packet:?} at the server"), || {
        Ok((count_received(cx, packet)? > 0).then_some(()))
    });
    waited.or_else(|failure| Err(format!("{failure}; it received {:?}", received(cx)?).into()))
}

/// The acks among the packets the server received.
pub(super) fn acks_received(cx: &Cx) -> Outcome<Vec<String>> {
    let mut received = received(cx)?;
    received.retain(|text| text.starts_with('6'));
    Ok(received)
}

/// Waits until the server has said everything of its own, and holds a GET where there is one.
pub(super) fn wait_until_quiet(cx: &Cx) -> Outcome {
    cx.until("a quiet server", || {
        let asked = sent(cx)?
            .iter()
            .filter(|text| text.contains("welcome-question"))
            .count();
        let gets = cx.control().requests_of(get_kind(cx))?;
        let held = gets.last().is_none_or(|get| get.ended_at.is_none());
        Ok((held && asked == cx.control().sockets(None)?.len()).then_some(()))
    })
}

/// Waits until the server's session is over; returns its id.
pub(super) fn wait_closed(cx: &Cx) -> Outcome<String> {
    cx.until("the end of the session at the server", || {
        let session = cx.control().session()?;
        Ok(session.closed_at.map(|_| session.sid))
    })
}

/// The path of a request, without its query.
pub(super) fn path_of(request: &Request) -> &str {
    request.url.split('?').next().unwrap_or_default()
}

/// The text that a post carries: on jsonp-polling it is in a form.
pub(super) fn payload_of(post: &Request) -> Outcome<String> {
    let body = String::from_utf8(post.body()).map_err(|_| Failure::from("a post is not UTF-8"))?;
    match body.strip_prefix("d=") {
        None => Ok(body),
        Some(value) => Ok(serde_json::from_str(&form_value(value)?)?),
    }
}

/// A value of a form, decoded.
fn form_value(value: &str) -> Outcome<String> {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        bytes.push(match first {
            b'%' => {
                let (digits, behind) = rest.split_at_checked(2).ok_or("a cut escape in a form")?;
                rest = behind;
                let digits = String::from_utf8_lossy(digits);
                u8::from_str_radix(&digits, 16).map_err(|_| "an escape without digits")?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "a form is not UTF-8".into())
}

/// Several packets as one payload.
pub(super) fn framed(packets: &[&str]) -> String {
    let frames = packets.iter().map(|packet| {
        let length = packet.encode_utf16().count();
        format!("\u{fffd}{length}\u{fffd}{packet}")
    });
    frames.collect()
}

// --- asking ---------------------------------------------------------------------------------------------------------

/// Emits an event that asks; returns where its one outcome will come.
pub(super) fn asked(
    place: &Client,
    event: &str,
) -> Outcome<mpsc::Receiver<sio_core::Result<Args>>> {
    let (sender, receiver) = mpsc::channel();
    let payload = Encoded::event(event, &()).map_err(|error| Failure::from(error.to_string()))?;
    let then = Box::new(move |answer| drop(sender.send(answer)));
    place.ask_encoded(event, payload, PATIENCE, then)?;
    Ok(receiver)
}

/// The values of an outcome that is to come.
pub(super) fn outcome(receiver: &mpsc::Receiver<sio_core::Result<Args>>) -> Outcome<Vec<Value>> {
    let answer = receiver
        .recv_timeout(2 * PATIENCE)
        .map_err(|_| Failure::from("a question had no outcome"))??;
    answer.to_values().map_err(|error| error.to_string().into())
}

// --- ends -----------------------------------------------------------------------------------------------------------

/// The reasons of all disconnects in a log.
pub(super) fn ends(log: &StatusLog) -> Vec<DisconnectReason> {
    let seen = log.seen();
    seen.into_iter()
        .filter_map(|status| match status {
            Status::Disconnected(reason) => Some(reason),
            _ => None,
        })
        .collect()
}

/// Waits for the first disconnect, and checks that it is the only one when all handlers have run.
pub(super) fn the_end(log: &StatusLog, client: &Client) -> Outcome<DisconnectReason> {
    log.wait_for("the disconnect", |status| {
        matches!(status, Status::Disconnected(_)).then_some(())
    })?;
    ensure!(!client.is_connected(), "it says that it is connected");
    client.close()?;
    let mut ends = ends(log);
    ensure_eq!(ends.len(), 1, "disconnects in {:?}", log.seen());
    Ok(ends.remove(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        assert_eq!(
            form_value("%223%3A%3A%3Aa%2Bb+c%22").unwrap(),
            "\"3:::a+b c\""
        );
        assert!(form_value("%2").is_err());
    }

    #[test]
    fn frames_count_utf_16_units() {
        assert_eq!(
            framed(&["3:::😀", "8::"]),
            "\u{fffd}6\u{fffd}3:::😀\u{fffd}3\u{fffd}8::"
        );
    }
}
