//! PEM blocks, whichever library uses them.

use rustls_pki_types::pem::{Error, PemObject as _};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sio_core::UsageError;

use super::{Pem, wrong};

/// All certificates, at least one.
pub(super) fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, UsageError> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.text).collect();
    match all {
        Ok(all) if all.is_empty() => Err(pem.holds_no("certificate", "CERTIFICATE", "x509")),
        Ok(all) => Ok(all),
        Err(error) => Err(pem.is_broken(&error)),
    }
}

/// The first private key.
pub(super) fn key(pem: &Pem) -> Result<PrivateKeyDer<'static>, UsageError> {
    PrivateKeyDer::from_pem_slice(&pem.text).map_err(|error| {
        if String::from_utf8_lossy(&pem.text).contains("ENCRYPTED") {
            let why = "has a password: take it off with `openssl pkey -in KEY -out NEW`";
            return wrong(pem.setter, format!("the key in {} {why}", pem.origin()));
        }
        match error {
            Error::NoItemsFound => pem.holds_no("private key", "PRIVATE KEY", "pkey"),
            error => pem.is_broken(&error),
        }
    })
}

impl Pem {
    fn holds_no(&self, what: &str, label: &str, command: &str) -> UsageError {
        let origin = self.origin();
        // DER begins with a sequence, which no text does.
        let why = if self.text.first() == Some(&0x30) && !self.text.is_ascii() {
            format!(
                "{origin} is in DER form: turn it into PEM with `openssl {command} -inform der -in FILE -out NEW`"
            )
        } else {
            format!("{origin} holds no {what} in PEM form (BEGIN {label})")
        };
        wrong(self.setter, why)
    }

    fn is_broken(&self, error: &Error) -> UsageError {
        let why = format!("{} is not good PEM: {error}", self.origin());
        wrong(self.setter, why)
    }

    fn origin(&self) -> &str {
        self.file.as_deref().unwrap_or("what was given")
    }
}

/// Certificates as text again, without whatever stood between them.
#[cfg(feature = "native-tls")]
pub(super) fn write_certificates(certificates: &[CertificateDer<'_>]) -> String {
    certificates
        .iter()
        .map(|certificate| write("CERTIFICATE", certificate))
        .collect()
}

/// A key as text again, if it is in the one form that native-tls takes.
#[cfg(feature = "native-tls")]
pub(super) fn write_pkcs8(key: &PrivateKeyDer<'_>) -> Option<String> {
    match key {
        PrivateKeyDer::Pkcs8(key) => Some(write("PRIVATE KEY", key.secret_pkcs8_der())),
        _ => None,
    }
}

#[cfg(feature = "native-tls")]
fn write(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = &text[..];
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = behind;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}
