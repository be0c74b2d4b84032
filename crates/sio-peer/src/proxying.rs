//! Clients behind proxies: what goes which way, and what is told when a proxy does not play along; the same in both
//! protocols.

use std::env;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use sio_core::session::Session;
use sio_core::{Reconnect, Result, Status, Transport};
use sio_net::{Client, ClientBuilder, Proxy};

use crate::alone::{alone_with, leaves_nothing};
use crate::client::{closing_at_once, watched, websocket_only};
use crate::host::Host;
use crate::lifecycle::eager;
use crate::peer::Peer;
use crate::proxy::{BASIC, Kind, Manner, PASSWORD, Proxy as ProxyPeer, Then, USER};
use crate::wait::{PATIENCE, all_at_once, assert_says, background, error_of, takes};
use crate::words::Words;

/// Each way through a proxy: what it speaks, and the scheme of its URL.
pub const WAYS: [(Kind, &str); 3] = [
    (Kind::Http, "http"),
    (Kind::Socks, "socks5"),
    (Kind::Socks, "socks5h"),
];

/// A name that only the scripted proxy knows.
pub const NAME: &str = "server.example";

/// A port of this machine where nobody listens.
#[must_use]
pub fn closed_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A proxy that wants a password, and a builder's way through it.
pub fn behind<P: Session>(
    kind: Kind,
    scheme: &str,
) -> (
    ProxyPeer,
    impl FnOnce(ClientBuilder<P>) -> ClientBuilder<P> + use<P>,
) {
    let proxy = ProxyPeer::with_password(kind);
    let url = proxy.url_with_password(scheme);
    (proxy, move |builder| builder.proxy(Proxy::to(&url)))
}

/// Asserts that a proxy, by whose URL's scheme names are looked up there, was asked for tunnels to this server alone.
#[track_caller]
pub fn leads_only_to(proxy: &ProxyPeer, scheme: &str, authority: &str) {
    let asked = proxy.asked();
    let word = if scheme == "http" { "CONNECT" } else { "SOCKS" };
    let tunnel = format!("{word} {authority}");
    assert!(
        asked.iter().all(|asked| asked.what == tunnel),
        "{asked:?} instead of {tunnel}"
    );
    assert!(!asked.is_empty(), "nothing came to the proxy");
}

/// A client of this host by some name, with everything that is meant for the server alone.
fn builder_by<W: Words>(host: &Host<W>, name: &str) -> ClientBuilder<W::Protocol> {
    let url = host.url().replace("127.0.0.1", name);
    websocket_only(Client::builder(&url))
        .reconnect(eager())
        .header("X-Key", "for the server")
        .cookie("sid", "1")
        .basic_auth("somebody", "else")
}

/// HTTP and SOCKS5, with a password and without, to a name and to an address: the proxy is told what it has to know, and
/// the server what it has to.
pub fn every_way_leads_to_the_server<W: Words>() {
    for (kind, scheme) in WAYS {
        for name in ["127.0.0.1", "localhost", NAME] {
            if scheme == "socks5" && name == NAME {
                continue; // looked up here, where nobody knows it
            }
            for has_password in [false, true] {
                leads_to_the_server::<W>(kind, scheme, name, has_password);
            }
        }
    }
}

