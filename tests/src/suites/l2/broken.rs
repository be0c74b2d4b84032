//! L2.9: answers that are no part of the protocol.

use super::*;

pub(in crate::suites) fn l2_9(cx: &Cx) -> Outcome {
    for (status, body) in [
        (502, "<html><h1>Bad Gateway</h1></html>"),
        (400, ""),
        (200, "<html>Please log in</html>"),
    ] {
        let (client, log) = watched(cx)?;
        wait_for_held_get(cx)?;
        let answer = json!({ "status": status, "body": body });
        cx.control()
            .fault(&json!({ "on": "poll", "times": 1, "answer": answer }))?;
        // The server answers the held poll, so there is a next one.
        client.emit("echo", "next poll, please")?;
        let error = ended_by_error(cx, &client, &log)?;
        let text = error.chain();
        ensure!(
            text.contains(&status.to_string()),
            "{status} is not in: {text}"
        );
        ensure!(
            text.contains("a poll"),
            "what was answered is not in: {text}"
        );
        ensure!(text.contains(body), "nothing of the page is in: {text}");
    }
    Ok(())
}

/// A connection whose changes of status are kept. Its tag is that of the case, so only the newest session is of it.
pub(super) fn watched(cx: &Cx) -> Outcome<(Client, StatusLog)> {
    let log = StatusLog::new();
    let client = cx.builder().on_status(log.watcher()).connect()?;
    Ok((client, log))
}

/// The session is over, once and for all; returns the error that ended it.
pub(super) fn ended_by_error(cx: &Cx, client: &Client, log: &StatusLog) -> Outcome<Error> {
    let begin = Instant::now();
    let reason = the_end(log, client)?;
    ensure!(
        begin.elapsed() < PATIENCE,
        "the end took {:?}",
        begin.elapsed()
    );
    let DisconnectReason::Error(error) = reason else {
        return Err(format!("it ended without an error: {reason:?}").into());
    };
    let emitted = client.emit("sink", 2);
    ensure!(
        matches!(emitted, Err(Error::Disconnected(_))),
        "an emit after the end gave {emitted:?}"
    );
    ensure_eq!(client.transport(), None, "the transport after the end");
    cx.control().clear_faults()?;
    Ok(*error)
}

pub(in crate::suites) fn l2_9b(cx: &Cx) -> Outcome {
    for (status, body) in [
        (503, "busy"),
        (400, ""),
        (200, "<html>Please log in</html>"),
    ] {
        let (client, log) = watched(cx)?;
        let answer = json!({ "status": status, "body": body });
        cx.control()
            .fault(&json!({ "on": "post", "times": 1, "answer": answer }))?;
        client.emit("sink", 1)?;
        let error = ended_by_error(cx, &client, &log)?;
        let Error::Http(error) = error else {
            return Err(format!("it ended with another error: {error:?}").into());
        };
        ensure_eq!(error.status, status, "the status");
        ensure_eq!(error.what, "a post", "what was answered");
        ensure_eq!(error.snippet, body, "the words");
    }
    Ok(())
}

pub(in crate::suites) fn l2_9c(cx: &Cx) -> Outcome {
    for kind in [get_kind(cx), "post"] {
        let (client, log) = watched(cx)?;
        wait_for_held_get(cx)?;
        cx.control()
            .fault(&json!({ "on": kind, "times": 1, "answer": "reset" }))?;
        if kind == "post" {
            client.emit("sink", 1)?;
        } else if kind == "poll" {
            client.emit("echo", "next poll, please")?;
        } else {
            // A stream is there already.
            ensure!(
                cx.control().drop_connections("fin")? > 0,
                "nothing was dropped"
            );
        }
        let reason = the_end(&log, &client)?;
        let is_told = match &reason {
            DisconnectReason::Error(error) => matches!(**error, Error::Transport { .. }),
            DisconnectReason::TransportClose { code: None, .. } => kind == "stream",
            _ => false,
        };
        ensure!(is_told, "after a broken {kind} it ended with {reason:?}");
        cx.control().clear_faults()?;
    }
    Ok(())
}

pub(in crate::suites) fn l2_9d(cx: &Cx) -> Outcome {
    returning::returns_after(
        cx,
        "main",
        |client| {
            let answer = json!({ "status": 503, "body": "busy" });
            let rule = json!({ "on": "post", "times": 1, "answer": answer });
            cx.control().fault(&rule)?;
            Ok(client.emit("sink", 1)?)
        },
        |reason| matches!(reason, DisconnectReason::Error(error) if matches!(&**error, Error::Http(http) if http.status == 503)),
    )
}
