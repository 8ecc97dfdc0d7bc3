//! Classes of octets, as one table, and the loops that run over them.
//!
//! Every hot loop of the parsers is one call of [`skip`] with a class, so that a faster way to scan
//! (words, vectors) is a change of this file alone. Not here: any grammar above single octets, but
//! for the small things (decimal numbers, trimming, lists) that several readers share.

/// `tchar` of RFC 9110 §5.6.2: methods, field names, tokens.
pub(crate) const TOKEN: u8 = 1 << 0;
/// `pchar` and `/` of RFC 3986 §3.3, without `%`, whose two digits must be looked at.
pub(crate) const PATH: u8 = 1 << 1;
/// What a query may hold (RFC 3986 §3.4): as `PATH`, and `?`.
pub(crate) const QUERY: u8 = 1 << 2;
/// What a field value may hold (RFC 9110 §5.5): HTAB, SP, visible octets, obs-text.
pub(crate) const VALUE: u8 = 1 << 3;
/// `reg-name` of RFC 3986 §3.2.2, without `%`, and without the comma: a comma in a Host field is
/// two hosts in one line far more often than it is a name.
pub(crate) const HOST: u8 = 1 << 4;
/// An absolute target before it is taken apart: as `QUERY`, and `%`, `[`, `]`.
pub(crate) const ABSOLUTE: u8 = 1 << 5;
/// Inside a quoted-string (RFC 9110 §5.6.4), but for the quote and the backslash.
pub(crate) const QUOTED: u8 = 1 << 6;

static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        table[octet] = classes_of(octet as u8);
        octet += 1;
    }
    table
}

const fn classes_of(b: u8) -> u8 {
    let unreserved = b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let sub_delim =
        matches!(b, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=');
    let path = unreserved || sub_delim || matches!(b, b':' | b'@' | b'/');
    let value = b == b'\t' || (b >= b' ' && b != 0x7f);
    let token = b.is_ascii_alphanumeric()
        || matches!(b, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+')
        || matches!(b, b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~');
    let mut set = 0;
    if token {
        set |= TOKEN;
    }
    if path {
        set |= PATH;
    }
    if path || b == b'?' {
        set |= QUERY;
    }
    if value {
        set |= VALUE;
    }
    if (unreserved || sub_delim) && b != b',' {
        set |= HOST;
    }
    if path || matches!(b, b'?' | b'%' | b'[' | b']') {
        set |= ABSOLUTE;
    }
    if value && b != b'"' && b != b'\\' {
        set |= QUOTED;
    }
    set
}

/// Whether `b` is in `class`.
#[inline]
pub(crate) fn is(class: u8, b: u8) -> bool {
    CLASSES[usize::from(b)] & class != 0
}

/// The first position from `at` whose octet is not in `class`, or the end of `bytes`.
#[inline]
pub(crate) fn skip(class: u8, bytes: &[u8], at: usize) -> usize {
    let mut at = at;
    while at < bytes.len() && is(class, bytes[at]) {
        at += 1;
    }
    at
}

/// The value of a hexadecimal digit.
#[inline]
pub(crate) fn hex_value(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        b'A'..=b'F' => Some(b - b'A' + 10),
        _ => None,
    }
}

/// `value` without the SP and HTAB around it (OWS, RFC 9110 §5.6.3), and nothing else: VT, FF and
/// NBSP are no whitespace here, since a peer may see them as part of the value.
#[inline]
pub(crate) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The elements of a comma-separated list, trimmed; empty ones included.
pub(crate) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|b| *b == b',').map(trim)
}

/// Reads `1*DIGIT` and nothing else. Leading zeros are decimal zeros; what does not fit saturates
/// at `u64::MAX`, which no limit allows. `None` if it is no such number.
pub(crate) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = text.iter().map(|b| u64::from(b - b'0'));
    Some(digits.fold(0, |n: u64, digit| n.saturating_mul(10).saturating_add(digit)))
}

#[cfg(test)]
mod tests;
