//! `bench`: the fast server, the clients of this workspace and the limit.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value, ValueExt as _};
use sio_bench::client::Which;
use sio_bench::run::{self, Plan, report};
use sio_bench::serve::{Server, Timing};
use sio_bench::work::{CANNOT, Failure, Task, Work};

const HELP: &str = "\
bench serve [--interval MS]     the fast server, until standard input ends; prints its port
bench client v1|legacy|limit-v1|limit-legacy WORK URL COUNT [EXTRA]
                                does a work on a server, and prints what it took
bench run [--quick] [--only WORK]… [--client NAME]… [--repeats N]
                                all clients on all servers, side by side; tables in target/bench
works: ack, window, flood, buffers, polling, connect, idle";

/// What went wrong: the command line, or the run.
enum Problem {
    Usage(String),
    Cannot(String),
    Failed(String),
}

impl From<lexopt::Error> for Problem {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

fn main() -> ExitCode {
    match command() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Problem::Usage(text)) => {
            eprintln!("{text}\n\n{HELP}");
            ExitCode::from(2)
        }
        Err(Problem::Cannot(text)) => {
            eprintln!("{text}");
            ExitCode::from(CANNOT)
        }
        Err(Problem::Failed(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Result<(), Problem> {
    let mut arguments = lexopt::Parser::from_env();
    match arguments.next()? {
        Some(Value(name)) => match name.string()?.as_str() {
            "serve" => serve(arguments),
            "client" => client(arguments),
            "run" => run(arguments),
            name => Err(Problem::Usage(format!("there is no command {name:?}"))),
        },
        Some(Long("help") | Short('h')) | None => {
            println!("{HELP}");
            Ok(())
        }
        Some(argument) => Err(argument.unexpected().into()),
    }
}

fn serve(mut arguments: lexopt::Parser) -> Result<(), Problem> {
    let mut timing = Timing::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("interval") => {
                timing.interval = Duration::from_millis(arguments.value()?.parse()?);
            }
            argument => return Err(argument.unexpected().into()),
        }
    }
    let server = Server::start(timing)?;
    let mut out = io::stdout();
    writeln!(out, "{{\"port\":{}}}", server.port())?;
    out.flush()?;
    let mut rest = Vec::new();
    io::stdin().read_to_end(&mut rest)?;
    Ok(server.stop()?)
}

fn client(mut arguments: lexopt::Parser) -> Result<(), Problem> {
    let mut values = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(value) => values.push(value.string()?),
            argument => return Err(argument.unexpected().into()),
        }
    }
    let (which, task) = read_task(&values).map_err(Problem::Usage)?;
    match which.run(&task) {
        Ok(line) => {
            let line = serde_json::to_string(&line).map_err(io::Error::from)?;
            writeln!(io::stdout(), "{line}")?;
            Ok(())
        }
        Err(Failure::Cannot(why)) => Err(Problem::Cannot(why)),
        Err(Failure::Wrong(why)) => Err(Problem::Failed(why)),
    }
}

fn run(mut arguments: lexopt::Parser) -> Result<(), Problem> {
    let mut plan = Plan {
        quick: false,
        works: Vec::new(),
        clients: Vec::new(),
        repeats: None,
        root: PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/..")),
        program: std::env::current_exe()?,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("quick") => plan.quick = true,
            Long("only") => plan.works.push(arguments.value()?.parse()?),
            Long("client") => plan.clients.push(arguments.value()?.string()?),
            Long("repeats") => plan.repeats = Some(arguments.value()?.parse()?),
            argument => return Err(argument.unexpected().into()),
        }
    }
    if plan.repeats == Some(0) {
        return Err(Problem::Usage("0 repeats measure nothing".into()));
    }
    let results = run::run(&plan).map_err(Problem::Failed)?;
    let markdown = report::markdown(&results);
    let folder = run::folder(&plan.root);
    results.write(&markdown, &folder)?;
    write!(io::stdout(), "{markdown}")?;
    if results.is_complete() {
        Ok(())
    } else {
        let why = "not everything could be measured; why stands below the tables";
        Err(Problem::Failed(why.into()))
    }
}

fn read_task(values: &[String]) -> Result<(Which, Task), String> {
    let ([which, work, url, count], extra) = match values {
        [which, work, url, count] => ([which, work, url, count], None),
        [which, work, url, count, extra] => ([which, work, url, count], Some(extra)),
        _ => return Err("a client, a work, a URL and a count are needed".into()),
    };
    let number = |text: &String| {
        let number = text.parse::<usize>();
        number.map_err(|error| format!("{text:?} is no number: {error}"))
    };
    let work: Work = work.parse()?;
    let task = Task {
        work,
        url: url.clone(),
        count: number(count)?,
        extra: extra.map_or_else(|| Ok(work.extra()), number)?,
    };
    if task.count == 0 {
        return Err("a count of 0 measures nothing".into());
    }
    Ok((which.parse()?, task))
}
