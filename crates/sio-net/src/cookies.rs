//! The cookies of a client: what it was given, and what servers and balancers have set.

use std::cmp::Reverse;
use std::fmt;
use std::sync::{Arc, Mutex};

use cookie_store::{Cookie, CookieStore};
use http::{HeaderMap, HeaderValue, header};
use sio_core::UsageError;
use url::Url;

use crate::sync::lock;

/// How many bytes the names and values of all cookies that servers have set may have together. The whole head of a request
/// may have 8 KiB, where a server runs on Node before 14, and 16 KiB in our own buffer.
const MAX_BYTES: usize = 8 << 10;

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

    /// Sets those of a `Cookie` header, or none of them; returns their names.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub(crate) fn set_all(&mut self, header: &str) -> Result<Vec<String>, UsageError> {
        let mut all = self.clone();
        let mut names = Vec::new();
        for pair in header
            .split(';')
            .map(str::trim)
            .filter(|pair| !pair.is_empty())
        {
            // What has no name may be a secret: it is the value that is not repeated.
            let (name, value) = pair.split_once('=').unwrap_or(("", pair));
            let name = name.trim();
            all.set(name, value)?;
            names.push(name.to_owned());
        }
        *self = all;
        Ok(names)
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
            if let Err(why) = put(&mut store, value, &url) {
                tracing::debug!(%why, "a cookie was left out");
            }
        }
    }

    /// All cookies of a request, those of the longest path first (RFC 6265, section 5.4). What the server has set comes
    /// in place of what was given by the same name.
    pub(crate) fn for_request(&self, given: &Given, url: &str) -> Vec<(String, String)> {
        let mut all = given.0.clone();
        let store = lock(&self.0);
        // Most jars are empty, and to parse a URL takes as long as all the rest of a request.
        if store.iter_any().next().is_some()
            && let Some(url) = parse(url)
        {
            let mut set = store.matches(&url);
            set.sort_unstable_by_key(|cookie| {
                (
                    Reverse(String::from(&cookie.path).len()),
                    cookie.name().to_owned(),
                )
            });
            all.retain(|(name, _)| !set.iter().any(|cookie| cookie.name() == name));
            let pairs = set.into_iter().map(|cookie| cookie.name_value());
            all.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
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
        let found = store.matches(&url).into_iter();
        let found: Vec<Key> = found
            .filter(|cookie| cookie.name() == name)
            .map(key_of)
            .collect();
        remove(&mut store, &found);
    }
}

/// Takes one `Set-Cookie` header; an error is why not.
fn put(store: &mut CookieStore, value: &HeaderValue, url: &Url) -> Result<(), &'static str> {
    // What is not ASCII cannot be sent in a WebSocket's handshake.
    let text = value.to_str().map_err(|_| "it is not ASCII")?;
    let cookie = Cookie::parse(text, url).map_err(|_| "it cannot be read, or is for others")?;
    let cookie = cookie.into_owned();
    let key = key_of(&cookie);
    // An error tells of a removal that had nothing to remove.
    let _ = store.insert(cookie, url);
    let gone: Vec<Key> = store
        .iter_any()
        .filter(|cookie| cookie.is_expired())
        .map(key_of)
        .collect();
    remove(store, &gone);
    let sizes = store.iter_any().map(|cookie| {
        let (name, value) = cookie.name_value();
        name.len() + value.len()
    });
    if sizes.sum::<usize>() > MAX_BYTES {
        remove(store, &[key]);
        return Err("there are too many");
    }
    Ok(())
}

/// Domain, path and name.
type Key = (String, String, String);

fn key_of(cookie: &Cookie<'_>) -> Key {
    let (domain, path) = (&cookie.domain, &cookie.path);
    (domain.into(), path.into(), cookie.name().to_owned())
}

fn remove(store: &mut CookieStore, keys: &[Key]) {
    for (domain, path, name) in keys {
        store.remove(domain, path, name);
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
        // The path of the second is the longer one: that of the request.
        assert_eq!(
            sent(
                &jar,
                &none,
                "http://h.example:3000/socket.io/?EIO=3&transport=websocket",
            ),
            "node=2; io=abc"
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
    fn of_two_by_one_name_the_longer_path_comes_first() {
        for _ in 0..20 {
            let jar = Jar::default();
            answered(&jar, "node=far; Path=/");
            answered(&jar, "node=near; Path=/socket.io");
            answered(&jar, "a=\"x y\"; Path=/");
            let all = sent(&jar, &given("node=given; z=1"), URL);
            assert_eq!(all, "z=1; node=near; a=\"x y\"; node=far");
            jar.forget("node", URL);
            assert_eq!(sent(&jar, &Given::default(), URL), "a=\"x y\"");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_makes_room_again() {
        let jar = Jar::default();
        let none = Given::default();
        let many = |value: &str, age: u32| {
            for number in 0..1000 {
                answered(&jar, &format!("n{number}={value}; Path=/; Max-Age={age}"));
            }
        };
        many(&"x".repeat(100), 1000);
        let kept = sent(&jar, &none, URL);
        // Beside names and values there are `=` and `; `.
        assert!(kept.len() > 7_500 && kept.len() < 8_500, "{}", kept.len());
        assert!(kept.contains("n0=x"), "the first ones stay");
        many("", 0);
        assert_eq!(sent(&jar, &none, URL), "");
        assert_eq!(
            lock(&jar.0).iter_any().count(),
            0,
            "nothing is left of them"
        );
        answered(&jar, &format!("large={}", "x".repeat(9000)));
        answered(&jar, "a=1");
        assert_eq!(sent(&jar, &none, URL), "a=1");
    }

    #[test]
    fn nonsense_is_left_out() {
        let jar = Jar::default();
        for cookie in [
            "",
            "=",
            ";",
            "a=1; Domain=elsewhere.example",
            "a=caf\u{e9}",
            "\u{7f}",
        ] {
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
