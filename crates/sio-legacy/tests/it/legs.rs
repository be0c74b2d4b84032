//! Every option on every leg of 0.9; what is refused before anything is sent; what is told of secrets.

use sio_legacy::Transport;
use sio_peer::alone::alone;
use sio_peer::legs::{self, Leg, Stage, Way, Wire};
use sio_peer::peer::Answer;
use sio_peer::{secrets, settings};

use crate::scene::body;
use crate::wire::{ALL, Answers as _, Packets as _, chunk, preamble, script};

type OnStage = Stage<sio_legacy::Session>;

#[test]
fn every_option_is_on_every_leg() {
    legs::every_option_is_on_every_leg::<Legacy>();
}

#[test]
fn no_secret_is_told() {
    let test = secrets::no_secret_is_told::<Legacy, crate::words::Legacy>;
    alone("legs::no_secret_is_told", test);
}

#[test]
fn what_cannot_work_is_refused_when_built() {
    settings::what_cannot_work_is_refused_when_built::<sio_legacy::Session>();
}

enum Legacy {}

impl Wire for Legacy {
    type Protocol = sio_legacy::Session;

    const PARAMETERS: &'static [&'static str] = &["t", "i"];

    fn is_behind_path(rest: &str) -> bool {
        let of_session = |name: &&str| rest == format!("1/{name}/S");
        rest == "1/" || ALL.split(',').any(|name| of_session(&name))
    }

    fn ways() -> Vec<Way<sio_legacy::Session>> {
        const BOTH: &[Transport] = &[Transport::WebSocket, Transport::Polling];
        let way = |name, transports, walk| Way {
            name,
            transports,
            walk,
        };
        vec![
            way("WebSocket", &[Transport::WebSocket], websocket),
            way("xhr-polling", &[Transport::Polling], |stage| {
                polling(stage, Transport::Polling);
            }),
            way("jsonp-polling", &[Transport::JsonpPolling], |stage| {
                polling(stage, Transport::JsonpPolling);
            }),
            way("htmlfile", &[Transport::HtmlFile], htmlfile),
            way("the fallback to xhr-polling", BOTH, fallback),
        ]
    }
}

fn shake_hands(stage: &mut OnStage) {
    let handshake = stage.get("handshake");
    stage.answer(handshake, Answer::handshake("S", ALL));
}

fn websocket(stage: &mut OnStage) {
    shake_hands(stage);
    let websocket = stage.upgrade("websocket");
    let mut socket = stage.accept(websocket);
    socket.text("1::");
    stage.emit();
    assert_eq!(socket.packet(), r#"5:::{"name":"x"}"#);
    socket.cut();
}

fn polling(stage: &mut OnStage, transport: Transport) {
    shake_hands(stage);
    let answer = |packet| Answer::plain(body(transport, &[packet]));
    let first = stage.get("poll");
    stage.answer(first, answer("1::"));
    let mut poll = stage.get("poll");
    for _ in 0..3 {
        let post = posted(stage);
        // Behind one without an event the client would pause.
        stage.answer(poll, answer(r#"5:::{"name":"y"}"#));
        poll = stage.get("poll");
        stage.answer(post, Answer::plain("1"));
    }
    // Stays unanswered: that it comes tells that the answer before was read.
    let _last = posted(stage);
    poll.request.close();
}

fn htmlfile(stage: &mut OnStage) {
    shake_hands(stage);
    let mut stream = stage.get("stream");
    let cookies = stage.cookies(&stream).join("\r\nSet-Cookie: ");
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nSet-Cookie: {cookies}\r\n\
         Connection: Keep-Alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let first = [head.into_bytes(), chunk(preamble().as_bytes())].concat();
    stream.request.raw(&first);
    stream.request.raw(&chunk(script("1::").as_bytes()));
    for _ in 0..2 {
        let post = posted(stage);
        stage.answer(post, Answer::plain("1"));
    }
    // Stays unanswered: nobody would know whether the client has seen it.
    let _last = posted(stage);
    stream.request.close();
}

fn fallback(stage: &mut OnStage) {
    shake_hands(stage);
    let websocket = stage.upgrade("websocket");
    stage.refuse(websocket);
    polling(stage, Transport::Polling);
}

fn posted(stage: &mut OnStage) -> Leg {
    stage.emit();
    stage.post("post")
}
