//! Answers every request with the bytes of a status request, on may_minihttp.
//!
//! The least that may_minihttp can do: it parses the request with httparse and appends a body that
//! never changes; no state, no route. It names itself in a Server field, eleven octets that ours does
//! not send. Not here: the rest of the API. `PORT` is where it listens, one worker thread.

use may_minihttp::{HttpServer, HttpService, Request, Response};

/// What the house of ringpace shows before the first command.
const STATUS: &str = "[{\"id\":\"light\",\"v\":100},{\"id\":\"thermostat\",\"v\":21.5},\
    {\"id\":\"lock\",\"v\":1},{\"id\":\"camera\",\"v\":0},{\"id\":\"sensor\",\"v\":47}  ]";

#[derive(Clone)]
struct Status;

impl HttpService for Status {
    fn call(&mut self, _: Request, answer: &mut Response) -> std::io::Result<()> {
        answer.header("Content-Type: application/json");
        answer.body(STATUS);
        Ok(())
    }
}

fn main() -> std::io::Result<()> {
    let port = std::env::var("PORT").unwrap_or_else(|_| "8080".to_owned());
    may::config().set_workers(1);
    let server = HttpServer(Status).start(format!("127.0.0.1:{port}"))?;
    println!("listening on http://127.0.0.1:{port}");
    server.join().map_err(|_| std::io::Error::other("the server panicked"))
}
