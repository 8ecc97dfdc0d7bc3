//! The bearer token that requests have to carry, if the server was given one (RFC 6750).
//!
//! Comparing takes a time that depends on what was presented and not on the token, so that nobody can
//! guess it octet by octet. The token shows in no message and in no debug output. Not here: reading
//! it from a file, which paths are open to everybody; see `router`. Start at [`Token::admits`].

use std::fmt;

/// A secret that admits whoever knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Vec<u8>);

/// Why some text cannot be a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoToken {
    /// There is nothing in it.
    Empty,
    /// There is more than a head may hold.
    TooLong,
    /// An octet that no Authorization field can carry within a token.
    Octet {
        /// The octet.
        octet: u8,
        /// Where it stands, from 0.
        at: usize,
    },
}

/// Chosen: far longer than any token, and far below the default limit of a field line.
const TOKEN_BYTES_MAX: usize = 4096;

impl Token {
    /// The token that `text` is, the line end behind it apart.
    ///
    /// # Errors
    /// `text` is no `b64token` (RFC 6750 section 2.1): letters, digits, `-._~+/`, then `=`.
    pub fn new(text: &[u8]) -> Result<Token, NoToken> {
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let body = &line[..line.len() - line.iter().rev().take_while(|b| **b == b'=').count()];
        let is_allowed = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+/".contains(b);
        match body.iter().position(|octet| !is_allowed(octet)) {
            Some(at) => Err(NoToken::Octet { octet: body[at], at }),
            None if line.is_empty() => Err(NoToken::Empty),
            None if body.is_empty() => Err(NoToken::Octet { octet: b'=', at: 0 }),
            None if line.len() > TOKEN_BYTES_MAX => Err(NoToken::TooLong),
            None => Ok(Token(line.to_vec())),
        }
    }

    /// Whether the value of an Authorization field is `Bearer`, in any case (RFC 9110 section 11.1),
    /// and this token.
    pub fn admits(&self, authorization: Option<&[u8]>) -> bool {
        presented(authorization).is_some_and(|presented| self.equals(presented))
    }

    /// Looks at every octet presented, whatever it finds on the way.
    fn equals(&self, presented: &[u8]) -> bool {
        let ours = self.0.iter().cycle();
        let differing = presented.iter().zip(ours).fold(0, |seen, (a, b)| seen | (a ^ b));
        std::hint::black_box(differing) == 0 && presented.len() == self.0.len()
    }
}

/// What the value of an Authorization field presents as a bearer token, if it is of that scheme.
pub fn presented(authorization: Option<&[u8]>) -> Option<&[u8]> {
    let (scheme, rest) = authorization?.split_at_checked(SCHEME.len())?;
    let blanks = rest.iter().take_while(|b| **b == b' ').count();
    (scheme.eq_ignore_ascii_case(SCHEME) && blanks > 0).then(|| &rest[blanks..])
}

const SCHEME: &[u8] = b"Bearer";

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoToken::Empty => f.write_str("is empty; write the token into it"),
            NoToken::TooLong => write!(f, "holds more than {TOKEN_BYTES_MAX} octets"),
            NoToken::Octet { octet, at } => write!(
                f,
                "holds the byte 0x{octet:02x} at {at}; a token is one line of letters, digits and \
                 -._~+/, then perhaps = (RFC 6750)"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(authorization: &str, admitted: bool) {
        let token = Token::new(b"s3cret-Token==\n").unwrap();
        assert_eq!(token.admits(Some(authorization.as_bytes())), admitted, "{authorization}");
    }

    #[test]
    fn the_token_admits_and_nothing_else_does() {
        for good in ["Bearer s3cret-Token==", "bearer s3cret-Token==", "BEARER  s3cret-Token=="] {
            check(good, true);
        }
        for bad in [
            "",
            "Bearer",
            "Bearer ",
            "Bearers3cret-Token==",
            "Bearer s3cret-Token=",
            "Bearer s3cret-Token===",
            "Bearer s3cret-token==",
            "Bearer s3cret-Token==s3cret-Token==",
            "Bearer s3cret-Token== x",
            "Basic s3cret-Token==",
            "s3cret-Token==",
        ] {
            check(bad, false);
        }
        assert!(!Token::new(b"x").unwrap().admits(None));
    }

    #[test]
    fn text_that_no_field_can_carry_is_no_token() {
        let octet = |octet, at| Err(NoToken::Octet { octet, at });
        for (text, expected) in [
            (&b""[..], Err(NoToken::Empty)),
            (b"\r\n", Err(NoToken::Empty)),
            (b"a b", octet(b' ', 1)),
            (b"a\nb\n", octet(b'\n', 1)),
            (b"a\n\n", octet(b'\n', 1)),
            (b"a=b", octet(b'=', 1)),
            (b"==", octet(b'=', 0)),
            (b"caf\xc3\xa9", octet(0xc3, 3)),
            (b"abc\r\n", Ok(Token(b"abc".to_vec()))),
        ] {
            assert_eq!(Token::new(text), expected, "{}", text.escape_ascii());
        }
        assert_eq!(Token::new(&[b'x'; 5000]), Err(NoToken::TooLong));
    }

    #[test]
    fn nothing_that_is_printed_tells_the_token() {
        assert_eq!(format!("{:?}", Token::new(b"s3cret").unwrap()), "Token(..)");
    }
}
