//! `N passed, N failed, N skipped`, from the result lines of the suites and of `cargo test`.

use std::fmt;
use std::ops::Add;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// Reads the last line of the suites, `3 passed, 0 failed, 1 skipped`.
    pub(crate) fn from_suites(line: &str) -> Option<Self> {
        let mut parts = line.trim().split(", ");
        let counts = Self {
            passed: number_before(parts.next()?, "passed")?,
            failed: number_before(parts.next()?, "failed")?,
            skipped: number_before(parts.next()?, "skipped")?,
        };
        parts.next().is_none().then_some(counts)
    }

    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`, one line per test binary.
    pub(crate) fn from_cargo_test(line: &str) -> Option<Self> {
        let (_, tail) = line
            .trim()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let mut parts = tail.split("; ");
        Some(Self {
            passed: number_before(parts.next()?, "passed")?,
            failed: number_before(parts.next()?, "failed")?,
            skipped: number_before(parts.next()?, "ignored")?,
        })
    }
}

fn number_before(part: &str, word: &str) -> Option<u64> {
    part.strip_suffix(word)?.strip_suffix(' ')?.parse().ok()
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Counts = Counts {
        passed: 12,
        failed: 3,
        skipped: 4,
    };

    #[test]
    fn the_line_of_the_suites_is_read_as_it_is_written() {
        assert_eq!(Counts::from_suites(&SAMPLE.to_string()), Some(SAMPLE));
        assert_eq!(
            Counts::from_suites("12 passed, 3 failed, 4 skipped\r"),
            Some(SAMPLE)
        );
    }

    #[test]
    fn cargo_test_says_ignored_for_skipped() {
        let tail = "12 passed; 3 failed; 4 ignored; 0 measured; 7 filtered out; finished in 0.01s";
        for verdict in ["ok", "FAILED"] {
            let line = format!("test result: {verdict}. {tail}");
            assert_eq!(Counts::from_cargo_test(&line), Some(SAMPLE));
        }
    }

    #[test]
    fn other_lines_count_nothing() {
        let lines = [
            "",
            "3 passed",
            "3 passed, 0 failed",
            "3 passed, 0 failed, 0 skipped, 1 lost",
            "V6: 3 passed, 0 failed, 0 skipped",
            "-3 passed, 0 failed, 0 skipped",
            "test passed ... ok",
            "test result: ok",
            "test result: ok. 3 passed; many failed; 0 ignored",
        ];
        for line in lines {
            assert_eq!(Counts::from_suites(line), None, "{line:?}");
            assert_eq!(Counts::from_cargo_test(line), None, "{line:?}");
        }
    }

    #[test]
    fn sums() {
        let sum = SAMPLE
            + Counts {
                passed: 100,
                ..Counts::default()
            };
        assert_eq!(sum.to_string(), "112 passed, 3 failed, 4 skipped");
    }
}
