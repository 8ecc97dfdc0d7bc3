//! A CPU named by where it stands to another, `sibling-of:pacer`, so that one file asks the same of
//! every machine.
//!
//! | typed | the CPU meant |
//! |---|---|
//! | `same-as:X` | X itself |
//! | `sibling-of:X` | the other SMT thread of X's core |
//! | `other-core-of:X` | of another core that shares X's last-level cache |
//! | `other-l3-of:X` | of another last-level cache |
//!
//! X is `pacer`, which is the first of `pacer_cpus`, or a number. Of several CPUs that fit the lowest
//! is taken. Pure: the topology comes in. Start at [`Placement::resolve`].

use crate::doctor::{Place, Topology};
use std::str::FromStr;

/// A CPU by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placement {
    relation: Relation,
    anchor: Anchor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Same,
    Sibling,
    OtherCore,
    OtherL3,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Pacer,
    Cpu(usize),
}

const RELATIONS: [(&str, Relation); 4] = [
    ("same-as", Relation::Same),
    ("sibling-of", Relation::Sibling),
    ("other-core-of", Relation::OtherCore),
    ("other-l3-of", Relation::OtherL3),
];

impl Placement {
    /// Whether `text` is meant as one: no CPU list has a colon.
    pub(super) fn is_meant(text: &str) -> bool {
        text.contains(':')
    }

    /// The CPU meant on a machine where `usable` CPUs stand as in `topology` and the pacer runs on
    /// `pacer`; or why there is none, as a clause.
    pub(super) fn resolve(
        self,
        pacer: usize,
        usable: &[usize],
        topology: &Topology,
    ) -> Result<usize, String> {
        let (anchor, whom) = match self.anchor {
            Anchor::Pacer => (pacer, format!("the pacer's CPU {pacer}")),
            Anchor::Cpu(cpu) => (cpu, format!("CPU {cpu}")),
        };
        if !usable.contains(&anchor) {
            return Err(format!("this machine has no CPU {anchor}"));
        }
        if self.relation == Relation::Same {
            return Ok(anchor);
        }
        let place = |cpu: usize| topology.cpus.iter().find(|place| place.cpu == cpu);
        let of_anchor = place(anchor).ok_or("the kernel does not say where its CPUs stand")?;
        let mut others = usable.iter().filter_map(|cpu| place(*cpu));
        let found = others.find(|other| self.relation.holds(of_anchor, other));
        found.map(|place| place.cpu).ok_or_else(|| match self.relation {
            Relation::Same | Relation::Sibling => format!("no other CPU shares a core with {whom}"),
            Relation::OtherCore => format!("no other core shares the last-level cache of {whom}"),
            Relation::OtherL3 => format!("no CPU has another last-level cache than {whom}"),
        })
    }
}

impl Relation {
    fn holds(self, anchor: &Place, other: &Place) -> bool {
        let same_core = anchor.siblings.contains(&other.cpu);
        // Where the kernel does not say, as in many virtual machines, all share one cache.
        let same_l3 = anchor.l3 == other.l3;
        match self {
            Relation::Same => anchor.cpu == other.cpu,
            Relation::Sibling => same_core && anchor.cpu != other.cpu,
            Relation::OtherCore => !same_core && same_l3,
            Relation::OtherL3 => !same_l3,
        }
    }
}

impl FromStr for Placement {
    type Err = String;

    fn from_str(text: &str) -> Result<Placement, String> {
        let wrong = || {
            format!(
                "`{text}` is no place; write one like `sibling-of:pacer` or `other-core-of:0`; there \
                 are same-as, sibling-of, other-core-of and other-l3-of"
            )
        };
        let (relation, anchor) = text.split_once(':').ok_or_else(wrong)?;
        let (_, relation) =
            RELATIONS.into_iter().find(|(name, _)| *name == relation).ok_or_else(wrong)?;
        let anchor = match anchor {
            "pacer" => Anchor::Pacer,
            cpu => Anchor::Cpu(cpu.parse().map_err(|_| wrong())?),
        };
        Ok(Placement { relation, anchor })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// `cores` of `threads` each in L3 groups of `per_l3` cores, numbered as Linux does on x86: the
    /// second threads after all first ones.
    pub(in crate::bench::plan) fn machine(
        cores: usize,
        threads: usize,
        per_l3: usize,
    ) -> (Vec<usize>, Topology) {
        let of_core = |core: usize| (0..threads).map(move |thread| thread * cores + core);
        let place = |cpu: usize| {
            let (core, group) = (cpu % cores, cpu % cores / per_l3);
            let mut l3: Vec<usize> =
                (group * per_l3..cores.min((group + 1) * per_l3)).flat_map(of_core).collect();
            l3.sort_unstable();
            Place { cpu, package: 0, siblings: of_core(core).collect(), l3, node: 0 }
        };
        let usable: Vec<usize> = (0..cores * threads).collect();
        let topology = Topology { cpus: usable.iter().map(|cpu| place(*cpu)).collect() };
        (usable, topology)
    }

    #[track_caller]
    fn check(text: &str, machine: &(Vec<usize>, Topology), expected: Result<usize, &str>) {
        let placement: Placement = text.parse().unwrap();
        let resolved = placement.resolve(1, &machine.0, &machine.1);
        assert_eq!(resolved, expected.map_err(str::to_owned), "{text}");
    }

    #[test]
    fn places_are_found_where_there_are_all() {
        let two_groups = machine(8, 2, 4);
        check("same-as:pacer", &two_groups, Ok(1));
        check("sibling-of:pacer", &two_groups, Ok(9));
        check("other-core-of:pacer", &two_groups, Ok(0));
        check("other-l3-of:pacer", &two_groups, Ok(4));
        check("other-l3-of:5", &two_groups, Ok(0));
    }

    #[test]
    fn a_place_that_is_not_there_is_explained() {
        let two_cpus = machine(2, 1, 2);
        check("other-core-of:pacer", &two_cpus, Ok(0));
        check(
            "sibling-of:pacer",
            &two_cpus,
            Err("no other CPU shares a core with the pacer's CPU 1"),
        );
        check("other-l3-of:0", &two_cpus, Err("no CPU has another last-level cache than CPU 0"));
        check("sibling-of:7", &two_cpus, Err("this machine has no CPU 7"));
        let one_core = machine(1, 2, 1);
        check(
            "other-core-of:pacer",
            &one_core,
            Err("no other core shares the last-level cache of the pacer's CPU 1"),
        );
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for wrong in ["cousin-of:1", "same-as:", "same-as:x", "sibling-of", ":", "same-as:-1"] {
            let error = wrong.parse::<Placement>().unwrap_err();
            assert!(error.starts_with(&format!("`{wrong}` is no place")), "{error}");
        }
    }
}
