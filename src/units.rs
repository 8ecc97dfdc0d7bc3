//! Spans, points in time and rates as types, so that a bare integer never crosses a function
//! boundary with its unit in a comment.
//!
//! [`Nanos`] is a span, [`Mono`] a point on this host's CLOCK_MONOTONIC, [`Wall`] one on its
//! CLOCK_REALTIME, [`Rate`] an exact rational number of requests per second. Spans and rates parse
//! from what a person types (`500us`, `20k`). Not here: reading a clock; see `clock::Clock`.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

/// A span of time in nanoseconds. Range: 0 to about 584 years; arithmetic saturates at neither end
/// but panics in debug builds, as a span that overflows is a bug.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nanos(pub u64);

/// A point on CLOCK_MONOTONIC of this host, in nanoseconds since an arbitrary origin.
///
/// `Mono - Mono` is a [`Nanos`] and must not go backwards; `Mono + Mono` does not compile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(pub u64);

/// A point on CLOCK_REALTIME, in nanoseconds since 1970. That clock may be set, so a [`Wall`] is never
/// what a latency is measured by; `clock::WallOffset` relates the two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(pub u64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Nanos = Nanos(0);

    /// `n` microseconds.
    pub const fn from_micros(n: u64) -> Nanos {
        Nanos(n * 1_000)
    }

    /// `n` milliseconds.
    pub const fn from_millis(n: u64) -> Nanos {
        Nanos(n * 1_000_000)
    }

    /// `n` seconds.
    pub const fn from_secs(n: u64) -> Nanos {
        Nanos(n * 1_000_000_000)
    }

    /// This span in seconds, rounded to the nearest `f64`.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The same span for std's interfaces.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0)
    }

    /// This span as one may type it, exactly: `90s`, `1500us`, in the coarsest of the units from
    /// `s` down that holds it whole.
    pub fn as_typed(self) -> String {
        let units = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"), (1, "ns")];
        match units.into_iter().find(|(scale, _)| self.0 > 0 && self.0.is_multiple_of(*scale)) {
            Some((scale, unit)) => format!("{}{unit}", self.0 / scale),
            None => String::from("0"),
        }
    }

    /// `self - other`, or zero where that would be negative.
    pub const fn saturating_sub(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(other.0))
    }
}

/// A difference of `ns` nanoseconds as it is shown: `+1.20 us`, `-3.00 ms`, `+infinite`.
pub fn signed(ns: f64) -> String {
    let sign = if ns < 0.0 { '-' } else { '+' };
    match ns.is_infinite() {
        true => format!("{sign}infinite"),
        false => format!("{sign}{}", Nanos(ns.abs().round() as u64)),
    }
}

impl Mono {
    /// The span from `earlier` to `self`, or zero if `earlier` is in fact later.
    pub const fn saturating_since(self, earlier: Mono) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Nanos {
    type Output = Nanos;
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0 + other.0)
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Nanos) {
        self.0 += other.0;
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    fn sub(self, other: Nanos) -> Nanos {
        Nanos(self.0 - other.0)
    }
}

impl Add<Nanos> for Mono {
    type Output = Mono;
    fn add(self, span: Nanos) -> Mono {
        Mono(self.0 + span.0)
    }
}

impl Sub for Mono {
    type Output = Nanos;
    fn sub(self, earlier: Mono) -> Nanos {
        debug_assert!(self >= earlier, "monotonic time went backwards");
        Nanos(self.0 - earlier.0)
    }
}

impl fmt::Display for Nanos {
    /// The shortest of the units that a person would pick, to three significant digits:
    /// `850 ns`, `14.2 us`, `2.05 ms`, `1.5 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0 as f64;
        let (value, unit) = match self.0 {
            0..1_000 => return f.pad(&format!("{} ns", self.0)),
            1_000..1_000_000 => (n / 1e3, "us"),
            1_000_000..1_000_000_000 => (n / 1e6, "ms"),
            _ => (n / 1e9, "s"),
        };
        let decimals = if value < 10.0 {
            2
        } else if value < 100.0 {
            1
        } else {
            0
        };
        f.pad(&format!("{value:.decimals$} {unit}"))
    }
}

impl FromStr for Nanos {
    type Err = String;

    /// Reads `500ns`, `500us`, `2ms`, `1.5s`, `5m`, `1h`; a bare `0` is allowed, any other bare
    /// number is not, since nobody agrees on its unit.
    fn from_str(text: &str) -> Result<Nanos, String> {
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
        let (number, unit) = text.split_at(unit_at);
        let scale: u64 = match unit {
            "ns" => 1,
            "us" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "" if number == "0" => 1,
            "" => {
                return Err(format!("`{text}` has no unit; write it as `{text}ms` or `{text}s`"));
            }
            _ => return Err(format!("`{text}` is no duration; use ns, us, ms, s, m or h")),
        };
        let decimal = Decimal::parse(number).ok_or_else(|| {
            format!("`{text}` is no duration; write one like `500us`, `2ms`, `30s`")
        })?;
        decimal
            .scaled_by(scale)
            .map(Nanos)
            .ok_or_else(|| format!("`{text}` is too long, or finer than a nanosecond"))
    }
}

