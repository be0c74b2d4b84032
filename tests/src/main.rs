//! `conformance`: runs the suites, serves a server, shows the demo.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::{Long, Short, Value, ValueExt};
use sio_conformance::case::{Mode, is_meant};
use sio_conformance::demo;
use sio_conformance::expected::Expected;
use sio_conformance::report::{self, Totals};
use sio_conformance::runner::{self, Plan};
use sio_conformance::server::{SERVERS, Server};
use sio_conformance::suites;

const HELP: &str = "\
conformance run [--server S]… [--transport polling|websocket|upgrade]… [--case V6.1|V6]… [--out DIR] [--list]
conformance serve S          start a server, show its ports, end with Ctrl-D or Ctrl-C
conformance demo [--server S]";

/// What went wrong: the command line, or the run.
enum Problem {
    Usage(String),
    Failed(String),
}

impl From<lexopt::Error> for Problem {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

fn main() -> ExitCode {
    match command() {
        Ok(code) => code,
        Err(Problem::Usage(text)) => {
            eprintln!("{text}\n\n{HELP}");
            ExitCode::from(2)
        }
        Err(Problem::Failed(text)) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Result<ExitCode, Problem> {
    let mut arguments = lexopt::Parser::from_env();
    match arguments.next()? {
        Some(Value(name)) => match name.string()?.as_str() {
            "run" => run(arguments),
            "serve" => serve(arguments),
            "demo" => show_demo(arguments),
            name => Err(Problem::Usage(format!("there is no command {name:?}"))),
        },
        Some(Long("help") | Short('h')) | None => {
            println!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        Some(argument) => Err(argument.unexpected().into()),
    }
}

// --- run ----------------------------------------------------------------------------------------------------------

fn run(mut arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let mut plan = Plan::default();
    let mut out: Option<PathBuf> = None;
    let mut list = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("server") => plan
                .servers
                .push(server_name(arguments.value()?.string()?)?),
            Long("transport") => plan.modes.push(mode_name(&arguments.value()?.string()?)?),
            Long("case") => plan.cases.push(case_name(arguments.value()?.string()?)?),
            Long("out") => out = Some(arguments.value()?.into()),
            Long("list") => list = true,
            argument => return Err(argument.unexpected().into()),
        }
    }
    if list {
        print_list(&plan);
        return Ok(ExitCode::SUCCESS);
    }
    let expected = Expected::load()?;
    let runs = runner::run(&plan, &expected, |run| {
        eprintln!("{}", report::progress(run));
    });
    let runs = runs.map_err(|error| error.to_string())?;
    if let Some(out) = out {
        report::write(&runs, &out)
            .map_err(|error| format!("writing into {}: {error}", out.display()))?;
    }
    let totals = Totals::of(runs.iter().flat_map(|run| &run.results));
    if totals == Totals::default() {
        return Err(Problem::Usage("no case fits this choice".into()));
    }
    print!("{}", report::text(&runs));
    Ok(if totals.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn server_name(name: String) -> Result<String, Problem> {
    if SERVERS.contains(&name.as_str()) {
        return Ok(name);
    }
    Err(Problem::Usage(format!(
        "there is no server {name:?}, only {}",
        SERVERS.join(", ")
    )))
}

fn mode_name(name: &str) -> Result<Mode, Problem> {
    Mode::named(name).ok_or_else(|| {
        let names = Mode::EVERY.map(Mode::name).join(", ");
        Problem::Usage(format!("there is no transport {name:?}, only {names}"))
    })
}

fn case_name(name: String) -> Result<String, Problem> {
    let known = suites::all().iter().any(|case| is_meant(&name, case.id));
    if known {
        return Ok(name);
    }
    Err(Problem::Usage(format!(
        "there is no case or group {name:?}; see `conformance run --list`"
    )))
}

fn print_list(plan: &Plan) {
    for server in SERVERS.into_iter().filter(|server| plan.has_server(server)) {
        let cells = plan.cells(server);
        println!("{server}: {} runs", cells.len());
        let mut ids: Vec<(&str, &str)> = cells
            .iter()
            .map(|(case, _)| (case.id, case.title))
            .collect();
        ids.dedup();
        let mut seen = std::collections::HashSet::new();
        for (id, title) in ids.into_iter().filter(|(id, _)| seen.insert(*id)) {
            println!("  {id:6} {title}");
        }
    }
}

// --- serve --------------------------------------------------------------------------------------------------------

fn serve(mut arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let Some(Value(name)) = arguments.next()? else {
        return Err(Problem::Usage("which server?".into()));
    };
    let name = server_name(name.string()?)?;
    let server = Server::start(&name).map_err(|error| error.to_string())?;
    println!("socket.io {name}, on 127.0.0.1; Ctrl-D ends it");
    let mut ports: Vec<(&String, &u16)> = server.ports().iter().collect();
    ports.sort_by_key(|(variant, _)| (*variant != "main", *variant == "control"));
    for (variant, port) in ports {
        println!("  {variant:15} http://127.0.0.1:{port}");
    }
    std::io::stdout()
        .flush()
        .map_err(|error| error.to_string())?;
    let mut ignored = [0; 256];
    // Ends at the end of the input; an unreadable input is as good as a closed one.
    while let Ok(1..) = std::io::stdin().read(&mut ignored) {}
    server.stop();
    let output = server.output();
    if !output.is_empty() {
        eprint!("{output}");
    }
    Ok(ExitCode::SUCCESS)
}

// --- demo ---------------------------------------------------------------------------------------------------------

fn show_demo(mut arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let mut server = "2.5.1".to_owned();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("server") => server = server_name(arguments.value()?.string()?)?,
            argument => return Err(argument.unexpected().into()),
        }
    }
    demo::run(&server)?;
    Ok(ExitCode::SUCCESS)
}
