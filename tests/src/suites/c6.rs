//! C6: TLS, on the servers that are [deployed](crate::server::DEPLOYED).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use sio_net::{ClientBuilder, Roots, Tls};

use super::kit::within;
use crate::case::{Case, Failure, Outcome};
use crate::certificates::{CLIENT, OTHER_NAME, SERVER_NAME};
use crate::context::{Context, PATIENCE};
use crate::protocol::Protocol;
use crate::{ensure, ensure_eq};

/// The cases.
#[must_use]
pub fn cases<P: Protocol>() -> Vec<Case<P>> {
    vec![
        Case::everywhere(
            "C6.1",
            "A certificate of an unknown authority, and one that has expired, are refused with the cause",
            what_is_not_trusted,
        ),
        Case::everywhere(
            "C6.1b",
            "Plain http to a port with TLS, and TLS to a plain port, are found out at once",
            the_wrong_kind_of_port,
        ),
        Case::everywhere(
            "C6.2",
            "An authority that was added is trusted, from a file and from memory, on every leg",
            an_added_authority,
        ),
        Case::everywhere(
            "C6.3",
            "A client certificate is shown on every leg; the error says when it is missing or unknown",
            a_client_certificate,
        ),
        Case::everywhere(
            "C6.4",
            "Without verification any certificate is taken",
            without_verification,
        ),
        Case::everywhere(
            "C6.5",
            "A certificate for another name is refused, unless that name is expected; also by address",
            names,
        ),
        Case::everywhere(
            "C6.6",
            "A ready-made configuration of rustls is used as it is",
            a_ready_made_configuration,
        ),
    ]
}

/// Trusts the authority of the servers, and no other.
fn trusting<P: Protocol>(cx: &Context<P>) -> Tls {
    Tls::new()
        .roots(Roots::None)
        .add_ca_file(cx.certificates().authority())
}

/// Connects, waits for the upgrade if there is one, asks something, and closes.
fn works<P: Protocol>(cx: &Context<P>, url: &str, tls: Tls) -> Outcome {
    let client = cx
        .builder_at(url)
        .tls(tls)
        .connect()
        .map_err(|error| format!("{url}: {}", error.chain()))?;
    cx.settle(&client)?;
    cx.exchange(&client)?;
    Ok(client.close()?)
}

/// Connecting fails, sooner than by a timeout; the error has these words.
fn fails<P: Protocol>(builder: ClientBuilder<P>, words: &[&str]) -> Outcome {
    let failed = within(PATIENCE / 2, "a connect in vain", || Ok(builder.connect()))?;
    let Err(error) = failed else {
        return Err(format!("it connected, where {words:?} was expected").into());
    };
    ensure!(!error.is_timeout(), "a timeout: {}", error.chain());
    let text = error.chain();
    for word in words {
        ensure!(text.contains(word), "{word:?} is not in the error: {text}");
    }
    Ok(())
}

fn what_is_not_trusted<P: Protocol>(cx: &Context<P>) -> Outcome {
    let url = cx.tls_url("tls");
    let other = Tls::new()
        .roots(Roots::None)
        .add_ca_file(cx.certificates().other_authority());
    for tls in [Tls::new(), Tls::new().roots(Roots::WebPki), other] {
        fails(
            cx.builder_at(&url).tls(tls),
            &[SERVER_NAME, "unknown issuer"],
        )?;
    }
    let expired = cx.builder_at(&cx.tls_url("tls-expired")).tls(trusting(cx));
    fails(expired, &[SERVER_NAME, "has expired"])?;
    ensure_eq!(cx.control().requests()?.len(), 0, "requests in spite of it");
    Ok(())
}

fn the_wrong_kind_of_port<P: Protocol>(cx: &Context<P>) -> Outcome {
    let plain = cx.url("main").replace("http:", "https:");
    fails(cx.builder_at(&plain).tls(trusting(cx)), &["plain http"])?;
    let secret = cx.tls_url("tls").replace("https:", "http:");
    fails(cx.builder_at(&secret), &["port for https"])
}

