//! What both clients say of every server, and of what is none: the guide page `mismatch` has the texts, and this compares
//! them with those of real servers.
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`strangers`] | who answers: the servers, web servers, ports where nobody does |
//! | [`asking`] | what a client says |
//! | [`page`] | the texts on the page, read and written |

pub mod asking;
pub mod page;
pub mod strangers;

use std::fmt;

use crate::report::Totals;

use self::asking::Asked;
use self::page::{Entry, Page};
use self::strangers::Stranger;

/// What came of it.
#[derive(Debug)]
pub struct Comparison {
    /// One for each stranger, client and transport.
    pub totals: Totals,
    /// What is not as it should be, or was left out.
    said: Vec<String>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for said in &self.said {
            writeln!(f, "{said}")?;
        }
        writeln!(f, "the table of mismatches: {}", self.totals.line())
    }
}

/// Connects to everybody with both clients, and compares what they say with the page.
///
/// # Errors
/// If the page cannot be read.
pub fn compare() -> Result<Comparison, String> {
    let page = Page::read()?;
    let mut comparison = Comparison {
        totals: Totals::default(),
        said: Vec::new(),
    };
    for stranger in strangers::all() {
        match ask(&stranger) {
            Ok(asked) => comparison.compare(&stranger, &asked, &page),
            Err(Absence::NotHere(why)) => {
                comparison.totals.skipped += asking::ALL.len();
                comparison
                    .said
                    .push(format!("{} was left out: {why}", stranger.name));
            }
            Err(Absence::Failed(why)) => {
                comparison.totals.failed += asking::ALL.len();
                comparison.said.push(format!("✗ {}: {why}", stranger.name));
            }
        }
    }
    let known = |name: &str| {
        strangers::all()
            .iter()
            .any(|stranger| stranger.name == name)
    };
    for entry in page.entries().iter().filter(|entry| !known(&entry.name)) {
        comparison.totals.failed += 1;
        comparison.said.push(format!(
            "✗ nobody here is called {:?}, as on the page",
            entry.name
        ));
    }
    Ok(comparison)
}

/// Writes what the clients say onto the page. What is not on this machine stays as it is there.
///
/// # Errors
/// If somebody does not answer, the page cannot be read or written, or a client is too slow.
pub fn write() -> Result<(), String> {
    let mut page = Page::read()?;
    let mut entries = Vec::new();
    for stranger in strangers::all() {
        match ask(&stranger) {
            Ok(asked) => {
                if let Some(late) = asked.iter().find_map(Asked::why_late) {
                    return Err(format!("{}: {late}", stranger.name));
                }
                entries.push(Entry::new(&stranger.name, &asked));
            }
            Err(Absence::NotHere(why)) => {
                eprintln!("{} stays as it was: {why}", stranger.name);
                entries.extend(page.entry(&stranger.name).cloned());
            }
            Err(Absence::Failed(why)) => return Err(format!("{}: {why}", stranger.name)),
        }
    }
    page.replace(entries);
    page.write()
}

/// Why somebody is not asked.
enum Absence {
    NotHere(String),
    Failed(String),
}

fn ask(stranger: &Stranger) -> Result<Vec<Asked>, Absence> {
    let host = stranger
        .start()
        .map_err(|error| match error.is_not_here() {
            true => Absence::NotHere(error.to_string()),
            false => Absence::Failed(error.to_string()),
        })?;
    Ok(asking::ask(host.url()))
}

impl Comparison {
    fn compare(&mut self, stranger: &Stranger, asked: &[Asked], page: &Page) {
        let expected = page.entry(&stranger.name);
        for asked in asked {
            let number = stranger.number(asked.way.client);
            let head = format!("{number} {}, {}", stranger.name, asked.way);
            let expected = expected.and_then(|entry| entry.text(asked.way));
            let fault = if let Some(late) = asked.why_late() {
                late
            } else if expected == Some(&*asked.text) {
                self.totals.passed += 1;
                continue;
            } else {
                let expected = expected.unwrap_or("nothing");
                format!("the page has: {expected}\n  it says:      {}", asked.text)
            };
            self.totals.failed += 1;
            self.said.push(format!("✗ {head}\n  {fault}"));
        }
    }
}
