//! C7: proxies, on the servers that are [deployed](crate::server::DEPLOYED): tinyproxy for HTTP, microsocks for SOCKS5.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use sio_core::{Error, Status, Transport};
use sio_net::{ClientBuilder, Proxy, Roots, Tls};

use super::kit::within;
use crate::ask::Question;
use crate::case::{Case, Outcome, UPGRADE, WEBSOCKET, WEBSOCKET_LAST};
use crate::context::{Context, PATIENCE, StatusLog};
use crate::daemon::Daemon;
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// Who may use a proxy that wants to know.
const USER: &str = "me";
const PASSWORD: &str = "secret";

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    vec![
        Case::everywhere(
            "C7.1",
            "An HTTP proxy carries every transport, plain and TLS",
            http_proxy,
        ),
        Case::in_modes(
            "C7.1b",
            "A proxy without tunnels to the port leaves an upgrade on polling, which says why",
            UPGRADE,
            no_tunnel_for_the_upgrade,
        ),
        Case::in_modes(
            "C7.1c",
            "A WebSocket alone says that the proxy has no tunnels to the port",
            WEBSOCKET,
            no_tunnel_for_a_websocket,
        ),
        Case::everywhere(
            "C7.2",
            "User and password of a proxy work, and the error says when they are missing or wrong",
            passwords,
        ),
        Case::everywhere(
            "C7.3",
            "SOCKS5 carries every transport, plain and TLS, with names looked up here and there",
            socks_proxy,
        ),
        Case::everywhere(
            "C7.4",
            "The environment's proxies and exceptions count, and can be switched off",
            environment,
        ),
        Case::everywhere(
            "C7.5",
            "A proxy that is down, or cannot reach the server, is named, and not the server",
            proxy_down,
        ),
    ]
}

// --- the proxies ----------------------------------------------------------------------------------------------------

/// An HTTP proxy; `more` is what its configuration has besides where it listens.
fn tinyproxy(more: &str) -> Outcome<Daemon> {
    Daemon::start("tinyproxy", |place| {
        let config = format!(
            "Port {}\nListen 127.0.0.1\nLogFile \"{}\"\nLogLevel Connect\n{more}\n",
            place.port,
            place.folder().join(LOG).display(),
        );
        let config = place.file("tinyproxy.conf", &config)?;
        Ok(vec!["-d".into(), "-c".into(), config.into()])
    })
}

const LOG: &str = "tinyproxy.log";

/// The requests that a tinyproxy got, for example `CONNECT localhost:1 HTTP/1.1`.
fn asked(proxy: &Daemon) -> Outcome<Vec<String>> {
    let log = fs::read_to_string(proxy.folder().join(LOG))?;
    let requests = log.lines().filter_map(|line| {
        let (_, request) = line.split_once(": Request (file descriptor ")?;
        Some(request.split_once("): ")?.1.to_owned())
    });
    Ok(requests.collect())
}

/// A SOCKS5 proxy with these options.
fn microsocks(options: &[&str]) -> Outcome<Daemon> {
    Daemon::start("microsocks", |place| {
        let port = place.port.to_string();
        let words = ["-i", "127.0.0.1", "-p", &port];
        Ok(words.iter().chain(options).map(OsString::from).collect())
    })
}

fn url_of(scheme: &str, proxy: &Daemon) -> String {
    format!("{scheme}://127.0.0.1:{}", proxy.port())
}

fn url_with(scheme: &str, user: &str, password: &str, proxy: &Daemon) -> String {
    format!("{scheme}://{user}:{password}@127.0.0.1:{}", proxy.port())
}

/// Connections to the server's plain port and to the one with TLS, which has a name.
fn urls<P: Protocol>(cx: &Context<P>) -> [String; 2] {
    [cx.url("main"), cx.tls_url("tls")]
}

fn builder<P: Protocol>(cx: &Context<P>, url: &str, proxy: &str) -> ClientBuilder<P> {
    let authority = cx.certificates().authority();
    cx.builder_at(url)
        .tls(Tls::new().roots(Roots::None).add_ca_file(authority))
        .proxy(Proxy::to(proxy))
}

/// Connects, waits for the upgrade if there is one, asks something, and closes.
fn works<P: Protocol>(cx: &Context<P>, url: &str, proxy: &str) -> Outcome {
    let client = builder(cx, url, proxy)
        .connect()
        .map_err(|error| format!("{url} through {proxy}: {}", error.chain()))?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    Ok(client.close()?)
}

