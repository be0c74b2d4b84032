//! The tables.

use std::fmt::Write as _;

use crate::work::{Line, Work};

use super::clients::{Family, Role};
use super::cores::Cores;
use super::goals::{Figure, goal};
use super::results::{Measured, Metric, Missing, Results, RowResult};
use super::servers::FAST;
use super::statistics::Spread;

/// What stands where nothing was measured; why stands below the table.
const MISSING: &str = "–";
/// What stands where a client has no such work.
const HAS_NONE: &str = "n/a";

const CODEC_ROWS: [(&str, &str); 4] = [
    ("decode_event", "decode of a small event"),
    ("encode_event", "encode of a small event"),
    (
        "decode_payload",
        "decode of a polling payload of 100 events",
    ),
    (
        "encode_payload",
        "encode of a polling payload of 100 events",
    ),
];

/// All tables as Markdown.
#[must_use]
pub fn markdown(results: &Results) -> String {
    let mut out = String::new();
    // A text takes everything.
    let _ = writeln!(
        out,
        "# Benchmarks\n\n{}, {} cores; medians of {} repeats, in brackets the least and the most of them.{}\n\n\
         LIMIT is the same frames on a bare socket; all others are so many times its time, so less is better.\n\
         {HAS_NONE}: the client has no such work.",
        results.machine,
        results.cores,
        results.repeats,
        if results.quick {
            " A quick look: short runs."
        } else {
            ""
        },
    );
    for (server, family) in places(results) {
        let rows: Vec<_> = results
            .rows
            .iter()
            .filter(|row| {
                row.server.as_deref() == server
                    && row.clients.iter().any(|client| client.family == family)
            })
            .collect();
        let title = match server {
            Some(FAST) => "On the fast server",
            Some(other) => &format!("On {other}"),
            None => "Without a server",
        };
        let protocol = match family {
            Family::Modern => "1.x and later",
            Family::Legacy => "0.9",
        };
        let _ = writeln!(out, "\n## {title}, {protocol}\n");
        table(
            &mut out,
            &rows,
            family,
            server.is_none_or(|server| server == FAST),
        );
    }
    let _ = writeln!(out, "\n## What was compared\n");
    for (name, package) in packages(results) {
        let _ = writeln!(out, "- {name}: {package}");
    }
    out
}

