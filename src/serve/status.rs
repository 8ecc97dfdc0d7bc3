//! The last answer to a status of one core, whole: for most requests it is copied, not written.
//!
//! What is kept can never be stale: whoever wants an answer shows the house and the date it is to be of,
//! and it is written anew if either is another than the last time. It is the answer with the fields of
//! the contract and no others. Not here: which requests get that one; see `conn`.

use crate::home::{Snapshot, json};
use crate::http::{HttpDate, ResponseHead};
use std::cell::RefCell;

/// See the file's head.
pub struct StatusAnswer(RefCell<Kept>);

struct Kept {
    house: Snapshot,
    date: HttpDate,
    bytes: Vec<u8>,
}

impl StatusAnswer {
    /// Writes the answer of `house` and `date`, to begin with.
    pub fn new(house: Snapshot, date: HttpDate) -> StatusAnswer {
        let mut kept = Kept { house, date, bytes: Vec::new() };
        kept.write();
        StatusAnswer(RefCell::new(kept))
    }

    /// Appends the answer to `out`.
    #[inline]
    pub fn push(&self, house: Snapshot, date: &HttpDate, out: &mut Vec<u8>) {
        let mut kept = self.0.borrow_mut();
        if kept.house != house || kept.date != *date {
            (kept.house, kept.date) = (house, *date);
            kept.write();
        }
        out.extend_from_slice(&kept.bytes);
    }
}

impl Kept {
    #[cold]
    fn write(&mut self) {
        self.bytes.clear();
        let content = json::status(self.house);
        ResponseHead::json(200, &self.date).encode(&content, true, &mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::{Change, Device, Home};

    #[test]
    fn what_is_kept_is_told_until_the_house_or_the_date_is_another_and_then_no_more() {
        let home = Home::new(16);
        let dates = [1, 2].map(HttpDate::from_unix_secs);
        let before = home.snapshot();
        // The light shows what it showed before: a seq alone makes another house.
        home.apply(Change::parse(Device::Light, "set", Some(100.0)).unwrap());
        let same = home.snapshot();
        home.apply(Change::parse(Device::Light, "set", Some(7.0)).unwrap());
        let after = home.snapshot();
        let answer = StatusAnswer::new(before, dates[0]);
        let told = |house, date: &HttpDate| {
            let mut out = b"behind others".to_vec();
            answer.push(house, date, &mut out);
            out.split_off(b"behind others".len())
        };
        answer.0.borrow_mut().bytes = b"kept".to_vec();
        assert_eq!(told(before, &dates[0]), b"kept");
        for (house, date) in [
            (before, &dates[1]),
            (before, &dates[0]),
            (same, &dates[0]),
            (after, &dates[0]),
            (after, &dates[1]),
            (before, &dates[1]), // an older house is written for itself
        ] {
            let mut expected = Vec::new();
            ResponseHead::json(200, date).encode(&json::status(house), true, &mut expected);
            assert_eq!(told(house, date), expected);
            answer.0.borrow_mut().bytes = b"kept".to_vec();
            assert_eq!(told(house, date), b"kept");
        }
    }
}
