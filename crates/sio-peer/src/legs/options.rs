//! The table: each option as a program gives it, and what it looks like on a request.

use sio_core::Result;
use sio_core::session::Session;
use sio_net::{Attempt, ClientBuilder};

use super::{Choice, Expected};

/// A URL with this user, and password `p@ss: wörd`.
fn with_user(authority: &str) -> String {
    format!("http://me:p%40ss%3A%20w%C3%B6rd@{authority}")
}

const OF_URL: &str = "Basic bWU6cEBzczogd8O2cmQ=";
/// `Aladdin`, `open sesame`.
const ALADDIN: &str = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
/// `user` with the number of the attempt as the password.
const OF_ATTEMPT: [&str; 6] = [
    "Basic dXNlcjow",
    "Basic dXNlcjox",
    "Basic dXNlcjoy",
    "Basic dXNlcjoz",
    "Basic dXNlcjo0",
    "Basic dXNlcjo1",
];
const NUMBERS: [&str; 6] = ["0", "1", "2", "3", "4", "5"];

/// Cookies that a server sets on legs that come first, and later; see [`Stage::cookies`](super::Stage::cookies).
const OF_FIRST_LEGS: [&str; 2] = ["by-handshake", "by-websocket"];
const OF_LATER_LEGS: [&str; 2] = ["by-poll", "by-post"];

/// Nothing but what the client sends on its own.
fn plain() -> Expected {
    Expected {
        server: 0,
        path: "/socket.io/",
        query: "",
        headers: Vec::new(),
        cookies: Vec::new(),
        forgotten: Vec::new(),
    }
}

impl Expected {
    fn path(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn header(mut self, name: &'static str, values: &[&'static str]) -> Self {
        self.headers.push((name, values.to_vec()));
        self
    }

    fn authorization(self, value: &'static str) -> Self {
        self.header("authorization", &[value])
    }

    fn cookie(mut self, name: &'static str, value: &'static str) -> Self {
        self.cookies.push((name, value));
        self
    }
}

/// An option of the builder.
fn option<P: Session>(
    name: &'static str,
    set: fn(ClientBuilder<P>, &str) -> ClientBuilder<P>,
    expect: fn(usize) -> Expected,
) -> Choice<P> {
    let url = |authority: &str| format!("http://{authority}");
    Choice {
        name,
        url,
        set,
        expect,
    }
}

/// An option of the URL.
fn of_url<P: Session>(
    name: &'static str,
    url: fn(&str) -> String,
    expect: fn(usize) -> Expected,
) -> Choice<P> {
    let set = |builder, _: &str| builder;
    Choice {
        name,
        url,
        set,
        expect,
    }
}

/// Has `hook` run before each attempt, with the number of attempts before it.
fn hooked<P: Session>(
    builder: ClientBuilder<P>,
    hook: fn(&mut Attempt, usize) -> Result<()>,
) -> ClientBuilder<P> {
    let mut runs = 0;
    builder.before_attempt(move |attempt| {
        runs += 1;
        Ok(hook(attempt, runs - 1)?)
    })
}

/// Every option.
#[must_use]
pub fn options<P: Session>() -> Vec<Choice<P>> {
    let tables = [paths, queries, headers, authorizations, cookies, hooks];
    tables.into_iter().flat_map(|table| table()).collect()
}

fn paths<P: Session>() -> Vec<Choice<P>> {
    vec![
        option("nothing", |builder, _| builder, |_| plain()),
        option(
            "a path with slashes",
            |builder, _| builder.path("/custom/path/"),
            |_| plain().path("/custom/path/"),
        ),
        option(
            "a path without slashes",
            |builder, _| builder.path("custom"),
            |_| plain().path("/custom/"),
        ),
        option(
            "the path /",
            |builder, _| builder.path("/"),
            |_| plain().path("/"),
        ),
        option(
            "a percent-encoded path",
            |builder, _| builder.path("/a%20b/c;d=e,~f"),
            |_| plain().path("/a%20b/c;d=e,~f/"),
        ),
    ]
}

fn queries<P: Session>() -> Vec<Choice<P>> {
    vec![
        of_url(
            "the URL's query, encoded",
            |authority| format!("http://{authority}/?token=a%20b&plus=a%2Bb&bare&empty=#part"),
            |_| plain().query("token=a%20b&plus=a%2Bb&bare&empty="),
        ),
        of_url(
            "the URL's query, not encoded",
            |authority| format!("http://{authority}/?q={{x}}|^`[]'\"<é\\$+ y"),
            |_| plain().query("q={x}|^`[]%27%22%3C%C3%A9\\$+%20y"),
        ),
        option(
            "query parameters",
            |builder, _| builder.query("a b&c", "=e#+é/?:@%20").query("a b&c", ""),
            |_| plain().query("a%20b%26c=%3De%23%2B%C3%A9%2F%3F%3A%40%2520&a%20b%26c="),
        ),
        Choice {
            url: |authority| format!("http://{authority}/?from=url&token=1"),
            ..option(
                "query parameters behind those of the URL",
                |builder, _| builder.query("from", "options"),
                |_| plain().query("from=url&token=1&from=options"),
            )
        },
    ]
}

