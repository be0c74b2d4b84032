//! Every option on every leg: what a program asks for stands on each request of a connection, once, and again after each
//! loss.
//!
//! [`options`] is the table of options and of what a server has to see. A [`Wire`] leads sessions of its protocol over their
//! legs. A [`Stage`] is between them: it looks at each request as it comes, and puts cookies on each answer, which have
//! to be on everything that follows.

mod options;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use sio_core::session::Session;
use sio_core::{Result, Status, Transport};
use sio_net::{Client, ClientBuilder};

pub use options::options;

use crate::client::watched;
use crate::lifecycle::eager;
use crate::peer::{Answer, Peer, Request};
use crate::wait::{Background, background, next};
use crate::websocket::WebSocketPeer;

/// How often a connection is lost, and made again.
const SESSIONS: usize = 3;

/// A protocol as it leads a session over its legs.
pub trait Wire {
    /// The client's side.
    type Protocol: Session;

    /// The parameters that are the protocol's own.
    const PARAMETERS: &'static [&'static str];

    /// Whether this may stand behind the path that the program chose.
    fn is_behind_path(rest: &str) -> bool;

    /// The ways on which a session may be carried.
    fn ways() -> Vec<Way<Self::Protocol>>;
}

/// One way of carrying a session.
#[derive(Debug)]
pub struct Way<P: Session> {
    /// Its name, for failures.
    pub name: &'static str,
    /// What the client may use.
    pub transports: &'static [Transport],
    /// Leads one session over all legs of this way, and then loses it.
    pub walk: fn(&mut Stage<P>),
}

/// An option, as a program gives it and as servers see it.
#[derive(Debug)]
pub struct Choice<P: Session> {
    /// Its name, for failures.
    pub name: &'static str,
    /// The URL, from the authority of the first server.
    pub url: fn(&str) -> String,
    /// Sets the option; some need the URL of the second server.
    pub set: fn(ClientBuilder<P>, &str) -> ClientBuilder<P>,
    /// What the requests of an attempt carry, counted from 0.
    pub expect: fn(usize) -> Expected,
}

/// What all requests of an attempt have to carry.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Which server they go to: 0 or 1.
    pub server: usize,
    /// The HTTP path.
    pub path: &'static str,
    /// The program's part of the query, as it is written.
    pub query: &'static str,
    /// The program's headers with all their values, without cookies.
    pub headers: Vec<(&'static str, Vec<&'static str>)>,
    /// The cookies that the program gives.
    pub cookies: Vec<(&'static str, &'static str)>,
    /// Those cookies of the server that do not count any more.
    pub forgotten: Vec<&'static str>,
}

/// What every cookie of the server begins with.
pub(crate) const OF_SERVER: &str = "S3cret-of-server";

/// Headers that the client sets itself, each once at most, beside those that are looked at always.
const OWN_HEADERS: [&str; 9] = [
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "sec-websocket-key",
    "sec-websocket-version",
    "upgrade",
];

/// A server of a [`Stage`].
#[derive(Debug)]
struct Server {
    peer: Peer,
    /// Host and port, as they stand in its URL.
    authority: String,
    /// The cookies that it has set.
    jar: BTreeMap<String, String>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Stage<P: Session> {
    /// Way and option, for failures.
    what: String,
    is_behind_path: fn(&str) -> bool,
    parameters: &'static [&'static str],
    servers: [Server; 2],
    expect: fn(usize) -> Expected,
    attempt: usize,
    expected: Expected,
    /// How many answers there were; each sets cookies of its own.
    answers: usize,
    connecting: Option<Background<Result<Client<P>>>>,
    client: Option<Client<P>>,
    statuses: Receiver<Status>,
}

/// A request that was looked at.
#[derive(Debug)]
pub struct Leg {
    name: &'static str,
    /// The request.
    pub request: Request,
}

impl Leg {
    fn values(&self, name: &str) -> Vec<&str> {
        let found = self.request.headers.iter();
        let found = found.filter(|(other, _)| other == name);
        found.map(|(_, value)| &**value).collect()
    }
}

/// Walks every option over every leg.
pub fn every_option_is_on_every_leg<W: Wire>() {
    for way in W::ways() {
        for option in options() {
            walk::<W>(&way, &option);
        }
    }
}

