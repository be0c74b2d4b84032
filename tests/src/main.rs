//! `conformance`: runs the suites, serves a server, shows the demo, soaks.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::{Long, Short, Value, ValueExt};
use sio_conformance::ask::Question;
use sio_conformance::case::{Mode, is_meant};
use sio_conformance::demo;
use sio_conformance::expected::Expected;
use sio_conformance::faults;
use sio_conformance::group::Group;
use sio_conformance::mismatch;
use sio_conformance::outage;
use sio_conformance::protocol::family_of;
use sio_conformance::report::{self, Totals};
use sio_conformance::runner::{self, Plan};
use sio_conformance::server::{SERVERS, Server};
use sio_conformance::soak;
use sio_conformance::suites;
use sio_conformance::talk::Talk;

const HELP: &str = "\
conformance run [--group servers|deployments]… [--server S]… [--transport polling|websocket|upgrade|htmlfile|jsonp-polling]…
                [--case V6.1|V6]… [--out DIR] [--list]
conformance serve S          start a server, show its ports, end with Ctrl-D or Ctrl-C
conformance ask --url U [--server S] [--transport T] [--tag T] [--authority PEM]
                             a client with the environment's proxy asks a server something
conformance talk --url U [--server S] [--transport T] [--tag T] [--logs]
                             a client that is lost and comes back, and prints nothing, or its log
conformance mismatch [--write]
                             what the clients say of servers that are no match, and of what is no server: compared with
                             the guide page, or written onto it
conformance demo [--server S]
conformance sio …            the command `sio`
conformance faults [--server S] [--transport T] [--cases N] [--seed X]
                             conversations under faults drawn at random
conformance outage [--server S] [--transport T] [--seconds N]
                             the server dies, and comes back after so long
conformance soak [--server S] [--transport T] [--minutes N] [--rate exchanges-a-second]
conformance soak [--server S] [--transport T] [--minutes N] --faults [--seed X]
                             the same while the network fails and the server is restarted";

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
            "ask" => ask(arguments),
            "talk" => talk(arguments),
            "mismatch" => mismatch(arguments),
            "demo" => show_demo(arguments),
            "faults" => faults_on_server(arguments),
            "outage" => outage_of_server(arguments),
            "soak" => soak_server(arguments),
            "sio" => Ok(sio(arguments)),
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
            Long("group") => plan.groups.push(group_name(&arguments.value()?.string()?)?),
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
    let mut totals = Totals::of(runs.iter().flat_map(|run| &run.results));
    if totals == Totals::default() {
        return Err(Problem::Usage("no case fits this choice".into()));
    }
    let mismatch = match plan.has_mismatch() {
        true => Some(mismatch::compare()?),
        false => None,
    };
    if let Some(mismatch) = &mismatch {
        totals = totals.plus(mismatch.totals);
    }
    print!("{}", report::text(&runs, mismatch.as_ref()));
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

