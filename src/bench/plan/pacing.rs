//! What the pacer would refuse of a plan, known before anything is started.
//!
//! The rules are the pacer's own, `pace::plan::Plan::check`; what it says of its flags is said here of
//! the keys of the file. Not here: what two servers at once cannot be paced with; see `duet`. Start at
//! [`Plan::refusal`].

use super::Plan;
use crate::bench::BenchError;
use crate::bench::knee::KneePlan;
use crate::pace::plan::{Plan as Paced, connections_max};
use crate::pace::schedule::{Horizon, Load};
use crate::units::Rate;

/// Flags of the pacer that a file sets, and by which key.
const KEYS: [(&str, &str); 10] = [
    ("-R/--rate", "rate"),
    ("-d", "duration"),
    ("--warmup", "warmup"),
    ("--timeout", "timeout"),
    ("--drain", "drain"),
    ("-c", "connections"),
    ("--max-connections", "max_connections"),
    ("--arrivals", "arrivals"),
    ("--timestamps", "timestamps"),
    ("--backend", "pacer_backend"),
];

/// Why the pacer would not do what a plan says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// It names keys of the file.
    pub(super) sentence: String,
    /// The first of them.
    pub(super) key: Option<&'static str>,
    /// Whether the keys are those of `[knee]`, as far as that has them.
    pub(super) is_of_knee: bool,
}

impl Refusal {
    fn of(flags: &str, is_of_knee: bool) -> Refusal {
        let mut named = None;
        let in_keys = |word: &str| {
            let flag = word.trim_end_matches([',', ';', ':']);
            let Some((_, key)) = KEYS.iter().find(|(typed, _)| *typed == flag) else {
                return word.to_owned();
            };
            named.get_or_insert(*key);
            word.replace(flag, key)
        };
        let words: Vec<String> = flags.split(' ').map(in_keys).collect();
        Refusal { sentence: words.join(" "), key: named, is_of_knee }
    }
}

impl Plan {
    /// What the pacer would refuse of it: of its runs, or of the search for a knee. The pacer may have
    /// `descriptors_max` descriptors.
    pub(super) fn refusal(&self, descriptors_max: u64) -> Option<Refusal> {
        let check = |rate: Rate, horizon: Horizon, is_of_knee: bool| {
            let refused = self.paced(rate, horizon).check(descriptors_max).err()?;
            Some(Refusal::of(&refused, is_of_knee))
        };
        let horizon = Horizon { warmup: self.warmup, duration: self.duration };
        let of_rates = self.rates.iter().find_map(|rate| check(rate.rate, horizon, false));
        of_rates.or_else(|| {
            let KneePlan { to, warmup, duration, .. } = *self.knee.as_ref()?;
            check(Rate::per_second(to)?, Horizon { warmup, duration }, true)
        })
    }

    /// Refuses a plan whose connections take more descriptors than the pacer may have.
    pub(in crate::bench) fn check_descriptors(
        &self,
        descriptors_max: u64,
    ) -> Result<(), BenchError> {
        let refused = self.refusal(descriptors_max).map(|refusal| refusal.sentence);
        refused.map_or(Ok(()), |sentence| Err(BenchError::File(sentence)))
    }

    /// Connections allowed to one server.
    pub(in crate::bench) fn connections_max(&self) -> usize {
        self.max_connections
            .map_or_else(|| connections_max(self.connections as usize), |most| most as usize)
    }

    /// As the pacer is told it, of some server.
    fn paced(&self, rate: Rate, Horizon { warmup, duration }: Horizon) -> Paced {
        let url = "http://localhost/".parse().expect("it is a URL");
        let blank = Paced::new(url, rate, duration);
        Paced {
            load: Load { rate, arrivals: self.arrivals.clone(), seed: self.seed },
            warmup,
            connections: self.connections as usize,
            connections_max: self.connections_max(),
            timeout: self.timeout.unwrap_or(blank.timeout),
            drain: self.pacer.drain,
            cpus: self.pacer_cpus.cpus().to_vec(),
            backend: self.pacer.backend.unwrap_or_default(),
            timestamps: self.pacer.timestamps.unwrap_or_default(),
            wait: self.pacer.wait.unwrap_or_default(),
            catch_up: self.pacer.catch_up.unwrap_or_default(),
            ..blank
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pacer_says_of_flags_is_said_of_keys() {
        let of = |flags: &str| {
            let Refusal { sentence, key, .. } = Refusal::of(flags, false);
            (sentence, key)
        };
        assert_eq!(
            of("--max-connections 63 is below -c 64"),
            ("max_connections 63 is below connections 64".into(), Some("max_connections"))
        );
        assert_eq!(of("-d, --drain: no"), ("duration, drain: no".into(), Some("duration")));
        assert_eq!(of("ends by -dawn"), ("ends by -dawn".into(), None));
    }
}
