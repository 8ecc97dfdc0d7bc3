//! The URL of a server under test, as typed, taken apart.
//!
//! Only what the pacer can do: `http` over TCP, or over a Unix socket that is written as nginx writes
//! it (`unix:/run/app.sock:/path`), as Python's and Docker's clients do
//! (`http+unix://%2Frun%2Fapp.sock/path`), or beside an http URL as curl takes it
//! ([`Url::over_socket`]). Not here: resolving the host, which asks the system (see `pace::run`).

use super::mix::is_origin_form;
use crate::http::target::decode_segment;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A server and a path on it. Prints as it may be typed, with the port always shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    host: String,
    port: u16,
    path: String,
    /// Connect to this Unix socket; host and port are for the Host field only.
    socket: Option<PathBuf>,
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

    /// The Unix socket to connect to instead of host and port.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The same request over a Unix socket; host and port stay in the Host field.
    pub fn over_socket(self, socket: PathBuf) -> Url {
        Url { socket: Some(socket), ..self }
    }

    /// Whether both name the same server in the same words.
    pub fn has_server_of(&self, other: &Url) -> bool {
        (&self.host, self.port, &self.socket) == (&other.host, other.port, &other.socket)
    }

    /// What a Host field says: an IPv6 address in brackets, and the port even where it is 80, but
    /// for a Unix socket, which has none.
    pub fn authority(&self) -> String {
        match (self.host.contains(':'), &self.socket, self.port) {
            (false, Some(_), 80) => self.host.clone(),
            (true, ..) => format!("[{}]:{}", self.host, self.port),
            (false, ..) => format!("{}:{}", self.host, self.port),
        }
    }

    fn unix(socket: &str, path: &str, text: &str) -> Result<Url, String> {
        let path = from_root(path);
        check_path(&path, text)?;
        if !socket.starts_with('/') {
            return Err(format!(
                "`{text}` names no socket by its full path; write one like \
                 `unix:/run/app.sock:/path`"
            ));
        }
        let socket = Some(PathBuf::from(socket));
        Ok(Url { host: String::from("localhost"), port: 80, path, socket })
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(socket) => write!(f, "unix:{}:{}", socket.display(), self.path),
            None => write!(f, "http://{}{}", self.authority(), self.path),
        }
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Url, String> {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("https://") {
            return Err(format!(
                "`{text}` asks for TLS, which the pacer does not speak: measure the plain port \
                 behind the server's TLS, http://; see `Not there` in README.md"
            ));
        }
        if lower.starts_with("unix:") {
            let rest = text["unix:".len()..].trim_start_matches("//");
            let (socket, path) = rest.split_once(':').unwrap_or((rest, ""));
            return Url::unix(socket, path, text);
        }
        if lower.starts_with("http+unix://") {
            let rest = &text["http+unix://".len()..];
            let (socket, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            let socket = percent_decoded(socket)
                .ok_or_else(|| format!("`{socket}` in `{text}` is no percent-encoded path"))?;
            return Url::unix(&socket, path, text);
        }
        if !lower.starts_with("http://") {
            return Err(format!("`{text}` is no URL; write one like `http://127.0.0.1:8080/path`"));
        }
        let rest = &text["http://".len()..];
        let path_at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path_at);
        let path = from_root(path);
        check_path(&path, text)?;
        let (host, port) = split_authority(authority).map_err(|why| format!("`{text}`: {why}"))?;
        Ok(Url { host, port, path, socket: None })
    }
}

/// A path that is empty, as it may be before a query (RFC 3986 section 3.3), is `/` in a request line
/// (RFC 9112 section 3.2.1).
fn from_root(path: &str) -> String {
    match path.is_empty() || path.starts_with('?') {
        true => format!("/{path}"),
        false => String::from(path),
    }
}

fn check_path(path: &str, text: &str) -> Result<(), String> {
    match is_origin_form(path) {
        true => Ok(()),
        false => Err(format!(
            "`{path}` in `{text}` is no path; it starts with `/` and holds printable ASCII \
             without spaces and `#`"
        )),
    }
}

/// RFC 3986 section 2.1; what it comes to is UTF-8, as paths mostly are.
fn percent_decoded(text: &str) -> Option<String> {
    let mut buffer = vec![0; text.len()];
    let bytes = decode_segment(text.as_bytes(), &mut buffer)?;
    String::from_utf8(bytes.to_vec()).ok()
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
        check("http://h?x=1", Ok(("h", 80, "/?x=1")));
        check("http://h:81?", Ok(("h", 81, "/?")));
        check("http://h/?x", Ok(("h", 80, "/?x")));
    }

    #[track_caller]
    fn check_socket(text: &str, socket: &str, path: &str) {
        let url: Url = text.parse().unwrap();
        assert_eq!((url.socket(), url.path()), (Some(Path::new(socket)), path), "{text}");
        assert_eq!(url.authority(), "localhost", "{text}");
    }

    #[test]
    fn unix_sockets_are_named_as_nginx_docker_and_curl_do() {
        check_socket("unix:/run/a.sock:/x?y", "/run/a.sock", "/x?y");
        check_socket("unix:///run/a.sock", "/run/a.sock", "/");
        check_socket("http+unix://%2Frun%2Fa.sock/x", "/run/a.sock", "/x");
        check_socket("http+unix://%2Frun%2Fa.sock?x", "/run/a.sock", "/?x");
        check_socket("unix:/run/a.sock:?x=1", "/run/a.sock", "/?x=1");
        check("unix:run/a.sock", Err("full path"));
        check("unix:/run/a.sock:x", Err("is no path"));
        check("http+unix://%2/x", Err("percent-encoded"));
        check("http+unix://%zz/x", Err("percent-encoded"));
        let url: Url = "http://h:81/x".parse().unwrap();
        let over = url.clone().over_socket(PathBuf::from("/a.sock"));
        assert_eq!((over.authority(), over.to_string()), ("h:81".into(), "unix:/a.sock:/x".into()));
        assert!(!over.has_server_of(&url) && url.has_server_of(&"http://h:81/y".parse().unwrap()));
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
        check("http://h#x", Err("is no path"));
        check("http://h?x#y", Err("is no path"));
        check("http://h/\r\nX: y", Err("is no path"));
    }

    #[test]
    fn a_url_prints_with_its_port() {
        assert_eq!("http://[::1]/x".parse::<Url>().unwrap().to_string(), "http://[::1]:80/x");
    }
}
