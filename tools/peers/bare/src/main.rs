//! The limit: receives and sends of the sizes of a status request and its answer, and nothing else.
//!
//! One thread, no parser, no deadlines, no state: a request ends by its size, its answer is the same
//! bytes each time. So nobody can answer with fewer system calls on the same primitive, and what a
//! server takes beyond is its own. Trusts its client; anything unforeseen ends the process.
//!
//! ```text
//! bare epoll|uring PORT REQUEST_BYTES
//! ```

mod epoll;
mod uring;

use std::net::TcpListener;
use std::process::ExitCode;

/// As many answers as one send may hold: what a client may pipeline.
const PIPELINE_MAX: usize = 1_024;

const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 120\r\n\
    Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n\
    [{\"id\":\"light\",\"v\":100},{\"id\":\"thermostat\",\"v\":21.5},{\"id\":\"lock\",\"v\":1},\
    {\"id\":\"camera\",\"v\":0},{\"id\":\"sensor\",\"v\":47}  ]";

/// What is received into at once; as ringpace's buffers.
const RECV_BUF_BYTES: usize = 4_096;

/// What both servers hold to.
struct Sizes {
    request_bytes: usize,
    /// As many answers as are ever sent at once, one after the other.
    answers: Vec<u8>,
}

impl Sizes {
    /// The bytes of so many answers.
    fn answers(&self, count: usize) -> &[u8] {
        &self.answers[..count * ANSWER.len()]
    }

    /// Adds what was received to `pending`; how many requests that ends.
    fn requests(&self, pending: &mut usize, received: usize) -> usize {
        *pending += received;
        let ended = *pending / self.request_bytes;
        *pending %= self.request_bytes;
        ended
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [primitive, port, request_bytes] = arguments.as_slice() else { return usage() };
    let (Ok(port), Ok(request_bytes @ 1..)) = (port.parse::<u16>(), request_bytes.parse()) else {
        return usage();
    };
    let serve = match primitive.as_str() {
        "epoll" => epoll::serve,
        "uring" => uring::serve,
        _ => return usage(),
    };
    let sizes = Sizes { request_bytes, answers: ANSWER.repeat(PIPELINE_MAX).into_bytes() };
    match TcpListener::bind(("127.0.0.1", port)).and_then(|listener| serve(&listener, &sizes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: bare epoll|uring PORT REQUEST_BYTES");
    ExitCode::from(2)
}

/// What a call returned, or its error.
fn checked(result: i32) -> std::io::Result<i32> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(result) }
}

/// Sends what is there at once, as every server measured here does.
fn set_nodelay(fd: i32) -> std::io::Result<()> {
    let on: i32 = 1;
    // SAFETY: the kernel reads `on` during the call.
    checked(unsafe {
        libc::setsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    })
    .map(drop)
}
