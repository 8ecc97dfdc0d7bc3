//! Why a request is refused: one variant per rule of the wire, with its status and its sentence.
//!
//! A [`Reject`] is always the peer's fault and always ends the connection, as the reader can no
//! longer say where the next message begins, or will not wait for it. Not here: what the application
//! refuses (404, 405, 422); the connection survives those.

/// A rule of RFC 9110 or RFC 9112, or a limit of ours, that a request has broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// More than two empty lines before the request line (RFC 9112 §2.2 asks for one).
    LeadingBytes,
    /// The request line does not begin with a token and one SP (RFC 9112 §3.1).
    BadMethod,
    /// The method is longer than any there is.
    MethodTooLong,
    /// A well-formed method that this server does not know (RFC 9110 §9.1).
    UnknownMethod,
    /// CONNECT, which only proxies serve (RFC 9112 §3.2.3).
    ConnectRefused,
    /// The target holds an octet that no URI may hold, or is in a form that the method may not
    /// have (RFC 9112 §3.2, RFC 3986).
    BadTarget,
    /// `%` without two hexadecimal digits, or standing for a control.
    BadPercent,
    /// The request line is over its limit (RFC 9112 §3).
    TargetTooLong,
    /// The request line does not end in one SP, `HTTP/d.d` and CRLF (RFC 9112 §2.3).
    BadVersion,
    /// The major version is not 1 (RFC 9110 §15.6.6).
    UnsupportedVersion,
    /// A CR without LF or an LF without CR (RFC 9112 §2.2).
    BareLineEnd,
    /// Whitespace before the first field line (RFC 9112 §2.2).
    LeadingWhitespace,
    /// A field line that begins with whitespace (obs-fold, RFC 9112 §5.2).
    Folded,
    /// A field name that is empty or no token, or a line without a colon (RFC 9112 §5).
    BadFieldName,
    /// Whitespace between field name and colon (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A control octet in a field value (RFC 9110 §5.5).
    BadFieldValue,
    /// One field line is over its limit (RFC 9110 §5.4).
    FieldTooLarge,
    /// The whole head is over its limit (RFC 9110 §5.4).
    HeadTooLarge,
    /// More field lines than the limit (RFC 9110 §5.4).
    TooManyFields,
    /// HTTP/1.1 without a Host field (RFC 9112 §3.2).
    HostMissing,
    /// More than one Host field line (RFC 9112 §3.2).
    HostRepeated,
    /// A Host field, or an absolute target's authority, that is no `uri-host [":" port]`.
    BadHost,
    /// A Content-Length that is not `1*DIGIT` (RFC 9112 §6.3).
    BadLength,
    /// More than one Content-Length line, even if equal (RFC 9112 §6.3).
    LengthRepeated,
    /// Content-Length beside Transfer-Encoding (RFC 9112 §6.1).
    LengthAndEncoding,
    /// A Transfer-Encoding that is not the one token `chunked` (RFC 9112 §6.3, §7).
    BadEncoding,
    /// A coding that is not implemented, before a final `chunked` (RFC 9112 §6.1).
    UnknownEncoding,
    /// Transfer-Encoding in HTTP/1.0 (RFC 9112 §6.1).
    EncodingInHttp10,
    /// An Expect field other than `100-continue` (RFC 9110 §10.1.1).
    UnknownExpectation,
    /// The content is, or would become, larger than the limit (RFC 9110 §15.5.14).
    ContentTooLarge,
    /// A chunk size that is not 1 to 16 hexadecimal digits (RFC 9112 §7.1).
    BadChunkSize,
    /// A chunk extension that is not `;name[=value]` (RFC 9112 §7.1.1).
    BadChunkExtension,
    /// All chunk extensions of one message together are over their limit (RFC 9112 §7.1.1).
    ChunkExtensionsTooLarge,
    /// Chunk data that is not followed by CRLF (RFC 9112 §7.1).
    BadChunkEnd,
    /// A trailer that is no field line (RFC 9112 §7.1.2).
    BadTrailer,
    /// The trailer section is over its limit (RFC 9112 §7.1.2).
    TrailersTooLarge,
}

