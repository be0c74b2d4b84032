//! Which certificates of servers are taken.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use ::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ::rustls::client::{WebPkiServerVerifier, verify_server_name};
use ::rustls::crypto::CryptoProvider;
use ::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ::rustls::server::ParsedCertificate;
use ::rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier as PlatformVerifier;
use sio_core::{Error, Result};

use super::{common_name, explain};
use crate::tls::{Roots, Tls, pem, trusts_nobody, wrong};

/// Who decides about certificates.
pub(super) fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>> {
    let mut added = Vec::new();
    for authority in &tls.authorities {
        added.extend(pem::certificates(authority)?);
    }
    if tls.unverified {
        return Ok(Arc::new(AcceptAny(Arc::clone(provider))));
    }
    let broken = |error: &dyn StdError| {
        let why = format!("a certificate that was added cannot be trusted: {error}");
        Error::from(wrong("Tls::add_ca", why))
    };
    let inner: Arc<dyn ServerCertVerifier> = if tls.roots == Roots::Platform {
        let verifier =
            PlatformVerifier::new_with_extra_roots(added.iter().cloned(), Arc::clone(provider));
        Arc::new(verifier.map_err(|error| match error {
            TlsError::General(why) => Error::transport(
                "finding out which certificate authorities the system trusts; if it has none, choose Roots::None and add \
                 yours, or Roots::WebPki",
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
            return Err(trusts_nobody().into());
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
/// Many an old server shows a self-signed certificate as OpenSSL makes them: marked as an authority, and its name nowhere but
/// in the common name. Then there is nothing else to add, and webpki refuses both.
#[derive(Debug)]
struct OrAdded {
    inner: Arc<dyn ServerCertVerifier>,
    added: Vec<CertificateDer<'static>>,
}

impl OrAdded {
    /// Whether a certificate that was added is good for this name, if that is refused for a reason that does not count here.
    fn verify_added(
        certificate: &CertificateDer<'_>,
        server_name: &ServerName<'_>,
        mut why: CertificateError,
    ) -> Result<ServerCertVerified, TlsError> {
        if explain::is_authority(&why) {
            match verify_server_name(&ParsedCertificate::try_from(certificate)?, server_name) {
                Ok(()) => return Ok(ServerCertVerified::assertion()),
                Err(TlsError::InvalidCertificate(other)) => why = other,
                Err(error) => return Err(error),
            }
        }
        if let CertificateError::NotValidForNameContext { presented, .. } = &why
            && presented.is_empty()
            && webpki::EndEntityCert::try_from(certificate)
                .is_ok_and(|parsed| common_name::is(parsed.subject(), &server_name.to_str()))
        {
            return Ok(ServerCertVerified::assertion());
        }
        Err(why.into())
    }
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
            Err(TlsError::InvalidCertificate(why)) if self.added.contains(end_entity) => {
                Self::verify_added(end_entity, server_name, why)
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