fn headers<P: Session>() -> Vec<Choice<P>> {
    vec![
        option(
            "a header, and one twice",
            |builder, _| {
                let builder = builder.header("X-Token", "one, two; three=\"3\"");
                builder.header("X-Twice", "1").header("x-twice", "2")
            },
            |_| {
                let once = plain().header("x-token", &["one, two; three=\"3\""]);
                once.header("x-twice", &["1", "2"])
            },
        ),
        option(
            "an Accept header",
            |builder, _| builder.header("Accept", "text/plain"),
            |_| plain().header("accept", &["text/plain"]),
        ),
        option(
            "a User-Agent",
            |builder, _| builder.header("User-Agent", "no").user_agent("Thing/1"),
            |_| plain().header("user-agent", &["Thing/1"]),
        ),
        option(
            "an Origin",
            |builder, _| builder.header("Origin", "no").origin("http://page.example"),
            |_| plain().header("origin", &["http://page.example"]),
        ),
    ]
}

fn authorizations<P: Session>() -> Vec<Choice<P>> {
    vec![
        of_url("user and password of the URL", with_user, |_| {
            plain().authorization(OF_URL)
        }),
        option(
            "basic_auth",
            |builder, _| builder.basic_auth("Aladdin", "open sesame"),
            |_| plain().authorization(ALADDIN),
        ),
        option(
            "an Authorization header",
            |builder, _| builder.header("Authorization", "Bearer abc"),
            |_| plain().authorization("Bearer abc"),
        ),
        Choice {
            url: with_user,
            ..option(
                "basic_auth in place of the URL's user and of a header",
                |builder, _| {
                    let builder = builder.header("Authorization", "Bearer abc");
                    builder.basic_auth("Aladdin", "open sesame")
                },
                |_| plain().authorization(ALADDIN),
            )
        },
        Choice {
            url: with_user,
            ..option(
                "an Authorization header in place of basic_auth and of the URL's user",
                |builder, _| {
                    let builder = builder.basic_auth("Aladdin", "open sesame");
                    builder.header("Authorization", "Bearer abc")
                },
                |_| plain().authorization("Bearer abc"),
            )
        },
    ]
}

fn cookies<P: Session>() -> Vec<Choice<P>> {
    vec![
        option(
            "cookies",
            |builder, _| {
                let builder = builder.cookie("sid", "no").cookie("lang", "en, de");
                builder.cookie("sid", "a=b\"c")
            },
            |_| plain().cookie("lang", "en, de").cookie("sid", "a=b\"c"),
        ),
        option(
            "Cookie headers beside cookies",
            |builder, _| {
                let builder = builder.cookie("a", "0").header("Cookie", "a=1; b=2");
                builder.header("cookie", "c=3").cookie("d", "4")
            },
            |_| {
                let two = plain().cookie("a", "1").cookie("b", "2");
                two.cookie("c", "3").cookie("d", "4")
            },
        ),
    ]
}