/// Where there is something to tell of, in the order of the rows.
fn places(results: &Results) -> Vec<(Option<&str>, Family)> {
    let mut places = Vec::new();
    for row in &results.rows {
        let server = row.server.as_deref();
        for family in [Family::Modern, Family::Legacy] {
            let place = (server, family);
            let is_there = row.clients.iter().any(|client| client.family == family);
            if is_there && !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

fn packages(results: &Results) -> Vec<(&str, &str)> {
    let mut packages = Vec::new();
    for client in results.rows.iter().flat_map(|row| &row.clients) {
        let package = (client.client.as_str(), client.package.as_str());
        if !packages.contains(&package) {
            packages.push(package);
        }
    }
    packages
}

fn table(out: &mut String, rows: &[&RowResult], family: Family, has_goals: bool) {
    let mut names: Vec<(&str, Role)> = Vec::new();
    for client in rows.iter().flat_map(|row| &row.clients) {
        let name = (client.client.as_str(), client.role);
        if client.family == family && client.role != Role::Limit && !names.contains(&name) {
            names.push(name);
        }
    }
    let mut head = vec!["work".to_owned(), "LIMIT".to_owned()];
    for (name, role) in &names {
        head.push((*name).to_owned());
        if *role == Role::Ours && has_goals {
            head.extend(["must".to_owned(), "should".to_owned()]);
        }
    }
    line(out, &head);
    line(out, &vec!["---".to_owned(); head.len()]);
    let mut reasons: Vec<String> = Vec::new();
    for row in rows {
        for (metric, label) in metrics(row) {
            let limit = row.limit(family);
            let of_limit = limit.and_then(|limit| limit.spread(metric));
            let mut cells = vec![
                label,
                of_limit.map_or_else(
                    || MISSING.to_owned(),
                    |spread| absolute(row, metric, spread.median),
                ),
            ];
            if let Some(limit) = limit {
                reason(&mut reasons, row, limit);
            }
            for (name, role) in &names {
                let mut clients = row.clients.iter();
                let client =
                    clients.find(|client| client.client == *name && client.family == family);
                let spread = client.and_then(|client| client.spread(metric));
                if let Some(client) = client {
                    reason(&mut reasons, row, client);
                }
                cells.push(match (client, spread) {
                    (None, _) => HAS_NONE.to_owned(),
                    // A codec has those rows that it has.
                    (Some(client), None) if client.missing.is_none() => HAS_NONE.to_owned(),
                    (Some(_), None) => MISSING.to_owned(),
                    (Some(client), Some(spread)) => cell(client, metric, spread, of_limit),
                });
                if *role == Role::Ours && has_goals {
                    cells.extend(goals(row, metric, spread, of_limit));
                }
            }
            line(out, &cells);
        }
    }
    if !reasons.is_empty() {
        let _ = writeln!(out);
    }
    for reason in reasons {
        let _ = writeln!(out, "- {MISSING} {reason}");
    }
}

fn reason(reasons: &mut Vec<String>, row: &RowResult, client: &Measured) {
    if let Some(Missing { why, .. }) = &client.missing {
        let core = match row.cores {
            Cores::One => " on one core",
            Cores::Any => "",
        };
        let reason = format!("{}, {}{core}: {why}", client.client, row.work.name());
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
}

fn line(out: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// What is told of a row, and how it is called.
fn metrics(row: &RowResult) -> Vec<(Metric, String)> {
    let time = |label: String| {
        vec![
            (Metric::Time, label),
            (Metric::Cpu, "… the client's CPU, each".to_owned()),
        ]
    };
    match row.work {
        Work::Ack => time(match row.cores {
            Cores::One => "emit with ack, one core".into(),
            Cores::Any => "emit with ack, any core".into(),
        }),
        Work::Window => time(format!("emits with ack, {} in flight", row.extra)),
        Work::Flood => time(format!("flood of events with {} characters", row.extra)),
        Work::Buffers => time(format!("buffers of {} KiB there and back", row.extra >> 10)),
        Work::Polling => time("emit with ack, polling".into()),
        Work::Connect => time("connect, ack, disconnect".into()),
        Work::Idle => vec![(Metric::Memory, "memory per idle connection".into())],
        Work::Codec => CODEC_ROWS
            .map(|(row, label)| (Metric::Codec(row), label.to_owned()))
            .to_vec(),
    }
}

/// A figure of the limit.
fn absolute(row: &RowResult, metric: Metric, value: f64) -> String {
    match (metric, row.work) {
        (Metric::Time, Work::Window | Work::Flood) => format!("{:.2} M/s", 1e-6 / value),
        (Metric::Time, Work::Buffers) => {
            let mebibytes = row.extra as f64 / f64::from(1 << 20);
            format!("{:.0} MiB/s", mebibytes / value)
        }
        (Metric::Time | Metric::Cpu, _) => microseconds(value),
        (Metric::Memory, _) => format!("{value:.1} KiB"),
        (Metric::Codec(_), _) => nanoseconds(value),
    }
}

fn microseconds(seconds: f64) -> String {
    match seconds * 1e6 {
        few @ ..10.0 => format!("{few:.2} µs"),
        some @ 10.0..1000.0 => format!("{some:.1} µs"),
        many => format!("{:.1} ms", many / 1e3),
    }
}

fn nanoseconds(value: f64) -> String {
    match value {
        few @ ..1000.0 => format!("{few:.0} ns"),
        many => format!("{:.2} µs", many / 1e3),
    }
}

fn cell(client: &Measured, metric: Metric, spread: Spread, limit: Option<Spread>) -> String {
    if metric == Metric::Memory {
        let threads = client.lines.iter().find_map(|line| match line {
            Line::Idle { threads, .. } => Some(*threads),
            _ => None,
        });
        let threads = threads.unwrap_or_default();
        return format!("{:.1} KiB, {threads} threads", spread.median);
    }
    match limit {
        Some(limit) => ratio(spread.over(limit.median)),
        None => match metric {
            Metric::Codec(_) => nanoseconds(spread.median),
            _ => microseconds(spread.median),
        },
    }
}

fn ratio(spread: Spread) -> String {
    let figures = |value: f64| match value {
        small @ ..10.0 => format!("{small:.2}"),
        large => format!("{large:.0}"),
    };
    let [median, least, most] = [spread.median, spread.least, spread.most].map(figures);
    format!("×{median} ({least}–{most})")
}

fn goals(
    row: &RowResult,
    metric: Metric,
    spread: Option<Spread>,
    limit: Option<Spread>,
) -> [String; 2] {
    let Some(goal) = goal(row.work, row.cores, metric) else {
        return [String::new(), String::new()];
    };
    [goal.must, goal.should].map(|figure| {
        let wanted = match figure {
            Figure::Ratio(most) => format!("×{}", (most * 100.0).round() / 100.0),
            Figure::Kib(most) => format!("{most} KiB"),
            Figure::Nanoseconds(most) => nanoseconds(most),
        };
        let is_met =
            spread.and_then(|spread| figure.is_met(spread.median, limit.map(|limit| limit.median)));
        match is_met {
            Some(true) => format!("{wanted} yes"),
            Some(false) => format!("{wanted} **no**"),
            None => wanted,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(client: &str, role: Role, seconds: &[f64]) -> Measured {
        let line = |seconds: &f64| Line::Timed {
            work: Work::Ack,
            count: 1000,
            seconds: *seconds,
            cpu_seconds: seconds / 2.0,
            bytes: None,
        };
        Measured {
            client: client.into(),
            package: format!("{client} 1"),
            role,
            family: Family::Modern,
            lines: seconds.iter().map(line).collect(),
            missing: None,
        }
    }

    #[test]
    fn ratios_goals_and_reasons_stand_in_the_table() {
        let mut results = Results::new(3, false);
        let mut absent = measured("absent", Role::Peer, &[]);
        absent.missing = Some(Missing::failed("node is not there"));
        results.rows.push(RowResult {
            server: Some(FAST.into()),
            work: Work::Ack,
            cores: Cores::One,
            extra: 0,
            clients: vec![
                measured("LIMIT", Role::Limit, &[0.010, 0.011, 0.009]),
                measured("sio-v1", Role::Ours, &[0.015, 0.014, 0.016]),
                measured("slow", Role::Peer, &[0.25, 0.2, 0.3]),
                absent,
            ],
        });
        let text = markdown(&results);
        for expected in [
            "| work | LIMIT | sio-v1 | must | should | slow | absent |",
            "| emit with ack, one core | 10.0 µs | ×1.50 (1.40–1.60) | ×1.7 yes | ×1.3 **no** | ×25 (20–30) | – |",
            "| … the client's CPU, each | 5.00 µs | ×1.50 (1.40–1.60) |  |  | ×25 (20–30) | – |",
            "- – absent, ack on one core: node is not there",
            "- slow: slow 1",
        ] {
            assert!(
                text.lines().any(|line| line == expected),
                "{expected}\n{text}"
            );
        }
        assert!(results.is_complete());
        let ours = &mut results.rows[0].clients[1];
        ours.missing = Some(Missing::cannot("it has no such work"));
        assert!(results.is_complete());
        let ours = &mut results.rows[0].clients[1];
        ours.missing = Some(Missing::failed("it broke"));
        assert!(!results.is_complete(), "our own client has to work");
    }
}
