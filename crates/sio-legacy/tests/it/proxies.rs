//! The client behind a proxy: HTTP and SOCKS5, odd, broken and hostile ones.

use sio_legacy::{Client, Transport};
use sio_peer::alone::alone;
use sio_peer::client::connecting;
use sio_peer::peer::{Answer, Peer};
use sio_peer::proxy::{BASIC, Kind, Manner, Proxy as ProxyPeer, Then};
use sio_peer::proxying::{self, WAYS, behind};
use sio_peer::wait::assert_says;

use crate::scene::{Polling, Socketed, Streaming, opening, shake_hands, usual};
use crate::wire::{Answers as _, Packets as _};
use crate::words::Legacy;

#[test]
fn every_way_leads_to_the_server() {
    proxying::every_way_leads_to_the_server::<Legacy>();
}

#[test]
fn a_reconnect_goes_through_the_proxy_again() {
    proxying::a_reconnect_goes_through_the_proxy_again::<Legacy>();
}

#[test]
fn a_hook_that_leads_elsewhere_chooses_the_way_anew() {
    proxying::a_hook_that_leads_elsewhere_chooses_the_way_anew::<Legacy>();
}

#[test]
fn the_environment_counts_for_both_transports_alike() {
    proxying::the_environment_counts_for_both_transports_alike::<Legacy>(
        "proxies::the_environment_counts_for_both_transports_alike",
    );
}

#[test]
fn the_environment_s_proxy_is_used() {
    proxying::the_environment_s_proxy_is_used::<Legacy>("proxies::the_environment_s_proxy_is_used");
}

#[test]
fn failures_name_the_proxy() {
    proxying::failures_name_the_proxy::<Legacy>();
}

#[test]
fn names_that_nobody_knows_are_told_apart() {
    proxying::names_that_nobody_knows_are_told_apart::<Legacy>();
}

#[test]
fn waiting_for_a_proxy_ends_by_the_timeout_or_by_close() {
    proxying::waiting_for_a_proxy_ends_by_the_timeout_or_by_close::<Legacy>();
}

#[test]
fn proxies_leave_nothing_behind() {
    alone("proxies::proxies_leave_nothing_behind", || {
        proxying::proxies_leave_nothing_behind::<Legacy>();
    });
}

/// What the proxy was asked for, to reach this server: requests in absolute form with the password, tunnels to its address.
#[track_caller]
fn asked_well(proxy: &ProxyPeer, kind: Kind, server: &Peer, tunnels: usize, requests: usize) {
    let authority = format!("127.0.0.1:{}", server.port());
    let asked = proxy.asked();
    let word = if kind == Kind::Http {
        "CONNECT"
    } else {
        "SOCKS"
    };
    let tunnel = format!("{word} {authority}");
    let (to_tunnels, others): (Vec<_>, Vec<_>) =
        asked.iter().partition(|asked| asked.what == tunnel);
    assert_eq!(
        (to_tunnels.len(), others.len()),
        (tunnels, requests),
        "{asked:?}"
    );
    for request in others {
        let (_, target) = request.what.split_once(' ').unwrap();
        let begin = format!("http://{authority}/socket.io/1/");
        assert!(target.starts_with(&begin), "{request:?}");
        assert_eq!(request.header("host"), Some(&*authority), "{request:?}");
        assert_eq!(request.header("proxy-authorization"), Some(BASIC));
    }
}

#[test]
fn polls_go_through_every_kind() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        for (kind, scheme) in WAYS {
            let (proxy, through) = behind(kind, scheme);
            let mut scene = Polling::with(transport, &usual(), through);
            scene.packets(&["3:::one"]);
            assert_eq!(scene.told.text_event().1, "one");
            scene.client.send("two").unwrap();
            assert_eq!(scene.post(), ["3:::two"]);
            let poll = scene.poll.as_ref().expect("a poll");
            assert!(poll.target.starts_with("/socket.io/1/"), "{}", poll.target);
            assert_eq!(poll.header("proxy-authorization"), None);
            match kind {
                // The handshake, three polls, and the post.
                Kind::Http => asked_well(&proxy, kind, &scene.peer, 0, 5),
                Kind::Socks => asked_well(&proxy, kind, &scene.peer, 2, 0),
            }
        }
    }
}

