//! The quantiles that results have of a distribution: one list, for whoever works them out, writes
//! them, shows them or compares them.
//!
//! What a figure is of is the same field of several structs; [`Figure`] reads and writes it in each.
//! Not here: the least and the mean, which are no quantiles of interest and stand by themselves. Start
//! at [`FIGURES`].

use super::bench::{Spread, Spreads};
use super::{QuantileErrors, QuantileInterval, QuantileIntervals, Quantiles, is_thin};
use crate::stats::{Histogram, Quantile};

/// A quantile, or the maximum.
#[derive(Debug)]
pub struct Figure {
    /// As it stands in the results: `p99_9`.
    pub key: &'static str,
    /// As people write it: `p99.9`.
    pub label: &'static str,
    /// Which it is, in 0..=1.
    pub q: f64,
    /// Of 100,000 requests, how many lie beyond it; 0 for the maximum.
    pub beyond_per_100k: u64,
    /// Its value; `None` at +infinity and of no requests.
    pub value: fn(&Quantiles) -> Option<u64>,
    /// How much of it may be the pacer's doing.
    pub error: fn(&QuantileErrors) -> Option<u64>,
    /// How sure it is by its run alone; the maximum never is.
    pub interval: fn(&QuantileIntervals) -> Option<QuantileInterval>,
    /// Its value in every repeat.
    pub spread: fn(&Spreads) -> &Spread,
    set_value: fn(&mut Quantiles, Option<u64>),
    set_error: fn(&mut QuantileErrors, Option<u64>),
    set_interval: fn(&mut QuantileIntervals, Option<QuantileInterval>),
    set_spread: fn(&mut Spreads, Spread),
}

/// The same field of each; the last two read and write the interval.
macro_rules! figure {
    ($key:ident, $label:literal, $q:literal, $beyond:literal) => {
        figure!($key, $label, $q, $beyond, |of| of.$key, |of, sure| of.$key = sure)
    };
    (
        $key:ident, $label:literal, $q:literal, $beyond:literal, $interval:expr,
        $set_interval:expr
    ) => {
        Figure {
            key: stringify!($key),
            label: $label,
            q: $q,
            beyond_per_100k: $beyond,
            value: |of| of.$key,
            error: |of| of.$key,
            interval: $interval,
            spread: |of| &of.$key,
            set_value: |of, ns| of.$key = ns,
            set_error: |of, ns| of.$key = ns,
            set_interval: $set_interval,
            set_spread: |of, each| of.$key = each,
        }
    };
}

/// Every one there is, ascending.
pub static FIGURES: [Figure; 7] = [
    figure!(p50, "p50", 0.5, 50_000),
    figure!(p90, "p90", 0.9, 10_000),
    figure!(p95, "p95", 0.95, 5_000),
    figure!(p99, "p99", 0.99, 1_000),
    figure!(p99_9, "p99.9", 0.999, 100),
    figure!(p99_99, "p99.99", 0.9999, 10),
    figure!(max, "max", 1.0, 0, |_| None, |_, _| {}),
];

impl Figure {
    /// The one that results call `key`.
    pub fn of_key(key: &str) -> Option<&'static Figure> {
        FIGURES.iter().find(|figure| figure.key == key)
    }

    /// Whether too few of `count` requests lie beyond it to believe it.
    pub fn is_thin(&self, count: u64) -> bool {
        is_thin(count, self.beyond_per_100k)
    }
}

impl From<&Histogram> for Quantiles {
    fn from(histogram: &Histogram) -> Quantiles {
        let ns = |quantile: Quantile| quantile.finite().map(|value| value.0);
        let mut quantiles = Quantiles {
            min: ns(histogram.min()),
            mean: ns(histogram.mean()),
            count: histogram.count(),
            infinite: histogram.infinite(),
            longest_observed: histogram.longest_observed().map(|longest| longest.0),
            ..Quantiles::default()
        };
        for figure in &FIGURES {
            (figure.set_value)(&mut quantiles, ns(histogram.quantile(figure.q)));
        }
        quantiles
    }
}

impl Quantiles {
    /// The names of the quantiles that are thin.
    pub fn too_few(&self) -> Vec<String> {
        let thin = FIGURES.iter().filter(|figure| figure.is_thin(self.count));
        thin.map(|figure| String::from(figure.key)).collect()
    }
}

