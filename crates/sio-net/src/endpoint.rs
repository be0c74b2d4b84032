//! Where a connection goes and what it shows there, and the hook that may change it before each attempt.

use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytestring::ByteString;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use sio_core::{DisconnectReason, Error, Result, UsageError};

use crate::cookies::Given;
use crate::dialler::{Via, look_up};
use crate::dispatch::guarded;
use crate::proxy::{ProxyKind, ProxyRules, ProxyServer};
use crate::query;
use crate::sync::lock;
use crate::target::Target;
use crate::tunnel::Destination;

/// The server, and what every request of a session carries.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    pub(crate) parts: RequestParts,
}

/// What the program puts into every request.
#[derive(Clone, Default)]
pub(crate) struct RequestParts {
    /// Percent-encoded; stands behind the query of the URL.
    pub(crate) query: String,
    /// Without cookies, and without what is in `basic`.
    pub(crate) headers: HeaderMap,
    /// The authorization of this server, in place of the URL's user; an `Authorization` header comes before both.
    basic: Option<HeaderValue>,
    pub(crate) cookies: Given,
}

impl Endpoint {
    /// The headers of every request: with the authorization that user and password stand for, unless there is one
    /// already.
    ///
    /// # Errors
    /// [`UsageError::Url`] if user and password cannot be sent.
    pub(crate) fn full_headers(&self) -> Result<HeaderMap> {
        let mut headers = self.parts.headers.clone();
        if headers.contains_key(header::AUTHORIZATION) {
            return Ok(headers);
        }
        if let Some(basic) = &self.parts.basic {
            headers.insert(header::AUTHORIZATION, basic.clone());
        } else if let Some((user, password)) = &self.target.userinfo {
            let value = basic_auth(user, password);
            let value = value.map_err(|why| UsageError::Url(why.into()))?;
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(headers)
    }

    /// The query of every request.
    pub(crate) fn full_query(&self) -> ByteString {
        match (&*self.target.query, &*self.parts.query) {
            (query, "") | ("", query) => query.into(),
            (first, second) => format!("{first}&{second}").into(),
        }
    }
}

/// User, password and query, which may be secrets, stay out.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("server", &self.target.shown())
            .field("headers", &self.parts.headers)
            .field("cookies", &self.parts.cookies)
            .finish_non_exhaustive()
    }
}

impl RequestParts {
    /// Adds a header of the program. One that is given twice is sent twice, but for what there is only one of.
    ///
    /// # Errors
    /// [`UsageError::Header`].
    pub(crate) fn add_header(&mut self, name: &str, value: &str) -> Result<(), UsageError> {
        match checked_header(name, value)? {
            (header::COOKIE, _) => drop(self.cookies.set_all(value)?),
            (name @ (header::USER_AGENT | header::AUTHORIZATION | header::ORIGIN), value) => {
                self.headers.insert(name, value);
            }
            (name, value) => {
                self.headers.append(name, value);
            }
        }
        Ok(())
    }

    /// Sets user and password for the server.
    ///
    /// # Errors
    /// [`UsageError::Option`] if they cannot be sent.
    pub(crate) fn set_basic_auth(&mut self, user: &str, password: &str) -> Result<(), UsageError> {
        let value = basic_auth(user, password).map_err(|why| UsageError::Option {
            option: "basic_auth",
            why: why.into(),
        })?;
        self.headers.remove(header::AUTHORIZATION);
        self.basic = Some(value);
        Ok(())
    }
}

/// An attempt to connect that is about to be made; see [`ClientBuilder::before_attempt`](crate::ClientBuilder).
///
/// It starts with what the builder was given. What is changed here holds for every request of this attempt and of the
/// session it brings, and for no other attempt.
pub struct Attempt {
    number: u32,
    after: Option<DisconnectReason>,
    endpoint: Endpoint,
    /// Cookies whose values in the jar do not count any more.
    replaced: Vec<String>,
}

