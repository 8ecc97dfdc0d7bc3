//! Where the chosen CPUs stand: packages, cores, SMT siblings, L3 groups, NUMA nodes.
//!
//! Start at [`Topology::read`].

use super::finding::{Finding, Severity};
use super::machine::{Machine, cpu_list, name, show};
use serde::{Deserialize, Serialize};

/// Every CPU that is online, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topology {
    /// One entry a CPU.
    pub cpus: Vec<Place>,
}

/// Where one CPU stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The CPU's number.
    pub cpu: usize,
    /// Its socket.
    pub package: usize,
    /// The CPUs of its core, itself among them.
    pub siblings: Vec<usize>,
    /// The CPUs that share its last-level cache; empty where the kernel does not say.
    pub l3: Vec<usize>,
    /// Its memory node.
    pub node: usize,
}

impl Topology {
    pub(super) fn read(machine: &Machine) -> Topology {
        let nodes = nodes(machine);
        let place = |cpu: usize| Place {
            cpu,
            package: number(machine.cpu_line(cpu, "topology/physical_package_id")),
            siblings: siblings(machine, cpu),
            l3: last_level(machine, cpu),
            node: nodes.iter().find(|(_, cpus)| cpus.contains(&cpu)).map_or(0, |(node, _)| *node),
        };
        Topology { cpus: machine.online().iter().copied().map(place).collect() }
    }

    fn place(&self, cpu: usize) -> Option<&Place> {
        self.cpus.iter().find(|place| place.cpu == cpu)
    }

    /// The first CPU of each core, among `cpus`.
    pub(super) fn one_per_core(&self, cpus: &[usize]) -> Vec<usize> {
        let mut taken: Vec<usize> = Vec::new();
        for place in cpus.iter().filter_map(|cpu| self.place(*cpu)) {
            if !place.siblings.iter().any(|sibling| taken.contains(sibling)) {
                taken.push(place.cpu);
            }
        }
        taken
    }

    /// The values of a property among `cpus`, each once, in order of appearance.
    fn distinct<T: PartialEq>(&self, cpus: &[usize], of: impl Fn(&Place) -> T) -> Vec<T> {
        let mut values = Vec::new();
        for value in cpus.iter().filter_map(|cpu| self.place(*cpu)).map(of) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }
}

