//! TLS by the platform's own library.

use std::error::Error as StdError;
use std::io::{self, Read, Write};

use native_tls::{
    Certificate, HandshakeError, MidHandshakeTlsStream, Protocol, TlsConnector, TlsStream,
};
use sio_core::{Error, Result, UsageError};

use super::fault::{Fault, breaks_off};
use super::{Identity, Roots, Tls, pem, wrong};
use crate::stream::Socket;

#[derive(Clone)]
pub(crate) struct Connector {
    connector: TlsConnector,
    server_name: Option<String>,
    shows_certificate: bool,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Connector {
    pub(super) fn new(tls: &Tls) -> Result<Self> {
        let connector = match &tls.native_connector {
            Some(_) if tls.says_more() => {
                let why = "give roots, certificates and the rest to that connector itself";
                return Err(wrong("Tls::native_tls_connector", why.to_owned()).into());
            }
            Some(connector) => connector.clone(),
            None => configure(tls)?,
        };
        Ok(Self {
            connector,
            server_name: tls.server_name.clone(),
            // A connector does not tell what it has.
            shows_certificate: tls.identity.is_some(),
        })
    }

    pub(super) fn start(&self, host: &str, socket: Socket) -> Handshake {
        let name = self.server_name.as_deref().unwrap_or(host);
        Handshake {
            explaining: Explaining {
                name: name.to_owned(),
                shows_certificate: self.shows_certificate,
            },
            stage: Stage::Begins(self.connector.connect(name, socket).map(Box::new)),
        }
    }
}

fn configure(tls: &Tls) -> Result<TlsConnector> {
    let mut builder = TlsConnector::builder();
    builder
        .min_protocol_version(Some(Protocol::Tlsv12))
        .use_sni(!tls.without_sni)
        .danger_accept_invalid_certs(tls.unverified)
        .danger_accept_invalid_hostnames(tls.unverified);
    match tls.roots {
        Roots::Platform => {}
        Roots::WebPki => {
            return Err(UsageError::Unsupported {
                what: "Roots::WebPki with native-tls",
                instead: "choose Roots::Platform, or Backend::Rustls",
            }
            .into());
        }
        Roots::None if tls.authorities.is_empty() && !tls.unverified => {
            return Err(super::trusts_nobody().into());
        }
        Roots::None => {
            builder.disable_built_in_roots(true);
        }
    }
    for authority in &tls.authorities {
        for certificate in pem::certificates(authority)? {
            let certificate = Certificate::from_der(&certificate).map_err(|error| {
                wrong(
                    "Tls::add_ca",
                    format!("a certificate that was added cannot be trusted: {error}"),
                )
            })?;
            builder.add_root_certificate(certificate);
        }
    }
    if let Some(identity) = &tls.identity {
        builder.identity(native_identity(identity)?);
    }
    builder.build().map_err(|error| {
        if error.to_string().contains("key values mismatch") {
            return super::key_of_another().into();
        }
        Error::transport("setting up TLS", error)
    })
}

fn native_identity(identity: &Identity) -> Result<native_tls::Identity, UsageError> {
    let refuse = |why| wrong("Tls::client_certificate", why);
    match identity {
        Identity::Pem { chain, key } => {
            let chain = pem::write_certificates(&pem::certificates(chain)?);
            let key = pem::write_pkcs8(&pem::key(key)?).ok_or_else(|| {
                let why = "native-tls wants the key in PKCS#8 (BEGIN PRIVATE KEY): turn it into that with \
                           `openssl pkey -in KEY -out NEW`";
                refuse(why.to_owned())
            })?;
            native_tls::Identity::from_pkcs8(chain.as_bytes(), key.as_bytes())
                .map_err(|error| refuse(format!("certificate or key cannot be read: {error}")))
        }
        Identity::Pkcs12 { der, password } => native_tls::Identity::from_pkcs12(der, password)
            .map_err(|error| {
                refuse(format!(
                    "the PKCS#12 archive cannot be read, or has another password: {error}"
                ))
            }),
    }
}

/// A connection in the making.
#[derive(Debug)]
pub(crate) struct Handshake {
    stage: Stage,
    explaining: Explaining,
}

#[derive(Debug)]
enum Stage {
    /// The first step was taken when it began; this came of it.
    Begins(Result<Box<TlsStream<Socket>>, HandshakeError<Socket>>),
    Goes(MidHandshakeTlsStream<Socket>),
}

pub(super) enum Progress {
    Wait(Handshake),
    Done(Connection),
}

impl Handshake {
    pub(super) fn step(self) -> io::Result<Progress> {
        let explaining = self.explaining;
        let result = match self.stage {
            Stage::Begins(result) => result,
            Stage::Goes(handshake) => handshake.handshake().map(Box::new),
        };
        match result {
            Ok(stream) => Ok(Progress::Done(Connection {
                stream,
                explaining,
                was_answered: false,
            })),
            Err(HandshakeError::WouldBlock(handshake)) => Ok(Progress::Wait(Self {
                stage: Stage::Goes(handshake),
                explaining,
            })),
            Err(HandshakeError::Failure(error)) => Err(explaining.handshake_error(&error)),
        }
    }
}

/// What is needed to put what the platform's library says into words of ours. Those of OpenSSL are known; what another one
/// says is passed on as it is.
#[derive(Debug)]
struct Explaining {
    name: String,
    shows_certificate: bool,
}

impl Explaining {
    fn handshake_error(&self, error: &native_tls::Error) -> io::Error {
        let said = error.to_string();
        let of_socket = error.source().and_then(socket_error);
        let fault = self.fault(&said).unwrap_or_else(|| {
            if said.contains("unexpected EOF")
                || of_socket.is_some_and(|error| breaks_off(error.kind()))
            {
                Fault::Closed
            } else {
                Fault::Other(said)
            }
        });
        io::Error::new(
            of_socket.map_or(io::ErrorKind::Other, io::Error::kind),
            fault,
        )
    }

