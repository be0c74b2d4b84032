//! `cargo xtask bench`: all clients on all servers, side by side; the tables go to target/bench.

use std::process::{ExitCode, Stdio};

use crate::command_line::Benching;
use crate::{node, peers, process, rust, servers};

/// The servers besides the fast one; that of socketioxide is built to be fast.
const SERVERS: [&str; 2] = ["2.5.1", "0.9.19"];

pub(crate) fn run(wanted: &Benching) -> Result<ExitCode, String> {
    for why in missing_servers().into_iter().chain(peers::install()) {
        eprintln!("left out: {why}");
    }
    process::announce_build();
    let status = process::status(
        process::cargo()
            .args(["run", "--quiet", "--locked", "--release"])
            .args(["--package", "sio-bench", "--bin", "bench", "--", "run"])
            .args(arguments(wanted))
            .stdin(Stdio::null()),
    )?;
    Ok(process::same_end(status))
}

/// Why servers are not there: the others are measured without them.
fn missing_servers() -> Vec<String> {
    let node = match node::require_node() {
        Ok(()) => servers::install(&SERVERS.map(str::to_owned)),
        Err(sentence) => Ok(vec![sentence]),
    };
    let mut missing = node.unwrap_or_else(|sentence| vec![sentence]);
    match rust::install_fast() {
        Ok(why) => missing.extend(why),
        Err(sentence) => missing.push(sentence),
    }
    missing
}

/// What is handed on to the program that measures.
fn arguments(wanted: &Benching) -> Vec<String> {
    let mut arguments = Vec::new();
    if wanted.quick {
        arguments.push("--quick".to_owned());
    }
    for (flag, values) in [("--only", &wanted.works), ("--client", &wanted.clients)] {
        for value in values {
            arguments.extend([flag.to_owned(), value.clone()]);
        }
    }
    if let Some(repeats) = wanted.repeats {
        arguments.extend(["--repeats".to_owned(), repeats.to_string()]);
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_handed_on() {
        assert_eq!(arguments(&Benching::default()), [""; 0]);
        let wanted = Benching {
            quick: true,
            works: vec!["ack".into(), "flood".into()],
            clients: vec!["sio-v1".into()],
            repeats: Some(7),
        };
        assert_eq!(
            arguments(&wanted).join(" "),
            "--quick --only ack --only flood --client sio-v1 --repeats 7"
        );
    }
}
