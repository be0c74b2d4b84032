//! Who is driven by a loop, whose turn it is, and who has to be driven when.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Token;

/// What a loop drives.
pub(crate) trait Driven: Send + Sync {
    /// Processes what is due. Whether there is more to do at once, after the others.
    fn drive(&self, due: Due) -> bool;
}

/// Why somebody is driven.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Due {
    /// Its socket may be ready.
    pub(crate) socket: bool,
    /// The time it noted has come, and is noted no more.
    pub(crate) deadline: bool,
    /// It was not done.
    again: bool,
}

impl Due {
    pub(super) const SOCKET: Self = Self {
        socket: true,
        deadline: false,
        again: false,
    };
    pub(super) const DEADLINE: Self = Self {
        socket: false,
        deadline: true,
        again: false,
    };
    pub(super) const AGAIN: Self = Self {
        socket: false,
        deadline: false,
        again: true,
    };

    fn is_any(self) -> bool {
        self != Self::default()
    }

    fn add(&mut self, other: Self) {
        self.socket |= other.socket;
        self.deadline |= other.deadline;
        self.again |= other.again;
    }
}

/// See the [module](self).
#[derive(Default)]
pub(super) struct Members {
    /// In the order of their tokens, which are not used again: what is late for one reaches no other.
    members: Vec<Member>,
    next_token: usize,
    /// Whose turn it is, each once.
    turns: VecDeque<Token>,
    deadlines: BTreeSet<(Instant, Token)>,
    /// Until when somebody sleeps in the poll; `Some(None)` is for ever.
    asleep_until: Option<Option<Instant>>,
}

struct Member {
    token: Token,
    driven: Arc<dyn Driven>,
    /// What stands in `deadlines` for it.
    deadline: Option<Instant>,
    /// Why it stands in `turns`, if it does.
    due: Due,
}

