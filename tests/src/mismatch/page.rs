//! The guide page: a heading for each stranger, and below it what the clients say.

use std::fs;
use std::path::PathBuf;

use super::asking::{ALL, Asked, Crate, Way};

/// Between these lines of the page stands what is written by a run.
const BEGIN: &str = "<!-- Written by `cargo run -p sio-conformance -- mismatch --write`. -->";
const END: &str = "<!-- The end of it. -->";

/// The longest line that is written.
const WIDTH: usize = 110;

fn path() -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    PathBuf::from(root).join("crates/sio-net/docs/mismatch.md")
}

/// The page.
#[derive(Debug)]
pub struct Page {
    before: String,
    entries: Vec<Entry>,
    behind: String,
}

/// What is said of one stranger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The heading.
    pub name: String,
    texts: Vec<(Way, String)>,
}

impl Page {
    /// Reads it.
    ///
    /// # Errors
    /// If it is not there, or not as it is written.
    pub fn read() -> Result<Self, String> {
        let path = path();
        let text = fs::read_to_string(&path)
            .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        Self::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (before, rest) = text.split_once(BEGIN).ok_or("where the table begins?")?;
        let (table, behind) = rest.split_once(END).ok_or("where does the table end?")?;
        let sections = table.split("\n## ").skip(1);
        Ok(Self {
            before: before.to_owned(),
            entries: sections.map(Entry::parse).collect::<Result<_, _>>()?,
            behind: behind.to_owned(),
        })
    }

    /// Writes it.
    ///
    /// # Errors
    /// If that cannot be done.
    pub fn write(&self) -> Result<(), String> {
        let path = path();
        fs::write(&path, self.text())
            .map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn text(&self) -> String {
        let sections: String = self.entries.iter().map(Entry::section).collect();
        format!("{}{BEGIN}\n{sections}\n{END}{}", self.before, self.behind)
    }

    /// What is said of everybody.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What is said of one.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Says something else of everybody.
    pub fn replace(&mut self, entries: Vec<Entry>) {
        self.entries = entries;
    }
}

impl Entry {
    /// What was said.
    #[must_use]
    pub fn new(name: &str, asked: &[Asked]) -> Self {
        Self {
            name: name.to_owned(),
            texts: asked
                .iter()
                .map(|asked| (asked.way, asked.text.clone()))
                .collect(),
        }
    }

    /// What is said in one way.
    #[must_use]
    pub fn text(&self, way: Way) -> Option<&str> {
        let found = self.texts.iter().find(|(other, _)| *other == way);
        found.map(|(_, text)| &**text)
    }

    fn section(&self) -> String {
        let mut section = format!("\n## {}\n\n```text\n", self.name);
        for client in [Crate::V1, Crate::Legacy] {
            let mut texts = self.texts.iter().filter(|(way, _)| way.client == client);
            let Some((way, text)) = texts.next() else {
                continue;
            };
            let rest: Vec<_> = texts.collect();
            if rest.iter().all(|(_, other)| other == text) {
                section.push_str(&said(client.name(), text));
            } else {
                section.push_str(&said(&way.to_string(), text));
                for (way, text) in rest {
                    section.push_str(&said(&way.to_string(), text));
                }
            }
        }
        section.push_str("```\n");
        section
    }

    fn parse(section: &str) -> Result<Self, String> {
        let (name, rest) = section
            .split_once('\n')
            .ok_or("a heading and nothing else")?;
        let body = rest.trim().strip_prefix("```text\n");
        let body = body.and_then(|body| body.strip_suffix("```"));
        let body = body.ok_or_else(|| format!("{name} has no block of text"))?;
        let mut texts = Vec::new();
        let mut current: Vec<(Way, String)> = Vec::new();
        for line in body.lines() {
            if let Some(words) = line.strip_prefix("    ") {
                for (_, text) in &mut current {
                    if !text.is_empty() {
                        text.push(' ');
                    }
                    text.push_str(words);
                }
            } else {
                texts.append(&mut current);
                current = ways(line.trim_end_matches(':'))
                    .map(|way| (way, String::new()))
                    .collect();
                if current.is_empty() {
                    return Err(format!("{line:?} is nobody's"));
                }
            }
        }
        texts.append(&mut current);
        Ok(Self {
            name: name.to_owned(),
            texts,
        })
    }
}

/// Those that a line is about: one client, or one on one transport.
fn ways(line: &str) -> impl Iterator<Item = Way> {
    let is_meant = move |way: &Way| way.client.name() == line || way.to_string() == line;
    let line: Vec<Way> = ALL.into_iter().filter(is_meant).collect();
    line.into_iter()
}

/// Who, and what they say, in lines that are short enough to be read.
fn said(who: &str, text: &str) -> String {
    let mut said = format!("{who}:\n");
    let mut line = String::from("   ");
    for word in text.split(' ') {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line.len() > 3 {
            said.push_str(&line);
            said.push('\n');
            line = String::from("   ");
        }
        line.push(' ');
        line.push_str(word);
    }
    said.push_str(&line);
    said.push('\n');
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let long = "word ".repeat(60) + "end";
        let same = |client| {
            let of_client = ALL.into_iter().filter(move |way| way.client == client);
            of_client.map(|way| (way, "connects".to_owned()))
        };
        let differing = ALL[..2].iter().zip([&*long, "other"]);
        let texts = differing.map(|(way, text)| (*way, text.to_owned()));
        let entry = Entry {
            name: "A & B".to_owned(),
            texts: texts.chain(same(Crate::Legacy)).collect(),
        };
        let page = Page {
            before: "# Title\n\n".to_owned(),
            entries: vec![
                entry.clone(),
                Entry {
                    name: "C".to_owned(),
                    ..entry
                },
            ],
            behind: "\n".to_owned(),
        };
        let text = page.text();
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        let read = Page::parse(&text).unwrap();
        assert_eq!(read.entries, page.entries);
        assert_eq!(read.text(), text);
        assert_eq!(read.entry("C").unwrap().text(ALL[3]), Some("connects"));
    }

    #[test]
    fn a_page_that_is_not_as_it_is_written_is_refused() {
        let table = |inside: &str| format!("{BEGIN}\n\n## A\n\n{inside}\n{END}\n");
        for text in [
            "no table".to_owned(),
            format!("{BEGIN}\nno end"),
            table("no block"),
            table("```text\nsomebody:\n    said\n```\n"),
        ] {
            assert!(Page::parse(&text).is_err(), "{text}");
        }
    }
}
