//! A rate that changes over time, in exact arithmetic: ramps and step ladders.
//!
//! A [`Course`] is a row of stretches. Over each the rate goes linearly from one value to another,
//! and each begins with an arrival at its first instant; the `i`-th after that is due at the last
//! nanosecond by which no more than `i` arrivals have come due, `floor` of the exact time. Offsets are
//! worked out from the arrival's number alone, so they cannot drift, and only from integers, so they
//! are the same on every machine. Not here: who sends what (see `schedule`). Start at
//! [`Course::offset_of`].

use crate::units::{Nanos, Rate};

/// A stretch of time over which the rate goes from `from` to `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// At its beginning.
    pub from: Rate,
    /// At its end.
    pub to: Rate,
    /// How long it is.
    pub length: Nanos,
}

/// Stretches in a row.
#[derive(Clone, Debug, Default)]
pub struct Course {
    parts: Vec<Part>,
    /// Arrivals in all of them.
    count: u64,
}

/// A stretch, and where it stands.
#[derive(Clone, Copy, Debug)]
struct Part {
    curve: Curve,
    begin: Nanos,
    /// The number of its first arrival.
    first: u64,
}

impl Course {
    /// The course of `stretches`; those of no length are passed over. `None` if the rates are so
    /// fine and a stretch so long that 128 bits do not hold the product: at 10 million/s that is a
    /// stretch of more than 26 days.
    pub fn new(stretches: impl IntoIterator<Item = Stretch>) -> Option<Course> {
        let mut course = Course::default();
        let mut begin = Nanos::ZERO;
        for stretch in stretches.into_iter().filter(|stretch| stretch.length > Nanos::ZERO) {
            let curve = Curve::new(stretch)?;
            course.parts.push(Part { curve, begin, first: course.count });
            course.count = course.count.checked_add(curve.count()?)?;
            begin = Nanos(begin.0.checked_add(stretch.length.0)?);
        }
        Some(course)
    }

    /// Arrivals in the whole course.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// When arrival `k` is due, from the start; `None` if the course is over before.
    pub fn offset_of(&self, k: u64) -> Option<Nanos> {
        if k >= self.count {
            return None;
        }
        let after = self.parts.partition_point(|part| part.first <= k);
        let part = self.parts[after - 1];
        Some(part.begin + part.curve.time_of(k - part.first))
    }
}

/// How many arrivals have come due since the beginning of a stretch of `L` ns in which the rate
/// goes from `a / d` to `b / d` per second: `n(t) = (2 L a t + (b - a) t^2) / (2 L d 1e9)`.
#[derive(Clone, Copy, Debug)]
struct Curve {
    length: i128,
    /// `2 L a`.
    linear: i128,
    /// `b - a`.
    square: i128,
    /// `2 L d 1e9`: one arrival.
    unit: i128,
}

/// How far from the guess the true time is looked for first. Chosen: a double is off by less on any
/// run of under a day.
const GUESS_ERROR: i128 = 8;

impl Curve {
    /// `None` if a product may not fit.
    fn new(Stretch { from, to, length }: Stretch) -> Option<Curve> {
        let (from_num, from_den) = from.parts();
        let (to_num, to_den) = to.parts();
        let widened = |a: u64, b: u64| i128::from(a) * i128::from(b);
        let (a, b, d) =
            (widened(from_num, to_den), widened(to_num, from_den), widened(from_den, to_den));
        let length = i128::from(length.0);
        let curve = Curve {
            length,
            linear: length.checked_mul(2)?.checked_mul(a)?,
            square: b - a,
            unit: length.checked_mul(2_000_000_000)?.checked_mul(d)?,
        };
        // The largest terms there are: n(L) scaled, with either rate, and one arrival more.
        let most = length.checked_mul(length)?.checked_mul(2)?.checked_mul(a.max(b))?;
        most.checked_mul(2)?.checked_add(curve.unit)?;
        Some(curve)
    }

    /// Arrivals due strictly before the end of the stretch, the one at its beginning included.
    fn count(&self) -> Option<u64> {
        let whole = self.scaled(self.length);
        u64::try_from((whole + self.unit - 1) / self.unit).ok()
    }

    /// `n(t)`, times [`Curve::unit`].
    fn scaled(&self, t: i128) -> i128 {
        (self.linear + self.square * t) * t
    }

