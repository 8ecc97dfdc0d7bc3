//! What a client is told when its request cannot be met: a status and a sentence, as JSON.

use std::borrow::Cow;

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// Why a request cannot be met.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    sentence: Cow<'static, str>,
}

impl Refusal {
    pub(crate) const fn of(status: StatusCode, sentence: &'static str) -> Refusal {
        Refusal { status, sentence: Cow::Borrowed(sentence) }
    }

    pub(crate) fn new(status: StatusCode, sentence: String) -> Refusal {
        Refusal { status, sentence: Cow::Owned(sentence) }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let quoted = serde_json::Value::from(self.sentence);
        let body = format!(r#"{{"error":{quoted}}}"#);
        (self.status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}