    fn fault(&self, said: &str) -> Option<Fault> {
        let says = |part| said.contains(part);
        let words = || last_words(said).to_owned();
        Some(
            if says("wrong version number")
                || says("packet length too long")
                || says("http request")
            {
                Fault::NotTls
            } else if says("certificate verify failed") {
                if says("certificate has expired") {
                    Fault::Expired(String::new())
                } else if says("certificate is not yet valid") {
                    Fault::NotValidYet(String::new())
                } else if says("hostname mismatch") || says("IP address mismatch") {
                    Fault::NotForThisName(self.name.clone())
                } else if says("self-signed") || says("self signed") || says("issuer certificate") {
                    Fault::UnknownIssuer
                } else {
                    Fault::Other(format!(
                        "the server's certificate is not valid: {}",
                        words()
                    ))
                }
            } else if says("alert certificate required") {
                Fault::ClientCertificateMissing(words())
            } else if says("alert unknown ca")
                || says("alert access denied")
                || (says("alert") && says("certificate"))
            {
                Fault::client_certificate(words(), self.shows_certificate)
            } else if says("alert handshake failure") {
                Fault::BrokenOff(words())
            } else if says("unsupported protocol")
                || says("alert protocol version")
                || says("alert insufficient security")
            {
                Fault::NothingInCommon(words())
            } else {
                return None;
            },
        )
    }
}

/// OpenSSL's reason out of a line as `error:CODE:LIBRARY:FUNCTION:REASON:FILE:LINE:DATA`, or what it found wrong with a
/// certificate, which stands behind in parentheses.
fn last_words(said: &str) -> &str {
    if let Some((_, verdict)) = said
        .strip_suffix(')')
        .and_then(|said| said.rsplit_once('('))
    {
        return verdict;
    }
    said.split(':').nth(4).unwrap_or(said)
}

/// What the socket itself has said, if that is at the bottom of an error.
fn socket_error<'a>(mut error: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    loop {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        error = error.source()?;
    }
}

/// One TLS connection.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Box<TlsStream<Socket>>,
    explaining: Explaining,
    /// Whether anything came behind the handshake.
    was_answered: bool,
}

impl Connection {
    pub(super) fn socket(&self) -> &Socket {
        self.stream.get_ref()
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) if !self.was_answered => Err(self.explain(io::ErrorKind::ConnectionReset.into())),
            Ok(count) => {
                self.was_answered = true;
                Ok(count)
            }
            Err(error) => Err(self.explain(error)),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes);
        written.map_err(|error| self.explain(error))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stream.flush();
        flushed.map_err(|error| self.explain(error))
    }

    fn explain(&self, error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::WouldBlock {
            return error;
        }
        if let Some(fault) = self.explaining.fault(&error.to_string()) {
            return io::Error::new(error.kind(), fault);
        }
        if breaks_off(error.kind()) && !self.was_answered {
            return io::Error::new(io::ErrorKind::ConnectionReset, Fault::ClosedUnanswered);
        }
        error
    }
}
