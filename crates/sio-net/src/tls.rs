//! TLS: whom to trust and what to show. The rest of the crate sees [`Connector`], [`Handshake`] and [`Connection`], and
//! knows no library's name.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use sio_core::UsageError;

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod connector;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod fault;
#[cfg(feature = "native-tls")]
mod native;
#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
mod none;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod pem;
#[cfg(feature = "rustls")]
mod rustls;

#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(crate) use connector::{Connection, Connector, Handshake, Progress};
#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
pub(crate) use none::{Connection, Connector, Handshake, Progress};

/// How TLS connections are made and verified; see [`ClientBuilder::tls`](crate::ClientBuilder::tls).
///
/// The server has to show a certificate for the URL's host that a trusted authority signed. What is given here holds for
/// every connection of the client: polls, posts, WebSocket, upgrade, and each of them after a loss. Files are read when
/// they are named here, and checked when the client is built.
///
/// ```
/// use sio_net::{Roots, Tls};
/// # let (ca_pem, chain_pem, key_pem) = (b"", b"", b"");
/// let private_ca = Tls::new().add_ca_file("ca.pem");
/// let only_that_ca = Tls::new().roots(Roots::None).add_ca_pem(ca_pem);
/// let showing_who_we_are = Tls::new().client_certificate_files("client.pem", "client.key");
/// let the_same_from_memory = Tls::new().client_certificate_pem(chain_pem, key_pem);
/// let dialled_by_address = Tls::new().server_name("hub.example.com");
/// ```
#[derive(Clone, Default)]
#[must_use = "give it to `ClientBuilder::tls`"]
pub struct Tls {
    backend: Option<Backend>,
    roots: Roots,
    authorities: Vec<Pem>,
    identity: Option<Identity>,
    server_name: Option<String>,
    without_sni: bool,
    unverified: bool,
    #[cfg(feature = "rustls")]
    rustls_config: Option<std::sync::Arc<::rustls::ClientConfig>>,
    #[cfg(feature = "native-tls")]
    native_connector: Option<::native_tls::TlsConnector>,
    /// The first file that could not be read.
    wrong: Option<UsageError>,
}

/// Which certificate authorities are trusted, besides those that are [added](Tls::add_ca_file).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the operating system. This is the default. On Linux, the environment variables `SSL_CERT_FILE` and
    /// `SSL_CERT_DIR` name others.
    #[default]
    Platform,
    /// Mozilla's, as the crate `webpki-roots` ships them: the same on every machine. With [`Backend::Rustls`] only.
    WebPki,
    /// Only those that are added.
    None,
}

/// The library that TLS connections are made with. Each needs the cargo feature of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// rustls, the same on every platform: feature `rustls`, on by default.
    Rustls,
    /// The platform's own: OpenSSL on Linux, Security Framework on macOS, SChannel on Windows. Feature `native-tls`.
    NativeTls,
}

impl Backend {
    /// What is used unless a program chooses: another feature that is switched on changes nothing.
    #[must_use]
    pub fn default_of_this_build() -> Option<Self> {
        if cfg!(feature = "rustls") {
            Some(Self::Rustls)
        } else if cfg!(feature = "native-tls") {
            Some(Self::NativeTls)
        } else {
            None
        }
    }
}

/// PEM text, and where it is from, for errors.
#[derive(Clone)]
#[cfg_attr(
    not(any(feature = "rustls", feature = "native-tls")),
    expect(dead_code, reason = "this build has no TLS")
)]
struct Pem {
    text: Vec<u8>,
    setter: &'static str,
    /// The file it is from.
    file: Option<String>,
}

/// A certificate of our own and its key.
#[derive(Clone)]
#[cfg_attr(
    not(feature = "native-tls"),
    allow(dead_code, reason = "not every library knows all of it")
)]
enum Identity {
    Pem { chain: Pem, key: Pem },
    Pkcs12 { der: Vec<u8>, password: String },
}

impl Tls {
    /// The platform's library of authorities, no certificate of our own.
    pub fn new() -> Self {
        Self::default()
    }

    // --- whom to trust ------------------------------------------------------------------------------------------

    /// Which authorities are trusted besides those that are added. Default: the operating system's.
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// Trusts the certificates in this PEM file, too: authorities, or a server's own self-signed certificate.
    pub fn add_ca_file(mut self, path: impl AsRef<Path>) -> Self {
        if let Some(pem) = self.read(path.as_ref(), "Tls::add_ca_file") {
            self.authorities.push(pem);
        }
        self
    }

    /// Trusts these certificates, too, given as PEM text.
    pub fn add_ca_pem(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.authorities.push(Pem::given(pem, "Tls::add_ca_pem"));
        self
    }

    /// The name that the server's certificate must have, and that the server is asked for, instead of the URL's host: for
    /// a server that is dialled by its address, or through a tunnel.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// Whether the server is told the name it is asked for (SNI). Default true; addresses are never told.
    pub fn sni(mut self, sni: bool) -> Self {
        self.without_sni = !sni;
        self
    }

