use super::*;

const ARTICLE: &str = include_str!("../../../bench-configs/mixes/article.toml");

fn article() -> Mix {
    Mix::parse("article.toml", ARTICLE).unwrap()
}

#[test]
fn the_article_mix_reads_as_written() {
    let mix = article();
    let seen: Vec<_> =
        mix.kinds().iter().map(|kind| (kind.name.as_str(), kind.weight, kind.expect)).collect();
    let expect = |bytes| Expect { status: Some(200), bytes: Some(bytes) };
    assert_eq!(
        seen,
        [("status", 60, expect(120)), ("command", 30, expect(80)), ("events", 10, expect(60))]
    );
    assert!(mix.kinds().iter().all(|kind| !kind.long_poll));
    assert!(mix.kinds()[0].may_retry && !mix.kinds()[1].may_retry);
}

#[test]
fn requests_are_rendered_to_the_byte() {
    let mix = article();
    let rendered = |index: usize| constant(&mix.kinds()[index], "h:8080");
    assert_eq!(rendered(0), "GET /devices/status HTTP/1.1\r\nHost: h:8080\r\n\r\n");
    assert_eq!(
        rendered(1),
        "POST /devices/light/command HTTP/1.1\r\nHost: h:8080\r\nContent-Type: application/json\r\n\
         Content-Length: 40\r\n\r\n{\"action\":\"set\",\"value\":75,\"ref\":\"run1\"}"
    );
    let single = Mix::single("/x?y=1");
    assert_eq!(
        constant(&single.kinds()[0], "[::1]:80"),
        "GET /x?y=1 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"
    );
}

fn constant(kind: &Kind, host: &str) -> String {
    String::from_utf8_lossy(kind.template(host).constant().unwrap()).into_owned()
}

#[test]
fn picks_follow_the_weights_and_the_seed() {
    let mix = article();
    let mut counts = [0u32; 3];
    (0..100_000).for_each(|k| counts[mix.pick(1, k)] += 1);
    for (count, share) in counts.iter().zip([60_000u32, 30_000, 10_000]) {
        assert!(count.abs_diff(share) < 600, "{counts:?}");
    }
    let picks = |seed| (0..64).map(|k| mix.pick(seed, k)).collect::<Vec<_>>();
    assert_eq!(picks(1), picks(1));
    assert_ne!(picks(1), picks(2));
}

#[test]
fn a_kind_of_weight_zero_is_never_picked() {
    let text =
        "[[request]]\nname='a'\nweight=0\npath='/'\n[[request]]\nname='b'\nweight=1\npath='/'";
    let mix = Mix::parse("m", text).unwrap();
    assert!((0..1_000).all(|k| mix.pick(3, k) == 1));
}

#[test]
fn signatures_tell_requests_apart_but_not_hosts() {
    let mix = article();
    let signatures: Vec<u64> = mix.kinds().iter().map(|kind| kind.signature(1)).collect();
    assert!(signatures[0] != signatures[1] && signatures[1] != signatures[2]);
}

#[test]
fn an_answer_is_judged_by_status_and_size() {
    let any = Expect::default();
    assert!(any.accepts(204, 0) && !any.accepts(304, 0) && !any.accepts(503, 9));
    let exact = Expect { status: Some(410), bytes: Some(5) };
    assert!(exact.accepts(410, 5) && !exact.accepts(410, 6) && !exact.accepts(200, 5));
}

/// `lines` follow a good name and weight, from line 4 on.
#[track_caller]
fn check(lines: &str, expected: &str) {
    let text = format!("[[request]]\nname = \"a\"\nweight = 1\n{lines}");
    let error = Mix::parse("mix.toml", &text).unwrap_err();
    assert!(error.starts_with("mix.toml:"), "{error}");
    assert!(!error.contains('\n'), "one line: {error}");
    assert!(error.contains(expected), "`{error}` does not say `{expected}`");
}

