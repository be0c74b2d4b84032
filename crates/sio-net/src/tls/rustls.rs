//! TLS by rustls.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ::rustls::client::ResolvesClientCert;
use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use ::rustls::sign::{CertifiedKey, SingleCertAndKey};
use ::rustls::{
    CertificateError, ClientConfig, ClientConnection, Error as TlsError, InconsistentKeys,
    SignatureScheme, StreamOwned,
};
use sio_core::{Error, Result, UsageError};

use super::fault::{Fault, breaks_off};
use super::{Identity, Tls, pem, wrong};
use crate::stream::Socket;

mod common_name;
mod explain;
mod verify;

#[derive(Debug, Clone)]
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    about_us: AboutUs,
}

/// What the server wants to know of us, and learns.
#[derive(Debug, Clone)]
struct AboutUs {
    shows_certificate: bool,
    /// Whether the server has asked for a certificate, on any connection so far.
    was_asked: Arc<AtomicBool>,
}

impl Connector {
    pub(super) fn new(tls: &Tls) -> Result<Self> {
        let server_name = match &tls.server_name {
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|error| wrong("Tls::server_name", format!("{name:?}: {error}")))?,
            ),
            None => None,
        };
        let mut config = match &tls.rustls_config {
            Some(config) => ready_made(tls, config)?,
            None => configure(tls)?,
        };
        let was_asked = Arc::default();
        let about_us = AboutUs {
            shows_certificate: config.client_auth_cert_resolver.has_certs(),
            was_asked: Arc::clone(&was_asked),
        };
        config.client_auth_cert_resolver = Arc::new(Asked {
            inner: config.client_auth_cert_resolver,
            was_asked,
        });
        Ok(Self {
            config: Arc::new(config),
            server_name,
            about_us,
        })
    }

    pub(super) fn start(&self, host: &str, socket: Socket) -> Result<Connection> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|error| {
                Error::transport(format!("the host {host:?} cannot be verified"), error)
            })?,
        };
        let connection = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| Error::transport("starting TLS", error))?;
        Ok(Connection {
            stream: Box::new(StreamOwned::new(connection, socket)),
            about_us: self.about_us.clone(),
            was_answered: false,
        })
    }
}

/// The program's own configuration.
fn ready_made(tls: &Tls, config: &ClientConfig) -> Result<ClientConfig, UsageError> {
    let refuse = |why: &str| Err(wrong("Tls::rustls_config", why.to_owned()));
    if tls.says_more() {
        return refuse("give roots, certificates and the rest to that configuration itself");
    }
    if config.alpn_protocols.iter().any(|name| name != b"http/1.1") {
        return refuse("leave its alpn_protocols empty: only HTTP/1.1 is spoken");
    }
    Ok(config.clone())
}

fn configure(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verify::verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::transport("setting up TLS", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(Identity::Pem { chain, key }) => {
            let (chain, key) = (pem::certificates(chain)?, pem::key(key)?);
            let certified = certified(chain, key, &provider)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        Some(Identity::Pkcs12 { .. }) => {
            return Err(UsageError::Unsupported {
                what: "a client certificate in PKCS#12 with rustls",
                instead: "turn it into PEM with `openssl pkcs12 -in FILE -nodes -out FILE.pem`, or choose \
                          Backend::NativeTls",
            }
            .into());
        }
    };
    config.enable_sni = !tls.without_sni;
    Ok(config)
}

/// A client certificate with its key. Only the server has to understand the certificate: OpenSSL makes them in X.509
/// version 1, unless told otherwise, which rustls does not read.
fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, UsageError> {
    let refuse = |why: String| Err(wrong("Tls::client_certificate", why));
    let key = match provider.key_provider.load_private_key(key) {
        Ok(key) => key,
        Err(error) => return refuse(format!("the key is of no kind that rustls knows: {error}")),
    };
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(TlsError::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(TlsError::InconsistentKeys(_)) => Err(super::key_of_another()),
        Err(TlsError::InvalidCertificate(why)) if explain::is_version_1(&why) => Ok(certified),
        Err(TlsError::InvalidCertificate(CertificateError::BadEncoding)) => {
            refuse("what stands in the PEM block is no certificate".to_owned())
        }
        Err(error) => refuse(error.to_string()),
    }
}

/// Notes that a server asks for a certificate. Node's servers that refuse ours, or miss it, often just close.
#[derive(Debug)]
struct Asked {
    inner: Arc<dyn ResolvesClientCert>,
    was_asked: Arc<AtomicBool>,
}

impl ResolvesClientCert for Asked {
    fn resolve(
        &self,
        authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        self.was_asked.store(true, Ordering::Release);
        self.inner.resolve(authorities, schemes)
    }

    fn only_raw_public_keys(&self) -> bool {
        self.inner.only_raw_public_keys()
    }

    fn has_certs(&self) -> bool {
        self.inner.has_certs()
    }
}

/// One TLS connection, in its handshake or behind it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Box<StreamOwned<ClientConnection, Socket>>,
    about_us: AboutUs,
    /// Whether anything came behind the handshake.
    was_answered: bool,
}

