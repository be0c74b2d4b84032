//! Shows what came of a run: as a table in the terminal, as JSON, as Markdown.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::case::{AnyCase, Mode, group_of};
use crate::mismatch::Comparison;
use crate::protocol::{Family, family_of};
use crate::runner::{CaseResult, ServerRun, Verdict};
use crate::suites;

/// How many results there are of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// As expected.
    pub passed: usize,
    /// Not as expected.
    pub failed: usize,
    /// Not run, or failed as expected.
    pub skipped: usize,
}

impl Totals {
    /// Counts results.
    pub fn of<'a>(results: impl IntoIterator<Item = &'a CaseResult>) -> Self {
        let mut totals = Self::default();
        for result in results {
            match result.verdict {
                Verdict::Passed => totals.passed += 1,
                Verdict::Failed(_) => totals.failed += 1,
                Verdict::Skipped(_) => totals.skipped += 1,
            }
        }
        totals
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// `12`, `11+1s` with one skipped, `10 2✗` with two failed.
    fn cell(self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut cell = self.passed.to_string();
        if self.skipped > 0 {
            let _ = write!(cell, "+{}s", self.skipped);
        }
        if self.failed > 0 {
            let _ = write!(cell, " {}✗", self.failed);
        }
        cell
    }

    /// The last line of a run.
    #[must_use]
    pub fn line(self) -> String {
        format!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

fn all_results(runs: &[ServerRun]) -> impl Iterator<Item = &CaseResult> {
    runs.iter().flat_map(|run| &run.results)
}

/// The whole run as text: the table, each failure, and the totals as the last line; with what the clients said of strangers,
/// if that was looked at.
#[must_use]
pub fn text(runs: &[ServerRun], mismatch: Option<&Comparison>) -> String {
    let mut text = tables(runs);
    for run in runs {
        text.push_str(&failures(run));
        if let Some(why) = &run.not_here {
            let _ = writeln!(text, "{} was skipped: {why}", run.server);
        }
    }
    let mut totals = Totals::of(all_results(runs));
    if let Some(mismatch) = mismatch {
        let _ = write!(text, "{mismatch}");
        totals = totals.plus(mismatch.totals);
    }
    text.push_str(&totals.line());
    text.push('\n');
    text
}

/// One line on a server that is through.
#[must_use]
pub fn progress(run: &ServerRun) -> String {
    let totals = Totals::of(&run.results).line();
    format!(
        "{:14} {totals} in {:.1} s",
        run.server,
        run.took.as_secs_f64()
    )
}

/// A table for each protocol, for they have other groups and modes.
fn tables(runs: &[ServerRun]) -> String {
    let of_protocols =
        runs.chunk_by(|one, other| family_of(&one.server) == family_of(&other.server));
    let tables: Vec<String> = of_protocols.map(table).collect();
    tables.join("\n")
}

/// Server × mode, by group: `12` passed, `+1s` skipped, `2✗` failed.
fn table(runs: &[ServerRun]) -> String {
    let groups = groups(runs);
    let mut rows = vec![header(&["server", "transport"], &groups)];
    for run in runs {
        for mode in family_of(&run.server).modes.iter().copied() {
            let results: Vec<&CaseResult> = run
                .results
                .iter()
                .filter(|result| result.mode == mode)
                .collect();
            if results.is_empty() {
                continue;
            }
            let mut row = vec![run.server.clone(), mode.name().to_owned()];
            for group in &groups {
                let of_group = results
                    .iter()
                    .copied()
                    .filter(|result| group_of(result.id) == *group);
                row.push(Totals::of(of_group).cell());
            }
            rows.push(row);
        }
    }
    aligned(&rows)
}

fn header(first: &[&str], rest: &[&str]) -> Vec<String> {
    first
        .iter()
        .chain(rest)
        .map(|&name| name.to_owned())
        .collect()
}

/// The groups that were run, in the order of the suites.
fn groups(runs: &[ServerRun]) -> Vec<&'static str> {
    let mut groups: Vec<&'static str> = suites::all().iter().map(AnyCase::group).collect();
    groups.dedup();
    groups.retain(|group| all_results(runs).any(|result| group_of(result.id) == *group));
    groups
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn failures(run: &ServerRun) -> String {
    let mut text = String::new();
    for result in &run.results {
        if let Verdict::Failed(why) = &result.verdict {
            let _ = writeln!(
                text,
                "\n✗ {} {} on {}, {}",
                result.id, result.title, result.server, result.mode
            );
            let _ = writeln!(text, "  {why}");
        }
    }
    if !text.is_empty() && !run.output.trim().is_empty() {
        let _ = writeln!(text, "\nThe end of what {} wrote:", run.server);
        let lines: Vec<&str> = run.output.lines().collect();
        for line in &lines[lines.len().saturating_sub(20)..] {
            let _ = writeln!(text, "  | {line}");
        }
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

#[derive(Serialize)]
struct JsonReport<'a> {
    totals: Totals,
    servers: Vec<JsonServer<'a>>,
}

#[derive(Serialize)]
struct JsonServer<'a> {
    server: &'a str,
    took_ms: u128,
    /// Only where something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    results: Vec<JsonResult<'a>>,
}

#[derive(Serialize)]
struct JsonResult<'a> {
    case: &'a str,
    title: &'a str,
    mode: &'a str,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    took_ms: u128,
}

impl<'a> JsonResult<'a> {
    fn of(result: &'a CaseResult) -> Self {
        let (outcome, why) = match &result.verdict {
            Verdict::Passed => ("passed", None),
            Verdict::Failed(why) => ("failed", Some(why.as_str())),
            Verdict::Skipped(why) => ("skipped", Some(why.as_str())),
        };
        Self {
            case: result.id,
            title: result.title,
            mode: result.mode.name(),
            outcome,
            why,
            took_ms: result.took.as_millis(),
        }
    }
}

fn json(runs: &[ServerRun]) -> Result<String, serde_json::Error> {
    let server = |run| {
        let run: &ServerRun = run;
        JsonServer {
            server: &run.server,
            took_ms: run.took.as_millis(),
            output: (Totals::of(&run.results).failed > 0).then_some(run.output.as_str()),
            results: run.results.iter().map(JsonResult::of).collect(),
        }
    };
    let report = JsonReport {
        totals: Totals::of(all_results(runs)),
        servers: runs.iter().map(server).collect(),
    };
    serde_json::to_string_pretty(&report)
}

/// The cases by group, each with its outcome on every server, and the reasons of those that were not run.
fn markdown(runs: &[ServerRun]) -> String {
    let mut text = String::from("# Conformance\n\nEach cell: ");
    text.push_str(&legend(runs));
    text.push_str(". `✓` passed, `✗` failed, `s` skipped (the reason stands below), `·` not a matter of that transport.\n");
    for group in groups(runs) {
        let _ = write!(text, "\n## {group}\n\n{}", group_table(runs, group));
    }
    text.push_str(&reasons(runs));
    let _ = writeln!(text, "\n{}", Totals::of(all_results(runs)).line());
    text
}

/// What the signs of a cell stand for: the modes, of each protocol that was run.
fn legend(runs: &[ServerRun]) -> String {
    let mut families: Vec<Family> = runs.iter().map(|run| family_of(&run.server)).collect();
    families.dedup();
    let names = |family: Family| {
        let modes: Vec<&str> = family.modes.iter().map(|mode| mode.name()).collect();
        format!("{} ({})", modes.join(", "), family.servers)
    };
    let legends: Vec<String> = families.into_iter().map(names).collect();
    legends.join("; ")
}

fn group_table(runs: &[ServerRun], group: &str) -> String {
    let servers: Vec<&ServerRun> = runs
        .iter()
        .filter(|run| {
            run.results
                .iter()
                .any(|result| group_of(result.id) == group)
        })
        .collect();
    let mut text = String::from("| case | behaviour |");
    for run in &servers {
        let _ = write!(text, " {} |", run.server);
    }
    let _ = writeln!(text, "\n| --- | --- |{}", " --- |".repeat(servers.len()));
    let run = |case: &AnyCase| all_results(runs).any(|result| result.id == case.id);
    for case in suites::all()
        .into_iter()
        .filter(|case| case.group() == group && run(case))
    {
        let _ = write!(text, "| {} | {} |", case.id, case.title);
        for run in &servers {
            let _ = write!(text, " {} |", markdown_cell(run, case.id));
        }
        text.push('\n');
    }
    text
}

fn markdown_cell(run: &ServerRun, id: &str) -> String {
    let sign = |mode: &Mode| {
        let found = run
            .results
            .iter()
            .find(|result| result.id == id && result.mode == *mode);
        match found.map(|result| &result.verdict) {
            None => "·",
            Some(Verdict::Passed) => "✓",
            Some(Verdict::Failed(_)) => "✗",
            Some(Verdict::Skipped(_)) => "s",
        }
    };
    let signs: Vec<&str> = family_of(&run.server).modes.iter().map(sign).collect();
    signs.join(" ")
}

fn reasons(runs: &[ServerRun]) -> String {
    let mut reasons: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    let here = runs.iter().filter(|run| run.not_here.is_none());
    for result in here.flat_map(|run| &run.results) {
        let Verdict::Skipped(why) = &result.verdict else {
            continue;
        };
        match reasons
            .iter_mut()
            .find(|(id, reason, _)| *id == result.id && reason == why)
        {
            Some((_, _, servers)) if servers.contains(&result.server.as_str()) => {}
            Some((_, _, servers)) => servers.push(&result.server),
            None => reasons.push((result.id, why, vec![&result.server])),
        }
    }
    let not_here = runs
        .iter()
        .filter_map(|run| Some(("all", run.not_here.as_deref()?, vec![run.server.as_str()])));
    let not_here: Vec<_> = not_here.collect();
    if reasons.is_empty() && not_here.is_empty() {
        return String::new();
    }
    let order: Vec<&str> = suites::all().iter().map(|case| case.id).collect();
    reasons.sort_by_key(|(id, _, _)| order.iter().position(|known| known == id));
    let mut text = String::from("\n## Skipped\n\n| case | servers | why |\n| --- | --- | --- |\n");
    for (id, why, servers) in not_here.into_iter().chain(reasons) {
        let _ = writeln!(text, "| {id} | {} | {why} |", servers.join(", "));
    }
    text
}

/// Writes `conformance.json`, `conformance.md`, and the output of each server with failures into a folder.
///
/// # Errors
/// If a file cannot be written.
pub fn write(runs: &[ServerRun], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("conformance.json"), json(runs)?)?;
    fs::write(folder.join("conformance.md"), markdown(runs))?;
    for run in runs {
        let log = folder.join(format!("server-{}.log", run.server));
        if Totals::of(&run.results).failed > 0 && !run.output.is_empty() {
            fs::write(log, &run.output)?;
        } else if log.exists() {
            fs::remove_file(log)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn result(id: &'static str, mode: Mode, verdict: Verdict) -> CaseResult {
        CaseResult {
            server: "2.5.1".into(),
            mode,
            id,
            title: "does it",
            verdict,
            took: Duration::from_millis(3),
        }
    }

    fn runs() -> Vec<ServerRun> {
        vec![ServerRun {
            server: "2.5.1".into(),
            output: "uncaught: TypeError\n".into(),
            results: vec![
                result("V1.1", Mode::Polling, Verdict::Passed),
                result("V1.2", Mode::Polling, Verdict::Failed("no answer".into())),
                result("V2.1", Mode::Polling, Verdict::Skipped("not there".into())),
                result("V1.1", Mode::Upgrade, Verdict::Passed),
            ],
            not_here: None,
            took: Duration::from_secs(1),
        }]
    }

    #[test]
    fn text_has_the_table_the_failures_and_the_totals_last() {
        let text = text(&runs(), None);
        assert!(
            text.starts_with("server  transport  V1    V2\n2.5.1   polling    1 1✗  0+1s\n"),
            "{text}"
        );
        assert!(
            text.contains("✗ V1.2 does it on 2.5.1, polling\n  no answer\n"),
            "{text}"
        );
        assert!(text.contains("  | uncaught: TypeError\n"), "{text}");
        assert!(
            text.ends_with("\n2 passed, 1 failed, 1 skipped\n"),
            "{text}"
        );
    }

    #[test]
    fn markdown_has_a_row_per_case_and_the_reasons() {
        let text = markdown(&runs());
        let row = |id: &str| {
            text.lines()
                .find(|line| line.starts_with(&format!("| {id} |")))
        };
        assert!(row("V1.1").unwrap().ends_with("| ✓ · ✓ |"), "{text}");
        assert!(row("V1.2").unwrap().ends_with("| ✗ · · |"), "{text}");
        assert!(text.contains("| V2.1 | 2.5.1 | not there |"), "{text}");
    }

    #[test]
    fn server_that_is_not_here_says_why_once() {
        let mut runs = runs();
        let mut skipped = result("C1.1", Mode::HtmlFile, Verdict::Skipped("no Node".into()));
        skipped.server = "0.9.0".into();
        runs.push(ServerRun {
            server: "0.9.0".into(),
            output: String::new(),
            results: vec![skipped],
            not_here: Some("no Node".into()),
            took: Duration::ZERO,
        });
        let text = text(&runs, None);
        assert!(
            text.contains("\n\nserver  transport  C1\n0.9.0   htmlfile   0+1s\n"),
            "{text}"
        );
        assert!(text.contains("0.9.0 was skipped: no Node\n"), "{text}");
        let text = markdown(&runs);
        assert!(text.contains("| all | 0.9.0 | no Node |"), "{text}");
        assert!(!text.contains("| C1.1 | 0.9.0 |"), "{text}");
        assert!(text.contains("| · · s · |"), "{text}");
    }

    #[test]
    fn json_has_one_entry_per_result() {
        let report: serde_json::Value = serde_json::from_str(&json(&runs()).unwrap()).unwrap();
        assert_eq!(report["totals"]["passed"], 2);
        assert_eq!(report["servers"][0]["results"][1]["why"], "no answer");
    }
}
