//! The head of a request: no split matters, and it is read as `httparse` reads it, unless a rule of
//! `ringpace::http::rules` says why not.

use super::{pieces, split_choice};
use ringpace::http::rules::{self, Rule};
use ringpace::http::{HeadParser, Parsed, Reject, RequestHead, RequestLimits, Target, Version};

/// Limits that short inputs reach.
const SMALL: RequestLimits =
    RequestLimits { line_bytes_max: 60, head_bytes_max: 120, fields_max: 4, body_bytes_max: 99 };

pub(crate) fn run(input: &[u8]) {
    let Some(([limits, seed], text)) = split_choice(input) else { return };
    let limits = if limits.is_multiple_of(2) { RequestLimits::default() } else { SMALL };
    let whole = verdict([text.len()].into_iter(), text, &limits);
    let mut end = 0;
    let ends = pieces(text, seed).into_iter().map(|piece| {
        end += piece.len();
        end
    });
    assert_eq!(verdict(ends, text, &limits), whole, "a split matters");
    if limits == SMALL {
        return; // the other parser has no such limits
    }
    compare(text, &whole);
}

/// What a head came to, so that two of them can be compared.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted { len: usize, told: String, version: Version },
    Partial,
    Rejected(Reject),
}

/// The verdict on `text`, of which prefixes of these lengths come one after the other.
fn verdict(ends: impl Iterator<Item = usize>, text: &[u8], limits: &RequestLimits) -> Verdict {
    let mut parser = HeadParser::default();
    for end in ends {
        match parser.parse(&text[..end], limits) {
            Ok(Parsed::Partial) => {}
            Ok(Parsed::Complete(head)) => {
                assert!(parser.is_idle(), "not ready for the next head");
                let (len, version) = (head.len, head.version);
                return Verdict::Accepted { len, told: told(&head), version };
            }
            Err(reject) => return Verdict::Rejected(reject),
        }
    }
    Verdict::Partial
}

fn told(head: &RequestHead<'_>) -> String {
    let fields: Vec<_> = head.fields().collect();
    let framing = (head.framing, head.keep_alive, head.expect_continue);
    format!("{:?} {:?} {framing:?} {fields:?}", head.method, head.target)
}

/// Holds our verdict against `httparse`'s.
fn compare(text: &[u8], ours: &Verdict) {
    let mut fields = [httparse::EMPTY_HEADER; 256];
    let mut theirs = httparse::Request::new(&mut fields);
    let outcome = theirs.parse(text);
    match (ours, outcome) {
        (Verdict::Accepted { len, version, .. }, Ok(httparse::Status::Complete(theirs_len))) => {
            assert_eq!(*len, theirs_len, "two ends of one head");
            assert_eq!(theirs.version, Some(u8::from(*version == Version::Http11)));
            compare_heads(&text[..*len], &theirs);
        }
        (Verdict::Accepted { .. } | Verdict::Partial, Err(httparse::Error::Version)) => {
            let rule = of_version(text);
            assert!(rule.is_some(), "they know no such version, and no rule says why we do");
            let is_partial = *ours == Verdict::Partial;
            assert!(is_partial || rule.is_some_and(|rule| rule.id == "version.minor"));
        }
        (Verdict::Accepted { .. }, other) => panic!("accepted here, {other:?} there"),
        (Verdict::Rejected(reject), Ok(httparse::Status::Complete(_))) => {
            let rule = stricter(*reject);
            assert!(rule.is_some(), "{reject:?} here, accepted there, and no rule says why");
        }
        (Verdict::Partial, Ok(httparse::Status::Complete(_))) => panic!("accepted there already"),
        (Verdict::Partial, Err(error)) => panic!("{error:?} there, and we wait for more"),
        (Verdict::Partial | Verdict::Rejected(_), _) => {}
    }
}

