//! Certificates for the servers with TLS and their clients, made anew for each of them.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::scratch::Scratch;

/// The name that the server's certificate is for.
pub const SERVER_NAME: &str = "localhost";
/// The name that the certificate of `tls-name` is for.
pub const OTHER_NAME: &str = "elsewhere.example";
/// The common name of the client's certificate.
pub const CLIENT: &str = "sio client";

/// An authority, and certificates as PEM files in a folder of their own: `server.pem` with `server-key.pem`, and so on.
#[derive(Debug)]
pub struct Certificates {
    folder: Scratch,
}

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, in PKCS#8.
    pub key: PathBuf,
}

type Issuer = CertifiedIssuer<'static, KeyPair>;

impl Certificates {
    /// Makes them.
    ///
    /// # Errors
    /// If a file cannot be written, or a certificate not be made; in one sentence.
    pub fn new() -> Result<Self, String> {
        make().map_err(|error| format!("the certificates could not be made: {error}"))
    }

    /// The folder, for `node-server/app.js --tls`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The authority of all but the [stranger](Self::stranger).
    #[must_use]
    pub fn authority(&self) -> PathBuf {
        self.file("ca.pem")
    }

    /// An authority that nothing here comes from.
    #[must_use]
    pub fn other_authority(&self) -> PathBuf {
        self.file("other-ca.pem")
    }

    /// What a client shows that the server of `tls-client` lets in.
    #[must_use]
    pub fn client(&self) -> Identity {
        self.identity("client")
    }

    /// What a client shows whose authority that server does not know.
    #[must_use]
    pub fn stranger(&self) -> Identity {
        self.identity("stranger")
    }

    fn identity(&self, name: &str) -> Identity {
        Identity {
            certificate: self.file(&format!("{name}.pem")),
            key: self.file(&format!("{name}-key.pem")),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn make() -> Result<Certificates, Box<dyn std::error::Error>> {
    let folder = Scratch::new("certificates")?;
    let authority = authority("sio tests")?;
    let unknown = self::authority("an authority that no server knows")?;
    folder.write("ca.pem", authority.pem())?;
    folder.write("other-ca.pem", self::authority("another authority")?.pem())?;

    let server = |name: &str| leaf(name, &[name], ExtendedKeyUsagePurpose::ServerAuth);
    let mut expired = server(SERVER_NAME)?;
    expired.not_before = date_time_ymd(2020, 1, 1);
    expired.not_after = date_time_ymd(2021, 1, 1);
    let client = leaf(CLIENT, &[], ExtendedKeyUsagePurpose::ClientAuth)?;
    for (name, params, issuer) in [
        ("server", server(SERVER_NAME)?, &authority),
        ("other-name", server(OTHER_NAME)?, &authority),
        ("expired", expired, &authority),
        ("client", client.clone(), &authority),
        ("stranger", client, &unknown),
    ] {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        folder.write(&format!("{name}.pem"), certificate.pem())?;
        folder.write(&format!("{name}-key.pem"), key.serialize_pem())?;
    }
    Ok(Certificates { folder })
}

fn authority(name: &str) -> Result<Issuer, rcgen::Error> {
    let mut params = named(name, &[])?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(
    name: &str,
    hosts: &[&str],
    purpose: ExtendedKeyUsagePurpose,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = named(name, hosts)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

/// Each has a name of its own: to OpenSSL one that is called like its authority has signed itself.
fn named(name: &str, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_file_is_there_and_pem() {
        let certificates = Certificates::new().unwrap();
        let pem = |path: &Path| fs::read_to_string(path).unwrap();
        for identity in [
            certificates.identity("server"),
            certificates.identity("other-name"),
            certificates.identity("expired"),
            certificates.client(),
            certificates.stranger(),
        ] {
            assert!(pem(&identity.certificate).starts_with("-----BEGIN CERTIFICATE-----"));
            assert!(pem(&identity.key).starts_with("-----BEGIN PRIVATE KEY-----"));
        }
        let authorities = [certificates.authority(), certificates.other_authority()];
        let [one, other] = authorities.map(|path| pem(&path));
        assert_ne!(one, other);
    }
}
