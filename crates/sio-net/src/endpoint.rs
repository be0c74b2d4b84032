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

use crate::dialler::look_up;
use crate::dispatch::guarded;
use crate::query;
use crate::sync::lock;
use crate::target::Target;

/// The server, and what every request of a session carries.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) target: Target,
    /// Percent-encoded; stands behind the query of the URL.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
}

impl Endpoint {
    /// The headers of every request: with the authorization that user and password in the URL stand for, unless there is
    /// one already.
    ///
    /// # Errors
    /// [`UsageError::Option`] if user and password cannot be sent.
    pub(crate) fn full_headers(&self) -> Result<HeaderMap> {
        let mut headers = self.headers.clone();
        if let Some((user, password)) = &self.target.userinfo
            && !headers.contains_key(header::AUTHORIZATION)
        {
            headers.insert(header::AUTHORIZATION, basic_auth(user, password)?);
        }
        Ok(headers)
    }

    /// The query of every request.
    pub(crate) fn full_query(&self) -> ByteString {
        match (&*self.target.query, &*self.query) {
            (query, "") | ("", query) => query.into(),
            (first, second) => format!("{first}&{second}").into(),
        }
    }

    /// The server's address, if it needs no lookup.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        let address: IpAddr = self.target.host.parse().ok()?;
        Some(SocketAddr::new(address, self.target.port))
    }
}

/// An attempt to connect that is about to be made; see [`ClientBuilder::before_attempt`](crate::ClientBuilder).
///
/// It starts with what the builder was given. What is changed here holds for every request of this attempt and of the
/// session it brings, and for no other attempt.
#[derive(Debug)]
pub struct Attempt {
    number: u32,
    after: Option<DisconnectReason>,
    endpoint: Endpoint,
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
    /// # Errors
    /// [`UsageError::Url`].
    pub fn set_url(&mut self, url: &str) -> Result<()> {
        self.endpoint.target = Target::parse(url)?;
        Ok(())
    }

    /// Sets a query parameter, in place of those of the same name.
    pub fn set_query(&mut self, name: &str, value: &str) {
        self.remove_query(name);
        query::push(&mut self.endpoint.query, name, value);
    }

    /// Removes the query parameters of this name.
    pub fn remove_query(&mut self, name: &str) {
        let of_url = query::without(&self.endpoint.target.query, name);
        self.endpoint.target.query = of_url.into();
        self.endpoint.query = query::without(&self.endpoint.query, name);
    }

    /// Sets a header, in place of those of the same name.
    ///
    /// # Errors
    /// [`UsageError::Header`] if it cannot be sent, or is one of those the client sets itself.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<()> {
        let (name, value) = checked_header(name, value)?;
        self.endpoint.headers.insert(name, value);
        Ok(())
    }

    /// Removes the headers of this name.
    pub fn remove_header(&mut self, name: &str) {
        self.endpoint.headers.remove(name);
    }

    /// Sets a cookie, in place of the one of the same name.
    ///
    /// # Errors
    /// [`UsageError::Header`] if it cannot be sent.
    pub fn set_cookie(&mut self, name: &str, value: &str) -> Result<()> {
        let headers = &mut self.endpoint.headers;
        let mut cookies: Vec<String> = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .map(|cookie| cookie.trim().to_owned())
            .filter(|cookie| cookie.split('=').next() != Some(name))
            .collect();
        cookies.push(format!("{name}={value}"));
        let (name, value) = checked_header("cookie", &cookies.join("; "))?;
        headers.insert(name, value);
        Ok(())
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

/// A server whose address is known.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) endpoint: Endpoint,
    pub(crate) addresses: Vec<SocketAddr>,
}

/// Runs the hook and looks up the name, on the thread of the caller; both may block.
pub(crate) fn prepare(
    hook: &Hook,
    endpoint: Endpoint,
    number: u32,
    after: Option<DisconnectReason>,
) -> Result<Prepared> {
    let mut attempt = Attempt {
        number,
        after,
        endpoint,
    };
    hook.run(&mut attempt)?;
    let endpoint = attempt.endpoint;
    let addresses = match endpoint.address() {
        Some(address) => vec![address],
        None => look_up(&endpoint.target.host, endpoint.target.port)?,
    };
    Ok(Prepared {
        endpoint,
        addresses,
    })
}

/// Headers that belong to the requests themselves.
const OWN_HEADERS: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::ACCEPT_ENCODING,
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
    if OWN_HEADERS.contains(&parsed) || parsed.as_str().starts_with("sec-websocket-") {
        return Err(wrong(&"the client sets it itself"));
    }
    let value = HeaderValue::from_str(value).map_err(|error| wrong(&error))?;
    Ok((parsed, value))
}

fn basic_auth(user: &str, password: &str) -> Result<HeaderValue> {
    let value = format!("Basic {}", BASE64.encode(format!("{user}:{password}")));
    let mut value = HeaderValue::try_from(value).map_err(|error| UsageError::Option {
        option: "the URL's user and password",
        why: error.to_string().into(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(url: &str, query: &str) -> Endpoint {
        let target = Target::parse(url).unwrap();
        Endpoint {
            target,
            query: query.to_owned(),
            headers: HeaderMap::new(),
        }
    }

    fn attempt() -> Attempt {
        Attempt {
            number: 1,
            after: None,
            endpoint: endpoint("http://127.0.0.1:1/?token=url&a=1", "token=old&b=2"),
        }
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
        for own in ["Host", "connection", "Sec-WebSocket-Key", "content-length"] {
            assert!(checked_header(own, "x").is_err(), "{own}");
        }
        assert!(checked_header("bad name", "x").is_err());
    }

    #[test]
    fn basic_authorization() {
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
        let keys: Vec<_> = attempt.endpoint.headers.get_all("x-key").iter().collect();
        assert_eq!(keys, ["2"]);
        attempt.set_cookie("sid", "1").unwrap();
        attempt.set_cookie("lang", "en").unwrap();
        attempt.set_cookie("sid", "2").unwrap();
        assert_eq!(attempt.endpoint.headers[header::COOKIE], "lang=en; sid=2");
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
        assert_eq!(attempt.endpoint.address(), Some("[::1]:2".parse().unwrap()));
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
        let run = || prepare(&hook, endpoint("http://127.0.0.1:1", ""), 1, None);
        assert_eq!(
            run().unwrap_err().chain(),
            "the handler of \"the hook before an attempt\" failed: no token"
        );
        assert!(run().unwrap_err().chain().ends_with("it panicked: no luck"));
        assert_eq!(run().unwrap().addresses.len(), 1);
    }
}
