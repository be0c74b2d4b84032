//! Certificates made for a test, and what servers do with them.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, Issuer,
    KeyPair, SigningKey, date_time_ymd,
};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName as Name, RootCertStore, ServerConfig,
    SignatureScheme, SupportedProtocolVersion,
};

/// What a certificate says.
pub use rcgen::CertificateParams as Params;

/// An authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate as PEM.
    pub pem: String,
    /// The key as PEM, in PKCS#8.
    pub key_pem: String,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Authority {
    /// An authority of this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut params = params(&[]);
        params.distinguished_name = common_name(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate as PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A certificate for these names.
    #[must_use]
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_with(names, |_| ())
    }

    /// The same, changed.
    #[must_use]
    pub fn issue_with(&self, names: &[&str], change: impl FnOnce(&mut Params)) -> Issued {
        let issuer: &Issuer<'_, KeyPair> = &self.0;
        issue(names, change, Some(issuer))
    }
}

impl Issued {
    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.clone()))
    }
}

/// A certificate for these names that nobody else has signed, changed.
#[must_use]
pub fn self_signed(names: &[&str], change: impl FnOnce(&mut Params)) -> Issued {
    issue(names, change, None::<&Issuer<'_, KeyPair>>)
}

/// As OpenSSL makes certificates that sign themselves: marked as authorities, and with the name nowhere but in the common
/// name.
pub fn as_openssl_does(name: &str) -> impl FnOnce(&mut Params) {
    let distinguished_name = common_name(name);
    move |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name = distinguished_name;
    }
}

/// Long over.
pub fn expired(params: &mut Params) {
    params.not_before = date_time_ymd(2011, 1, 1);
    params.not_after = date_time_ymd(2012, 1, 1);
}

/// Long before its time.
pub fn not_yet_valid(params: &mut Params) {
    params.not_before = date_time_ymd(2990, 1, 1);
    params.not_after = date_time_ymd(2999, 1, 1);
}

fn params(names: &[&str]) -> Params {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    CertificateParams::new(names).unwrap()
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn issue<S: SigningKey>(
    names: &[&str],
    change: impl FnOnce(&mut Params),
    issuer: Option<&Issuer<'_, S>>,
) -> Issued {
    let mut params = params(names);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = match issuer {
        Some(issuer) => params.signed_by(&key, issuer),
        None => params.self_signed(&key),
    };
    let certificate = certificate.unwrap();
    Issued {
        pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        certificate: certificate.der().clone(),
        key: key.serialize_der(),
    }
}

/// What a server shows and asks for.
#[derive(Debug)]
pub struct Server {
    shows: Issued,
    asks: Option<Arc<dyn ClientCertVerifier>>,
    versions: Vec<&'static SupportedProtocolVersion>,
}

impl Server {
    /// Shows this, and asks for nothing.
    #[must_use]
    pub fn new(shows: &Issued) -> Self {
        Self {
            shows: shows.clone(),
            asks: None,
            versions: rustls::ALL_VERSIONS.to_vec(),
        }
    }

    /// Requires a certificate of this authority.
    #[must_use]
    pub fn requiring(mut self, authority: &Authority) -> Self {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(authority.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
        self.asks = Some(verifier.build().unwrap());
        self
    }

    /// Asks for a certificate and takes whatever comes, also nothing: so do Node's servers, before they look at it and close.
    #[must_use]
    pub fn asking(mut self) -> Self {
        self.asks = Some(Arc::new(TakesAny(ring::default_provider())));
        self
    }

    /// Speaks only this version.
    #[must_use]
    pub fn version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match &self.asks {
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
            None => builder.with_no_client_auth(),
        };
        let chain = vec![self.shows.certificate.clone()];
        Arc::new(builder.with_single_cert(chain, self.shows.key()).unwrap())
    }
}

/// A client's configuration of rustls that trusts this authority and shows this certificate.
#[must_use]
pub fn client_config(authority: &Authority, shows: &Issued) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_client_auth_cert(vec![shows.certificate.clone()], shows.key());
    Arc::new(config.unwrap())
}

#[derive(Debug)]
struct TakesAny(CryptoProvider);

impl ClientCertVerifier for TakesAny {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[Name] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
