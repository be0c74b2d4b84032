//! What `sio` says about itself.

use std::process::Command;

use crate::stage::Sio;

const COMMANDS: [&str; 8] = [
    "",
    "probe",
    "listen",
    "emit",
    "connect",
    "replay",
    "completions",
    "man",
];

fn help(command: &str, option: &str) -> Vec<String> {
    let words: Vec<&str> = [command, option]
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect();
    let ended = Sio::start(&words).end();
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    ended.out
}

#[test]
fn help_fits_a_screen_and_has_examples() {
    for command in COMMANDS {
        for (option, most) in [("-h", 24), ("--help", 50)] {
            let lines = help(command, option);
            assert!(
                lines.len() <= most,
                "{command} {option} has {} lines",
                lines.len()
            );
            for line in &lines {
                assert!(line.chars().count() <= 80, "{command} {option}: {line}");
            }
            let examples = lines
                .iter()
                .filter(|line| line.starts_with("  sio "))
                .count();
            assert!(examples > 0, "{command} {option}");
        }
    }
}

#[test]
fn the_long_help_has_every_option() {
    for command in ["probe", "listen", "emit", "connect"] {
        let long = help(command, "--help").join("\n");
        for option in [
            "--server",
            "--transport",
            "--namespace",
            "--path",
            "--query",
            "--header",
            "--cookie",
            "--proxy",
            "--ca",
            "--cert",
            "--key",
            "--insecure",
            "--timeout",
            "--json",
            "--verbose",
        ] {
            assert!(
                long.contains(&format!("{option} ")) || long.contains(&format!("{option}.")),
                "{command} has no {option} in:\n{long}"
            );
        }
    }
}

#[test]
fn a_wrong_command_line_ends_with_2_and_says_what_is_near() {
    for (args, said) in [
        (&["lisen"][..], "listen"),
        (&["listen"], "<URL>"),
        (&["listen", "u", "--cout", "1"], "--count"),
        (&["listen", "u", "--count", "0"], "--count"),
        (&["listen", "u", "--server", "7"], "--server"),
        (&["emit", "u", "e", "--timeout", "0"], "above 0"),
        (&["emit", "u", "e", "--cert", "x"], "--key"),
        (&["man", "nothing"], "there is no command nothing"),
    ] {
        Sio::start(args).end().is(2, said);
    }
    let ended = Sio::start(&["listen", "--json"]).end();
    let line = r#"{"error":{"kind":"usage","message":"the following required arguments were not provided:"}}"#;
    assert_eq!(ended.out, [line]);
}

#[test]
fn completions_and_manual_pages_are_printed() {
    for (shell, sign) in [
        ("bash", "complete -F _sio"),
        ("zsh", "#compdef sio"),
        ("fish", "complete -c sio"),
    ] {
        let ended = Sio::start(&["completions", shell]).end();
        ended.is(0, "");
        assert!(ended.out.iter().any(|line| line.contains(sign)), "{shell}");
    }
    for (args, sign) in [
        (&["man"][..], ".TH sio 1"),
        (&["man", "emit"], ".TH sio-emit 1"),
    ] {
        let ended = Sio::start(args).end();
        ended.is(0, "");
        assert!(
            ended.out.iter().any(|line| line.contains(sign)),
            "{:?}",
            ended.out
        );
    }
}

#[test]
fn bash_takes_the_completions() {
    let script = Sio::start(&["completions", "bash"]).end().out.join("\n");
    let text = format!("{script}\ncomplete -p sio");
    match Command::new("bash").args(["--norc", "-c", &text]).output() {
        Ok(output) => assert!(String::from_utf8_lossy(&output.stdout).contains("_sio")),
        Err(_) => eprintln!("skipped: there is no bash here"),
    }
}

#[test]
fn the_version_is_that_of_the_crate() {
    let ended = Sio::start(&["--version"]).end();
    assert_eq!(ended.out, [concat!("sio ", env!("CARGO_PKG_VERSION"))]);
}