impl Members {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn add(&mut self, driven: Arc<dyn Driven>) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        if self.members.is_empty() {
            // Most loops have one, and room for four would be wasted on each of those.
            self.members.reserve_exact(1);
        }
        self.members.push(Member {
            token,
            driven,
            deadline: None,
            due: Due::default(),
        });
        token
    }

    fn find(&self, token: Token) -> Option<usize> {
        self.members
            .binary_search_by_key(&token, |member| member.token)
            .ok()
    }

    fn get_mut(&mut self, token: Token) -> Option<&mut Member> {
        let at = self.find(token)?;
        self.members.get_mut(at)
    }

    /// Turns it still has are passed over when they come.
    pub(super) fn remove(&mut self, token: Token) -> Option<Arc<dyn Driven>> {
        let member = self.members.remove(self.find(token)?);
        if let Some(deadline) = member.deadline {
            self.deadlines.remove(&(deadline, token));
        }
        Some(member.driven)
    }

    /// Notes a deadline, unless an earlier one is noted. Whether somebody sleeps longer than that.
    pub(super) fn note(&mut self, token: Token, due: Instant) -> bool {
        let Some(member) = self.get_mut(token) else {
            return false; // it leaves with its deadlines
        };
        let noted = member.deadline;
        if noted.is_some_and(|noted| noted <= due) {
            return false;
        }
        member.deadline = Some(due);
        if let Some(noted) = noted {
            self.deadlines.remove(&(noted, token));
        }
        self.deadlines.insert((due, token));
        self.asleep_until
            .is_some_and(|until| until.is_none_or(|until| due < until))
    }

    pub(super) fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Somebody goes to sleep, for this long at most; `None` is for ever.
    pub(super) fn fall_asleep(&mut self, now: Instant) -> Option<Duration> {
        if self.has_turns() {
            return Some(Duration::ZERO);
        }
        let until = self.deadlines.first().map(|(at, _)| *at);
        self.asleep_until = Some(until);
        until.map(|until| until.saturating_duration_since(now))
    }

    /// Whoever slept is awake again, and these sockets are ready. How many turns there are.
    pub(super) fn wake_up(&mut self, ready: impl Iterator<Item = Token>, now: Instant) -> usize {
        self.asleep_until = None;
        for token in ready {
            self.give_turn(token, Due::SOCKET);
        }
        while let Some(&(at, token)) = self.deadlines.first()
            && at <= now
        {
            self.deadlines.pop_first();
            if let Some(member) = self.get_mut(token) {
                member.deadline = None;
            }
            self.give_turn(token, Due::DEADLINE);
        }
        self.turns.len()
    }

    /// Whether somebody sleeps in the poll.
    pub(super) fn sleeps(&self) -> bool {
        self.asleep_until.is_some()
    }

    /// Gives a turn; false if there is no such member.
    pub(super) fn give_turn(&mut self, token: Token, why: Due) -> bool {
        let Some(member) = self.get_mut(token) else {
            return false;
        };
        let has_turn = member.due.is_any();
        member.due.add(why);
        if !has_turn {
            self.turns.push_back(token);
        }
        true
    }

    pub(super) fn next_turn(&mut self) -> Option<(Token, Arc<dyn Driven>, Due)> {
        while let Some(token) = self.turns.pop_front() {
            if let Some(member) = self.get_mut(token) {
                let due = std::mem::take(&mut member.due);
                return Some((token, Arc::clone(&member.driven), due));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody drives it here.
    struct Idle;

    impl Driven for Idle {
        fn drive(&self, _: Due) -> bool {
            false
        }
    }

    fn members(count: usize) -> (Members, Vec<Token>) {
        let mut members = Members::default();
        let tokens = (0..count).map(|_| members.add(Arc::new(Idle))).collect();
        (members, tokens)
    }

    fn turns(members: &mut Members) -> Vec<(Token, Due)> {
        let next = || members.next_turn().map(|(token, _, due)| (token, due));
        std::iter::from_fn(next).collect()
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_earliest_deadline_of_all_ends_the_sleep() {
        let now = Instant::now();
        let (mut members, tokens) = members(3);
        assert_eq!(members.fall_asleep(now), None);
        assert!(
            members.note(tokens[1], now + 5 * SECOND),
            "it sleeps for ever"
        );
        assert_eq!(members.fall_asleep(now), Some(5 * SECOND));
        assert!(!members.note(tokens[2], now + 9 * SECOND));
        assert!(
            members.note(tokens[0], now + 3 * SECOND),
            "earlier than it wakes"
        );
        assert_eq!(members.wake_up([].into_iter(), now + 6 * SECOND), 2);
        let due = [(tokens[0], Due::DEADLINE), (tokens[1], Due::DEADLINE)];
        assert_eq!(turns(&mut members), due);
        assert_eq!(members.fall_asleep(now + 6 * SECOND), Some(3 * SECOND));
    }

    #[test]
    fn a_later_deadline_waits_for_the_noted_one() {
        let now = Instant::now();
        let (mut members, tokens) = members(1);
        assert!(!members.note(tokens[0], now + SECOND), "nobody sleeps");
        assert!(!members.note(tokens[0], now + 2 * SECOND));
        assert_eq!(members.fall_asleep(now), Some(SECOND));
        assert_eq!(members.wake_up([].into_iter(), now + SECOND), 1);
        assert_eq!(
            members.fall_asleep(now),
            Some(Duration::ZERO),
            "a turn waits"
        );
        assert_eq!(turns(&mut members), [(tokens[0], Due::DEADLINE)]);
        assert_eq!(members.fall_asleep(now), None);
    }

    #[test]
    fn each_has_one_turn_for_all_that_is_due() {
        let now = Instant::now();
        let (mut members, tokens) = members(2);
        members.note(tokens[0], now);
        members.give_turn(tokens[0], Due::AGAIN);
        let ready = [tokens[1], tokens[0]];
        assert_eq!(members.wake_up(ready.into_iter(), now), 2);
        let all = Due {
            socket: true,
            deadline: true,
            again: true,
        };
        let due = [(tokens[0], all), (tokens[1], Due::SOCKET)];
        assert_eq!(turns(&mut members), due);
    }

    #[test]
    fn one_that_left_has_neither_turns_nor_deadlines() {
        let now = Instant::now();
        let (mut members, tokens) = members(2);
        members.note(tokens[0], now);
        members.give_turn(tokens[0], Due::SOCKET);
        assert!(members.remove(tokens[0]).is_some());
        assert!(members.remove(tokens[0]).is_none());
        members.give_turn(tokens[0], Due::SOCKET);
        assert!(!members.note(tokens[0], now));
        members.wake_up([tokens[0], tokens[1]].into_iter(), now);
        assert_eq!(turns(&mut members), [(tokens[1], Due::SOCKET)]);
        assert_eq!(members.len(), 1);
        // Nor has one that comes later its token.
        assert!(!tokens.contains(&members.add(Arc::new(Idle))));
    }
}
