//! A front between a client and a server that are plain sockets.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

/// A front with a server behind it.
struct Scene {
    listener: TcpListener,
    front: Front,
}

impl Scene {
    fn new() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let front = Front::open(Ipv4Addr::LOCALHOST.into(), port).unwrap();
        Self { listener, front }
    }

    fn dial(&self) -> TcpStream {
        patient(TcpStream::connect((Ipv4Addr::LOCALHOST, self.front.port())).unwrap())
    }

    fn accept(&self) -> TcpStream {
        patient(self.listener.accept().unwrap().0)
    }

    /// A client and its server, with the first line passed.
    fn pair(&self, line: &str) -> (TcpStream, TcpStream) {
        let (mut client, mut server) = (self.dial(), self.accept());
        client.write_all(line.as_bytes()).unwrap();
        assert_eq!(read(&mut server, line.len()), line.as_bytes());
        (client, server)
    }
}

fn patient(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

fn rest(stream: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.kind()),
    }
}

/// Nothing comes for a while.
fn is_silent(stream: &mut TcpStream) -> bool {
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let silent = stream
        .read(&mut [0])
        .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    silent
}

fn until(place: Place, how: Cut) -> Flow {
    Flow::Until(place, Then::Cut(how))
}

#[test]
fn everything_passes_both_ways_and_each_end_of_its_own() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.pair("GET /\n");
    let much = vec![7; 3 << 20];
    let sent = much.clone();
    let writing = thread::spawn(move || {
        client.write_all(&sent).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        client
    });
    assert!(rest(&mut server).unwrap() == much);
    server.write_all(b"still open").unwrap();
    drop(server);
    let mut client = writing.join().unwrap();
    assert_eq!(rest(&mut client).unwrap(), b"still open");
    assert_eq!(scene.front.from_clients()[0].len(), 256 << 10);
    assert_eq!(scene.front.from_servers(), [b"still open"]);
}

#[test]
fn a_cut_ends_both_sides_behind_its_byte_in_either_way() {
    for number in 0..4 {
        for (direction, how) in [
            (Direction::Up, Cut::Fin),
            (Direction::Up, Cut::Reset),
            (Direction::Down, Cut::Fin),
            (Direction::Down, Cut::Reset),
        ] {
            let scene = Scene::new();
            let flow = until(Place::Byte(number), how);
            scene.front.set(Which::Number(0), direction, flow);
            let (mut client, mut server) = (scene.dial(), scene.accept());
            let (from, to, all) = match direction {
                Direction::Up => (&mut client, &mut server, b"abc\n"),
                Direction::Down => (&mut server, &mut client, b"123\n"),
            };
            // The cut may come first.
            drop(from.write_all(all));
            match rest(to) {
                Ok(bytes) => {
                    assert_eq!(bytes, all[..number as usize]);
                    assert_eq!(how, Cut::Fin, "{direction:?}");
                }
                Err(error) => {
                    assert_eq!(error, ErrorKind::ConnectionReset);
                    assert_eq!(how, Cut::Reset, "{direction:?}");
                }
            }
            assert_eq!(scene.front.done().cuts, 1);
            let (mut next, mut at_server) = scene.pair("next\n");
            at_server.write_all(b"free").unwrap();
            assert_eq!(read(&mut next, 4), b"free");
        }
    }
}

#[test]
fn a_dead_direction_swallows_the_end_too_and_the_other_lives() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.pair("GET /\n");
    scene.front.set(Which::All, Direction::Up, Flow::Swallowed);
    client.write_all(b"lost").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    server.write_all(b"heard").unwrap();
    assert_eq!(read(&mut client, 5), b"heard");
    assert!(is_silent(&mut server));
    scene.front.heal().unwrap();
    assert_eq!(rest(&mut client), Err(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut server), Err(ErrorKind::ConnectionReset));
}

#[test]
fn what_was_frozen_comes_later() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.pair("GET /\n");
    scene.front.freeze();
    client.write_all(b"up").unwrap();
    server.write_all(b"down").unwrap();
    assert!(is_silent(&mut client) && is_silent(&mut server));
    scene.front.heal().unwrap();
    assert_eq!(read(&mut server, 2), b"up");
    assert_eq!(read(&mut client, 4), b"down");
}