fn group_name(name: &str) -> Result<Group, Problem> {
    Group::named(name).ok_or_else(|| {
        let names = Group::ALL.map(Group::name).join(", ");
        Problem::Usage(format!("there is no group {name:?}, only {names}"))
    })
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
        let mut seen = HashSet::new();
        for (case, _) in cells {
            if seen.insert(case.id) {
                println!("  {:6} {}", case.id, case.title);
            }
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
        let scheme_and_host = if variant.starts_with("tls") {
            "https://localhost"
        } else {
            "http://127.0.0.1"
        };
        println!("  {variant:15} {scheme_and_host}:{port}");
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

// --- mismatch -----------------------------------------------------------------------------------------------------

fn mismatch(mut arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let mut writes = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("write") => writes = true,
            argument => return Err(argument.unexpected().into()),
        }
    }
    if writes {
        mismatch::write()?;
        return Ok(ExitCode::SUCCESS);
    }
    let comparison = mismatch::compare()?;
    print!("{comparison}");
    Ok(if comparison.totals.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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

// --- sio ----------------------------------------------------------------------------------------------------------

/// This program as the command: so tests of it need no other that might be out of date.
fn sio(mut arguments: lexopt::Parser) -> ExitCode {
    // Fails only for an argument that was begun, and none was.
    let words = arguments.raw_args().into_iter().flatten();
    sio_cli::run(std::iter::once("sio".into()).chain(words)).into()
}

// --- ask ----------------------------------------------------------------------------------------------------------

fn ask(arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let (mut url, mut tag, mut authority) = (None, String::new(), None);
    let (server, mode) = on_server(arguments, |option, values| {
        match option {
            "url" => url = Some(values.value()?.string()?),
            "tag" => tag = values.value()?.string()?,
            "authority" => authority = Some(values.value()?.into()),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let url = url.ok_or_else(|| Problem::Usage("which URL?".into()))?;
    let question = Question {
        server,
        mode,
        url,
        tag,
        authority,
    };
    question.ask().map_err(|failure| failure.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn talk(arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let (mut url, mut tag, mut logs) = (None, String::new(), false);
    let (server, mode) = on_server(arguments, |option, values| {
        match option {
            "url" => url = Some(values.value()?.string()?),
            "tag" => tag = values.value()?.string()?,
            "logs" => logs = true,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    let url = url.ok_or_else(|| Problem::Usage("which URL?".into()))?;
    let talk = Talk {
        server,
        mode,
        url,
        tag,
        logs,
    };
    talk.talk().map_err(|failure| failure.to_string())?;
    Ok(ExitCode::SUCCESS)
}

// --- one server, one transport ------------------------------------------------------------------------------------

fn faults_on_server(arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let (mut conversations, mut seed) = (100, faults::any_seed());
    let (server, mode) = on_server(arguments, |option, values| {
        match option {
            "cases" => conversations = values.value()?.parse()?,
            "seed" => seed = values.value()?.parse()?,
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    faults::run(&faults::Plan {
        server,
        mode,
        conversations,
        seed,
    })?;
    Ok(ExitCode::SUCCESS)
}

fn outage_of_server(arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let mut seconds = 1.0;
    let (server, mode) = on_server(arguments, |option, values| {
        if option != "seconds" {
            return Ok(false);
        }
        seconds = number(values)?;
        Ok(true)
    })?;
    outage::run(&server, mode, Duration::from_secs_f64(seconds))?;
    Ok(ExitCode::SUCCESS)
}

fn soak_server(arguments: lexopt::Parser) -> Result<ExitCode, Problem> {
    let (mut minutes, mut rate, mut seed) = (60.0, None, None);
    let (server, mode) = on_server(arguments, |option, values| {
        match option {
            "minutes" => minutes = number(values)?,
            "rate" => rate = Some(number(values)?),
            "faults" => seed = Some(faults::any_seed()),
            "seed" => seed = Some(values.value()?.parse()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    soak::run(&soak::Plan {
        server,
        mode,
        length: Duration::from_secs_f64(60.0 * minutes),
        rate,
        faults: seed,
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The server and the transport that are asked for, 2.5.1 and the one that ends on a WebSocket if none is; `more` reads the
/// other options, and says whether it knows one.
fn on_server(
    mut arguments: lexopt::Parser,
    mut more: impl FnMut(&str, &mut lexopt::Parser) -> Result<bool, Problem>,
) -> Result<(String, Mode), Problem> {
    let (mut server, mut mode) = ("2.5.1".to_owned(), None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("server") => server = server_name(arguments.value()?.string()?)?,
            Long("transport") => mode = Some(mode_name(&arguments.value()?.string()?)?),
            Long(option) => {
                let option = option.to_owned();
                if !more(&option, &mut arguments)? {
                    return Err(Problem::Usage(format!("there is no option --{option}")));
                }
            }
            argument => return Err(argument.unexpected().into()),
        }
    }
    let modes = family_of(&server).modes;
    let usual = if modes.contains(&Mode::Upgrade) {
        Mode::Upgrade
    } else {
        Mode::WebSocket
    };
    Ok((server, mode.unwrap_or(usual)))
}

/// The value of an option: a number above 0 that makes sense as a time or a rate.
fn number(arguments: &mut lexopt::Parser) -> Result<f64, Problem> {
    const MOST: f64 = 1e6;
    let number: f64 = arguments.value()?.parse()?;
    if number > 0.0 && number <= MOST {
        Ok(number)
    } else {
        Err(Problem::Usage(format!(
            "{number} is not between 0 and {MOST}"
        )))
    }
}
