//! A server of socketioxide on several ports, with the application of node-server; see README.md.
//!
//!     rust-server [--main=<port>]

mod catalogue;
mod control;
mod faults;
mod journal;
mod link;
mod namespaces;
mod packets;
mod tap;
mod value;
mod variants;
mod vocabulary;

use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Map, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use crate::faults::Faults;
use crate::journal::Journal;
use crate::tap::Tap;

const NAME: &str = "socketioxide-0.18";

/// One thread: what happens at once to it has an order.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut main_port = 0;
    for argument in std::env::args().skip(1) {
        match argument.strip_prefix("--main=").map(str::parse) {
            Some(Ok(port)) => main_port = port,
            _ => {
                eprintln!("usage: rust-server [--main=<port>]");
                return ExitCode::from(2);
            }
        }
    }
    match serve(main_port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::from(2)
        }
    }
}

async fn serve(main_port: u16) -> std::io::Result<()> {
    let journal = Arc::new(Journal::new());
    let faults = Arc::new(Faults::default());
    let mut ports = Map::new();
    for variant in variants::all() {
        let port = if variant.name == "main" { main_port } else { 0 };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        ports.insert(variant.name.into(), listener.local_addr()?.port().into());
        let service = namespaces::serve(&variant, &journal);
        let tap = Tap::new(service, variant.name, &journal, &faults);
        tokio::spawn(tap.listen(listener));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    ports.insert("control".into(), listener.local_addr()?.port().into());
    let about = json!({ "server": NAME, "eio3": true, "ports": ports });
    tokio::spawn(control::listen(listener, journal, faults, about.clone()));

    let mut ready = Map::from_iter([("ready".to_owned(), true.into())]);
    ready.extend(about.as_object().cloned().unwrap_or_default());
    println!("{}", serde_json::Value::Object(ready));
    until_input_ends().await;
    Ok(())
}

async fn until_input_ends() {
    let mut input = tokio::io::stdin();
    let mut ignored = [0; 256];
    while let Ok(1..) = input.read(&mut ignored).await {}
}
