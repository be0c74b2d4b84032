//! The command line: its grammar, and its help.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{
    ArgAction, ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    ValueEnum, ValueHint,
};
use clap_complete::Shell;
use sio_core::Transport;

/// Talks Socket.IO: to 0.9, 1.x, 2.x, and 3.x/4.x with allowEIO3.
#[derive(Debug, Parser)]
#[command(
    name = "sio",
    version,
    term_width = 80,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    disable_help_flag = true,
    after_help = "\
Examples:
  sio probe localhost:3000
  sio listen localhost:3000/chat news",
    after_long_help = "\
Examples:
  sio probe localhost:3000
  sio listen localhost:3000/chat news
  sio emit localhost:3000 add 1 2 --ack
  sio connect localhost:3000

Exit codes: 0 done, 1 failed, 2 usage, 3 could not connect, or the connection
was lost, 4 refused, 5 timed out, 130 ended by Ctrl-C."
)]
pub struct Cli {
    #[command(flatten)]
    help: Help,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
struct Help {
    /// Show the options most used
    #[arg(short = 'h', action = ArgAction::HelpShort, global = true, hide_short_help = true, display_order = 900)]
    #[arg(help_heading = "Output")]
    short: Option<bool>,
    /// Show all options
    #[arg(long, action = ArgAction::HelpShort, global = true, display_order = 901)]
    #[arg(help_heading = "Output")]
    help: Option<bool>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell which server is at a URL, and what fits it
    #[command(after_help = "\
Examples:
  sio probe localhost:3000
  sio probe https://hub.example.com --insecure
  sio probe localhost:3000 --json | jq .probe.server")]
    Probe(Probe),
    /// Print the events that come, one per line
    #[command(after_help = "\
Examples:
  sio listen localhost:3000
  sio listen localhost:3000/chat news --count 1
  sio listen localhost:3000 --json | jq .args")]
    Listen(Listen),
    /// Emit one event, and print the answer if asked for
    #[command(after_help = "\
Examples:
  sio emit localhost:3000 news '\"a text\"' '{\"a\":1}'
  sio emit localhost:3000 add 1 2 --ack")]
    #[command(after_long_help = "\
Examples:
  sio emit localhost:3000 news '\"a text\"' '{\"a\":1}'
  sio emit localhost:3000 add 1 2 --ack
  sio emit localhost:3000 upload '\"a.png\"' --bytes a.png
  echo '[1,2]' | sio emit localhost:3000 list -")]
    Emit(Emit),
    /// Talk to a server: type events, see what comes
    #[command(after_help = "\
Type `event json…` to emit, /help for the rest, Ctrl-D to leave.

Examples:
  sio connect localhost:3000 --namespace /chat --namespace /news")]
    #[command(after_long_help = "\
Type `event json…` to emit, /help for the rest, Ctrl-D to leave. With --json,
lines in and out are JSON objects, for programs in any language.

Examples:
  sio connect localhost:3000
  sio connect localhost:3000 --namespace /chat --namespace /news
  echo '{\"emit\":\"add\",\"args\":[1,2],\"ack\":1}' | sio connect localhost:3000 --json")]
    Connect(Connect),
    /// Play a connection again that --record has written
    #[command(after_help = "\
Prints the events as `listen` does. Exit code 1 if they are not those that were
recorded.

Examples:
  sio listen localhost:3000 --count 1 --record log.jsonl
  sio replay log.jsonl")]
    Replay(Replay),
    /// Print a shell's completions
    #[command(after_help = "\
Examples:
  sio completions bash > ~/.local/share/bash-completion/completions/sio
  sio completions zsh > ~/.zfunc/_sio
  sio completions fish > ~/.config/fish/completions/sio.fish")]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_help = "\
Examples:
  sio man | man -l -
  sio man connect > sio-connect.1")]
    Man {
        /// The page of this command
        command: Option<String>,
    },
}

/// `sio probe`.
#[derive(Debug, Args)]
pub struct Probe {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub connection: Connection,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub output: Output,
}

/// `sio listen`.
#[derive(Debug, Args)]
pub struct Listen {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub connection: Connection,
    /// Only events of these names
    #[arg(value_name = "EVENT", help_heading = None)]
    pub events: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub staying: Staying,
    /// Stop after so many events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(help_heading = "Output")]
    pub count: Option<u64>,
    /// Leave out the time of each event
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub no_time: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub output: Output,
}

/// `sio emit`.
#[derive(Debug, Args)]
pub struct Emit {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub connection: Connection,
    /// The event
    #[arg(help_heading = None)]
    pub event: String,
    /// Its arguments, each JSON; @FILE or - (standard input) reads one
    #[arg(value_name = "JSON", allow_negative_numbers = true, help_heading = None)]
    pub args: Vec<String>,
    /// A file's bytes as an argument, where this stands
    #[arg(long, help_heading = "Output", hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub bytes: Vec<PathBuf>,
    /// The arguments and bytes in the order in which they were given.
    #[arg(skip)]
    pub payload: Vec<Argument>,
    /// Wait for the server's answer, and print it
    #[arg(long, help_heading = "Output")]
    pub ack: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub output: Output,
}

/// Where an argument of an event comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// JSON, `@FILE` or `-`.
    Json(String),
    /// The bytes of a file.
    Bytes(PathBuf),
}

impl Emit {
    fn put_in_order(&mut self, matches: &ArgMatches) {
        let places = |name| matches.indices_of(name).into_iter().flatten();
        let json = self.args.iter().cloned().map(Argument::Json);
        let bytes = self.bytes.iter().cloned().map(Argument::Bytes);
        let mut payload: Vec<_> = places("args").zip(json).collect();
        payload.extend(places("bytes").zip(bytes));
        payload.sort_by_key(|(place, _)| *place);
        self.payload = payload.into_iter().map(|(_, argument)| argument).collect();
    }
}

