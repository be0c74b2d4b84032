//! Two nodes of one application behind a balancer, as far as one machine can show them.

use std::ffi::OsString;
use std::sync::Arc;
use std::thread;

use crate::case::{Failure, Outcome};
use crate::control::{Request, Tagged};
use crate::daemon::Daemon;
use crate::nginx::{Nginx, WebSockets};
use crate::server::Server;

/// What stands in front of the nodes, and how it finds the one that knows a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balancer {
    /// haproxy, by a cookie that it sets.
    HaproxyCookie,
    /// haproxy, by the address of the client; [`ADDRESS`] says which.
    HaproxyAddress,
    /// haproxy, not at all: each request goes to the next node.
    HaproxyRoundRobin,
    /// nginx, by the address of the client.
    NginxAddress,
}

/// The header that the balancer takes the address of a client from. On one machine all come from the same.
pub const ADDRESS: &str = "X-Forwarded-For";
/// The name of the cookie.
pub const COOKIE: &str = "node";

/// Two nodes, the redis server between them, and a balancer in front.
#[derive(Debug)]
pub struct Cluster {
    balancer: Front,
    nodes: [Arc<Server>; 2],
    _redis: Daemon,
}

#[derive(Debug)]
enum Front {
    Haproxy(Daemon),
    Nginx(Nginx),
}

impl Cluster {
    /// The names of the nodes, which are the values of the cookie.
    pub const NODES: [&'static str; 2] = ["one", "other"];

    /// Starts all of it.
    ///
    /// # Errors
    /// If a program is not installed, which is [no failure](Failure::not_here), or something does not start.
    pub fn start(balancer: Balancer) -> Outcome<Self> {
        let redis = start_redis()?;
        let nodes = start_nodes(redis.port())?;
        let ports = [nodes[0].port("main"), nodes[1].port("main")];
        let choice = match balancer {
            Balancer::HaproxyCookie => Some(by_cookie()),
            Balancer::HaproxyAddress => Some(by_address()),
            Balancer::HaproxyRoundRobin => Some("balance roundrobin".to_owned()),
            Balancer::NginxAddress => None,
        };
        let balancer = match choice {
            Some(choice) => Front::Haproxy(start_haproxy(&choice, ports)?),
            None => Front::Nginx(Nginx::start(&ports, WebSockets::PassedOn)?),
        };
        Ok(Self {
            balancer,
            nodes,
            _redis: redis,
        })
    }

    /// The URL of the balancer.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.balancer {
            Front::Haproxy(haproxy) => format!("http://127.0.0.1:{}", haproxy.port()),
            Front::Nginx(nginx) => nginx.url(),
        }
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Arc<Server>; 2] {
        &self.nodes
    }

    /// The one node that saw requests of a tag, and the requests.
    ///
    /// # Errors
    /// If none or both did.
    pub fn node_of(&self, tag: &str) -> Outcome<(usize, Vec<Request>)> {
        let [one, other] = self.seen(tag)?;
        match (one.is_empty(), other.is_empty()) {
            (false, true) => Ok((0, one)),
            (true, false) => Ok((1, other)),
            _ => Err(Failure::from(format!(
                "requests of {tag} at the two nodes: {} and {}",
                one.len(),
                other.len()
            ))),
        }
    }

    /// The requests of a tag that each node saw.
    ///
    /// # Errors
    /// If a node does not answer.
    pub fn seen(&self, tag: &str) -> Outcome<[Vec<Request>; 2]> {
        let [one, other] = self.controls(tag);
        Ok([one.requests()?, other.requests()?])
    }

    /// What each node knows of a tag.
    #[must_use]
    pub fn controls(&self, tag: &str) -> [Tagged; 2] {
        self.nodes.each_ref().map(|node| node.control().tagged(tag))
    }
}

/// A redis server that writes nothing.
fn start_redis() -> Outcome<Daemon> {
    Daemon::start("redis-server", |place| {
        let port = place.port.to_string();
        let words = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port,
            "--save",
            "",
            "--appendonly",
            "no",
        ];
        Ok(words.map(OsString::from).to_vec())
    })
}

/// Both at once: each takes a moment.
fn start_nodes(redis: u16) -> Outcome<[Arc<Server>; 2]> {
    let start = || Server::start_node(redis).map_err(|error| Failure::from(error.to_string()));
    thread::scope(|scope| {
        let one = scope.spawn(start);
        let other = start();
        let one = one.join().map_err(|_| "starting a node panicked")?;
        Ok([Arc::new(one?), Arc::new(other?)])
    })
}

/// A cookie that is not `indirect` is seen by the nodes, and so by the tests.
fn by_cookie() -> String {
    format!("balance roundrobin\n  cookie {COOKIE} insert nocache")
}

fn by_address() -> String {
    format!("http-request set-src hdr({ADDRESS})\n  balance source")
}

fn start_haproxy(choice: &str, ports: [u16; 2]) -> Outcome<Daemon> {
    Daemon::start("haproxy", |place| {
        let config = place.file("haproxy.cfg", &configuration(place.port, choice, ports))?;
        Ok(vec!["-db".into(), "-f".into(), config.into()])
    })
}

/// A node that is gone is noticed within 0.1 s; a request for it then goes to the other (`redispatch`).
fn configuration(port: u16, choice: &str, [one, other]: [u16; 2]) -> String {
    let [first, second] = Cluster::NODES;
    format!(
        "defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  option redispatch 1
  retries 2
  default-server check inter 100ms fall 1 rise 1

listen balancer
  bind 127.0.0.1:{port}
  {choice}
  server {first} 127.0.0.1:{one} cookie {first}
  server {second} 127.0.0.1:{other} cookie {second}
"
    )
}
