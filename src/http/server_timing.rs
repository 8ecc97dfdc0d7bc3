//! The Server-Timing field of a response (W3C Server Timing, section 3): what the server says it
//! spent its time on.
//!
//! Strict, and never a reason to refuse a response: a field that does not follow the grammar, or
//! says something else than a span, is counted as malformed and gives no spans. Memory is fixed and
//! nothing is allocated. Not here: what a name means. Start at [`ServerTiming::read`].

use super::bytes;
use crate::units::Nanos;

/// Spans of one response that are kept. Chosen: servers name three or four.
pub const SPANS_MAX: usize = 8;

/// Longest name that is kept; longer ones are cut. Chosen: names are words.
pub const NAME_BYTES_MAX: usize = 23;

/// A span above this is no span of a request. Chosen: as long as a histogram reaches.
const SPAN_MAX: Nanos = Nanos::from_secs(3_600);

/// One named span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    name: [u8; NAME_BYTES_MAX],
    name_len: u8,
    /// How long it took.
    pub span: Nanos,
}

impl Span {
    /// Its name: a token (RFC 9110 section 5.6.2), so ASCII.
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.name[..usize::from(self.name_len)]).unwrap_or_default()
    }
}

/// What the Server-Timing fields of a response come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerTiming {
    spans: [Span; SPANS_MAX],
    len: u8,
    is_malformed: bool,
}

impl ServerTiming {
    /// The spans, in the order of the field. Metrics without a duration are none.
    pub fn spans(&self) -> &[Span] {
        &self.spans[..usize::from(self.len)]
    }

    /// Whether a field did not follow the grammar.
    pub fn is_malformed(&self) -> bool {
        self.is_malformed
    }

    /// Whether there was no such field.
    pub fn is_empty(&self) -> bool {
        self.len == 0 && !self.is_malformed
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        (self.len, self.is_malformed) = (0, false);
    }

    /// Takes one more field line. A malformed one gives no spans, not even those before its fault.
    pub fn read(&mut self, value: &[u8]) {
        let before = self.len;
        for metric in elements(value, b',') {
            // RFC 9110 section 5.6.1.2: a recipient ignores empty elements of a list.
            let metric = bytes::trim(metric);
            if !metric.is_empty() && self.read_metric(metric).is_none() {
                (self.len, self.is_malformed) = (before, true);
                return;
            }
        }
    }

    /// `token *( OWS ";" OWS token OWS "=" OWS ( token / quoted-string ) )`; `None` if it is not.
    fn read_metric(&mut self, metric: &[u8]) -> Option<()> {
        let mut parts = elements(metric, b';').map(bytes::trim);
        let name = parts.next().filter(|name| is_token(name))?;
        let mut duration = None;
        for parameter in parts {
            let equals = parameter.iter().position(|byte| *byte == b'=')?;
            let (key, value) = (bytes::trim(&parameter[..equals]), &parameter[equals + 1..]);
            let value = unquoted(bytes::trim(value))?;
            if !is_token(key) {
                return None;
            }
            // Section 3: of repeated parameters the first counts.
            if key.eq_ignore_ascii_case(b"dur") && duration.is_none() {
                duration = Some(millis(value)?);
            }
        }
        if let Some(span) = duration
            && usize::from(self.len) < SPANS_MAX
        {
            let name_len = name.len().min(NAME_BYTES_MAX);
            let entry = &mut self.spans[usize::from(self.len)];
            *entry = Span { name_len: name_len as u8, span, ..Span::default() };
            entry.name[..name_len].copy_from_slice(&name[..name_len]);
            self.len += 1;
        }
        Some(())
    }
}

/// The pieces between separators that do not stand within a quoted string.
fn elements(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |byte| {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            _ => return !is_quoted && *byte == separator,
        }
        false
    })
}

/// A token as it is, a quoted string without its quotes.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', inside @ .., b'"'] => Some(inside),
        token => is_token(token).then_some(token),
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| bytes::is(bytes::TOKEN, *byte))
}

/// Milliseconds as decimal digits with an optional fraction; what is finer than 1 ns is dropped.
fn millis(text: &[u8]) -> Option<Nanos> {
    const FRACTION_DIGITS: usize = 6;
    let dot = text.iter().position(|byte| *byte == b'.');
    let (whole, fraction) = text.split_at(dot.unwrap_or(text.len()));
    let fraction = fraction.strip_prefix(b".").unwrap_or(b"0");
    if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut ns = bytes::decimal(whole)?.checked_mul(1_000_000)?;
    let mut unit = 100_000;
    for digit in fraction.iter().take(FRACTION_DIGITS) {
        ns = ns.checked_add(u64::from(digit - b'0') * unit)?;
        unit /= 10;
    }
    Some(Nanos(ns)).filter(|span| *span <= SPAN_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: Option<&[(&str, u64)]>) {
        let mut timing = ServerTiming::default();
        timing.read(value.as_bytes());
        let spans: Vec<(&str, u64)> =
            timing.spans().iter().map(|span| (span.name(), span.span.0)).collect();
        assert_eq!(timing.is_malformed(), expected.is_none(), "{value}");
        assert_eq!(spans, expected.unwrap_or_default(), "{value}");
    }

    #[test]
    fn spans_are_read_as_the_standard_has_them() {
        check("queue;dur=0.012, work;dur=1", Some(&[("queue", 12_000), ("work", 1_000_000)]));
        check("miss, db;dur=53.2", Some(&[("db", 53_200_000)]));
        check("db;desc=\"a, b;c \\\" d\";dur=\"2\"", Some(&[("db", 2_000_000)]));
        check("a ; DUR = 0.0000019 ; dur=9", Some(&[("a", 1)]));
        check(", a;dur=1,", Some(&[("a", 1_000_000)]));
        check("", Some(&[]));
    }

    #[test]
    fn what_breaks_the_grammar_gives_no_spans_at_all() {
        for value in [
            "a;dur=1, b;dur=x",
            "a;dur=-1",
            "a;dur=1e3",
            "a;dur=1.",
            "a;dur=.5",
            "a;dur=",
            "a;dur",
            "a b;dur=1",
            ";dur=1",
            "a;dur=\"1",
            "a;dur=99999999999999999999",
            "a;dur=NaN",
            "a;dur=3600001",
        ] {
            check(value, None);
        }
    }

    #[test]
    fn memory_is_bounded_whatever_a_server_says() {
        let many: Vec<String> = (0..20).map(|k| format!("n{k};dur={k}")).collect();
        let mut timing = ServerTiming::default();
        timing.read(many.join(",").as_bytes());
        assert_eq!(timing.spans().len(), SPANS_MAX);
        let mut timing = ServerTiming::default();
        timing.read(format!("{};dur=1", "x".repeat(99)).as_bytes());
        assert_eq!(timing.spans()[0].name().len(), NAME_BYTES_MAX);
        timing.clear();
        assert!(timing.is_empty());
    }
}