impl Connection {
    /// Goes on with the handshake; returns whether it is done, or the socket has to be ready again first.
    pub(super) fn handshake(&mut self) -> io::Result<bool> {
        while self.stream.conn.is_handshaking() {
            let StreamOwned { conn, sock } = &mut *self.stream;
            match conn.complete_io(sock) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(self.explain(error)),
            }
        }
        Ok(true)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.stream.sock
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) if !self.was_answered && self.was_asked() => {
                Err(self.explain(io::ErrorKind::ConnectionReset.into()))
            }
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

    fn was_asked(&self) -> bool {
        self.about_us.was_asked.load(Ordering::Acquire)
    }

    /// The cause in words that say what to do; most errors of the socket stay as they are.
    fn explain(&mut self, error: io::Error) -> io::Error {
        let mut kind = error.kind();
        let said = error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<TlsError>())
            .cloned();
        let shows = self.about_us.shows_certificate;
        let fault = if let Some(cause) = said {
            self.tell_the_server();
            explain::fault(&cause, shows, self.was_asked())
        } else if !breaks_off(kind) {
            return error;
        } else if let Some(cause) = self.last_words() {
            explain::fault(&cause, shows, self.was_asked())
        } else if self.was_asked() && !self.was_answered {
            // The end of the stream would be told in other words further up.
            kind = io::ErrorKind::ConnectionReset;
            Fault::closed_over_certificate(shows)
        } else if self.stream.conn.is_handshaking() {
            Fault::Closed
        } else {
            return error;
        };
        io::Error::new(kind, fault)
    }

    /// Sends the alert that an error in the handshake has left. One write may take a part of it only.
    fn tell_the_server(&mut self) {
        let StreamOwned { conn, sock } = &mut *self.stream;
        while conn.wants_write() && conn.write_tls(sock).is_ok_and(|count| count > 0) {}
    }

    /// The alert of a peer that broke off. What is written then may fail before the alert behind it is read: with TLS 1.3 a
    /// server judges our certificate after the handshake, when we write already.
    fn last_words(&mut self) -> Option<TlsError> {
        let StreamOwned { conn, sock } = &mut *self.stream;
        while conn.read_tls(sock).is_ok_and(|count| count > 0) {
            if let Err(error) = conn.process_new_packets() {
                return Some(error);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Roots;

    /// Made by `openssl x509 -req` without extensions, hence in version 1; for a hundred years.
    const VERSION_1: &str = "-----BEGIN CERTIFICATE-----\n\
        MIIBITCByQIUE9TmG/Zls0Dl42GF+cXhfUl4OoAwCgYIKoZIzj0EAwIwEzERMA8G\n\
        A1UEAwwIZGV2aWNlIDcwIBcNMjYxMTIzMDk0OTUyWhgPMjEyNjEwMzAwOTQ5NTJa\n\
        MBMxETAPBgNVBAMMCGRldmljZSA3MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n\
        ho6D7ncRpRBD2/ezrEhs86pd8OYSCHWw+ga00mmRkRkeEBoHhwryttcGQgrdTDA7\n\
        hZWnCoe83kKQeaFqoLdGVzAKBggqhkjOPQQDAgNHADBEAiBaDMm8F3LEt/HZlcH+\n\
        csBWknezgvcZkS0UutLzmhV9TQIgdDEwPUksQdRf0vt4/n0i+aVdUUMsMrz7b1hA\n\
        At7anjg=\n\
        -----END CERTIFICATE-----\n";
    const ITS_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTY6gETJE3b7mX4JK\n\
        rvfqBo32ahi2Zd/KXTNEotMILVOhRANCAASGjoPudxGlEEPb97OsSGzzql3w5hII\n\
        dbD6BrTSaZGRGR4QGgeHCvK21wZCCt1MMDuFlacKh7zeQpB5oWqgt0ZX\n\
        -----END PRIVATE KEY-----\n";

    fn showing(chain: &str, key: &str) -> Result<Connector> {
        let tls = Tls::new().roots(Roots::WebPki);
        Connector::new(&tls.client_certificate_pem(chain, key))
    }

    #[test]
    fn a_client_certificate_of_version_1_may_be_shown() {
        let connector = showing(VERSION_1, ITS_KEY).unwrap();
        assert!(connector.about_us.shows_certificate);
    }

    #[test]
    fn what_cannot_be_shown_is_an_error_that_says_why() {
        let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let said = showing(empty, ITS_KEY).unwrap_err().chain();
        assert!(
            said.contains("Tls::client_certificate") && said.contains("no certificate"),
            "{said}"
        );
        let empty = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let said = showing(VERSION_1, empty).unwrap_err().chain();
        assert!(said.contains("no kind that rustls knows"), "{said}");
    }
}