    /// **Dangerous**: takes any certificate from anybody, so that whoever sits between can read and change everything.
    ///
    /// For a first look at a server. To trust one server whose certificate nobody signed, add that certificate with
    /// [`add_ca_file`](Self::add_ca_file) instead.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.unverified = true;
        self
    }

    // --- what to show -------------------------------------------------------------------------------------------

    /// Shows this certificate to servers that ask for one: two PEM files, the certificate with those between it and its
    /// authority, and the key without a password.
    pub fn client_certificate_files(
        mut self,
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Self {
        const SETTER: &str = "Tls::client_certificate_files";
        let chain = self.read(chain.as_ref(), SETTER);
        let key = self.read(key.as_ref(), SETTER);
        if let (Some(chain), Some(key)) = (chain, key) {
            self.identity = Some(Identity::Pem { chain, key });
        }
        self
    }

    /// The same, given as PEM text.
    pub fn client_certificate_pem(
        mut self,
        chain: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        const SETTER: &str = "Tls::client_certificate_pem";
        self.identity = Some(Identity::Pem {
            chain: Pem::given(chain, SETTER),
            key: Pem::given(key, SETTER),
        });
        self
    }

    /// The same as a PKCS#12 archive (`.p12`, `.pfx`). With [`Backend::NativeTls`] only.
    pub fn client_certificate_pkcs12(mut self, der: impl AsRef<[u8]>, password: &str) -> Self {
        self.identity = Some(Identity::Pkcs12 {
            der: der.as_ref().to_vec(),
            password: password.to_owned(),
        });
        self
    }

    // --- with what ----------------------------------------------------------------------------------------------

    /// The library to use. Default: rustls where its feature is on, otherwise native-tls.
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }

    /// Uses this configuration of rustls as it is. Of the other settings only [`server_name`](Self::server_name) may be
    /// given beside it. ALPN must be left empty: servers of this age know HTTP/1.1 only.
    #[cfg(feature = "rustls")]
    pub fn rustls_config(mut self, config: std::sync::Arc<::rustls::ClientConfig>) -> Self {
        self.rustls_config = Some(config);
        self.backend(Backend::Rustls)
    }

    /// Uses this connector of native-tls as it is. Of the other settings only [`server_name`](Self::server_name) may be
    /// given beside it.
    #[cfg(feature = "native-tls")]
    pub fn native_tls_connector(mut self, connector: ::native_tls::TlsConnector) -> Self {
        self.native_connector = Some(connector);
        self.backend(Backend::NativeTls)
    }

    fn read(&mut self, path: &Path, setter: &'static str) -> Option<Pem> {
        match fs::read(path) {
            Ok(text) => Some(Pem {
                text,
                setter,
                file: Some(path.display().to_string()),
            }),
            Err(error) => {
                let path = PathBuf::from(path);
                self.wrong.get_or_insert_with(|| {
                    wrong(setter, format!("cannot read {}: {error}", path.display()))
                });
                None
            }
        }
    }

    /// The library to use, if nothing is wrong already.
    fn check(&self) -> Result<Backend, UsageError> {
        if let Some(wrong) = &self.wrong {
            return Err(wrong.clone());
        }
        let backend = self.backend.or_else(Backend::default_of_this_build);
        let backend = backend.ok_or_else(|| unsupported(None))?;
        #[cfg(feature = "rustls")]
        if self.rustls_config.is_some() && backend != Backend::Rustls {
            return Err(for_another("Tls::rustls_config"));
        }
        #[cfg(feature = "native-tls")]
        if self.native_connector.is_some() && backend != Backend::NativeTls {
            return Err(for_another("Tls::native_tls_connector"));
        }
        Ok(backend)
    }

    /// Whether it says anything that a ready-made configuration would have to say itself.
    #[cfg(any(feature = "rustls", feature = "native-tls"))]
    fn says_more(&self) -> bool {
        self.roots != Roots::default()
            || !self.authorities.is_empty()
            || self.identity.is_some()
            || self.without_sni
            || self.unverified
    }
}

impl Pem {
    fn given(text: impl AsRef<[u8]>, setter: &'static str) -> Self {
        Self {
            text: text.as_ref().to_vec(),
            setter,
            file: None,
        }
    }
}

/// Keys stay out.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("backend", &self.backend)
            .field("roots", &self.roots)
            .field("authorities", &self.authorities.len())
            .field("has_client_certificate", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .field("sni", &!self.without_sni)
            .field("accepts_any_certificate", &self.unverified)
            .finish_non_exhaustive()
    }
}

fn wrong(option: &'static str, why: String) -> UsageError {
    UsageError::Option {
        option,
        why: why.into(),
    }
}

