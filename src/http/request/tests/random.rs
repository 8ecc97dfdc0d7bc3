//! Random heads: what was generated is what is read, no split of any mutation matters, and whatever
//! is accepted `httparse` accepts too, with equal fields.

use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// A valid head and what it has to be read as.
#[derive(Clone, Debug)]
struct Sample {
    text: Vec<u8>,
    method: &'static str,
    path: String,
    query: Option<String>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// One field line and what it has to be read as.
fn field() -> impl Strategy<Value = (Vec<u8>, (Vec<u8>, Vec<u8>))> {
    let name = "[Xx]-[a-zA-Z0-9!#$%&'*+.^_`|~-]{0,12}";
    let octets: Vec<u8> = (0..=255).filter(|b| bytes::is(VALUE, *b)).collect();
    let blank = || select(vec!["", " ", "\t", " \t "]);
    (name, blank(), vec(select(octets), 0..20), blank()).prop_map(|(name, before, value, after)| {
        let line = [name.as_bytes(), b":", before.as_bytes(), &value, after.as_bytes(), b"\r\n"];
        (line.concat(), (name.into_bytes(), bytes::trim(&value).to_vec()))
    })
}

fn sample() -> impl Strategy<Value = Sample> {
    let leading = select(vec!["", "\r\n", "\r\n\r\n"]);
    let method = select(vec!["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]);
    let path = "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[2-6][0-9a-fA-F]){0,12}){1,4}";
    let query = prop::option::of("([a-zA-Z0-9?/=&:@-]|%[2-689A-Fa-f][0-9a-fA-F]){0,20}");
    (leading, method, path, query, vec(field(), 0..8), any::<Index>()).prop_map(
        |(leading, method, path, query, mut lines, host_at)| {
            let host = (b"Host: a:80\r\n".to_vec(), (b"Host".to_vec(), b"a:80".to_vec()));
            lines.insert(host_at.index(lines.len() + 1), host);
            let (lines, fields): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
            let mark = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            let mut text = format!("{leading}{method} {path}{mark} HTTP/1.1\r\n").into_bytes();
            text.extend(lines.concat());
            text.extend(b"\r\n");
            Sample { text, method, path, query, fields }
        },
    )
}

/// Heads near the borders of the grammar, and what a few edits make of them.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let fixed = [
        "GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
        "POST /a%20b?c HTTP/1.1\r\nHost: [::1]:8\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
        "PUT http://a.b:8/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nhost: a\r\n\r\n",
        "\r\nGET / HTTP/1.2\r\nHost:a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    ];
    let fixed: Vec<_> = fixed.iter().map(|text| text.as_bytes().to_vec()).collect();
    let seed = prop_oneof![select(fixed), sample().prop_map(|sample| sample.text)];
    let telling = select(b"\r\n\t :,;%/?*[]@\"\\.0159aAhHxZ\0\x7f\x80\xff".to_vec());
    let edit = (0..3u8, any::<Index>(), prop_oneof![telling, any::<u8>()]);
    (seed, vec(edit, 0..4)).prop_map(|(mut text, edits)| {
        for (kind, at, octet) in edits {
            let at = at.index(text.len() + 1);
            match kind {
                0 => text.insert(at, octet),
                1 if at < text.len() => text[at] = octet,
                2 if at < text.len() => drop(text.remove(at)),
                _ => text.push(octet),
            }
        }
        text
    })
}

/// Asserts that `httparse` reads `text` as we have. It disagrees, for reasons, only where
/// - the minor version is over 1: we read it as 1 (RFC 9110 §2.5), it knows no such version;
/// - the target is absolute: we reduce it to its path (RFC 9112 §3.2.2), it does not look into it.
fn assert_httparse_agrees(text: &[u8], ours: &Accepted) {
    let line = text.split(|b| *b == b'\n').find(|line| *line != b"\r").unwrap();
    if !line.ends_with(b"HTTP/1.0\r") && !line.ends_with(b"HTTP/1.1\r") {
        assert_eq!(ours.version, Version::Http11);
        return;
    }
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut theirs = httparse::Request::new(&mut fields);
    assert_eq!(theirs.parse(text), Ok(httparse::Status::Complete(ours.len)));
    assert_eq!(theirs.method, Some(ours.method.as_str()));
    assert_eq!(theirs.version, Some(u8::from(ours.version == Version::Http11)));
    let target = theirs.path.unwrap();
    match &ours.target {
        None => assert_eq!(target, "*"),
        Some((path, None)) if target.starts_with('/') => assert_eq!(target.as_bytes(), path),
        Some((path, Some(query))) if target.starts_with('/') => {
            assert_eq!(target.as_bytes(), [path, &b"?"[..], query].concat());
        }
        Some(_) => assert!(target.to_ascii_lowercase().starts_with("http://")),
    }
    let theirs = theirs.headers.iter().map(|f| (f.name.as_bytes(), bytes::trim(f.value)));
    assert!(theirs.eq(ours.fields.iter().map(|(name, value)| (&name[..], &value[..]))));
}

proptest! {
    #[test]
    fn what_was_generated_is_what_is_read(sample in sample()) {
        let verdict = verdict_of_every_split(&sample.text, &RequestLimits::default());
        let Verdict::Accepted(head) = verdict else { panic!("{verdict:?}") };
        assert_httparse_agrees(&sample.text, &head);
        assert_eq!(head.method.as_str(), sample.method);
        let target = (sample.path.into_bytes(), sample.query.map(String::into_bytes));
        assert_eq!(head.target, Some(target));
        assert_eq!(head.fields, sample.fields);
        assert_eq!(head.len, sample.text.len());
    }

    #[test]
    fn no_split_of_any_octets_changes_the_verdict(text in mutated()) {
        verdict_of_every_split(&text, &RequestLimits::default());
        verdict_of_every_split(&text, &SMALL);
    }

    #[test]
    fn octets_behind_the_verdict_change_nothing(text in mutated(), tail in vec(any::<u8>(), 1..9)) {
        let alone = verdict(&text, &[], &RequestLimits::default());
        prop_assume!(alone != Verdict::Partial);
        let followed = [&text[..], &tail[..]].concat();
        assert_eq!(verdict(&followed, &[], &RequestLimits::default()), alone);
    }

    #[test]
    fn what_is_accepted_httparse_accepts_alike(text in mutated()) {
        if let Verdict::Accepted(head) = verdict(&text, &[], &RequestLimits::default()) {
            assert_httparse_agrees(&text, &head);
            let octets = &text[..head.len];
            let line_ends = octets.windows(2).filter(|pair| *pair == b"\r\n").count();
            for octet in [b'\r', b'\n'] {
                assert_eq!(octets.iter().filter(|b| **b == octet).count(), line_ends);
            }
            assert!(!octets.contains(&0));
        }
    }

    #[test]
    fn any_octets_at_all_are_read_without_panic(text in vec(any::<u8>(), 0..64)) {
        verdict_of_every_split(&text, &SMALL);
    }
}
