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
/// several ranges, unless it runs over much more than names and paths have.
#[inline]
fn prefix<const CLASS: u8>(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((block, after)) = rest.split_first_chunk::<8>() {
        for (len, octet) in block.iter().enumerate() {
            if !is(CLASS, *octet) {
                return bytes.len() - rest.len() + len;
            }
        }
        rest = after;
    }
    let tail = rest.iter().take_while(|octet| is(CLASS, **octet)).count();
    bytes.len() - rest.len() + tail
}

/// As [`prefix`], for `VALUE`, of which nearly all is visible.
#[inline]
fn value_prefix(bytes: &[u8]) -> usize {
    let len = visible_prefix(bytes);
    // Then an HTAB or obs-text, after which there may be more?
    if bytes.get(len).is_some_and(|octet| is(VALUE, *octet)) {
        return len + prefix::<VALUE>(&bytes[len..]);
    }
    len
}

/// How many octets `bytes` begins with that are visible or SP: one range, so a word at a time.
#[inline]
pub(crate) fn visible_prefix(bytes: &[u8]) -> usize {
    let mut rest = bytes;
    while let Some((word, after)) = rest.split_first_chunk() {
        let unusual = outside_visible(u64::from_le_bytes(*word));
        if unusual != 0 {
            return bytes.len() - rest.len() + (unusual.trailing_zeros() / 8) as usize;
        }
        rest = after;
    }
    let is_visible = |octet: &&u8| matches!(octet, b' '..=b'~');
    bytes.len() - rest.len() + rest.iter().take_while(is_visible).count()
}

/// Whether `octets` are all decimal digits.
#[inline]
pub(crate) const fn are_digits(octets: [u8; 4]) -> bool {
    const fn repeat(octet: u8) -> u32 {
        u32::from_ne_bytes([octet; 4])
    }
    // As in `outside_visible`: a mark that is due to a carry has a true one before it.
    let word = u32::from_le_bytes(octets);
    let below = word.wrapping_sub(repeat(b'0'));
    let above = word.wrapping_add(repeat(0x7f - b'9'));
    (below | above | word) & repeat(0x80) == 0
}

/// Marks, by its highest bit, the first octet of `word` that is not within SP to `~`. What borrows
/// from or carries into the octet behind it is itself marked: only those behind the first may be
/// marked wrongly.
#[inline]
const fn outside_visible(word: u64) -> u64 {
    let below = word.wrapping_sub(repeat(b' '));
    let above = word.wrapping_add(repeat(0x7f - b'~'));
    (below | above | word) & repeat(0x80)
}

/// The same octet in every place of a word.
const fn repeat(octet: u8) -> u64 {
    u64::from_ne_bytes([octet; 8])
}

#[cfg(test)]
thread_local! {
    /// Octets that [`skip`] has looked at on this thread: what the tests of linear work count.
    pub(crate) static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Whether `text` is `lower` in any case. `text` holds no controls (a token or a field value does
/// not), and `lower`, of 4 to 16 octets, only letters, digits and hyphens: so the bit that makes a
/// letter small makes nothing else equal. Compares two words, which may overlap.
#[inline]
pub(crate) fn is_folded<const N: usize>(text: &[u8], lower: &[u8; N]) -> bool {
    const { assert!(4 <= N && N <= 16) };
    let Some((text, [])) = text.split_first_chunk::<N>() else { return false };
    if N < 8 {
        let half =
            |octets: &[u8; N], at| octets[at..].first_chunk().map(|h| u32::from_le_bytes(*h));
        let differs = |at| half(text, at).map(|h| h | 0x2020_2020) != half(lower, at);
        !differs(0) && !differs(N - 4)
    } else {
        let word =
            |octets: &[u8; N], at| octets[at..].first_chunk().map(|w| u64::from_le_bytes(*w));
        let differs = |at| word(text, at).map(|w| w | repeat(0x20)) != word(lower, at);
        !differs(0) && !differs(N - 8)
    }
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
pub(crate) fn trim(value: &[u8]) -> &[u8] {
    trim_end(trim_start(value))
}

/// The first half of [`trim`].
#[inline]
pub(crate) fn trim_start(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    value
}

/// The second half of [`trim`].
#[inline]
pub(crate) fn trim_end(mut value: &[u8]) -> &[u8] {
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
