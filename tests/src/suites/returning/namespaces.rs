//! What becomes of namespaces when a connection is lost.

use super::*;

/// All namespaces come back, with the query they were joined with, before what was emitted meanwhile leaves.
pub(in crate::suites) fn namespaces_come_back_before_what_waits<P: Protocol>(
    cx: &Context<P>,
    query: Option<(&str, &str)>,
    is_join: impl Fn(&str) -> bool,
) -> Outcome {
    let connects = Log::new();
    let line = Line::open(cx, quick())?;
    let mut places = vec![line.client.clone()];
    for name in ["/chat", "/news"] {
        let log = connects.clone();
        let mut builder = line.client.namespace(name);
        if let Some((key, value)) = query {
            builder = builder.query(key, value);
        }
        places.push(
            builder
                .on_connect(move |again| log.push((name, again)))
                .join()?,
        );
    }
    for times in 1..=2 {
        line.cut(1)?;
        for place in &places {
            place.emit("waited", place.name())?;
        }
        line.heal()?;
        for place in &places {
            cx.exchange(place)?;
            let joined = cx.control().sockets(Some(place.name()))?;
            ensure_eq!(joined.len(), times + 1, "joins of {}", place.name());
            if let (Some((key, value)), true) = (query, place.name() != "/") {
                let seen = joined.iter().map(|socket| {
                    let auth = socket.auth.as_ref().and_then(|auth| auth.get(key));
                    auth.or_else(|| socket.query.get(key))
                        .and_then(|value| value.as_str())
                });
                let expected = vec![Some(value); times + 1];
                ensure_eq!(seen.collect::<Vec<_>>(), expected, "its query, each time");
            }
        }
        joins_are_first(cx, places.len(), &is_join)?;
    }
    line.client.close()?;
    let mut seen = connects.seen();
    seen.sort_unstable();
    let expected = ["/chat", "/news"].map(|name| [(name, false), (name, true), (name, true)]);
    ensure_eq!(seen, expected.concat(), "connects that were told");
    Ok(())
}

/// In the newest session all joins came before the first event that waited.
fn joins_are_first<P: Protocol>(
    cx: &Context<P>,
    places: usize,
    is_join: impl Fn(&str) -> bool,
) -> Outcome {
    let newest = cx.control().sessions()?.pop().ok_or("no session")?;
    let packets = cx.control().received()?;
    let texts: Vec<&str> = packets
        .iter()
        .filter(|packet| packet.sid == newest.sid)
        .map(|packet| packet.text())
        .collect();
    let waited = texts.iter().position(|text| text.contains("\"waited\""));
    let before = &texts[..waited.unwrap_or(0)];
    let joins = before.iter().filter(|text| is_join(text)).count();
    ensure_eq!(joins, places - 1, "joins before what waited, in {texts:?}");
    Ok(())
}

/// A namespace that is left while the connection is away does not come back; the others do.
pub(in crate::suites) fn a_namespace_that_is_left_stays_away<P: Protocol>(
    cx: &Context<P>,
) -> Outcome {
    let line = Line::open(cx, quick())?;
    let logs = [StatusLog::new(), StatusLog::new()];
    let join = |name, log: &StatusLog| line.client.namespace(name).on_status(log.watcher()).join();
    let (chat, news) = (join("/chat", &logs[0])?, join("/news", &logs[1])?);
    line.cut(1)?;
    chat.disconnect()?;
    ensure_eq!(
        chat.state(),
        ConnectionState::Disconnected,
        "the state of /chat"
    );
    disconnected(chat.emit("echo", 1))?;
    ensure_eq!(
        news.state(),
        ConnectionState::Reconnecting,
        "the state of /news"
    );
    line.heal()?;
    wait_back(&logs[1], 1)?;
    for place in [&line.client, &news] {
        cx.exchange(place)?;
    }
    ensure_eq!(
        cx.control().sockets(Some("/news"))?.len(),
        2,
        "joins of /news"
    );
    ensure_eq!(
        cx.control().sockets(Some("/chat"))?.len(),
        1,
        "joins of /chat"
    );
    let of_chat = told(&logs[0]);
    ensure!(
        !of_chat.iter().any(|word| word.starts_with("back")),
        "told to /chat: {of_chat:?}"
    );
    // Left for good, it can be joined again all the same.
    let chat = line.client.namespace("/chat").join()?;
    cx.exchange(&chat)?;
    line.lose(1)?;
    cx.eventually("/chat to be back", || chat.is_connected())?;
    cx.exchange(&chat)?;
    Ok(line.client.close()?)
}

/// A namespace is joined when the connection is closed: that opens a new one.
pub(in crate::suites) fn joining_opens_the_connection_again<P: Protocol>(
    cx: &Context<P>,
) -> Outcome {
    let line = Line::open(cx, quick())?;
    let first = line.client.id();
    line.client.close()?;
    let chat = line.client.namespace("/chat").join()?;
    cx.exchange(&chat)?;
    ensure_eq!(cx.control().sessions()?.len(), 2, "sessions");
    ensure!(
        chat.id().is_some() && chat.id() != first,
        "its id is {:?}",
        chat.id()
    );
    // What was closed is there when it is opened, and what is lost comes back.
    line.client.open()?;
    cx.exchange(&line.client)?;
    ensure_eq!(cx.control().sessions()?.len(), 2, "sessions");
    line.lose(1)?;
    cx.eventually("/chat to be back", || chat.is_connected())?;
    cx.exchange(&chat)?;
    chat.close()?;
    ensure!(!line.client.is_connected(), "the root is connected");
    Ok(())
}
