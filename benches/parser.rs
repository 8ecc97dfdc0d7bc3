//! What a head costs in instructions: our parser beside httparse, on what real clients send.
//!
//! `cargo install gungraun-runner` once, in the version of gungraun that `Cargo.lock` names; then
//! `cargo bench --bench parser`. Needs valgrind. Counts, unlike times, are the same on a busy
//! machine; they are of one call, with the parser as the server holds it between two requests.
#![allow(missing_docs, clippy::exit)] // the exit is in `main!`

#[allow(dead_code)] // what the other benches are fed
mod inputs;

use gungraun::{library_benchmark, library_benchmark_group, main};
use inputs::{BROWSER, CHROME, COMMAND, CURL, FIVE_DIGITS, PACER, twenty};
use ringpace::http::{HeadParser, RequestLimits};
use std::hint::black_box;
use std::mem::MaybeUninit;

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
#[bench::five_digits(FIVE_DIGITS)]
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
#[bench::five_digits(FIVE_DIGITS)]
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