/// Walks one option over the legs of one way, session after session.
pub(crate) fn walk<W: Wire>(
    way: &Way<W::Protocol>,
    option: &Choice<W::Protocol>,
) -> Stage<W::Protocol> {
    let mut stage = Stage::new::<W>(way, option);
    for _ in 0..SESSIONS {
        stage.next_attempt();
        (way.walk)(&mut stage);
    }
    stage
}

impl<P: Session> Stage<P> {
    fn new<W: Wire<Protocol = P>>(way: &Way<P>, option: &Choice<P>) -> Self {
        // By two names: cookies do not tell ports apart.
        let servers = ["127.0.0.1", "localhost"].map(|host| {
            let peer = Peer::new();
            Server {
                authority: format!("{host}:{}", peer.port()),
                peer,
                jar: BTreeMap::new(),
            }
        });
        let url = (option.url)(&servers[0].authority);
        let second = format!("http://{}", servers[1].authority);
        let builder = Client::builder(&url).transports(way.transports.iter().copied());
        let builder = (option.set)(builder, &second).reconnect(eager().retry_initial(true));
        let (builder, told) = watched(builder);
        Self {
            what: format!("{}, over {}", option.name, way.name),
            is_behind_path: W::is_behind_path,
            parameters: W::PARAMETERS,
            servers,
            expect: option.expect,
            attempt: 0,
            expected: (option.expect)(0),
            answers: 0,
            connecting: Some(background("connecting", move || builder.connect())),
            client: None,
            statuses: told.statuses,
        }
    }

    /// From here on, the requests are those of the next attempt.
    pub fn next_attempt(&mut self) {
        self.expected = (self.expect)(self.attempt);
        self.attempt += 1;
        let forgotten = &self.expected.forgotten;
        let jar = &mut self.servers[self.expected.server].jar;
        jar.retain(|name, _| !forgotten.contains(&name.as_str()));
    }

    fn server(&mut self) -> &mut Server {
        &mut self.servers[self.expected.server]
    }

    // --- requests -----------------------------------------------------------------------------------------------

    /// The next GET that opens no WebSocket.
    #[track_caller]
    pub fn get(&mut self, name: &'static str) -> Leg {
        let request = self.server().peer.get();
        self.looked_at(name, request)
    }

    /// The next POST.
    #[track_caller]
    pub fn post(&mut self, name: &'static str) -> Leg {
        let request = self.server().peer.post();
        self.looked_at(name, request)
    }

    /// The next WebSocket.
    #[track_caller]
    pub fn upgrade(&mut self, name: &'static str) -> Leg {
        let request = self.server().peer.upgrade();
        self.looked_at(name, request)
    }

    /// The next GET, if one comes within `limit`.
    #[track_caller]
    pub fn get_within(&mut self, name: &'static str, limit: Duration) -> Option<Leg> {
        let request = self.server().peer.get_within(limit)?;
        Some(self.looked_at(name, request))
    }

    #[track_caller]
    fn looked_at(&self, name: &'static str, request: Request) -> Leg {
        let leg = Leg { name, request };
        self.look_at_target(&leg);
        self.look_at_headers(&leg);
        self.look_at_cookies(&leg);
        leg
    }

    #[track_caller]
    fn look_at_target(&self, leg: &Leg) {
        let target = &leg.request.target;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_right = path
            .strip_prefix(self.expected.path)
            .is_some_and(self.is_behind_path);
        self.same(leg, "path", is_right.then_some(()).ok_or(path), Ok(()));
        let is_own = |one: &&str| {
            let name = one.split('=').next().unwrap_or_default();
            self.parameters.contains(&name)
        };
        let of_program: Vec<&str> = query.split('&').filter(|one| !is_own(one)).collect();
        self.same(leg, "query", &*of_program.join("&"), self.expected.query);
    }

    #[track_caller]
    fn look_at_headers(&self, leg: &Leg) {
        let mut expected = self.expected.headers.clone();
        expected.push(("host", vec![&self.servers[self.expected.server].authority]));
        if !expected.iter().any(|(name, _)| *name == "user-agent") {
            let agent = concat!("sio/", env!("CARGO_PKG_VERSION"));
            expected.push(("user-agent", vec![agent]));
        }
        for (name, values) in &expected {
            self.same(leg, name, &leg.values(name), values);
        }
        for (name, _) in &leg.request.headers {
            let is_known = |(known, _): &(&str, _)| known == name;
            if !expected.iter().any(is_known) {
                let wanted = usize::from(OWN_HEADERS.contains(&name.as_str()));
                let what = format!("number of headers {name}");
                self.same(leg, &what, leg.values(name).len(), wanted);
            }
        }
    }

