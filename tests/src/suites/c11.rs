//! C11: the command `sio`, as shells and programs in other languages use it.
//!
//! The runner itself is the command here: `conformance sio …` is `sio …`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sio_peer::child::{Child, Ended};

use crate::case::{Case, Failure, Outcome, WEBSOCKET};
use crate::context::{Context, PATIENCE};
use crate::protocol::Protocol;
use crate::scratch::Scratch;
use crate::{ensure, ensure_eq};

/// How often an event is emitted for an example that waits for one.
const AGAIN: Duration = Duration::from_millis(100);

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    vec![
        Case::in_modes(
            "C11.1",
            "A program in Python talks through the command",
            WEBSOCKET,
            |cx| talks(cx, "python3", "talk.py", "Python"),
        ),
        Case::in_modes(
            "C11.2",
            "A program for Node talks through the command",
            WEBSOCKET,
            |cx| talks(cx, "node", "talk.js", "Node"),
        ),
        Case::in_modes(
            "C11.3",
            "Every example in the command's help does what it says",
            WEBSOCKET,
            examples,
        ),
    ]
}

// --- programs -------------------------------------------------------------------------------------------------------

/// The program shows events and an answer, and its own answer reaches the server.
fn talks<P: Protocol>(cx: &Context<P>, interpreter: &str, program: &str, name: &str) -> Outcome {
    if Command::new(interpreter)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        return Err(Failure::not_here(format!("there is no {interpreter}")));
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/sio-cli/examples");
    let mut command = Command::new(interpreter);
    command.arg(folder.join(program)).arg(cx.url("main"));
    command.arg(std::env::current_exe()?);
    command.args(["sio", "connect", "--json", "--transport", cx.mode().name()]);
    command.args(["--query", &format!("tag={}", cx.tag())]);
    without_proxies(&mut command);
    let ended = Child::start(&mut command).end(PATIENCE);
    succeeded(&ended, program)?;

    let lines: Vec<&str> = ended.out.lines().collect();
    let first = lines.first().copied().unwrap_or_default();
    ensure_eq!(first, "connected over websocket", "the first line");
    ensure!(
        lines.contains(&r#"event welcome-question ["who are you?"]"#),
        "no question in {lines:?}"
    );
    let answer = lines
        .iter()
        .find_map(|line| line.strip_prefix("ack first "));
    let answer: Value = serde_json::from_str(answer.unwrap_or("null"))?;
    ensure_eq!(answer[0], json!(1), "the answer");
    ensure_eq!(answer[1], json!("\u{fc}"), "the answer");
    // The program has ended; what it sent last may still be on its way through the server.
    cx.until("the answer to the server's question", || {
        // The probe has left a record, too.
        let records = cx.control().sockets(Some("/"))?;
        let mut answers = records
            .into_iter()
            .filter_map(|record| record.welcome_answer);
        Ok(answers.find(|answer| *answer == json!([name])).map(drop))
    })
}

// --- examples -------------------------------------------------------------------------------------------------------

fn examples<P: Protocol>(cx: &Context<P>) -> Outcome {
    let folder = Scratch::new("examples")?;
    folder.write("a.png", b"\x89PNG")?;
    for place in [
        ".local/share/bash-completion/completions",
        ".zfunc",
        ".config/fish/completions",
    ] {
        std::fs::create_dir_all(folder.path().join(place))?;
    }
    let mut count = 0;
    for help in helps() {
        for example in help.lines().filter_map(|line| line.strip_prefix("  ")) {
            if example.starts_with("sio ") || example.contains("| sio ") {
                run(cx, &folder, example)?;
                count += 1;
            }
        }
    }
    ensure!(count >= 20, "only {count} examples are left");
    Ok(())
}

/// What stands below the options of each help.
fn helps() -> Vec<String> {
    let grammar = sio_cli::args::full();
    let all = [&grammar].into_iter().chain(grammar.get_subcommands());
    all.filter_map(|command| command.get_after_help())
        .map(ToString::to_string)
        .collect()
}

fn run<P: Protocol>(cx: &Context<P>, folder: &Scratch, example: &str) -> Outcome {
    // Programs that may not be installed here.
    let line = example.split(" | jq ").next().unwrap_or_default();
    let line = line.split(" | man ").next().unwrap_or_default();
    let line = line.replace("http://localhost:3000", &cx.url("main"));
    let line = line.replace("localhost:3000", &cx.url("main"));
    let mut line = line.replace("https://hub.example.com", &cx.tls_url("tls"));
    // One that listens for ever ends when nobody reads it any more.
    let listens = line.starts_with("sio listen");
    if listens && !line.contains("--count") {
        line.push_str(" | head -n 1");
    }
    let script = format!(
        r#"sio() {{
            case $1 in
                probe | listen | emit | connect) "$COMMAND" sio "$@" --query "tag=$TAG" ;;
                *) "$COMMAND" sio "$@" ;;
            esac
        }}
        {{ {line}; }} </dev/null"#
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(folder.path());
    command.env("COMMAND", std::env::current_exe()?);
    command.env("TAG", cx.tag()).env("HOME", folder.path());
    without_proxies(&mut command);

    let is_over = AtomicBool::new(false);
    let ended = thread::scope(|scope| {
        if listens {
            scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    for namespace in ["/", "/chat"] {
                        // It fails while the example is not connected; then it emits again.
                        drop(cx.control().emit(namespace, "news", &[]));
                    }
                    thread::sleep(AGAIN);
                }
            });
        }
        let ended = Child::start(&mut command).end(PATIENCE);
        is_over.store(true, Ordering::Release);
        ended
    });
    succeeded(&ended, example)?;
    let is_silent = example.contains(" > ") || example.contains("sio emit");
    ensure!(
        is_silent && !example.contains("--ack") || !ended.out.is_empty(),
        "{example} printed nothing, and said: {}",
        ended.err
    );
    if let Some((_, file)) = example.split_once(" > ") {
        let file: PathBuf = folder.path().join(file.trim_start_matches("~/"));
        ensure!(
            std::fs::metadata(&file)?.len() > 0,
            "{example} wrote nothing"
        );
    }
    Ok(())
}

fn succeeded(ended: &Ended, what: &str) -> Outcome {
    ensure!(
        ended.status.is_some_and(|status| status.success()),
        "{what} ended with {:?}; it printed {:?}, and said: {}",
        ended.status,
        ended.out,
        ended.err
    );
    Ok(())
}

fn without_proxies(command: &mut Command) {
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name);
        command.env_remove(name.to_ascii_uppercase());
    }
}
