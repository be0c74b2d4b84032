//! The cookies of a client: what it was given, and what servers and balancers have set.

use std::fmt;
use std::sync::{Arc, Mutex};

use cookie_store::CookieStore;
use http::{HeaderMap, HeaderValue, header};
use sio_core::UsageError;
use url::Url;

use crate::sync::lock;

/// Cookies that the program gives, by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Given(Vec<(String, String)>);

impl Given {
    /// Sets one, in place of the one of the same name.
    ///
    /// # Errors
    /// [`UsageError::Header`] if it cannot be sent; the value, which may be a secret, is not repeated.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<(), UsageError> {
        let wrong = |why: &'static str| UsageError::Header {
            name: format!("cookie {name}").into(),
            why: why.into(),
        };
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(wrong(
                "its name must be letters, digits and !#$%&'*+-.^_`|~",
            ));
        }
        if !value
            .bytes()
            .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
        {
            return Err(wrong(
                "its value must be ASCII without semicolons and control characters",
            ));
        }
        self.0.retain(|(other, _)| other != name);
        self.0.push((name.to_owned(), value.trim().to_owned()));
        Ok(())
    }

    /// Sets those of a `Cookie` header.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn set_all(&mut self, header: &str) -> Result<(), UsageError> {
        for pair in header
            .split(';')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.set(name.trim(), value)?;
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(other, _)| other != name);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Values stay out.
impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// What servers have set, for all legs and sessions of a client.
#[derive(Default)]
pub(crate) struct Jar(Mutex<CookieStore>);

impl Jar {
    /// Takes the `Set-Cookie` headers of an answer. Those that make no sense are left out, as browsers do.
    pub(crate) fn store(&self, headers: &HeaderMap, url: &str) {
        if !headers.contains_key(header::SET_COOKIE) {
            return;
        }
        let Some(url) = parse(url) else { return };
        let mut store = lock(&self.0);
        for value in headers.get_all(header::SET_COOKIE) {
            let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
                tracing::debug!("a cookie that is no text was left out");
                continue;
            };
            if let Err(error) = store.parse(text, &url) {
                let name = text.split('=').next().unwrap_or_default();
                tracing::debug!(name, %error, "a cookie was left out");
            }
        }
    }

    /// All cookies of a request. What the server has set comes before what was given by the same name.
    pub(crate) fn for_request(&self, given: &Given, url: &str) -> Vec<(String, String)> {
        let mut all = given.0.clone();
        if let Some(url) = parse(url) {
            for (name, value) in lock(&self.0).get_request_values(&url) {
                all.retain(|(other, _)| other != name);
                all.push((name.to_owned(), value.to_owned()));
            }
        }
        all
    }

    /// The `Cookie` header of a request.
    pub(crate) fn header(&self, given: &Given, url: &str) -> Option<HeaderValue> {
        let all = self.for_request(given, url);
        let pairs: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            return None;
        }
        let mut value = HeaderValue::try_from(pairs.join("; ")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Forgets what a server has set by this name: the program has given another.
    pub(crate) fn forget(&self, name: &str, url: &str) {
        let Some(url) = parse(url) else { return };
        let mut store = lock(&self.0);
        let found: Vec<(String, String)> = store
            .matches(&url)
            .into_iter()
            .filter(|cookie| cookie.name() == name)
            .map(|cookie| (String::from(&cookie.domain), String::from(&cookie.path)))
            .collect();
        for (domain, path) in found {
            store.remove(&domain, &path, name);
        }
    }
}

/// The cookies of one session's requests.
#[derive(Debug, Clone)]
pub(crate) struct Cookies {
    pub(crate) jar: Arc<Jar>,
    pub(crate) given: Given,
}

impl Cookies {
    /// The `Cookie` header of a request.
    pub(crate) fn header(&self, url: &str) -> Option<HeaderValue> {
        self.jar.header(&self.given, url)
    }

    /// Takes the `Set-Cookie` headers of an answer.
    pub(crate) fn store(&self, headers: &HeaderMap, url: &str) {
        self.jar.store(headers, url);
    }
}

/// The URL was made from one that was parsed; if it is none all the same, there are no cookies for it.
fn parse(url: &str) -> Option<Url> {
    Url::parse(url).ok()
}

impl fmt::Debug for Jar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jar")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://h.example:3000/socket.io/?EIO=3";

    fn given(header: &str) -> Given {
        let mut given = Given::default();
        given.set_all(header).unwrap();
        given
    }

    fn answered(jar: &Jar, cookie: &str) {
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, cookie.parse().unwrap());
        jar.store(&headers, URL);
    }

    fn sent(jar: &Jar, given: &Given, url: &str) -> String {
        let header = jar.header(given, url);
        header.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_was_set_goes_back_to_that_server_only() {
        let jar = Jar::default();
        answered(&jar, "io=abc; Path=/; HttpOnly; SameSite=Strict");
        answered(&jar, "node=2");
        let none = Given::default();
        let both = sent(
            &jar,
            &none,
            "http://h.example:3000/socket.io/?EIO=3&transport=websocket",
        );
        assert!(
            both == "io=abc; node=2" || both == "node=2; io=abc",
            "{both}"
        );
        assert_eq!(sent(&jar, &none, "http://other.example/socket.io/"), "");
        assert_eq!(
            sent(&jar, &none, "http://h.example:3000/elsewhere"),
            "io=abc"
        );
    }

    #[test]
    fn the_server_s_word_comes_before_what_was_given() {
        let jar = Jar::default();
        let given = given("lang=en; node=1");
        assert_eq!(sent(&jar, &given, URL), "lang=en; node=1");
        answered(&jar, "node=2; Path=/");
        assert_eq!(sent(&jar, &given, URL), "lang=en; node=2");
        jar.forget("node", URL);
        assert_eq!(sent(&jar, &given, URL), "lang=en; node=1");
    }

    #[test]
    fn cookies_end_and_stay_on_tls() {
        let jar = Jar::default();
        let none = Given::default();
        answered(&jar, "a=1; Path=/; Max-Age=1000");
        answered(&jar, "a=; Path=/; Max-Age=0");
        assert_eq!(sent(&jar, &none, URL), "");
        let mut headers = HeaderMap::new();
        headers.append(header::SET_COOKIE, "s=1; Path=/; Secure".parse().unwrap());
        jar.store(&headers, "https://h.example/socket.io/");
        assert_eq!(sent(&jar, &none, "http://h.example/socket.io/"), "");
        assert_eq!(sent(&jar, &none, "https://h.example/socket.io/"), "s=1");
    }

    #[test]
    fn nonsense_is_left_out() {
        let jar = Jar::default();
        for cookie in ["", "=", ";", "a=1; Domain=elsewhere.example", "\u{7f}"] {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_bytes(cookie.as_bytes()) {
                headers.append(header::SET_COOKIE, value);
            }
            jar.store(&headers, URL);
        }
        assert_eq!(sent(&jar, &Given::default(), URL), "");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_and_not_repeated() {
        let mut given = Given::default();
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a=b", "x"),
            ("a", "x;secret"),
            ("a", "secret\n"),
            ("a", "secreté"),
        ] {
            let error = given.set(name, value).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
        given.set("a", "x, y=\"z\"").unwrap();
        given.set("a", "2").unwrap();
        assert_eq!(sent(&Jar::default(), &given, URL), "a=2");
        assert_eq!(format!("{given:?}"), "[\"a\"]");
    }
}