impl Reject {
    /// All of them.
    pub const ALL: [Reject; 36] = [
        Reject::LeadingBytes,
        Reject::BadMethod,
        Reject::MethodTooLong,
        Reject::UnknownMethod,
        Reject::ConnectRefused,
        Reject::BadTarget,
        Reject::BadPercent,
        Reject::TargetTooLong,
        Reject::BadVersion,
        Reject::UnsupportedVersion,
        Reject::BareLineEnd,
        Reject::LeadingWhitespace,
        Reject::Folded,
        Reject::BadFieldName,
        Reject::SpaceBeforeColon,
        Reject::BadFieldValue,
        Reject::FieldTooLarge,
        Reject::HeadTooLarge,
        Reject::TooManyFields,
        Reject::HostMissing,
        Reject::HostRepeated,
        Reject::BadHost,
        Reject::BadLength,
        Reject::LengthRepeated,
        Reject::LengthAndEncoding,
        Reject::BadEncoding,
        Reject::UnknownEncoding,
        Reject::EncodingInHttp10,
        Reject::UnknownExpectation,
        Reject::ContentTooLarge,
        Reject::BadChunkSize,
        Reject::BadChunkExtension,
        Reject::ChunkExtensionsTooLarge,
        Reject::BadChunkEnd,
        Reject::BadTrailer,
        Reject::TrailersTooLarge,
    ];

    /// The status code of the answer.
    pub const fn status(self) -> u16 {
        match self {
            Reject::LeadingBytes
            | Reject::BadMethod
            | Reject::MethodTooLong
            | Reject::BadTarget
            | Reject::BadPercent
            | Reject::BadVersion
            | Reject::BareLineEnd
            | Reject::LeadingWhitespace
            | Reject::Folded
            | Reject::BadFieldName
            | Reject::SpaceBeforeColon
            | Reject::BadFieldValue
            | Reject::HostMissing
            | Reject::HostRepeated
            | Reject::BadHost
            | Reject::BadLength
            | Reject::LengthRepeated
            | Reject::LengthAndEncoding
            | Reject::BadEncoding
            | Reject::EncodingInHttp10
            | Reject::BadChunkSize
            | Reject::BadChunkExtension
            | Reject::BadChunkEnd
            | Reject::BadTrailer => 400,
            Reject::ContentTooLarge | Reject::ChunkExtensionsTooLarge => 413,
            Reject::TargetTooLong => 414,
            Reject::UnknownExpectation => 417,
            Reject::FieldTooLarge
            | Reject::HeadTooLarge
            | Reject::TooManyFields
            | Reject::TrailersTooLarge => 431,
            Reject::UnknownMethod | Reject::ConnectRefused | Reject::UnknownEncoding => 501,
            Reject::UnsupportedVersion => 505,
        }
    }

    /// A short sentence for the peer; printable ASCII without `"` and `\`, so that it stands in JSON
    /// as it is.
    pub const fn reason(self) -> &'static str {
        match self {
            Reject::LeadingBytes => "too many empty lines before the request line",
            Reject::BadMethod => "the request line does not begin with a method and one space",
            Reject::MethodTooLong => "the method is too long",
            Reject::UnknownMethod => "the method is unknown",
            Reject::ConnectRefused => "CONNECT is for proxies",
            Reject::BadTarget => "the request target is malformed",
            Reject::BadPercent => "the request target has a bad percent-encoding",
            Reject::TargetTooLong => "the request line is too long",
            Reject::BadVersion => "the request line does not end in an HTTP version",
            Reject::UnsupportedVersion => "only HTTP/1.0 and HTTP/1.1 are served",
            Reject::BareLineEnd => "a line does not end in CR LF",
            Reject::LeadingWhitespace => "there is whitespace before the first field",
            Reject::Folded => "a field line is folded",
            Reject::BadFieldName => "a field name is malformed",
            Reject::SpaceBeforeColon => "there is whitespace between a field name and its colon",
            Reject::BadFieldValue => "a field value holds a control character",
            Reject::FieldTooLarge => "a field is too large",
            Reject::HeadTooLarge => "the header section is too large",
            Reject::TooManyFields => "there are too many fields",
            Reject::HostMissing => "the Host field is missing",
            Reject::HostRepeated => "there is more than one Host field",
            Reject::BadHost => "the host is malformed",
            Reject::BadLength => "Content-Length is not a number",
            Reject::LengthRepeated => "there is more than one Content-Length",
            Reject::LengthAndEncoding => "both Content-Length and Transfer-Encoding are given",
            Reject::BadEncoding => "Transfer-Encoding is not just chunked",
            Reject::UnknownEncoding => "the transfer coding is not implemented",
            Reject::EncodingInHttp10 => "HTTP/1.0 has no Transfer-Encoding",
            Reject::UnknownExpectation => "the expectation cannot be met",
            Reject::ContentTooLarge => "the content is too large",
            Reject::BadChunkSize => "a chunk size is malformed",
            Reject::BadChunkExtension => "a chunk extension is malformed",
            Reject::ChunkExtensionsTooLarge => "the chunk extensions are too large",
            Reject::BadChunkEnd => "a chunk does not end in CR LF",
            Reject::BadTrailer => "a trailer field is malformed",
            Reject::TrailersTooLarge => "the trailer section is too large",
        }
    }
}

#[cfg(test)]
mod tests;
