//! Parts of V3 behind a balancer with two nodes, on the server that can be [one of several](crate::server::CLUSTERED).

use sio_core::{DisconnectReason, Status, Value};
use sio_v1::{Client, Session};

use super::kit::{Log, ask};
use super::returning::{is_anew, quick, wait_back};
use crate::case::{Case, Failure, Outcome, POLLING_FIRST};
use crate::cluster::{ADDRESS, Balancer, COOKIE, Cluster};
use crate::context::{Context, StatusLog};
use crate::control::Request;
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    vec![
        Case::in_modes(
            "V3.13b",
            "behind a balancer that keeps no client on its node, the error says what is missing",
            POLLING_FIRST,
            without_stickiness,
        ),
        Case::everywhere(
            "V3.14a",
            "a balancer's cookie goes with every later request: each client stays on its node",
            sticky_by_cookie,
        ),
        Case::everywhere(
            "V3.14b",
            "a balancer that goes by the client's address: each client stays on its node",
            haproxy_by_address,
        ),
        Case::everywhere(
            "V3.14c",
            "what one node tells everybody reaches the clients of the other",
            broadcasts_reach_the_other_node,
        ),
        Case::everywhere(
            "V3.14d",
            "a client whose node dies comes back on the other, and stays there",
            comes_back_on_the_other_node,
        ),
        Case::everywhere(
            "V3.14e",
            "an nginx that goes by the client's address: each client stays on its node",
            nginx_by_address,
        ),
    ]
}

/// A client through the balancer, which comes back quickly.
struct Member {
    client: Client,
    tag: String,
    log: StatusLog,
}

