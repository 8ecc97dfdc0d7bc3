use super::*;
use crate::http::date::HttpDate;

fn encoded(head: &ResponseHead<'_>, content: &str, include_content: bool) -> String {
    let mut out = Vec::new();
    head.encode(content.as_bytes(), include_content, &mut out);
    String::from_utf8(out).unwrap()
}

fn date() -> HttpDate {
    HttpDate::from_unix_secs(784_111_777)
}

#[test]
fn the_usual_answer_has_the_fields_of_the_contract_and_no_others() {
    assert_eq!(
        encoded(&ResponseHead::json(200, &date()), "{}", true),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{}"
    );
}

#[test]
fn an_answer_to_head_differs_in_nothing_but_the_content() {
    let date = date();
    let head = ResponseHead::json(200, &date);
    let (with, without) = (encoded(&head, "[1,2]", true), encoded(&head, "[1,2]", false));
    assert_eq!(with, without + "[1,2]");
}

#[test]
fn a_status_without_content_has_no_length_and_no_type() {
    let date = date();
    for status in [100, 204, 304] {
        let response = encoded(&ResponseHead::json(status, &date), "never", true);
        let expected = format!(
            "HTTP/1.1 {status} {}\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
            reason_phrase(status)
        );
        assert_eq!(response, expected);
    }
}

#[test]
fn the_rarer_fields_follow_the_date() {
    let date = date();
    let head = ResponseHead {
        connection: Some(Connection::Close),
        extra: [Some(("Allow", "GET, HEAD")), Some(("X", ""))],
        content_type: None,
        ..ResponseHead::json(405, &date)
    };
    assert_eq!(
        encoded(&head, "", true),
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\
         Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: close\r\n\
         Allow: GET, HEAD\r\nX: \r\n\r\n"
    );
    let head = ResponseHead { connection: Some(Connection::KeepAlive), ..head };
    assert!(encoded(&head, "", true).contains("\r\nConnection: keep-alive\r\n"));
}

#[test]
fn numbers_are_written_in_decimal() {
    for n in [0, 1, 9, 10, 99, 100, 120, 65_536, u64::MAX] {
        let mut out = Vec::new();
        push_decimal(n, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), n.to_string());
    }
    for len in [0, 1, 9, 10, 11, 99, 100, 101, 120, 999, 1000, 65_536, usize::MAX] {
        let mut out = Vec::new();
        push_length(len, &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), format!("{len}\r\n"));
    }
}

#[test]
fn httparse_reads_back_what_is_written() {
    let date = date();
    for status in 200..600 {
        let text = encoded(&ResponseHead::json(status, &date), "abc", true);
        let mut fields = [httparse::EMPTY_HEADER; 8];
        let mut response = httparse::Response::new(&mut fields);
        let parsed = response.parse(text.as_bytes()).unwrap();
        let content_bytes = if may_have_content(status) { 3 } else { 0 };
        assert_eq!(parsed, httparse::Status::Complete(text.len() - content_bytes));
        assert_eq!(response.code, Some(status));
        assert_eq!(response.reason, Some(reason_phrase(status)));
        let names: Vec<_> = response.headers.iter().map(|f| f.name).collect();
        if content_bytes > 0 {
            assert_eq!(names, ["Content-Type", "Content-Length", "Date"]);
        } else {
            assert_eq!(names, ["Date"]);
        }
    }
}

#[test]
fn the_interim_response_is_a_whole_head() {
    let mut response = httparse::Response::new(&mut []);
    assert_eq!(response.parse(CONTINUE), Ok(httparse::Status::Complete(CONTINUE.len())));
    assert_eq!(response.code, Some(100));
}