/// `sio connect`.
#[derive(Debug, Args)]
pub struct Connect {
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub connection: Connection,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub staying: Staying,
    /// Leave out the time of each line
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub no_time: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub output: Output,
}

/// `sio replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// The file that --record has written
    #[arg(value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Leave out the time of each event
    #[arg(long, help_heading = "Output")]
    pub no_time: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "its own type says it")]
    pub output: Output,
}

/// How what comes is shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct Output {
    /// Write JSON, an object on each line
    #[arg(long, display_order = 100)]
    pub json: bool,
    /// Tell what the client does; -vv tells more
    #[arg(short, long, action = ArgAction::Count, display_order = 101, hide_short_help = true)]
    pub verbose: u8,
}

/// What only a connection that stays can be told.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct Staying {
    /// End when the connection is lost
    #[arg(long)]
    pub no_reconnect: bool,
}

/// Which server, and how to get there.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct Connection {
    /// The server; its path is the namespace: http://host:3000/chat
    #[arg(help_heading = None, value_hint = ValueHint::Url)]
    pub url: String,
    /// What the server is: auto asks it
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    #[arg(value_name = "auto|0.9|1|2")]
    pub server: Server,
    /// Join it (repeatable), not the URL's alone
    #[arg(long, value_name = "NAME")]
    pub namespace: Vec<String>,
    /// polling, websocket, … (repeat for an order)
    #[arg(long, value_enum, value_name = "NAME", hide_possible_values = true)]
    #[arg(hide_short_help = true)]
    pub transport: Vec<TransportName>,
    /// Send it always (repeatable); @FILE: lines
    #[arg(long, value_name = "'K: V'")]
    pub header: Vec<String>,
    /// Add it to the query (repeatable); @FILE: lines
    #[arg(long, value_name = "K=V", hide_short_help = true)]
    pub query: Vec<String>,
    /// Send this cookie (repeatable); @FILE: lines
    #[arg(long, value_name = "K=V", hide_short_help = true)]
    pub cookie: Vec<String>,
    /// The HTTP path of the server
    #[arg(long, default_value = "/socket.io", hide_short_help = true)]
    pub path: String,
    /// Proxy: http, socks5 or socks5h URL; or off
    #[arg(long, value_name = "URL", hide_short_help = true)]
    pub proxy: Option<String>,
    /// For connecting, and each ack
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub timeout: Duration,
    /// Write what comes and goes, for sio replay
    #[arg(long, value_name = "FILE", hide_short_help = true, value_hint = ValueHint::FilePath)]
    pub record: Option<PathBuf>,
    /// Trust the certificates in this PEM file, too
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "TLS",
        hide_short_help = true
    )]
    #[arg(value_hint = ValueHint::FilePath)]
    pub ca: Vec<PathBuf>,
    /// Show this certificate (PEM)
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "TLS",
        hide_short_help = true
    )]
    #[arg(value_hint = ValueHint::FilePath, requires = "key")]
    pub cert: Option<PathBuf>,
    /// The key of --cert (PEM)
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "TLS",
        hide_short_help = true
    )]
    #[arg(value_hint = ValueHint::FilePath, requires = "cert")]
    pub key: Option<PathBuf>,
    /// Trust any certificate: for a first look only
    #[arg(long, help_heading = "TLS", hide_short_help = true)]
    pub insecure: bool,
}

/// What the server is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
#[allow(missing_docs, reason = "the names on the command line say it")]
pub enum Server {
    #[default]
    Auto,
    #[value(name = "0.9")]
    V0_9,
    /// 1.0.x, which encodes text twice.
    #[value(name = "1.0")]
    V1_0,
    #[value(name = "1")]
    V1,
    /// 2.0.x, which may not say that the root is connected.
    #[value(name = "2.0")]
    V2_0,
    #[value(name = "2", alias = "3", alias = "4")]
    V2,
}

/// A transport, by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs, reason = "the names on the command line say it")]
pub enum TransportName {
    #[value(alias = "xhr-polling")]
    Polling,
    #[value(name = "websocket")]
    WebSocket,
    #[value(name = "htmlfile")]
    HtmlFile,
    JsonpPolling,
}

impl From<TransportName> for Transport {
    fn from(name: TransportName) -> Self {
        match name {
            TransportName::Polling => Self::Polling,
            TransportName::WebSocket => Self::WebSocket,
            TransportName::HtmlFile => Self::HtmlFile,
            TransportName::JsonpPolling => Self::JsonpPolling,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "it must be above 0".to_owned())
}

/// Reads a command line, its first word the command's own name.
///
/// # Errors
/// What is wrong with it, or the help that was asked for.
pub fn read(args: Vec<OsString>) -> Result<Cli, clap::Error> {
    let matches = grammar(&args).try_get_matches_from(args)?;
    let mut cli = Cli::from_arg_matches(&matches)?;
    if let (Command::Emit(emit), Some((_, matches))) = (&mut cli.command, matches.subcommand()) {
        emit.put_in_order(matches);
    }
    Ok(cli)
}

/// The grammar for this command line: with `--help`, its help shows every option.
fn grammar(args: &[OsString]) -> clap::Command {
    if args.iter().any(|arg| arg == "--help") {
        full()
    } else {
        Cli::command()
    }
}

/// The grammar with nothing left out of its help.
#[must_use]
pub fn full() -> clap::Command {
    let grammar = Cli::command().mut_subcommands(with_all);
    with_all(grammar)
}

fn with_all(command: clap::Command) -> clap::Command {
    let more = command.get_after_long_help().cloned();
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    match more {
        Some(more) => command.after_help(more),
        None => command,
    }
}
