//! Subscribes to prices, and again after each loss. Give it a URL, or it talks to a server on port 3000. It sends the
//! text of the file `token` with each attempt.

use std::time::Duration;

use sio_v1::{Client, Reconnect, Result, Status};

fn main() -> Result<()> {
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "http://localhost:3000".to_owned());
    let client = Client::builder(&url)
        .reconnect(
            Reconnect::default()
                .cap(Duration::from_secs(30))
                .retry_initial(true),
        )
        .before_attempt(|attempt| {
            attempt.set_query("token", &std::fs::read_to_string("token")?); // fresh for every leg of this attempt
            Ok(())
        })
        .on_status(|status| match status {
            Status::Disconnected(reason) => println!("lost: {reason}"),
            Status::ReconnectScheduled { attempt, delay } => {
                println!("attempt {attempt} in {delay:.1?}");
            }
            Status::Connected { again: true } => println!("back"),
            _ => {}
        })
        .on("price", |(name, price): (String, f64)| {
            println!("{name} {price}");
        })
        .build()?;
    let weak = client.downgrade();
    client.on_status(move |status| {
        if let (Status::Connected { .. }, Some(client)) = (status, weak.upgrade()) {
            // An error means that the connection is lost again: then this runs again, too.
            let _ = client.emit("subscribe", "prices"); // leaves before anything that waited
        }
    });
    client.open()?;
    println!("over: {}", client.wait()); // a connection that is made again is not over
    Ok(())
}
