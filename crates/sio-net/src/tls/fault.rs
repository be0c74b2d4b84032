//! What can go wrong with TLS, in words that say what to do.

use std::io;

/// What a connection failed with, in words that say what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error(
        "the server's certificate is not signed by an authority that is trusted here (unknown issuer); to trust it, give \
         its authority, or itself if it is self-signed, to Tls::add_ca_file"
    )]
    UnknownIssuer,
    #[error("the server's certificate has expired{0}")]
    Expired(String),
    #[error("the server's certificate is not valid yet{0}; is the clock of this machine right?")]
    NotValidYet(String),
    #[cfg(feature = "rustls")]
    #[error(
        "the server's certificate is not valid for {expected:?}, only for {presented}; if that is the right server, give a \
         name of its certificate to Tls::server_name"
    )]
    WrongName { expected: String, presented: String },
    #[cfg(feature = "native-tls")]
    #[error(
        "the server's certificate is not valid for {0:?}; if that is the right server, give the name of its certificate to \
         Tls::server_name"
    )]
    NotForThisName(String),
    #[cfg(feature = "rustls")]
    #[error(
        "rustls does not take the server's certificate, {0}; give the server another one, or use Backend::NativeTls"
    )]
    Unsupported(&'static str),
    #[error("what answers does not speak TLS: is it plain http on this port?")]
    NotTls,
    #[error(
        "the connection was closed during the TLS handshake: is it plain http on this port, or does the server require a \
         client certificate?"
    )]
    Closed,
    #[cfg(feature = "native-tls")]
    #[error(
        "the connection was closed right after the TLS handshake: does the server require a client certificate, or refuse \
         the one it was shown?"
    )]
    ClosedUnanswered,
    #[error(
        "the server requires a client certificate ({0}): give it to Tls::client_certificate_files"
    )]
    ClientCertificateMissing(String),
    #[error("the server does not accept the client certificate ({0})")]
    ClientCertificateRefused(String),
    #[error(
        "the server broke the handshake off ({0}); it may require a client certificate, or know nothing that this library \
         speaks: for old servers there are Backend::NativeTls and Tls::native_tls_connector"
    )]
    BrokenOff(String),
    #[error(
        "the server speaks no version of TLS, or no cipher, that this library does ({0}): for old servers there are \
         Backend::NativeTls and Tls::native_tls_connector"
    )]
    NothingInCommon(String),
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// The server says that something is wrong with our certificate, in these words.
    pub(super) fn client_certificate(said: String, shows_certificate: bool) -> Self {
        if shows_certificate {
            Self::ClientCertificateRefused(said)
        } else {
            Self::ClientCertificateMissing(said)
        }
    }

    #[cfg(feature = "rustls")]
    /// The server has asked for our certificate, and then closed without a word.
    pub(super) fn closed_over_certificate(shows_certificate: bool) -> Self {
        let said = if shows_certificate {
            "it closed the connection when it had seen it"
        } else {
            "it asked for one, and closed the connection when none came"
        };
        Self::client_certificate(said.to_owned(), shows_certificate)
    }
}

/// Whether this is how a peer ends a connection that it is not content with.
pub(super) fn breaks_off(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}
