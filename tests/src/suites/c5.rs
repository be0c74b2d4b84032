//! C5: URLs and options.
//!
//! URLs without a port, and IPv6 addresses without brackets (which then have none), are unit tests of `sio-net`: a
//! test cannot have port 80.

use std::net::{Ipv4Addr, Ipv6Addr};

use sio_core::{Error, UsageError};
use sio_net::ClientBuilder;

use super::shown::{every_kind_of_request, every_request_shows};
use crate::case::{ALL, Case, Failure, Outcome};
use crate::context::Context;
use crate::front::Front;
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    vec![
        Case {
            id: "C5.1",
            title: "http, https, ws, wss and no scheme lead to the right target",
            modes: ALL,
            run: schemes,
        },
        Case {
            id: "C5.2",
            title: "IPv6 hosts work",
            modes: ALL,
            run: ipv6,
        },
        Case {
            id: "C5.3",
            title: "Path, namespace and query go where the documentation says",
            modes: ALL,
            run: path_namespace_and_query,
        },
        Case {
            id: "C5.4",
            title: "Headers reach the server on every request; invalid ones are refused before anything is sent",
            modes: ALL,
            run: headers,
        },
        Case {
            id: "C5.5",
            title: "User and password in the URL become basic authorization on every request",
            modes: ALL,
            run: userinfo,
        },
    ]
}

fn schemes<P: Protocol>(cx: &Context<P>) -> Outcome {
    let port = cx.server().port("main");
    for url in [
        "http://127.0.0.1",
        "ws://127.0.0.1",
        "127.0.0.1",
        "HTTP://LOCALHOST",
        " http://127.0.0.1",
    ] {
        let client = cx.builder_at(&format!("{url}:{port}")).connect();
        let client = client.map_err(|error| format!("{url}:{port}: {}", error.chain()))?;
        cx.exchange(&client)?;
        client.close()?;
    }
    for scheme in ["https", "wss"] {
        let front = Front::open(Ipv4Addr::LOCALHOST.into(), port)?;
        let refused = cx
            .builder_at(&format!("{scheme}://127.0.0.1:{}", front.port()))
            .connect();
        ensure!(
            matches!(refused, Err(Error::Transport { .. })),
            "TLS to a plain port gave {refused:?}"
        );
        // 0x16 0x03 begins a TLS handshake.
        let begins = front
            .from_clients()
            .first()
            .is_some_and(|bytes| bytes.starts_with(&[0x16, 0x03]));
        ensure!(
            begins,
            "{scheme} did not begin with TLS: {:?}",
            front.from_clients()
        );
    }
    Ok(())
}

fn ipv6<P: Protocol>(cx: &Context<P>) -> Outcome {
    let front =
        Front::open(Ipv6Addr::LOCALHOST.into(), cx.server().port("main")).map_err(|error| {
            Failure::not_here(format!("this machine has no IPv6 loopback: {error}"))
        })?;
    let client = cx
        .builder_at(&format!("http://[::1]:{}", front.port()))
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    let host = format!("[::1]:{}", front.port());
    for request in cx.control().requests()? {
        ensure_eq!(
            request.header("host"),
            Some(host.as_str()),
            "the Host header of {}",
            request.kind
        );
    }
    Ok(())
}

fn path_namespace_and_query<P: Protocol>(cx: &Context<P>) -> Outcome {
    let url = format!("{}/chat?from=the%20url&plus=a%2Bb", cx.url("custom-path"));
    for path in ["/custom/path", "custom/path/", "//custom/path//"] {
        let client = cx
            .builder_at(&url)
            .path(path)
            .query("option", "x&y=z")
            .connect()?;
        ensure_eq!(client.name(), "/chat", "the namespace of the handle");
        cx.settle(&client)?;
        cx.exchange(&client)?;
        client.close()?;
    }
    let control = cx.control();
    ensure_eq!(
        control.sockets(Some("/chat"))?.len(),
        3,
        "sockets in the namespace"
    );
    for request in control.requests()? {
        let query = |name: &str| request.query.get(name).map(String::as_str);
        let rest = request.url.strip_prefix("/custom/path/");
        ensure!(
            rest.is_some_and(|rest| rest.starts_with(P::BEHIND_PATH)),
            "the path of {}",
            request.url
        );
        ensure_eq!(
            query("from"),
            Some("the url"),
            "the URL's query in {}",
            request.url
        );
        ensure_eq!(
            query("plus"),
            Some("a+b"),
            "the URL's query in {}",
            request.url
        );
        ensure_eq!(
            query("option"),
            Some("x&y=z"),
            "the option in {}",
            request.url
        );
    }
    Ok(())
}

