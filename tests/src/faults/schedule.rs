//! Faults of a network, drawn at random, one after the other.

use std::io;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

use crate::front::{Cut, Direction, Door, Flow, Front, Place, Then, Which};

/// Which ways a fault has.
pub(crate) type Ways = &'static [Direction];

const WAYS: [Ways; 3] = [&Direction::BOTH, &[Direction::Up], &[Direction::Down]];

/// A fault, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) fault: Fault,
    pub(crate) length: Duration,
}

/// What is wrong with the network.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The bytes of all connections travel so.
    Flow(Ways, Flow),
    /// All connections are cut once.
    Cut(Cut),
    /// Each connection is cut behind so many bytes of a direction.
    CutEach(Direction, u64, Cut),
    /// Each WebSocket is cut behind so many bytes of a direction: while it opens, or while the session upgrades.
    CutUpgrade(Direction, u64, Cut),
    /// All connections are cut, and new ones find this.
    Door(Door, Cut),
}

impl Step {
    /// Ends the fault before, and begins this one.
    pub(crate) fn begin(&self, front: &Front) -> io::Result<()> {
        let until = |byte, how| Flow::Until(Place::Byte(byte), Then::Cut(how));
        front.heal()?;
        match &self.fault {
            Fault::None => {}
            Fault::Flow(ways, flow) => {
                for way in *ways {
                    front.set(Which::All, *way, flow.clone());
                }
            }
            Fault::Cut(how) => front.cut(*how),
            Fault::CutEach(way, byte, how) => front.set(Which::All, *way, until(*byte, *how)),
            Fault::CutUpgrade(way, byte, how) => {
                front.set(Which::WebSockets, *way, until(*byte, *how));
                front.cut(*how);
            }
            Fault::Door(door, how) => {
                front.set_door(*door)?;
                front.cut(*how);
            }
        }
        Ok(())
    }

    /// Whether the server may see something twice that the client said once, or sees nobody take what it says.
    pub(crate) fn doubles(&self) -> bool {
        matches!(self.fault, Fault::Door(Door::Doubled, _))
    }
}

/// Up to `most` steps of at most `longest` each.
pub(crate) fn schedules(most: usize, longest: Duration) -> impl Strategy<Value = Vec<Step>> {
    vec(step(longest), 1..=most)
}

/// One step. Most are short, so that much happens; the others are as long as a silence that is noticed.
pub(crate) fn step(longest: Duration) -> impl Strategy<Value = Step> {
    const SHORTEST: u64 = 5;
    let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    let short = longest.div_ceil(4).max(SHORTEST + 1);
    let length = prop_oneof![
        5 => SHORTEST..short,
        1 => short..longest.max(short + 1),
    ];
    (fault(), length).prop_map(|(fault, length)| Step {
        fault,
        length: Duration::from_millis(length),
    })
}

fn fault() -> impl Strategy<Value = Fault> {
    let doors = prop_oneof![
        Just(Door::Closed),
        Just(Door::BlackHole),
        cut().prop_map(Door::Slammed),
        Just(Door::Doubled),
    ];
    prop_oneof![
        2 => Just(Fault::None),
        6 => (select(&WAYS[..]), flow()).prop_map(|(ways, flow)| Fault::Flow(ways, flow)),
        2 => cut().prop_map(Fault::Cut),
        3 => (direction(), 0..2000_u64, cut()).prop_map(|(way, byte, how)| Fault::CutEach(way, byte, how)),
        2 => (direction(), 0..600_u64, cut()).prop_map(|(way, byte, how)| Fault::CutUpgrade(way, byte, how)),
        4 => (doors, cut()).prop_map(|(door, how)| Fault::Door(door, how)),
    ]
}

fn flow() -> impl Strategy<Value = Flow> {
    prop_oneof![
        (1..80_u64).prop_map(|ms| Flow::Late(Duration::from_millis(ms))),
        (300..50_000_u32).prop_map(Flow::Slow),
        Just(Flow::Frozen),
        Just(Flow::Swallowed),
    ]
}

fn cut() -> impl Strategy<Value = Cut> {
    any::<bool>().prop_map(|reset| if reset { Cut::Reset } else { Cut::Fin })
}

fn direction() -> impl Strategy<Value = Direction> {
    any::<bool>().prop_map(|up| if up { Direction::Up } else { Direction::Down })
}
