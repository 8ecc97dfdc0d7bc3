//! Replays, on stable Rust, what the fuzzers are fed: every row of the conformance suite, and the
//! inputs kept in `tools/fuzz/corpus`, through the very functions that they fuzz.
//!
//! A corpus is a text file per target, an input a line in hexadecimal: found by a fuzzer because it
//! reached code that no other did, or because it once broke something. With `RINGPACE_SEEDS=DIR` all
//! inputs are also written to `DIR/TARGET/`, for a fuzzer to begin with (`tools/fuzz/run`).
//! Start at [`every_input_of_every_corpus_holds`].

#![allow(clippy::print_stdout, reason = "a failing test shows what it printed on the way")]

#[path = "../tools/fuzz/bodies/mod.rs"]
mod bodies;
#[allow(dead_code, reason = "only what is sent is of use here")]
mod cases;

use std::fs;
use std::path::Path;

use cases::Case;

/// Settings and cuts that the rows are tried under: plain and tight, octet by octet and in pieces.
const CHOICES: [[u8; 2]; 4] = [[0, 0], [1, 0], [2, 7], [3, 9]];

/// What a server says, for the pacer to read.
const ANSWERS: [&str; 8] = [
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0;a=b\r\nX: y\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    "HTTP/1.1 503 Busy\r\nContent-Length: 3, 3\r\nDate: now\r\n\r\nno!extra",
    "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
];

#[test]
fn every_input_of_every_corpus_holds() {
    let seeds = std::env::var_os("RINGPACE_SEEDS");
    for (target, run) in bodies::TARGETS {
        let inputs = [kept(target), made(target)].concat();
        assert!(!inputs.is_empty(), "{target} has nothing to begin with");
        for input in &inputs {
            println!("{target}: {}", hex(input));
            run(input);
        }
        if let Some(folder) = &seeds {
            write(&Path::new(folder).join(target), &inputs);
        }
    }
}

/// A property that nothing can break proves nothing: these inputs would, were it not for the rules.
#[test]
fn a_disagreement_with_the_other_parser_that_no_rule_explains_is_found() {
    // What we refuse and they take, with a rule: no panic.
    bodies::head::run(b"\0\0GET / HTTP/1.1\nHost: h\n\n");
    bodies::head::run(b"\0\0GET / HTTP/1.2\r\nHost: h\r\n\r\n");
    let hexed = hex(b"\0\xffA");
    assert_eq!((hexed.as_str(), unhex("00ff41")), ("00ff41", Some(b"\0\xffA".to_vec())));
}

/// The inputs of `tools/fuzz/corpus/TARGET.hex`.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("tools/fuzz/corpus").join(format!("{target}.hex"));
    let text = fs::read_to_string(&path).expect("every target has a corpus");
    let lines = text.lines().enumerate();
    lines
        .map(|(at, line)| {
            unhex(line).unwrap_or_else(|| panic!("{}:{}: no hexadecimal", path.display(), at + 1))
        })
        .collect()
}

/// Inputs made of the rows of the conformance suite, or of what servers say.
fn made(target: &str) -> Vec<Vec<u8>> {
    let rows = || cases::table().into_iter();
    let texts: Vec<Vec<u8>> = match target {
        "head" | "connection" => rows().map(|case| case.sent()).collect(),
        "chunked" => rows().filter_map(|case| content_of_chunks(&case)).collect(),
        "answer" => ANSWERS.iter().map(|text| text.as_bytes().to_vec()).collect(),
        _ => return Vec::new(),
    };
    // What is about length alone is long, and fuzzers find lengths by tight limits.
    let short = texts.into_iter().filter(|text| text.len() < 2_000);
    short.flat_map(|text| CHOICES.map(|choice| [&choice[..], &text].concat())).collect()
}

/// What a row sends behind a head that announces chunks.
fn content_of_chunks(case: &Case) -> Option<Vec<u8>> {
    let sent = case.sent();
    let head_end = sent.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&sent[..head_end]).to_ascii_lowercase();
    head.contains("transfer-encoding: chunked").then(|| sent[head_end..].to_vec())
}

fn write(folder: &Path, inputs: &[Vec<u8>]) {
    fs::create_dir_all(folder).expect("the folder for seeds can be made");
    for (at, input) in inputs.iter().enumerate() {
        fs::write(folder.join(at.to_string()), input).expect("the folder for seeds is writable");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}
