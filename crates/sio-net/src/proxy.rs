//! Which proxy stands between us and a server, if any.

use std::env;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use percent_encoding::percent_decode_str;
use sio_core::UsageError;
use url::{Host, Url};

use crate::endpoint::basic_auth;
use crate::target::Target;

/// Through which proxy connections are made; see [`ClientBuilder::proxy`](crate::ClientBuilder::proxy).
///
/// Polling and WebSocket go the same way. Through an **HTTP proxy**, polls of an `http` server are requests to the proxy (it
/// sees them), and WebSockets and everything of an `https` server go through a tunnel (`CONNECT`), which many proxies allow to some
/// ports only, often to 443 alone. Through a **SOCKS5 proxy** everything goes through tunnels.
///
/// ```
/// use sio_net::Proxy;
///
/// let from_environment = Proxy::from_env(); // the default
/// let none = Proxy::off();
/// let http = Proxy::to("http://user:password@proxy.example:3128");
/// let socks = Proxy::to("socks5h://127.0.0.1:1080").except("localhost, .internal, 10.0.0.0/8");
/// ```
#[derive(Clone)]
#[must_use = "give it to `ClientBuilder::proxy`"]
pub struct Proxy {
    choice: Choice,
    exceptions: String,
}

#[derive(Clone)]
enum Choice {
    Environment,
    Off,
    To(String),
}

impl Default for Proxy {
    fn default() -> Self {
        Self::from_env()
    }
}

impl Proxy {
    /// What the environment says when the client is built. This is the default.
    ///
    /// For `http` and `ws` servers `http_proxy` counts, for `https` and `wss` servers `https_proxy`, for those without one
    /// `all_proxy`; each in small letters first, then in capitals. `HTTP_PROXY` in capitals is not looked at where
    /// `REQUEST_METHOD` is set, for there a web server's client may have set it. `no_proxy` names the
    /// [exceptions](Self::except). A variable that is empty is none.
    pub fn from_env() -> Self {
        Self::choose(Choice::Environment)
    }

    /// No proxy, whatever the environment says.
    pub fn off() -> Self {
        Self::choose(Choice::Off)
    }

    /// This proxy: `http://host:port` (port 80 if there is none), `socks5://host:port` (this machine looks names up) or
    /// `socks5h://host:port` (the proxy does; 1080 if there is no port), each with `user:password@` if it wants them. Without a
    /// scheme it is `http`; `socks`, which desktops put into the environment, is `socks5h`.
    ///
    /// Whether that is a usable URL is checked when the client is built.
    pub fn to(url: &str) -> Self {
        Self::choose(Choice::To(url.to_owned()))
    }

    /// Adds servers that are connected to without the proxy, separated by commas or spaces, as `no_proxy` has them: a name stands
    /// for itself and all below it, with or without a dot or `*.` before it; an address or a network (`10.0.0.0/8`) for servers
    /// that the URL names by address; each may have a port; `*` is everything.
    pub fn except(mut self, servers: &str) -> Self {
        self.exceptions.push(',');
        self.exceptions.push_str(servers);
        self
    }

    fn choose(choice: Choice) -> Self {
        Self {
            choice,
            exceptions: String::new(),
        }
    }

    /// Looks at the environment and checks everything.
    pub(crate) fn check(&self) -> Result<ProxyRules, UsageError> {
        // What is not UTF-8 is no URL, and is told to be none.
        self.check_with(|name| Some(env::var_os(name)?.to_string_lossy().into_owned()))
    }

