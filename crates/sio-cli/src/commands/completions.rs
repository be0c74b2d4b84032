//! `sio completions`, `sio man`.

use std::io;

use clap_complete::Shell;

use crate::args;
use crate::failure::{Exit, Failure};
use crate::print_all;

pub(crate) fn completions(shell: Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut args::full(), "sio", &mut script);
    print_all(&script)
}

pub(crate) fn man(command: Option<&str>) -> Result<Exit, Failure> {
    let mut grammar = args::full();
    grammar.build();
    let page = match command {
        None => grammar,
        Some(name) => match grammar.find_subcommand(name) {
            Some(command) => command.clone(),
            None => return Err(Failure::usage(format!("there is no command {name}"))),
        },
    };
    let mut text = Vec::new();
    let rendered: io::Result<()> = clap_mangen::Man::new(page).render(&mut text);
    rendered.map_err(|error| Failure::new(Exit::Failed, "output", error.to_string()))?;
    print_all(&text)
}