/// Something ready-made was given, and then the other library was chosen.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn for_another(setter: &'static str) -> UsageError {
    wrong(
        setter,
        "it is for another library than the one chosen".to_owned(),
    )
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn trusts_nobody() -> UsageError {
    let why = "Roots::None trusts nobody: add an authority with Tls::add_ca_file";
    wrong("Tls::roots", why.to_owned())
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
fn key_of_another() -> UsageError {
    let why = "the certificate and the key do not belong together";
    wrong("Tls::client_certificate", why.to_owned())
}

/// A build lacks the feature that a backend needs; `None` is any backend.
fn unsupported(backend: Option<Backend>) -> UsageError {
    let (what, instead) = match backend {
        Some(Backend::Rustls) => (
            "Backend::Rustls",
            "this build lacks it; switch the feature \"rustls\" on",
        ),
        Some(Backend::NativeTls) => (
            "Backend::NativeTls",
            "this build lacks it; switch the feature \"native-tls\" on",
        ),
        None => (
            "https",
            "this build has no TLS; switch the feature \"rustls\" or \"native-tls\" on",
        ),
    };
    UsageError::Unsupported { what, instead }
}

#[cfg(all(test, any(feature = "rustls", feature = "native-tls")))]
mod tests {
    use super::*;

    fn fault(tls: &Tls) -> String {
        Connector::new(tls).unwrap_err().chain()
    }

    #[test]
    fn what_cannot_be_read_is_an_error_that_names_it() {
        let missing = Tls::new().add_ca_file("/nonexistent/ca.pem");
        let text = fault(&missing);
        assert!(
            text.contains("Tls::add_ca_file") && text.contains("/nonexistent/ca.pem"),
            "{text}"
        );
        let missing = Tls::new().client_certificate_files("/nonexistent/a", "/nonexistent/b");
        assert!(fault(&missing).contains("/nonexistent/a"));
    }

    #[test]
    fn what_is_no_pem_is_an_error_that_says_what_was_expected() {
        let said = fault(&Tls::new().add_ca_pem("hello"));
        assert!(
            said.contains("Tls::add_ca_pem") && said.contains("no certificate in PEM form"),
            "{said}"
        );
        let unverified = Tls::new().danger_accept_any_certificate();
        assert_eq!(fault(&unverified.add_ca_pem("hello")), said);
        let broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        assert!(fault(&Tls::new().add_ca_pem(broken)).contains("not good PEM"));
        let empty = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(fault(&Tls::new().add_ca_pem(empty)).contains("cannot be trusted"));
        let der = b"\x30\x82\x01\x0a\x30\xff";
        assert!(fault(&Tls::new().add_ca_pem(der)).contains("openssl x509 -inform der"));
    }

    #[test]
    fn a_key_that_is_not_there_to_be_read_is_an_error_that_says_why() {
        let said = |key: &str| pem::key(&Pem::given(key, "here")).unwrap_err().to_string();
        for encrypted in [
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
             -----END RSA PRIVATE KEY-----\n",
        ] {
            assert!(
                said(encrypted).contains("has a password"),
                "{}",
                said(encrypted)
            );
        }
        assert!(said("").contains("here") && said("").contains("holds no private key"));
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn what_is_ready_made_stands_alone() {
        use ::rustls::{ClientConfig, RootCertStore, crypto::ring};

        let config = || {
            ClientConfig::builder_with_provider(ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        };
        let tls = |config| Tls::new().rustls_config(std::sync::Arc::new(config));
        Connector::new(&tls(config()).server_name("hub.example")).unwrap();
        assert!(fault(&tls(config()).roots(Roots::None)).contains("to that configuration itself"));
        assert!(fault(&tls(config()).sni(false)).contains("to that configuration itself"));
        let other = tls(config()).backend(Backend::NativeTls);
        assert!(fault(&other).contains("another library"));
        let mut for_http_2 = config();
        for_http_2.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        assert!(fault(&tls(for_http_2)).contains("alpn_protocols"));
        let mut for_http_1 = config();
        for_http_1.alpn_protocols = vec![b"http/1.1".to_vec()];
        Connector::new(&tls(for_http_1)).unwrap();
    }

    #[test]
    fn keys_are_not_shown() {
        let tls = Tls::new()
            .client_certificate_pem("chain", "secret")
            .client_certificate_pkcs12("secret", "secret");
        assert!(!format!("{tls:?}").contains("secret"));
    }

    #[test]
    fn a_backend_that_the_build_lacks_says_which_feature_it_needs() {
        for (backend, is_there) in [
            (Backend::Rustls, cfg!(feature = "rustls")),
            (Backend::NativeTls, cfg!(feature = "native-tls")),
        ] {
            match Connector::new(&Tls::new().backend(backend)) {
                Ok(_) => assert!(is_there),
                Err(error) => assert!(!is_there && error.chain().contains("switch the feature")),
            }
        }
    }
}
