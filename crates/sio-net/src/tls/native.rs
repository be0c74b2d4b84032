//! TLS by the platform's own library.

use std::io::{self, Read, Write};

use native_tls::{
    Certificate, HandshakeError, MidHandshakeTlsStream, Protocol, TlsConnector, TlsStream,
};
use sio_core::{Error, Result, UsageError};

use super::fault::Fault;
use super::{Identity, Roots, Tls, pem, wrong};
use crate::stream::Socket;

#[derive(Clone)]
pub(crate) struct Connector {
    connector: TlsConnector,
    server_name: Option<String>,
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
        })
    }

    pub(super) fn start(&self, host: &str, socket: Socket) -> Handshake {
        let name = self.server_name.as_deref().unwrap_or(host);
        Handshake::Begins(self.connector.connect(name, socket).map(Box::new))
    }
}

fn configure(tls: &Tls) -> Result<TlsConnector> {
    let broken = |what: &str, error: native_tls::Error| -> Error {
        wrong("tls", format!("{what}: {error}")).into()
    };
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
            let why = "Roots::None trusts nobody: add an authority with Tls::add_ca_file";
            return Err(wrong("Tls::roots", why.to_owned()).into());
        }
        Roots::None => {
            builder.disable_built_in_roots(true);
        }
    }
    for authority in &tls.authorities {
        for certificate in pem::certificates(authority)? {
            let certificate = Certificate::from_der(&certificate)
                .map_err(|error| broken("a certificate that was added", error))?;
            builder.add_root_certificate(certificate);
        }
    }
    let identity = match &tls.identity {
        None => None,
        Some(Identity::Pem { chain, key }) => {
            pem::certificates(chain)?;
            pem::key(key)?;
            Some(native_tls::Identity::from_pkcs8(&chain.text, &key.text))
        }
        Some(Identity::Pkcs12 { der, password }) => {
            Some(native_tls::Identity::from_pkcs12(der, password))
        }
    };
    if let Some(identity) = identity {
        let identity =
            identity.map_err(|error| broken("the client certificate and its key", error))?;
        builder.identity(identity);
    }
    builder
        .build()
        .map_err(|error| Error::transport("setting up TLS", error))
}

/// A connection in the making.
#[derive(Debug)]
pub(crate) enum Handshake {
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
        let result = match self {
            Self::Begins(result) => result,
            Self::Goes(handshake) => handshake.handshake().map(Box::new),
        };
        match result {
            Ok(stream) => Ok(Progress::Done(Connection(stream))),
            Err(HandshakeError::WouldBlock(handshake)) => Ok(Progress::Wait(Self::Goes(handshake))),
            Err(HandshakeError::Failure(error)) => Err(io::Error::other(fault(&error))),
        }
    }
}

/// The platforms' libraries say the cause in words of their own; only what leads astray is put in ours.
fn fault(error: &native_tls::Error) -> Fault {
    let said = error.to_string();
    if said.contains("wrong version number") || said.contains("packet length too long") {
        Fault::NotTls
    } else if said.contains("unexpected EOF") {
        Fault::Closed
    } else {
        Fault::Other(said)
    }
}

/// One TLS connection.
#[derive(Debug)]
pub(crate) struct Connection(Box<TlsStream<Socket>>);

impl Connection {
    pub(super) fn socket(&self) -> &Socket {
        self.0.get_ref()
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        self.0.get_mut()
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