/// Connects clients until each node has one that was connected through several requests; `header` is what the client
/// of a number shows the balancer.
fn one_on_each_node(
    cx: &Cx,
    cluster: &Cluster,
    header: impl Fn(usize) -> (&'static str, String),
) -> Outcome<[Member; 2]> {
    const ENOUGH: usize = 16;
    let mut found = [None, None];
    for number in 0..ENOUGH {
        let (tag, log) = (format!("{}-{number}", cx.tag()), StatusLog::new());
        let (name, value) = header(number);
        let client = cx
            .builder_tagged(&cluster.url(), &tag)
            .header(name, &value)
            .reconnect(quick())
            .on_status(log.watcher())
            .connect()?;
        cx.settle(&client)?;
        for _ in 0..3 {
            cx.exchange(&client)?;
        }
        let lost = log.count(|status| matches!(status, Status::Disconnected(_)));
        ensure_eq!(lost, 0, "losses of client {number}");
        let (node, _) = cluster.node_of(&tag)?;
        found[node] = Some(Member { client, tag, log });
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    match found {
        [Some(one), Some(other)] => Ok([one, other]),
        _ => Err(Failure::from(format!(
            "{ENOUGH} clients are all on one node"
        ))),
    }
}

fn by_number(number: usize) -> (&'static str, String) {
    ("X-Number", number.to_string())
}

fn by_address(number: usize) -> (&'static str, String) {
    // nginx looks at the first three numbers; of haproxy's hash, the last one decides.
    (ADDRESS, format!("10.0.{number}.{number}"))
}

/// The balancer's cookie in a request.
fn balancers_cookie(request: &Request) -> Option<&str> {
    let mut cookies = request.header("cookie")?.split("; ");
    cookies.find_map(|cookie| cookie.strip_prefix(COOKIE)?.strip_prefix('='))
}

fn sticky_by_cookie(cx: &Cx) -> Outcome {
    let cluster = Cluster::start(Balancer::HaproxyCookie)?;
    for (number, member) in one_on_each_node(cx, &cluster, by_number)?
        .iter()
        .enumerate()
    {
        let node = Cluster::NODES[number];
        cx.exchange(&member.client)?;
        let control = cluster.nodes()[number].control().tagged(&member.tag);
        let handshakes = cookies_that_came(&control.requests()?, node)?;
        ensure_eq!(handshakes, [None], "the cookie in the handshake");
        // Also what comes back goes to the node that the cookie names.
        let before = member.client.id();
        ensure!(control.drop_connections("fin")? > 0, "nothing was dropped");
        wait_back(&member.log, 1)?;
        is_anew(cx, &member.client, before)?;
        let (found, requests) = cluster.node_of(&member.tag)?;
        ensure_eq!(found, number, "the node it came back to");
        let handshakes = cookies_that_came(&requests, node)?;
        ensure_eq!(
            handshakes,
            [None, Some(node.to_owned())],
            "the cookie in both handshakes"
        );
    }
    Ok(())
}

/// The balancer's cookie in each handshake; every other request must have this one.
fn cookies_that_came(requests: &[Request], node: &str) -> Outcome<Vec<Option<String>>> {
    let mut of_handshakes = Vec::new();
    for request in requests {
        let cookie = balancers_cookie(request);
        if request.sid.is_none() {
            of_handshakes.push(cookie.map(str::to_owned));
        } else {
            ensure_eq!(cookie, Some(node), "the cookie in {}", request.url);
        }
    }
    Ok(of_handshakes)
}

fn haproxy_by_address(cx: &Cx) -> Outcome {
    sticky_by_address(cx, Balancer::HaproxyAddress)
}

fn nginx_by_address(cx: &Cx) -> Outcome {
    sticky_by_address(cx, Balancer::NginxAddress)
}

fn sticky_by_address(cx: &Cx, balancer: Balancer) -> Outcome {
    let cluster = Cluster::start(balancer)?;
    for member in one_on_each_node(cx, &cluster, by_address)? {
        cx.exchange(&member.client)?;
    }
    Ok(())
}

fn broadcasts_reach_the_other_node(cx: &Cx) -> Outcome {
    let cluster = Cluster::start(Balancer::HaproxyCookie)?;
    let members = one_on_each_node(cx, &cluster, by_number)?;
    let news = members.each_ref().map(|_| Log::<Value>::new());
    for (member, log) in members.iter().zip(&news) {
        member.client.on("news", log.writer());
        let () = ask(&member.client, "join", "everybody")?;
    }
    for (number, member) in members.iter().enumerate() {
        member
            .client
            .emit("broadcast", ("everybody", "news", format!("from {number}")))?;
        for log in &news {
            log.wait_for(number + 1, "news")?;
        }
    }
    for log in news {
        let expected = ["from 0", "from 1"].map(Value::from);
        ensure_eq!(log.seen(), expected, "the news");
    }
    Ok(())
}

fn comes_back_on_the_other_node(cx: &Cx) -> Outcome {
    let cluster = Cluster::start(Balancer::HaproxyCookie)?;
    let log = StatusLog::new();
    let builder = cx.builder_at(&cluster.url()).reconnect(quick());
    let client = builder.on_status(log.watcher()).connect()?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    let (lost, _) = cluster.node_of(cx.tag())?;
    let before = client.id();
    cluster.nodes()[lost].kill()?;
    wait_back(&log, 1)?;
    is_anew(cx, &client, before)?;
    cx.exchange(&client)?;
    let left = 1 - lost;
    let control = cluster.nodes()[left].control().tagged(cx.tag());
    let session = control.session()?;
    ensure_eq!(
        client.id(),
        Some(session.sid),
        "the session on the node that is left"
    );
    let [dead, alive] = [lost, left].map(|node| Cluster::NODES[node]);
    ensure_eq!(
        cookies_that_came(&control.requests()?, alive)?,
        [Some(dead.to_owned())],
        "the cookie in the handshake with the other node"
    );
    Ok(())
}

fn without_stickiness(cx: &Cx) -> Outcome {
    let cluster = Cluster::start(Balancer::HaproxyRoundRobin)?;
    // Socket.IO 2 says with the handshake that the root is connected, so the next request is the first that can fail.
    let client = cx.builder_at(&cluster.url()).connect()?;
    let DisconnectReason::Error(error) = client.wait() else {
        return Err("it ended without an error".into());
    };
    let text = error.chain();
    for words in ["400", "does not know", "by cookie or by address"] {
        ensure!(
            text.contains(words),
            "{words:?} is not in the error: {text}"
        );
    }
    let [one, other] = cluster.seen(cx.tag())?;
    ensure!(
        !one.is_empty() && !other.is_empty(),
        "all requests came to one node: the case shows nothing"
    );
    Ok(())
}
