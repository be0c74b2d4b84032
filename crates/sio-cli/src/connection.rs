//! From options to a client.

use std::fs;
use std::io::IsTerminal as _;
use std::path::Path;

use sio_auto::{Client, ClientBuilder, Protocol};
use sio_core::{Reconnect, Transport};
use sio_net::{Proxy, Tls, WireLog};

use crate::args::{Connection, Server};
use crate::failure::Failure;

/// A connection with everything the command line says about it, without handlers.
///
/// # Errors
/// If an option cannot be read. What it holds is not repeated, for it may be a secret.
pub(crate) fn builder(options: &Connection) -> Result<ClientBuilder, Failure> {
    let mut builder = Client::builder(&options.url)
        .path(&options.path)
        .connect_timeout(options.timeout);
    for (name, value) in pairs("--header", &options.header, ':')? {
        builder = builder.header(name.trim(), value.trim());
    }
    for (name, value) in pairs("--query", &options.query, '=')? {
        builder = builder.query(&name, &value);
    }
    for (name, value) in pairs("--cookie", &options.cookie, '=')? {
        builder = builder.cookie(name.trim(), &value);
    }
    if !options.transport.is_empty() {
        let transports = options.transport.iter().copied().map(Transport::from);
        builder = builder.transports(transports);
    }
    match options.proxy.as_deref() {
        None => {}
        Some("off") => builder = builder.proxy(Proxy::off()),
        Some(url) => builder = builder.proxy(Proxy::to(url)),
    }
    if let Some(tls) = tls(options) {
        builder = builder.tls(tls);
    }
    if let Some(file) = &options.record {
        // Whoever records wants to show it to others.
        let log = WireLog::create(file).map(WireLog::mask_secrets);
        builder = builder.record(log.map_err(|error| {
            Failure::usage(format!("cannot write {}: {error}", file.display()))
        })?);
    }
    Ok(match options.server {
        Server::Auto => builder.protocol(Protocol::Auto),
        Server::V1 | Server::V2 => builder.protocol(Protocol::V1),
        Server::V0_9 => builder.protocol(Protocol::Legacy),
        Server::V1_0 => builder
            .protocol(Protocol::V1)
            .v1_options(sio_v1::Options::new().double_encoded_websocket(true)),
        Server::V2_0 => builder
            .protocol(Protocol::V1)
            .v1_options(sio_v1::Options::new().assume_root_connected(true)),
    })
}

/// When a lost connection is made again.
pub(crate) fn reconnect(stays: bool) -> Reconnect {
    if stays {
        Reconnect::default()
    } else {
        Reconnect::off()
    }
}

fn tls(options: &Connection) -> Option<Tls> {
    let mut tls = None;
    for ca in &options.ca {
        tls = Some(tls.unwrap_or_else(Tls::new).add_ca_file(ca));
    }
    if let (Some(chain), Some(key)) = (&options.cert, &options.key) {
        tls = Some(
            tls.unwrap_or_else(Tls::new)
                .client_certificate_files(chain, key),
        );
    }
    if options.insecure {
        tls = Some(tls.unwrap_or_else(Tls::new).danger_accept_any_certificate());
    }
    tls
}

/// Names and values, each from an option or from the lines of a file.
fn pairs(
    option: &'static str,
    given: &[String],
    between: char,
) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs = Vec::new();
    let mut add = |text: &str, place: String| match text.split_once(between) {
        Some((name, value)) => {
            pairs.push((name.to_owned(), value.to_owned()));
            Ok(())
        }
        None => Err(Failure::usage(format!(
            "{place} has no {between:?} between name and value"
        ))),
    };
    for (index, text) in given.iter().enumerate() {
        match text.strip_prefix('@') {
            None => add(text, format!("{option}, the {}. one,", index + 1))?,
            Some(file) => {
                for (number, line) in read_text(Path::new(file))?.lines().enumerate() {
                    let is_comment = line.starts_with('#');
                    if !is_comment && !line.trim().is_empty() {
                        add(line, format!("{option}: line {} of {file}", number + 1))?;
                    }
                }
            }
        }
    }
    Ok(pairs)
}

fn read_text(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| unreadable(file, &error))
}

/// A file that the command line names cannot be read.
pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", file.display()))
}

/// With the protocol that fits; asks the server if that `is_open`, and says what it is.
///
/// # Errors
/// If it does not answer, or no protocol fits.
pub(crate) fn suited(builder: ClientBuilder, is_open: bool) -> sio_core::Result<ClientBuilder> {
    if !is_open {
        return Ok(builder);
    }
    let report = builder.probe()?;
    if report.protocol.is_some() {
        note(&format!("sio: {}", report.name()));
    }
    builder.suited(report)
}

/// Writes something besides the output: dim on a terminal.
pub(crate) fn note(text: &str) {
    if std::io::stderr().is_terminal() {
        let dim = anstyle::Style::new().dimmed();
        anstream::eprintln!("{dim}{text}{dim:#}");
    } else {
        anstream::eprintln!("{text}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faulty_option_is_told_without_what_it_holds() {
        let given = ["a: b".to_owned(), "Authorization secret".to_owned()];
        let failure = pairs("--header", &given, ':').unwrap_err();
        assert_eq!(
            failure.message,
            "--header, the 2. one, has no ':' between name and value"
        );
    }

    #[test]
    fn values_may_hold_what_stands_between() {
        let pairs = pairs("--query", &["a=b=c".to_owned()], '=').unwrap();
        assert_eq!(pairs, [("a".to_owned(), "b=c".to_owned())]);
    }
}