impl Attempt {
    /// Which attempt it is: 0 is the first connect, *n* the n-th after a loss.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What the session or attempt before ended with; `None` for the first connect.
    #[must_use]
    pub fn after(&self) -> Option<&DisconnectReason> {
        self.after.as_ref()
    }

    /// Connects to another server, with that URL's query, user and password. Its path is not looked at: namespaces keep
    /// their names.
    ///
    /// Another server is not told what [`basic_auth`](crate::ClientBuilder::basic_auth) was given, nor the cookies that the
    /// first one has set, unless it has the same name: cookies do not tell ports apart. Headers, cookies and query
    /// parameters of the builder, a token among them, are for every server.
    ///
    /// # Errors
    /// [`UsageError::Url`].
    pub fn set_url(&mut self, url: &str) -> Result<()> {
        let target = Target::parse(url)?;
        if target.userinfo.is_some() || target.shown() != self.endpoint.target.shown() {
            self.endpoint.parts.basic = None;
        }
        self.endpoint.target = target;
        Ok(())
    }

    /// Sets a query parameter, in place of those of the same name.
    pub fn set_query(&mut self, name: &str, value: &str) {
        self.remove_query(name);
        query::push(&mut self.endpoint.parts.query, name, value);
    }

    /// Removes the query parameters of this name.
    pub fn remove_query(&mut self, name: &str) {
        let of_url = query::without(&self.endpoint.target.query, name);
        self.endpoint.target.query = of_url.into();
        self.endpoint.parts.query = query::without(&self.endpoint.parts.query, name);
    }

    /// Sets a header, in place of those of the same name; a `Cookie` header is [set](Self::set_cookie) cookie by cookie.
    ///
    /// # Errors
    /// [`UsageError::Header`] if it cannot be sent, or is one of those the client sets itself.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<()> {
        let (name, _) = checked_header(name, value)?;
        if name == header::COOKIE {
            let names = self.endpoint.parts.cookies.set_all(value)?;
            self.replaced.extend(names);
            return Ok(());
        }
        self.endpoint.parts.headers.remove(&name);
        self.endpoint.parts.add_header(name.as_str(), value)?;
        Ok(())
    }

    /// Removes the headers of this name; of `Cookie`, what the program has set, and not what the server has; of
    /// `Authorization`, also user and password.
    pub fn remove_header(&mut self, name: &str) {
        if name.eq_ignore_ascii_case(header::COOKIE.as_str()) {
            self.endpoint.parts.cookies.clear();
        }
        if name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()) {
            self.endpoint.parts.basic = None;
            self.endpoint.target.userinfo = None;
        }
        self.endpoint.parts.headers.remove(name);
    }

    /// Sets a cookie, in place of the one of the same name, be it the server's.
    ///
    /// # Errors
    /// [`UsageError::Header`] if it cannot be sent.
    pub fn set_cookie(&mut self, name: &str, value: &str) -> Result<()> {
        self.endpoint.parts.cookies.set(name, value)?;
        self.replaced.push(name.to_owned());
        Ok(())
    }

    /// Removes the cookie of this name, be it the server's.
    pub fn remove_cookie(&mut self, name: &str) {
        self.endpoint.parts.cookies.remove(name);
        self.replaced.push(name.to_owned());
    }

    /// Sets user and password for the server, in place of those of the URL and of an `Authorization` header.
    ///
    /// # Errors
    /// [`UsageError::Option`] if they cannot be sent.
    pub fn set_basic_auth(&mut self, user: &str, password: &str) -> Result<()> {
        self.endpoint.parts.set_basic_auth(user, password)?;
        Ok(())
    }
}

/// What may be a secret stays out.
impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("number", &self.number)
            .field("after", &self.after)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// What a hook may fail with.
pub(crate) type HookError = Box<dyn StdError + Send + Sync>;

type Run = Box<dyn FnMut(&mut Attempt) -> Result<(), HookError> + Send>;

/// Code of the program that runs before each attempt.
#[derive(Default)]
pub(crate) struct Hook(Mutex<HookState>);