    fn check_with(&self, env: impl Fn(&str) -> Option<String>) -> Result<ProxyRules, UsageError> {
        let mut exceptions = self.exceptions.clone();
        let (plain, tls) = match &self.choice {
            Choice::Off => (None, None),
            Choice::To(url) => {
                let server = Arc::new(ProxyServer::parse(url, "proxy")?);
                (Some(Arc::clone(&server)), Some(server))
            }
            Choice::Environment => {
                let env = |name| env(name).filter(|value| !value.trim().is_empty());
                if let Some(servers) = env("no_proxy").or_else(|| env("NO_PROXY")) {
                    exceptions.push(',');
                    exceptions.push_str(&servers);
                }
                let is_cgi = env("REQUEST_METHOD").is_some();
                let first =
                    |names: [&'static str; 4]| -> Result<Option<Arc<ProxyServer>>, UsageError> {
                        for name in names {
                            let is_safe = name != "HTTP_PROXY" || !is_cgi;
                            if let Some(url) = env(name).filter(|_| is_safe) {
                                let mut server = ProxyServer::parse(&url, name)?;
                                server.variable = Some(name);
                                return Ok(Some(Arc::new(server)));
                            }
                        }
                        Ok(None)
                    };
                (
                    first(["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])?,
                    first(["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
                )
            }
        };
        Ok(ProxyRules {
            plain,
            tls,
            exceptions: exceptions
                .split(|c: char| c == ',' || c.is_whitespace())
                .filter_map(Exception::parse)
                .collect(),
        })
    }
}

/// A password may stand in the URL.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.choice {
            Choice::Environment => "Proxy::from_env",
            Choice::Off => "Proxy::off",
            Choice::To(_) => "Proxy::to",
        })
    }
}

/// Which proxy leads to which server.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProxyRules {
    plain: Option<Arc<ProxyServer>>,
    tls: Option<Arc<ProxyServer>>,
    exceptions: Vec<Exception>,
}

impl ProxyRules {
    /// The proxy for a server; `None` is the direct way.
    pub(crate) fn for_target(&self, target: &Target) -> Option<&Arc<ProxyServer>> {
        let proxy = if target.tls { &self.tls } else { &self.plain };
        let is_exception = || {
            let mut exceptions = self.exceptions.iter();
            exceptions.any(|one| one.holds(&target.host, target.port))
        };
        proxy.as_ref().filter(|_| !is_exception())
    }
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    /// SOCKS5; names are looked up here, or by the proxy.
    Socks {
        remote_names: bool,
    },
}

/// A proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ProxyServer {
    pub(crate) kind: ProxyKind,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User and password, decoded.
    pub(crate) userinfo: Option<(String, String)>,
    /// The value of `Proxy-Authorization` that an HTTP proxy wants.
    pub(crate) authorization: Option<HeaderValue>,
    /// The URL without user and password, for errors.
    pub(crate) shown: String,
    /// The variable of the environment that names it: the program's author may not know that there is a proxy.
    pub(crate) variable: Option<&'static str>,
}

impl ProxyServer {
    fn parse(text: &str, option: &'static str) -> Result<Self, UsageError> {
        let wrong = |why: String| UsageError::Option {
            option,
            why: why.into(),
        };
        let text = text.trim();
        let with_scheme = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        // The text itself may hold a password, so errors do not repeat it.
        let url = Url::parse(&with_scheme)
            .map_err(|error| wrong(format!("it is no URL of a proxy: {error}")))?;
        let (kind, default) = match url.scheme() {
            "http" => (ProxyKind::Http, 80),
            "socks5" => (
                ProxyKind::Socks {
                    remote_names: false,
                },
                1080,
            ),
            "socks5h" | "socks" => (ProxyKind::Socks { remote_names: true }, 1080),
            "https" => {
                let why = "TLS to the proxy itself is not supported; most proxies for https servers want http:// here";
                return Err(wrong(why.to_owned()));
            }
            other => {
                return Err(wrong(format!(
                    "a proxy is reached by http, socks5 or socks5h, not by {other}"
                )));
            }
        };
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(wrong("it names no host".to_owned())),
        };
        let port = url.port().unwrap_or(default);
        let authority = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let password = url.password().unwrap_or_default();
        let userinfo = (!url.username().is_empty() || !password.is_empty())
            .then(|| (decode(url.username()), decode(password)));
        let mut authorization = None;
        if let Some((user, password)) = &userinfo {
            if kind == ProxyKind::Http {
                let value = basic_auth(user, password).map_err(|why| wrong(why.to_owned()))?;
                authorization = Some(value);
            } else if user.len() > 255 || password.len() > 255 {
                let why = "SOCKS5 takes at most 255 bytes for a user or password";
                return Err(wrong(why.to_owned()));
            }
        }
        Ok(Self {
            kind,
            port,
            userinfo,
            authorization,
            shown: format!("{}://{authority}", url.scheme()),
            variable: None,
            host,
        })
    }
}

