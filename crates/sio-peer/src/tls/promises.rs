//! What TLS promises, on every transport, with every library that the build has; the same in both protocols.

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::process;
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use sio_core::session::Session;
use sio_core::{Error, Result, Status};
use sio_net::{Backend, Client, ClientBuilder, Proxy, Roots, Tls};

use super::certificates::{
    Authority, Issued, Server, as_openssl_does, expired, not_yet_valid, self_signed,
};
use super::{Oddity, TlsPeer, TlsStream};
use crate::client::watched;
use crate::lifecycle::eager;
use crate::peer::Peer;
use crate::wait::{PATIENCE, assert_says, error_of, eventually, takes};

const NAME: &str = "localhost";

/// Longer than anything takes that is refused at once.
const SOON: Duration = Duration::from_secs(5);

/// A transport's name, and a builder for it.
pub type Way<P> = (&'static str, ClientBuilder<P>);

/// How a protocol goes over TLS.
#[derive(Debug)]
pub struct Kit<P: Session> {
    /// Speaks just enough of the protocol as its server.
    pub serve: fn(TlsStream),
    /// Each transport.
    pub transports: fn(&str) -> Vec<Way<P>>,
    /// Connects with the transport of this name, and lets something go over it.
    pub connect: fn(&str, ClientBuilder<P>) -> Result<Client<P>>,
}

impl<P: Session> Kit<P> {
    /// The libraries in this build.
    #[must_use]
    pub fn backends(&self) -> Vec<Backend> {
        let all = [Backend::Rustls, Backend::NativeTls];
        let is_there = |backend: &Backend| {
            let tls = Tls::new().backend(*backend);
            Client::<P>::builder("https://localhost")
                .tls(tls)
                .build()
                .is_ok()
        };
        let found: Vec<_> = all.into_iter().filter(is_there).collect();
        assert!(!found.is_empty(), "a build with TLS");
        found
    }

    fn ways(&self, url: &str, tls: &Tls) -> Vec<(String, ClientBuilder<P>)> {
        let mut ways = Vec::new();
        for backend in self.backends() {
            for (name, builder) in (self.transports)(url) {
                let tls = tls.clone().backend(backend);
                let builder = builder
                    .tls(tls)
                    .proxy(Proxy::off())
                    .close_timeout(Duration::from_millis(100))
                    .connect_timeout(PATIENCE);
                ways.push((format!("{name}, {backend:?}"), builder));
            }
        }
        ways
    }

    /// It works on every transport.
    #[track_caller]
    fn works(&self, what: &str, url: &str, tls: &Tls) {
        for (name, builder) in self.ways(url, tls) {
            let transport = name.split(',').next().unwrap_or_default();
            let client = (self.connect)(transport, builder)
                .unwrap_or_else(|error| panic!("{what}, {name}: {}", error.chain()));
            client.close().unwrap();
        }
    }

    /// It fails on every transport, at once, and the error says this.
    #[track_caller]
    fn fails(&self, what: &str, url: &str, tls: &Tls, says: &[&str]) {
        for (name, builder) in self.ways(url, tls) {
            let what = format!("{what}, {name}");
            let connecting = || builder.connect();
            let error = error_of(&what, takes(Duration::ZERO, SOON, connecting));
            assert!(
                matches!(error, Error::Transport { .. }),
                "{what}: {error:?}"
            );
            assert_says(&format!("{what}: {}", error.chain()), says);
        }
    }

    fn peer(&self, server: &Server) -> TlsPeer {
        TlsPeer::new(server, self.serve)
    }

    /// A certificate that is added is trusted, however it is added.
    pub fn an_added_authority_is_trusted(&self) {
        let (authority, other) = (Authority::new("ours"), Authority::new("another"));
        let peer = self.peer(&Server::new(&authority.issue(&[NAME])));
        let file = env::temp_dir().join(format!("sio-it-authority-{}.pem", process::id()));
        // Several in one file, and text between them, as files of authorities are.
        let text = format!("another\n{}\nours\n{}", other.pem(), authority.pem());
        fs::write(&file, text).unwrap();
        let from_file = Tls::new().add_ca_file(&file);
        fs::remove_file(&file).unwrap();
        for roots in [Roots::Platform, Roots::None] {
            let tls = Tls::new().roots(roots).add_ca_pem(authority.pem());
            self.works("from memory", &peer.url(), &tls);
            self.works("from a file", &peer.url(), &from_file.clone().roots(roots));
            let tls = Tls::new().roots(roots).add_ca_pem(other.pem());
            let says = [
                "the TLS handshake with localhost",
                "unknown issuer",
                "Tls::add_ca_file",
            ];
            self.fails("another", &peer.url(), &tls, &says);
        }
        let says = [
            "the TLS handshake with localhost",
            "unknown issuer",
            "Tls::add_ca_file",
        ];
        self.fails("nothing added", &peer.url(), &Tls::new(), &says);
    }

    /// A server that has signed its certificate itself is trusted if that is added, and within its bounds.
    pub fn a_self_signed_server_is_trusted_if_it_is_added(&self) {
        let openssl = as_openssl_does;
        for (what, certificate, roots) in [
            ("plain", self_signed(&[NAME], |_| ()), Roots::None),
            (
                "an authority",
                self_signed(&[NAME], openssl("hub")),
                Roots::Platform,
            ),
            (
                "an authority alone",
                self_signed(&[NAME], openssl("hub")),
                Roots::None,
            ),
            (
                "a common name only",
                self_signed(&[], openssl(NAME)),
                Roots::None,
            ),
        ] {
            let peer = self.peer(&Server::new(&certificate));
            let tls = Tls::new().roots(roots).add_ca_pem(&certificate.pem);
            self.works(what, &peer.url(), &tls);
            let says = ["the TLS handshake with localhost", "unknown issuer"];
            let other = Authority::new("another");
            self.fails(what, &peer.url(), &tls_of(&other), &says);
        }
        let over = self_signed(&[NAME], |params| {
            openssl("hub")(params);
            expired(params);
        });
        let peer = self.peer(&Server::new(&over));
        let tls = Tls::new().roots(Roots::None).add_ca_pem(&over.pem);
        self.fails("expired", &peer.url(), &tls, &["has expired"]);
        for other in [
            self_signed(&["hub.example"], openssl("hub")),
            self_signed(&[], openssl("hub.example")),
        ] {
            let peer = self.peer(&Server::new(&other));
            let tls = Tls::new().roots(Roots::None).add_ca_pem(&other.pem);
            for (name, builder) in self.ways(&peer.url(), &tls) {
                let chain = error_of(&name, builder.connect()).chain();
                let of_rustls = chain.contains("names no host");
                assert!(
                    of_rustls || chain.contains("not valid for \"localhost\""),
                    "{chain}"
                );
            }
            let tls = tls.server_name("hub.example");
            self.works("by its own name", &peer.url(), &tls);
        }
    }

    /// A certificate out of its time is refused with that cause.
    pub fn dates_count(&self) {
        let authority = Authority::new("ours");
        let tls = tls_of(&authority);
        let over = self.peer(&Server::new(&authority.issue_with(&[NAME], expired)));
        self.fails("expired", &over.url(), &tls, &["has expired"]);
        let early = self.peer(&Server::new(&authority.issue_with(&[NAME], not_yet_valid)));
        self.fails("early", &early.url(), &tls, &["not valid yet", "clock"]);
    }

    /// The server has to have the URL's name, or the one that is given.
    pub fn names_count(&self) {
        let authority = Authority::new("ours");
        let tls = tls_of(&authority);
        let peer = self.peer(&Server::new(&authority.issue(&["hub.example"])));
        for url in [peer.url(), peer.url_by_address()] {
            let says = ["not valid for", "Tls::server_name"];
            self.fails("another name", &url, &tls, &says);
            let tls = tls.clone().server_name("hub.example");
            self.works("the name given", &url, &tls);
        }
        let peer = self.peer(&Server::new(&authority.issue(&["127.0.0.1"])));
        self.works("an address", &peer.url_by_address(), &tls);
        self.fails(
            "by name",
            &peer.url(),
            &tls,
            &["not valid for \"localhost\""],
        );
    }

    /// The server is told the name that is asked for, unless that is an address or not wanted.
    pub fn the_server_is_told_the_name(&self) {
        let authority = Authority::new("ours");
        let server = Server::new(&authority.issue(&[NAME, "hub.example", "127.0.0.1"]));
        let (sender, told) = mpsc::channel();
        let (sender, serve) = (Mutex::new(sender), self.serve);
        let peer = TlsPeer::new(&server, move |mut stream| {
            // What is wrong with the handshake, the client tells.
            let _ = stream.conn.complete_io(&mut stream.sock);
            let name = stream.conn.server_name().map(str::to_owned);
            sender.lock().unwrap().send(name).unwrap();
            serve(stream);
        });
        let tls = tls_of(&authority);
        for (url, tls, expected) in [
            (peer.url(), tls.clone(), Some(NAME)),
            (
                peer.url(),
                tls.clone().server_name("hub.example"),
                Some("hub.example"),
            ),
            (
                peer.url_by_address(),
                tls.clone().server_name("hub.example"),
                Some("hub.example"),
            ),
            (peer.url_by_address(), tls.clone(), None),
            (peer.url(), tls.sni(false), None),
        ] {
            self.works("a name", &url, &tls);
            let names: Vec<_> = told.try_iter().collect();
            assert!(!names.is_empty());
            assert!(
                names.iter().all(|name| name.as_deref() == expected),
                "{expected:?}: {names:?}"
            );
        }
    }

    /// Without verification everything is taken.
    pub fn without_verification_everything_is_taken(&self) {
        let authority = Authority::new("ours");
        for certificate in [
            self_signed(&["hub.example"], expired),
            authority.issue_with(&[NAME], not_yet_valid),
        ] {
            let peer = self.peer(&Server::new(&certificate));
            for roots in [Roots::Platform, Roots::None] {
                let tls = Tls::new().roots(roots).danger_accept_any_certificate();
                self.works("anything", &peer.url(), &tls);
            }
        }
    }

    /// A server that requires a certificate gets ours; and one that gets none, or another, has its reason told: also where it
    /// says so only after the handshake.
    pub fn a_client_certificate_is_shown(&self) {
        let (authority, other) = (Authority::new("ours"), Authority::new("another"));
        let (ours, unknown) = (authority.issue(&["me"]), other.issue(&["me"]));
        let showing = |issued: &Issued| {
            tls_of(&authority).client_certificate_pem(&issued.pem, &issued.key_pem)
        };
        for version in [&TLS12, &TLS13] {
            let server = Server::new(&authority.issue(&[NAME]));
            let server = server.requiring(&authority).version(version);
            let peer = self.peer(&server);
            let what = format!("{:?}", version.version);
            self.works(&what, &peer.url(), &showing(&ours));
            let says = [
                "requires a client certificate",
                "Tls::client_certificate_files",
            ];
            self.fails(&what, &peer.url(), &tls_of(&authority), &says);
            let says = ["does not accept the client certificate"];
            self.fails(&what, &peer.url(), &showing(&unknown), &says);
        }
        // One file may hold both.
        let peer = self.peer(&Server::new(&authority.issue(&[NAME])).requiring(&authority));
        let both = format!("{}{}", ours.key_pem, ours.pem);
        let tls = tls_of(&authority).client_certificate_pem(&both, &both);
        self.works("both in one file", &peer.url(), &tls);
    }

    /// A certificate and the key of another are refused before anything is sent.
    pub fn a_key_has_to_belong_to_its_certificate(&self) {
        let authority = Authority::new("ours");
        let (one, other) = (authority.issue(&["one"]), authority.issue(&["other"]));
        let tls = Tls::new().client_certificate_pem(&one.pem, &other.key_pem);
        for (name, builder) in self.ways("https://localhost", &tls) {
            let error = error_of(&name, builder.build());
            assert!(matches!(error, Error::Usage(_)), "{name}: {error:?}");
            assert_says(
                &error.chain(),
                &["Tls::client_certificate", "do not belong together"],
            );
        }
    }

    /// A server that closes instead of saying what it misses, as Node's do, is suspected of that.
    pub fn a_server_that_closes_silently_is_suspected_of_missing_a_certificate(&self) {
        let authority = Authority::new("ours");
        let ours = authority.issue(&["me"]);
        let showing = tls_of(&authority).client_certificate_pem(&ours.pem, &ours.key_pem);
        for version in [&TLS12, &TLS13] {
            let server = Server::new(&authority.issue(&[NAME]));
            let server = server.asking().version(version);
            let peer = TlsPeer::new(&server, |mut stream| {
                let _ = stream.conn.complete_io(&mut stream.sock);
                let _ = stream.sock.socket.shutdown(Shutdown::Both);
            });
            self.fails(
                "none shown",
                &peer.url(),
                &tls_of(&authority),
                &["client certificate"],
            );
            self.fails("one shown", &peer.url(), &showing, &["client certificate"]);
            // Only rustls tells what the server asked for.
            if !self.backends().contains(&Backend::Rustls) {
                continue;
            }
            for (tls, says) in [
                (tls_of(&authority), "it asked for one, and closed"),
                (
                    showing.clone(),
                    "it closed the connection when it had seen it",
                ),
            ] {
                for (name, builder) in (self.transports)(&peer.url()) {
                    let tls = tls.clone().backend(Backend::Rustls);
                    let error = error_of(name, builder.tls(tls).connect());
                    assert_says(&error.chain(), &[says]);
                }
            }
        }
    }

    /// A handshake that comes byte by byte is one like any other.
    pub fn a_handshake_may_trickle(&self) {
        let authority = Authority::new("ours");
        for version in [&TLS12, &TLS13] {
            let server = Server::new(&authority.issue(&[NAME])).version(version);
            let peer = TlsPeer::with(&server, Oddity::Trickle, self.serve);
            self.works("byte by byte", &peer.url(), &tls_of(&authority));
        }
    }

    /// Wherever in the handshake the peer closes, that is an error at once.
    pub fn a_peer_may_close_in_the_handshake(&self) {
        let authority = Authority::new("ours");
        for version in [&TLS12, &TLS13] {
            let server = Server::new(&authority.issue(&[NAME])).version(version);
            for end in [1, 5, 60, 200] {
                let peer = TlsPeer::with(&server, Oddity::EndsAfter(end), self.serve);
                let says = [
                    "the TLS handshake with localhost",
                    "closed during the TLS handshake",
                ];
                self.fails(
                    &format!("after {end}"),
                    &peer.url(),
                    &tls_of(&authority),
                    &says,
                );
            }
        }
    }

    /// A server without TLS is found out.
    pub fn a_server_without_tls_is_found_out(&self) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let ways = self.ways(&url, &Tls::new()).len();
        let server = thread::spawn(move || {
            for _ in 0..ways {
                let (mut peer, _) = listener.accept().unwrap();
                let mut greeting = [0; 64];
                let _ = peer.read(&mut greeting).unwrap();
                let answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";
                peer.write_all(answer).unwrap();
                // Until the client goes: unread bytes would make the end a reset.
                let _ = peer.shutdown(Shutdown::Write);
                while peer.read(&mut greeting).is_ok_and(|count| count > 0) {}
            }
        });
        self.fails(
            "plain http",
            &url,
            &Tls::new(),
            &["does not speak TLS", "plain http"],
        );
        server.join().unwrap();
    }

    /// A peer that never answers the greeting is given up at the connect timeout.
    pub fn a_silent_peer_is_given_up_in_time(&self) {
        let mut plain = Peer::new();
        let url = format!("https://localhost:{}", plain.port());
        for (name, builder) in self.ways(&url, &Tls::new()) {
            let builder = builder.connect_timeout(Duration::from_millis(300));
            assert!(error_of(&name, builder.connect()).is_timeout());
        }
        // It has read the greetings as a request that never ends.
        plain.hears_nothing(Duration::from_millis(10));
    }

    /// A connection that is made again keeps authorities, certificate and name.
    pub fn all_of_it_holds_after_a_loss(&self) {
        let authority = Authority::new("ours");
        let ours = authority.issue(&["me"]);
        let server = Server::new(&authority.issue(&["hub.example"])).requiring(&authority);
        let tls = tls_of(&authority)
            .server_name("hub.example")
            .client_certificate_pem(&ours.pem, &ours.key_pem);
        let peer = self.peer(&server);
        for (name, builder) in self.ways(&peer.url_by_address(), &tls) {
            let (builder, told) = watched(builder.reconnect(eager()));
            let client = builder.connect().unwrap();
            for _ in 0..2 {
                let again = |status| matches!(status, Status::Connected { again: true });
                eventually(&format!("{name}: a connection again"), PATIENCE, || {
                    // Between two polls there is nothing to lose.
                    if client.is_connected() {
                        peer.cut();
                    }
                    told.statuses.try_iter().any(again)
                });
            }
            client.close().unwrap();
        }
    }
}

/// Trusts this authority and no other.
fn tls_of(authority: &Authority) -> Tls {
    Tls::new().roots(Roots::None).add_ca_pem(authority.pem())
}

/// A test of each promise, with the protocol's [`Kit`](crate::tls::promises::Kit).
#[macro_export]
macro_rules! tls_promises {
    ($kit:expr) => {
        $crate::tls_promises! { $kit;
            a_client_certificate_is_shown
            a_handshake_may_trickle
            a_key_has_to_belong_to_its_certificate
            a_peer_may_close_in_the_handshake
            a_self_signed_server_is_trusted_if_it_is_added
            a_server_that_closes_silently_is_suspected_of_missing_a_certificate
            a_server_without_tls_is_found_out
            a_silent_peer_is_given_up_in_time
            all_of_it_holds_after_a_loss
            an_added_authority_is_trusted
            dates_count
            names_count
            the_server_is_told_the_name
            without_verification_everything_is_taken
        }
    };
    ($kit:expr; $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() {
                $kit.$promise();
            }
        )*
    };
}
