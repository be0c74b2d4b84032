//! Rules that no linter knows, on every file that git tracks or would track.
//!
//! A rule looks at one file, or at all of them, and says what it does not like. The same check is a unit test, so that
//! `cargo test` finds what CI would.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command_line::TASKS;

const LONGEST_RUST_FILE: usize = 900;

/// What a package takes from the workspace, so that it stands once.
const INHERITED: [&str; 4] = ["version", "edition", "rust-version", "license"];

/// The commands that a newcomer is promised.
const PROMISED_TASKS: [&str; 2] = ["demo", "test-servers"];

const CRATES_IO: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";

// What is forbidden is put together here, or this file would be its own first fault.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("to", "do!"),
    concat!("unimpl", "emented!"),
];
const MACHINE_ROOTS: [&str; 6] = ["home", "mnt", "root", "tmp", "Users", "work"];
const REGISTRY_HOSTS: [&str; 4] = [
    concat!("registry", ".npmjs"),
    concat!("registry", ".yarnpkg"),
    concat!("//", "registry."),
    concat!("index", ".crates.io"),
];

type Rule = fn(&File) -> Vec<Fault>;

/// The rules for one file.
const RULES: [Rule; 8] = [
    no_machine_path,
    no_registry_host,
    no_registry_in_npm_lock,
    no_registry_in_cargo_lock,
    no_registry_in_settings,
    nothing_unfinished,
    no_endless_file,
    said_once_in_the_workspace,
];

/// A text file, its path relative to the root and with `/` on every system.
struct File {
    path: String,
    text: String,
}

impl File {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// Written by a tool, and full of hashes that may spell anything.
    fn is_lock(&self) -> bool {
        matches!(self.name(), "Cargo.lock" | "package-lock.json")
    }

    fn fault(&self, line: usize, says: impl Into<String>) -> Fault {
        Fault {
            path: self.path.clone(),
            line,
            says: says.into(),
        }
    }

    /// A fault for each line that the closure does not like.
    fn faults(&self, judge: impl Fn(&str) -> Option<String>) -> Vec<Fault> {
        let judged = self
            .text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, judge(line)));
        judged
            .filter_map(|(number, verdict)| Some(self.fault(number, verdict?)))
            .collect()
    }
}

/// Something to mend, shown as `path:line: what it is and what to do`.
#[derive(Debug)]
pub(crate) struct Fault {
    path: String,
    line: usize,
    says: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.says)
    }
}

/// Checks the workspace in that folder.
pub(crate) fn check_tree(root: &Path) -> Result<Vec<Fault>, String> {
    Ok(check(&read_files(root, &tracked_paths(root)?)?))
}

fn check(files: &[File]) -> Vec<Fault> {
    let mut faults: Vec<_> = files
        .iter()
        .flat_map(|file| RULES.iter().flat_map(move |rule| rule(file)))
        .collect();
    faults.extend(documented_tasks_exist(files));
    faults
}

/// The files that git tracks, and new ones that it does not ignore.
pub(crate) fn tracked_paths(root: &Path) -> Result<Vec<String>, String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cannot ask git which files there are: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "cannot ask git which files there are: {}",
            said.trim()
        ));
    }
    let list = String::from_utf8_lossy(&output.stdout);
    Ok(list
        .split_terminator('\0')
        .filter(|path| root.join(path).exists())
        .map(str::to_owned)
        .collect())
}

fn read_files(root: &Path, paths: &[String]) -> Result<Vec<File>, String> {
    let mut files = Vec::new();
    for path in paths {
        let bytes =
            fs::read(root.join(path)).map_err(|error| format!("cannot read {path}: {error}"))?;
        // What is not text has nothing to say to these rules.
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(File {
                path: path.clone(),
                text,
            });
        }
    }
    Ok(files)
}

fn no_machine_path(file: &File) -> Vec<Fault> {
    if file.is_lock() {
        return Vec::new();
    }
    file.faults(|line| {
        let path = machine_path(line)?;
        Some(format!(
            "{path:?} is a path of one machine; write it relative to the workspace"
        ))
    })
}

/// Finds a path that begins with such a root, but not one, or an address, that goes through a folder of that name.
fn machine_path(line: &str) -> Option<&str> {
    line.match_indices('/').find_map(|(start, _)| {
        let before = line[..start].chars().next_back();
        let continues =
            before.is_some_and(|before| before.is_alphanumeric() || "_.-".contains(before));
        let (root, rest) = line[start + 1..].split_once('/')?;
        let named = MACHINE_ROOTS.contains(&root)
            && rest.starts_with(|next: char| next.is_ascii_alphanumeric());
        let end = rest
            .find(|next: char| next.is_whitespace() || "\"'`),;".contains(next))
            .unwrap_or(rest.len());
        (named && !continues).then(|| &line[start..start + root.len() + 2 + end])
    })
}

