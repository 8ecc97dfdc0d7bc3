//! What a head costs in instructions: our parser beside httparse, on what real clients send.
//!
//! `cargo install gungraun-runner` once, in the version of gungraun that `Cargo.lock` names; then
//! `cargo bench --bench parser`. Needs valgrind. Counts, unlike times, are the same on a busy
//! machine; they are of one call, with the parser as the server holds it between two requests.
#![allow(missing_docs, clippy::exit)] // the exit is in `main!`

use gungraun::{library_benchmark, library_benchmark_group, main};
use ringpace::http::{RequestLimits, HeadParser};
use std::hint::black_box;
use std::mem::MaybeUninit;

/// The pacer, which sends what HTTP/1.1 asks for and no more.
const PACER: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// curl 8.5.
const CURL: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    User-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n";

/// A command with six fields.
const COMMAND: &str = "POST /devices/light/command HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    Content-Type: application/json\r\nContent-Length: 40\r\n\
    User-Agent: curl/8.5.0 (x86_64)\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n";

/// Firefox 128.
const BROWSER: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
    image/png,image/svg+xml,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\
    Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\nSec-Fetch-Dest: document\r\n\
    Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\nSec-Fetch-User: ?1\r\n\
    Priority: u=0, i\r\n\r\n";

/// Chrome 126 on Linux, following a link of the same site.
const CHROME: &str = "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
    Connection: keep-alive\r\n\
    sec-ch-ua: \"Not/A)Brand\";v=\"8\", \"Chromium\";v=\"126\", \"Google Chrome\";v=\"126\"\r\n\
    sec-ch-ua-mobile: ?0\r\nsec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/126.0.0.0 Safari/537.36\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,\
    image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7\r\n\
    Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-User: ?1\r\n\
    Sec-Fetch-Dest: document\r\nReferer: http://127.0.0.1:8080/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n\r\n";

/// Twenty fields, nineteen of which mean nothing here, with values of usual lengths.
fn twenty() -> String {
    let mut head = String::from("GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n");
    for k in 1..20 {
        head += &format!("X-Request-Tag-{k}: {}\r\n", "a value, ".repeat(k % 5 + 1));
    }
    head + "\r\n"
}

struct Ours {
    parser: HeadParser,
    limits: RequestLimits,
    head: String,
}

impl Ours {
    #[inline(always)]
    fn parse(&mut self) {
        let parsed = self.parser.parse(self.head.as_bytes(), &self.limits);
        assert!(black_box(&parsed).is_ok());
    }
}

/// Has parsed once, as has httparse: it looks first what the CPU can do.
fn ours(head: impl Into<String>) -> Box<Ours> {
    let (parser, limits) = (HeadParser::default(), RequestLimits::default());
    let mut ours = Box::new(Ours { parser, limits, head: head.into() });
    ours.parse();
    ours
}

#[library_benchmark(setup = ours)]
#[bench::pacer(PACER)]
#[bench::curl(CURL)]
#[bench::command(COMMAND)]
#[bench::browser(BROWSER)]
#[bench::chrome(CHROME)]
#[bench::twenty(twenty())]
fn parse_ours(mut ours: Box<Ours>) -> Box<Ours> {
    ours.parse();
    ours
}

struct Theirs {
    fields: [MaybeUninit<httparse::Header<'static>>; 64],
    head: &'static str,
}

impl Theirs {
    #[inline(always)]
    fn parse(&mut self) {
        let mut request = httparse::Request::new(&mut []);
        let parsed = request.parse_with_uninit_headers(self.head.as_bytes(), &mut self.fields);
        assert!(black_box(&parsed).is_ok());
        black_box(&request);
    }
}

fn theirs(head: impl Into<String>) -> Box<Theirs> {
    let (fields, head) = ([MaybeUninit::uninit(); 64], head.into().leak());
    let mut theirs = Box::new(Theirs { fields, head });
    theirs.parse();
    theirs
}

#[library_benchmark(setup = theirs)]
#[bench::pacer(PACER)]
#[bench::curl(CURL)]
#[bench::command(COMMAND)]
#[bench::browser(BROWSER)]
#[bench::chrome(CHROME)]
#[bench::twenty(twenty())]
fn parse_theirs(mut theirs: Box<Theirs>) -> Box<Theirs> {
    theirs.parse();
    theirs
}

library_benchmark_group!(
    name = heads;
    compare_by_id = true;
    benchmarks = parse_ours, parse_theirs
);
main!(library_benchmark_groups = heads);
