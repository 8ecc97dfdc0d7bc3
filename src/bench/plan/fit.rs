//! Makes a plan fit a machine with fewer CPUs than it asks for, and says so.

use super::{Launch, Plan, Target};
use crate::io::topology::CpuList;

pub(super) fn fit(plan: &mut Plan, usable: &[usize]) -> Vec<String> {
    let mut notes = Vec::new();
    // The pacer goes to the last CPU and targets to the first, so that they part if they can.
    let (Some(first), Some(last)) = (usable.first(), usable.last()) else { return notes };
    if let Some(cpus) = substitute(&plan.pacer_cpus, usable, *last) {
        notes.push(note("the pacer", "pacer_cpus", &plan.pacer_cpus, &cpus));
        plan.pacer_cpus = cpus;
    }
    for target in &mut plan.targets {
        fit_target(target, usable, *first, &mut notes);
    }
    if usable.len() == 1 {
        notes.push(String::from(
            "server and pacer share the only CPU: the latencies hold the pacer's own turns",
        ));
    }
    notes
}

fn fit_target(target: &mut Target, usable: &[usize], fallback: usize, notes: &mut Vec<String>) {
    let whom = format!("target `{}`", target.name);
    if let Some(asked) = &target.cpus
        && let Some(cpus) = substitute(asked, usable, fallback)
    {
        notes.push(note(&whom, "cpus", asked, &cpus));
        target.cpus = Some(cpus);
    }
    let Launch::Serve(flags) = &mut target.launch else { return };
    let Some(at) = flags.iter().position(|flag| flag == "--cpus") else { return };
    // A list that does not parse is left for the server to refuse in its own words.
    if let Some(value) = flags.get_mut(at + 1)
        && let Ok(asked) = value.parse::<CpuList>()
        && let Some(cpus) = substitute(&asked, usable, fallback)
    {
        notes.push(note(&whom, "--cpus", &asked, &cpus));
        *value = cpus.to_string();
    }
}

/// `None` if all of `asked` is usable; else what of it is, or failing that the `fallback`.
fn substitute(asked: &CpuList, usable: &[usize], fallback: usize) -> Option<CpuList> {
    let there: Vec<usize> =
        asked.cpus().iter().copied().filter(|cpu| usable.contains(cpu)).collect();
    if there.len() == asked.cpus().len() {
        return None;
    }
    Some(cpu_list(&there).unwrap_or_else(|| CpuList::one(fallback)))
}

/// The list of `cpus`; `None` if there are none.
pub(in crate::bench) fn cpu_list(cpus: &[usize]) -> Option<CpuList> {
    let words: Vec<String> = cpus.iter().map(usize::to_string).collect();
    words.join(",").parse().ok()
}

fn note(whom: &str, key: &str, asked: &CpuList, cpus: &CpuList) -> String {
    format!("{whom} runs on CPU {cpus}: {key} asks for {asked}, which this machine does not have")
}