fn leads_to_the_server<W: Words>(kind: Kind, scheme: &str, name: &str, has_password: bool) {
    let host = Host::<W>::new();
    let (proxy, url) = if has_password {
        let proxy = ProxyPeer::with_password(kind);
        let url = proxy.url_with_password(scheme);
        (proxy, url)
    } else {
        let proxy = ProxyPeer::new(kind);
        let url = proxy.url(scheme);
        (proxy, url)
    };
    let client = builder_by(&host, name).proxy(Proxy::to(&url)).connect();
    let client = client.unwrap_or_else(|error| panic!("{url} to {name}: {}", error.chain()));
    client.emit("x", ()).unwrap();
    assert_eq!(host.packets(0, 1), [W::event("/", "x")]);
    let authority = host.url().replace("http://127.0.0.1", name);
    for asked in proxy.asked() {
        if kind == Kind::Http {
            assert_eq!(asked.header("host"), Some(&*authority), "{asked:?}");
            let password = has_password.then_some(BASIC);
            assert_eq!(asked.header("proxy-authorization"), password, "{asked:?}");
        }
        if let Some(destination) = asked.what.strip_prefix("CONNECT ") {
            assert_eq!(destination, authority);
            let known = ["host", "user-agent", "proxy-authorization"];
            let more = asked.headers.iter();
            let more: Vec<_> = more.filter(|(name, _)| !known.contains(&&**name)).collect();
            assert!(more.is_empty(), "a proxy was told {more:?}");
        }
        if let Some(destination) = asked.what.strip_prefix("SOCKS ") {
            match scheme {
                "socks5h" => assert_eq!(destination, authority),
                _ => assert!(!destination.starts_with('l'), "{destination} is a name"),
            }
            let password = has_password.then(|| format!("{USER}:{PASSWORD}"));
            assert_eq!(asked.password, password);
        }
    }
    let last = proxy.asked().pop().expect("a tunnel");
    assert!(
        last.what.starts_with("CONNECT ") || last.what.starts_with("SOCKS "),
        "the WebSocket came by {last:?}"
    );
    host.when(0, "the session", |hosted| {
        for (target, headers) in &hosted.requests {
            let header = |name: &str| {
                let found = headers.iter().find(|(other, _)| other == name);
                found.map(|(_, value)| &**value)
            };
            assert!(target.starts_with('/'), "{target}");
            assert_eq!(header("host"), Some(&*authority), "of {target}");
            assert_eq!(header("x-key"), Some("for the server"), "of {target}");
            assert_eq!(header("cookie"), Some("sid=1"), "of {target}");
            assert_eq!(header("authorization"), Some("Basic c29tZWJvZHk6ZWxzZQ=="));
            assert_eq!(header("proxy-authorization"), None, "of {target}");
        }
        Some(())
    });
    client.close().unwrap();
}

/// A tunnel that breaks is a loss like any other: the next attempt goes through the proxy, too.
pub fn a_reconnect_goes_through_the_proxy_again<W: Words>() {
    for (kind, scheme) in WAYS {
        let host = Host::<W>::new();
        let proxy = ProxyPeer::new(kind);
        let builder = builder_by(&host, "127.0.0.1").proxy(Proxy::to(&proxy.url(scheme)));
        let (builder, told) = watched(builder);
        let client = builder.connect().unwrap();
        let before = proxy.asked().len();
        proxy.cut();
        while !matches!(told.status(), Status::Reconnected { .. }) {}
        let asked = proxy.asked();
        assert_eq!(asked.len(), 2 * before, "{asked:?}");
        client.emit("x", ()).unwrap();
        host.packets(1, 1);
        client.close().unwrap();
    }
}

/// The hook leads from a server behind the proxy to one that is an exception, and back.
pub fn a_hook_that_leads_elsewhere_chooses_the_way_anew<W: Words>() {
    let (behind, beside) = (Host::<W>::new(), Host::<W>::new());
    let proxy = ProxyPeer::new(Kind::Http);
    let urls = [behind.url().replace("127.0.0.1", NAME), beside.url()];
    let rules = Proxy::to(&proxy.url("http")).except("127.0.0.1");
    let builder = builder_by(&behind, NAME).proxy(rules);
    let (builder, told) = watched(builder.before_attempt({
        let mut attempts = 0;
        move |attempt| {
            attempts += 1;
            Ok(attempt.set_url(&urls[(attempts - 1) % 2])?)
        }
    }));
    let is_back = || while !matches!(told.status(), Status::Reconnected { .. }) {};
    let client = builder.connect().unwrap();
    let of_one = proxy.asked().len();
    behind.cut(0);
    is_back();
    assert_eq!(beside.sessions(), 1);
    assert_eq!(proxy.asked().len(), of_one, "the direct way was asked for");
    beside.cut(0);
    is_back();
    assert_eq!(behind.sessions(), 2);
    assert_eq!(proxy.asked().len(), 2 * of_one);
    client.close().unwrap();
}