fn number(text: Option<String>) -> usize {
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn siblings(machine: &Machine, cpu: usize) -> Vec<usize> {
    // The old name of core_cpus_list; every kernel has it.
    let siblings = machine.cpu_line(cpu, "topology/thread_siblings_list");
    match cpu_list(&siblings.unwrap_or_default()) {
        none if none.is_empty() => vec![cpu],
        siblings => siblings,
    }
}

fn last_level(machine: &Machine, cpu: usize) -> Vec<usize> {
    let caches = machine.names(&format!("sys/devices/system/cpu/cpu{cpu}/cache"));
    let of_level_3 = caches.iter().find(|cache| {
        machine.cpu_line(cpu, &format!("cache/{cache}/level")).as_deref() == Some("3")
    });
    let shared = of_level_3
        .and_then(|cache| machine.cpu_line(cpu, &format!("cache/{cache}/shared_cpu_list")));
    cpu_list(&shared.unwrap_or_default())
}

/// Each node and its CPUs.
fn nodes(machine: &Machine) -> Vec<(usize, Vec<usize>)> {
    const FOLDER: &str = "sys/devices/system/node";
    let numbers = machine.names(FOLDER).into_iter().filter_map(|entry| {
        entry.strip_prefix("node").and_then(|number| number.parse::<usize>().ok())
    });
    let cpus = |node| machine.line(&format!("{FOLDER}/node{node}/cpulist")).unwrap_or_default();
    numbers.map(|node| (node, cpu_list(&cpus(node)))).collect()
}

pub(super) fn findings(machine: &Machine, topology: &Topology) -> Vec<Finding> {
    let mut findings = vec![overview(machine, topology), smt(machine, topology)];
    findings.extend(groups(machine, topology));
    findings
}

fn overview(machine: &Machine, topology: &Topology) -> Finding {
    let online = machine.online();
    let l3 = topology.distinct(online, |place| place.l3.clone());
    let seen = format!(
        "{}, {}, {}, {}, {}; chosen: {}.",
        count(topology.distinct(online, |place| place.package).len(), "package"),
        count(topology.one_per_core(online).len(), "core"),
        count(online.len(), "CPU"),
        count(l3.iter().filter(|group| !group.is_empty()).count(), "L3 group"),
        count(topology.distinct(online, |place| place.node).len(), "NUMA node"),
        name(machine.cpus()),
    );
    let why = "Where two CPUs stand to each other decides what a cache line or a wake-up between them \
               costs.";
    Finding::new(Severity::Note, "topology", seen, why)
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

const SMT_WHY: &str = "SMT siblings share one core's pipelines and L1: whatever runs on one slows the other \
                       by a third or more, at moments nobody chose.";

fn smt(machine: &Machine, topology: &Topology) -> Finding {
    let chosen = machine.cpus();
    let cores = topology.distinct(chosen, |place| place.siblings.clone());
    let both_chosen = |core: &&Vec<usize>| core.iter().filter(|c| chosen.contains(c)).count() > 1;
    let pairs: Vec<String> = cores.iter().filter(both_chosen).map(|core| show(core)).collect();
    if !pairs.is_empty() {
        let seen = format!("Chosen CPUs share a core: {}.", pairs.join(" and "));
        let flag = format!("ringpace serve --cpus {}", show(&topology.one_per_core(chosen)));
        return Finding::new(Severity::Warn, "smt", seen, SMT_WHY).mended_by(flag);
    }
    let idle: Vec<usize> = machine.spare();
    let beside: Vec<usize> =
        idle.into_iter().filter(|cpu| cores.iter().any(|core| core.contains(cpu))).collect();
    if beside.is_empty() {
        let seen = "No chosen CPU shares its core with another that is online.";
        return Finding::new(Severity::Good, "smt", seen, SMT_WHY);
    }
    let seen = format!("{}, of the same cores as the chosen, may run anything.", name(&beside));
    Finding::new(Severity::Warn, "smt", seen, SMT_WHY).mended_by(offline(&beside))
}

fn offline(cpus: &[usize]) -> String {
    let cpus: Vec<String> = cpus.iter().map(usize::to_string).collect();
    format!(
        "for c in {}; do echo 0 | sudo tee /sys/devices/system/cpu/cpu$c/online; done",
        cpus.join(" ")
    )
}

/// Chosen CPUs that stand in more than one L3 group or node.
fn groups(machine: &Machine, topology: &Topology) -> Vec<Finding> {
    let chosen = machine.cpus();
    let mut findings = Vec::new();
    let nodes = topology.distinct(chosen, |place| place.node);
    let l3 = topology.distinct(chosen, |place| place.l3.clone());
    let within = |keep: &dyn Fn(&Place) -> bool| {
        let kept = topology.cpus.iter().filter(|p| chosen.contains(&p.cpu) && keep(p));
        let cpus: Vec<usize> = kept.map(|place| place.cpu).collect();
        format!("ringpace serve --cpus {}", show(&cpus))
    };
    if let [first, _, ..] = nodes[..] {
        let seen = format!("The chosen CPUs are in {} NUMA nodes.", nodes.len());
        let why = "Memory of the other node is twice as far, and which node a page is in depends on \
                   who touched it first: runs differ for no reason of the server's.";
        let finding = Finding::new(Severity::Warn, "numa", seen, why);
        findings.push(finding.mended_by(within(&|place| place.node == first)));
    }
    if let [first, _, ..] = &l3[..] {
        let lists: Vec<String> = l3.iter().map(|group| show(group)).collect();
        let seen =
            format!("The chosen CPUs are in {} L3 groups: {}.", l3.len(), lists.join(" and "));
        let why = "Cores that share state pay several times more for a cache line across groups; keep \
                   what is compared on the same side.";
        let finding = Finding::new(Severity::Note, "l3", seen, why);
        findings.push(finding.mended_by(within(&|place| place.l3 == *first)));
    }
    findings
}

#[cfg(test)]
mod tests;