fn an_added_authority<P: Protocol>(cx: &Context<P>) -> Outcome {
    let url = cx.tls_url("tls");
    let file = cx.certificates().authority();
    let besides = Tls::new().add_ca_file(&file);
    let from_memory = Tls::new().roots(Roots::None).add_ca_pem(fs::read(&file)?);
    for tls in [besides, from_memory, trusting(cx)] {
        works(cx, &url, tls)?;
    }
    let requests = cx.control().requests()?;
    ensure!(!requests.is_empty(), "the server saw no request");
    for request in requests {
        let Some(seen) = &request.tls else {
            return Err(format!("without TLS: {}", request.url).into());
        };
        ensure_eq!(
            seen.server_name.as_deref(),
            Some(SERVER_NAME),
            "the name asked for in {}",
            request.url
        );
    }
    Ok(())
}

fn a_client_certificate<P: Protocol>(cx: &Context<P>) -> Outcome {
    let url = cx.tls_url("tls-client");
    let certificates = cx.certificates();
    let (client, stranger) = (certificates.client(), certificates.stranger());
    let from_files = trusting(cx).client_certificate_files(&client.certificate, &client.key);
    let (chain, key) = (fs::read(&client.certificate)?, fs::read(&client.key)?);
    for tls in [from_files, trusting(cx).client_certificate_pem(chain, key)] {
        works(cx, &url, tls)?;
    }
    for request in cx.control().requests()? {
        let shown = request.tls.as_ref().and_then(|seen| seen.client.as_deref());
        ensure_eq!(shown, Some(CLIENT), "who was shown in {}", request.url);
    }
    let missing = cx.builder_at(&url).tls(trusting(cx));
    fails(missing, &["requires a client certificate"])?;
    let unknown = trusting(cx).client_certificate_files(&stranger.certificate, &stranger.key);
    fails(
        cx.builder_at(&url).tls(unknown),
        &["does not accept the client certificate"],
    )
}

fn without_verification<P: Protocol>(cx: &Context<P>) -> Outcome {
    for variant in ["tls", "tls-name", "tls-expired"] {
        let tls = Tls::new().danger_accept_any_certificate();
        works(cx, &cx.tls_url(variant), tls)?;
    }
    Ok(())
}

fn names<P: Protocol>(cx: &Context<P>) -> Outcome {
    let of_another = cx.tls_url("tls-name");
    let by_address = cx.tls_url_by_address("tls");
    for (url, name) in [(&of_another, SERVER_NAME), (&by_address, "127.0.0.1")] {
        let builder = cx.builder_at(url).tls(trusting(cx));
        let expected = format!("not valid for {name:?}");
        fails(builder, &[&expected, "Tls::server_name"])?;
    }
    works(cx, &of_another, trusting(cx).server_name(OTHER_NAME))?;
    works(cx, &by_address, trusting(cx).server_name(SERVER_NAME))
}

fn a_ready_made_configuration<P: Protocol>(cx: &Context<P>) -> Outcome {
    let config = Arc::new(ready_made(cx)?);
    let url = cx.tls_url("tls-client");
    works(cx, &url, Tls::new().rustls_config(Arc::clone(&config)))?;
    let twice = Tls::new().roots(Roots::None).rustls_config(config);
    fails(cx.builder_at(&url).tls(twice), &["Tls::rustls_config"])
}

fn ready_made<P: Protocol>(cx: &Context<P>) -> Outcome<ClientConfig> {
    fn broken(error: impl std::fmt::Display) -> Failure {
        format!("in the test's own configuration: {error}").into()
    }
    fn certificate(file: &Path) -> Outcome<CertificateDer<'static>> {
        CertificateDer::from_pem_file(file).map_err(broken)
    }
    let client = cx.certificates().client();
    let mut store = RootCertStore::empty();
    store
        .add(certificate(&cx.certificates().authority())?)
        .map_err(broken)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .with_root_certificates(store)
        .with_client_auth_cert(
            vec![certificate(&client.certificate)?],
            PrivateKeyDer::from_pem_file(&client.key).map_err(broken)?,
        )
        .map_err(broken)
}