/// The environment's proxy, which is dead, counts for both transports alike, but not for its exceptions, nor for a client
/// that is told otherwise. `name` is that of the test.
pub fn the_environment_counts_for_both_transports_alike<W: Words>(name: &str) {
    let dead = || format!("http://{USER}:{PASSWORD}@127.0.0.1:{}", closed_port());
    let (http, https) = (dead(), dead());
    let variables = [
        ("http_proxy", http.as_ref()),
        ("https_proxy", https.as_ref()),
        ("no_proxy", "other.example, 127.0.0.1".as_ref()),
    ];
    alone_with(name, &variables, || {
        let host = Host::<W>::new();
        let connect = |name: &str, proxy: Option<Proxy>| -> Result<_> {
            let mut builder = builder_by(&host, name);
            if let Some(proxy) = proxy {
                builder = builder.proxy(proxy);
            }
            builder.connect()?.close()
        };
        connect("127.0.0.1", None).expect("the direct way to an exception");
        connect("localhost", Some(Proxy::off())).expect("the direct way without proxies");
        let except = Proxy::from_env().except("localhost");
        connect("localhost", Some(except)).expect("the direct way to another exception");
        let live = ProxyPeer::new(Kind::Socks);
        connect(NAME, Some(Proxy::to(&live.url("socks5h")))).expect("the program's own proxy");
        for scheme in ["http", "https"] {
            // Of the process that has set it; here it would be another one.
            let proxy = env::var(format!("{scheme}_proxy")).unwrap();
            let (_, proxy) = proxy.split_once('@').unwrap();
            for transport in [Transport::Polling, Transport::WebSocket] {
                let url = format!("{scheme}://localhost:1");
                let builder = Client::<W::Protocol>::builder(&url).transports([transport]);
                let error = error_of("a dead proxy", builder.connect()).chain();
                let expected =
                    format!("connecting to the proxy http://{proxy} ({scheme}_proxy) at {proxy}");
                assert_says(&error, &[&expected, "refused"]);
                assert!(!error.contains(PASSWORD), "{error}");
            }
        }
    });
}

/// What the environment's live proxy is asked for: `all_proxy` counts where nothing else does. `name` is that of the test.
pub fn the_environment_s_proxy_is_used<W: Words>(name: &str) {
    let http = ProxyPeer::with_password(Kind::Http);
    let socks = ProxyPeer::new(Kind::Socks);
    for (variable, url) in [
        ("http_proxy", http.url_with_password("http")),
        ("ALL_PROXY", socks.url("socks5h")),
    ] {
        let mut variables = [
            "http_proxy",
            "HTTP_PROXY",
            "all_proxy",
            "no_proxy",
            "NO_PROXY",
        ]
        .map(|name| (name, "".as_ref()))
        .to_vec();
        variables.push((variable, url.as_ref()));
        // Only the proxy knows that name.
        alone_with(name, &variables, || {
            let host = Host::<W>::new();
            let client = builder_by(&host, NAME).connect().unwrap();
            client.close().unwrap();
        });
    }
}

/// How a proxy fails, and what is told of it.
struct Failure {
    kind: Kind,
    /// Of the server's URL. With `http`, an HTTP proxy gets requests, and otherwise it is asked for tunnels.
    scheme: &'static str,
    has_password: bool,
    manner: Manner,
    says: &'static [&'static str],
}

fn saying(bytes: &[u8]) -> Manner {
    Manner::Saying(bytes.to_vec(), Then::Close)
}