/// An exact rate: `num / den` requests per second. `num` and `den` are at least 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    num: u64,
    den: u64,
}

impl Rate {
    /// `n` requests per second; `None` for zero.
    pub fn per_second(n: u64) -> Option<Rate> {
        Rate::ratio(n, 1)
    }

    /// `num / den` requests per second; `None` if either is zero.
    pub fn ratio(num: u64, den: u64) -> Option<Rate> {
        if num == 0 || den == 0 {
            return None;
        }
        let divisor = gcd(num, den);
        Some(Rate { num: num / divisor, den: den / divisor })
    }

    /// The offset of arrival `k` from the start: `floor(k * 1e9 * den / num)`. From `k`, not from the
    /// arrival before it, so that rounding cannot drift. Saturates far beyond any run.
    pub fn span_of(self, k: u64) -> Nanos {
        let span = u128::from(k) * 1_000_000_000 * u128::from(self.den) / u128::from(self.num);
        Nanos(u64::try_from(span).unwrap_or(u64::MAX))
    }

    /// How many arrivals have an offset strictly below `span`; the inverse of [`Rate::span_of`].
    pub fn count_within(self, span: Nanos) -> u64 {
        // The least k with floor(k * step) >= span, that is k * 1e9 * den >= span * num.
        let scaled = u128::from(span.0) * u128::from(self.num);
        let count = scaled.div_ceil(1_000_000_000 * u128::from(self.den));
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// Numerator and denominator, in lowest terms.
    pub const fn parts(self) -> (u64, u64) {
        (self.num, self.den)
    }

    /// Whether it is the higher of two.
    pub fn exceeds(self, other: Rate) -> bool {
        u128::from(self.num) * u128::from(other.den) > u128::from(other.num) * u128::from(self.den)
    }

    /// This rate as one may type it, exactly: `1000` or `1000000/7`.
    pub fn as_typed(self) -> String {
        match self.den {
            1 => self.num.to_string(),
            den => format!("{}/{den}", self.num),
        }
    }

    /// The nearest `f64` number of requests per second, for display and results.
    pub fn as_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            write!(f, "{}/s", self.num)
        } else {
            write!(f, "{:.3}/s", self.as_f64())
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    /// Reads `1000`, `20k`, `1.5M`, `1e6`, `0.5`, and ratios such as `1e6/7`.
    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || format!("`{text}` is no rate; write one like `1000`, `20k` or `1e6/7`");
        let (over, under) = text.split_once('/').unwrap_or((text, "1"));
        let (over_num, over_den) = ratio_of(over).ok_or_else(wrong)?;
        let (under_num, under_den) = ratio_of(under).ok_or_else(wrong)?;
        let num = over_num.checked_mul(under_den).ok_or_else(wrong)?;
        let den = over_den.checked_mul(under_num).ok_or_else(wrong)?;
        if den == 0 {
            return Err(wrong());
        }
        Rate::ratio(num, den)
            .ok_or_else(|| format!("`{text}` is a rate of zero; nothing would be sent"))
    }
}

/// `1.5k` as the exact fraction (15_000, 10); `None` if it is no number or too large.
fn ratio_of(text: &str) -> Option<(u64, u64)> {
    let (number, exponent) = if let Some(number) = text.strip_suffix(['k', 'K']) {
        (number, 3)
    } else if let Some(number) = text.strip_suffix(['m', 'M']) {
        (number, 6)
    } else if let Some((number, exponent)) = text.split_once(['e', 'E']) {
        (number, exponent.parse::<u32>().ok().filter(|e| *e <= 18)?)
    } else {
        (text, 0)
    };
    let decimal = Decimal::parse(number)?;
    let num = decimal.digits.checked_mul(10u64.checked_pow(exponent)?)?;
    Some((num, 10u64.checked_pow(decimal.places)?))
}

/// An unsigned decimal number as typed: `digits / 10^places`.
struct Decimal {
    digits: u64,
    places: u32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        if text.ends_with('.') {
            return None;
        }
        let digits = format!("{whole}{fraction}").parse().ok()?;
        Some(Decimal { digits, places: u32::try_from(fraction.len()).ok()? })
    }

    /// `self * scale` if that is a whole number that fits.
    fn scaled_by(&self, scale: u64) -> Option<u64> {
        let product = u128::from(self.digits) * u128::from(scale);
        let divisor = 10u128.checked_pow(self.places)?;
        if product % divisor != 0 {
            return None;
        }
        u64::try_from(product / divisor).ok()
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