#[derive(Default)]
enum HookState {
    #[default]
    None,
    Idle(Run),
    /// A thread has it.
    Running,
}

impl Hook {
    pub(crate) fn new(
        run: impl FnMut(&mut Attempt) -> Result<(), HookError> + Send + 'static,
    ) -> Self {
        Self(Mutex::new(HookState::Idle(Box::new(run))))
    }

    pub(crate) fn is_set(&self) -> bool {
        !matches!(*lock(&self.0), HookState::None)
    }

    /// Runs the hook, with no lock held.
    fn run(&self, attempt: &mut Attempt) -> Result<()> {
        const WHAT: &str = "the hook before an attempt";
        let taken = mem::replace(&mut *lock(&self.0), HookState::Running);
        let mut run = match taken {
            HookState::Idle(run) => run,
            HookState::None => {
                *lock(&self.0) = HookState::None;
                return Ok(());
            }
            // The attempt it was started for has been given up; it holds what this one needs.
            HookState::Running => {
                return Err(Error::Handler {
                    event: WHAT.into(),
                    source: Arc::new(StillRunning),
                });
            }
        };
        let result = guarded(WHAT, || run(attempt).map_err(|error| Said::new(&*error)));
        *lock(&self.0) = HookState::Idle(run);
        result?.map_err(|error| Error::Handler {
            event: WHAT.into(),
            source: Arc::new(error),
        })
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_set() { "Hook" } else { "no hook" })
    }
}

/// A hook has not returned from an earlier attempt.
#[derive(Debug, thiserror::Error)]
#[error("it has not returned from an earlier attempt")]
struct StillRunning;

/// What a hook failed with, as text: the error itself is code of the program, which must not run under a lock.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Said {
    /// The error, then each cause behind `: `.
    fn new(error: &dyn StdError) -> Self {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        Self(text)
    }
}

/// An attempt whose way is known.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) endpoint: Arc<Endpoint>,
    /// Cookies whose values in the jar do not count any more.
    pub(crate) replaced: Vec<String>,
    /// Of the server, or of the proxy.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) proxy: Option<Via>,
}

/// Runs the hook and looks up names, on the thread of the caller; both may block.
pub(crate) fn prepare(
    hook: &Hook,
    proxies: &ProxyRules,
    endpoint: Endpoint,
    number: u32,
    after: Option<DisconnectReason>,
) -> Result<Prepared> {
    let mut attempt = Attempt {
        number,
        after,
        endpoint,
        replaced: Vec::new(),
    };
    hook.run(&mut attempt)?;
    let proxy = proxies.for_target(&attempt.endpoint.target);
    let (addresses, proxy) = find_way(&attempt.endpoint, proxy, look_up)?;
    Ok(Prepared {
        endpoint: Arc::new(attempt.endpoint),
        replaced: attempt.replaced,
        addresses,
        proxy,
    })
}

/// The same where nothing blocks: there is no hook, and no name to look up.
pub(crate) fn prepare_at_once(
    hook: &Hook,
    proxies: &ProxyRules,
    endpoint: &Arc<Endpoint>,
) -> Option<Prepared> {
    if hook.is_set() {
        return None;
    }
    let proxy = proxies.for_target(&endpoint.target);
    let (addresses, proxy) = find_way(endpoint, proxy, |_, _, _| Err(())).ok()?;
    Some(Prepared {
        endpoint: Arc::clone(endpoint),
        replaced: Vec::new(),
        addresses,
        proxy,
    })
}

/// Headers that belong to the requests themselves.
const OWN_HEADERS: [HeaderName; 8] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
    header::PROXY_AUTHORIZATION,
];

