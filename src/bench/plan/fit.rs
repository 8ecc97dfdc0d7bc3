//! Makes a plan fit a machine that has other CPUs than it asks for, and says so.
//!
//! The pacer is placed first and keeps its CPU to itself where it can; then places relative to it are
//! resolved (see `placement`); then targets take what is there of what they ask for.

use super::placement::Placement;
use super::{Launch, Plan, Target};
use crate::doctor::Topology;
use crate::io::topology::CpuList;

pub(super) fn fit(plan: &mut Plan, usable: &[usize], topology: &Topology) -> Vec<String> {
    let mut notes = Vec::new();
    // The pacer goes to the last CPU and targets to the first, so that they part if they can.
    let (Some(first), Some(last)) = (usable.first(), usable.last()) else { return notes };
    let there = among(&plan.pacer_cpus, usable);
    let pacer_moved = there.len() < plan.pacer_cpus.cpus().len();
    if pacer_moved {
        let cpus = cpu_list(&there).unwrap_or_else(|| CpuList::one(*last));
        notes.push(format!("the pacer runs {}", moved("pacer_cpus", &plan.pacer_cpus, &cpus)));
        plan.pacer_cpus = cpus;
    }
    let pacer = plan.pacer_cpus.clone();
    plan.targets.retain_mut(|target| match place(target, &pacer, usable, topology) {
        Ok(None) => true,
        Ok(Some(where_to)) => {
            notes.push(format!("target `{}` runs on {where_to}", target.name));
            true
        }
        Err(why) => {
            notes.push(format!("target `{}` is left out: {why}", target.name));
            false
        }
    });
    let free = usable.iter().find(|cpu| !pacer.cpus().contains(cpu));
    let room = Room { usable, pacer: &pacer, pacer_moved, fallback: *free.unwrap_or(first) };
    notes.extend(room.fit_all(&mut plan.targets));
    if usable.len() == 1 {
        notes.push(String::from(
            "server and pacer share the only CPU: the latencies hold the pacer's own turns",
        ));
    }
    notes
}

/// Puts the CPU's number where its place is asked for, and says `CPU 9, sibling-of:1`; or why there
/// is none.
fn place(
    target: &mut Target,
    pacer: &CpuList,
    usable: &[usize],
    topology: &Topology,
) -> Result<Option<String>, String> {
    let Launch::Serve(flags) = &mut target.launch else { return Ok(None) };
    let Some(value) = cpus_value(flags).filter(|value| Placement::is_meant(value)) else {
        return Ok(None);
    };
    let asked: Placement = value.parse()?;
    let pacer = pacer.cpus().first().copied().unwrap_or(0);
    let cpu = asked.resolve(pacer, usable, topology)?.to_string();
    let place = std::mem::replace(value, cpu);
    Ok(Some(format!("CPU {value}, {place}")))
}

/// What is after `--cpus`.
fn cpus_value(flags: &mut [String]) -> Option<&mut String> {
    let at = flags.iter().position(|flag| flag == "--cpus")?;
    flags.get_mut(at + 1)
}

/// What there is for targets.
struct Room<'a> {
    usable: &'a [usize],
    pacer: &'a CpuList,
    /// Whether the pacer is where the plan did not want it, perhaps where it wanted a target.
    pacer_moved: bool,
    fallback: usize,
}

impl Room<'_> {
    /// Moves targets to where there is room; a sentence for each kind of move.
    fn fit_all(&self, targets: &mut [Target]) -> Vec<String> {
        let mut moves: Vec<(String, Vec<String>)> = Vec::new();
        for target in targets {
            for how in self.fit(target) {
                let name = format!("`{}`", target.name);
                match moves.iter_mut().find(|(other, _)| *other == how) {
                    Some((_, names)) => names.push(name),
                    None => moves.push((how, vec![name])),
                }
            }
        }
        let sentence = |(how, names): &(String, Vec<String>)| match names.as_slice() {
            [one] => format!("target {one} runs {how}"),
            many => format!("targets {} run {how}", many.join(", ")),
        };
        moves.iter().map(sentence).collect()
    }

    /// How the target was moved.
    fn fit(&self, target: &mut Target) -> Vec<String> {
        let mut moves = Vec::new();
        if let Some(asked) = &target.cpus
            && let Some(cpus) = self.substitute(asked)
        {
            moves.push(self.describe("cpus", asked, &cpus));
            target.cpus = Some(cpus);
        }
        let Launch::Serve(flags) = &mut target.launch else { return moves };
        // A list that does not parse is left for the server to refuse in its own words.
        if let Some(value) = cpus_value(flags)
            && let Ok(asked) = value.parse::<CpuList>()
            && let Some(cpus) = self.substitute(&asked)
        {
            moves.push(self.describe("--cpus", &asked, &cpus));
            *value = cpus.to_string();
        }
        moves
    }

    /// `None` if `asked` is all there and free; else what of it is, or failing that the fallback.
    fn substitute(&self, asked: &CpuList) -> Option<CpuList> {
        let there = among(asked, self.usable);
        let is_short = there.len() < asked.cpus().len();
        if !is_short && !self.pacer_moved {
            return None;
        }
        let free: Vec<usize> =
            there.iter().copied().filter(|cpu| !self.pacer.cpus().contains(cpu)).collect();
        let kept = if free.is_empty() { there } else { free };
        let cpus = cpu_list(&kept).unwrap_or_else(|| CpuList::one(self.fallback));
        (cpus != *asked).then_some(cpus)
    }

    fn describe(&self, key: &str, asked: &CpuList, cpus: &CpuList) -> String {
        if among(asked, self.usable).len() < asked.cpus().len() {
            return moved(key, asked, cpus);
        }
        format!("on CPU {cpus}: {key} asks for {asked}, of which the pacer has {}", self.pacer)
    }
}

/// What is usable of `asked`.
fn among(asked: &CpuList, usable: &[usize]) -> Vec<usize> {
    asked.cpus().iter().copied().filter(|cpu| usable.contains(cpu)).collect()
}

/// The list of `cpus`; `None` if there are none.
pub(in crate::bench) fn cpu_list(cpus: &[usize]) -> Option<CpuList> {
    let words: Vec<String> = cpus.iter().map(usize::to_string).collect();
    words.join(",").parse().ok()
}

fn moved(key: &str, asked: &CpuList, cpus: &CpuList) -> String {
    format!("on CPU {cpus}: {key} asks for {asked}, which this machine does not have")
}
