//! What is to be answered, before it is bytes.

use crate::home::json;

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

/// Content of an answer. The fixed ones live in place, so that the usual paths allocate nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// None, and no Content-Type: 204.
    None,
    /// A rendered device status.
    Status([u8; json::STATUS_BYTES]),
    /// A confirmed command.
    Command([u8; json::COMMAND_BYTES]),
    /// An event, or the word that there was none.
    Event([u8; json::EVENT_BYTES]),
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

    /// The answer to a request without the token (RFC 9110 section 15.5.2, RFC 6750 section 3).
    pub fn unauthorized() -> Reply {
        let reply = Reply::error(401, "send Authorization: Bearer with the token of this server");
        Reply { field: Some(("WWW-Authenticate", "Bearer")), ..reply }
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
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Content::None => b"",
            Content::Status(bytes) => bytes,
            Content::Command(bytes) => bytes,
            Content::Event(bytes) => bytes,
            Content::Json(text) => text.as_bytes(),
            Content::OwnedJson(text) | Content::Metrics(text) => text.as_bytes(),
            Content::Echo(bytes) => bytes,
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
            | Content::Json(_)
            | Content::OwnedJson(_) => Some("application/json"),
        }
    }
}
