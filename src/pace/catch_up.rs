//! What is done about requests that are overdue because the pacer itself was held up.
//!
//! Three policies. All that is owed is sent at once: the server sees the load it was promised, in a
//! burst. Or the schedule is played faster, at most `X` times, until it has caught up: the server sees
//! no burst, and what is owed waits. Or what is overdue by more than a bound is skipped: the server
//! sees the rate it was promised and less load, and every request that was skipped is counted and
//! stands in the percentiles as longer than anything observed, for nobody knows what it would have
//! taken. Pure: `now` comes in. Not here: sending (see `worker`). Start at [`Pacing::decide`].

use crate::units::{Mono, Nanos, Rate};
use std::fmt;
use std::str::FromStr;

/// What is done about requests that are overdue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CatchUp {
    /// All are sent at once.
    #[default]
    All,
    /// The schedule is played at most so many times as fast while it is behind; over 1.
    Cap(Rate),
    /// What is overdue by more than this is not sent, but counted.
    Skip(Nanos),
}

/// From when the pacer counts as behind, for a cap. Chosen: far beyond what one send or one burst
/// of some fifty makes the next wait, and within what the hypervisor of a shared machine takes.
pub const BEHIND_MIN: Nanos = Nanos::from_millis(1);

/// The bound of `skip` without one. Chosen: as [`BEHIND_MIN`].
pub const SKIP_BOUND: Nanos = Nanos::from_millis(1);

impl fmt::Display for CatchUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CatchUp::All => f.pad("all"),
            CatchUp::Cap(factor) => f.pad(&format!("cap:{}", factor.as_typed())),
            CatchUp::Skip(bound) => f.pad(&format!("skip:{}", bound.as_typed())),
        }
    }
}

impl FromStr for CatchUp {
    type Err = String;

    fn from_str(text: &str) -> Result<CatchUp, String> {
        match text.split_once(':') {
            None if text == "all" => Ok(CatchUp::All),
            None if text == "skip" => Ok(CatchUp::Skip(SKIP_BOUND)),
            Some(("skip", bound)) => Ok(CatchUp::Skip(bound.parse()?)),
            Some(("cap", factor)) => {
                let wrong = || format!("`{factor}` is no factor above 1; write one like `cap:2`");
                let one = Rate::per_second(1).ok_or_else(wrong)?;
                let factor = factor.parse::<Rate>().map_err(|_| wrong())?;
                if factor.exceeds(one) { Ok(CatchUp::Cap(factor)) } else { Err(wrong()) }
            }
            _ => Err(format!(
                "`{text}` is no way to catch up; use `all`, `cap:2`, `skip` or `skip:10ms`"
            )),
        }
    }
}

/// What becomes of the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is to be sent at this time, or at once if that has passed; never before it is due.
    SendAt(Mono),
    /// It is not to be sent.
    Skip,
}

/// Where a policy stands.
#[derive(Clone, Copy, Debug)]
pub struct Pacing {
    policy: CatchUp,
    /// While a capped schedule is behind: what was due at the second time went out at the first, and
    /// what follows is paced from there.
    anchor: Option<(Mono, Mono)>,
}

impl Pacing {
    /// A policy that has nothing to catch up with.
    pub fn new(policy: CatchUp) -> Pacing {
        Pacing { policy, anchor: None }
    }

    /// What becomes of the next request, which is due at `due_at`. May be asked again.
    pub fn decide(&mut self, now: Mono, due_at: Mono) -> Fate {
        match self.policy {
            CatchUp::All => Fate::SendAt(due_at),
            CatchUp::Skip(bound) if now > due_at + bound => Fate::Skip,
            CatchUp::Skip(_) => Fate::SendAt(due_at),
            CatchUp::Cap(factor) => Fate::SendAt(self.capped(now, due_at, factor)),
        }
    }

