//! TLS by rustls.

use std::error::Error as StdError;
use std::io::{self, Read, Write};
use std::sync::Arc;

use ::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ::rustls::client::{WebPkiServerVerifier, verify_server_name};
use ::rustls::crypto::{CryptoProvider, ring};
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use ::rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    Error as TlsError, InvalidMessage, OtherError, RootCertStore, SignatureScheme, StreamOwned,
};
use rustls_platform_verifier::Verifier as PlatformVerifier;
use sio_core::{Error, Result, UsageError};

use super::fault::Fault;
use super::{Identity, Roots, Tls, pem, wrong};
use crate::stream::Socket;

#[derive(Debug, Clone)]
pub(crate) struct Connector {
    config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    shows_certificate: bool,
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
        let config = match &tls.rustls_config {
            Some(_) if tls.says_more() => {
                let why = "give roots, certificates and the rest to that configuration itself";
                return Err(wrong("Tls::rustls_config", why.to_owned()).into());
            }
            Some(config) => Arc::clone(config),
            None => Arc::new(configure(tls)?),
        };
        Ok(Self {
            shows_certificate: tls.identity.is_some()
                || config.client_auth_cert_resolver.has_certs(),
            config,
            server_name,
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
            shows_certificate: self.shows_certificate,
        })
    }
}

fn configure(tls: &Tls) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let verifier = verifier(tls, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::transport("setting up TLS", error))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(Identity::Pem { chain, key }) => {
            let (certificates, key) = (pem::certificates(chain)?, pem::key(key)?);
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| {
                    wrong(
                        "tls",
                        format!("the client certificate and its key: {error}"),
                    )
                })?
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

