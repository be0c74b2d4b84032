//! Plain HTTP requests of the tests themselves: the control port, and looking at what a server answers.

use std::sync::LazyLock;
use std::time::Duration;

use ureq::Agent;
use ureq::http::{Request, Response};

use crate::case::{Failure, Outcome};

/// How long a request of a test may take, whatever it is.
const LIMIT: Duration = Duration::from_secs(15);

/// Sends a request to a port of this machine and reads the whole answer; the connection is not used again.
///
/// # Errors
/// If there is no answer in time, or none that is HTTP.
pub fn request(port: u16, method: &str, target: &str, body: &str) -> Outcome<Response<Vec<u8>>> {
    static AGENT: LazyLock<Agent> = LazyLock::new(|| {
        let config = Agent::config_builder()
            .timeout_global(Some(LIMIT))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_idle_connections(0)
            .max_redirects(0)
            .proxy(None);
        config.build().into()
    });
    let asked = format!("{method} http://127.0.0.1:{port}{target}");
    let failed = |error: &dyn std::fmt::Display| Failure::from(format!("{asked}: {error}"));
    let request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1:{port}{target}"))
        .body(body)
        .map_err(|error| failed(&error))?;
    let (head, mut body) = AGENT
        .run(request)
        .map_err(|error| failed(&error))?
        .into_parts();
    let body = body.read_to_vec().map_err(|error| failed(&error))?;
    Ok(Response::from_parts(head, body))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    /// The outcome of a request that is answered with this.
    fn answered(with: &'static [u8]) -> Outcome<Response<Vec<u8>>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).unwrap();
            stream.write_all(with).unwrap();
        });
        let answer = request(port, "GET", "/x", "");
        server.join().unwrap();
        answer
    }

    #[test]
    fn an_answer_has_its_status_its_headers_and_its_body() {
        let answer = answered(
            b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nno\r\n\r\n",
        );
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.headers()["content-type"], "text/plain");
        assert_eq!(answer.body(), b"no\r\n\r\n");
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let error = answered(b"SSH-2.0-x\r\n\r\n").unwrap_err().to_string();
        assert!(error.starts_with("GET http://127.0.0.1:"), "{error}");
    }
}