    fn capped(&mut self, now: Mono, due_at: Mono, factor: Rate) -> Mono {
        let paced_at = match self.anchor {
            None => due_at,
            Some((sent_at, was_due_at)) => {
                let (num, den) = factor.parts();
                let since = u128::from(due_at.saturating_since(was_due_at).0);
                let since = since * u128::from(den) / u128::from(num);
                sent_at + Nanos(since as u64)
            }
        };
        if now > paced_at.max(due_at) + BEHIND_MIN {
            self.anchor = Some((now, due_at));
            return now;
        }
        if paced_at <= due_at {
            self.anchor = None;
        }
        paced_at.max(due_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn pacing(policy: &str) -> Pacing {
        Pacing::new(policy.parse().unwrap())
    }

    /// When requests due every millisecond from 0 go out, if the pacer looks every 10 us and stands
    /// still from 10 ms to 20 ms; in microseconds.
    fn sent_us(policy: &str, count: u64) -> Vec<Option<u64>> {
        let (mut pacing, mut now, mut sent) = (pacing(policy), 0, Vec::new());
        while (sent.len() as u64) < count {
            if now == 10 * MS {
                now = 20 * MS;
            }
            match pacing.decide(Mono(now), Mono(sent.len() as u64 * MS)) {
                Fate::SendAt(at) if at.0 <= now => sent.push(Some(now / 1_000)),
                Fate::SendAt(_) => now += 10_000,
                Fate::Skip => sent.push(None),
            }
        }
        sent
    }

    #[test]
    fn all_that_is_owed_is_sent_at_once() {
        let sent = sent_us("all", 30);
        assert!(sent[10..=20].iter().all(|sent| *sent == Some(20_000)), "{sent:?}");
        assert_eq!(sent[21], Some(21_000));
    }

    #[test]
    fn a_capped_schedule_is_played_so_much_faster_until_it_is_on_time() {
        let sent = sent_us("cap:2", 40);
        // Request 10 goes out at 20 ms, and what follows every half millisecond: on time from
        // request 30 on, which is due at 30 ms.
        for (k, sent) in sent.iter().enumerate() {
            let expected = match k {
                0..10 => k * 1_000,
                10..30 => 20_000 + (k - 10) * 500,
                _ => k * 1_000,
            };
            assert_eq!(*sent, Some(expected as u64), "request {k}");
        }
    }

    #[test]
    fn a_cap_of_a_half_more_takes_twice_the_stall() {
        let sent = sent_us("cap:1.5", 60);
        assert_eq!((sent[10], sent[40], sent[41]), (Some(20_000), Some(40_000), Some(41_000)));
    }

    #[test]
    fn what_is_overdue_by_more_than_the_bound_is_skipped() {
        let sent = sent_us("skip:3ms", 30);
        assert!(sent[..10].iter().all(Option::is_some), "{sent:?}");
        assert!(sent[10..17].iter().all(Option::is_none), "{sent:?}");
        assert!(sent[17..=20].iter().all(|sent| *sent == Some(20_000)), "{sent:?}");
    }

    #[test]
    fn nothing_is_sent_before_it_is_due_and_small_delays_change_nothing() {
        for policy in ["all", "cap:2", "skip"] {
            let mut pacing = pacing(policy);
            for late in [0, 10_000, MS] {
                assert_eq!(pacing.decide(Mono(MS + late), Mono(MS)), Fate::SendAt(Mono(MS)));
            }
            assert_eq!(pacing.decide(Mono(MS), Mono(3 * MS)), Fate::SendAt(Mono(3 * MS)));
        }
    }

    #[test]
    fn policies_print_as_typed_and_refuse_what_they_do_not_know() {
        for (typed, shown) in
            [("all", "all"), ("cap:1.5", "cap:3/2"), ("skip", "skip:1ms"), ("skip:0", "skip:0")]
        {
            let policy: CatchUp = typed.parse().unwrap();
            assert_eq!(policy.to_string(), shown);
            assert_eq!(shown.parse(), Ok(policy));
        }
        for wrong in ["", "cap", "cap:1", "cap:0.5", "cap:0", "cap:x", "skip:5", "none", "ALL"] {
            let error = wrong.parse::<CatchUp>().unwrap_err();
            assert!(error.contains('`'), "{wrong}: {error}");
        }
    }
}
