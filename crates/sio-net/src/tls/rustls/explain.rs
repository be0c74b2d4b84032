//! What rustls says, in words that say what to do.

use ::rustls::{AlertDescription, CertificateError, Error as TlsError, InvalidMessage, OtherError};

use crate::tls::fault::Fault;

pub(super) fn fault(error: &TlsError, shows_certificate: bool, was_asked: bool) -> Fault {
    match error {
        TlsError::InvalidCertificate(why) => certificate_fault(why),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType) => Fault::NotTls,
        TlsError::AlertReceived(alert) => alert_fault(*alert, shows_certificate, was_asked),
        TlsError::PeerIncompatible(why) => Fault::NothingInCommon(format!("{why:?}")),
        error => Fault::Other(error.to_string()),
    }
}

/// Whether a certificate was not read because it is of X.509 version 1.
pub(super) fn is_version_1(why: &CertificateError) -> bool {
    matches!(
        webpki_error(why),
        Some(webpki::Error::UnsupportedCertVersion)
    )
}

/// Whether a certificate was refused for being marked as an authority. Its dates are good then: they are checked before.
pub(super) fn is_authority(why: &CertificateError) -> bool {
    matches!(webpki_error(why), Some(webpki::Error::CaUsedAsEndEntity))
}

fn webpki_error(why: &CertificateError) -> Option<&webpki::Error> {
    match why {
        CertificateError::Other(OtherError(why)) => why.downcast_ref(),
        _ => None,
    }
}

fn certificate_fault(why: &CertificateError) -> Fault {
    match why {
        CertificateError::UnknownIssuer => Fault::UnknownIssuer,
        // Self-signed, and not one that was added.
        why if is_authority(why) => Fault::UnknownIssuer,
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
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            Fault::Unsupported(
                "which names no host where rustls looks for it (subjectAltName), unless itself is added with \
                 Tls::add_ca_file and the host is its common name",
            )
        }
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let names: Vec<_> = presented.iter().map(|name| bare_name(name)).collect();
            Fault::WrongName {
                expected: expected.to_str().into_owned(),
                presented: names.join(", "),
            }
        }
        why if is_version_1(why) => Fault::Unsupported("which is of X.509 version 1"),
        CertificateError::BadSignature => Fault::Unsupported(
            "whose signature is not good: its authority is another one of the same name, or has an RSA key of less than \
             2048 bits",
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            Fault::Unsupported(
                "which is signed in a way that is too weak or unknown, as with SHA-1",
            )
        }
        CertificateError::Other(OtherError(why)) => {
            Fault::Other(format!("the server's certificate is not valid: {why}"))
        }
        why => Fault::Other(format!("the server's certificate is not valid: {why}")),
    }
}

/// A name out of what webpki writes around it, as in `DnsName("a.example")`.
fn bare_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn alert_fault(alert: AlertDescription, shows_certificate: bool, was_asked: bool) -> Fault {
    let said = format!("{alert:?}");
    match alert {
        AlertDescription::CertificateRequired => Fault::ClientCertificateMissing(said),
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => Fault::client_certificate(said, shows_certificate),
        // With TLS 1.2, this is how OpenSSL says that it misses one.
        AlertDescription::HandshakeFailure if was_asked => {
            Fault::client_certificate(said, shows_certificate)
        }
        AlertDescription::HandshakeFailure => Fault::BrokenOff(said),
        AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity => {
            Fault::NothingInCommon(said)
        }
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

    use ::rustls::PeerIncompatible;
    use ::rustls::pki_types::{ServerName, UnixTime};

    use super::*;

    fn text(error: CertificateError) -> String {
        fault(&TlsError::InvalidCertificate(error), false, false).to_string()
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
            presented: vec!["DnsName(\"b.example\")".to_owned(), "odd".to_owned()],
        };
        let said = text(name);
        assert!(
            said.contains("not valid for \"a.example\", only for b.example, odd;"),
            "{said}"
        );
        let plain = TlsError::InvalidMessage(InvalidMessage::InvalidContentType);
        assert!(
            fault(&plain, false, false)
                .to_string()
                .contains("plain http")
        );
        let old = TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13);
        for old in [
            old,
            TlsError::AlertReceived(AlertDescription::ProtocolVersion),
        ] {
            let said = fault(&old, false, false).to_string();
            assert!(
                said.contains("no version of TLS") && said.contains("Backend::NativeTls"),
                "{said}"
            );
        }
    }

    #[test]
    fn an_alert_about_certificates_depends_on_whether_we_showed_one() {
        let said =
            |alert, shows, asked| fault(&TlsError::AlertReceived(alert), shows, asked).to_string();
        let unknown = |shows| said(AlertDescription::UnknownCA, shows, true);
        assert!(unknown(false).contains("requires a client certificate"));
        assert!(unknown(true).contains("does not accept"));
        let required = said(AlertDescription::CertificateRequired, false, true);
        assert!(required.contains("Tls::client_certificate_files"));
        let failure = |asked| said(AlertDescription::HandshakeFailure, false, asked);
        assert!(failure(true).contains("requires a client certificate"));
        assert!(failure(false).contains("may require"));
    }
}