fn headers<P: Protocol>(cx: &Context<P>) -> Outcome {
    let client = cx
        .builder()
        .header("X-Token", "one two")
        .header("X-Twice", "1")
        .header("X-Twice", "2")
        .header("Cookie", "a=1; b=2")
        .user_agent("Thing/1")
        .origin("http://page.example")
        .connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    client.close()?;
    let requests = every_request_shows(
        cx,
        &[
            ("x-token", "one two"),
            // Node joins what came twice.
            ("x-twice", "1, 2"),
            ("user-agent", "Thing/1"),
            ("origin", "http://page.example"),
        ],
    )?;
    for request in &requests {
        let cookies = request.header("cookie").unwrap_or_default();
        ensure!(
            cookies.starts_with("a=1; b=2"),
            "the cookies on a {}: {cookies}",
            request.kind
        );
    }
    for (name, value) in [
        ("X Token", "x"),
        ("", "x"),
        ("X-Token", "a\r\nInjected: yes"),
        ("X-Token", "caf\u{e9}"),
        ("Host", "elsewhere"),
        ("Connection", "close"),
        ("Content-Length", "1"),
        ("Sec-WebSocket-Protocol", "x"),
        ("Proxy-Authorization", "Basic eDp5"),
    ] {
        expect_usage_error(cx.builder().header(name, value), name)?;
    }
    expect_usage_error(cx.builder().header("Cookie", "a=1; b c=2"), "cookie b c")?;
    expect_usage_error(cx.builder().cookie("a", "1; b=2"), "cookie a")?;
    ensure_eq!(
        cx.control().requests()?.len(),
        requests.len(),
        "requests after refused headers"
    );
    Ok(())
}

fn expect_usage_error<P: Protocol>(builder: ClientBuilder<P>, header: &str) -> Outcome {
    match builder.build() {
        Err(Error::Usage(UsageError::Header { name, .. })) => {
            ensure_eq!(&*name, header, "the header that the error names");
            Ok(())
        }
        other => Err(format!("the header {header:?} gave {other:?}").into()),
    }
}

/// Something that a program asks for.
type Setting<P> = fn(ClientBuilder<P>) -> ClientBuilder<P>;

fn userinfo<P: Protocol>(cx: &Context<P>) -> Outcome {
    let url = cx.url("main").replace("http://", "http://me:p%40ss%3A@");
    // me:p@ss:, and what is given in its place.
    let of_url = "Basic bWU6cEBzczo=";
    let forms: [(&str, Setting<P>); 3] = [
        (of_url, |builder| builder),
        ("Basic dXNlcjpwYXNz", |builder| {
            builder.basic_auth("user", "pass")
        }),
        ("Bearer abc", |builder| {
            builder.header("Authorization", "Bearer abc")
        }),
    ];
    let mut before = 0;
    for (authorization, with) in forms {
        let client = with(cx.builder_at(&url)).connect()?;
        cx.settle(&client)?;
        cx.exchange(&client)?;
        client.close()?;
        let requests = every_kind_of_request(cx)?;
        for request in &requests[before..] {
            ensure_eq!(
                request.header("authorization"),
                Some(authorization),
                "the authorization on a {}",
                request.kind
            );
            ensure!(
                !request.url.contains("me:"),
                "the password is in the URL: {}",
                request.url
            );
        }
        before = requests.len();
    }
    let colon = cx.builder().basic_auth("a:b", "c").build();
    ensure!(
        matches!(colon, Err(Error::Usage(UsageError::Option { .. }))),
        "a user's name with a colon gave {colon:?}"
    );
    Ok(())
}