fn no_registry_host(file: &File) -> Vec<Fault> {
    file.faults(|line| {
        let host = REGISTRY_HOSTS.iter().find(|host| line.contains(*host))?;
        Some(format!(
            "{host:?} ties the project to one registry; leave the choice to the machine"
        ))
    })
}

/// A `resolved` address is that of the registry on the machine that wrote the file.
fn no_registry_in_npm_lock(file: &File) -> Vec<Fault> {
    if file.name() != "package-lock.json" {
        return Vec::new();
    }
    file.faults(|line| {
        line.contains("\"resolved\"").then(|| {
            "names where a package came from; write the file again with npm's omit-lockfile-registry-resolved".into()
        })
    })
}

/// Cargo writes crates.io itself in this way, whatever mirror it fetches from.
fn no_registry_in_cargo_lock(file: &File) -> Vec<Fault> {
    if file.name() != "Cargo.lock" {
        return Vec::new();
    }
    file.faults(|line| {
        let foreign = line.starts_with("source = ") && line != CRATES_IO;
        foreign.then(|| {
            "a package from elsewhere than crates.io, which not everybody can fetch".into()
        })
    })
}

/// Which registry or mirror to use is for the machine's own settings to say.
fn no_registry_in_settings(file: &File) -> Vec<Fault> {
    let forbidden: &[&str] = match file.name() {
        ".npmrc" => &["registry=", "registry =", "_auth"],
        "config.toml" => &["[source", "[registries", "[registry", "replace-with"],
        _ => return Vec::new(),
    };
    file.faults(|line| {
        let word = forbidden.iter().find(|word| line.contains(*word))?;
        Some(format!(
            "{word:?} chooses a registry for everybody; leave the choice to the machine"
        ))
    })
}

fn nothing_unfinished(file: &File) -> Vec<Fault> {
    if file.is_lock() {
        return Vec::new();
    }
    file.faults(|line| {
        let word = UNFINISHED.iter().find(|word| has_word(line, word))?;
        Some(format!(
            "{word:?} is unfinished work; finish it, or open an issue"
        ))
    })
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |beside: Option<char>| {
        beside.is_some_and(|beside| beside.is_alphanumeric() || beside == '_')
    };
    line.match_indices(word).any(|(start, _)| {
        let after = line[start + word.len()..].chars().next();
        !is_part(line[..start].chars().next_back()) && (word.ends_with('!') || !is_part(after))
    })
}

fn no_endless_file(file: &File) -> Vec<Fault> {
    let lines = file.text.lines().count();
    if !file.path.ends_with(".rs") || lines <= LONGEST_RUST_FILE {
        return Vec::new();
    }
    vec![file.fault(
        LONGEST_RUST_FILE + 1,
        format!("{lines} lines, more than {LONGEST_RUST_FILE}; are these two files?"),
    )]
}

/// Versions, of the packages and of what they depend on, stand in the root's `Cargo.toml` alone.
fn said_once_in_the_workspace(file: &File) -> Vec<Fault> {
    match file.path.as_str() {
        "Cargo.toml" => own_versions_agree(file),
        path if path.ends_with("/Cargo.toml") && !is_outside(file) => member_inherits(file),
        _ => Vec::new(),
    }
}

/// A package that is a workspace of its own, such as the fuzzer's, has nobody to inherit from.
fn is_outside(file: &File) -> bool {
    file.text.lines().any(|line| line == "[workspace]")
}

fn member_inherits(file: &File) -> Vec<Fault> {
    let missing = INHERITED.iter().filter(|key| {
        let line = format!("{key}.workspace = true");
        !file.text.lines().any(|found| found == line)
    });
    let mut faults: Vec<_> = missing
        .map(|key| {
            file.fault(
                1,
                format!("say \"{key}.workspace = true\"; its value stands in the root"),
            )
        })
        .collect();
    faults.extend(own_requirements(file));
    faults
}

/// The dependencies that a member describes itself. Sections of the form `[dependencies.name]` count as such.
fn own_requirements(file: &File) -> Vec<Fault> {
    let mut section = "";
    let mut faults = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            section = line;
        } else if section.ends_with("dependencies]") && is_own_requirement(line) {
            faults.push(file.fault(
                index + 1,
                "take the dependency from the workspace: name.workspace = true",
            ));
        }
        if line.starts_with('[') && line.contains("dependencies.") {
            faults.push(file.fault(
                index + 1,
                "take the dependency from the workspace, in one line",
            ));
        }
    }
    faults
}

