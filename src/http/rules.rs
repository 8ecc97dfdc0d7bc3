//! Every rule of HTTP/1.1 that the server is held to: its section, what it is about, what comes of it.
//!
//! The table is the contract between the code, its tests and whoever reads an answer. Each
//! [`Reject`] stands in at least one rule, and a rule's statuses are those its rejects give (tested
//! here); each row of the conformance suite names a rule, expects what the rule says, and no rule is
//! without a row (tested there). A disagreement with another parser is explained by a rule or it is a
//! defect (`tools/fuzz`).
//!
//! Not here: the API's own contract, and limits on connections and answers, which are no matter of
//! HTTP. Start at [`RULES`].

use super::reject::Reject;

/// One rule of the wire.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its name: area and matter.
    pub id: &'static str,
    /// Where it is written.
    pub section: &'static str,
    /// What it is about.
    pub input: &'static str,
    /// What comes of that.
    pub outcome: Outcome,
    /// Why requests that break it are refused, in the code's words.
    pub rejects: &'static [Reject],
}

/// What a rule leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The request is served, as if it had been put in the plainest way there is.
    Serve,
    /// An answer with one of these statuses, then a lingering close (RFC 9112 §9.6).
    Refuse(&'static [u16]),
    /// An answer with one of these statuses; the connection stays in step.
    Answer(&'static [u16]),
    /// The connection ends; a part of a request is told 408 first.
    End,
    /// The status is some other rule's affair. The sentence says what this one asks for.
    Hold(&'static str),
}

use Outcome::{Answer, End, Hold, Refuse, Serve};

/// Every rule, in the order in which a request is read.
pub const RULES: &[Rule] = &[
    // Line ends.
    rule("line.bare-lf", "RFC 9112 §2.2", "LF without CR ends a line of a head", BAD_LINE_END),
    rule("line.bare-cr", "RFC 9112 §2.2", "CR without LF in a head", BAD_LINE_END),
    rule("line.leading-crlf", "RFC 9112 §2.2", "up to two CRLF before a request line", SERVED),
    rule(
        "line.leading-flood",
        "RFC 9112 §2.2",
        "more than two CRLF before a request line",
        (Refuse(&[400]), &[Reject::LeadingBytes]),
    ),
    rule(
        "line.leading-blank",
        "RFC 9112 §2.2",
        "whitespace before the first field line",
        (Refuse(&[400]), &[Reject::LeadingWhitespace]),
    ),
    rule(
        "line.fold",
        "RFC 9112 §5.2",
        "a field line that begins with whitespace (obs-fold)",
        (Refuse(&[400]), &[Reject::Folded]),
    ),
    // Request line.
    rule(
        "start.grammar",
        "RFC 9112 §3",
        "not method SP target SP version CRLF, each SP exactly one",
        (Refuse(&[400]), &[Reject::BadMethod, Reject::BadTarget, Reject::BadVersion]),
    ),
    rule(
        "start.http09",
        "RFC 9112 §3",
        "a request line without a version",
        (Refuse(&[400]), &[Reject::BadVersion]),
    ),
    rule(
        "start.other-protocol",
        "RFC 9112 §3",
        "octets of TLS, SSH or nothing at all: refused with the first that shows it",
        (Refuse(&[400]), &[Reject::BadMethod, Reject::BareLineEnd]),
    ),
    rule(
        "start.h2-preface",
        "RFC 9113 §3.4",
        "the HTTP/2 connection preface",
        (Refuse(&[505]), &[Reject::UnsupportedVersion]),
    ),
    // Method.
    rule(
        "method.token",
        "RFC 9110 §9.1",
        "a method that is no token",
        (Refuse(&[400]), &[Reject::BadMethod]),
    ),
    rule(
        "method.unknown",
        "RFC 9110 §9.1",
        "a token that is no method here; methods have case",
        (Refuse(&[501]), &[Reject::UnknownMethod]),
    ),
    rule(
        "method.too-long",
        "RFC 9112 §3",
        "a method of more than 32 octets",
        (Refuse(&[400]), &[Reject::MethodTooLong]),
    ),
    rule(
        "method.not-allowed",
        "RFC 9110 §15.5.6",
        "a known method that the resource does not take: 405 with Allow",
        (Answer(&[405]), &[]),
    ),
    rule("method.trace", "RFC 9110 §9.3.8", "TRACE: nothing is reflected", (Answer(&[405]), &[])),
    rule(
        "method.connect",
        "RFC 9112 §3.2.3",
        "CONNECT, which is for proxies",
        (Refuse(&[501]), &[Reject::ConnectRefused]),
    ),
    rule(
        "method.options",
        "RFC 9110 §9.3.7",
        "OPTIONS: 204 with Allow, where there is anything",
        (Answer(&[204, 404]), &[]),
    ),
    // Target.
    rule(
        "target.octets",
        "RFC 9112 §3.2, RFC 3986 §3",
        "an octet that no URI may hold, or a form that the method may not have",
        (Refuse(&[400]), &[Reject::BadTarget, Reject::BareLineEnd]),
    ),
    rule(
        "target.long",
        "RFC 9112 §3",
        "a request line of 8000 octets, and up to its limit",
        SERVED,
    ),
    rule(
        "target.too-long",
        "RFC 9110 §15.5.15",
        "a request line beyond its limit",
        (Refuse(&[414]), &[Reject::TargetTooLong]),
    ),
    rule(
        "target.absolute",
        "RFC 9112 §3.2.2",
        "the absolute form of an http URI, any host",
        SERVED,
    ),
    rule(
        "target.absolute-bad",
        "RFC 9112 §3.2.2, RFC 9110 §4.2.4",
        "an absolute form with userinfo, a bad authority or another scheme",
        (Refuse(&[400]), &[Reject::BadTarget, Reject::BadHost]),
    ),
    rule(
        "target.asterisk",
        "RFC 9112 §3.2.4, RFC 9110 §4.2.3",
        "OPTIONS * or http://host: the server as a whole",
        SERVED,
    ),
    rule(
        "target.percent",
        "RFC 3986 §2.1",
        "% without two hexadecimal digits, or standing for a control",
        (Refuse(&[400]), &[Reject::BadPercent, Reject::BadTarget]),
    ),
    rule("target.decoded-once", "RFC 3986 §2.4", "%6c in a segment is l; %256c is not", SERVED),
    rule(
        "target.no-separator",
        "RFC 3986 §2.2",
        "%2F separates nothing, and dots climb nowhere",
        (Answer(&[404]), &[]),
    ),
    rule("target.query", "RFC 3986 §3.4", "a query is no part of the path", SERVED),
    // Version.
    rule(
        "version.grammar",
        "RFC 9112 §2.3",
        "a version that is not HTTP/d.d, by case",
        (Refuse(&[400]), &[Reject::BadVersion, Reject::BareLineEnd]),
    ),
    rule(
        "version.major",
        "RFC 9110 §15.6.6",
        "a major version other than 1",
        (Refuse(&[505]), &[Reject::UnsupportedVersion]),
    ),
    rule("version.minor", "RFC 9110 §2.5", "HTTP/1.2 to 1.9 are read as 1.1", SERVED),
    rule(
        "version.http10",
        "RFC 9112 §9.3",
        "HTTP/1.0 closes, unless keep-alive was asked for",
        SERVED,
    ),
    // Host.
    rule(
        "host.missing",
        "RFC 9112 §3.2",
        "HTTP/1.1 without Host, in absolute form too",
        (Refuse(&[400]), &[Reject::HostMissing]),
    ),
    rule(
        "host.repeated",
        "RFC 9112 §3.2",
        "two Host lines, equal or not",
        (Refuse(&[400]), &[Reject::HostRepeated]),
    ),
    rule(
        "host.bad",
        "RFC 9112 §3.2, RFC 3986 §3.2",
        "a Host that is empty or no uri-host [\":\" port]",
        (Refuse(&[400]), &[Reject::BadHost, Reject::BadFieldValue]),
    ),
    rule("host.good", "RFC 9110 §7.2", "names, addresses and ports as RFC 3986 has them", SERVED),
    // Field lines.
    rule(
        "field.blank-before-colon",
        "RFC 9112 §5.1",
        "whitespace between a field name and its colon",
        (Refuse(&[400]), &[Reject::SpaceBeforeColon, Reject::BadFieldName]),
    ),
    rule(
        "field.name",
        "RFC 9110 §5.1, RFC 9112 §5",
        "a name that is empty or no token, or a line without a colon: never dropped silently",
        (Refuse(&[400]), &[Reject::BadFieldName, Reject::SpaceBeforeColon]),
    ),
    rule("field.any-name", "RFC 9110 §5.1", "any token names a field; names have no case", SERVED),
    rule(
        "field.look-alike",
        "RFC 9110 §5.1",
        "Content_Length and the like are other fields",
        SERVED,
    ),
    rule("field.ows", "RFC 9112 §5.1", "SP and HTAB around a value are stripped", SERVED),
    rule(
        "field.control",
        "RFC 9110 §5.5",
        "NUL or another control in a value",
        (Refuse(&[400]), &[Reject::BadFieldValue]),
    ),
    rule(
        "field.any-value",
        "RFC 9110 §5.5",
        "visible octets, blanks and obs-text in a value",
        SERVED,
    ),
    rule("field.many", "RFC 9110 §5.4", "a hundred fields, and one of 8000 octets", SERVED),
    rule(
        "field.too-large",
        "RFC 6585 §5",
        "a field, a head or a number of fields beyond its limit",
        (Refuse(&[431]), &[Reject::FieldTooLarge, Reject::HeadTooLarge, Reject::TooManyFields]),
    ),
    rule(
        "field.nominated",
        "RFC 9110 §7.6.1",
        "Connection that names Host or a framing field changes nothing",
        SERVED,
    ),
    // Content-Length.
    rule(
        "length.grammar",
        "RFC 9112 §6.3(5)",
        "Content-Length that is not digits alone, on any method",
        (Refuse(&[400]), &[Reject::BadLength, Reject::BadFieldValue]),
    ),
    rule(
        "length.repeated",
        "RFC 9112 §6.3(5), RFC 9110 §8.6",
        "two lengths, in lines or in a list, equal or not",
        (Refuse(&[400]), &[Reject::LengthRepeated, Reject::BadLength]),
    ),
    rule("length.leading-zeros", "RFC 9110 §8.6", "leading zeros are decimal, never octal", SERVED),
    rule("length.none", "RFC 9112 §6.3(7)", "neither length nor coding: no content", SERVED),
    rule("length.limit", "RFC 9110 §15.5.14", "content of exactly the limit", SERVED),
    rule(
        "length.too-large",
        "RFC 9110 §15.5.14, §8.6",
        "a length or chunks beyond the limit, or beyond 64 bits: at once",
        (Refuse(&[413]), &[Reject::ContentTooLarge]),
    ),
    // Transfer-Encoding.
    rule("coding.chunked", "RFC 9112 §7.1", "the one token chunked, in any case", SERVED),
    rule(
        "coding.with-length",
        "RFC 9112 §6.1",
        "Transfer-Encoding beside Content-Length",
        (Refuse(&[400]), &[Reject::LengthAndEncoding]),
    ),
    rule(
        "coding.http10",
        "RFC 9112 §6.1",
        "Transfer-Encoding in HTTP/1.0",
        (Refuse(&[400]), &[Reject::EncodingInHttp10, Reject::LengthAndEncoding]),
    ),
    rule(
        "coding.not-chunked",
        "RFC 9112 §6.3(4), §7",
        "codings of which the last is not chunked, or chunked twice, or that are no codings",
        (Refuse(&[400]), &[Reject::BadEncoding, Reject::BadFieldValue]),
    ),
    rule(
        "coding.unknown",
        "RFC 9112 §6.1",
        "a coding that is not implemented, then chunked",
        (Refuse(&[501]), &[Reject::UnknownEncoding]),
    ),
    // Chunks.
    rule(
        "chunk.size",
        "RFC 9112 §7.1",
        "a chunk size that is not 1 to 16 hexadecimal digits",
        (Refuse(&[400]), &[Reject::BadChunkSize]),
    ),
    rule("chunk.good", "RFC 9112 §7.1", "chunks of any sizes are one content", SERVED),
    rule(
        "chunk.end",
        "RFC 9112 §7.1",
        "data or a last chunk that CRLF does not follow: nothing behind it is run",
        (
            Refuse(&[400]),
            &[Reject::BadChunkEnd, Reject::BareLineEnd, Reject::BadTrailer, Reject::BadChunkSize],
        ),
    ),
    rule("chunk.extension", "RFC 9112 §7.1.1", "sound extensions are ignored", SERVED),
    rule(
        "chunk.extension-bad",
        "RFC 9112 §7.1.1",
        "an extension that is not ;name[=value], a blank in it (BWS), a line end in it",
        (Refuse(&[400]), &[Reject::BadChunkExtension, Reject::BareLineEnd, Reject::BadChunkSize]),
    ),
    rule(
        "chunk.extension-flood",
        "RFC 9112 §7.1.1",
        "extensions of more than 16 KiB in one message",
        (Refuse(&[413]), &[Reject::ChunkExtensionsTooLarge]),
    ),
    rule("trailer.discarded", "RFC 9112 §7.1.2", "sound trailers are discarded", SERVED),
    rule(
        "trailer.not-merged",
        "RFC 9110 §6.5.1",
        "a trailer frames, types and routes nothing",
        HELD_AS_HEAD,
    ),
    rule(
        "trailer.bad",
        "RFC 9112 §7.1.2",
        "a trailer that is no field line",
        (Refuse(&[400]), &[Reject::BadTrailer, Reject::BareLineEnd]),
    ),
    rule(
        "trailer.flood",
        "RFC 6585 §5",
        "trailers of more than 16 KiB",
        (Refuse(&[431]), &[Reject::TrailersTooLarge]),
    ),
    // Expect.
    rule(
        "expect.continue",
        "RFC 9110 §10.1.1, §5.6.1.2",
        "100 before content that has not come yet; empty expectations are none",
        SERVED,
    ),
    rule(
        "expect.final",
        "RFC 9110 §10.1.1",
        "what will be refused is told so instead of 100, and closed",
        (Refuse(&[400, 401, 404, 405, 413, 415]), &[Reject::ContentTooLarge]),
    ),
    rule("expect.http10", "RFC 9110 §10.1.1, §15.2", "HTTP/1.0: expectations are ignored", SERVED),
    rule(
        "expect.unknown",
        "RFC 9110 §15.5.18",
        "an expectation other than 100-continue",
        (Refuse(&[417]), &[Reject::UnknownExpectation]),
    ),
    // Content and answers.
    rule(
        "content.cut",
        "RFC 9112 §6.3(6), §8",
        "a request that a FIN cuts short is never carried out",
        (End, &[]),
    ),
    rule(
        "content.unwanted",
        "RFC 9112 §9.3",
        "content that the method or the path has no use for is read: what is in it is never run",
        (Hold("the next request is the one behind the content"), &[]),
    ),
    rule(
        "content.media-type",
        "RFC 9110 §15.5.16",
        "a command that is not JSON by its Content-Type",
        (Answer(&[415]), &[]),
    ),
    rule("content.json-type", "RFC 9110 §8.3", "JSON by any spelling of its type", SERVED),
    rule(
        "head.no-content",
        "RFC 9110 §9.3.2",
        "HEAD: the fields of GET and no content, in refusals too",
        (Hold("no octet of content follows"), &[]),
    ),
    rule(
        "answer.http10",
        "RFC 9110 §6.2",
        "an error to HTTP/1.0 is an HTTP/1.1 answer and a close",
        (Refuse(&[404]), &[]),
    ),
    // The connection.
    rule(
        "connection.close",
        "RFC 9112 §9.6",
        "close, in any case, list or line: confirmed, nothing behind it run, no reset",
        (Hold("Connection: close, a FIN, and no further answer"), &[]),
    ),
    rule("connection.stays", "RFC 9112 §9.6", "what only looks like close", SERVED),
    rule(
        "connection.lingers",
        "RFC 9112 §9.6",
        "what is in flight behind a refusal does not eat the answer",
        (Refuse(&[404, 413]), &[Reject::ContentTooLarge]),
    ),
    rule(
        "connection.half-close",
        "RFC 9112 §9.6",
        "a FIN ends the requests, not the answers",
        (End, &[]),
    ),
    rule(
        "connection.timeout",
        "RFC 9110 §15.5.9",
        "a head or content that does not end in its time",
        (Refuse(&[408]), &[]),
    ),
    rule(
        "connection.idle",
        "RFC 9112 §9.8",
        "an idle connection is closed without a word, by a FIN",
        (End, &[]),
    ),
    rule(
        "connection.upgrade",
        "RFC 9110 §7.8",
        "an upgrade is ignored, and 101 never sent",
        SERVED,
    ),
    rule(
        "pipeline.order",
        "RFC 9112 §9.3.2",
        "answers come in the order of the requests, slow ones between fast ones",
        (Hold("one answer each, in order"), &[]),
    ),
    rule(
        "pipeline.error-last",
        "RFC 9112 §9.3.2",
        "sound requests before a malformed one are answered first",
        (Refuse(&[400]), &[]),
    ),
];

type Result = (Outcome, &'static [Reject]);

const SERVED: Result = (Serve, &[]);
const BAD_LINE_END: Result = (
    Refuse(&[400]),
    // Where a version or a value should go on, it is that which is malformed.
    &[Reject::BareLineEnd, Reject::BadVersion, Reject::BadFieldValue, Reject::BadFieldName],
);
const HELD_AS_HEAD: Result = (Hold("the answer is that to the head alone"), &[]);

const fn rule(
    id: &'static str,
    section: &'static str,
    input: &'static str,
    (outcome, rejects): Result,
) -> Rule {
    Rule { id, section, input, outcome, rejects }
}

/// The rule of this name.
pub fn find(id: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == id)
}

/// The rules by which `reject` refuses.
pub fn of(reject: Reject) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(move |rule| rule.rejects.contains(&reject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rules_have_one_name() {
        for (index, rule) in RULES.iter().enumerate() {
            assert!(RULES[..index].iter().all(|other| other.id != rule.id), "{}", rule.id);
            assert!(rule.section.starts_with("RFC ") && rule.section.contains('§'), "{}", rule.id);
        }
    }

    #[test]
    fn every_reject_has_a_rule_and_the_status_that_the_rule_says() {
        for reject in Reject::ALL {
            assert!(of(reject).next().is_some(), "{reject:?} is in no rule");
            for rule in of(reject) {
                let Refuse(statuses) = rule.outcome else {
                    panic!("{} refuses and says {:?}", rule.id, rule.outcome)
                };
                assert!(statuses.contains(&reject.status()), "{} and {reject:?}", rule.id);
            }
        }
    }
}
