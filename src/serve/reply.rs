//! What is to be answered, before it is bytes.

use crate::home::{Event, Seq, Snapshot, json};

/// A status, its content and the fields that only some answers carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub status: u16,
    /// The content and its type.
    pub content: Content,
    /// A field that only some answers carry, name and value: Allow, WWW-Authenticate, Retry-After.
    pub field: Option<(&'static str, &'static str)>,
}

/// Content of an answer. What the API renders is here as the values it is rendered from, so that the
/// usual paths allocate nothing and move no content about: its bytes are made where they are sent from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// None, and no Content-Type: 204.
    None,
    /// The devices as they stood.
    Status(Snapshot),
    /// The confirmation of a command, which came to be this event.
    Command(Event),
    /// An event.
    Event(Event),
    /// The word that there was none; the newest there is.
    Timeout(Seq),
    /// JSON that never changes.
    Json(&'static str),
    /// JSON made for the occasion: errors.
    OwnedJson(String),
    /// Prometheus text.
    Metrics(String),
    /// Bytes that a client sent us.
    Echo(Vec<u8>),
}

impl Reply {
    /// 200 with `content`.
    pub fn ok(content: Content) -> Reply {
        Reply { status: 200, content, field: None }
    }

    /// `{"error":"..."}` with `status`.
    pub fn error(status: u16, sentence: &str) -> Reply {
        // serde_json escapes what a client made part of the sentence.
        let quoted = serde_json::Value::from(sentence);
        let content = Content::OwnedJson(format!("{{\"error\":{quoted}}}"));
        Reply { status, content, field: None }
    }

    /// The answer to OPTIONS (RFC 9110 section 9.3.7).
    pub fn options(allow: &'static str) -> Reply {
        Reply { status: 204, content: Content::None, field: None }.allow(allow)
    }

    /// The answer to a request without the token (RFC 9110 section 15.5.2). Whoever presented another
    /// one is told that it is the token which is wrong, and nobody else is (RFC 6750 section 3.1).
    pub fn unauthorized(has_presented: bool) -> Reply {
        let reply = Reply::error(401, "send Authorization: Bearer with the token of this server");
        let challenge = match has_presented {
            true => r#"Bearer realm="ringpace", error="invalid_token""#,
            false => r#"Bearer realm="ringpace""#,
        };
        Reply { field: Some(("WWW-Authenticate", challenge)), ..reply }
    }

    /// The answer where there is no room: 503, and when to try again (RFC 9110 section 15.6.4).
    pub fn busy(sentence: &str) -> Reply {
        Reply { field: Some(("Retry-After", "1")), ..Reply::error(503, sentence) }
    }

    /// The same with an Allow field (RFC 9110 section 10.2.1).
    pub fn allow(self, allow: &'static str) -> Reply {
        Reply { field: Some(("Allow", allow)), ..self }
    }
}

impl Content {
    /// Hands the bytes to `take`.
    pub fn render<T>(&self, take: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Content::None => take(b""),
            Content::Status(house) => take(&json::status(*house)),
            Content::Command(event) => take(&json::command(*event)),
            Content::Event(event) => take(&json::event(*event)),
            Content::Timeout(newest) => take(&json::timeout(*newest)),
            Content::Json(text) => take(text.as_bytes()),
            Content::OwnedJson(text) | Content::Metrics(text) => take(text.as_bytes()),
            Content::Echo(bytes) => take(bytes),
        }
    }

    /// The media type; `None` where there is no content.
    pub fn media_type(&self) -> Option<&'static str> {
        match self {
            Content::None => None,
            Content::Metrics(_) => Some("text/plain; version=0.0.4; charset=utf-8"),
            Content::Echo(_) => Some("application/octet-stream"),
            Content::Status(_)
            | Content::Command(_)
            | Content::Event(_)
            | Content::Timeout(_)
            | Content::Json(_)
            | Content::OwnedJson(_) => Some("application/json"),
        }
    }
}
