//! Tests that need the process for themselves: to count its threads, or to have environment variables of their own.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::wait::{Background, background};

const MARK: &str = "SIO_IT_ALONE";

/// How long such a process may take, on a machine that is busy with the other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` in a process of its own: the test executable, told to run only the test `name`, which is the caller.
#[track_caller]
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    alone_with(name, &[], body);
}

/// The same with environment variables.
#[track_caller]
pub(crate) fn alone_with(name: &str, variables: &[(&str, &OsStr)], body: impl FnOnce()) {
    if env::var_os(MARK).is_some() {
        return body();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(MARK, "1").envs(variables.iter().copied());
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = read_all(child.stdout.take().unwrap());
    let err = read_all(child.stderr.take().unwrap());
    let deadline = Instant::now() + LIMIT;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() >= deadline => break None,
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    // Fails only if it has ended.
    let _ = child.kill();
    let _ = child.wait();
    let (out, err) = (out.join(), err.join());
    match status {
        Some(status) => assert!(
            status.success(),
            "{name} failed in its own process:\n{out}\n{err}"
        ),
        None => panic!("waited {LIMIT:?} for {name} in its own process:\n{out}\n{err}"),
    }
    assert!(out.contains("1 passed"), "{name} is no test's name:\n{out}");
}

fn read_all(mut from: impl Read + Send + 'static) -> Background<String> {
    background("the output of the test's own process", move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The names of the client's threads in this process; Linux only, elsewhere none.
pub(crate) fn client_threads() -> Vec<String> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let names = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .map(|name| name.trim().to_owned())
        .filter(|name| name.starts_with("sio-"))
        .collect()
}

/// What this process holds in memory, in bytes; 0 where the system does not tell.
pub(crate) fn resident_bytes() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) << 10
}
