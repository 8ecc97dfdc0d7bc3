use super::*;
use crate::pace::capture::Capture;

fn names() -> Vec<String> {
    vec![String::from("since")]
}

fn rendered(text: &str, seed: u64, k: u64) -> String {
    let text = Text::parse(text, &names()).unwrap();
    let mut out = Vec::new();
    text.render(&mut Draws::of(seed, k), &Captures::new(1), &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_text_without_placeholders_is_itself() {
    for text in ["", "plain", "{\"a\":{\"b\":[1,{}]}}", "{ x }", "{}", "{", "}", "{1}", "é"] {
        assert_eq!(rendered(text, 1, 1), text);
        assert!(Text::parse(text, &[]).unwrap().is_constant());
    }
    assert_eq!(rendered("{{counter}", 1, 7), "{counter}");
}

#[test]
fn a_counter_is_the_number_of_the_request() {
    assert_eq!(rendered("/{counter}/x{counter}", 9, 0), "/0/x0");
    assert_eq!(rendered("{counter}", 9, u64::MAX), u64::MAX.to_string());
}

#[test]
fn draws_depend_on_seed_and_number_alone_and_reach_everything() {
    let drawn =
        |seed, k| rendered("{choice:a|b||c} {range:3-5} {range:0-18446744073709551615}", seed, k);
    for k in 0..50 {
        assert_eq!(drawn(1, k), drawn(1, k));
    }
    assert_ne!(drawn(1, 0), drawn(2, 0));
    let all: Vec<String> = (0..300).map(|k| rendered("{choice:a|b||c}{range:3-5}", 1, k)).collect();
    for choice in ["a", "b", "", "c"] {
        for number in 3..=5 {
            assert!(all.contains(&format!("{choice}{number}")), "{choice}{number}");
        }
    }
    assert!(all.iter().all(|text| ["3", "4", "5"].iter().any(|end| text.ends_with(end))));
}

#[test]
fn two_draws_of_one_request_are_independent() {
    let equal = (0..1_000).filter(|k| {
        let both = rendered("{range:0-9} {range:0-9}", 1, *k);
        both.split_once(' ').is_some_and(|(one, other)| one == other)
    });
    // Expected: 100, with a standard deviation of 9.5.
    assert!((50..150).contains(&equal.count()));
}

#[test]
fn a_captured_value_replaces_its_default() {
    let text = Text::parse("?since={since=0}", &names()).unwrap();
    let mut captures = Captures::new(1);
    let render = |captures: &Captures| {
        let mut out = Vec::new();
        text.render(&mut Draws::of(1, 1), captures, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(render(&captures), "?since=0");
    assert!(captures.take(&Capture { slot: 0, key: String::from("seq") }, b"{\"seq\":41}"));
    assert_eq!(render(&captures), "?since=41");
}

#[test]
fn the_length_follows_the_content() {
    let parse = |text: &str| Text::parse(text, &names()).unwrap();
    let mut head = Head::request_line("POST", &parse("/{range:7-7}"));
    head.field("Host", &Text::literal("h"));
    let template = Template::new(head.into_text(), Some(parse("{choice:a|bb|ccc}{counter}")));
    assert_eq!(template.constant(), None);
    let mut lengths = std::collections::BTreeSet::new();
    let (mut scratch, mut out) = (Vec::new(), Vec::new());
    for k in 0..200 {
        out.clear();
        template.render(1, k, &Captures::new(1), &mut scratch, &mut out);
        let text = std::str::from_utf8(&out).unwrap();
        let (head, content) = text.split_once("\r\n\r\n").unwrap();
        let expected = format!("POST /7 HTTP/1.1\r\nHost: h\r\nContent-Length: {}", content.len());
        assert_eq!(head, expected);
        lengths.insert(content.len());
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[test]
fn what_always_is_the_same_is_rendered_once() {
    let head = Head::request_line("PUT", &Text::literal("/"));
    let template = Template::new(head.into_text(), Some(Text::literal("abc")));
    assert_eq!(
        template.constant(),
        Some(b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc".as_slice())
    );
    let head = Head::request_line("GET", &Text::literal("/"));
    let template = Template::new(head.into_text(), None);
    assert_eq!(template.constant(), Some(b"GET / HTTP/1.1\r\n\r\n".as_slice()));
}

#[test]
fn what_is_no_placeholder_is_said() {
    for (text, says) in [
        ("{conter}", "`{conter}` is no placeholder"),
        ("a {counter", "`{counter` has no closing brace"),
        ("{range:5}", "no range"),
        ("{range:5-3}", "no range"),
        ("{range:-1-3}", "no range"),
        ("{range:a-b}", "no range"),
        ("{since}", "write `{since=0}`"),
        ("{until=0}", "no placeholder"),
    ] {
        let error = Text::parse(text, &names()).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
}
