use super::*;
use crate::http::bytes::VISITED;

mod random;

/// What a head came to, owned, so that verdicts over different splits can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted(Accepted),
    Partial,
    Rejected(Reject),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) method: Method,
    /// `None` for the asterisk.
    pub(super) target: Option<(Vec<u8>, Option<Vec<u8>>)>,
    pub(super) version: Version,
    pub(super) framing: Framing,
    pub(super) keep_alive: bool,
    pub(super) expect_continue: bool,
    pub(super) content_type: Option<Vec<u8>>,
    pub(super) authorization: Option<Vec<u8>>,
    pub(super) len: usize,
    pub(super) fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Accepted {
    fn of(head: &RequestHead<'_>) -> Accepted {
        Accepted {
            method: head.method,
            target: match head.target {
                Target::Origin { path, query } => Some((path.to_vec(), query.map(<[u8]>::to_vec))),
                Target::Asterisk => None,
            },
            version: head.version,
            framing: head.framing,
            keep_alive: head.keep_alive,
            expect_continue: head.expect_continue,
            content_type: head.content_type.map(<[u8]>::to_vec),
            authorization: head.authorization.map(<[u8]>::to_vec),
            len: head.len,
            fields: head.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect(),
        }
    }
}

/// Parses prefixes of `bytes` of the given lengths in turn, the last being all of it.
pub(super) fn verdict(bytes: &[u8], lengths: &[usize], limits: &RequestLimits) -> Verdict {
    let mut parser = HeadParser::default();
    for len in lengths.iter().copied().chain([bytes.len()]) {
        match parser.parse(&bytes[..len], limits) {
            Ok(Parsed::Partial) => {}
            Ok(Parsed::Complete(head)) => {
                assert!(parser.is_idle(), "ready for the next head");
                return Verdict::Accepted(Accepted::of(&head));
            }
            Err(reject) => {
                let again = parser.parse(bytes, limits).map(|_| ());
                assert_eq!(again, Err(reject), "a reject is final");
                return Verdict::Rejected(reject);
            }
        }
    }
    Verdict::Partial
}

/// The verdict over `bytes`, after seeing that no split changes it: octet by octet, and every one
/// in two.
#[track_caller]
pub(super) fn verdict_of_every_split(bytes: &[u8], limits: &RequestLimits) -> Verdict {
    let whole = verdict(bytes, &[], limits);
    let every: Vec<_> = (0..=bytes.len()).collect();
    let shown = String::from_utf8_lossy(bytes);
    assert_eq!(verdict(bytes, &every, limits), whole, "octet by octet: {shown:?}");
    for at in every {
        assert_eq!(verdict(bytes, &[at], limits), whole, "split at {at}: {shown:?}");
    }
    whole
}

#[track_caller]
fn accepted(text: &str) -> Accepted {
    match verdict_of_every_split(text.as_bytes(), &RequestLimits::default()) {
        Verdict::Accepted(accepted) => accepted,
        other => panic!("{text:?}: {other:?}"),
    }
}

#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: Reject) {
    let text = text.as_ref();
    let verdict = verdict_of_every_split(text, &RequestLimits::default());
    assert_eq!(verdict, Verdict::Rejected(expected), "{:?}", String::from_utf8_lossy(text));
}