#[test]
fn a_proxy_that_closes_behind_each_answer_loses_nothing() {
    for transport in [Transport::Polling, Transport::JsonpPolling] {
        let (proxy, through) = behind(Kind::Http, "http");
        proxy.be(Manner::Once);
        let mut scene = Polling::with(transport, &usual(), through);
        for _ in 0..3 {
            scene.packets(&["3:::one"]);
            assert_eq!(scene.told.text_event().1, "one");
            scene.client.send("two").unwrap();
            assert_eq!(scene.post(), ["3:::two"]);
        }
        assert!(scene.client.is_connected());
        assert_eq!(proxy.connections(), proxy.asked().len());
    }
}

#[test]
fn streams_go_through_every_kind() {
    for (kind, scheme) in WAYS {
        let (proxy, through) = behind(kind, scheme);
        let mut scene = Streaming::with(&usual(), through);
        scene.stream.packet("3:::one");
        assert_eq!(scene.told.text_event().1, "one");
        scene.client.send("two").unwrap();
        assert_eq!(scene.post(), ["3:::two"]);
        match kind {
            // The handshake, the stream, and the post.
            Kind::Http => asked_well(&proxy, kind, &scene.peer, 0, 3),
            Kind::Socks => asked_well(&proxy, kind, &scene.peer, 2, 0),
        }
    }
}

#[test]
fn websockets_go_through_tunnels() {
    for (kind, scheme) in WAYS {
        let (proxy, through) = behind(kind, scheme);
        proxy.be(Manner::Halting);
        let mut scene = Socketed::with(&usual(), through);
        scene.socket.text("3:::one");
        assert_eq!(scene.told.text_event().1, "one");
        scene.client.send("two").unwrap();
        assert_eq!(scene.socket.packet(), "3:::two");
        match kind {
            Kind::Http => asked_well(&proxy, kind, &scene.peer, 1, 1),
            Kind::Socks => asked_well(&proxy, kind, &scene.peer, 2, 0),
        }
    }
}

#[test]
fn without_tunnels_polling_takes_over() {
    let (proxy, through) = behind(Kind::Http, "http");
    proxy.be(Manner::WithoutTunnels(
        b"HTTP/1.1 403 Filtered\r\nContent-Length: 0\r\n\r\n".to_vec(),
        Then::Close,
    ));
    let mut peer = Peer::new();
    let connecting = connecting(through(Client::builder(&peer.url())));
    shake_hands(&mut peer, &usual());
    // Each transport has a handshake of its own.
    shake_hands(&mut peer, &usual());
    let first = opening(&mut peer, Transport::Polling, "S");
    first.answer(&Answer::plain("1::"));
    let client = connecting.join().expect("a connection");
    assert_eq!(client.transport(), Some(Transport::Polling));
}

#[test]
fn a_page_of_the_proxy_in_a_poll_s_place_ends_the_session_and_names_the_proxy() {
    let (proxy, through) = behind(Kind::Http, "http");
    let mut scene = Polling::with(Transport::Polling, &usual(), through);
    scene.answer(&Answer::new(503, "text/html", b"<h1>Sorry</h1>"));
    assert_says(&scene.told.fatal(), &[&proxy.url("http"), "503", "Sorry"]);
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn every_transport_reaches_a_server_with_tls() {
    use sio_peer::wait::{PATIENCE, all_at_once};

    use crate::tls::{ALL, serve};
    use crate::wire::wire_name;

    const NAME: &str = "proxies::every_transport_reaches_a_server_with_tls";
    sio_peer::tls::trusting(NAME, serve, |peer| {
        let each = |way| ALL.map(|transport| (way, transport));
        all_at_once(WAYS.into_iter().flat_map(each), |(way, transport)| {
            let (kind, scheme) = way;
            let (proxy, through) = behind(kind, scheme);
            let builder = through(Client::builder(&peer.url()).transports([transport]));
            let (builder, mut events) = builder.events();
            let client = builder
                .connect()
                .unwrap_or_else(|error| panic!("{scheme}, {transport}: {}", error.chain()));
            client.emit("x", "y").unwrap();
            let event = events.recv_timeout(PATIENCE).expect("a word");
            assert_eq!(event.decode::<String>().unwrap(), wire_name(transport));
            client.close().unwrap();
            if scheme != "socks5" {
                let authority = format!("localhost:{}", peer.port());
                proxying::leads_only_to(&proxy, scheme, &authority);
            }
        });
    });
}
