//! What is requested: the kinds of a mix, how often each is picked, and what counts as a good
//! answer.
//!
//! A mix is a TOML file of `[[request]]` tables, or one GET of a URL. It is checked whole before
//! anything is sent; what is wrong is one sentence with file and line. [`Mix::pick`] depends on the
//! seed and the request's number alone, so any number of threads sends the same sequence. Not
//! here: when requests are due (see `schedule`), what placeholders in them mean (see `template`),
//! reading files. Start at [`Mix::parse`].

mod file;

use super::capture::Capture;
use super::delivery::Publication;
use super::template::{Head, Template, Text};
use crate::rng::mix64;

/// The request kinds of a run; at least one, and a total weight of at least 1.
#[derive(Clone, Debug)]
pub struct Mix {
    kinds: Vec<Kind>,
    weight_total: u64,
    /// What some request captures.
    names: Vec<String>,
}

/// One request kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name in the results; unique in the mix.
    pub name: String,
    /// How often it is picked, relative to the others.
    pub weight: u32,
    /// What counts as a good answer.
    pub expect: Expect,
    /// What is taken from its answers; one that lacks it is not what was expected.
    pub captures: Vec<Capture>,
    /// Where its answers say when what they bring was published; one that does not is none the worse.
    pub published: Option<Publication>,
    /// The server takes its time to answer: a long poll, which is kept out of the overall latency.
    pub long_poll: bool,
    /// Answers have no content whatever their Content-Length says (HEAD).
    pub is_head: bool,
    /// May be sent a second time when an idle connection turns out to have been closed: GET and
    /// HEAD only (RFC 9110 section 9.2.2).
    pub may_retry: bool,
    method: String,
    path: Text,
    headers: Vec<(String, Text)>,
    body: Text,
    /// A token that is sent and stands in no result, not even in a hash.
    bearer: Option<String>,
}

/// A request as typed on the command line, nothing of it checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Single {
    /// GET, or POST where there is a body, unless given.
    pub method: Option<String>,
    /// An origin-form target as `Url` checks it.
    pub path: String,
    /// Each a `Name: value`.
    pub headers: Vec<String>,
    /// Empty for none.
    pub body: Vec<u8>,
}

/// What counts as a good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// This status; any 2xx if none is given.
    pub status: Option<u16>,
    /// This many bytes of content; any number if none is given.
    pub bytes: Option<u64>,
}

impl Expect {
    /// Whether an answer of `status` with `content_bytes` is what was expected.
    pub fn accepts(self, status: u16, content_bytes: u64) -> bool {
        let status_fits = match self.status {
            Some(expected) => status == expected,
            None => (200..300).contains(&status),
        };
        status_fits && self.bytes.is_none_or(|expected| content_bytes == expected)
    }
}

/// Keeps the draws of the mix apart from those of the arrivals, which have the same seed.
const MIX_STREAM: u64 = 0x3137;

impl Mix {
    /// The mix of one kind, a GET of `path`, which is an origin-form target as `Url` checks it.
    pub fn single(path: &str) -> Mix {
        let single = Single { path: String::from(path), ..Single::default() };
        Mix::one(single).expect("a GET without headers has nothing to find fault with")
    }

    /// The mix of one kind, which is named after its method. The error is a sentence that names the
    /// flag.
    pub fn one(typed: Single) -> Result<Mix, String> {
        Ok(Mix { kinds: vec![Kind::typed(typed)?], weight_total: 1, names: Vec::new() })
    }

    /// The mix of several that are picked equally often, each named after its method and path; what
    /// is typed twice is picked twice as often.
    pub fn several(typed: Vec<Single>) -> Result<Mix, String> {
        let weight_total = typed.len() as u64;
        let mut kinds: Vec<Kind> = Vec::new();
        for single in typed {
            let path = single.path.clone();
            let kind = Kind::typed(single)?;
            let name = format!("{} {path}", kind.name);
            match kinds.iter_mut().find(|other| other.name == name) {
                Some(same) => same.weight += 1,
                None => kinds.push(Kind { name, ..kind }),
            }
        }
        Ok(Mix { kinds, weight_total, names: Vec::new() })
    }

    /// Sends `Authorization: Bearer` with every request. The error is a sentence.
    pub fn authorize(&mut self, token: &str) -> Result<(), String> {
        check_token(token)?;
        for kind in &mut self.kinds {
            if kind.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
                return Err(format!("`{}` has an Authorization of its own", kind.name));
            }
            kind.bearer = Some(String::from(token));
        }
        Ok(())
    }

    /// Reads a mix. `file` names it in messages, which have the form `FILE:LINE: sentence`.
    pub fn parse(file: &str, text: &str) -> Result<Mix, String> {
        file::parse(text).map_err(|fault| {
            let line = 1 + text[..fault.at.min(text.len())].matches('\n').count();
            format!("{file}:{line}: {}", fault.sentence)
        })
    }

    /// The kinds, in the order of the file; [`Mix::pick`] gives an index into them.
    pub fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// What some request captures; captures and placeholders give indices into it.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Which kind request `k` is of. Stateless: the same for any number of threads.
    pub fn pick(&self, seed: u64, k: u64) -> usize {
        if self.kinds.len() == 1 {
            return 0;
        }
        let bits = mix64(mix64(seed, MIX_STREAM), k);
        let mut drawn = ((u128::from(bits) * u128::from(self.weight_total)) >> 64) as u64;
        for (index, kind) in self.kinds.iter().enumerate() {
            match drawn.checked_sub(u64::from(kind.weight)) {
                None => return index,
                Some(rest) => drawn = rest,
            }
        }
        unreachable!("what is drawn lies below the sum of the weights")
    }
}

