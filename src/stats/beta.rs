//! The incomplete beta function, of which the tails of Student's t and of the binomial are made.
//!
//! To ten digits, for the shapes that intervals of confidence need. Not here: anything else of a
//! library of statistics. Start at [`incomplete`].

use std::f64::consts::PI;

/// The part of the beta distribution of shapes `a` and `b`, both positive, that lies below `x`.
/// Source: the continued fraction DLMF 8.17.22, by the modified method of Lentz (1976).
pub fn incomplete(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return if x <= 0.0 { 0.0 } else { 1.0 };
    }
    // It converges fast on this side of the mean only; the other is its mirror image.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete(1.0 - x, b, a);
    }
    let ln_front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    ln_front.exp() / (a * fraction(x, a, b))
}

/// The value that a Student's t of `freedom` degrees (positive, not always whole) stays within, on
/// either side of zero, with the probability `confidence`, in 0..1.
pub fn student(confidence: f64, freedom: f64) -> f64 {
    let within = |t: f64| 1.0 - incomplete(freedom / (freedom + t * t), freedom / 2.0, 0.5);
    let mut most = 2.0;
    while within(most) < confidence && most < 1e12 {
        most *= 2.0;
    }
    rising(0.0, most, confidence, within)
}

/// How likely `trials` of chance `p` succeed `least` times or more. None of the two need be whole.
pub fn at_least(least: f64, trials: f64, p: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    if least >= trials + 1.0 { 0.0 } else { incomplete(p, least, trials - least + 1.0) }
}

/// Where `of`, which rises between `low` and `high`, reaches `value`.
pub(super) fn rising(mut low: f64, mut high: f64, value: f64, of: impl Fn(f64) -> f64) -> f64 {
    // Halved so often, nothing is left between two doubles.
    for _ in 0..80 {
        let middle = low + (high - low) / 2.0;
        if of(middle) < value { low = middle } else { high = middle }
    }
    low + (high - low) / 2.0
}

/// The denominator of the continued fraction.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    /// Stands for a zero that would be divided by. Source: Lentz.
    const TINY: f64 = 1e-300;
    /// Chosen: about sqrt(a + b) terms are needed, and callers use the normal limit above 1e6.
    const TERMS_MAX: u32 = 20_000;
    let kept_off_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let (mut value, mut c, mut d) = (1.0, 1.0, 0.0);
    for term in 0..TERMS_MAX {
        let m = f64::from(term / 2);
        let numerator = match term {
            0 => 1.0,
            _ if term % 2 == 0 => m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)),
            _ => -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)),
        };
        if term == 0 {
            continue;
        }
        d = 1.0 / kept_off_zero(1.0 + numerator * d);
        c = kept_off_zero(1.0 + numerator / c);
        value *= c * d;
        if (c * d - 1.0).abs() < 1e-13 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a positive `x`. Source: Lanczos (1964), with the nine
/// coefficients for g = 7 that P. Godfrey worked out.
fn ln_gamma(x: f64) -> f64 {
    const G: f64 = 7.0;
    const COEFFICIENTS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let series = COEFFICIENTS.iter().zip(1..).map(|(c, i)| c / (x + f64::from(i)));
    let sum = 0.999_999_999_999_809_9 + series.sum::<f64>();
    let t = x + G + 0.5;
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(got: f64, expected: f64) {
        assert!((got - expected).abs() <= 1e-4 * expected.abs().max(1e-3), "{got}, not {expected}");
    }

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (confidence, freedom, t) in [
            (0.95, 1.0, 12.7062),
            (0.95, 2.0, 4.302_65),
            (0.95, 4.0, 2.776_45),
            (0.99, 4.0, 4.604_09),
            (0.95, 30.0, 2.042_27),
            (0.95, 1e6, 1.959_97),
        ] {
            check(student(confidence, freedom), t);
        }
    }

    #[test]
    fn the_binomial_is_the_sum_of_its_terms() {
        for (trials, p) in [(1u32, 0.3), (5, 0.5), (20, 0.95), (60, 0.01)] {
            let mut term = (1.0f64 - p).powi(trials as i32);
            let mut below = 0.0;
            for least in 0..=trials {
                check(at_least(f64::from(least), f64::from(trials), p), 1.0 - below);
                below += term;
                term *= f64::from(trials - least) / f64::from(least + 1) * p / (1.0 - p);
            }
            check(at_least(f64::from(trials + 1), f64::from(trials), p), 0.0);
        }
    }

    #[test]
    fn of_very_many_trials_it_is_the_normal_limit() {
        // One and 1.959964 standard deviations above the mean.
        check(at_least(500_500.5, 1e6, 0.5), 0.158_655);
        check(at_least(500_980.482, 1e6, 0.5), 0.025);
    }
}