/// Who decides about certificates.
fn verifier(tls: &Tls, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
    if tls.unverified {
        return Ok(Arc::new(AcceptAny(Arc::clone(provider))));
    }
    let mut added = Vec::new();
    for authority in &tls.authorities {
        added.extend(pem::certificates(authority)?);
    }
    let broken = |error: &dyn StdError| {
        let why = format!("a certificate that was added cannot be trusted: {error}");
        Error::from(wrong("tls", why))
    };
    let inner: Arc<dyn ServerCertVerifier> = if tls.roots == Roots::Platform {
        let verifier =
            PlatformVerifier::new_with_extra_roots(added.iter().cloned(), Arc::clone(provider));
        Arc::new(verifier.map_err(|error| match error {
            TlsError::General(why) => Error::transport(
                "finding out which certificate authorities the system trusts",
                io::Error::other(why),
            ),
            error => broken(&error),
        })?)
    } else {
        let mut store = RootCertStore::empty();
        if tls.roots == Roots::WebPki {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        for certificate in &added {
            store
                .add(certificate.clone())
                .map_err(|error| broken(&error))?;
        }
        if store.is_empty() {
            let why = "Roots::None trusts nobody: add an authority with Tls::add_ca_file";
            return Err(wrong("Tls::roots", why.to_owned()).into());
        }
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
            .build()
            .map_err(|error| broken(&error))?
    };
    if added.is_empty() {
        return Ok(inner);
    }
    Ok(Arc::new(OrAdded { inner, added }))
}

/// Besides what its inner verifier trusts, a certificate that was added itself.
///
/// Many an old server shows a self-signed certificate that is marked as an authority, as OpenSSL makes them. Then there is
/// nothing else to add, and webpki refuses an authority as a server's certificate.
#[derive(Debug)]
struct OrAdded {
    inner: Arc<dyn ServerCertVerifier>,
    added: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for OrAdded {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let verified = self.inner.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            // That error comes behind the check of its dates.
            Err(TlsError::InvalidCertificate(CertificateError::Other(OtherError(why))))
                if matches!(
                    why.downcast_ref::<webpki::Error>(),
                    Some(webpki::Error::CaUsedAsEndEntity)
                ) && self.added.iter().any(|added| added == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.inner
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// For [`Tls::danger_accept_any_certificate`].
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        ::rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        ::rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// One TLS connection, in its handshake or behind it.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Box<StreamOwned<ClientConnection, Socket>>,
    shows_certificate: bool,
}

impl Connection {
    /// Goes on with the handshake; returns whether it is done, or the socket has to be ready again first.
    pub(super) fn handshake(&mut self) -> io::Result<bool> {
        while self.stream.conn.is_handshaking() {
            let StreamOwned { conn, sock } = &mut *self.stream;
            match conn.complete_io(sock) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(io::Error::new(error.kind(), Fault::Closed));
                }
                Err(error) => return Err(self.explain(error)),
            }
        }
        Ok(true)
    }

    pub(super) fn socket(&self) -> &Socket {
        &self.stream.sock
    }

    pub(super) fn socket_mut(&mut self) -> &mut Socket {
        &mut self.stream.sock
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // With TLS 1.3 a server judges our certificate after the handshake, and says so where its first answer would be.
        let read = self.stream.read(buffer);
        read.map_err(|error| self.explain(error))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.stream.write(bytes);
        written.map_err(|error| self.explain(error))
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        let flushed = self.stream.flush();
        flushed.map_err(|error| self.explain(error))
    }

    /// What rustls says, in words that say what to do; errors of the socket stay as they are.
    fn explain(&self, error: io::Error) -> io::Error {
        let Some(cause) = error
            .get_ref()
            .and_then(|cause| cause.downcast_ref::<TlsError>())
        else {
            return error;
        };
        io::Error::new(error.kind(), fault(cause, self.shows_certificate))
    }
}

fn fault(error: &TlsError, shows_certificate: bool) -> Fault {
    match error {
        TlsError::InvalidCertificate(why) => certificate_fault(why),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => Fault::NotTls,
        TlsError::AlertReceived(alert) => alert_fault(*alert, shows_certificate),
        error => Fault::Other(error.to_string()),
    }
}

fn certificate_fault(why: &CertificateError) -> Fault {
    match why {
        CertificateError::UnknownIssuer => Fault::UnknownIssuer,
        CertificateError::Expired => Fault::Expired(String::new()),
        CertificateError::ExpiredContext { time, not_after } => {
            let ago = time.as_secs().saturating_sub(not_after.as_secs());
            Fault::Expired(format!(", {} ago", rough(ago)))
        }
        CertificateError::NotValidYet => Fault::NotValidYet(String::new()),
        CertificateError::NotValidYetContext { time, not_before } => {
            let ahead = not_before.as_secs().saturating_sub(time.as_secs());
            Fault::NotValidYet(format!(", for another {}", rough(ahead)))
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => Fault::WrongName {
            expected: expected.to_str().into_owned(),
            presented: match presented.join(", ") {
                names if names.is_empty() => String::new(),
                names => format!(", only for {names}"),
            },
        },
        CertificateError::Other(OtherError(why))
            if matches!(
                why.downcast_ref::<webpki::Error>(),
                Some(webpki::Error::CaUsedAsEndEntity)
            ) =>
        {
            // Self-signed, and marked as an authority.
            Fault::UnknownIssuer
        }
        why => Fault::Other(format!("the server's certificate is not valid: {why}")),
    }
}

fn alert_fault(alert: AlertDescription, shows_certificate: bool) -> Fault {
    let said = format!("{alert:?}");
    match alert {
        AlertDescription::CertificateRequired => Fault::ClientCertificateMissing(said),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            if shows_certificate {
                Fault::ClientCertificateRefused(said)
            } else {
                Fault::ClientCertificateMissing(said)
            }
        }
        AlertDescription::HandshakeFailure => Fault::BrokenOff(said),
        _ => Fault::Other(format!("the server broke the connection off ({said})")),
    }
}

/// So many seconds, in the largest unit that fits.
fn rough(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let unit = UNITS.iter().find(|(length, _)| seconds >= *length);
    let (count, name) = unit.map_or((seconds, "second"), |(length, name)| {
        (seconds / length, *name)
    });
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn text(error: CertificateError) -> String {
        fault(&TlsError::InvalidCertificate(error), false).to_string()
    }

    #[test]
    fn each_cause_has_its_own_words() {
        assert!(text(CertificateError::UnknownIssuer).contains("unknown issuer"));
        let at = |secs| UnixTime::since_unix_epoch(Duration::from_secs(secs));
        let expired = CertificateError::ExpiredContext {
            time: at(200_000),
            not_after: at(100_000),
        };
        assert!(text(expired).contains("has expired, 1 day ago"));
        let early = CertificateError::NotValidYetContext {
            time: at(0),
            not_before: at(7_200),
        };
        assert!(text(early).contains("not valid yet, for another 2 hours"));
        let name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("a.example").unwrap(),
            presented: vec!["DnsName(\"b.example\")".to_owned()],
        };
        let said = text(name);
        assert!(
            said.contains("\"a.example\"") && said.contains("b.example"),
            "{said}"
        );
        let plain = TlsError::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(fault(&plain, false).to_string().contains("plain http"));
    }

    #[test]
    fn an_alert_about_certificates_depends_on_whether_we_showed_one() {
        let alert = TlsError::AlertReceived(AlertDescription::UnknownCA);
        assert!(
            fault(&alert, false)
                .to_string()
                .contains("requires a client certificate")
        );
        assert!(fault(&alert, true).to_string().contains("does not accept"));
        let required = TlsError::AlertReceived(AlertDescription::CertificateRequired);
        assert!(
            fault(&required, false)
                .to_string()
                .contains("Tls::client_certificate_files")
        );
    }
}