/// A header that a program may set.
///
/// # Errors
/// [`UsageError::Header`]; the value, which may be a secret, is not repeated.
pub(crate) fn checked_header(
    name: &str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), UsageError> {
    let wrong = |why: &dyn Display| UsageError::Header {
        name: name.into(),
        why: why.to_string().into(),
    };
    let parsed: HeaderName = name.parse().map_err(|error| wrong(&error))?;
    if parsed == header::PROXY_AUTHORIZATION {
        return Err(wrong(&"user and password of a proxy belong into its URL"));
    }
    if OWN_HEADERS.contains(&parsed) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(wrong(&"the client sets it itself"));
    }
    if !value.is_ascii() {
        // A WebSocket's handshake is text to the library that writes it.
        return Err(wrong(&"its value must be ASCII"));
    }
    let mut value = HeaderValue::from_str(value).map_err(|error| wrong(&error))?;
    // Nobody knows which of a program's headers are secrets.
    value.set_sensitive(true);
    Ok((parsed, value))
}

/// The value of an `Authorization` header, or of a `Proxy-Authorization` one.
///
/// # Errors
/// If the user's name has a colon: nobody could tell it from the password.
pub(crate) fn basic_auth(user: &str, password: &str) -> Result<HeaderValue, &'static str> {
    if user.contains(':') {
        return Err("a user's name cannot have a colon in basic authorization");
    }
    let value = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(value).map_err(|_| "it cannot be sent")?;
    value.set_sensitive(true);
    Ok(value)
}

