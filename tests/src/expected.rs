//! What is expected of each case on each server: it passes, unless `expected.json` has a row for it.

use serde::Deserialize;

use crate::case::{Mode, is_meant};
use crate::server::SERVERS;
use crate::suites;

/// What a row says about its cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// They are not run.
    Skip,
    /// They are run and must fail.
    Fail,
}

/// A row: these cases on these servers in these modes, and why.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Numbers (`V6.1`; parts such as `V6.1b` included), groups (`V6`), or `*`.
    pub cases: Vec<String>,
    /// Server names, or `*`.
    pub servers: Vec<String>,
    /// Mode names, or `*`.
    pub modes: Vec<String>,
    /// What is expected.
    pub expect: Expect,
    /// Why, for the reader of the table.
    pub reason: String,
}

impl Row {
    fn matches(&self, case: &str, server: &str, mode: Mode) -> bool {
        let named =
            |names: &[String], name: &str| names.iter().any(|entry| entry == "*" || entry == name);
        self.cases.iter().any(|name| is_meant(name, case))
            && named(&self.servers, server)
            && named(&self.modes, mode.name())
    }
}

/// All rows.
#[derive(Debug, Clone)]
pub struct Expected(Vec<Row>);

impl Expected {
    /// The rows of `expected.json`, checked: each is used, none contradicts another.
    ///
    /// # Errors
    /// If the file cannot be read so, in one sentence.
    pub fn load() -> Result<Self, String> {
        Self::parse(include_str!("../expected.json"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let rows: Vec<Row> =
            serde_json::from_str(text).map_err(|error| format!("tests/expected.json: {error}"))?;
        let expected = Self(rows);
        let cells = every_cell();
        for row in &expected.0 {
            if !cells
                .iter()
                .any(|(case, server, mode)| row.matches(case, server, *mode))
            {
                return Err(format!("tests/expected.json: no case is meant by {row:?}"));
            }
        }
        for (case, server, mode) in &cells {
            if expected.rows(case, server, *mode).count() > 1 {
                return Err(format!(
                    "tests/expected.json: two rows for {case} on {server}, {mode}"
                ));
            }
        }
        Ok(expected)
    }

    /// The row for a case on a server in a mode, if it is not expected to pass.
    #[must_use]
    pub fn row(&self, case: &str, server: &str, mode: Mode) -> Option<&Row> {
        self.rows(case, server, mode).next()
    }

    fn rows(&self, case: &str, server: &str, mode: Mode) -> impl Iterator<Item = &Row> {
        self.0
            .iter()
            .filter(move |row| row.matches(case, server, mode))
    }
}

/// Every number of a case with every server and mode it runs on.
fn every_cell() -> Vec<(&'static str, &'static str, Mode)> {
    let mut cells = Vec::new();
    for server in SERVERS {
        for case in suites::for_server(server) {
            cells.extend(case.modes.iter().map(|mode| (case.id, server, *mode)));
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_has_no_unused_and_no_doubled_row() {
        Expected::load().unwrap();
    }

    #[test]
    fn every_row_has_a_reason() {
        for row in Expected::load().unwrap().0 {
            assert!(row.reason.len() > 10, "{row:?}");
        }
    }

    #[test]
    fn unused_row_is_an_error_that_shows_it() {
        let row =
            r#"[{"cases":["V0.0"],"servers":["*"],"modes":["*"],"expect":"skip","reason":"x"}]"#;
        assert!(Expected::parse(row).unwrap_err().contains("V0.0"));
    }

    #[test]
    fn two_rows_for_one_case_are_an_error() {
        let row =
            r#"{"cases":["V1.1"],"servers":["2.5.1"],"modes":["*"],"expect":"skip","reason":"x"}"#;
        let error = Expected::parse(&format!("[{row},{row}]")).unwrap_err();
        assert!(error.contains("two rows for V1.1 on 2.5.1"), "{error}");
    }
}