/// Connecting fails soon; the error names the proxy and not its password.
fn fails<P: Protocol>(cx: &Context<P>, url: &str, proxy: &str) -> Outcome<String> {
    let failed = within(PATIENCE / 2, "a connect in vain", || {
        Ok(builder(cx, url, proxy).connect())
    })?;
    let Err(error) = failed else {
        return Err(format!("{url} through {proxy} was connected").into());
    };
    ensure!(!error.is_timeout(), "a timeout: {}", error.chain());
    let text = error.chain();
    let authority = proxy.rsplit(['@', '/']).next().unwrap_or_default();
    ensure!(text.contains(authority), "the proxy is not named: {text}");
    ensure!(
        !text.contains(PASSWORD) && !text.contains("wrong@"),
        "the password is told: {text}"
    );
    Ok(text)
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

fn http_proxy<P: Protocol>(cx: &Context<P>) -> Outcome {
    let proxy = tinyproxy("")?;
    for url in urls(cx) {
        works(cx, &url, &url_of("http", &proxy))?;
    }
    let asked = asked(&proxy)?;
    let tunnels_to = |url: &str| {
        let (_, authority) = url.split_once("://").unwrap_or_default();
        let tunnel = format!("CONNECT {authority} ");
        asked
            .iter()
            .filter(|what| what.starts_with(&tunnel))
            .count()
    };
    let [plain, tls] = urls(cx).map(|url| tunnels_to(&url));
    let has_websocket = WEBSOCKET_LAST.contains(&cx.mode());
    ensure_eq!(plain, usize::from(has_websocket), "tunnels in {asked:?}");
    ensure!(tls > 0, "no tunnel to the port with TLS in {asked:?}");
    let begin = format!("{}/socket.io/", cx.url("main"));
    for request in asked.iter().filter(|what| !what.starts_with("CONNECT ")) {
        let target = request.split(' ').nth(1).unwrap_or_default();
        ensure!(
            target.starts_with(&begin),
            "the proxy was asked for {target}"
        );
    }
    let (_, main) = begin.split_once("://").unwrap_or_default();
    let main = main.trim_end_matches("/socket.io/");
    for request in cx.control().requests()? {
        // Only what the proxy has seen can it sign.
        let is_signed = request.header("via").is_some();
        let is_tunnelled = request.kind == "upgrade" || request.port == "tls";
        ensure!(is_signed != is_tunnelled, "the way of {request:?}");
        if request.port == "main" {
            ensure_eq!(
                request.header("host"),
                Some(main),
                "Host of {}",
                request.url
            );
        }
        ensure!(
            request.url.starts_with("/socket.io/"),
            "the target {}",
            request.url
        );
    }
    Ok(())
}

/// Many proxies allow tunnels to 443 alone.
const ONLY_443: &str = "ConnectPort 443";

fn no_tunnel_for_the_upgrade<P: Protocol>(cx: &Context<P>) -> Outcome {
    let proxy = tinyproxy(ONLY_443)?;
    let url = url_of("http", &proxy);
    let log = StatusLog::new();
    let client = builder(cx, &cx.url("main"), &url)
        .on_status(log.watcher())
        .connect()?;
    let why = log.wait_for("the upgrade to fail", |status| match status {
        Status::UpgradeFailed(error) => Some(error.chain()),
        _ => None,
    })?;
    is_refused_tunnel(&why, &url)?;
    cx.exchange(&client)?;
    ensure_eq!(
        client.transport(),
        Some(Transport::Polling),
        "the transport that is left"
    );
    Ok(client.close()?)
}

fn no_tunnel_for_a_websocket<P: Protocol>(cx: &Context<P>) -> Outcome {
    let proxy = tinyproxy(ONLY_443)?;
    let url = url_of("http", &proxy);
    is_refused_tunnel(&fails(cx, &cx.url("main"), &url)?, &url)
}

fn is_refused_tunnel(why: &str, proxy: &str) -> Outcome {
    for part in ["CONNECT 127.0.0.1:", proxy, "403", "port 443 only"] {
        ensure!(why.contains(part), "no {part:?} in {why}");
    }
    Ok(())
}

// --- passwords ------------------------------------------------------------------------------------------------------

fn passwords<P: Protocol>(cx: &Context<P>) -> Outcome {
    let http = tinyproxy(&format!("BasicAuth {USER} {PASSWORD}"))?;
    let socks = microsocks(&["-u", USER, "-P", PASSWORD])?;
    for (scheme, proxy) in [("http", &http), ("socks5h", &socks)] {
        for url in urls(cx) {
            works(cx, &url, &url_with(scheme, USER, PASSWORD, proxy))?;
            let missing = fails(cx, &url, &url_of(scheme, proxy))?;
            let says_what_to_do = "put user:password@ before the host in its URL";
            ensure!(missing.contains(says_what_to_do), "without: {missing}");
            let wrong = fails(cx, &url, &url_with(scheme, USER, "wrong", proxy))?;
            // To a wrong password for what is no tunnel, tinyproxy says 401, as a server might.
            let is_clear = wrong.contains("does not accept the user and password")
                || wrong.contains("status 401");
            ensure!(is_clear, "with a wrong one: {wrong}");
        }
    }
    Ok(())
}

// --- SOCKS5 ---------------------------------------------------------------------------------------------------------

fn socks_proxy<P: Protocol>(cx: &Context<P>) -> Outcome {
    let port = cx.server().port("tls");
    for (scheme, destination) in [("socks5", "127.0.0.1"), ("socks5h", "localhost")] {
        let proxy = microsocks(&[])?;
        for url in urls(cx) {
            works(cx, &url, &url_of(scheme, &proxy))?;
        }
        // It writes what it was asked for as it was asked.
        let line = format!("connected to {destination}:{port}");
        cx.eventually(&format!("{line:?} of microsocks"), || {
            proxy.output().contains(&line)
        })?;
        let plain = format!("connected to 127.0.0.1:{}", cx.server().port("main"));
        ensure!(proxy.output().contains(&plain), "{}", proxy.output());
    }
    Ok(())
}

// --- the environment ------------------------------------------------------------------------------------------------

fn environment<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (http, socks) = (tinyproxy("")?, microsocks(&[])?);
    let dead = format!("http://127.0.0.1:{}", closed_port()?);
    let question = |url: &str| Question {
        server: cx.server_version().to_owned(),
        mode: cx.mode(),
        url: url.to_owned(),
        tag: cx.tag().to_owned(),
        authority: Some(cx.certificates().authority()),
    };
    let [plain, tls] = urls(cx).map(|url| question(&url));
    let through_http = url_of("http", &http);
    plain.ask_with(&[("http_proxy", &through_http), ("https_proxy", &dead)])?;
    let of_plain = asked(&http)?.len();
    ensure!(of_plain > 0, "the proxy of http_proxy was not used");
    tls.ask_with(&[("http_proxy", &dead), ("HTTPS_PROXY", &through_http)])?;
    ensure!(
        asked(&http)?.len() > of_plain,
        "the proxy of HTTPS_PROXY was not used"
    );
    tls.ask_with(&[("ALL_PROXY", &url_of("socks5h", &socks))])?;
    cx.eventually("the use of the proxy of ALL_PROXY", || {
        socks.output().contains("connected to localhost:")
    })?;
    // What is excluded is reached although the proxy is dead; what is not, is not.
    let dead_both = [("http_proxy", &*dead), ("https_proxy", &*dead)];
    for (question, exception) in [(&plain, "10.0.0.1,127.0.0.0/8"), (&tls, "localhost")] {
        let mut variables = dead_both.to_vec();
        let Err(failure) = question.ask_with(&variables) else {
            return Err(format!("{} was reached through a dead proxy", question.url).into());
        };
        ensure!(
            failure
                .text()
                .contains(&format!("connecting to the proxy {dead}")),
            "the dead proxy is not named: {failure}"
        );
        variables.push(("NO_PROXY", exception));
        question.ask_with(&variables)?;
    }
    Ok(())
}