impl QuantileErrors {
    /// The error of each figure, from that of the least, that of the mean, and those of `of`.
    pub fn each(
        min: Option<u64>,
        mean: Option<u64>,
        of: impl Fn(&Figure) -> Option<u64>,
    ) -> QuantileErrors {
        let mut errors = QuantileErrors { min, mean, ..QuantileErrors::default() };
        FIGURES.iter().for_each(|figure| (figure.set_error)(&mut errors, of(figure)));
        errors
    }

    /// Of a distribution and that of the least its samples may have been.
    pub fn between(least: &Quantiles, most: &Quantiles) -> QuantileErrors {
        let error = |least: Option<u64>, most: Option<u64>| Some(most?.saturating_sub(least?));
        let of = |figure: &Figure| error((figure.value)(least), (figure.value)(most));
        QuantileErrors::each(error(least.min, most.min), error(least.mean, most.mean), of)
    }
}

impl QuantileIntervals {
    /// The interval of each quantile that may have one, each of `confidence`.
    pub fn each(
        confidence: f64,
        of: impl Fn(&Figure) -> Option<QuantileInterval>,
    ) -> QuantileIntervals {
        let mut intervals = QuantileIntervals { confidence, ..QuantileIntervals::default() };
        let quantiles = FIGURES.iter().filter(|figure| figure.beyond_per_100k > 0);
        quantiles.for_each(|figure| (figure.set_interval)(&mut intervals, of(figure)));
        intervals
    }
}

impl Spreads {
    /// The same with every figure as `of` has it.
    pub fn with(mut self, of: impl Fn(&Figure) -> Spread) -> Spreads {
        FIGURES.iter().for_each(|figure| (figure.set_spread)(&mut self, of(figure)));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::sample;
    use crate::units::Nanos;

    #[test]
    fn each_figure_is_the_field_of_its_key_everywhere() {
        let quantiles = serde_json::to_value(sample::quantiles(10, false)).unwrap();
        let spreads = sample::spreads([10, 20, 30], 9, false);
        let shown = serde_json::to_value(&spreads).unwrap();
        for (nth, figure) in FIGURES.iter().enumerate() {
            let value = (figure.value)(&sample::quantiles(10, false));
            assert_eq!(quantiles[figure.key].as_u64(), value, "{}", figure.key);
            let spread = serde_json::to_value((figure.spread)(&spreads)).unwrap();
            assert_eq!(shown[figure.key], spread, "{}", figure.key);
            assert_eq!(figure.key.replacen('_', ".", 1), figure.label);
            let errors = QuantileErrors::each(None, None, |of| (of.key == figure.key).then_some(7));
            let written = serde_json::to_value(errors).unwrap();
            let found = (written[figure.key].as_u64(), (figure.error)(&errors));
            assert_eq!(found, (Some(7), Some(7)), "{}", figure.key);
            let sure = QuantileInterval { low: Some(1), high: None, effective: 2.0, block_s: 0.1 };
            let of = |of: &Figure| (of.key == figure.key).then_some(sure);
            let intervals = QuantileIntervals::each(0.95, of);
            assert_eq!((figure.interval)(&intervals).is_some(), figure.key != "max");
            // What lies beyond it is what the quantile leaves.
            let beyond = ((1.0 - figure.q) * 100_000.0).round() as u64;
            assert_eq!((beyond, nth == 6), (figure.beyond_per_100k, figure.key == "max"));
        }
    }

    #[test]
    fn the_figures_of_a_histogram_are_its_quantiles() {
        let mut histogram = Histogram::new();
        assert_eq!(Quantiles::from(&histogram), Quantiles::default());
        (1..=98).for_each(|ns| histogram.record(Nanos(ns)));
        histogram.record_infinite_many(2);
        let found = Quantiles::from(&histogram);
        assert_eq!((found.min, found.p50, found.p95), (Some(1), Some(50), Some(95)));
        assert_eq!((found.mean, found.p99, found.max), (None, None, None));
        assert_eq!((found.count, found.infinite, found.longest_observed), (100, 2, Some(98)));
        assert_eq!(found.too_few(), ["p95", "p99", "p99_9", "p99_99"]);
    }
}
