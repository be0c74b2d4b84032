//! The conformance suites of the sio clients, and what runs them against real servers.
//!
//! A [case](case::Case) is one line of the checklist, named by its number. The [runner] runs every case on every
//! server and transport and gets one outcome each; [what is expected](expected) stands in `expected.json`; the
//! [report] shows it. `cargo xtask test-servers` does all of it, the servers' installation included.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`server`] | a running server process |
//! | [`certificates`] | those of its ports with TLS, and of clients |
//! | [`daemon`] | programs from packages, such as proxies and balancers |
//! | [`nginx`], [`cluster`] | a server behind a reverse proxy, two nodes behind a balancer |
//! | [`scratch`] | folders that last as long as a test needs them |
//! | [`control`] | what the server saw, and making it do something |
//! | [`http`] | the few plain HTTP requests that takes |
//! | [`front`] | a TCP proxy in front of a server that does harm on request |
//! | [`context`] | what a case is given: a server, a transport, a tag of its own |
//! | [`case`] | a case, its outcome, and the checks |
//! | [`group`] | which cases take a deployment |
//! | [`suites`] | the cases, by group |
//! | [`protocol`] | what the suites have to know of a protocol, and which server speaks which |
//! | [`ask`], [`talk`] | clients in a process of their own: one that asks a server something, one that is lost and comes back |
//! | [`demo`] | what a client can do, in a few lines of output |
//! | [`faults`] | conversations under faults drawn at random |
//! | [`outage`] | a server that dies and comes back |
//! | [`soak`] | one connection under load for an hour |
//! | [`mismatch`] | what the clients say of servers that are no match, and of what is no server |
//! | [`runner`], [`expected`], [`report`] | running them, judging, showing |

pub mod ask;
pub mod case;
pub mod certificates;
pub mod cluster;
pub mod context;
pub mod control;
pub mod daemon;
pub mod demo;
pub mod expected;
pub mod faults;
pub mod front;
pub mod group;
pub mod http;
pub mod mismatch;
pub mod nginx;
pub mod outage;
mod port;
pub mod protocol;
pub mod report;
pub mod runner;
pub mod scratch;
pub mod server;
pub mod soak;
pub mod suites;
pub mod talk;