impl Kind {
    /// A kind that is named after its method. The error is a sentence that names the flag.
    fn typed(typed: Single) -> Result<Kind, String> {
        let default = if typed.body.is_empty() { "GET" } else { "POST" };
        let method = typed.method.unwrap_or_else(|| String::from(default));
        check_method(&method).map_err(|why| format!("--method: {why}"))?;
        if !typed.body.is_empty() {
            check_takes_body(&method).map_err(|why| format!("--body: {why}"))?;
        }
        let mut headers = Vec::new();
        for header in &typed.headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("-H: `{header}` is no header; write `Name: value`"))?;
            let value = value.trim_matches([' ', '\t']);
            check_header(name, value).map_err(|why| format!("-H: {why}"))?;
            headers.push((String::from(name), Text::literal(value)));
        }
        let body = Text::literal(typed.body);
        Ok(Kind {
            name: method.to_ascii_lowercase(),
            weight: 1,
            expect: Expect::default(),
            captures: Vec::new(),
            published: None,
            long_poll: false,
            is_head: method == "HEAD",
            may_retry: is_repeatable(&method),
            method,
            path: Text::literal(typed.path),
            headers,
            body,
            bearer: None,
        })
    }

    /// The request's bytes. `host` is the authority of the URL; a `Host` of the mix goes before it.
    pub fn template(&self, host: &str) -> Template {
        self.template_with(host, self.bearer.as_deref())
    }

    fn template_with(&self, host: &str, bearer: Option<&str>) -> Template {
        let mut head = Head::request_line(&self.method, &self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head.field("Host", &Text::literal(host));
        }
        for (name, value) in &self.headers {
            head.field(name, value);
        }
        if let Some(token) = bearer {
            head.field("Authorization", &Text::literal(format!("Bearer {token}")));
        }
        let content = self.has_content().then(|| self.body.clone());
        Template::new(head.into_text(), content)
    }

    /// Stands for the request in the hash of the schedule: over its bytes, without the URL's
    /// authority and its token, so that two servers on two ports may get provably the same; and over
    /// what is read as the time of publication.
    pub fn signature(&self, seed: u64) -> u64 {
        let request = self.template_with("", None).signature(seed);
        let published = self.published.as_ref().map(Publication::signature);
        published.map_or(request, |published| mix64(request, published))
    }

    /// Methods whose content is anticipated get a Content-Length even of zero (RFC 9110 section
    /// 8.6).
    fn has_content(&self) -> bool {
        !self.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&self.method.as_str())
    }
}

fn check_method(method: &str) -> Result<(), String> {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" => Ok(()),
        _ => Err(format!("`{method}` is no method that can be paced; methods are upper case")),
    }
}

fn check_takes_body(method: &str) -> Result<(), String> {
    match method {
        "GET" | "HEAD" => Err(format!("a {method} has no body; did you mean POST?")),
        _ => Ok(()),
    }
}

fn check_header(name: &str, value: &str) -> Result<(), String> {
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(format!("`{}` is no header name", name.escape_debug()));
    }
    if ["content-length", "transfer-encoding"].contains(&name.to_ascii_lowercase().as_str()) {
        return Err(format!("`{name}` follows from the body; leave it out"));
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(format!("the value of `{name}` holds a control character, such as CR or LF"));
    }
    Ok(())
}

/// A b64token (RFC 6750 section 2.1).
fn check_token(token: &str) -> Result<(), String> {
    let is_token_char = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
    let core = token.trim_end_matches('=');
    match !core.is_empty() && core.chars().all(is_token_char) {
        true => Ok(()),
        false => Err(String::from(
            "it holds no bearer token: one line of letters, digits and `-._~+/` (RFC 6750)",
        )),
    }
}

/// Sending it twice does no more than sending it once. Chosen: of the safe methods, those that ask
/// for something (RFC 9110 section 9.2.2).
fn is_repeatable(method: &str) -> bool {
    method == "GET" || method == "HEAD"
}

/// Whether `path` may stand in a request line: RFC 9112 section 3.2.1, with RFC 3986's characters.
pub fn is_origin_form(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"#\"<>\\^`{|}".contains(&byte))
}

/// RFC 9110 section 5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
