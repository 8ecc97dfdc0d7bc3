//! HTTP/1.1 on the wire, both ends, without a socket: RFC 9110 and RFC 9112, strictly.
//!
//! The server reads with [`request`] (a handwritten, resumable head parser) and [`body`], and writes
//! with [`encode`]. The pacer reads with [`response`], whose heads go through `httparse`, so that the
//! two ends cannot share a misreading. Everything here is pure: bytes in, values out, and any split
//! of the bytes gives the same answer at a cost linear in their number.
//!
//! Where the RFCs leave a choice, the answer is 400 and a close: a message that two readers could
//! understand differently is refused. Not here: what a request means, timeouts, connections.
//! Start at [`request::HeadParser`].

pub mod body;
pub(crate) mod bytes;
pub mod date;
pub mod encode;
pub(crate) mod fields;
pub(crate) mod plain;
pub mod reject;
pub mod request;
pub mod response;
pub mod rules;
pub mod server_timing;
pub mod target;

pub use body::{BodyDecoder, Framing};
pub use date::HttpDate;
pub use encode::{Connection, ResponseHead};
pub use reject::Reject;
pub use request::{HeadParser, Method, Parsed, RequestHead, RequestLimits, Version};
pub use target::Target;
