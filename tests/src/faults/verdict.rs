//! What has to be true of a conversation, whatever the network did to it.

use std::collections::{BTreeMap, BTreeSet};

use sio_core::Status;

use super::conversation::{Answer, Conversation, Place, Record, Said, number_in};
use crate::case::{Failure, Outcome};
use crate::control::Tagged;
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// What the server received: session and number, in order.
type Arrivals = Vec<(String, u64)>;

/// Compares what the client said and heard with what the server received.
///
/// If connections were `doubled`, the server may have received things twice.
pub(crate) fn check<P: Protocol>(
    conversation: &Conversation<P>,
    control: &Tagged,
    doubled: bool,
) -> Outcome {
    let arrivals: Arrivals = control
        .received()?
        .into_iter()
        .filter_map(|packet| Some((packet.sid.clone(), number_in(packet.text())?)))
        .collect();
    let records: Vec<_> = conversation.places.iter().map(Place::lock).collect();
    let said: BTreeSet<u64> = records
        .iter()
        .flat_map(|record| record.said.iter().map(|said| said.number))
        .collect();
    // What was said before the record began is of no concern.
    let first = said.first().copied().unwrap_or_default();
    if let Some((_, number)) = arrivals
        .iter()
        .find(|(_, number)| *number >= first && !said.contains(number))
    {
        return Err(format!("the server received {number}, which emit had refused").into());
    }
    drop(records);
    for place in &conversation.places {
        let numbers: BTreeSet<u64> = place.lock().said.iter().map(|said| said.number).collect();
        let mut of_place = arrivals.clone();
        of_place.retain(|(_, number)| numbers.contains(number));
        let record = place.lock();
        let outcome = check_place(&record, &of_place, doubled);
        drop(record);
        let outcome = outcome.and_then(|()| counts(place, &of_place, control, doubled));
        outcome.map_err(|failure| format!("{failure}; {}", place.shown()))?;
    }
    Ok(())
}

fn check_place(record: &Record, arrivals: &Arrivals, doubled: bool) -> Outcome {
    one_outcome_each(record)?;
    arrived_once(record, arrivals, doubled)?;
    if !doubled {
        in_order_without_holes(&record.said, arrivals)?;
    }
    nothing_lost_at_the_end(record, arrivals)?;
    // A join that comes twice makes two sockets of one session, each of which is told everything.
    let order = |pair: &[u64]| pair[0] < pair[1] || doubled && pair[0] == pair[1];
    ensure!(
        record.heard.windows(2).all(order),
        "the server's events came out of order, or twice: {:?}",
        record.heard
    );
    life_makes_sense(&record.statuses)
}

/// Each question has exactly one outcome, and no answer is wrong.
fn one_outcome_each(record: &Record) -> Outcome {
    for said in &record.said {
        let outcomes = record.outcomes.get(&said.number).map_or(0, Vec::len);
        let expected = usize::from(said.is_question);
        ensure_eq!(outcomes, expected, "outcomes of {}", said.number);
    }
    let said: BTreeSet<u64> = record.said.iter().map(|said| said.number).collect();
    for (number, answers) in &record.outcomes {
        ensure!(
            said.contains(number),
            "{number} was refused, and had the outcome {answers:?}"
        );
        if let Answer::Wrong(answer) = &answers[0] {
            return Err(format!("the answer to {number} is {answer}").into());
        }
    }
    Ok(())
}

/// What was answered arrived; nothing arrived twice.
fn arrived_once(record: &Record, arrivals: &Arrivals, doubled: bool) -> Outcome {
    let mut times = BTreeMap::<u64, usize>::new();
    for (_, number) in arrivals {
        *times.entry(*number).or_default() += 1;
    }
    for said in &record.said {
        let came = times.get(&said.number).copied().unwrap_or_default();
        ensure!(came <= 1 || doubled, "{} arrived {came} times", said.number);
        let answered = record.outcomes.get(&said.number);
        let answered = answered.is_some_and(|answers| answers[0] == Answer::Right);
        ensure!(
            came > 0 || !answered,
            "{} was answered, and did not arrive",
            said.number
        );
    }
    Ok(())
}

/// In each session what was said arrived in order, and no emit between two others is missing.
fn in_order_without_holes(said: &[Said], arrivals: &Arrivals) -> Outcome {
    let mut sessions = BTreeMap::<&str, Vec<u64>>::new();
    for (sid, number) in arrivals {
        sessions.entry(sid).or_default().push(*number);
    }
    for (sid, numbers) in sessions {
        ensure!(
            numbers.windows(2).all(|pair| pair[0] < pair[1]),
            "in the session {sid} arrived {numbers:?}"
        );
        let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
            continue;
        };
        let came: BTreeSet<u64> = numbers.iter().copied().collect();
        let missing: Vec<u64> = said
            .iter()
            // A question that nobody waits for any more does not leave.
            .filter(|said| !said.is_question && (*first..*last).contains(&said.number))
            .map(|said| said.number)
            .filter(|number| !came.contains(number))
            .collect();
        ensure!(
            missing.is_empty(),
            "in the session {sid} arrived {first} to {last} without {missing:?}"
        );
    }
    Ok(())
}

/// What was emitted after the last disconnect arrived, in the last session.
fn nothing_lost_at_the_end(record: &Record, arrivals: &Arrivals) -> Outcome {
    let disconnects = record
        .statuses
        .iter()
        .filter(|(_, status)| matches!(status, Status::Disconnected(_)));
    let since = disconnects.last().map(|(at, _)| *at);
    let (sid, _) = arrivals
        .last()
        .ok_or_else(|| Failure::from("nothing arrived"))?;
    let came: BTreeSet<u64> = arrivals
        .iter()
        .filter(|(of, _)| of == sid)
        .map(|(_, number)| *number)
        .collect();
    let lost: Vec<u64> = record
        .said
        .iter()
        .filter(|said| !said.is_question && since.is_none_or(|since| said.at > since))
        .map(|said| said.number)
        .filter(|number| !came.contains(number))
        .collect();
    ensure!(
        lost.is_empty(),
        "these were emitted after the last disconnect, and are not in the last session: {lost:?}"
    );
    Ok(())
}

/// It connects and disconnects by turns, and is not given up.
fn life_makes_sense(statuses: &[(std::time::Instant, Status)]) -> Outcome {
    let mut connected = None;
    for (_, status) in statuses {
        let now = match status {
            Status::Connected { .. } => true,
            Status::Disconnected(_) => false,
            Status::ReconnectFailed { .. } => return Err("it was given up".into()),
            _ => continue,
        };
        ensure!(
            connected != Some(now),
            "it was told twice in a row that it is connected: {now}"
        );
        connected = Some(now);
    }
    Ok(())
}

/// In the last session the application saw exactly what arrived, on one socket.
fn counts<P: Protocol>(
    place: &Place<P>,
    arrivals: &Arrivals,
    control: &Tagged,
    doubled: bool,
) -> Outcome {
    let Some((sid, _)) = arrivals.last() else {
        return Ok(());
    };
    let arrived = arrivals.iter().filter(|(of, _)| of == sid).count();
    let sockets = control.sockets(Some(place.socket.name()))?;
    let seen: Vec<u64> = sockets
        .iter()
        .filter(|socket| socket.sid == *sid)
        .map(|socket| socket.events)
        .collect();
    ensure_eq!(
        seen.iter().sum::<u64>(),
        arrived as u64,
        "events that the application saw in the last session, by socket {seen:?}"
    );
    ensure!(
        seen.len() == 1 || doubled,
        "the last session has {} sockets",
        seen.len()
    );
    Ok(())
}
