//! Limits on a run's response times that decide its exit code: `p99<500us`, `status.p99_9<=2ms`.
//!
//! A figure that is +infinity, or that no request gave, meets no limit. Pure. Start at
//! [`Threshold::check`].

use super::mix::Mix;
use crate::results::{FIGURES, Quantiles, Run};
use crate::units::Nanos;
use std::fmt;
use std::str::FromStr;

/// One limit. Prints as it is typed.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// As typed.
    text: String,
    /// A request kind; all requests if none is given.
    kind: Option<String>,
    key: Key,
    bound: Bound,
    limit: Nanos,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Below,
    UpTo,
}

/// A figure of a distribution, by its name in the results.
#[derive(Clone, Copy, Debug)]
struct Key {
    name: &'static str,
    figure: fn(&Quantiles) -> Option<u64>,
}

impl Key {
    /// Those of [`FIGURES`], and the mean.
    fn all() -> impl Iterator<Item = Key> {
        let quantiles = FIGURES.iter().map(|figure| Key { name: figure.key, figure: figure.value });
        quantiles.chain([Key { name: "mean", figure: |quantiles| quantiles.mean }])
    }
}

impl Threshold {
    /// An error in a sentence if `mix` has no such kind.
    pub fn check_kind(&self, mix: &Mix) -> Result<(), String> {
        let Some(kind) = &self.kind else { return Ok(()) };
        if mix.kinds().iter().any(|other| other.name == *kind) {
            return Ok(());
        }
        let names: Vec<&str> = mix.kinds().iter().map(|kind| kind.name.as_str()).collect();
        Err(format!("`{self}`: no request is called `{kind}`; there are {}", names.join(", ")))
    }

    /// The figure of `run` that it is about; `None` if that is +infinity, or no request gave it.
    pub fn figure(&self, run: &Run) -> Option<Nanos> {
        let of_kind = |kind: &String| run.requests.iter().find(|request| request.name == *kind);
        let quantiles = match &self.kind {
            None => Some(&run.response_ns),
            Some(kind) => of_kind(kind).map(|request| &request.response_ns),
        };
        quantiles.and_then(self.key.figure).map(Nanos)
    }

    /// An error in a sentence if `run` does not meet it.
    pub fn check(&self, run: &Run) -> Result<(), String> {
        match (self.figure(run), self.bound) {
            (Some(figure), Bound::Below) if figure < self.limit => Ok(()),
            (Some(figure), Bound::UpTo) if figure <= self.limit => Ok(()),
            (Some(figure), _) => Err(format!("`{self}` is not met: it is {figure}")),
            (None, _) => Err(format!("`{self}` is not met: it is longer than anything observed")),
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold, String> {
        let wrong = || format!("`{text}` is no threshold; write one like `p99<500us`");
        let (figure, limit) = text.split_once('<').ok_or_else(wrong)?;
        let (bound, limit) = match limit.strip_prefix('=') {
            Some(limit) => (Bound::UpTo, limit),
            None => (Bound::Below, limit),
        };
        let (kind, name) = match figure.trim().rsplit_once('.') {
            Some((kind, name)) => (Some(String::from(kind)), name),
            None => (None, figure.trim()),
        };
        let key = Key::all().find(|key| key.name == name).ok_or_else(|| {
            let names: Vec<&str> = Key::all().map(|key| key.name).collect();
            format!("`{name}` in `{text}` is no figure; there are {}", names.join(", "))
        })?;
        let limit = limit.trim().parse().map_err(|error| format!("`{text}`: {error}"))?;
        Ok(Threshold { text: String::from(text), kind, key, bound, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pace::outcome::Outcome;
    use crate::pace::plan::Plan;
    use crate::pace::recorder::Recorder;
    use crate::pace::stalls::StallMeter;
    use crate::units::{Mono, Rate};

    /// A run whose p99 is 500 us, of the kind `get`, without a p99.9.
    fn run() -> Run {
        let url = "http://h/".parse().unwrap();
        let plan = Plan::new(url, Rate::per_second(2).unwrap(), Nanos::from_secs(1));
        let recorder = Recorder::new(1, StallMeter::new(Mono(0), Mono(0)));
        let mut run = Outcome::new(&plan, recorder, Mono(0), Nanos::from_secs(1)).run;
        run.response_ns.p99 = Some(500_000);
        run.requests[0].response_ns.max = Some(7);
        run
    }

    #[track_caller]
    fn check(text: &str, expected: Result<(), &str>) {
        let threshold: Threshold = text.parse().unwrap();
        assert_eq!(threshold.to_string(), text);
        match (threshold.check(&run()), expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(says)) => assert!(error.contains(says), "{error}"),
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn a_limit_is_met_or_said_not_to_be() {
        check("p99<501us", Ok(()));
        check("p99<=500us", Ok(()));
        check("p99 < 500us", Err("`p99 < 500us` is not met: it is 500 us"));
        check("p99_9<1h", Err("longer than anything observed"));
        check("get.max<8ns", Ok(()));
        check("other.max<1h", Err("not met"));
    }

    #[test]
    fn what_is_no_limit_is_refused() {
        for (text, says) in [
            ("p99", "is no threshold"),
            ("p99>5us", "is no threshold"),
            ("p98<5us", "`p98` in `p98<5us` is no figure; there are p50"),
            ("p99<5", "no unit"),
            ("p99.9<5us", "is no figure"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        let threshold: Threshold = "status.p99<5us".parse().unwrap();
        assert!(threshold.check_kind(&Mix::single("/")).unwrap_err().contains("there are get"));
    }
}
