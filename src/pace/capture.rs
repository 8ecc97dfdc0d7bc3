//! Values taken from answers, for requests that follow.
//!
//! A capture names a key of a JSON object, such as `seq` of `{"seq":7,"device":"light"}`. Only what
//! can stand anywhere in a request without a change of its framing is taken: 1 to 64 of RFC 3986's
//! unreserved characters, as in numbers and plain identifiers. Each worker keeps its own values: what
//! one thread captures, another does not see. No allocation after the first values. Start at
//! [`Captures::take`].

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use std::fmt::{self, Write as _};

/// Bytes of a captured value at most. Chosen: any number, UUID or short token.
const VALUE_BYTES_MAX: usize = 64;

/// What is taken from the answers of one request kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Where it goes: an index into the names of the mix.
    pub slot: usize,
    /// The key of the JSON object that the content is.
    pub key: String,
}

/// The values captured so far.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    values: Vec<String>,
    scratch: String,
    version: u64,
}

impl Captures {
    /// Room for so many names, none captured yet.
    pub fn new(names: usize) -> Captures {
        Captures { values: vec![String::new(); names], ..Captures::default() }
    }

    /// The value of a name, once there is one.
    pub fn get(&self, slot: usize) -> Option<&str> {
        self.values.get(slot).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Grows whenever a value may have changed.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Takes a value from the `content` of an answer; whether it was there and fit to be sent.
    pub fn take(&mut self, capture: &Capture, content: &[u8]) -> bool {
        self.scratch.clear();
        let found = find(content, &capture.key, Scalar(&mut self.scratch));
        if found != Some(true) || !is_fit(&self.scratch) {
            return false;
        }
        std::mem::swap(&mut self.values[capture.slot], &mut self.scratch);
        self.version += 1;
        true
    }
}

/// RFC 3986 section 2.3: unreserved, so the same in a target, a field value and a JSON string.
fn is_fit(value: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=VALUE_BYTES_MAX).contains(&value.len()) && value.bytes().all(is_unreserved)
}

/// The value of `key` in the JSON object that `content` is, read by `seed`; the first of several.
pub(super) fn find<'de, S: DeserializeSeed<'de>>(
    content: &'de [u8],
    key: &str,
    seed: S,
) -> Option<S::Value> {
    let mut json = serde_json::Deserializer::from_slice(content);
    let found = json.deserialize_map(Lookup { key, seed: Some(seed) }).ok()?;
    json.end().ok().and(found)
}

/// Reads a JSON object for the value of one key.
struct Lookup<'a, S> {
    key: &'a str,
    /// Until it is found.
    seed: Option<S>,
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Lookup<'_, S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(is_wanted) = map.next_key_seed(Named(self.key))? {
            match self.seed.take_if(|_| is_wanted) {
                Some(seed) => found = Some(map.next_value_seed(seed)?),
                None => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }
}

/// Whether a key is the one of this name.
struct Named<'a>(&'a str);

impl<'de> DeserializeSeed<'de> for Named<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Named<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<bool, E> {
        Ok(key == self.0)
    }
}

/// Writes a number, a string or a truth value as text; whether it was one.
struct Scalar<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Scalar<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a string, true or false")
    }

    fn visit_u64<E>(self, value: u64) -> Result<bool, E> {
        Ok(write!(self.0, "{value}").is_ok())
    }

    fn visit_i64<E>(self, value: i64) -> Result<bool, E> {
        Ok(write!(self.0, "{value}").is_ok())
    }

    fn visit_f64<E>(self, value: f64) -> Result<bool, E> {
        Ok(write!(self.0, "{value}").is_ok())
    }

    fn visit_bool<E>(self, value: bool) -> Result<bool, E> {
        Ok(write!(self.0, "{value}").is_ok())
    }

    fn visit_str<E>(self, value: &str) -> Result<bool, E> {
        // A longer one is refused afterwards; it need not be copied for that.
        let is_short = value.len() <= VALUE_BYTES_MAX;
        if is_short {
            self.0.push_str(value);
        }
        Ok(is_short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content: &str, expected: Option<&str>) {
        let capture = Capture { slot: 0, key: String::from("seq") };
        let mut captures = Captures::new(1);
        assert_eq!(captures.take(&capture, content.as_bytes()), expected.is_some(), "{content}");
        assert_eq!(captures.get(0), expected, "{content}");
        assert_eq!(captures.version(), u64::from(expected.is_some()));
    }

    #[test]
    fn a_scalar_is_taken_by_its_key() {
        check(r#"{"seq":17,"device":"light","value":75        }"#, Some("17"));
        check(r#"{"a":{"seq":1},"b":["seq",2],"seq":"x-9_Z"}"#, Some("x-9_Z"));
        check(r#"{"seq":-3}"#, Some("-3"));
        check(r#"{"seq":2.5}"#, Some("2.5"));
        check(r#"{"seq":true}"#, Some("true"));
        check(r#"{"\u0073eq":1,"seq":2}"#, Some("1"));
    }

    #[test]
    fn what_is_not_there_or_not_fit_is_not_taken() {
        let long = format!(r#"{{"seq":"{}"}}"#, "x".repeat(VALUE_BYTES_MAX + 1));
        for content in [
            "",
            "{}",
            "7",
            r#"["seq",1]"#,
            r#"{"seq":null}"#,
            r#"{"seq":{"a":1}}"#,
            r#"{"seq":[1]}"#,
            r#"{"seq":""}"#,
            r#"{"seq":"a b"}"#,
            r#"{"seq":"a\r\nHost: x"}"#,
            r#"{"seq":"a&b"}"#,
            r#"{"seq":1"#,
            r#"{"seq":1} x"#,
            &long,
        ] {
            check(content, None);
        }
    }

    #[test]
    fn a_value_stays_until_the_next() {
        let capture = Capture { slot: 1, key: String::from("n") };
        let mut captures = Captures::new(2);
        assert!(captures.take(&capture, br#"{"n":1}"#));
        assert!(!captures.take(&capture, b"{}"));
        assert_eq!((captures.get(0), captures.get(1)), (None, Some("1")));
        assert!(captures.take(&capture, br#"{"n":2}"#));
        assert_eq!((captures.get(1), captures.version()), (Some("2"), 2));
    }
}