impl fmt::Debug for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for ProxyServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {}", self.shown)?;
        match self.variable {
            Some(variable) => write!(f, " ({variable})"),
            None => Ok(()),
        }
    }
}

/// Servers that need no proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    which: Which,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Which {
    All,
    /// This name, and what ends with a dot and this name.
    Name(String),
    /// Addresses whose first so many bits are these.
    Network(IpAddr, u32),
}

impl Exception {
    /// `None` for an empty one.
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        if text == "*" {
            let (which, port) = (Which::All, None);
            return Some(Self { which, port });
        }
        // An IPv6 address has colons of its own.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                match port.parse() {
                    Ok(port) => (host, Some(port)),
                    Err(_) => (text, None),
                }
            }
            _ => (text, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let which = network(host).unwrap_or_else(|| {
            let name = host.strip_prefix('*').unwrap_or(host);
            Which::Name(name.trim_matches('.').to_ascii_lowercase())
        });
        Some(Self { which, port })
    }

    fn holds(&self, host: &str, port: u16) -> bool {
        if self.port.is_some_and(|only| only != port) {
            return false;
        }
        match &self.which {
            Which::All => true,
            Which::Name(name) => {
                let host = host.trim_end_matches('.').to_ascii_lowercase();
                let above = host.strip_suffix(name.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            Which::Network(network, bits) => match host.parse() {
                Ok(address) => is_within(address, *network, *bits),
                Err(_) => false,
            },
        }
    }
}

/// An address, or one with the number of bits that count.
fn network(text: &str) -> Option<Which> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address.trim_end_matches(']'), Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let address = address.parse().ok()?;
    let most = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let bits = bits.unwrap_or(most);
    (bits <= most).then_some(Which::Network(address, bits))
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= bits
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differs = address.to_bits() ^ network.to_bits();
            differs.leading_zeros() >= bits
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> ProxyServer {
        ProxyServer::parse(url, "proxy").unwrap()
    }

    fn chosen(proxy: &Proxy, env: &[(&str, &str)], url: &str) -> Option<String> {
        let find = |name: &str| {
            let mut all = env.iter();
            all.find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        let rules = proxy.check_with(find).unwrap();
        let target = Target::parse(url).unwrap();
        rules.for_target(&target).map(|proxy| proxy.shown.clone())
    }

    #[test]
    fn urls_of_proxies() {
        let http = server("http://us%40er:p%3Aw@proxy:3128");
        assert_eq!(
            (http.host.as_str(), http.port, http.kind),
            ("proxy", 3128, ProxyKind::Http)
        );
        assert_eq!(http.userinfo, Some(("us@er".into(), "p:w".into())));
        assert_eq!(http.shown, "http://proxy:3128");
        assert_eq!(http.authorization.unwrap(), "Basic dXNAZXI6cDp3");
        assert_eq!(server("proxy:8080").shown, "http://proxy:8080");
        assert_eq!(server("http://proxy").port, 80);
        let socks = server("socks5://127.0.0.1:80");
        assert_eq!((socks.host.as_str(), socks.port), ("127.0.0.1", 80));
        assert_eq!(
            socks.kind,
            ProxyKind::Socks {
                remote_names: false
            }
        );
        let socks = server("socks5h://[::1]");
        assert_eq!((socks.host.as_str(), socks.port), ("::1", 1080));
        assert_eq!(socks.shown, "socks5h://[::1]:1080");
        let desktop = server("socks://127.0.0.1:9050/");
        assert_eq!(desktop.kind, ProxyKind::Socks { remote_names: true });
    }

    #[test]
    fn what_is_no_proxy_is_an_error_without_the_password() {
        for url in [
            "https://me:secret@p",
            "socks4://p",
            "ftp://p",
            "http://",
            "http://me:secret@p:99999",
        ] {
            let error = ProxyServer::parse(url, "proxy").unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        let error = ProxyServer::parse("https://p", "https_proxy").unwrap_err();
        assert!(error.to_string().contains("want http://"), "{error}");
        let long = format!("socks5://{}:x@p", "u".repeat(256));
        assert!(ProxyServer::parse(&long, "proxy").is_err());
        assert_eq!(
            format!("{:?}", Proxy::to("http://me:secret@p")),
            "Proxy::to"
        );
    }

    #[test]
    fn the_environment_is_read_as_usual() {
        let env = Proxy::from_env();
        let all = [
            ("http_proxy", "a"),
            ("HTTP_PROXY", "b"),
            ("https_proxy", "c"),
            ("ALL_PROXY", "socks5://d"),
        ];
        assert_eq!(chosen(&env, &all, "ws://h").unwrap(), "http://a:80");
        assert_eq!(chosen(&env, &all, "wss://h").unwrap(), "http://c:80");
        assert_eq!(chosen(&env, &all[1..2], "http://h").unwrap(), "http://b:80");
        assert_eq!(chosen(&env, &all[1..2], "https://h"), None);
        assert_eq!(
            chosen(&env, &all[3..], "https://h").unwrap(),
            "socks5://d:1080"
        );
        assert_eq!(chosen(&env, &[], "http://h"), None);
        assert_eq!(chosen(&env, &[("http_proxy", "")], "http://h"), None);
        let empty_ones = [("http_proxy", ""), ("no_proxy", " ")];
        let others = [("HTTP_PROXY", "b"), ("NO_PROXY", "h")];
        let both = [empty_ones, others].concat();
        assert_eq!(chosen(&env, &both, "http://h"), None);
        assert_eq!(chosen(&env, &both, "http://i").unwrap(), "http://b:80");
        let cgi = [("HTTP_PROXY", "b"), ("REQUEST_METHOD", "GET")];
        assert_eq!(chosen(&env, &cgi, "http://h"), None);
        assert_eq!(chosen(&Proxy::off(), &all, "http://h"), None);
        let mine = Proxy::to("socks5://mine");
        assert_eq!(
            chosen(&mine, &all, "http://h").unwrap(),
            "socks5://mine:1080"
        );
        let rules = env.check_with(|name| (name == "ALL_PROXY").then(|| "me:pw@d".to_owned()));
        let told = rules.unwrap().tls.unwrap().to_string();
        assert_eq!(told, "the proxy http://d:80 (ALL_PROXY)");
        let error = env.check_with(|name| (name == "https_proxy").then(|| "ftp://x".to_owned()));
        assert!(error.unwrap_err().to_string().contains("https_proxy"));
    }

    #[test]
    fn exceptions_are_names_addresses_and_networks() {
        let proxy = Proxy::to("p")
            .except("example.com, .internal,*.lan , 10.0.0.0/8 ::1, h:81, [fe80::]/10");
        let is_direct = |url: &str| chosen(&proxy, &[], url).is_none();
        for url in [
            "http://example.com",
            "http://EXAMPLE.com:81",
            "https://a.b.example.com",
            "http://x.internal",
            "http://internal",
            "http://c.lan",
            "http://10.255.0.1",
            "http://[::1]:9",
            "http://h:81",
            "http://[fe80::1]",
        ] {
            assert!(is_direct(url), "{url}");
        }
        for url in [
            "http://notexample.com",
            "http://example.com.evil",
            "http://11.0.0.1",
            "http://[::2]",
            "http://h:82",
            "http://internalx",
        ] {
            assert!(!is_direct(url), "{url}");
        }
        let env = [("http_proxy", "p"), ("no_proxy", "a"), ("NO_PROXY", "b")];
        assert_eq!(chosen(&Proxy::from_env(), &env, "http://a"), None);
        assert!(
            chosen(&Proxy::from_env(), &env, "http://b").is_some(),
            "small letters come first"
        );
        assert_eq!(
            chosen(&Proxy::from_env().except("b"), &env, "http://b"),
            None
        );
        assert_eq!(
            chosen(&Proxy::to("p").except("*"), &[], "http://anything"),
            None
        );
        assert!(
            chosen(&Proxy::to("p"), &env, "http://a").is_some(),
            "no_proxy belongs to the environment's proxy"
        );
    }
}