/// Checks `lines`, which stand among the fields of an otherwise sound HTTP/1.1 request.
#[track_caller]
fn check_fields(lines: &str, expected: Reject) {
    check(format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n"), expected);
}

/// The head that has `lines` among its fields.
#[track_caller]
fn accepted_fields(lines: &str) -> Accepted {
    accepted(&format!("POST /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n"))
}

#[test]
fn a_plain_request_is_read_whole() {
    let head = accepted("GET /devices/status HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\nGET /");
    assert_eq!(
        head,
        Accepted {
            method: Method::Get,
            target: Some((b"/devices/status".to_vec(), None)),
            version: Version::Http11,
            framing: Framing::None,
            keep_alive: true,
            expect_continue: false,
            content_type: None,
            authorization: None,
            len: 54,
            fields: vec![(b"Host".to_vec(), b"127.0.0.1:8080".to_vec())],
        }
    );
}

#[test]
fn the_fields_that_matter_are_found_in_any_case_and_order() {
    let head = accepted(
        "POST /a?b HTTP/1.1\r\ncontent-LENGTH:\t 40 \t\r\nX: y\r\nEXPECT: 100-Continue\r\n\
         authorization:  Bearer x\t\r\nContent-Type:application/json\r\nhOsT: a\r\n\r\n",
    );
    assert_eq!(head.framing, Framing::Length(40));
    assert_eq!(head.content_type.as_deref(), Some(&b"application/json"[..]));
    assert_eq!(head.authorization.as_deref(), Some(&b"Bearer x"[..]));
    assert!(head.expect_continue);
    assert_eq!(head.target, Some((b"/a".to_vec(), Some(b"b".to_vec()))));
    assert_eq!(head.fields.len(), 6);
}

#[test]
fn every_known_method_is_read_and_no_other() {
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"] {
        let head = accepted(&format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.method.as_str(), method);
    }
    for token in ["get", "Get", "GETS", "GE", "BREW", "M-SEARCH", "!#$%&'*+-.^_`|~09"] {
        check(format!("{token} / HTTP/1.1\r\nHost: a\r\n\r\n"), Reject::UnknownMethod);
    }
    check("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Reject::ConnectRefused);
}

#[test]
fn a_method_is_a_token_of_bounded_length_and_one_space() {
    check(format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "A".repeat(32)), Reject::UnknownMethod);
    check("A".repeat(33), Reject::MethodTooLong);
    for line in [
        " GET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET",
        "G\u{e9}T / HTTP/1.1",
        "G(T / HTTP/1.1",
        "GET\x0b/ HTTP/1.1",
        ": / HTTP/1.1",
        "{\"a\":1}",
    ] {
        check(format!("{line}\r\nHost: a\r\n\r\n"), Reject::BadMethod);
    }
}

