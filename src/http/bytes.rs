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

/// The first position at or after `from` whose octet is not in `CLASS`, or the end of `bytes`.
#[inline]
pub(crate) fn skip<const CLASS: u8>(bytes: &[u8], from: usize) -> usize {
    let rest = &bytes[from..];
    let len = if CLASS == VALUE { value_prefix(rest) } else { prefix::<CLASS>(rest) };
    #[cfg(test)]
    VISITED.set(VISITED.get() + len + 1);
    from + len
}

/// How many octets `bytes` begins with that are in `CLASS`. By blocks of a known length, which the
/// compiler unrolls to three instructions an octet; a word at a time is no faster for a class of
/// several ranges.
#[inline]
fn prefix<const CLASS: u8>(bytes: &[u8]) -> usize {
    let mut len = 0;
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        for octet in block {
            if !is(CLASS, *octet) {
                return len;
            }
            len += 1;
        }
        rest = after;
    }
    len + rest.iter().take_while(|octet| is(CLASS, **octet)).count()
}

/// As [`prefix`], for `VALUE`, which is nearly one range: a word at a time.
#[inline]
fn value_prefix(bytes: &[u8]) -> usize {
    let mut len = 0;
    while let Some(word) = bytes[len..].first_chunk() {
        let unusual = outside_visible(u64::from_le_bytes(*word));
        if unusual == 0 {
            len += 8;
            continue;
        }
        len += (unusual.trailing_zeros() / 8) as usize;
        if !is(VALUE, bytes[len]) {
            return len;
        }
        len += 1; // HTAB or obs-text
    }
    len + prefix::<VALUE>(&bytes[len..])
}

/// The same octet in every place of a word.
const fn repeat(octet: u8) -> u64 {
    u64::from_ne_bytes([octet; 8])
}

/// Marks, by its highest bit, every octet of `word` that is not within SP to `~`. The seven low bits
/// are compared by carries, which cannot reach the next octet.
#[inline]
const fn outside_visible(word: u64) -> u64 {
    let low = word & repeat(0x7f);
    let reaches_first = low + repeat(0x80 - b' ');
    let exceeds_last = low + repeat(0x7f - b'~');
    (!reaches_first | exceeds_last | word) & repeat(0x80)
}

#[cfg(test)]
thread_local! {
    /// Octets that [`skip`] has looked at on this thread: what the tests of linear work count.
    pub(crate) static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
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
    let mut n: u64 = 0;
    for octet in text {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        n = n.saturating_mul(10).saturating_add(u64::from(digit));
    }
    (!text.is_empty()).then_some(n)
}

#[cfg(test)]
mod tests;
