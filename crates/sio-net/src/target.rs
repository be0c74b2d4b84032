//! Where a URL leads: host, port, TLS or not, namespace, query, user.

use std::net::Ipv6Addr;

use bytestring::ByteString;
use percent_encoding::percent_decode_str;
use sio_core::UsageError;
use url::{Host, Url};

/// A server as its URL names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as they stand in a URL and in the `Host` header; the scheme's own port is left out.
    pub(crate) authority: String,
    /// The URL's path: as in the JavaScript client it names the namespace of the returned handle.
    pub(crate) namespace: ByteString,
    /// The URL's query, percent-encoded.
    pub(crate) query: ByteString,
    /// User and password, decoded.
    pub(crate) userinfo: Option<(String, String)>,
}

impl Target {
    /// Reads `http`, `https`, `ws` and `wss` URLs. Without a scheme it is `http`; an IPv6 address may stand without
    /// brackets if no port follows.
    pub(crate) fn parse(text: &str) -> Result<Self, UsageError> {
        let url = Url::parse(&with_scheme(text.trim()))
            .map_err(|error| UsageError::Url(format!("{}: {error}", named(text)).into()))?;
        let tls = match url.scheme() {
            "http" | "ws" => false,
            "https" | "wss" => true,
            scheme => {
                let text = format!("the scheme {scheme:?} is none of http, https, ws, wss");
                return Err(UsageError::Url(text.into()));
            }
        };
        let host = match url.host() {
            Some(Host::Domain(name)) if !name.is_empty() => name.to_owned(),
            Some(Host::Ipv4(address)) => address.to_string(),
            Some(Host::Ipv6(address)) => address.to_string(),
            _ => {
                return Err(UsageError::Url(
                    format!("{} names no host", named(text)).into(),
                ));
            }
        };
        let default = if tls { 443 } else { 80 };
        let port = url.port().unwrap_or(default);
        let shown = url.host_str().unwrap_or(&host);
        let authority = if port == default {
            shown.to_owned()
        } else {
            format!("{shown}:{port}")
        };
        Ok(Self {
            tls,
            port,
            authority,
            namespace: namespace_of(url.path())?,
            query: url.query().unwrap_or_default().into(),
            userinfo: userinfo(&url),
            host,
        })
    }

    /// The URL without user, path and query, for errors and logs.
    pub(crate) fn shown(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

/// What of a URL that cannot be read may be shown: nobody knows where in it a password ends, or a query begins.
fn named(text: &str) -> String {
    if text.contains('@') {
        return "one with a user".to_owned();
    }
    let end = text.find(['?', '#']).unwrap_or(text.len());
    format!("{:?}", &text[..end])
}

/// Adds what the parser needs and people leave out.
fn with_scheme(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (userinfo, host) = match authority.rfind('@') {
        Some(at) => authority.split_at(at + 1),
        None => ("", authority),
    };
    if host.parse::<Ipv6Addr>().is_ok() {
        format!("{scheme}://{userinfo}[{host}]{path}")
    } else {
        format!("{scheme}://{authority}{path}")
    }
}

fn namespace_of(path: &str) -> Result<ByteString, UsageError> {
    let name = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| UsageError::Url(format!("the path {path:?} is not UTF-8").into()))?;
    Ok(normal_namespace(&name))
}

/// A namespace's name as it stands on the wire: with its leading slash; the empty name is the root.
pub(crate) fn normal_namespace(name: &str) -> ByteString {
    if name.starts_with('/') {
        name.into()
    } else {
        format!("/{name}").into()
    }
}

fn userinfo(url: &Url) -> Option<(String, String)> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let password = url.password().unwrap_or_default();
    (!url.username().is_empty() || !password.is_empty())
        .then(|| (decode(url.username()), decode(password)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (bool, String, u16, String) {
        let target = Target::parse(text).unwrap();
        (target.tls, target.host, target.port, target.authority)
    }

    fn expect(tls: bool, host: &str, port: u16, authority: &str) -> (bool, String, u16, String) {
        (tls, host.to_owned(), port, authority.to_owned())
    }

    #[test]
    fn every_scheme_with_and_without_a_port() {
        assert_eq!(parse("http://h"), expect(false, "h", 80, "h"));
        assert_eq!(parse("http://h:80"), expect(false, "h", 80, "h"));
        assert_eq!(parse("https://h"), expect(true, "h", 443, "h"));
        assert_eq!(parse("ws://h:8080"), expect(false, "h", 8080, "h:8080"));
        assert_eq!(parse("wss://h:443/"), expect(true, "h", 443, "h"));
        assert_eq!(parse("wss://h:80/"), expect(true, "h", 80, "h:80"));
        assert_eq!(
            parse("localhost:3000"),
            expect(false, "localhost", 3000, "localhost:3000")
        );
        assert_eq!(parse("h/chat"), expect(false, "h", 80, "h"));
    }

    #[test]
    fn ipv6_with_and_without_brackets() {
        assert_eq!(
            parse("http://[::1]:3000"),
            expect(false, "::1", 3000, "[::1]:3000")
        );
        assert_eq!(
            parse("https://[2001:db8::1]/"),
            expect(true, "2001:db8::1", 443, "[2001:db8::1]")
        );
        assert_eq!(parse("::1"), expect(false, "::1", 80, "[::1]"));
        assert_eq!(parse("ws://::1/chat"), expect(false, "::1", 80, "[::1]"));
        assert_eq!(parse("[::1]:9"), expect(false, "::1", 9, "[::1]:9"));
    }

    #[test]
    fn the_path_is_the_namespace_and_the_query_stays_as_it_is() {
        let target = Target::parse("http://h/chat/room%20x?token=a%20b&c=%2B").unwrap();
        assert_eq!(target.namespace, "/chat/room x");
        assert_eq!(target.query, "token=a%20b&c=%2B");
        assert_eq!(Target::parse("http://h").unwrap().namespace, "/");
        assert_eq!(normal_namespace("chat"), "/chat");
        assert_eq!(normal_namespace(""), "/");
    }

    #[test]
    fn user_and_password_are_decoded_and_not_shown() {
        let target = Target::parse("http://me:p%40ss@h:1/").unwrap();
        assert_eq!(target.userinfo, Some(("me".into(), "p@ss".into())));
        assert_eq!(target.shown(), "http://h:1");
    }

    #[test]
    fn what_is_no_url_says_so() {
        for text in ["", "http://", "ftp://h", "http://h:99999", "http://a b"] {
            let error = Target::parse(text).unwrap_err();
            assert!(matches!(error, UsageError::Url(_)), "{text:?}: {error}");
        }
    }

    #[test]
    fn what_is_no_url_is_shown_without_password_and_query() {
        for text in [
            "http://me:secret@h:99999",
            "http://me:sec/secret@h",
            "http://h:99999/?token=secret",
            "http://me:secret@",
            "http://?secret",
        ] {
            let error = Target::parse(text).unwrap_err().to_string();
            assert!(
                !error.contains("secret") && !error.contains("sec/"),
                "{error}"
            );
        }
        let error = Target::parse("http://h:99999/a").unwrap_err().to_string();
        assert!(error.contains("http://h:99999/a"), "{error}");
    }
}
