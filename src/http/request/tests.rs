use super::*;
#[test]
fn size() {
    eprintln!("{}", size_of::<HeadParser>());
    let mut p = HeadParser::default();
    eprintln!(
        "{:?}",
        p.parse(b"GET /a%20b?x HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n", &HeadLimits::default())
    );
}
