//! The client behind a proxy: HTTP and SOCKS5, odd, broken and hostile ones.

use sio_core::Status;
use sio_peer::alone::alone;
use sio_peer::client::{connecting, polling_only, reconnecting, watched, websocket_only};
use sio_peer::peer::{Answer, Peer};
use sio_peer::proxy::{BASIC, Kind, Manner, PASSWORD, Then};
use sio_peer::proxying::{self, NAME, WAYS, behind};
use sio_peer::wait::{PATIENCE, assert_says, error_of, eventually};
use sio_peer::websocket::WebSocketPeer;
use sio_v1::{Client, DisconnectReason, Transport};

use crate::scene::Polling;
use crate::wire::{Answers as _, Packets as _, Posts as _, open, plain_open, probed, text};
use crate::words::V1;

#[test]
fn every_way_leads_to_the_server() {
    proxying::every_way_leads_to_the_server::<V1>();
}

#[test]
fn a_reconnect_goes_through_the_proxy_again() {
    proxying::a_reconnect_goes_through_the_proxy_again::<V1>();
}

#[test]
fn a_hook_that_leads_elsewhere_chooses_the_way_anew() {
    proxying::a_hook_that_leads_elsewhere_chooses_the_way_anew::<V1>();
}

#[test]
fn the_environment_counts_for_both_transports_alike() {
    proxying::the_environment_counts_for_both_transports_alike::<V1>(
        "proxies::the_environment_counts_for_both_transports_alike",
    );
}

#[test]
fn the_environment_s_proxy_is_used() {
    proxying::the_environment_s_proxy_is_used::<V1>("proxies::the_environment_s_proxy_is_used");
}

#[test]
fn failures_name_the_proxy() {
    proxying::failures_name_the_proxy::<V1>();
}

#[test]
fn names_that_nobody_knows_are_told_apart() {
    proxying::names_that_nobody_knows_are_told_apart::<V1>();
}

#[test]
fn waiting_for_a_proxy_ends_by_the_timeout_or_by_close() {
    proxying::waiting_for_a_proxy_ends_by_the_timeout_or_by_close::<V1>();
}

#[test]
fn proxies_leave_nothing_behind() {
    alone("proxies::proxies_leave_nothing_behind", || {
        proxying::proxies_leave_nothing_behind::<V1>();
    });
}

#[test]
fn polls_are_requests_to_an_http_proxy_in_absolute_form() {
    let (proxy, through) = behind(Kind::Http, "http");
    let mut scene = Polling::with(&plain_open(), |builder| polling_only(through(builder)));
    exchange(&mut scene, &[]);
    let poll = scene.poll.as_ref().expect("a poll");
    let authority = scene.peer.url().replace("http://", "");
    assert_eq!(poll.header("host"), Some(&*authority));
    assert_eq!(poll.header("proxy-authorization"), None);
    assert!(poll.target.starts_with("/socket.io/?"), "{}", poll.target);
    let asked = proxy.asked();
    assert_eq!(asked.len(), 4, "{asked:?}");
    let begin = format!("http://{authority}/socket.io/?");
    for asked in &asked {
        let (_, target) = asked.what.split_once(' ').unwrap();
        assert!(target.starts_with(&begin), "{target}");
        assert_eq!(asked.header("host"), Some(&*authority));
        assert_eq!(asked.header("proxy-authorization"), Some(BASIC));
    }
}

