//! What can go wrong with TLS, in words that say what to do.

/// What a handshake failed with, in words that say what to do.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(
    not(feature = "rustls"),
    expect(dead_code, reason = "the others name most causes themselves")
)]
pub(super) enum Fault {
    #[error(
        "the server's certificate is not signed by an authority that is trusted here (unknown issuer); to trust it, give \
         its authority to Tls::add_ca_file"
    )]
    UnknownIssuer,
    #[error("the server's certificate has expired{0}")]
    Expired(String),
    #[error("the server's certificate is not valid yet{0}; is the clock of this machine right?")]
    NotValidYet(String),
    #[error(
        "the server's certificate is not valid for {expected:?}{presented}; if that is the right server, give the name of its \
         certificate to Tls::server_name"
    )]
    WrongName { expected: String, presented: String },
    #[error("what answers does not speak TLS: is it plain http on this port?")]
    NotTls,
    #[error(
        "the connection was closed during the TLS handshake: is it plain http on this port, or does the server require a \
         client certificate?"
    )]
    Closed,
    #[error(
        "the server requires a client certificate ({0}): give it to Tls::client_certificate_files"
    )]
    ClientCertificateMissing(String),
    #[error("the server does not accept the client certificate ({0})")]
    ClientCertificateRefused(String),
    #[error(
        "the server broke the handshake off ({0}); it may require a client certificate, or another version of TLS"
    )]
    BrokenOff(String),
    #[error("{0}")]
    Other(String),
}
