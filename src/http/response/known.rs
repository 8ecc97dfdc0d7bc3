//! A head that has been read before, so that the next like it need not be parsed.
//!
//! Nearly every response of a server has the octets of the one before but for its date. What a head
//! says is decided by its octets; two heads that differ only within the value of one field, and there
//! only in octets that may stand in any value (`SP` and `VCHAR`, RFC 9110 §5.5), have the same lines
//! and the same other fields, and so the same status, framing and keep-alive, whoever reads them.
//! That is all that is used here. Everything else, a response in pieces included, is read anew.
//! Start at [`KnownHead::content_of`].

use super::{FinalHead, Framing, ParsedHead, may_have_content};

/// Octets of an IMF-fixdate.
pub(super) const DATE_BYTES: usize = 29;

/// Octets of a head that is kept. Chosen: heads of APIs are smaller, and each connection keeps one.
const HEAD_BYTES_MAX: usize = 1_024;

/// A whole head of a final response with content of a stated length.
#[derive(Debug)]
pub(super) struct KnownHead {
    octets: Vec<u8>,
    /// Where a date stands, whose octets may differ; empty if there is none.
    date: std::ops::Range<usize>,
    head: FinalHead,
    content_bytes: usize,
}

impl KnownHead {
    /// Keeps a head that was read, if it is of the kind that can be known.
    pub(super) fn learn(
        known: &mut Option<KnownHead>,
        octets: &[u8],
        parsed: &ParsedHead,
        content_bytes_max: u64,
    ) {
        let Some(Framing::Length(content_bytes)) = parsed.framing else { return };
        let is_final = parsed.status >= 200 && may_have_content(parsed.status);
        let is_small = octets.len() <= HEAD_BYTES_MAX && content_bytes <= content_bytes_max;
        let (true, true, Ok(content_bytes)) = (is_final, is_small, usize::try_from(content_bytes))
        else {
            return;
        };
        // The vector of the one before is used again.
        let mut kept = known.take().map_or(Vec::new(), |known| known.octets);
        kept.clear();
        kept.extend_from_slice(octets);
        let date = parsed.date_at.map_or(0..0, |at| at..at + DATE_BYTES);
        let head = FinalHead { status: parsed.status, keep_alive: parsed.keep_alive };
        *known = Some(KnownHead { octets: kept, date, head, content_bytes });
    }

    /// What it says.
    pub(super) fn head(&self) -> FinalHead {
        self.head
    }

    /// The content of the response that `input` begins with, and the response's length; if it has
    /// this head, and all of it is there.
    pub(super) fn content_of<'i>(&self, input: &'i [u8]) -> Option<(&'i [u8], usize)> {
        let len = self.octets.len();
        let head = input.get(..len)?;
        let end = len.checked_add(self.content_bytes)?;
        let content = input.get(len..end)?;
        let (before, after) = (..self.date.start, self.date.end..);
        let is_known = head[before] == self.octets[before]
            && head[after.clone()] == self.octets[after]
            && head[self.date.clone()].iter().all(|octet| (b' '..=b'~').contains(octet));
        is_known.then_some((content, end))
    }
}