fn failures() -> Vec<Failure> {
    use Kind::{Http, Socks};
    let tunnel = |manner, says| Failure {
        kind: Http,
        scheme: "https",
        has_password: true,
        manner,
        says,
    };
    let request = |manner, says| Failure {
        scheme: "http",
        ..tunnel(manner, says)
    };
    let socks = |manner, says| Failure {
        kind: Socks,
        ..request(manner, says)
    };
    let without_password = |failure| Failure {
        has_password: false,
        ..failure
    };
    let basic =
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
    let others =
        b"HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\
        Content-Length: 0\r\n\r\n";
    let page = |status: u16| {
        let page = "<html><h1>Sorry</h1></html>";
        let head = format!("HTTP/1.1 {status} Sorry\r\nContent-Type: text/html\r\n");
        saying(format!("{head}Content-Length: {}\r\n\r\n{page}", page.len()).as_bytes())
    };
    let mut all = vec![
        tunnel(Manner::Closing, &[]),
        tunnel(Manner::Resetting, &[]),
        tunnel(Manner::Endless, &["headers"]),
        tunnel(saying(b""), &["closed the connection without an answer"]),
        tunnel(
            saying(b"HTTP/1.1 200 OK\r\nVia"),
            &["closed the connection"],
        ),
        tunnel(saying(b"SSH-2.0-OpenSSH_9.6\r\n"), &["no HTTP proxy"]),
        tunnel(
            saying(b"HTTP/1.1 200 OK\r\n\r\nhello"),
            &["login page", "hello"],
        ),
        tunnel(page(200), &["login page", "Sorry"]),
        tunnel(
            page(403),
            &[
                "CONNECT server.example:1 ",
                "status 403",
                "does not allow it",
                "443",
            ],
        ),
        tunnel(page(405), &["status 405", "is this an HTTP proxy"]),
        tunnel(
            saying(basic),
            &["status 407", "does not accept the user and password"],
        ),
        tunnel(saying(others), &["status 407", "wants Negotiate or NTLM"]),
        without_password(tunnel(
            saying(basic),
            &["status 407", "put user:password@ before"],
        )),
        request(Manner::Closing, &["server.example:1 through"]),
        request(Manner::Resetting, &[]),
        request(Manner::Endless, &["server.example:1 through", "head"]),
        request(
            saying(b""),
            &["server.example:1 through", "without an answer"],
        ),
        request(
            saying(b"SSH-2.0-OpenSSH_9.6\r\n"),
            &["server.example:1 through"],
        ),
        request(
            saying(basic),
            &["status 407", "does not accept the user and password"],
        ),
        request(saying(others), &["status 407", "wants Negotiate or NTLM"]),
        without_password(request(
            saying(basic),
            &["status 407", "put user:password@ before"],
        )),
        socks(Manner::Closing, &[]),
        socks(Manner::Resetting, &[]),
        socks(saying(b""), &["closed the connection without an answer"]),
        socks(saying(&[4, 91]), &["no SOCKS5 proxy", "0x04"]),
        socks(
            saying(b"HTTP/1.1 400 Bad\r\n\r\n"),
            &["no SOCKS5 proxy", "0x48"],
        ),
        socks(saying(&[5]), &["closed the connection"]),
        socks(saying(&[5, 1]), &["not offered"]),
        socks(saying(&[5, 255]), &["takes no password"]),
        without_password(socks(saying(&[5, 255]), &["put user:password@ before"])),
        socks(
            Manner::WithoutTunnels(vec![5, 2, 0, 1], Then::Close),
            &["its rules do not allow it"],
        ),
        socks(
            Manner::WithoutTunnels(vec![5, 0, 0], Then::Close),
            &["closed the connection"],
        ),
        socks(
            Manner::WithoutTunnels(vec![5, 0, 0, 7, 0], Then::Close),
            &["unknown kind 7"],
        ),
    ];
    for status in [502, 503, 504] {
        all.push(tunnel(page(status), &["cannot reach the server"]));
        all.push(request(page(status), &["through the proxy", "status 50"]));
    }
    all.push(request(page(200), &["through the proxy", "a web page"]));
    all
}

/// Whatever a proxy does instead of what it is for, the error comes soon, names the proxy, and does not tell its password.
pub fn failures_name_the_proxy<W: Words>() {
    all_at_once(failures(), |failure| {
        for transport in [Transport::Polling, Transport::WebSocket] {
            // A WebSocket goes through a tunnel always; 0.9 makes a request before.
            let is_for_both = failure.kind == Kind::Socks || failure.scheme == "https";
            if is_for_both || transport == Transport::Polling {
                let error = failing::<W>(&failure, transport);
                assert_says(&error, failure.says);
            }
        }
    });
}

fn failing<W: Words>(failure: &Failure, transport: Transport) -> String {
    let proxy = if failure.has_password && matches!(failure.manner, Manner::WithoutTunnels(..)) {
        ProxyPeer::with_password(failure.kind)
    } else {
        ProxyPeer::new(failure.kind)
    };
    proxy.be(failure.manner.clone());
    let scheme = match failure.kind {
        Kind::Http => "http",
        Kind::Socks => "socks5h",
    };
    let url = if failure.has_password {
        proxy.url_with_password(scheme)
    } else {
        proxy.url(scheme)
    };
    let builder = Client::<W::Protocol>::builder(&format!("{}://{NAME}:1", failure.scheme))
        .transports([transport])
        .proxy(Proxy::to(&url))
        .reconnect(Reconnect::off())
        .connect_timeout(PATIENCE);
    let result = takes(Duration::ZERO, PATIENCE / 2, || builder.connect());
    let what = format!("{:?} {:?}", failure.kind, failure.manner);
    let error = error_of(&what, result);
    assert!(!error.is_timeout(), "{what}: {error:?}");
    let error = error.chain();
    assert_says(&error, &[&proxy.url(scheme)]);
    assert!(!error.contains(PASSWORD), "{error}");
    error
}

