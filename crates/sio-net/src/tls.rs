//! TLS: which certificates are trusted. The rest of the crate sees a [`Connector`] and knows no library's name.

use std::io;

use sio_core::Error;

/// Which certificate authorities are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the operating system. This is the default.
    #[default]
    Platform,
    /// Mozilla's, as the crate `webpki-roots` ships them: the same on every machine.
    WebPki,
}

#[cfg(feature = "rustls")]
pub(crate) use with_rustls::{Connection, Connector};
#[cfg(not(feature = "rustls"))]
pub(crate) use without::{Connection, Connector};

#[cfg(feature = "rustls")]
mod with_rustls {
    use std::io::{Read, Write};
    use std::sync::Arc;

    use rustls::crypto::{CryptoProvider, ring};
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use rustls_platform_verifier::BuilderVerifierExt as _;

    use super::{Error, Roots, io};

    /// Makes TLS connections.
    #[derive(Debug, Clone)]
    pub(crate) struct Connector(Arc<ClientConfig>);

    impl Connector {
        pub(crate) fn new(roots: Roots) -> Result<Self, Error> {
            let broken = |error| Error::transport("setting up TLS", error);
            let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
            let builder = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(broken)?;
            let builder = match roots {
                Roots::Platform => builder.with_platform_verifier().map_err(broken)?,
                Roots::WebPki => {
                    let mut store = RootCertStore::empty();
                    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                    builder.with_root_certificates(store)
                }
            };
            Ok(Self(Arc::new(builder.with_no_client_auth())))
        }

        pub(crate) fn connect(&self, host: &str) -> Result<Connection, Error> {
            let name = ServerName::try_from(host.to_owned()).map_err(|error| {
                Error::transport(format!("the host {host:?} cannot be verified"), error)
            })?;
            let connection = ClientConnection::new(Arc::clone(&self.0), name)
                .map_err(|error| Error::transport("starting TLS", error))?;
            Ok(Connection(Box::new(connection)))
        }
    }

    /// One TLS connection, over whatever socket it is given.
    #[derive(Debug)]
    pub(crate) struct Connection(Box<ClientConnection>);

    impl Connection {
        /// Goes on with the handshake; `WouldBlock` until the socket is ready again.
        pub(crate) fn handshake(&mut self, mut socket: impl Read + Write) -> io::Result<()> {
            while self.0.is_handshaking() {
                self.0.complete_io(&mut socket)?;
            }
            Ok(())
        }

        pub(crate) fn read(
            &mut self,
            mut socket: impl Read + Write,
            buffer: &mut [u8],
        ) -> io::Result<usize> {
            rustls::Stream::new(&mut *self.0, &mut socket).read(buffer)
        }

        pub(crate) fn write(
            &mut self,
            mut socket: impl Read + Write,
            bytes: &[u8],
        ) -> io::Result<usize> {
            rustls::Stream::new(&mut *self.0, &mut socket).write(bytes)
        }

        pub(crate) fn flush(&mut self, mut socket: impl Read + Write) -> io::Result<()> {
            rustls::Stream::new(&mut *self.0, &mut socket).flush()
        }
    }
}

#[cfg(not(feature = "rustls"))]
// The signatures are those of the build that has TLS.
#[allow(clippy::needless_pass_by_ref_mut)]
mod without {
    use std::io::{Read, Write};

    use sio_core::UsageError;

    use super::{Error, Roots, io};

    /// Never made: this build has no TLS.
    #[derive(Debug, Clone)]
    pub(crate) enum Connector {}

    impl Connector {
        pub(crate) fn new(_: Roots) -> Result<Self, Error> {
            Err(UsageError::Unsupported {
                what: "https",
                instead: "this build has no TLS; switch the feature \"rustls\" on",
            }
            .into())
        }

        pub(crate) fn connect(&self, _: &str) -> Result<Connection, Error> {
            match *self {}
        }
    }

    /// Never made: this build has no TLS.
    #[derive(Debug)]
    pub(crate) enum Connection {}

    impl Connection {
        pub(crate) fn handshake(&mut self, _: impl Read + Write) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn read(&mut self, _: impl Read + Write, _: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }

        pub(crate) fn write(&mut self, _: impl Read + Write, _: &[u8]) -> io::Result<usize> {
            match *self {}
        }

        pub(crate) fn flush(&mut self, _: impl Read + Write) -> io::Result<()> {
            match *self {}
        }
    }
}
