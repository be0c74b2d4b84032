//! V8: namespaces over one connection.

use std::panic::resume_unwind;
use std::thread;
use std::time::Duration;

use serde_json::json;
use sio_core::{Error, Value};
use sio_v1::{Client, Session};

use super::kit::{Log, Seen, ask, call_values, handled, received_pings, received_texts, within};
use super::returning;
use crate::case::{Case, Failure, Outcome};
use crate::context::Context;
use crate::control::SocketRecord;
use crate::server::{PYTHON, SOCKETIOXIDE};
use crate::{ensure, ensure_eq};

type Cx = Context<Session>;

/// What "at once" is: far below the 5 s a join may take, and above what a busy machine needs.
const AT_ONCE: Duration = Duration::from_secs(2);
/// A text that a careless encoder cuts or changes.
const ODD: &str = "a b&c=d,é#?%+/";

/// The cases.
#[must_use]
pub fn cases() -> Vec<Case> {
    let case = Case::everywhere;
    vec![
        case(
            "V8.1",
            "a namespace is joined after the connect, and again after it was left",
            v8_1,
        ),
        case(
            "V8.2",
            "the server sees the query of connection and namespace, in map and text form",
            v8_2,
        ),
        case(
            "V8.3",
            "a refusal reaches its handle at once, in the server's own words",
            v8_3,
        ),
        case(
            "V8.4",
            "namespaces share one connection, and their events do not cross",
            v8_4,
        ),
        case(
            "V8.5",
            "one namespace is left, the others stay; with the last the connection closes",
            v8_5,
        ),
        case(
            "V8.5b",
            "with keep_open the connection stays when the last namespace is left",
            v8_5b,
        ),
        case(
            "V8.5c",
            "a connection for one namespace closes when that is left",
            v8_5c,
        ),
        case(
            "V8.6",
            "a namespace that is left while the connection is away stays away, the others come back",
            returning::a_namespace_that_is_left_stays_away,
        ),
        case(
            "V8.7",
            "all namespaces come back with their query, before what waits leaves",
            v8_7,
        ),
        case(
            "V8.8",
            "joining a namespace after the end opens the connection again",
            returning::joining_opens_the_connection_again,
        ),
    ]
}

fn v8_1(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    for time in 1..=2 {
        let welcomes = Log::new();
        let chat = client
            .namespace("/chat")
            .on("welcome", welcomes.writer())
            .join()?;
        ensure!(chat.is_connected(), "the namespace is joined");
        ensure_eq!(chat.name(), "/chat", "its name");
        let welcome: Vec<Value> = welcomes.wait_for(1, "welcomes")?;
        ensure_eq!(welcome[0]["nsp"], "/chat", "the namespace that welcomes");
        ensure_eq!(
            call_values(&chat, "echo", &[time.into()])?,
            [time],
            "an echo"
        );
        ensure_eq!(
            cx.control().sockets(Some("/chat"))?.len(),
            time,
            "joins the server saw"
        );
        chat.disconnect()?;
        ensure!(!chat.is_connected(), "the namespace is left");
        handled(&client)?;
        // One handler each time: those of the handle before are another matter, but must not run for nothing.
        ensure_eq!(
            welcomes.seen().len(),
            1,
            "welcomes of the join number {time}"
        );
    }
    Ok(client.close()?)
}

// --- queries --------------------------------------------------------------------------------------------------------

fn v8_2(cx: &Cx) -> Outcome {
    let encoded = sio_net::encode_component(ODD);
    let client = cx
        .builder_at(&format!("{}?text={encoded}", cx.url("main")))
        .query("map", ODD)
        .connect()?;
    cx.settle(&client)?;
    let root: Value = ask(&client, "handshake", ())?;
    for form in ["text", "map"] {
        ensure_eq!(
            root["query"][form],
            ODD,
            "the connection's query in the form of a {form}"
        );
    }
    match cx.server_version() {
        // It takes the query for a part of the name: see node-server/README.md.
        "1.0.6" => {}
        "1.3.7" | "1.4.5" => {
            let refused = client.namespace("/chat").query("token", ODD).join();
            is_refused("/chat", refused, &"Invalid namespace".into())?;
        }
        SOCKETIOXIDE => {
            let refused = client.namespace("/chat").query("token", ODD).join();
            let reason = json!({ "message": "Invalid namespace" });
            is_refused("/chat", refused, &reason.into())?;
        }
        // It lets in, and drops the query.
        PYTHON => cx.exchange(&client.namespace("/chat").query("token", ODD).join()?)?,
        _ => sees_query(cx, &client)?,
    }
    Ok(client.close()?)
}

fn sees_query(cx: &Cx, client: &Client) -> Outcome {
    let chat = client
        .namespace("/chat")
        .query("token", ODD)
        .query("n", "1")
        .join()?;
    let seen: Value = ask(&chat, "handshake", ())?;
    let of_namespace = if cx.major() < 4 { "query" } else { "auth" };
    ensure_eq!(
        seen[of_namespace]["token"],
        ODD,
        "the query of the namespace"
    );
    ensure_eq!(seen[of_namespace]["n"], "1", "its second entry");
    ensure_eq!(chat.name(), "/chat", "the name of the namespace");
    ensure_eq!(
        call_values(&chat, "echo", &[1.into()])?,
        [1],
        "an echo there"
    );
    Ok(())
}