fn is_own_requirement(line: &str) -> bool {
    let code = line.trim_start();
    let starts_entry = code.contains('=') && !code.starts_with('#') && line == code;
    starts_entry && !code.contains("workspace = true")
}

/// To publish, a path also needs a version: the root repeats its own there.
fn own_versions_agree(file: &File) -> Vec<Fault> {
    let Some(own) = file
        .text
        .lines()
        .find(|line| line.starts_with("version = "))
    else {
        return vec![file.fault(1, "the workspace names no version")];
    };
    file.faults(|line| {
        let differs = line.contains("path = \"") && !line.contains(own);
        differs.then(|| format!("a crate of the workspace must say {own}, as the workspace does"))
    })
}

/// Each `cargo xtask …` in a document must be there, and the README must name the promised ones.
fn documented_tasks_exist(files: &[File]) -> Vec<Fault> {
    let documents = files.iter().filter(|file| file.path.ends_with(".md"));
    let mut faults: Vec<_> = documents.flat_map(no_unknown_task).collect();
    let readme = files.iter().find(|file| file.path == "README.md");
    for task in PROMISED_TASKS {
        let named =
            readme.is_some_and(|readme| named_tasks(&readme.text).any(|named| named == task));
        if !named {
            let says = format!("must name the command \"cargo xtask {task}\"");
            faults.push(Fault {
                path: "README.md".into(),
                line: 1,
                says,
            });
        }
    }
    faults
}

fn no_unknown_task(file: &File) -> Vec<Fault> {
    file.faults(|line| {
        let unknown = named_tasks(line).find(|task| !TASKS.contains(task))?;
        Some(format!("\"cargo xtask {unknown}\" is no task"))
    })
}