    /// The last `t` with `n(t) <= i`; `i` is below the count. By bisection, which is exact, around
    /// a guess, which need not be.
    fn time_of(&self, i: u64) -> Nanos {
        let target = i128::from(i) * self.unit;
        let (mut low, mut high) = (0, self.length);
        let guess = self.guess(target);
        let (below, above) = (guess - GUESS_ERROR, guess + GUESS_ERROR);
        if below > low && below < high && self.scaled(below) <= target {
            low = below;
        }
        if above > low && above < high && self.scaled(above) > target {
            high = above;
        }
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.scaled(middle) <= target { low = middle } else { high = middle }
        }
        Nanos(low as u64)
    }

    /// The positive root of `square t^2 + linear t = target`, in the form that divides by a sum.
    fn guess(&self, target: i128) -> i128 {
        let (linear, square, target) = (self.linear as f64, self.square as f64, target as f64);
        let root = (linear * linear + 4.0 * square * target).max(0.0).sqrt();
        (2.0 * target / (linear + root)) as i128
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    fn stretch(from: &str, to: &str, length: Nanos) -> Stretch {
        Stretch { from: rate(from), to: rate(to), length }
    }

    #[track_caller]
    fn check(stretches: &[Stretch], expected: u64) {
        let course = Course::new(stretches.iter().copied()).unwrap();
        assert_eq!(course.count(), expected);
        let mut last = Nanos::ZERO;
        for k in 0..course.count() {
            let offset = course.offset_of(k).expect("it is below the count");
            assert!(offset >= last, "arrival {k} goes back from {last:?} to {offset:?}");
            last = offset;
        }
        let end = stretches.iter().fold(Nanos::ZERO, |end, stretch| end + stretch.length);
        assert!(expected == 0 || last < end, "the last arrival is due after the end");
        assert_eq!(course.offset_of(course.count()), None);
    }

    #[test]
    fn a_ramp_sends_its_mean_rate_times_its_length() {
        let second = Nanos::from_secs(1);
        check(&[stretch("1000", "5000", second)], 3_000);
        check(&[stretch("5000", "1000", second)], 3_000);
        check(&[stretch("1", "2", Nanos::from_secs(60))], 90);
        check(&[stretch("1e6/7", "1e6/7", Nanos::from_millis(70))], 10_000);
        // 166,666.5 + 7 / 2, and the one at the beginning is not in the mean.
        check(&[stretch("333333", "7", Nanos::from_millis(1_000))], 166_670);
        check(&[stretch("1", "1", Nanos(1))], 1);
        check(&[], 0);
    }

    #[test]
    fn each_step_begins_with_an_arrival_and_holds_its_rate() {
        let hold = Nanos::from_secs(1);
        let steps = ["10", "20", "40"].map(|rate| stretch(rate, rate, hold));
        check(&steps, 70);
        let course = Course::new(steps).unwrap();
        assert_eq!(course.offset_of(9), Some(Nanos::from_millis(900)));
        assert_eq!(course.offset_of(10), Some(Nanos::from_millis(1_000)));
        assert_eq!(course.offset_of(11), Some(Nanos::from_millis(1_050)));
        assert_eq!(course.offset_of(31), Some(Nanos::from_millis(2_025)));
    }

    #[test]
    fn a_flat_stretch_is_the_constant_schedule() {
        for text in ["7", "333333", "1e6/7", "999.5"] {
            let flat = stretch(text, text, Nanos::from_secs(3_600));
            let course = Course::new([flat]).unwrap();
            assert_eq!(course.count(), rate(text).count_within(flat.length));
            for k in [0, 1, 2, 1_000, course.count() / 2, course.count() - 1] {
                assert_eq!(course.offset_of(k), Some(rate(text).span_of(k)), "{text} {k}");
            }
        }
    }

    /// The definition, without a guess and without bisection: `t` and not `t + 1`.
    #[test]
    fn every_offset_meets_its_definition() {
        let mut rng = Rng::new(5);
        for case in 0..300 {
            let one =
                |rng: &mut Rng| Rate::ratio(1 + rng.below(1_000_000), 1 + rng.below(9)).unwrap();
            let length = Nanos(1 + rng.below(Nanos::from_secs(86_400).0));
            let stretch = Stretch { from: one(&mut rng), to: one(&mut rng), length };
            let curve = Curve::new(stretch).unwrap();
            let count = curve.count().unwrap();
            for i in [0, 1, rng.below(count), rng.below(count), count - 1] {
                let i = i.min(count - 1);
                let t = i128::from(curve.time_of(i).0);
                let target = i128::from(i) * curve.unit;
                assert!(curve.scaled(t) <= target, "case {case}: {stretch:?}, arrival {i}");
                let is_last = t + 1 == curve.length || curve.scaled(t + 1) > target;
                assert!(is_last, "case {case}: {stretch:?}, arrival {i}");
            }
        }
    }

    #[test]
    fn what_128_bits_do_not_hold_is_refused() {
        let fine = Stretch {
            from: Rate::ratio(u64::MAX, u64::MAX - 1).unwrap(),
            to: rate("1"),
            length: Nanos::from_secs(3_600_000),
        };
        assert!(Course::new([fine]).is_none());
        let long = Nanos::from_secs(3_600_000);
        assert!(Course::new([stretch("1", "1000000", long)]).is_some());
    }
}
