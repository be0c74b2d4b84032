//! A server's side of TLS, with a certificate of an authority of our own.

use std::env;
use std::fs;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::alone::alone_with;

/// An authority and a server's certificate for `localhost`, both made for this run.
#[derive(Debug)]
pub struct Identity {
    authority: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// Makes them.
    #[must_use]
    pub fn new() -> Self {
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

/// What such a peer reads and writes.
pub type TlsStream = StreamOwned<ServerConnection, TcpStream>;

/// A server that gives each connection to a function, on a thread of its own.
#[derive(Debug)]
pub struct TlsPeer {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    acceptor: Option<JoinHandle<()>>,
}

impl TlsPeer {
    /// A server on loopback with this identity.
    #[must_use]
    pub fn new(identity: &Identity, serve: fn(TlsStream)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stopping, streams) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (stopped, kept) = (Arc::clone(&stopping), Arc::clone(&streams));
        let config = Arc::clone(&identity.config);
        let acceptor = thread::spawn(move || accept(&listener, &stopped, &kept, &config, serve));
        Self {
            address,
            stopping,
            streams,
            acceptor: Some(acceptor),
        }
    }

    /// Its URL by the name that its certificate is for.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port())
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
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
    serve: fn(TlsStream),
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

/// A header's value in the head of a request.
#[must_use]
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    headers.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
}

/// The head of the next request; `None` at the end.
pub fn read_head(stream: &mut TlsStream) -> Option<String> {
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

/// Runs `body` in a process whose system trusts an authority of our own. The authority is made by that process, into
/// the file that its environment names.
pub fn trusting(name: &str, serve: fn(TlsStream), body: impl FnOnce(&TlsPeer)) {
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
        let peer = TlsPeer::new(&identity, serve);
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
