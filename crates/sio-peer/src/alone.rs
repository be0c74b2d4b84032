//! Tests that need the process for themselves: to count its threads, or to have environment variables of their own.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::panic;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::child::Child;
use crate::wait::{PATIENCE, eventually};

const MARK: &str = "SIO_IT_ALONE";

/// How long such a process may take, on a machine that is busy with the other tests.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` in a process of its own: the test executable, told to run only the test `name`, which is the caller.
#[track_caller]
pub fn alone(name: &str, body: impl FnOnce()) {
    alone_with(name, &[], body);
}

/// The same with environment variables.
#[track_caller]
pub fn alone_with(name: &str, variables: &[(&str, &OsStr)], body: impl FnOnce()) {
    if env::var_os(MARK).is_some() {
        return body();
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(MARK, "1").envs(variables.iter().copied());
    let ended = Child::start(&mut command).end(LIMIT);
    let (out, err) = (ended.out, ended.err);
    match ended.status {
        Some(status) => assert!(
            status.success(),
            "{name} failed in its own process:\n{out}\n{err}"
        ),
        None => panic!("waited {LIMIT:?} for {name} in its own process:\n{out}\n{err}"),
    }
    assert!(out.contains("1 passed"), "{name} is no test's name:\n{out}");
}

/// The names of the client's threads in this process; Linux only, elsewhere none.
///
/// One that is about to leave the system's list does not count: it has been joined, or could have been.
#[must_use]
pub fn client_threads() -> Vec<String> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    let names = tasks.filter_map(|task| {
        let stat = fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        let (before, behind) = stat.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let flags: u64 = behind.split_ascii_whitespace().nth(6)?.parse().ok()?;
        (flags & EXITING == 0).then(|| name.to_owned())
    });
    names.filter(|name| name.starts_with("sio-")).collect()
}

/// Linux's `PF_EXITING`.
const EXITING: u64 = 4;

/// How many files this process has open; 0 where the system does not tell.
#[must_use]
pub fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// What this process holds in memory, in bytes; 0 where the system does not tell.
#[must_use]
pub fn resident_bytes() -> usize {
    memory("VmRSS:")
}

/// The most that this process ever held in memory, in bytes; 0 where the system does not tell.
#[must_use]
pub fn peak_bytes() -> usize {
    memory("VmHWM:")
}

fn memory(kind: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(kind));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) << 10
}

/// How long this process has computed so far, all its threads together; zero where the system does not tell.
#[must_use]
pub fn cpu_time() -> Duration {
    let status = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything: user and system time are the 12th and 13th field, in hundredths.
    let fields = status.rsplit(')').next().unwrap_or_default();
    let fields = fields.split_ascii_whitespace().skip(11).take(2);
    let hundredths: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * hundredths)
}

/// What the documentation promises after a drop or a failure.
pub const PROMISED: Duration = Duration::from_secs(2);

/// Asserts which threads the client has.
///
/// A thread gives itself its name, so that takes a moment; that none is left is so at once.
#[track_caller]
pub fn threads_are(expected: &[&str]) {
    let names = || {
        let mut names = client_threads();
        names.sort();
        names
    };
    let limit = Duration::from_secs(u64::from(!expected.is_empty()));
    eventually(
        &format!("the threads {expected:?} instead of {:?}", names()),
        limit,
        || names() == expected || cfg!(not(target_os = "linux")),
    );
}

/// Asserts that the client's threads end, as is promised.
#[track_caller]
pub fn threads_end(after: &str) {
    eventually(
        &format!("the end of {:?} after {after}", client_threads()),
        PROMISED,
        || client_threads().is_empty(),
    );
}

/// Asserts that doing something `times` over leaves neither threads nor open files.
#[track_caller]
pub fn leaves_nothing(times: usize, act: impl Fn()) {
    act();
    threads_end("the first connections");
    let before = open_files();
    for _ in 0..times {
        act();
    }
    threads_end("all connections");
    eventually("the files to be closed", PROMISED, || {
        open_files() <= before
    });
}

/// Runs `body` in a process of its own, and asserts that no thread panicked in it and none of the client's is left.
pub fn without_panics(name: &str, body: impl FnOnce()) {
    static PANICS: AtomicUsize = AtomicUsize::new(0);
    alone(name, || {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANICS.fetch_add(1, Ordering::AcqRel);
            hook(info);
        }));
        body();
        eventually("the end of all threads", PATIENCE, || {
            client_threads().is_empty()
        });
        assert_eq!(PANICS.load(Ordering::Acquire), 0, "panics");
    });
}
