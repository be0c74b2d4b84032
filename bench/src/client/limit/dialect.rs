//! What the bare sockets say, in each dialect.

use serde::Deserialize;

use crate::work::{Failure, Outcome};

use super::polling::Http;

/// A dialect, as few bytes and as little thought as it takes.
pub trait Dialect {
    /// Whether it has bytes.
    const HAS_BYTES: bool;
    /// What tells that the root is connected.
    const CONNECTED: &'static str;
    /// What ends the session.
    const END: &'static str;
    /// The server's heartbeat and the answer to it, if it is the server that sends them.
    const HEARTBEAT: Option<&'static str>;

    /// The path of a WebSocket, which may have to be asked for.
    ///
    /// # Errors
    /// If the server cannot be asked.
    fn websocket(host: &str) -> Outcome<String>;

    /// Opens a session over polling: the path of its polls and posts, and what came with it.
    ///
    /// # Errors
    /// If the server cannot be asked.
    fn polling(http: &mut Http) -> Outcome<(String, String)>;

    /// The event `message` that asks for an ack.
    fn message(id: usize, index: usize) -> String;

    /// The ack that it gets; `None` if the packet is something else.
    fn is_ack(packet: &str, id: usize, index: usize) -> Option<bool>;

    /// The event `burst`.
    fn burst(count: usize, size: usize) -> String;

    /// Reads an event `tick`.
    fn tick(packet: &str) -> Option<(usize, &str)>;

    /// The body of a post with one packet.
    fn body(packet: &str) -> String;

    /// The packets of a poll's answer.
    fn packets(body: &str) -> Vec<&str>;
}

/// 1.x and 2.x.
#[derive(Debug, Clone, Copy)]
pub struct V1;

/// 0.9.
#[derive(Debug, Clone, Copy)]
pub struct Legacy;

impl Dialect for V1 {
    const HAS_BYTES: bool = true;
    const CONNECTED: &'static str = "40";
    const END: &'static str = "41";
    const HEARTBEAT: Option<&'static str> = None;

    fn websocket(_host: &str) -> Outcome<String> {
        Ok("/socket.io/?EIO=3&transport=websocket".into())
    }

    fn polling(http: &mut Http) -> Outcome<(String, String)> {
        let path = "/socket.io/?EIO=3&transport=polling&b64=1";
        let body = http.get(path)?;
        let behind = body.split_once("\"sid\":\"").map(|(_, behind)| behind);
        let sid = behind.and_then(|behind| behind.split('"').next());
        let sid = sid.ok_or_else(|| Failure::Wrong(format!("no session id in {body:?}")))?;
        Ok((format!("{path}&sid={sid}"), body))
    }

    fn message(id: usize, index: usize) -> String {
        format!("42{id}[\"message\",\"hello\",{index}]")
    }

    fn is_ack(packet: &str, id: usize, index: usize) -> Option<bool> {
        let rest = packet.strip_prefix("43")?;
        Some(rest == format!("{id}[\"hello\",{index}]"))
    }

    fn burst(count: usize, size: usize) -> String {
        format!("42[\"burst\",{{\"count\":{count},\"size\":{size},\"gap\":0}}]")
    }

    fn tick(packet: &str) -> Option<(usize, &str)> {
        let data = packet.strip_prefix("42")?;
        let (name, index, text) = serde_json::from_str::<(&str, usize, &str)>(data).ok()?;
        (name == "tick").then_some((index, text))
    }

    fn body(packet: &str) -> String {
        format!("{}:{packet}", packet.len())
    }

    fn packets(body: &str) -> Vec<&str> {
        let mut packets = Vec::new();
        let mut rest = body;
        while let Some((length, behind)) = rest.split_once(':') {
            // All that is said here is ASCII.
            let length = length.parse().unwrap_or(behind.len());
            let Some((packet, more)) = behind.split_at_checked(length) else {
                break;
            };
            packets.push(packet);
            rest = more;
        }
        packets
    }
}

impl Dialect for Legacy {
    const HAS_BYTES: bool = false;
    const CONNECTED: &'static str = "1::";
    const END: &'static str = "0::";
    const HEARTBEAT: Option<&'static str> = Some("2::");

    fn websocket(host: &str) -> Outcome<String> {
        let sid = handshake(&mut Http::connect(host)?)?;
        Ok(format!("/socket.io/1/websocket/{sid}"))
    }

    fn polling(http: &mut Http) -> Outcome<(String, String)> {
        let sid = handshake(http)?;
        Ok((format!("/socket.io/1/xhr-polling/{sid}"), String::new()))
    }

    fn message(id: usize, index: usize) -> String {
        format!("5:{id}+::{{\"name\":\"message\",\"args\":[\"hello\",{index}]}}")
    }

    fn is_ack(packet: &str, id: usize, index: usize) -> Option<bool> {
        let rest = packet.strip_prefix("6:::")?;
        Some(rest == format!("{id}+[\"hello\",{index}]"))
    }

    fn burst(count: usize, size: usize) -> String {
        format!(
            "5:::{{\"name\":\"burst\",\"args\":[{{\"count\":{count},\"size\":{size},\"gap\":0}}]}}"
        )
    }

    fn tick(packet: &str) -> Option<(usize, &str)> {
        #[derive(Deserialize)]
        struct Event<'a> {
            name: &'a str,
            args: (usize, &'a str),
        }
        let data = packet.strip_prefix("5:::")?;
        let event: Event<'_> = serde_json::from_str(data).ok()?;
        (event.name == "tick").then_some(event.args)
    }

    fn body(packet: &str) -> String {
        packet.to_owned()
    }

    fn packets(body: &str) -> Vec<&str> {
        if !body.starts_with('\u{fffd}') {
            return vec![body];
        }
        // Lengths stand between packets; none of them is mistaken for a packet, which has colons.
        body.split('\u{fffd}')
            .filter(|part| part.contains(':'))
            .collect()
    }
}

fn handshake(http: &mut Http) -> Outcome<String> {
    let body = http.get("/socket.io/1/")?;
    match body.split_once(':') {
        Some((sid, _)) => Ok(sid.to_owned()),
        None => Err(Failure::Wrong(format!("no session id in {body:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says_and_hears<D: Dialect>(tick: &str, ack: &str) {
        assert_eq!(D::tick(tick), Some((7, "xx")));
        assert_eq!(D::tick(ack), None);
        assert_eq!(D::is_ack(ack, 3, 2), Some(true));
        assert_eq!(D::is_ack(ack, 3, 1), Some(false));
        assert_eq!(D::is_ack(tick, 3, 2), None);
        assert_eq!(D::packets(&D::body(ack)), [ack]);
    }

    #[test]
    fn packets_are_those_of_the_protocols() {
        says_and_hears::<V1>(r#"42["tick",7,"xx"]"#, r#"433["hello",2]"#);
        says_and_hears::<Legacy>(
            r#"5:::{"name":"tick","args":[7,"xx"]}"#,
            r#"6:::3+["hello",2]"#,
        );
        assert_eq!(V1::message(3, 2), r#"423["message","hello",2]"#);
        assert_eq!(
            Legacy::message(3, 2),
            r#"5:3+::{"name":"message","args":["hello",2]}"#
        );
        assert_eq!(V1::packets("2:401:3"), ["40", "3"]);
        let framed = "\u{fffd}3\u{fffd}1::\u{fffd}3\u{fffd}8::";
        assert_eq!(Legacy::packets(framed), ["1::", "8::"]);
    }
}