/// The rule by which we read on where `httparse` has no such version: it is a later 1.x, or what has
/// come of it does not say yet whether it is another major version (505) or none at all (400).
fn of_version(text: &[u8]) -> Option<&'static Rule> {
    let line = text.split(|octet| *octet == b'\n').find(|line| *line != b"\r").unwrap_or_default();
    let is_minor = line.windows(8).any(|w| w.starts_with(b"HTTP/1.") && w[7].is_ascii_digit());
    let begun = line.rsplit(|octet| *octet == b' ').next().unwrap_or_default();
    let is_begun = match begun.strip_prefix(b"HTTP/") {
        Some([major]) => major.is_ascii_digit(),
        Some([major, b'.']) => major.is_ascii_digit(),
        _ => false,
    };
    match (is_minor, is_begun) {
        (true, _) => rules::find("version.minor"),
        (false, true) => rules::find("version.major"),
        (false, false) => None,
    }
}

/// The rule by which a head is refused that `httparse` takes: on these it has no opinion, or another.
fn stricter(reject: Reject) -> Option<&'static Rule> {
    let has_another_opinion = match reject {
        // It takes LF for CR LF, and skips any number of line ends before a request.
        Reject::BareLineEnd | Reject::LeadingBytes | Reject::BadVersion => true,
        // It looks at no name of a method, at few octets of a target, and at no percent-encoding.
        Reject::MethodTooLong
        | Reject::UnknownMethod
        | Reject::ConnectRefused
        | Reject::BadTarget
        | Reject::BadPercent => true,
        // It has no limits, but on the number of fields.
        Reject::TargetTooLong
        | Reject::FieldTooLarge
        | Reject::HeadTooLarge
        | Reject::TooManyFields
        | Reject::ContentTooLarge => true,
        // It gives fields no meaning.
        Reject::HostMissing
        | Reject::HostRepeated
        | Reject::BadHost
        | Reject::BadLength
        | Reject::LengthRepeated
        | Reject::LengthAndEncoding
        | Reject::BadEncoding
        | Reject::UnknownEncoding
        | Reject::EncodingInHttp10
        | Reject::UnknownExpectation => true,
        // Of these it thinks as we do; the others are no matter of heads.
        Reject::BadMethod
        | Reject::UnsupportedVersion
        | Reject::LeadingWhitespace
        | Reject::Folded
        | Reject::BadFieldName
        | Reject::SpaceBeforeColon
        | Reject::BadFieldValue
        | Reject::BadChunkSize
        | Reject::BadChunkExtension
        | Reject::ChunkExtensionsTooLarge
        | Reject::BadChunkEnd
        | Reject::BadTrailer
        | Reject::TrailersTooLarge => false,
    };
    rules::of(reject).next().filter(|_| has_another_opinion)
}

/// Both took it: what they read must be the same, and must hold no stray line end.
fn compare_heads(text: &[u8], theirs: &httparse::Request<'_, '_>) {
    let mut parser = HeadParser::default();
    let Ok(Parsed::Complete(ours)) = parser.parse(text, &RequestLimits::default()) else {
        panic!("accepted with octets behind it, and not without")
    };
    assert_eq!(theirs.method, Some(ours.method.as_str()));
    let target = theirs.path.expect("a whole head has a target").as_bytes();
    match ours.target {
        // An absolute form without path and query means the same to OPTIONS (target.asterisk).
        Target::Asterisk => assert!(target == b"*" || !target.contains(&b'?')),
        Target::Origin { path, query } => {
            let query = query.map_or(Vec::new(), |query| [b"?", query].concat());
            let ours = [path, &query].concat();
            // Of an absolute form we keep what follows the authority (target.absolute).
            let is_rest = target.ends_with(&ours) || path == b"/" && target.ends_with(&query);
            assert!(target == ours || !target.starts_with(b"/") && is_rest, "two targets");
        }
    }
    let trimmed = |value: &[u8]| {
        let blanks = |b: &&u8| matches!(b, b' ' | b'\t');
        let begin = value.iter().take_while(blanks).count();
        let end = value.len() - value[begin..].iter().rev().take_while(blanks).count();
        value[begin..end].to_vec()
    };
    let theirs: Vec<_> =
        theirs.headers.iter().map(|f| (f.name.as_bytes().to_vec(), trimmed(f.value))).collect();
    let ours: Vec<_> = ours.fields().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
    assert_eq!(ours, theirs, "two lists of fields");
    let count = |octet: u8| text.iter().filter(|b| **b == octet).count();
    let line_ends = text.windows(2).filter(|pair| *pair == b"\r\n").count();
    assert_eq!((count(b'\r'), count(b'\n'), count(0)), (line_ends, line_ends, 0));
}