// --- refusals -------------------------------------------------------------------------------------------------------

fn v8_3(cx: &Cx) -> Outcome {
    let client = cx.builder_for("nsp-guarded").connect()?;
    cx.settle(&client)?;
    for (name, reason) in refusals(cx) {
        let joined = within(AT_ONCE, "a refusal", || Ok(client.namespace(name).join()))?;
        is_refused(name, joined, &reason)?;
    }
    two_at_once(&client)?;
    let none = cx.control().sockets(Some("/admin"))?;
    ensure!(none.is_empty(), "the server let somebody in: {none:?}");
    ensure_eq!(
        call_values(&client, "echo", &[1.into()])?,
        [1],
        "an echo in the root after the refusals"
    );
    let slow = client.namespace("/slow").join()?;
    ensure_eq!(
        call_values(&slow, "echo", &[1.into()])?,
        [1],
        "an echo where it is let in, after a while"
    );
    client.close()?;
    refuses_the_urls_namespace(cx)?;
    lets_in_with_token(cx)
}

/// Namespaces, and the words they are refused with.
fn refusals(cx: &Cx) -> Vec<(&'static str, Value)> {
    let mut refusals = vec![
        ("/admin", json!("admins only")),
        (
            "/admin-object",
            json!({"code": 403, "reason": "admins only", "roles": ["admin", "root"]}),
        ),
        ("/admin-text", json!("admins only, as data")),
        (
            "/admin-list",
            json!([403, "admins only", {"role": "admin"}]),
        ),
        ("/slow-admin", json!("admins only, after a while")),
        ("/token", json!("bad token")),
    ];
    match cx.server_version() {
        // Any namespace comes into existence there.
        "1.0.6" | PYTHON => {}
        "4.8.4" => refusals.push(("/nope", json!({"message": "Invalid namespace"}))),
        _ => refusals.push(("/nope", json!("Invalid namespace"))),
    }
    refusals
        .into_iter()
        .map(|(name, reason)| (name, reason.into()))
        .collect()
}

fn is_refused(name: &str, joined: sio_core::Result<Client>, expected: &Value) -> Outcome {
    match joined {
        Err(Error::Refused { namespace, reason }) => {
            ensure_eq!(namespace, name, "who was refused");
            ensure_eq!(reason, *expected, "why {name} was refused");
            Ok(())
        }
        Err(error) => Err(format!("joining {name} gave another error: {}", error.chain()).into()),
        Ok(_) => Err(format!("{name} was joined").into()),
    }
}

/// A text and an object, both on their way at the same time.
fn two_at_once(client: &Client) -> Outcome {
    let join = |name: &'static str| move || client.namespace(name).join();
    let (text, object) = within(AT_ONCE, "two refusals", || {
        Ok(thread::scope(|scope| {
            let (text, object) = (
                scope.spawn(join("/admin")),
                scope.spawn(join("/admin-object")),
            );
            let joined = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| resume_unwind(panic))
            };
            (joined(text), joined(object))
        }))
    })?;
    is_refused("/admin", text, &"admins only".into())?;
    ensure!(
        matches!(&object, Err(Error::Refused { reason, .. }) if reason["code"] == 403),
        "the object came as {object:?}"
    );
    Ok(())
}

fn refuses_the_urls_namespace(cx: &Cx) -> Outcome {
    let url = format!("{}/admin-object", cx.url("nsp-guarded"));
    let connected = within(AT_ONCE, "a refused connect", || {
        Ok(cx.builder_at(&url).connect())
    })?;
    ensure!(
        matches!(&connected, Err(Error::Refused { namespace, reason }) if namespace == "/admin-object" && reason["code"] == 403),
        "connecting to {url} gave {connected:?}"
    );
    Ok(())
}

fn lets_in_with_token(cx: &Cx) -> Outcome {
    let client = cx
        .builder_for("nsp-guarded")
        .query("token", "secret")
        .connect()?;
    cx.settle(&client)?;
    let guarded = if cx.major() < 4 {
        client.namespace("/token").join()?
    } else {
        // Its guard looks at the auth, which here is the query of the namespace.
        client.namespace("/token").query("token", "secret").join()?
    };
    ensure_eq!(
        call_values(&guarded, "echo", &[1.into()])?,
        [1],
        "an echo with the right token"
    );
    Ok(client.close()?)
}

// --- one connection -------------------------------------------------------------------------------------------------