/// One event each way; the answers have these headers.
#[track_caller]
fn exchange(scene: &mut Polling, headers: &[(&'static str, &str)]) {
    let with_headers = |answer: Answer| {
        let add = |answer: Answer, (name, value): &(&'static str, &str)| answer.header(name, value);
        headers.iter().fold(answer, add)
    };
    let event = Answer::text(&["42[\"x\"]"]);
    scene.deliver(&with_headers(event));
    assert_eq!(scene.told.event().0, "x");
    scene.client.emit("y", ()).unwrap();
    let post = scene.peer.post();
    assert_eq!(post.packets(), [text("42[\"y\"]")]);
    let ok = Answer::new(200, "text/html", b"ok");
    post.answer(&with_headers(ok));
}

#[test]
fn a_connection_that_the_proxy_says_it_keeps_is_used_again() {
    for (name, value) in [
        ("Connection", "keep-alive"),
        ("Proxy-Connection", "Keep-Alive, x"),
    ] {
        let (proxy, through) = behind(Kind::Http, "http");
        let mut scene = Polling::with(&plain_open(), |builder| polling_only(through(builder)));
        for _ in 0..3 {
            exchange(&mut scene, &[(name, value)]);
        }
        // The handshake's answer did not say so.
        assert_eq!(proxy.connections(), 3, "{:?}", proxy.asked());
    }
}

#[test]
fn a_proxy_that_closes_behind_each_answer_loses_nothing() {
    let (proxy, through) = behind(Kind::Http, "http");
    proxy.be(Manner::Once);
    let mut scene = Polling::with(&plain_open(), |builder| polling_only(through(builder)));
    for _ in 0..3 {
        exchange(&mut scene, &[]);
    }
    assert!(scene.client.is_connected());
    assert_eq!(proxy.connections(), proxy.asked().len());
}

#[test]
fn polls_go_through_tunnels_of_a_socks_proxy() {
    for scheme in ["socks5", "socks5h"] {
        let (proxy, through) = behind(Kind::Socks, scheme);
        let mut scene = Polling::with(&plain_open(), |builder| polling_only(through(builder)));
        scene.text("42[\"x\"]");
        scene.client.emit("y", ()).unwrap();
        assert_eq!(scene.post(), [text("42[\"y\"]")]);
        // One for each lane.
        let what = format!("SOCKS 127.0.0.1:{}", scene.peer.port());
        let asked: Vec<_> = proxy.asked().into_iter().map(|asked| asked.what).collect();
        assert_eq!(asked, [what.clone(), what]);
    }
}

#[test]
fn an_upgrade_goes_through_the_proxy() {
    for (kind, scheme) in WAYS {
        let (proxy, through) = behind(kind, scheme);
        proxy.be(Manner::Halting);
        let (mut scene, upgrade) = Polling::upgrading(through);
        let mut socket = probed(upgrade);
        socket.text("3probe");
        scene.finish_upgrade(&mut socket);
        scene.told.upgraded();
        scene.client.emit("x", ()).unwrap();
        assert_eq!(socket.packet(), text("42[\"x\"]"));
        let word = if kind == Kind::Http {
            "CONNECT"
        } else {
            "SOCKS"
        };
        let tunnel = format!("{word} 127.0.0.1:{}", scene.peer.port());
        let asked = proxy.asked();
        assert!(asked.iter().any(|asked| asked.what == tunnel), "{asked:?}");
    }
}

#[test]
fn a_websocket_that_ends_in_its_tunnel_names_the_proxy_too() {
    for (kind, scheme) in WAYS {
        let mut peer = Peer::new();
        let (proxy, through) = behind(kind, scheme);
        let connecting = connecting(through(websocket_only(Client::builder(&peer.url()))));
        peer.upgrade().close();
        peer.get().close();
        let error = error_of("connecting", connecting.join()).chain();
        assert_says(
            &error,
            &["the WebSocket to", &peer.url(), &proxy.authority()],
        );
    }
}

#[test]
fn without_tunnels_the_connection_stays_on_polling() {
    let (proxy, through) = behind(Kind::Http, "http");
    proxy.be(Manner::WithoutTunnels(
        b"HTTP/1.1 403 Filtered\r\nContent-Length: 0\r\n\r\n".to_vec(),
        Then::Close,
    ));
    let open = open(&["websocket"], 25_000, 20_000);
    let mut scene = Polling::with(&open, through);
    let why = scene.told.failed_upgrade();
    assert_says(
        &why,
        &["CONNECT 127.0.0.1:", &proxy.url("http"), "403", "443"],
    );
    assert!(!why.contains(PASSWORD), "{why}");
    scene.text("42[\"x\",1]");
    assert_eq!(scene.told.event().0, "x");
    assert_eq!(scene.client.transport(), Some(Transport::Polling));
}

#[test]
fn an_address_of_ipv6_is_asked_for_as_one() {
    for (kind, scheme) in WAYS {
        let mut peer = Peer::at("[::1]:0");
        let authority = format!("[::1]:{}", peer.port());
        for transport in [Transport::Polling, Transport::WebSocket] {
            let (proxy, through) = behind(kind, scheme);
            let builder = Client::builder(&format!("http://{authority}"));
            let connecting = connecting(through(builder.transports([transport])));
            if transport == Transport::Polling {
                peer.get().answer(&Answer::text(&[&plain_open(), "40"]));
            } else {
                let mut socket = WebSocketPeer::accept(peer.upgrade());
                socket.text(&plain_open());
                socket.text("40");
            }
            let client = connecting.join().expect("a connection");
            let asked = &proxy.asked()[0].what;
            let expected = match (kind, transport) {
                (Kind::Socks, _) => format!("SOCKS {authority}"),
                (Kind::Http, Transport::Polling) => format!("GET http://{authority}/socket.io/"),
                (Kind::Http, _) => format!("CONNECT {authority}"),
            };
            assert!(asked.starts_with(&expected), "{asked}");
            drop(client);
        }
    }
}

#[test]
fn a_page_of_the_proxy_in_a_poll_s_place_ends_the_session_and_names_the_proxy() {
    let (proxy, through) = behind(Kind::Http, "http");
    let mut scene = Polling::with(&plain_open(), |builder| polling_only(through(builder)));
    scene.answer(&Answer::new(503, "text/html", b"<h1>Sorry</h1>"));
    assert_says(&scene.told.fatal(), &[&proxy.url("http"), "503", "Sorry"]);
}

#[test]
fn a_proxy_that_goes_away_is_a_loss_and_one_that_comes_back_is_used_again() {
    for (kind, scheme) in WAYS {
        for transport in [Transport::Polling, Transport::WebSocket] {
            let mut peer = Peer::for_many();
            let (proxy, through) = behind(kind, scheme);
            let url = peer.url().replace(
                "127.0.0.1",
                if scheme == "socks5" {
                    "127.0.0.1"
                } else {
                    NAME
                },
            );
            let builder = through(Client::builder(&url).transports([transport]));
            let (builder, told) = watched(builder);
            let connecting = reconnecting(builder, sio_peer::lifecycle::eager());
            let mut take_in = || match transport {
                Transport::Polling => {
                    peer.get().answer(&Answer::text(&[&plain_open(), "40"]));
                    (Some(peer.get()), None)
                }
                _ => {
                    let mut socket = WebSocketPeer::accept(peer.upgrade());
                    socket.text(&plain_open());
                    socket.text("40");
                    (None, Some(socket))
                }
            };
            let held = take_in();
            let client = connecting.join().expect("a connection");
            proxy.be(Manner::Closing);
            let before = proxy.connections();
            proxy.cut();
            proxy.is_reached(before + 3); // in vain
            proxy.be(Manner::Obliging);
            let again = take_in();
            eventually("the connection", PATIENCE, || client.is_connected());
            let statuses: Vec<_> = told.statuses.try_iter().collect();
            let is_loss = |status: &Status| matches!(status, Status::Disconnected(reason) if !matches!(reason, DisconnectReason::Client));
            assert_eq!(
                statuses.iter().filter(|status| is_loss(status)).count(),
                1,
                "{statuses:?}"
            );
            drop((held, again, client));
        }
    }
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod with_tls {
    use sio_peer::alone::threads_end;
    use sio_peer::tls::TlsPeer;
    use sio_peer::tls::certificates::{Authority, Server};

    use super::*;
    use crate::tls::{builders, serve};

    #[test]
    fn every_way_leads_to_a_server_with_tls() {
        const NAME: &str = "proxies::with_tls::every_way_leads_to_a_server_with_tls";
        sio_peer::tls::trusting(NAME, serve, |peer| {
            for (kind, scheme) in WAYS {
                for (name, builder) in builders(&peer.url()) {
                    let (proxy, through) = behind(kind, scheme);
                    let (builder, told) = watched(through(builder));
                    let client = builder
                        .connect()
                        .unwrap_or_else(|error| panic!("{scheme}, {name}: {}", error.chain()));
                    client.emit("x", "y").unwrap();
                    if name == "upgrade" {
                        told.upgraded();
                    }
                    client.close().unwrap();
                    if scheme != "socks5" {
                        proxying::leads_only_to(
                            &proxy,
                            scheme,
                            &format!("localhost:{}", peer.port()),
                        );
                    }
                }
            }
            threads_end("all connections");
        });
    }

    #[test]
    fn a_certificate_that_is_refused_behind_a_proxy_names_both() {
        let unknown = Authority::new("unknown").issue(&["localhost"]);
        let peer = TlsPeer::new(&Server::new(&unknown), serve);
        let (proxy, through) = behind(Kind::Http, "http");
        let error = through(websocket_only(Client::builder(&peer.url()))).connect();
        let error = error_of("connecting", error).chain();
        assert_says(
            &error,
            &[
                "TLS handshake with localhost",
                &proxy.url("http"),
                "unknown issuer",
            ],
        );
    }
}