fn hooks<P: Session>() -> Vec<Choice<P>> {
    const TOKENS: [&str; 6] = [
        "stays=1&old=1&token=0",
        "stays=1&token=1",
        "stays=1&token=2",
        "stays=1&token=3",
        "stays=1&token=4",
        "stays=1&token=5",
    ];
    vec![
        Choice {
            url: |authority| format!("http://{authority}/?tok%65n=url&stays=1&u[id]=1"),
            ..option(
                "set_query and remove_query in the hook",
                |builder, _| {
                    let builder = builder.query("token", "old").query("old", "1");
                    hooked(builder, |attempt, run| {
                        attempt.set_query("token", NUMBERS[run]);
                        attempt.remove_query("u[id]");
                        if run > 0 {
                            attempt.remove_query("old");
                        }
                        Ok(())
                    })
                },
                |attempt| plain().query(TOKENS[attempt]),
            )
        },
        option(
            "set_header and remove_header in the hook",
            |builder, _| {
                let builder = builder.header("X-Token", "a").header("X-Token", "b");
                hooked(builder.header("X-Old", "1"), |attempt, run| {
                    attempt.set_header("x-token", NUMBERS[run])?;
                    attempt.set_header("User-Agent", NUMBERS[run])?;
                    if run > 0 {
                        attempt.remove_header("X-Old");
                    }
                    Ok(())
                })
            },
            |attempt| {
                let number = &NUMBERS[attempt..=attempt];
                let set = plain().header("x-token", number);
                let set = set.header("user-agent", number);
                match attempt {
                    0 => set.header("x-old", &["1"]),
                    _ => set,
                }
            },
        ),
        option(
            "set_cookie and remove_cookie in the hook, of the program's cookies",
            |builder, _| {
                let builder = builder.cookie("sid", "old").cookie("lang", "en");
                hooked(builder, |attempt, run| {
                    attempt.set_cookie("sid", NUMBERS[run])?;
                    if run > 0 {
                        attempt.remove_cookie("lang");
                    }
                    Ok(())
                })
            },
            |attempt| {
                let set = plain().cookie("sid", NUMBERS[attempt]);
                match attempt {
                    0 => set.cookie("lang", "en"),
                    _ => set,
                }
            },
        ),
        option(
            "set_cookie and remove_cookie in the hook, of the server's cookies",
            |builder, _| {
                hooked(builder, |attempt, _| {
                    for leg in OF_FIRST_LEGS {
                        attempt.set_cookie(leg, "mine")?;
                    }
                    for leg in OF_LATER_LEGS {
                        attempt.remove_cookie(leg);
                    }
                    Ok(())
                })
            },
            |_| Expected {
                cookies: OF_FIRST_LEGS.map(|name| (name, "mine")).to_vec(),
                forgotten: [OF_FIRST_LEGS, OF_LATER_LEGS].concat(),
                ..plain()
            },
        ),
        option(
            "a Cookie header in the hook, of the server's cookies",
            |builder, _| {
                hooked(builder, |attempt, _| {
                    attempt.set_header("Cookie", "by-handshake=mine; by-websocket=mine")
                })
            },
            |_| Expected {
                cookies: OF_FIRST_LEGS.map(|name| (name, "mine")).to_vec(),
                forgotten: OF_FIRST_LEGS.to_vec(),
                ..plain()
            },
        ),
        Choice {
            url: with_user,
            ..option(
                "set_basic_auth in the hook",
                |builder, _| {
                    hooked(builder, |attempt, run| match run {
                        0 => Ok(()),
                        run => attempt.set_basic_auth("user", NUMBERS[run]),
                    })
                },
                |attempt| {
                    plain().authorization(match attempt {
                        0 => OF_URL,
                        attempt => OF_ATTEMPT[attempt],
                    })
                },
            )
        },
        Choice {
            url: with_user_and_query,
            ..option(
                "set_url in the hook: user, query and cookies of the first server",
                |builder, second| elsewhere(builder, format!("{second}/?of=second")),
                |attempt| match attempt {
                    1 => on_second().query("of=second"),
                    _ => plain().query("of=first").authorization(OF_URL),
                },
            )
        },
        option(
            "set_url in the hook: basic_auth for the first server",
            |builder, second| {
                let builder = builder.basic_auth("Aladdin", "open sesame");
                elsewhere(builder, second.to_owned())
            },
            |attempt| match attempt {
                1 => on_second(),
                _ => plain().authorization(ALADDIN),
            },
        ),
        option(
            "set_url in the hook: user and password of the second server",
            |builder, second| {
                let builder = builder.basic_auth("Aladdin", "open sesame");
                let second = second.trim_start_matches("http://");
                elsewhere(builder, with_user(second))
            },
            |attempt| match attempt {
                1 => on_second().authorization(OF_URL),
                _ => plain().authorization(ALADDIN),
            },
        ),
        option(
            "set_url in the hook: options for every server",
            |builder, second| {
                let builder = builder.path("custom").query("option", "1");
                let builder = builder.header("X-Token", "1").cookie("sid", "1");
                elsewhere(builder, second.to_owned())
            },
            |attempt| {
                let expected = match attempt {
                    1 => on_second(),
                    _ => plain(),
                };
                let expected = expected.path("/custom/").query("option=1");
                expected.header("x-token", &["1"]).cookie("sid", "1")
            },
        ),
    ]
}

fn with_user_and_query(authority: &str) -> String {
    format!("{}/?of=first", with_user(authority))
}

fn on_second() -> Expected {
    Expected {
        server: 1,
        ..plain()
    }
}

/// Leads the second attempt, and only that, to another server.
fn elsewhere<P: Session>(builder: ClientBuilder<P>, url: String) -> ClientBuilder<P> {
    let mut runs = 0;
    builder.before_attempt(move |attempt| {
        runs += 1;
        if runs == 2 {
            attempt.set_url(&url)?;
        }
        Ok(())
    })
}
