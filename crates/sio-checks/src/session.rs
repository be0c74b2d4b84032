//! A session without a network: inputs, commands and time come from a tape, and whatever the session does with them, it
//! keeps the contract of [`sio_core::session`].

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use bytestring::ByteString;
use sio_core::session::{AckId, Command, Input, Io, Output, Session, SessionEvent};
use sio_core::{Encoded, Transport};

use super::client::{self, CLOSE_TIMEOUT, CONNECT_TIMEOUT, DEADLINES, NAMESPACES};
use super::log::Log;
use super::network::{Network, Server, cut};
use super::tape::Tape;

/// A session, what is on the network for it, and what its program was told.
struct World<'a, P: Server> {
    tape: Tape<'a>,
    session: P::Session,
    network: Network<P>,
    now: Instant,
    transport: Option<Transport>,
    upgraded: bool,
    joined: BTreeSet<ByteString>,
    /// What the server asked, and was not answered.
    questions: VecDeque<(ByteString, AckId)>,
    next_ack: AckId,
    /// How many payloads were commanded, and how many of them the server got.
    commanded: u64,
    arrived: u64,
    /// When the session has to be over, once it was told to close.
    close_by: Option<Instant>,
    closed: bool,
    log: Log,
}

/// Plays a tape to its end, and then closes the session.
pub(super) fn play<P: Server>(input: &[u8]) {
    let mut world = World::<P>::new(Tape::new(input));
    world.carry_out();
    while !world.closed && !world.tape.is_over() {
        if world.tape.byte() == u8::MAX {
            world.forget_the_contract();
            return;
        }
        world.step();
    }
    world.close();
    for _ in 0..DEADLINES {
        if world.closed {
            return;
        }
        world.time_passes_to_deadline();
    }
    panic!("closing has {DEADLINES} deadlines");
}

impl<'a, P: Server> World<'a, P> {
    fn new(mut tape: Tape<'a>) -> Self {
        let config = client::config::<P>(&mut tape);
        let mut log = Log::default();
        log.note(|| format!("{config:?}"));
        let now = Instant::now();
        Self {
            tape,
            session: P::Session::start(config, now + CONNECT_TIMEOUT, now),
            network: Network::new(),
            now,
            transport: None,
            upgraded: false,
            joined: BTreeSet::new(),
            questions: VecDeque::new(),
            next_ack: P::Session::FIRST_ACK_ID,
            commanded: 0,
            arrived: 0,
            close_by: None,
            closed: false,
            log,
        }
    }

    // --- what the session wants -------------------------------------------------------------------------------------

    /// Carries out all outputs, and looks at each of them. Returns how many there were.
    fn carry_out(&mut self) -> usize {
        let mut count = 0;
        while let Some(output) = self.session.poll_output() {
            self.log.note(|| format!("    {output:?}"));
            assert!(!self.closed, "something follows the end");
            count += 1;
            match output {
                Output::Io(io) => self.io(io),
                Output::Event(event) => self.event(event),
            }
        }
        let backlog = self.session.backlog();
        if self.closed {
            assert_eq!(backlog, 0, "a backlog that nobody will take");
            let due = self.session.poll_timeout();
            assert_eq!(due, None, "a deadline behind the end");
        } else if backlog == 0 {
            assert_eq!(self.arrived, self.commanded, "something was lost");
        }
        assert!(backlog < 1 << 32, "a backlog below nothing");
        count
    }

    /// Payloads arrive in order, each once.
    fn io(&mut self, io: Io) {
        for number in self.network.carry_out(io) {
            assert_eq!(
                number, self.arrived,
                "a payload is lost, doubled, or out of order"
            );
            self.arrived += 1;
        }
        assert!(self.arrived <= self.commanded, "nobody sent this");
    }

    fn event(&mut self, event: SessionEvent) {
        let is_open = self.transport.is_some();
        match event {
            SessionEvent::Identified => assert!(!is_open, "a handshake in an open session"),
            SessionEvent::Opened { transport, .. } => {
                assert!(!is_open, "opened twice");
                self.transport = Some(transport);
            }
            SessionEvent::Upgraded => {
                assert!(!self.upgraded && self.transport == Some(Transport::Polling));
                self.upgraded = true;
            }
            SessionEvent::UpgradeFailed(_) => {
                assert!(!self.upgraded && self.transport == Some(Transport::Polling));
            }
            SessionEvent::TransportFailed { .. } => {
                assert!(!is_open, "a session stays on its transport");
            }
            SessionEvent::Joined { namespace } => {
                assert!(is_open, "joined before the session is open");
                assert!(self.joined.insert(namespace), "joined twice");
            }
            SessionEvent::Left { namespace } => {
                self.joined.remove(&namespace);
            }
            SessionEvent::Refused { namespace, .. } => {
                let is_joined = self.joined.contains(&namespace);
                assert!(!is_joined, "refused behind its grant");
            }
            SessionEvent::ServerError { namespace, .. } => {
                let is_joined = self.joined.contains(&namespace);
                assert!(is_joined, "an error of a namespace that is out");
            }
            // Also of a namespace that is out: the manager keeps or drops those.
            SessionEvent::Event {
                namespace,
                args,
                id,
                ..
            } => {
                let _ = args.to_values();
                self.questions.extend(id.map(|id| (namespace, id)));
            }
            SessionEvent::Ack { args, .. } => {
                let _ = args.to_values();
            }
            SessionEvent::Latency(_) => assert!(is_open),
            SessionEvent::Tolerated { .. } => {}
            SessionEvent::Closed(_) => {
                self.closed = true;
                assert!(self.network.is_silent(), "the end leaves something open");
            }
        }
    }

