use super::*;

#[track_caller]
fn check_decoded(segment: &str, expected: Option<&[u8]>) {
    let mut buffer = [0; 8];
    assert_eq!(decode_segment(segment.as_bytes(), &mut buffer), expected, "{segment}");
}

#[test]
fn a_segment_is_decoded_once() {
    check_decoded("light", Some(b"light"));
    check_decoded("%6cight", Some(b"light"));
    check_decoded("%6Cight", Some(b"light"));
    check_decoded("", Some(b""));
    check_decoded("%2e%2E", Some(b".."));
    check_decoded("a%2Fb", Some(b"a/b"));
    check_decoded("%252F", Some(b"%2F"));
    check_decoded("%ff", Some(b"\xff"));
    check_decoded("12345678", Some(b"12345678"));
}

#[test]
fn a_segment_that_is_malformed_or_does_not_fit_is_refused() {
    for segment in ["%", "%4", "a%", "%zz", "%4g", "123456789", "%31%32%33%34%35%36%37%38%39"] {
        check_decoded(segment, None);
    }
}

#[test]
fn hosts_that_are_sound_are_taken() {
    for host in [
        "a",
        "127.0.0.1",
        "127.0.0.1:8080",
        "Example.COM",
        "a:",
        "a:0",
        "a:65535",
        "[::1]",
        "[::1]:80",
        "[2001:db8::7]:",
        "[::ffff:1.2.3.4]",
        "a_b~c!$&'()*+;=",
        "xn--bcher-kva.example",
        "a%41.b",
    ] {
        assert_eq!(check_host(host.as_bytes()), Ok(()), "{host}");
    }
}

#[test]
fn hosts_that_are_not_sound_are_refused() {
    for host in [
        "",
        ":",
        ":80",
        "a b",
        "a/b",
        "a?b",
        "a#b",
        "u@a",
        "u:p@a",
        "a,b",
        "a:b",
        "a:8 0",
        "a:+80",
        "a:65536",
        "a:99999999999999999999",
        "a:80:80",
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]a",
        "[::1]:x",
        "[1.2.3.4]",
        "[::g]",
        "[v1.a]",
        "[fe80::1%25eth0]",
        "a\\b",
        "a\"",
        "<a>",
        "a%",
        "a%4",
        "a%zz",
        "a%00",
        "\u{fc}",
        "a\t",
        "a\x7f",
        "http://a",
        "a[",
        "a]",
        "a|b",
    ] {
        assert_eq!(check_host(host.as_bytes()), Err(Reject::BadHost), "{host}");
    }
}

#[track_caller]
fn check_absolute(target: &str, expected: Result<(&str, Option<&str>), Reject>) {
    let expected = expected.map(|(path, query)| Target::Origin {
        path: path.as_bytes(),
        query: query.map(str::as_bytes),
    });
    assert_eq!(absolute(target.as_bytes()), expected, "{target}");
}

#[test]
fn an_absolute_target_is_reduced_to_path_and_query() {
    check_absolute("http://a", Ok(("/", None)));
    check_absolute("HTTP://a:80/", Ok(("/", None)));
    check_absolute("hTTp://[::1]:8080/b/c?d?e", Ok(("/b/c", Some("d?e"))));
    check_absolute("http://a?b", Ok(("/", Some("b"))));
    check_absolute("http://a?b/c", Ok(("/", Some("b/c"))));
    check_absolute("http://a/%20?%2a", Ok(("/%20", Some("%2a"))));
}

#[test]
fn an_absolute_target_that_is_malformed_is_refused() {
    for (target, reject) in [
        ("a", Reject::BadTarget),
        ("http:", Reject::BadTarget),
        ("http:/a", Reject::BadTarget),
        ("https://a/", Reject::BadTarget),
        ("ftp://a/b/c", Reject::BadTarget),
        ("a:80", Reject::BadTarget),
        ("*", Reject::BadTarget),
        ("**", Reject::BadTarget),
        ("http://", Reject::BadHost),
        ("http:///a", Reject::BadHost),
        ("http://?a", Reject::BadHost),
        ("http://u@a/", Reject::BadHost),
        ("http://a:x/", Reject::BadHost),
        ("http://[::1/", Reject::BadHost),
        ("http://a/[", Reject::BadTarget),
        ("http://a/?[", Reject::BadTarget),
        ("http://a/%", Reject::BadPercent),
        ("http://a/%0", Reject::BadPercent),
        ("http://a/%0a", Reject::BadPercent),
        ("http://a/?%00", Reject::BadPercent),
        ("http://a/?%0a", Reject::BadPercent),
        ("http://a/?%7f", Reject::BadPercent),
    ] {
        check_absolute(target, Err(reject));
    }
}
