//! Every client of this package does every work on the fast server, a few times.

use std::net::TcpStream;
use std::time::Duration;

use sio_bench::client::Which;
use sio_bench::serve::{Server, Timing};
use sio_bench::work::{Failure, Line, PATIENCE, Task, Work};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

fn url(server: &Server) -> String {
    format!("http://127.0.0.1:{}", server.port())
}

#[test]
fn every_client_does_every_work() {
    let server = Server::start(Timing::default()).unwrap();
    for which in Which::ALL {
        for work in Work::ALL.into_iter().filter(|work| *work != Work::Codec) {
            let (count, extra) = match work {
                Work::Window => (50, 7),
                Work::Flood => (3000, 80),
                Work::Buffers => (12, 300_000),
                _ => (12, work.extra()),
            };
            let task = Task {
                work,
                url: url(&server),
                count,
                extra,
            };
            let legacy = matches!(which, Which::Legacy | Which::LimitLegacy);
            match which.run(&task) {
                Err(Failure::Cannot(_)) if legacy && work == Work::Buffers => {}
                Err(failure) => panic!("{} {}: {failure:?}", which.name(), work.name()),
                Ok(line) => {
                    assert_eq!(line.work(), work);
                    match line {
                        Line::Timed { count, seconds, .. } => {
                            assert!(count == task.count && seconds > 0.0, "{line:?}");
                        }
                        Line::Idle { count, threads, .. } => {
                            assert!(count == task.count && threads > 0, "{line:?}");
                        }
                        Line::Codec { .. } => panic!("{line:?}"),
                    }
                }
            }
        }
    }
    server.stop().unwrap();
}

/// Small buffers come in one read, those of some hundred KiB in many; all come back.
#[test]
fn buffers_of_any_size_come_back() {
    let server = Server::start(Timing::default()).unwrap();
    for extra in [
        0,
        1,
        124,
        125,
        126,
        65_534,
        65_535,
        65_536,
        262_144,
        3 << 20,
    ] {
        for which in [Which::V1, Which::LimitV1] {
            let task = Task {
                work: Work::Buffers,
                url: url(&server),
                count: 2,
                extra,
            };
            let done = which.run(&task);
            assert!(done.is_ok(), "{extra} bytes, {}: {done:?}", which.name());
        }
    }
    server.stop().unwrap();
}

/// As a client does that begins with polling.
#[test]
fn sessions_are_taken_over_by_websockets() {
    let server = Server::start(Timing::default()).unwrap();
    let client = sio_v1::Client::connect(&url(&server)).unwrap();
    for index in 0..200 {
        let same: usize = client.call("message", index, PATIENCE).unwrap();
        assert_eq!(same, index);
        if client.transport() == Some(sio_v1::Transport::WebSocket) {
            client.close().unwrap();
            server.stop().unwrap();
            return;
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    panic!("it stays with polling: {:?}", client.transport());
}

fn websocket(server: &Server, path: &str) -> WebSocket<MaybeTlsStream<TcpStream>> {
    let url = format!("ws://127.0.0.1:{}{path}", server.port());
    let (socket, _) = tungstenite::connect(url).unwrap();
    let MaybeTlsStream::Plain(stream) = socket.get_ref() else {
        panic!("it has TLS");
    };
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

#[test]
fn engine_io_4_is_spoken_and_its_heart_beats() {
    let interval = Duration::from_millis(50);
    let timing = Timing {
        interval,
        ..Timing::default()
    };
    let server = Server::start(timing).unwrap();
    let mut socket = websocket(&server, "/socket.io/?EIO=4&transport=websocket");
    let mut next = || {
        let message = socket.read().unwrap();
        message.into_text().unwrap()
    };
    let open = next();
    assert!(
        open.starts_with("0{") && open.contains("\"pingInterval\":50,"),
        "{open}"
    );
    assert_eq!([next(), next()], ["2", "2"]);
    for (said, answer) in [
        ("40", "40{\"sid\":\"00000000000000000001\"}"),
        ("421[\"message\",7]", "431[7]"),
        (
            "42[\"burst\",{\"count\":1,\"size\":2}]",
            "42[\"tick\",0,\"xx\"]",
        ),
    ] {
        socket.send(Message::text(said)).unwrap();
        let heard = loop {
            let text = socket.read().unwrap().into_text().unwrap();
            if text != "2" {
                break text;
            }
        };
        assert_eq!(heard, answer);
    }
    server.stop().unwrap();
}

/// A client of 0.9 answers heartbeats, over polling too, where they are polls that end with nothing.
#[test]
fn clients_of_0_9_live_through_heartbeats() {
    let timing = Timing {
        interval: Duration::from_millis(30),
        ..Timing::default()
    };
    let server = Server::start(timing).unwrap();
    for transport in [
        sio_legacy::Transport::WebSocket,
        sio_legacy::Transport::Polling,
    ] {
        let client = sio_legacy::Client::builder(&url(&server))
            .transports([transport])
            .connect()
            .unwrap();
        let received = |client: &sio_legacy::Client| client.counters().packets_received;
        let before = received(&client);
        for _ in 0..500 {
            if received(&client) >= before + 3 {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        assert!(received(&client) >= before + 3, "{transport}: no heartbeat");
        let same: usize = client.call("message", 7, PATIENCE).unwrap();
        assert_eq!(same, 7);
        client.close().unwrap();
    }
    server.stop().unwrap();
}

#[test]
fn many_connections_are_held() {
    let server = Server::start(Timing::default()).unwrap();
    let task = Task {
        work: Work::Idle,
        url: url(&server),
        count: 500,
        extra: 0,
    };
    assert!(Which::LimitV1.run(&task).is_ok());
    server.stop().unwrap();
}

/// Some clients of 0.9 end a session by a request of its own, and wait until their poll is answered.
#[test]
fn polls_of_a_session_that_ends_are_answered() {
    use std::io::{Read as _, Write as _};

    let server = Server::start(Timing::default()).unwrap();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let hear = |mut stream: TcpStream| {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        body.to_owned()
    };
    let handshake = hear(ask("/socket.io/1/"));
    let sid = handshake.split(':').next().unwrap();
    let path = format!("/socket.io/1/xhr-polling/{sid}");
    assert_eq!(hear(ask(&path)), "1::");
    let poll = ask(&path);
    assert_eq!(hear(ask(&format!("{path}?disconnect=1"))), "");
    // Which of the two came first, nothing tells.
    let last = hear(poll);
    assert!(["0::", "7:::1+0"].contains(&last.as_str()), "{last}");
    server.stop().unwrap();
}

/// Held connections have heartbeats and acks, on one loop and on threads of their own.
#[test]
fn connections_are_held() {
    use sio_bench::scale::Driver;
    use sio_bench::scale::hold::{self, Order};

    let timing = Timing {
        interval: Duration::from_millis(50),
        ..Timing::default()
    };
    let server = Server::start(timing).unwrap();
    for (driver, active) in [(Driver::Loop, 3), (Driver::Threads, 0)] {
        let order = Order {
            driver,
            url: url(&server),
            connections: 5,
            time: Duration::from_millis(400),
            active,
        };
        for held in [
            hold::run::<sio_v1::Session>(&order),
            hold::run::<sio_legacy::Session>(&order),
        ] {
            let held = held.unwrap();
            assert_eq!((held.connections, held.active), (5, active));
            assert!(held.packets >= 5, "no heartbeats: {held:?}");
            assert_eq!(held.acks > 0, active > 0, "{held:?}");
        }
    }
    server.stop().unwrap();
}
