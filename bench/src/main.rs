//! `bench`: the fast server, the clients of this workspace and the limit.

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value, ValueExt as _};
use serde::Serialize;
use sio_bench::client::Which;
use sio_bench::flow::{self, Case};
use sio_bench::run::{self, Plan, report};
use sio_bench::scale::hold::{self, Order};
use sio_bench::scale::{self, Driver};
use sio_bench::serve::{Server, Timing};
use sio_bench::work::{CANNOT, Failure, Task, Work};

const HELP: &str = "\
bench serve [--interval MS]     the fast server, until standard input ends; prints its port
bench client v1|legacy|limit-v1|limit-legacy WORK URL COUNT [EXTRA]
                                does a work on a server, and prints what it took
bench run [--quick] [--only WORK]… [--client NAME]… [--repeats N]
                                all clients on all servers, side by side; tables in target/bench
bench scale [--seconds N] [--most N]
                                many idle and active connections: what each costs
bench flow                      too much comes, or has to leave: what is held
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

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Cannot(why) => Self::Cannot(why),
            Failure::Wrong(why) => Self::Failed(why),
        }
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
            "scale" => scale(arguments),
            "hold" => hold(arguments),
            "flow" => flow(arguments),
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

fn client(arguments: lexopt::Parser) -> Result<(), Problem> {
    let (which, task) = read_task(&values(arguments)?).map_err(Problem::Usage)?;
    print_line(&which.run(&task)?)
}

fn values(mut arguments: lexopt::Parser) -> Result<Vec<String>, Problem> {
    let mut values = Vec::new();
    while let Some(argument) = arguments.next()? {
        match argument {
            Value(value) => values.push(value.string()?),
            argument => return Err(argument.unexpected().into()),
        }
    }
    Ok(values)
}

fn print_line(line: &impl Serialize) -> Result<(), Problem> {
    let line = serde_json::to_string(line).map_err(io::Error::from)?;
    Ok(writeln!(io::stdout(), "{line}")?)
}

fn scale(mut arguments: lexopt::Parser) -> Result<(), Problem> {
    let mut plan = scale::Plan {
        seconds: 60,
        most: 10_000,
        program: std::env::current_exe()?,
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("seconds") => plan.seconds = arguments.value()?.parse()?,
            Long("most") => plan.most = arguments.value()?.parse()?,
            argument => return Err(argument.unexpected().into()),
        }
    }
    let (text, is_whole) = scale::run(&plan).map_err(Problem::Failed)?;
    write!(io::stdout(), "{text}")?;
    if is_whole {
        Ok(())
    } else {
        Err(Problem::Failed(
            "not everything could be measured; why stands above".into(),
        ))
    }
}

/// A process of `scale`.
fn hold(arguments: lexopt::Parser) -> Result<(), Problem> {
    let values = values(arguments)?;
    let [which, driver, url, count, seconds, active] = &values[..] else {
        return Err(Problem::Usage("hold is for `bench scale` alone".into()));
    };
    let usage = |why: String| Problem::Usage(why);
    let number = |text: &String| number(text).map_err(Problem::Usage);
    let order = Order {
        driver: Driver::named(driver).map_err(usage)?,
        url: url.clone(),
        connections: number(count)?,
        time: Duration::from_secs(number(seconds)? as u64),
        active: number(active)?,
    };
    print_line(&match which.parse().map_err(usage)? {
        Which::V1 => hold::run::<sio_v1::Session>(&order)?,
        Which::Legacy => hold::run::<sio_legacy::Session>(&order)?,
        _ => return Err(usage("only our own clients are held".into())),
    })
}

fn flow(arguments: lexopt::Parser) -> Result<(), Problem> {
    let values = values(arguments)?;
    let usage = |why: String| Problem::Usage(why);
    let (text, all_hold) = match &values[..] {
        [] => flow::run(&std::env::current_exe()?).map_err(Problem::Failed)?,
        // A process of its own.
        [which, case, url] => {
            let case: Case = case.parse().map_err(usage)?;
            match which.parse().map_err(usage)? {
                Which::V1 => case.run::<sio_v1::Session>(url)?,
                Which::Legacy => case.run::<sio_legacy::Session>(url)?,
                _ => return Err(usage("only our own clients are tried".into())),
            }
        }
        _ => return Err(usage("flow takes nothing".into())),
    };
    write!(io::stdout(), "{text}")?;
    if all_hold {
        Ok(())
    } else {
        Err(Problem::Failed("not every bound held".into()))
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

fn number(text: &String) -> Result<usize, String> {
    let number = text.parse();
    number.map_err(|error| format!("{text:?} is no number: {error}"))
}