/// A name that nobody knows: whose it is, the error says.
pub fn names_that_nobody_knows_are_told_apart<W: Words>() {
    // No part of one may be that long.
    let unknown = format!("{}.test", "x".repeat(64));
    let there = format!("http://{unknown}:3128");
    let proxy = ProxyPeer::new(Kind::Socks);
    for (server, proxy, says) in [
        (
            NAME,
            there.clone(),
            format!("looking up the host of the proxy {there}"),
        ),
        (
            &*unknown,
            proxy.url("socks5"),
            "with socks5h:// the proxy would".to_owned(),
        ),
    ] {
        let builder = Client::<W::Protocol>::builder(&format!("http://{server}:1"));
        let error = error_of("connecting", builder.proxy(Proxy::to(&proxy)).connect());
        assert_says(&error.chain(), &["looking up", &unknown, &says]);
    }
}

/// Each stage in which a proxy, or the server behind it, may leave us waiting.
fn waits() -> Vec<(Kind, &'static str, Manner)> {
    let half = |bytes: &[u8]| Manner::Saying(bytes.to_vec(), Then::Wait);
    vec![
        (Kind::Http, "http", Manner::Silent),
        (Kind::Http, "https", Manner::Silent),
        (Kind::Http, "https", half(b"HTTP/1.1 200 O")),
        // TLS with a server that says nothing.
        (Kind::Http, "https", Manner::Obliging),
        (Kind::Socks, "http", Manner::Silent),
        (Kind::Socks, "http", half(&[5])),
        (Kind::Socks, "http", half(&[5, 0])),
        (
            Kind::Socks,
            "http",
            Manner::WithoutTunnels(vec![5, 0], Then::Wait),
        ),
        (Kind::Socks, "http", Manner::Obliging),
        (Kind::Socks, "https", Manner::Halting),
    ]
}

/// Who waits for a proxy waits as long as the connect timeout, and no longer than until `close`.
pub fn waiting_for_a_proxy_ends_by_the_timeout_or_by_close<W: Words>() {
    const LIMIT: Duration = Duration::from_millis(300);
    all_at_once(waits(), |(kind, scheme, manner)| {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let silent = Peer::for_many();
            let proxy = ProxyPeer::new(kind);
            proxy.be(manner.clone());
            let url = silent.url().replace("http", scheme);
            let builder = || {
                let proxy_scheme = if kind == Kind::Http { "http" } else { "socks5" };
                Client::<W::Protocol>::builder(&url)
                    .transports([transport])
                    .proxy(Proxy::to(&proxy.url(proxy_scheme)))
                    .reconnect(Reconnect::off())
            };
            let what = format!("{kind:?} {scheme} {manner:?}");
            let limited = builder().connect_timeout(LIMIT);
            let result = takes(Duration::ZERO, 5 * LIMIT, || limited.connect());
            let error = error_of(&what, result);
            assert!(error.is_timeout(), "{what}: {error:?}");
            // A proxy that has done its part is not to blame.
            if scheme == "https" || !matches!(manner, Manner::Obliging) {
                assert_says(&error.chain(), &[", while ", &proxy.authority()]);
            }
            let before = proxy.connections();
            let client = builder().build().unwrap();
            let opening = client.clone();
            let opening = background("opening", move || opening.open());
            proxy.is_reached(before + 1);
            closing_at_once(&client).join();
            error_of(&what, opening.join());
        }
    });
}

/// Connections through proxies, made and failed, leave neither threads nor open files.
pub fn proxies_leave_nothing_behind<W: Words>() {
    leaves_nothing(2, || {
        for (kind, scheme) in WAYS {
            leads_to_the_server::<W>(kind, scheme, "127.0.0.1", true);
        }
        failures_name_the_proxy::<W>();
        waiting_for_a_proxy_ends_by_the_timeout_or_by_close::<W>();
    });
}