fn v8_4(cx: &Cx) -> Outcome {
    let logs: [Log<Seen>; 3] = std::array::from_fn(|_| Log::new());
    let client = cx.builder().on_any(logs[0].watcher()).connect()?;
    cx.settle(&client)?;
    let chat = client.namespace("/chat").on_any(logs[1].watcher()).join()?;
    let news = client.namespace("/news").on_any(logs[2].watcher()).join()?;
    let places = [client, chat, news];
    for place in &places {
        place.emit("from", place.name())?;
        place.emit("shared", place.name())?;
        cx.control()
            .emit(place.name(), "to", &[json!(place.name())])?;
    }
    for (place, log) in places.iter().zip(&logs) {
        // Three of the welcome, three of its own.
        log.wait_for(6, "events in one namespace")?;
        handled(place)?;
        let mut own: Vec<Seen> = log.seen().split_off(3);
        own.sort_by(|(a, _), (b, _)| a.cmp(b));
        let expected =
            ["from", "shared", "to"].map(|name| (name.to_owned(), vec![Value::from(place.name())]));
        ensure_eq!(own, expected, "the events of {}", place.name());
    }
    let session = cx.control().session()?;
    for place in &places {
        ensure_eq!(
            cx.control().socket(place.name())?.sid,
            session.sid,
            "the session of {}",
            place.name()
        );
    }
    Ok(places[0].close()?)
}

fn v8_7(cx: &Cx) -> Outcome {
    // Before 1.5, and in socketioxide, a query makes the server refuse the namespace; python-socketio drops it.
    let unseen = cx.is_server(&["1.0.6", "1.3.7", "1.4.5", PYTHON, SOCKETIOXIDE]);
    let query = (!unseen).then_some(("token", ODD));
    returning::namespaces_come_back_before_what_waits(cx, query, |text| text.starts_with("0/"))
}

// --- leaving --------------------------------------------------------------------------------------------------------

fn v8_5(cx: &Cx) -> Outcome {
    let client = cx.connect()?;
    let chat = client.namespace("/chat").join()?;
    let news = client.namespace("/news").join()?;
    chat.disconnect()?;
    left(cx, "/chat")?;
    ensure!(
        chat.emit("echo", 1).is_err(),
        "an emit in a namespace that was left was taken"
    );
    for place in [&client, &news] {
        ensure_eq!(
            call_values(place, "echo", &[1.into()])?,
            [1],
            "an echo in {}",
            place.name()
        );
    }
    client.disconnect()?;
    left(cx, "/")?;
    stays_usable(cx, &news)?;
    ensure!(
        cx.control().session()?.closed_at.is_none(),
        "the session is closed, with a namespace left"
    );
    within(AT_ONCE, "leaving the last", || Ok(news.disconnect()?))?;
    left(cx, "/news")?;
    closed(cx)
}

/// Waits until the server knows that the client has left.
fn left(cx: &Cx, nsp: &str) -> Outcome<SocketRecord> {
    cx.until(&format!("the server to see that {nsp} was left"), || {
        let socket = cx.control().socket(nsp)?;
        Ok(socket.disconnected_at.is_some().then_some(socket))
    })
}

/// Waits until the server knows that the connection is over.
fn closed(cx: &Cx) -> Outcome {
    cx.until("the server to see the end of the session", || {
        Ok(cx.control().session()?.closed_at)
    })?;
    Ok(())
}

fn stays_usable(cx: &Cx, place: &Client) -> Outcome {
    ensure!(place.is_connected(), "{} is connected", place.name());
    ensure_eq!(
        call_values(place, "echo", &[2.into()])?,
        [2],
        "an echo in {}",
        place.name()
    );
    let socket = cx.control().socket(place.name())?;
    ensure!(
        socket.disconnected_at.is_none(),
        "the server lost {}: {:?}",
        place.name(),
        socket.reason
    );
    Ok(())
}

fn v8_5b(cx: &Cx) -> Outcome {
    let client = cx
        .builder_for("short-heartbeat")
        .keep_open(true)
        .connect()?;
    cx.settle(&client)?;
    client.disconnect()?;
    left(cx, "/")?;
    let before = received_pings(cx)?.len();
    cx.until("three more pings", || {
        Ok((received_pings(cx)?.len() >= before + 3).then_some(()))
    })?;
    ensure!(
        cx.control().session()?.closed_at.is_none(),
        "the session was closed"
    );
    ensure!(
        client.emit("echo", 1).is_err(),
        "an emit in a namespace that was left was taken"
    );
    client.close()?;
    closed(cx)
}

fn v8_5c(cx: &Cx) -> Outcome {
    let chat = cx
        .builder_at(&format!("{}/chat", cx.url("main")))
        .connect()?;
    cx.settle(&chat)?;
    ensure_eq!(chat.name(), "/chat", "the namespace of the URL");
    within(AT_ONCE, "leaving", || Ok(chat.disconnect()?))?;
    let told = || -> Outcome<bool> {
        Ok(received_texts(cx)?
            .iter()
            .any(|text| text.starts_with("1/chat")))
    };
    left(cx, "/chat")?;
    closed(cx).map_err(|failure| match told() {
        Ok(told) => Failure::from(format!(
            "{failure}; the server was told of the leave: {told}"
        )),
        Err(other) => other,
    })
}