fn closed_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

// --- down -----------------------------------------------------------------------------------------------------------

fn proxy_down<P: Protocol>(cx: &Context<P>) -> Outcome {
    let (http, socks) = (tinyproxy("")?, microsocks(&[])?);
    let nobody = format!("http://127.0.0.1:{}", closed_port()?);
    for (scheme, proxy, words) in [
        ("http", &http, "500"),
        ("socks5", &socks, "the connection was refused"),
    ] {
        let url = url_of(scheme, proxy);
        let failure = fails(cx, &nobody, &url)?;
        ensure!(failure.contains(words), "no {words:?} in {failure}");
        let log = StatusLog::new();
        let client = builder(cx, &cx.url("main"), &url)
            .on_status(log.watcher())
            .connect()?;
        cx.settle(&client)?;
        cx.exchange(&client)?;
        proxy.stop();
        log.wait_for("the loss", |status| {
            matches!(status, Status::Disconnected(_)).then_some(())
        })?;
        let authority = format!("127.0.0.1:{}", proxy.port());
        let expected = format!("connecting to the proxy {url} at {authority}: ");
        let failed = builder(cx, &cx.url("main"), &url).connect();
        match failed {
            Err(error @ Error::Transport { .. }) if error.chain().starts_with(&expected) => {}
            other => return Err(format!("expected {expected:?}, found {other:?}").into()),
        }
    }
    Ok(())
}