#[test]
fn what_is_wrong_is_said_with_file_and_line() {
    check("path = 'x'", "mix.toml:4: `x` is no path");
    check("path = '/a b'", "mix.toml:4: `/a b` is no path");
    check("path = '/é'", "mix.toml:4: ");
    check("path = '/'\nbody = 'x'", "mix.toml:5: a GET has no body; did you mean POST?");
    check("path = '/'\nmethod = 'get'", "mix.toml:5: `get` is no method");
    check("path = '/'\nmethod = 'CONNECT'", "mix.toml:5: `CONNECT` is no method");
    check("path = '/'\nheaders = { a = \"x\\r\\ny: z\" }", "mix.toml:5: the value of `a`");
    check("path = '/'\nheaders = { 'a b' = 'x' }", "mix.toml:5: `a b` is no header name");
    check("path = '/'\nheaders = { Content-Length = '3' }", "mix.toml:5: `Content-Length` follows");
    check("path = '/'\nexpect_status = 100", "mix.toml:5: expect_status");
    check("path = '/'\nexpect_status = 70000", "mix.toml:5: ");
    check("path = '/'\nkind = 'poll'", "mix.toml:5: ");
    check("path = '/'\nwieght = 3", "mix.toml:5: unknown field `wieght`");
    check(
        "path = '/'\n[[request]]\nname='a'\nweight=1\npath='/'",
        "mix.toml:6: `a` is the name of two",
    );
    check("path = ", "mix.toml:4: ");
    check("path = '/{conter}'", "mix.toml:4: `{conter}` is no placeholder");
    check("path = '{choice:/a|/b}'", "mix.toml:4: `{choice:/a|/b}` is no path");
    check("path = '/{choice:a|b c}'", "mix.toml:4: `/{choice:a|b c}` is no path");
    check(
        "path = '/{since}'\ncapture = { since = 'json:x' }",
        "mix.toml:4: `{since}` needs a value",
    );
    check(
        "path = '/'\nmethod='POST'\nbody = '{range:2-1}'",
        "mix.toml:6: `{range:2-1}` is no range",
    );
    check("path = '/'\nheaders = { A = '{b}' }", "mix.toml:5: `{b}` is no placeholder");
    check("path = '/'\ncapture = { since = 'seq' }", "mix.toml:5: `seq` is nothing to capture");
    check("path = '/'\ncapture = { since = 'json:' }", "mix.toml:5: `json:` is nothing");
    check("path = '/'\ncapture = { Since = 'json:a' }", "mix.toml:5: `Since` is no name");
    check("path = '/'\ncapture = { counter = 'json:a' }", "mix.toml:5: `counter` is no name");
}

#[test]
fn what_is_wrong_about_a_publication_is_said_with_file_and_line() {
    let check = |published: &str, says: &str| check(&format!("path = '/'\n{published}"), says);
    check("published = { key = 'at', unit = 'min' }", "mix.toml:5: unknown variant `min`");
    check("published = { key = '', unit = 'us' }", "mix.toml:5: `published` needs the key");
    check("published = { key = 'at' }", "mix.toml:5: missing field `unit`");
    check("published = { unit = 'us' }", "mix.toml:5: missing field `key`");
    check("published = { key = 'at', unit = 'us', of = 1 }", "mix.toml:5: unknown field `of`");
    check("published = 'at'", "mix.toml:5: ");
    let head = "method = 'HEAD'\npublished = { key = 'at', unit = 'us' }";
    check(head, "mix.toml:6: the answer to a HEAD has no content");
}

#[test]
fn a_mix_that_would_send_nothing_is_refused() {
    let error = |text| Mix::parse("m", text).unwrap_err();
    assert!(error("").contains("at least one [[request]]"));
    assert!(error("[[request]]\nname='a'\nweight=0\npath='/'").contains("add up to zero"));
    assert!(error("[[request]]\nname='a'\nweight=-1\npath='/'").starts_with("m:3: "));
}

