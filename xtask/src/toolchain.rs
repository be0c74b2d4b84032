//! Other Rust toolchains than the one that runs this program. Only rustup can run them, and only those that are there:
//! nothing here installs one.

use std::process::Command;

/// The full name of an installed toolchain, by its version or channel.
pub(crate) fn find(version: &str) -> Option<String> {
    let listed = Command::new("rustup").args(["toolchain", "list"]).output();
    let list = listed.map(|output| output.stdout).unwrap_or_default();
    find_in(&String::from_utf8_lossy(&list), version)
}

/// For 1.88, the name of `1.88-x86_64-unknown-linux-gnu (default)` or `1.88.1-…`, but not of `1.8-…` or `1.880-…`.
fn find_in(list: &str, version: &str) -> Option<String> {
    let mut names = list.lines().filter_map(|line| line.split(' ').next());
    let found = names.find(|name| {
        name.strip_prefix(version)
            .is_some_and(|rest| rest.starts_with(['-', '.']))
    })?;
    Some(found.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_is_found_by_its_version() {
        let list = "stable-x86_64-unknown-linux-gnu (active, default)\nnightly-x86_64-linux\n\
            1.88-x86_64-apple-darwin\n1.95.0-linux (x)\n";
        let find = |version| find_in(list, version);
        assert_eq!(find("1.88").as_deref(), Some("1.88-x86_64-apple-darwin"));
        assert_eq!(find("1.95").as_deref(), Some("1.95.0-linux"));
        assert_eq!(find("nightly").as_deref(), Some("nightly-x86_64-linux"));
        assert_eq!(find("1.8"), None);
        assert_eq!(find_in("", "1.88"), None);
    }
}
