//! Says which server is at a URL: `cargo run --example probe http://localhost:3000`.

fn main() -> sio_auto::Result<()> {
    let url = std::env::args().nth(1);
    let report = sio_auto::probe(url.as_deref().unwrap_or("http://localhost:3000"))?;
    println!("{report}");
    Ok(())
}