    // --- what happens -----------------------------------------------------------------------------------------------

    fn step(&mut self) {
        match self.tape.below(16) {
            0..=8 => {
                if let Some(input) = self.network.arrive(&mut self.tape) {
                    self.input(input);
                }
            }
            9 => {
                if let Some(input) = self.network.stale_answer(&mut self.tape) {
                    let effects = self.input(input);
                    assert_eq!(effects, 0, "what nobody asked for has an effect");
                }
            }
            10..=13 => self.command(),
            14 => self.time_passes_to_deadline(),
            _ => self.time_passes(),
        }
    }

    fn input(&mut self, input: Input) -> usize {
        self.log.note(|| format!("{input:?}"));
        self.session.handle_input(input, self.now);
        self.carry_out()
    }

    /// Reports of a WebSocket that may not be there: nothing is promised then, but that there is no panic.
    fn forget_the_contract(&mut self) {
        while !self.tape.is_over() {
            let input = match self.tape.below(5) {
                0 => Input::WebSocketOpened,
                1 => Input::WebSocketFailed(cut()),
                2 => Input::WebSocketUnanswered(cut()),
                _ => P::message(&mut self.tape),
            };
            self.log.note(|| format!("{input:?}"));
            self.session.handle_input(input, self.now);
            while self.session.poll_output().is_some() {}
        }
    }

    // --- what the program wants -------------------------------------------------------------------------------------

    /// As far as the manager lets it, which knows what is joined.
    fn command(&mut self) {
        if self.transport.is_none() || self.close_by.is_some() {
            return;
        }
        let namespace = ByteString::from(NAMESPACES[self.tape.below(NAMESPACES.len())]);
        let is_joined = self.joined.contains(&namespace);
        let command = match self.tape.below(16) {
            0..=1 if namespace != "/" && !is_joined => Command::Join {
                query: self.tape.flag().then(|| "a=b".into()),
                namespace,
            },
            2 => {
                self.joined.remove(&namespace);
                Command::Leave { namespace }
            }
            3 => return self.close(),
            4..=6 => {
                let Some((namespace, id)) = self.questions.pop_front() else {
                    return;
                };
                if !self.joined.contains(&namespace) {
                    return;
                }
                let payload = self.payload(None);
                Command::Ack {
                    namespace,
                    id,
                    payload,
                }
            }
            choice if is_joined => {
                let payload = self.payload(Some("e"));
                let asks = choice % 2 == 0;
                self.next_ack += u64::from(asks);
                Command::Emit {
                    namespace,
                    id: asks.then(|| self.next_ack - 1),
                    payload,
                }
            }
            _ => return,
        };
        self.log.note(|| format!("{command:?}"));
        self.session.handle_command(command, self.now);
        self.carry_out();
    }

    fn payload(&mut self, name: Option<&str>) -> Encoded {
        self.commanded += 1;
        client::payload::<P::Session>(&mut self.tape, name, self.commanded - 1)
    }

    fn close(&mut self) {
        if self.closed || self.close_by.is_some() {
            return;
        }
        self.log.note(|| "close".to_owned());
        self.close_by = Some(self.now + CLOSE_TIMEOUT);
        self.session.handle_command(Command::Close, self.now);
        self.carry_out();
    }

    // --- time -------------------------------------------------------------------------------------------------------

    fn time_passes_to_deadline(&mut self) {
        let Some(due) = self.session.poll_timeout() else {
            assert_eq!(self.close_by, None, "nothing will end this");
            return;
        };
        self.now = self.now.max(due);
        self.timeout();
    }

    /// A little, or up to many years.
    fn time_passes(&mut self) {
        self.now += Duration::from_millis(1 << self.tape.below(42));
        if self.tape.flag() {
            self.timeout();
        }
    }

    fn timeout(&mut self) {
        self.log.note(|| "the time passes".to_owned());
        self.session.handle_timeout(self.now);
        self.carry_out();
        if self.closed {
            return;
        }
        let next = self.session.poll_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "a deadline that has passed is due again: whoever drives this would spin"
        );
        let is_late = self.close_by.is_some_and(|close_by| close_by <= self.now);
        assert!(!is_late, "closing takes longer than its limit");
    }
}
