//! The URL of a server under test, as typed, taken apart.
//!
//! Only what the pacer can do: `http`, a host, a port, a path with its query. Not here: resolving
//! the host, which asks the system (see `pace::run`).

use super::mix::is_origin_form;
use std::fmt;
use std::str::FromStr;

/// `http://host:port/path`. Prints as that, with the port always shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    path: String,
}

impl Url {
    /// The host to resolve: a name, an IPv4 address, or an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 80 unless typed.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The target of the request line, from its `/` on.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What a Host field says: an IPv6 address in brackets, and the port even where it is 80.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("https://") {
            return Err(format!(
                "`{text}` asks for TLS, which the pacer does not speak; use http://"
            ));
        }
        if !lower.starts_with("http://") {
            return Err(format!("`{text}` is no URL; write one like `http://127.0.0.1:8080/path`"));
        }
        let rest = &text["http://".len()..];
        let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let path = if path.is_empty() { "/" } else { path };
        if !is_origin_form(path) {
            return Err(format!(
                "`{path}` in `{text}` is no path; it starts with `/` and holds printable ASCII \
                 without spaces and `#`"
            ));
        }
        let (host, port) = split_authority(authority).map_err(|why| format!("`{text}`: {why}"))?;
        Ok(Url { host, port, path: String::from(path) })
    }
}

fn split_authority(authority: &str) -> Result<(String, u16), String> {
    if authority.contains('@') {
        return Err(String::from("user names and passwords are not sent; leave them out"));
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("the bracket is not closed")?;
            host.parse::<std::net::Ipv6Addr>()
                .map_err(|_| format!("`{host}` is no IPv6 address"))?;
            (host, port)
        }
        None => {
            let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
            if host.is_empty() || !host.bytes().all(is_host_byte) {
                return Err(format!("`{host}` is no host"));
            }
            (host, port)
        }
    };
    Ok((String::from(host), parsed_port(port)?))
}

/// `text` is empty or begins with a colon.
fn parsed_port(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Ok(80);
    }
    text.strip_prefix(':')
        .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|digits| digits.parse().ok())
        .filter(|port| *port != 0)
        .ok_or_else(|| format!("`{text}` is no port; write `:1` to `:65535`"))
}

fn is_host_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, u16, &str), &str>) {
        match (text.parse::<Url>(), expected) {
            (Ok(url), Ok(parts)) => assert_eq!((url.host(), url.port(), url.path()), parts),
            (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        check("http://127.0.0.1:8080/devices/status", Ok(("127.0.0.1", 8080, "/devices/status")));
        check("HTTP://localhost", Ok(("localhost", 80, "/")));
        check("http://[::1]:9000/a?b=%20", Ok(("::1", 9000, "/a?b=%20")));
        check("http://[::1]", Ok(("::1", 80, "/")));
    }

    #[test]
    fn what_cannot_be_paced_is_refused_in_a_sentence() {
        check("https://h/", Err("TLS"));
        check("h:80", Err("is no URL"));
        check("", Err("is no URL"));
        check("http://", Err("is no host"));
        check("http://a b/", Err("is no host"));
        check("http://u:p@h/", Err("user names"));
        check("http://h:0/", Err("is no port"));
        check("http://h:65536/", Err("is no port"));
        check("http://h:+80/", Err("is no port"));
        check("http://h:/", Err("is no port"));
        check("http://[::1/", Err("bracket"));
        check("http://[zz]/", Err("no IPv6"));
        check("http://[::1]x/", Err("is no port"));
        check("http://h/#top", Err("is no path"));
        check("http://h?x", Err("is no path"));
        check("http://h/\r\nX: y", Err("is no path"));
    }

    #[test]
    fn a_url_prints_with_its_port() {
        assert_eq!("http://[::1]/x".parse::<Url>().unwrap().to_string(), "http://[::1]:80/x");
    }
}