/// The addresses to dial, and what to ask of a proxy there; `find` looks names up, and is told what they are for errors.
fn find_way<E>(
    endpoint: &Endpoint,
    proxy: Option<&Arc<ProxyServer>>,
    find: impl Fn(&dyn Display, &str, u16) -> Result<Vec<SocketAddr>, E>,
) -> Result<(Vec<SocketAddr>, Option<Via>), E> {
    let addresses = |what: &dyn Display, host: &str, port| match host.parse::<IpAddr>() {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => find(what, host, port),
    };
    let target = &endpoint.target;
    let Some(proxy) = proxy else {
        let found = addresses(&target.host, &target.host, target.port)?;
        return Ok((found, None));
    };
    let destinations = match (proxy.kind, target.host.parse::<IpAddr>()) {
        (
            ProxyKind::Socks {
                remote_names: false,
            },
            _,
        )
        | (ProxyKind::Socks { .. }, Ok(_)) => {
            let what = format!("{} (with socks5h:// the proxy would)", target.host);
            let all = addresses(&what, &target.host, target.port)?;
            all.into_iter().map(Destination::Address).collect()
        }
        _ => [Destination::Name(target.host.clone(), target.port)].into(),
    };
    let via = Via {
        server: Arc::clone(proxy),
        destinations,
        user_agent: endpoint.parts.headers.get(header::USER_AGENT).cloned(),
    };
    let what = format!("the host of {proxy}");
    Ok((addresses(&what, &proxy.host, proxy.port)?, Some(via)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cookies::Jar;

    fn endpoint(url: &str, query: &str) -> Endpoint {
        let target = Target::parse(url).unwrap();
        Endpoint {
            target,
            parts: RequestParts {
                query: query.to_owned(),
                ..RequestParts::default()
            },
        }
    }

    fn attempt() -> Attempt {
        Attempt {
            number: 1,
            after: None,
            endpoint: endpoint("http://127.0.0.1:1/?token=url&a=1", "token=old&b=2"),
            replaced: Vec::new(),
        }
    }

    fn cookies(attempt: &Attempt) -> String {
        let header = Jar::default().header(&attempt.endpoint.parts.cookies, "http://127.0.0.1:1/");
        header.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn headers_are_checked_and_their_values_not_repeated() {
        assert!(checked_header("X-Token", "abc").is_ok());
        let error = checked_header("X-Token", "se\ncret")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("X-Token") && !error.contains("cret"),
            "{error}"
        );
        checked_header("X-Token", "caf\u{e9}").unwrap_err();
        for own in ["Host", "connection", "Sec-WebSocket-Key", "content-length"] {
            assert!(checked_header(own, "x").is_err(), "{own}");
        }
        assert!(checked_header("bad name", "x").is_err());
    }

    #[test]
    fn basic_authorization() {
        basic_auth("a:b", "c").unwrap_err();
        let value = basic_auth("Aladdin", "open sesame").unwrap();
        assert_eq!(
            value.to_str().unwrap(),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn the_url_s_query_comes_before_the_options() {
        assert_eq!(endpoint("http://h/?a=1", "b=2").full_query(), "a=1&b=2");
        assert_eq!(endpoint("http://h", "b=2").full_query(), "b=2");
        assert_eq!(endpoint("http://h/?a=1", "").full_query(), "a=1");
    }

    #[test]
    fn a_hook_sets_query_headers_and_cookies_in_place_of_those_before() {
        let mut attempt = attempt();
        attempt.set_query("token", "new one");
        assert_eq!(attempt.endpoint.full_query(), "a=1&b=2&token=new%20one");
        attempt.set_header("X-Key", "1").unwrap();
        attempt.set_header("x-key", "2").unwrap();
        let keys: Vec<_> = attempt
            .endpoint
            .parts
            .headers
            .get_all("x-key")
            .iter()
            .collect();
        assert_eq!(keys, ["2"]);
        attempt.set_cookie("sid", "1").unwrap();
        attempt.set_cookie("lang", "en").unwrap();
        attempt.set_cookie("sid", "2").unwrap();
        assert_eq!(cookies(&attempt), "lang=en; sid=2");
        attempt.remove_cookie("lang");
        attempt.set_header("Cookie", "theme=dark; sid=3").unwrap();
        assert_eq!(cookies(&attempt), "theme=dark; sid=3");
        let replaced = ["sid", "lang", "sid", "lang", "theme", "sid"];
        assert_eq!(attempt.replaced, replaced);
        attempt.remove_header("cookie");
        assert_eq!(cookies(&attempt), "");
        attempt.set_header("Authorization", "Bearer x").unwrap();
        attempt.set_basic_auth("Aladdin", "open sesame").unwrap();
        let headers = attempt.endpoint.full_headers().unwrap();
        let all: Vec<_> = headers.get_all(header::AUTHORIZATION).iter().collect();
        assert_eq!(all, ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]);
        attempt.set_header("Host", "elsewhere").unwrap_err();
    }

    #[test]
    fn a_hook_may_lead_elsewhere() {
        let mut attempt = attempt();
        attempt
            .set_url("https://me:pw@[::1]:2/ignored?c=3")
            .unwrap();
        assert_eq!(attempt.endpoint.full_query(), "c=3&token=old&b=2");
        assert!(attempt.endpoint.target.tls);
        let way = prepare_at_once(
            &Hook::default(),
            &ProxyRules::default(),
            &Arc::new(attempt.endpoint.clone()),
        );
        assert_eq!(way.unwrap().addresses, ["[::1]:2".parse().unwrap()]);
        let headers = attempt.endpoint.full_headers().unwrap();
        assert_eq!(headers[header::AUTHORIZATION], "Basic bWU6cHc=");
        // Nobody else sees that password.
        attempt.set_url("http://elsewhere").unwrap();
        assert!(attempt.endpoint.full_headers().unwrap().is_empty());
        attempt.set_url("gopher://x").unwrap_err();
    }

    #[test]
    fn a_hook_that_fails_or_panics_is_the_error_of_its_attempt_and_runs_again() {
        let mut runs = 0;
        let hook = Hook::new(move |_| {
            runs += 1;
            match runs {
                1 => Err("no token".into()),
                2 => panic!("no luck"),
                _ => Ok(()),
            }
        });
        let run = || {
            prepare(
                &hook,
                &ProxyRules::default(),
                endpoint("http://127.0.0.1:1", ""),
                1,
                None,
            )
        };
        assert_eq!(
            run().unwrap_err().chain(),
            "the handler of \"the hook before an attempt\" failed: no token"
        );
        assert!(run().unwrap_err().chain().ends_with("it panicked: no luck"));
        assert_eq!(run().unwrap().addresses.len(), 1);
    }
}