#[test]
fn line_ends_before_a_request_are_skipped_up_to_two() {
    let plain = accepted("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (count, line_ends) in [(2, "\r\n"), (4, "\r\n\r\n")] {
        let head = accepted(&format!("{line_ends}GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.len, plain.len + count);
        assert_eq!(head.fields, plain.fields);
    }
    check("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::LeadingBytes);
    check("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BareLineEnd);
    check("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BareLineEnd);
    check("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BareLineEnd);
}

#[test]
fn a_parser_is_idle_until_the_first_octet_of_a_request() {
    let mut parser = HeadParser::default();
    let text = b"\r\n\r\nG";
    for len in 0..text.len() {
        assert!(matches!(
            parser.parse(&text[..len], &RequestLimits::default()),
            Ok(Parsed::Partial)
        ));
        assert!(parser.is_idle(), "{len}");
    }
    assert!(matches!(parser.parse(text, &RequestLimits::default()), Ok(Parsed::Partial)));
    assert!(!parser.is_idle());
}

#[test]
fn targets_are_taken_as_they_come() {
    for (target, path, query) in [
        ("/", "/", None),
        ("//", "//", None),
        ("/a/../b", "/a/../b", None),
        ("/%2e%2E/%2f", "/%2e%2E/%2f", None),
        ("/a?", "/a", Some("")),
        ("/a??b/c=d&e", "/a", Some("?b/c=d&e")),
        ("/?%20%2A%80", "/", Some("%20%2A%80")),
        ("/~a-b_c.d!$&'()*+,;=:@", "/~a-b_c.d!$&'()*+,;=:@", None),
        ("http://b/c?d", "/c", Some("d")),
        ("HTTP://b:81", "/", None),
        ("http://[::1]/x", "/x", None),
    ] {
        let head = accepted(&format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let expected = (path.as_bytes().to_vec(), query.map(|q| q.as_bytes().to_vec()));
        assert_eq!(head.target, Some(expected), "{target}");
    }
}

#[test]
fn targets_that_no_uri_may_be_are_refused() {
    for octet in (0..=255u8).filter(|b| !bytes::is(QUERY, *b) && !b" %\r\n".contains(b)) {
        for place in ["/a", "/a?b", "http:"] {
            if place == "http:" && matches!(octet, b'[' | b']') {
                continue;
            }
            let mut text = format!("GET {place}").into_bytes();
            text.push(octet);
            text.extend(b"c HTTP/1.1\r\nHost: a\r\n\r\n");
            check(text, Reject::BadTarget);
        }
    }
    for target in ["a", "a/b", "?", "\u{e9}", "https://a/", "a:80", "*", "**", "%2f", "\t/", ""] {
        check(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"), Reject::BadTarget);
    }
    check("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BadTarget);
    check("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BadHost);
}

#[test]
fn percent_encodings_are_two_digits_and_no_control() {
    for bad in ["%", "%4", "%zz", "%4g", "%g4", "%%41", "%00", "%u0041", "% 41", "%-1", "%+1"] {
        for place in ["/a", "/a?b", "http://a/"] {
            check(format!("GET {place}{bad} HTTP/1.1\r\nHost: a\r\n\r\n"), Reject::BadPercent);
        }
    }
    for control in ["%01", "%0a", "%0D", "%1f", "%7F"] {
        for place in ["/a", "/a?b=", "http://a/?"] {
            check(format!("GET {place}{control} HTTP/1.1\r\nHost: a\r\n\r\n"), Reject::BadPercent);
        }
    }
}

#[test]
fn the_asterisk_is_for_options_only() {
    for target in ["*", "http://a", "HTTP://a:80"] {
        let head = accepted(&format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.target, None, "{target}");
    }
    for (method, target) in
        [("OPTIONS", "http://a/"), ("OPTIONS", "http://a?"), ("GET", "http://a")]
    {
        let head = accepted(&format!("{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(head.target.expect("a path").0, b"/", "{method} {target}");
    }
    check("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BadTarget);
    check("OPTIONS *x HTTP/1.1\r\nHost: a\r\n\r\n", Reject::BadTarget);
}

#[test]
fn a_version_is_eight_octets_with_major_one() {
    for (version, expected) in [
        ("HTTP/1.0", Version::Http10),
        ("HTTP/1.1", Version::Http11),
        ("HTTP/1.2", Version::Http11),
        ("HTTP/1.9", Version::Http11),
    ] {
        assert_eq!(accepted(&format!("GET / {version}\r\nHost: a\r\n\r\n")).version, expected);
    }
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/3.1", "HTTP/9.9"] {
        check(format!("GET / {version}\r\nHost: a\r\n\r\n"), Reject::UnsupportedVersion);
    }
    for version in [
        "",
        "HTTP",
        "HTTP/",
        "HTTP/1",
        "HTTP/1.",
        "HTTP/.1",
        "HTTP/1.x",
        "HTTP/x.1",
        "http/1.1",
        "Http/1.1",
        "HTTP/11.1",
        "HTTP/1.10",
        "HTTP/1.1 ",
        " HTTP/1.1",
        "HTTP/1,1",
        "HTTP /1.1",
        "HTTP/ 1.1",
        "HTTP/1.1 x",
        "HTTPS/1.1",
        "\tHTTP/1.1",
        "HTTP/1.1\t",
        "x",
        "HTTP\\1.1",
        "HTTP/+1.1",
        "HTTP/\u{661}.1",
    ] {
        check(format!("GET / {version}\r\nHost: a\r\n\r\n"), Reject::BadVersion);
    }
    check("GET / HTTP/1.1\nHost: a\r\n\r\n", Reject::BadVersion);
    check("GET / HTTP/1.1\rHost: a\r\n\r\n", Reject::BareLineEnd);
    check("GET /\r\n", Reject::BadVersion);
    check("GET /\n", Reject::BadVersion);
}

#[test]
fn garbage_is_refused_with_its_first_octet_that_proves_it() {
    let tls_hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    for (text, proof_len, reject) in [
        (&tls_hello[..], 1, Reject::BadMethod),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 14, Reject::UnsupportedVersion),
        (b"GET /\r\n", 6, Reject::BadVersion),
        (b"SSH-2.0-OpenSSH_9.6\r\n", 20, Reject::BadMethod),
        (b"\x00\x00\x00\x00", 1, Reject::BadMethod),
        (b"GET / HTTP/1.1\r\n Host: a", 17, Reject::LeadingWhitespace),
        (b"GET / HTTP/1.1\r\nHost : a", 21, Reject::SpaceBeforeColon),
        (b"GET / HTTP/1.1\r\nX: \x00", 20, Reject::BadFieldValue),
    ] {
        let limits = RequestLimits::default();
        assert_eq!(verdict(&text[..proof_len - 1], &[], &limits), Verdict::Partial);
        assert_eq!(verdict(&text[..proof_len], &[], &limits), Verdict::Rejected(reject));
        check(text, reject);
    }
}

#[test]
fn lines_end_in_cr_lf_and_nothing_else() {
    for lines in ["X: y\n", "X: y\nZ: w", "X: y\rZ: w", "X: y\r\r", "X: y\r"] {
        check_fields(lines, Reject::BareLineEnd);
    }
    check("GET / HTTP/1.1\r\nHost: a\r\n\n", Reject::BareLineEnd);
    check("GET / HTTP/1.1\r\nHost: a\r\n\rX", Reject::BareLineEnd);
    check("GET / HTTP/1.1\r\nHost: a\n\n", Reject::BareLineEnd);
}

#[test]
fn whitespace_has_no_place_before_fields_or_colons() {
    for blank in [" ", "\t"] {
        let first = format!("GET / HTTP/1.1\r\n{blank}X: y\r\nHost: a\r\n\r\n");
        check(first, Reject::LeadingWhitespace);
        check(format!("GET / HTTP/1.1\r\n{blank}\r\nHost: a\r\n\r\n"), Reject::LeadingWhitespace);
        check_fields(&format!("X: y\r\n{blank}z"), Reject::Folded);
        check_fields(&format!("X: y\r\n{blank}"), Reject::Folded);
        check_fields(&format!("X{blank}: y"), Reject::SpaceBeforeColon);
        check_fields(&format!("X{blank}Y: z"), Reject::SpaceBeforeColon);
        check_fields(&format!("Content-Length{blank}: 5"), Reject::SpaceBeforeColon);
    }
}

#[test]
fn a_field_name_is_a_token_and_has_a_colon() {
    for line in [":", ": y", "X", "X\x0b: y", "\u{e9}: y", "X(: y", "\"X\": y", "X/Y: z", "\0: y"] {
        check_fields(line, Reject::BadFieldName);
    }
    let head = accepted_fields("!#$%&'*+-.^_`|~09az: 1");
    assert_eq!(head.fields[1], (b"!#$%&'*+-.^_`|~09az".to_vec(), b"1".to_vec()));
}

#[test]
fn a_field_value_holds_no_control_but_tab_and_keeps_obs_text() {
    for control in (0..=0x1fu8).chain([0x7f]).filter(|b| !b"\t\r\n".contains(b)) {
        let control = char::from(control);
        check_fields(&format!("X: a{control}b"), Reject::BadFieldValue);
        check_fields(&format!("X:{control}"), Reject::BadFieldValue);
    }
    let head = accepted_fields("X: \u{e9}\u{ff}\tb\r\nEmpty:\r\nBlank: \t \r\nColon: a:b");
    let values: Vec<_> = head.fields.iter().skip(1).map(|(_, value)| value.as_slice()).collect();
    assert_eq!(values, ["\u{e9}\u{ff}\tb".as_bytes(), b"", b"", b"a:b"]);
}

#[test]
fn http_1_1_has_exactly_one_sound_host() {
    check("GET / HTTP/1.1\r\n\r\n", Reject::HostMissing);
    check("GET http://a/ HTTP/1.1\r\n\r\n", Reject::HostMissing);
    check("GET / HTTP/1.1\r\nHosts: a\r\n\r\n", Reject::HostMissing);
    check("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Reject::HostRepeated);
    check("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: b\r\n\r\n", Reject::HostRepeated);
    let unsound = ["", " ", "a b", "a, b", "u@a", "a/b", "a:x", "[::1", "\u{e9}"];
    let no_ports = ["a:65536", "a:65540", "a:65600", "a:66000", "a:70000", "a:99999", "a:100000"];
    for host in unsound.into_iter().chain(no_ports) {
        check(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), Reject::BadHost);
        check(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n"), Reject::BadHost);
    }
    for host in ["a:10000", "a:59999", "a:65535", "a:065535", "a:8080", "a:80", "a:"] {
        accepted(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    accepted("GET / HTTP/1.0\r\n\r\n");
    check("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Reject::HostRepeated);
}

#[test]
fn a_length_is_one_line_of_digits_within_the_limit() {
    for (value, length) in [("0", 0), ("5", 5), ("010", 10), ("65536", 65_536), ("\t5 ", 5)] {
        let head = accepted_fields(&format!("Content-Length:{value}"));
        assert_eq!(head.framing, Framing::Length(length), "{value:?}");
    }
    for value in [
        "", "+5", "-1", "0x5", "5_0", "\"5\"", "5;x", "5.", "5.0", "5 5", "5,5", "5, 5", "5,",
        "1e3", "0b1", "\u{665}", "\u{a0}5", "five",
    ] {
        check_fields(&format!("Content-Length: {value}"), Reject::BadLength);
        let get = format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {value}\r\n\r\n");
        check(get, Reject::BadLength);
    }
    for value in [
        "65537",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "18446744073709551621",
        "9999999999999999999999999999999999999999",
    ] {
        check_fields(&format!("Content-Length: {value}"), Reject::ContentTooLarge);
    }
    check_fields("Content-Length: 5\r\nContent-Length: 5", Reject::LengthRepeated);
    check_fields("Content-Length: 5\r\nX: y\r\ncontent-length: 6", Reject::LengthRepeated);
}

#[test]
fn a_length_that_saturates_is_too_large_for_any_limit() {
    let limits = RequestLimits { body_bytes_max: u64::MAX, ..RequestLimits::default() };
    let text = b"POST / HTTP/1.0\r\nContent-Length: 99999999999999999999999\r\n\r\n";
    assert_eq!(verdict(text, &[], &limits), Verdict::Rejected(Reject::ContentTooLarge));
}

#[test]
fn chunked_is_the_only_encoding() {
    for value in ["chunked", "CHUNKED", "Chunked", "\t chunked \t"] {
        let head = accepted_fields(&format!("Transfer-Encoding:{value}"));
        assert_eq!(head.framing, Framing::Chunked, "{value:?}");
    }
    for value in [
        "",
        "gzip",
        "identity",
        "xchunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "\"chunked\"",
        "chun ked",
        "chunked chunked",
        "'chunked'",
        "gzip chunked",
        "\u{a0}chunked",
        "chun\u{212a}ed",
        "chunke\u{17f}",
        "gzip, chunked, chunked",
        "gzip, chunked;a=b",
    ] {
        check_fields(&format!("Transfer-Encoding: {value}"), Reject::BadEncoding);
    }
    for value in ["gzip, chunked", "gzip;a=b , deflate,chunked", "identity, chunked"] {
        check_fields(&format!("Transfer-Encoding: {value}"), Reject::UnknownEncoding);
    }
    let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked";
    check_fields(twice, Reject::BadEncoding);
    check_fields("Transfer-Encoding: gzip, chunked\r\nTransfer-Encoding: x", Reject::BadEncoding);
    for control in ["\x0b", "\x0c", "\0"] {
        check_fields(&format!("Transfer-Encoding: {control}chunked"), Reject::BadFieldValue);
    }
    check("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Reject::EncodingInHttp10);
}

#[test]
fn a_message_has_a_length_or_an_encoding() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 0",
        "Content-Length: 5\r\nTransfer-Encoding: gzip, chunked",
    ] {
        check_fields(lines, Reject::LengthAndEncoding);
    }
}

#[test]
fn fields_that_only_look_like_framing_are_other_fields() {
    let head = accepted_fields(
        "Content_Length: 5\r\nTransfer_Encoding: chunked\r\nX-Content-Length: 5\r\n\
         Connection: Content-Length, Host, Transfer-Encoding\r\nUpgrade: h2c",
    );
    assert_eq!(head.framing, Framing::None);
    assert!(head.keep_alive);
    let head = accepted_fields("Content-Length: 5\r\nConnection: content-length");
    assert_eq!(head.framing, Framing::Length(5));
}

#[test]
fn connections_persist_as_the_version_and_the_options_say() {
    for (version, lines, keep_alive) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: CLOSE\r\n", false),
        ("1.1", "Connection: foo ,\tClose , bar\r\n", false),
        ("1.1", "Connection: keep-alive\r\nconnection: close\r\n", false),
        ("1.1", "Connection: close\r\nConnection: keep-alive\r\n", false),
        ("1.1", "Connection: closed, xclose, clo se\r\n", true),
        ("1.1", "Connection: \"close\"\r\n", true),
        ("1.1", "Connection:\r\n", true),
        ("1.1", "Proxy-Connection: close\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
        ("1.0", "Connection: x, Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.2", "", true),
    ] {
        let head = accepted(&format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n"));
        assert_eq!(head.keep_alive, keep_alive, "{version} {lines:?}");
    }
}

#[test]
fn the_only_expectation_is_100_continue() {
    for value in [
        "x",
        ",x",
        "100-continue, x",
        "x, 100-continue,",
        "100-continue;a=b",
        "200-ok",
        "100-continu",
    ] {
        check_fields(&format!("Content-Length: 5\r\nExpect: {value}"), Reject::UnknownExpectation);
    }
    for (value, expects) in [
        ("", false),
        (",", false),
        ("100-continue,", true),
        (", ,100-continue", true),
        ("100-continue,,100-Continue", true),
    ] {
        let head = accepted_fields(&format!("Content-Length: 5\r\nExpect: {value}"));
        assert_eq!(head.expect_continue, expects, "{value}");
    }
    let twice = "Content-Length: 5\r\nExpect: x\r\nExpect: 100-continue";
    check_fields(twice, Reject::UnknownExpectation);
    assert!(accepted_fields("Expect: 100-continue\r\nTransfer-Encoding: chunked").expect_continue);
    assert!(!accepted_fields("Expect: 100-continue\r\nContent-Length: 0").expect_continue);
    assert!(!accepted_fields("Expect: 100-continue").expect_continue);
    for value in ["100-continue", "x"] {
        let text = format!("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: {value}\r\n\r\n");
        assert!(!accepted(&text).expect_continue);
    }
}

#[test]
fn malformed_comes_before_unserved() {
    check_fields("Expect: x\r\nContent-Length: 99999999\r\nX : y", Reject::SpaceBeforeColon);
    check_fields("Content-Length: 99999999\r\nContent-Length: 5", Reject::LengthRepeated);
    check_fields("Expect: x\r\nContent-Length: 99999999", Reject::UnknownExpectation);
    check("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", Reject::HostMissing);
}

/// Limits small enough that every split around them can be tried.
const SMALL: RequestLimits =
    RequestLimits { line_bytes_max: 40, head_bytes_max: 100, fields_max: 4, body_bytes_max: 10 };

#[track_caller]
fn check_small(text: &str, expected: Option<Reject>) {
    match (verdict_of_every_split(text.as_bytes(), &SMALL), expected) {
        (Verdict::Accepted(_), None) => {}
        (Verdict::Rejected(reject), Some(expected)) if reject == expected => {}
        (other, _) => panic!("{text:?}: {other:?}, expected {expected:?}"),
    }
}

#[test]
fn a_request_line_may_be_as_long_as_its_limit() {
    let line = |len: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(len - 16));
    assert_eq!(line(40).len(), 40);
    check_small(&format!("{}Host: a\r\n\r\n", line(40)), None);
    check_small(&format!("{}Host: a\r\n\r\n", line(41)), Some(Reject::TargetTooLong));
    check_small(&format!("GET /{}", "a".repeat(50)), Some(Reject::TargetTooLong));
    check_small(&format!("GET /?{}", "%41".repeat(50)), Some(Reject::TargetTooLong));
    check_small(&format!("GET http:{}", "a".repeat(50)), Some(Reject::TargetTooLong));
}

#[test]
fn a_field_line_and_a_head_may_be_as_long_as_their_limits() {
    let field = |len: usize| format!("X: {}\r\n", "a".repeat(len - 5));
    let begin = "GET / HTTP/1.1\r\nHost: a\r\n"; // 25 octets
    check_small(&format!("{begin}{}\r\n", field(40)), None);
    check_small(&format!("{begin}{}\r\n", field(41)), Some(Reject::FieldTooLarge));
    check_small(&format!("{begin}{}", "a".repeat(60)), Some(Reject::FieldTooLarge));
    check_small(&format!("{begin}{}{}\r\n", field(40), field(33)), None);
    check_small(&format!("{begin}{}{}\r\n", field(40), field(34)), Some(Reject::HeadTooLarge));
    check_small(&format!("{begin}{}{}", field(40), field(40)), Some(Reject::HeadTooLarge));
}

#[test]
fn as_many_fields_are_taken_as_the_limit_says() {
    let begin = "GET / HTTP/1.1\r\nHost: a\r\n";
    check_small(&format!("{begin}{}\r\n", "X: y\r\n".repeat(3)), None);
    check_small(&format!("{begin}{}\r\n", "X: y\r\n".repeat(4)), Some(Reject::TooManyFields));
}

#[test]
fn the_default_limits_take_a_line_of_8000_octets() {
    let target = "/".repeat(8_000);
    let text = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
    let verdict = verdict(text.as_bytes(), &[], &RequestLimits::default());
    assert!(matches!(verdict, Verdict::Accepted(_)));
}

#[test]
fn the_work_is_linear_when_the_octets_trickle() {
    let text = format!(
        "GET /{}?{} HTTP/1.1\r\nHost: a\r\n{}: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        "a%20".repeat(1_000),
        "b".repeat(4_000),
        "n".repeat(4_000),
        "v".repeat(4_000),
    );
    let bytes = text.as_bytes();
    let every: Vec<_> = (0..bytes.len()).collect();
    VISITED.set(0);
    assert!(matches!(verdict(bytes, &every, &RequestLimits::default()), Verdict::Accepted(_)));
    // Once to take each octet, and once a call for the one at which the scan had stopped.
    assert!(VISITED.get() <= 3 * bytes.len(), "{} for {}", VISITED.get(), bytes.len());
    assert!(VISITED.get() >= bytes.len());
}
