//! nginx in front of servers, as a reverse proxy.

use crate::case::Outcome;
use crate::cluster::ADDRESS;
use crate::daemon::{Daemon, Place};

/// What it does with WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebSockets {
    /// They reach the server as plain requests: what an nginx does that was not told of them.
    Lost,
    /// They get through.
    PassedOn,
}

/// What an nginx has to be told, or WebSockets end there.
const PASS_ON: &str = "proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;";

/// An nginx.
#[derive(Debug)]
pub struct Nginx(Daemon);

impl Nginx {
    /// One in front of servers on these ports of this machine. Of several, each client keeps to one by its address.
    ///
    /// # Errors
    /// If it is not installed, which is [no failure](crate::case::Failure::not_here), or does not start.
    pub fn start(servers: &[u16], websockets: WebSockets) -> Outcome<Self> {
        let daemon = Daemon::start("nginx", |place| {
            let config = place.file("nginx.conf", &configuration(place, servers, websockets))?;
            Ok(vec![
                "-p".into(),
                place.folder().into(),
                "-e".into(),
                "stderr".into(),
                "-c".into(),
                config.into(),
            ])
        })?;
        Ok(Self(daemon))
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.0.port())
    }
}

/// Without a master, for that would leave its worker behind when it is killed.
fn configuration(place: &Place<'_>, servers: &[u16], websockets: WebSockets) -> String {
    let port = place.port;
    let folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {kind};"))
        .join("\n  ");
    let servers: Vec<String> = servers
        .iter()
        .map(|port| format!("server 127.0.0.1:{port};"))
        .collect();
    let servers = servers.join("\n    ");
    let told = match websockets {
        WebSockets::Lost => "",
        WebSockets::PassedOn => PASS_ON,
    };
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{}}
http {{
  access_log off;
  {folders}
  map $http_upgrade $connection_upgrade {{
    default upgrade;
    '' close;
  }}
  upstream nodes {{
    ip_hash;
    {servers}
  }}
  server {{
    listen 127.0.0.1:{port};
    set_real_ip_from 127.0.0.1;
    real_ip_header {ADDRESS};
    location / {{
      proxy_pass http://nodes;
      {told}
    }}
  }}
}}
"
    )
}