#[test]
fn late_and_slow_bytes_take_their_time() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.pair("GET /\n");
    let by = Duration::from_millis(80);
    scene.front.set(Which::All, Direction::Up, Flow::Late(by));
    scene
        .front
        .set(Which::All, Direction::Down, Flow::Slow(1000));
    let begin = Instant::now();
    client.write_all(b"late").unwrap();
    assert_eq!(read(&mut server, 4), b"late");
    assert!(begin.elapsed() >= by, "{:?}", begin.elapsed());
    let begin = Instant::now();
    server.write_all(&[b'x'; 200]).unwrap();
    assert_eq!(read(&mut client, 200), [b'x'; 200]);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}");
}

#[test]
fn a_closed_door_refuses_and_opens_on_the_same_port() {
    let scene = Scene::new();
    for _ in 0..20 {
        scene.front.set_door(Door::Closed).unwrap();
        let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, scene.front.port()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        scene.front.set_door(Door::Open).unwrap();
        scene.pair("again\n");
    }
}

#[test]
fn a_server_that_is_not_there_resets() {
    let scene = Scene::new();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    scene.front.forward_to(port);
    assert!(rest(&mut scene.dial()).is_err());
}

#[test]
fn a_black_hole_and_a_slammed_door() {
    let scene = Scene::new();
    scene.front.set_door(Door::BlackHole).unwrap();
    let mut client = scene.dial();
    client.write_all(&[0; 1 << 20]).unwrap();
    assert!(is_silent(&mut client));
    scene.front.set_door(Door::Slammed(Cut::Fin)).unwrap();
    assert_eq!(rest(&mut scene.dial()), Ok(Vec::new()));
    scene.front.set_door(Door::Slammed(Cut::Reset)).unwrap();
    // It may be reset before this side knows that it is connected.
    if let Ok(client) = TcpStream::connect((Ipv4Addr::LOCALHOST, scene.front.port())) {
        assert_eq!(rest(&mut patient(client)), Err(ErrorKind::ConnectionReset));
    }
}

#[test]
fn a_doubled_connection_is_answered_once() {
    let scene = Scene::new();
    scene.front.set_door(Door::Doubled).unwrap();
    let mut client = scene.dial();
    let mut servers = [scene.accept(), scene.accept()];
    client.write_all(b"twice\n").unwrap();
    for server in &mut servers {
        assert_eq!(read(server, 6), b"twice\n");
        server.write_all(b"once").unwrap();
        server.shutdown(Shutdown::Write).unwrap();
    }
    assert_eq!(rest(&mut client).unwrap(), b"once");
    assert_eq!(scene.front.done().doubled, 1);
}

#[test]
fn rules_for_websockets_mean_no_other_connection() {
    let scene = Scene::new();
    let cut = until(Place::Byte(10), Cut::Fin);
    scene.front.set(Which::WebSockets, Direction::Up, cut);
    let (mut polling, mut at_server) = scene.pair("GET /socket.io/?transport=polling HTTP/1.1\n");
    for line in [
        "GET /socket.io/?transport=websocket&sid=x HTTP/1.1\n",
        "GET /socket.io/1/websocket/123 HTTP/1.1\n",
    ] {
        let (mut client, mut server) = (scene.dial(), scene.accept());
        let (begin, rest_of_line) = line.split_at(20);
        client.write_all(begin.as_bytes()).unwrap();
        // It may be over already when the rest comes.
        drop(client.write_all(rest_of_line.as_bytes()));
        assert_eq!(rest(&mut server).unwrap(), b"GET /socke");
    }
    at_server.write_all(b"alive").unwrap();
    assert_eq!(read(&mut polling, 5), b"alive");
}

#[test]
fn all_connections_end_with_the_front() {
    let scene = Scene::new();
    let (mut client, mut server) = scene.pair("GET /\n");
    scene.front.cut(Cut::Reset);
    assert_eq!(rest(&mut client), Err(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut server), Err(ErrorKind::ConnectionReset));
    let (mut client, mut server) = scene.pair("GET /\n");
    let Scene {
        front,
        listener: _listener,
    } = scene;
    drop(front);
    assert_eq!(rest(&mut client), Ok(Vec::new()));
    assert_eq!(rest(&mut server), Ok(Vec::new()));
}