#[track_caller]
fn check_typed(single: Single, expected: Result<&str, &str>) {
    match (Mix::one(single), expected) {
        (Ok(mix), Ok(request)) => {
            assert_eq!(constant(&mix.kinds()[0], "h:80"), request);
        }
        (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
        (got, _) => panic!("{got:?}"),
    }
}

#[test]
fn a_request_is_typed_on_the_command_line() {
    let typed = || Single { path: String::from("/a"), ..Single::default() };
    let with_header = |header: &str| Single { headers: vec![String::from(header)], ..typed() };
    let with_body = |method: Option<&str>| Single {
        method: method.map(String::from),
        body: vec![0xFF, b'\n'],
        ..typed()
    };
    check_typed(typed(), Ok("GET /a HTTP/1.1\r\nHost: h:80\r\n\r\n"));
    let with_field = "GET /a HTTP/1.1\r\nHost: h:80\r\nX-Y: a: b\r\n\r\n";
    check_typed(with_header("X-Y:  a: b "), Ok(with_field));
    check_typed(with_header("host:x"), Ok("GET /a HTTP/1.1\r\nhost: x\r\n\r\n"));
    let post = "POST /a HTTP/1.1\r\nHost: h:80\r\nContent-Length: 2\r\n\r\n\u{FFFD}\n";
    check_typed(with_body(None), Ok(post));
    check_typed(with_body(Some("GET")), Err("--body: a GET has no body"));
    check_typed(with_body(Some("post")), Err("--method: `post` is no method"));
    check_typed(with_header("X"), Err("-H: `X` is no header; write `Name: value`"));
    check_typed(with_header("a b: c"), Err("-H: `a b` is no header name"));
    check_typed(with_header("A\r\nB: c"), Err("-H: `A\\r\\nB` is no header name"));
    check_typed(with_header("A: b\r\nC: d"), Err("-H: the value of `A` holds a control"));
    check_typed(with_header("Content-Length: 1"), Err("-H: `Content-Length` follows"));
}

const TEMPLATED: &str = r#"
[[request]]
name = "command"
weight = 1
method = "POST"
path = "/devices/{choice:light|lock}/command?n={counter}"
headers = { X-Draw = "{range:10-99}" }
body = '{"action":"set","value":{range:0-100}}'

[[request]]
name = "events"
weight = 1
path = "/events/live?since={since=0}"
capture = { since = "json:seq" }
kind = "long_poll"
"#;

#[test]
fn a_templated_mix_renders_the_same_bytes_for_the_same_seed_and_number() {
    let mix = Mix::parse("m", TEMPLATED).unwrap();
    let command = mix.kinds()[0].template("h");
    let render = |seed, k| {
        let mut out = Vec::new();
        let captured = crate::pace::capture::Captures::new(1);
        command.render(seed, k, &captured, &mut Vec::new(), &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(render(1, 12), render(1, 12));
    assert_ne!(render(1, 12), render(2, 12));
    for k in 0..100 {
        let text = render(1, k);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /devices/l"), "{text}");
        assert!(head.contains(&format!("?n={k} HTTP/1.1\r\n")), "{text}");
        assert!(head.ends_with(&format!("Content-Length: {}", body.len())), "{text}");
        let value = body.strip_prefix("{\"action\":\"set\",\"value\":").unwrap();
        assert!(value.strip_suffix('}').unwrap().parse::<u8>().unwrap() <= 100, "{text}");
    }
    assert_eq!((mix.names(), mix.kinds()[1].long_poll), ([String::from("since")].as_slice(), true));
}

#[test]
fn the_seed_is_in_the_signature_where_something_is_drawn() {
    let mix = Mix::parse("m", TEMPLATED).unwrap();
    assert_ne!(mix.kinds()[0].signature(1), mix.kinds()[0].signature(2));
    let other = Mix::parse("m", &TEMPLATED.replace("0-100", "0-101")).unwrap();
    assert_ne!(mix.kinds()[0].signature(1), other.kinds()[0].signature(1));
    let article = article();
    let constant = &article.kinds()[0];
    assert_eq!(constant.signature(1), constant.signature(2));
}
