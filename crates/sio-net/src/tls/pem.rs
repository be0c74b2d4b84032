//! PEM blocks, whichever library uses them.

use rustls_pki_types::pem::{Error, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sio_core::UsageError;

use super::{Pem, wrong};

/// All certificates, at least one.
pub(super) fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, UsageError> {
    const SETTER: &str = "tls";
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.text).collect();
    let origin = &pem.origin;
    match all {
        Ok(all) if all.is_empty() => Err(wrong(
            SETTER,
            format!("{origin} holds no certificate in PEM form (BEGIN CERTIFICATE)"),
        )),
        Ok(all) => Ok(all),
        Err(error) => Err(wrong(SETTER, format!("{origin}: {error}"))),
    }
}

/// The first private key.
pub(super) fn key(pem: &Pem) -> Result<PrivateKeyDer<'static>, UsageError> {
    const SETTER: &str = "tls";
    const ENCRYPTED: &str = "ENCRYPTED";
    let origin = &pem.origin;
    PrivateKeyDer::from_pem_slice(&pem.text).map_err(|error| {
        let is_encrypted = String::from_utf8_lossy(&pem.text).contains(ENCRYPTED);
        let why = match error {
            _ if is_encrypted => format!(
                "the key in {origin} has a password: take it off with `openssl pkey -in KEY -out NEW`"
            ),
            Error::NoItemsFound => {
                format!("{origin} holds no private key in PEM form (BEGIN PRIVATE KEY)")
            }
            error => format!("{origin}: {error}"),
        };
        wrong(SETTER, why)
    })
}
