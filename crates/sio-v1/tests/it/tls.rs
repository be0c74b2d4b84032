//! TLS with a certificate of an authority of our own: refused with its cause while nobody trusts it, and working on
//! every transport where the system does.

use std::env;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sio_v1::{Client, ClientBuilder, Error, Roots, Transport};
use tungstenite::Message;

use crate::alone::alone_with;
use crate::scene::{switching_for, watched};
use crate::wait::{PATIENCE, assert_says, background, error_of, takes};
use crate::wire::{open, text_body};

/// An authority and a server's certificate for `localhost`, both made for this run.
struct Identity {
    authority: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self {
            authority: authority.pem(),
            config: Arc::new(config),
        }
    }
}

type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// A server that speaks just enough of the protocol: it accepts every session, holds polls, and echoes messages.
struct TlsPeer {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl TlsPeer {
    fn new(identity: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, streams) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (stopped, kept) = (Arc::clone(&stopping), Arc::clone(&streams));
        let config = Arc::clone(&identity.config);
        let acceptor = thread::spawn(move || accept(&listener, &stopped, &kept, &config));
        Self {
            address,
            stopping,
            streams,
            acceptor: Some(acceptor),
        }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}", self.address.port())
    }
}

impl Drop for TlsPeer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        let _ = TcpStream::connect(self.address);
        for stream in self.streams.lock().unwrap().iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().unwrap();
        }
    }
}