fn named_tasks(text: &str) -> impl Iterator<Item = &str> {
    text.split("cargo xtask ").skip(1).filter_map(|rest| {
        let end = rest
            .find(|next: char| !next.is_ascii_alphanumeric() && next != '-')
            .unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.into(),
            text: text.into(),
        }
    }

    /// The one fault of a sample, as it is shown.
    fn only_fault(rule: Rule, path: &str, text: &str) -> String {
        let faults = rule(&file(path, text));
        assert_eq!(faults.len(), 1, "{path}: {faults:?}");
        faults[0].to_string()
    }

    fn assert_clean(rule: Rule, path: &str, text: &str) {
        let faults = rule(&file(path, text));
        assert!(faults.is_empty(), "{path}: {faults:?}");
    }

    #[test]
    fn the_workspace_is_tidy() {
        let root = crate::root();
        // A source package from elsewhere than git has no list of files to check.
        if !root.join(".git").exists() {
            return;
        }
        let faults: Vec<_> = check_tree(&root)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    }

    #[test]
    fn paths_of_a_machine() {
        for root in MACHINE_ROOTS {
            let text = format!("ok\nlet file = \"/{root}/someone/x.json\";\n");
            let fault = only_fault(no_machine_path, "a.rs", &text);
            assert!(
                fault.starts_with(&format!("a.rs:2: \"/{root}/someone/x.json\" ")),
                "{fault}"
            );
        }
        let harmless = [
            "../home/x",
            "http://example.org/home/x",
            "a/tmp/x",
            "/homes/x",
            "/tmp",
            "/a/tmp/x",
            "and/or",
        ];
        for text in harmless {
            assert_clean(no_machine_path, "a.rs", text);
        }
        assert_clean(no_machine_path, "Cargo.lock", &format!("+/{}/x", "tmp"));
    }

    #[test]
    fn hosts_of_a_registry() {
        for host in REGISTRY_HOSTS {
            let fault = only_fault(
                no_registry_host,
                "1/package-lock.json",
                &format!("\"https:{host}.example/x.tgz\""),
            );
            assert!(fault.contains("one registry"), "{fault}");
        }
        assert_clean(
            no_registry_host,
            "README.md",
            "The handler registry. See crates.io/crates/sio-v1",
        );
    }

    #[test]
    fn lock_files_of_npm_with_addresses() {
        let text = "{\n\"resolved\": \"https://npm.example/a.tgz\"\n}";
        let fault = only_fault(
            no_registry_in_npm_lock,
            "node-server/1.0.6/package-lock.json",
            text,
        );
        assert!(
            fault.starts_with("node-server/1.0.6/package-lock.json:2: "),
            "{fault}"
        );
        assert_clean(no_registry_in_npm_lock, "other.json", text);
    }

    #[test]
    fn a_cargo_lock_with_foreign_sources() {
        let text = format!("{CRATES_IO}\nsource = \"registry+https://mirror.example/index\"\n");
        let fault = only_fault(no_registry_in_cargo_lock, "Cargo.lock", &text);
        assert!(fault.starts_with("Cargo.lock:2: "), "{fault}");
    }

    #[test]
    fn settings_that_choose_a_registry() {
        only_fault(
            no_registry_in_settings,
            "node-server/2.5.1/.npmrc",
            "registry=https://npm.example",
        );
        only_fault(
            no_registry_in_settings,
            ".cargo/config.toml",
            "[source.crates-io]",
        );
        assert_clean(
            no_registry_in_settings,
            ".npmrc",
            "omit-lockfile-registry-resolved=true",
        );
        assert_clean(no_registry_in_settings, ".cargo/config.toml", "[alias]");
    }

    #[test]
    fn unfinished_work() {
        for word in UNFINISHED {
            let fault = only_fault(nothing_unfinished, "a.js", &format!("// {word} later"));
            assert!(fault.contains(word), "{fault}");
        }
        only_fault(nothing_unfinished, "a.rs", &format!("{}()", UNFINISHED[3]));
        assert_clean(
            nothing_unfinished,
            "a.rs",
            &format!("let A{} = 1; // mas{}()", UNFINISHED[0], UNFINISHED[3]),
        );
        assert_clean(nothing_unfinished, "package-lock.json", UNFINISHED[0]);
    }

    #[test]
    fn files_without_end() {
        let fault = only_fault(no_endless_file, "a.rs", &"\n".repeat(901));
        assert!(fault.contains("901 lines"), "{fault}");
        assert_clean(no_endless_file, "a.rs", &"\n".repeat(900));
        assert_clean(no_endless_file, "a.json", &"\n".repeat(901));
    }

    const MEMBER: &str = "[package]\nversion.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
        license.workspace = true\n\n[features]\nrustls = [\"dep:rustls\"]\n\n[dependencies]\n\
        # Why.\nbytes.workspace = true\nserde = { workspace = true, features = [\n    \"derive\",\n] }\n";

    #[test]
    fn members_that_say_for_themselves_what_the_workspace_says() {
        assert_clean(said_once_in_the_workspace, "xtask/Cargo.toml", MEMBER);
        let outside = "[package]\nversion = \"0.0.0\"\n\n[workspace]\n";
        assert_clean(said_once_in_the_workspace, "tests/fuzz/Cargo.toml", outside);
        for key in INHERITED {
            let text = MEMBER.replace(
                &format!("\n{key}.workspace = true"),
                &format!("\n{key} = \"1\""),
            );
            let fault = only_fault(said_once_in_the_workspace, "xtask/Cargo.toml", &text);
            assert!(
                fault.contains(&format!("{key}.workspace = true")),
                "{fault}"
            );
        }
    }

    #[test]
    fn members_with_requirements_of_their_own() {
        for own in [
            "url = \"2\"",
            "url = { version = \"2\" }",
            "[dependencies.url]",
            "[target.'cfg(unix)'.dependencies]\nurl = \"2\"",
        ] {
            only_fault(
                said_once_in_the_workspace,
                "xtask/Cargo.toml",
                &format!("{MEMBER}{own}\n"),
            );
        }
    }

    #[test]
    fn a_root_that_says_two_versions() {
        let root = |version| {
            format!("version = \"0.1.0\"\nsio-core = {{ path = \"crates/sio-core\", {version} }}\n")
        };
        assert_clean(
            said_once_in_the_workspace,
            "Cargo.toml",
            &root("version = \"0.1.0\""),
        );
        only_fault(
            said_once_in_the_workspace,
            "Cargo.toml",
            &root("version = \"0.2.0\""),
        );
        only_fault(said_once_in_the_workspace, "Cargo.toml", "[workspace]\n");
    }

    #[test]
    fn documents_that_name_what_is_not_there() {
        let readme = file(
            "README.md",
            "`cargo xtask demo`, then\n    cargo xtask test-servers --case V6\n",
        );
        let guide = file("GUIDE.md", "Run `cargo xtask dmeo`.");
        assert!(documented_tasks_exist(&[readme]).is_empty());

        let faults: Vec<_> = documented_tasks_exist(&[guide])
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(faults.len(), 3, "{faults:?}");
        assert_eq!(faults[0], "GUIDE.md:1: \"cargo xtask dmeo\" is no task");
        assert_eq!(
            faults[1],
            "README.md:1: must name the command \"cargo xtask demo\""
        );
    }

    #[test]
    fn every_rule_is_asked() {
        let bad = file("a.rs", &format!("// {}", UNFINISHED[0]));
        let faults = check(&[bad]);
        assert!(
            faults.iter().any(|fault| fault.path == "a.rs"),
            "{faults:?}"
        );
        assert!(
            faults.iter().any(|fault| fault.path == "README.md"),
            "{faults:?}"
        );
    }
}