    #[track_caller]
    fn look_at_cookies(&self, leg: &Leg) {
        let given = self.expected.cookies.iter().copied();
        let set = self.servers[self.expected.server].jar.iter();
        let set = set.map(|(name, value)| (name.as_str(), value.as_str()));
        // What the server has set comes in place of what was given.
        let wanted: BTreeMap<&str, &str> = given.chain(set).collect();
        let lines = leg.values("cookie");
        let pairs = lines.iter().flat_map(|line| line.split("; "));
        let mut seen: Vec<_> = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        seen.sort_unstable();
        let wanted: Vec<_> = wanted.into_iter().collect();
        self.same(leg, "cookies", seen, wanted);
    }

    #[track_caller]
    fn same<T: PartialEq + Debug>(&self, leg: &Leg, option: &str, seen: T, wanted: T) {
        let (attempt, what) = (self.attempt - 1, &self.what);
        assert!(
            seen == wanted,
            "{what}, attempt {attempt}: {option} of the {} should be {wanted:?}, and is {seen:?}\n{:?}",
            leg.name,
            leg.request
        );
    }

    // --- answers ------------------------------------------------------------------------------------------------

    /// Answers a request, with cookies that later ones have to bring back, and some that they must not.
    pub fn answer(&mut self, leg: Leg, mut answer: Answer) {
        for cookie in self.cookies(&leg) {
            answer = answer.header("Set-Cookie", &cookie);
        }
        leg.request.answer(&answer);
    }

    /// Refuses a WebSocket. When the client has seen it, nobody knows: it is for the caller to wait.
    pub fn refuse(&mut self, leg: Leg) {
        self.answer(leg, Answer::new(403, "text/plain", b"no WebSocket here"));
    }

    /// Accepts a WebSocket.
    pub fn accept(&mut self, leg: Leg) -> WebSocketPeer {
        let cookies = self.cookies(&leg);
        WebSocketPeer::accept_with(leg.request, &cookies)
    }

    /// What is set by the answer to this leg: `Set-Cookie` headers for heads that are written by hand.
    ///
    /// None is `Secure`: on loopback those count without TLS, as in browsers.
    pub fn cookies(&mut self, leg: &Leg) -> Vec<String> {
        self.answers += 1;
        let (name, count) = (leg.name, self.answers);
        let value = format!("{OF_SERVER}-{count}");
        let jar = &mut self.server().jar;
        jar.insert(format!("by-{name}"), value.clone());
        let short = format!("short-{name}");
        // Set by one answer, and removed by the next.
        let age = match jar.remove(&short) {
            Some(_) => 0,
            None => {
                jar.insert(short.clone(), value.clone());
                1000
            }
        };
        vec![
            format!("by-{name}={value}; Path=/; HttpOnly; SameSite=Strict"),
            format!("{short}={value}; Path=/; Max-Age={age}"),
            format!("only-elsewhere={value}; Path=/elsewhere"),
            format!("of-others={value}; Path=/; Domain=other.example"),
        ]
    }

    // --- the program --------------------------------------------------------------------------------------------

    /// Emits something; the namespace has to be granted by then, if this is the first session.
    #[track_caller]
    pub fn emit(&mut self) {
        if let Some(connecting) = self.connecting.take() {
            let client = connecting.join();
            self.client = Some(client.expect("a connection"));
        }
        self.client
            .as_ref()
            .expect("a client")
            .emit("x", ())
            .unwrap();
    }

    /// What the client looks like to who prints it, and what it has told.
    pub(crate) fn printed(&self) -> Vec<String> {
        let statuses = self.statuses.try_iter();
        let mut printed: Vec<String> = statuses.map(|status| format!("{status:?}")).collect();
        printed.push(format!("{:?}", self.client));
        printed
    }

    /// Waits until the client knows that its WebSocket was refused.
    #[track_caller]
    pub fn upgrade_failed(&self) {
        while !matches!(
            next("the failed upgrade", &self.statuses),
            Status::UpgradeFailed(_)
        ) {}
    }
}