fn accept(
    listener: &TcpListener,
    stopping: &AtomicBool,
    streams: &Mutex<Vec<TcpStream>>,
    config: &Arc<ServerConfig>,
) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        let Ok(stream) = stream else { break };
        if stopping.load(Ordering::Acquire) {
            break;
        }
        streams.lock().unwrap().push(stream.try_clone().unwrap());
        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
        threads.push(thread::spawn(move || {
            serve(StreamOwned::new(connection, stream));
        }));
    }
    for stream in streams.lock().unwrap().iter() {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Serves one connection until it ends.
fn serve(mut stream: TlsStream) {
    while let Some(head) = read_head(&mut stream) {
        let upgrading = head.contains("&sid=");
        if let Some(key) = header(&head, "sec-websocket-key") {
            return serve_websocket(stream, key, upgrading);
        }
        let answer = match (head.starts_with("POST"), upgrading) {
            (true, _) => {
                let length = header(&head, "content-length").expect("a length");
                let mut body = vec![0; length.parse().unwrap()];
                if stream.read_exact(&mut body).is_err() {
                    return;
                }
                b"ok".to_vec()
            }
            (false, false) => text_body(&[&open(&["websocket"], 25_000, 20_000), "40"]),
            (false, true) => {
                // Soon enough for an upgrade that waits, and not so soon that polls follow each other at once.
                thread::park_timeout(Duration::from_millis(100));
                text_body(&["6"])
            }
        };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        if stream
            .write_all(&[head.as_bytes(), &answer].concat())
            .is_err()
        {
            return;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

fn read_head(stream: &mut TlsStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
    String::from_utf8(head).ok()
}

fn serve_websocket(mut stream: TlsStream, key: &str, upgrading: bool) {
    let head = switching_for(key);
    if stream.write_all(head.as_bytes()).is_err() {
        return;
    }
    let role = tungstenite::protocol::Role::Server;
    let mut socket = tungstenite::WebSocket::from_raw_socket(stream, role, None);
    if !upgrading {
        let _ = socket.send(Message::text(open(&[], 25_000, 20_000)));
        let _ = socket.send(Message::text("40"));
    }
    // Reads the next message only when the answer was taken.
    while let Ok(message) = socket.read() {
        let answer = match &message {
            Message::Text(text) if **text == *"2probe" => Message::text("3probe"),
            Message::Text(text) if text.starts_with("42") => message,
            _ => continue,
        };
        if socket.send(answer).is_err() {
            return;
        }
    }
}

fn builders(url: &str) -> [(&'static str, ClientBuilder); 3] {
    [
        (
            "polling",
            Client::builder(url).transports([Transport::Polling]),
        ),
        (
            "websocket",
            Client::builder(url).transports([Transport::WebSocket]),
        ),
        ("upgrade", Client::builder(url)),
    ]
}

#[test]
fn an_unknown_authority_is_refused_with_that_cause() {
    let identity = Identity::new();
    let peer = TlsPeer::new(&identity);
    for roots in [Roots::Platform, Roots::WebPki] {
        for (name, builder) in builders(&peer.url()) {
            let connecting = || builder.roots(roots).connect_timeout(PATIENCE).connect();
            let result = takes(Duration::ZERO, Duration::from_secs(5), connecting);
            let error = error_of(name, result);
            assert!(
                matches!(error, Error::Transport { .. }),
                "{name}: {error:?}"
            );
            assert_says(
                &error.chain(),
                &["the TLS handshake with localhost", "UnknownIssuer"],
            );
        }
    }
}

#[test]
fn a_peer_that_does_not_answer_the_tls_greeting_is_given_up_at_the_connect_timeout() {
    let mut plain = crate::peer::Peer::new();
    let url = format!("https://localhost:{}", plain.port());
    for (name, builder) in builders(&url) {
        // The peer reads the greeting as a request that never ends: the deadline decides.
        let result = builder
            .connect_timeout(Duration::from_millis(300))
            .connect();
        assert!(error_of(name, result).is_timeout());
    }
    plain.hears_nothing(Duration::from_millis(10));
}

#[test]
fn a_tls_server_spoken_to_in_plain_text_is_an_error_at_once() {
    let identity = Identity::new();
    let peer = TlsPeer::new(&identity);
    let url = format!("http://localhost:{}", peer.address.port());
    for (name, builder) in builders(&url) {
        let result = takes(Duration::ZERO, Duration::from_secs(5), || builder.connect());
        let error = error_of(name, result);
        assert!(!error.is_timeout(), "{name}: {error:?}");
    }
}

/// Runs `body` in a process whose system trusts an authority of our own. The authority is made by that process, into
/// the file that its environment names.
fn trusting(name: &str, body: impl FnOnce(&TlsPeer)) {
    let file_name = format!(
        "sio-it-{}-{}.pem",
        name.replace("::", "-"),
        std::process::id()
    );
    let path = TemporaryFile(env::temp_dir().join(file_name));
    alone_with(name, &[("SSL_CERT_FILE", path.0.as_os_str())], || {
        let identity = Identity::new();
        let file = env::var_os("SSL_CERT_FILE").expect("set by the parent");
        fs::write(&file, &identity.authority).unwrap();
        let peer = TlsPeer::new(&identity);
        body(&peer);
    });
}

/// Removed in the end.
struct TemporaryFile(PathBuf);

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // The child has made it, if it came so far; in the child itself the name is another one.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn an_authority_the_system_trusts_works_on_every_transport() {
    trusting(
        "tls::an_authority_the_system_trusts_works_on_every_transport",
        |peer| {
            for (name, builder) in builders(&peer.url()) {
                let (builder, told) = watched(builder);
                let client = builder
                    .connect()
                    .unwrap_or_else(|error| panic!("{name}: {}", error.chain()));
                client.emit("x", "y").unwrap();
                if name == "upgrade" {
                    told.upgraded();
                    assert_eq!(client.transport(), Some(Transport::WebSocket));
                }
                client.close().unwrap();
            }
        },
    );
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    trusting("tls::a_certificate_for_another_name_is_refused", |peer| {
        let url = format!("https://127.0.0.1:{}", peer.address.port());
        for (name, builder) in builders(&url) {
            let error = error_of(name, builder.connect());
            assert_says(
                &error.chain(),
                &["the TLS handshake with 127.0.0.1", "not valid for name"],
            );
        }
    });
}

#[test]
fn both_sides_at_full_speed_over_tls_do_not_block_each_other() {
    trusting(
        "tls::both_sides_at_full_speed_over_tls_do_not_block_each_other",
        |peer| {
            const COUNT: usize = 500;
            let builder = Client::builder(&peer.url())
                .transports([Transport::WebSocket])
                .send_buffer(64 << 20);
            let (builder, mut told) = watched(builder);
            let client = builder.connect().unwrap();
            let emitter = client.clone();
            let emitting = background("emitting", move || {
                let filler = "x".repeat(100_000);
                for n in 0..COUNT {
                    emitter.emit("echo", (n, &filler)).unwrap();
                }
            });
            for n in 0..COUNT {
                let event = told.events.recv_timeout(PATIENCE).expect("an echo");
                assert_eq!(event.decode::<(usize,)>().unwrap(), (n,));
            }
            emitting.join();
            client.close().unwrap();
        },
    );
}
