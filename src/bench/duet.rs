//! A duet: two targets up at once on the same CPUs, paced together, pair by pair.
//!
//! Every restart starts both afresh (who first, alternates), and one pacer sends each request to both
//! (see `pace::pairs`). Runs and their tables are those of any bench; beside them stands what the pairs
//! come to. Not here: one restart (see `measure`), the statistics (see [`estimate`]). Start at
//! [`conduct`].

pub mod estimate;

use super::BenchError;
use super::measure::Assignment;
use super::plan::{Launch, Plan, Target};
use super::run::{Job, cpus_of, is_of, order};
use super::store::Store;
use super::summary::summarise;
use crate::pace::plan::{Unfit, descriptors_needed};
use crate::results::bench::{Bench, BenchRun};
use crate::results::duet::{DUET_SCHEMA, Duet, DuetRun, Pairs, Restart};
use crate::rng::mix64;

/// What a restart left: both targets' runs, A's first, and where the pairs are; none if it failed.
pub(super) struct Restarted {
    pub(super) runs: [BenchRun; 2],
    pub(super) restart: Option<Restart>,
}

/// Why the two targets of `plan` cannot be up at once, if so: a sentence that names the flag.
pub(super) fn check(plan: &Plan) -> Result<(), BenchError> {
    let [a, b] = plan.targets.as_slice() else {
        let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
        let there = names.join(", ");
        return Err(BenchError::Machine(format!(
            "--duet takes two targets, and of its two this machine has only: {there}"
        )));
    };
    let [on_a, on_b] = [a, b].map(|target| cpus_of(target).map(|cpus| cpus.to_string()));
    if on_a != on_b {
        let on = |cpus: Option<String>| cpus.unwrap_or_else(|| String::from("any"));
        return Err(BenchError::File(format!(
            "--duet {},{}: the one runs on CPUs {}, the other on {}; what the machine does hits both \
             only on the same",
            a.name,
            b.name,
            on(on_a),
            on(on_b)
        )));
    }
    if spins(a) && spins(b) && on_a.is_some() {
        return Err(BenchError::File(format!(
            "--duet {},{}: both have --wait spin on the same CPUs, where each takes the other's time; \
             let them block",
            a.name, b.name
        )));
    }
    Ok(())
}

/// Why the pacer cannot pace two servers as `plan` says, if so: a sentence that names the file's key.
/// These are the limits of `pace --duet`, told before anything is started. The pacer may have
/// `descriptors_max` descriptors.
pub(super) fn check_pacer(plan: &Plan, descriptors_max: u64) -> Result<(), BenchError> {
    let pacer = &plan.pacer;
    let refused = |why: String| Err(BenchError::File(format!("--duet does not go with {why}")));
    if plan.pacer_cpus.cpus().len() > 1 {
        let why = "pacer_cpus: one core paces both, so that the machine hits both; name one CPU";
        return refused(String::from(why));
    }
    let (wait, timestamps) = (pacer.wait.unwrap_or_default(), pacer.timestamps.unwrap_or_default());
    let catch_up = pacer.catch_up.unwrap_or_default();
    if let Some(unfit) = Unfit::of(wait, timestamps, catch_up, &plan.arrivals) {
        let typed = match unfit {
            Unfit::Hybrid => "pacer_wait = \"hybrid\"",
            Unfit::KernelStamps => "timestamps = \"kernel\"",
            Unfit::CatchUp => "catch_up other than \"all\"",
            Unfit::Replay => "arrivals = \"replay:..\"",
        };
        return refused(format!("{typed}: {}", unfit.why()));
    }
    let most = plan.connections_max();
    let needed = descriptors_needed(2, most);
    match needed <= descriptors_max {
        true => Ok(()),
        false => Err(BenchError::File(format!(
            "--duet: max_connections = {most} to each of two servers needs {needed} descriptors, and \
             the pacer may have {descriptors_max}; raise `ulimit -n` or lower it"
        ))),
    }
}

/// What is to be said of the two targets before they are measured.
pub(super) fn note(plan: &Plan) -> Option<String> {
    let spinning: Vec<&str> =
        plan.targets.iter().filter(|target| spins(target)).map(|t| t.name.as_str()).collect();
    (!spinning.is_empty()).then(|| {
        format!(
            "`{}` spins, and takes time from the other wherever they share a CPU",
            spinning.join("` and `")
        )
    })
}

fn spins(target: &Target) -> bool {
    let Launch::Serve(flags) = &target.launch else { return false };
    flags.windows(2).any(|pair| pair == ["--wait", "spin"])
}

/// The restarts of the plan, in order: jobs of target A.
fn restarts(plan: &Plan) -> Vec<Job> {
    let mut jobs: Vec<Job> = order(plan).into_iter().filter(|job| job.target == 0).collect();
    let of = jobs.len();
    jobs.iter_mut().enumerate().for_each(|(position, job)| (job.position, job.of) = (position, of));
    jobs
}

/// A restart of both targets, by its first.
pub(super) fn assignment<'a>(plan: &'a Plan, job: &Job) -> Option<Assignment<'a>> {
    let [a, b] = plan.targets.as_slice() else { return None };
    let of_a = job.assignment(plan);
    let [a, b] = [&a.name, &b.name];
    let pair = format!("{a}+{b}");
    Some(Assignment {
        stem: of_a.stem.replacen(a.as_str(), &pair, 1),
        what: format!("{a} with {b} at {}, restart {}", plan.rates[job.rate].rate, job.repeat),
        ..of_a
    })
}

/// Makes the restarts that `bench` does not have yet. `measure` makes one, or says by `None` that the
/// bench is to end; `save` is called after every one.
pub(super) fn conduct(
    plan: &Plan,
    bench: &mut Bench,
    is_there: impl Fn(&Restart) -> bool,
    mut measure: impl FnMut(&Job) -> Option<Restarted>,
    mut save: impl FnMut(&Bench) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let [a, b] = plan.targets.as_slice() else { return Ok(()) };
    let before = bench.duet.take().unwrap_or_default();
    let mut duet = Duet { a: a.name.clone(), b: b.name.clone(), findings: Vec::new(), ..before };
    duet.restarts.retain(is_there);
    // A run without its pairs is made again, and so is half a pair.
    bench.runs.retain(|run| {
        run.failure.is_none()
            && duet.restarts.iter().any(|r| r.rate == run.rate && r.repeat == run.repeat)
    });
    bench.duet = Some(duet);
    for job in restarts(plan) {
        if bench.runs.iter().any(|run| is_of(run, &job, plan)) {
            continue;
        }
        let Some(Restarted { runs, restart }) = measure(&job) else { return Ok(()) };
        bench.runs.extend(runs);
        bench.duet.get_or_insert_default().restarts.extend(restart);
        summarise(bench);
        save(bench)?;
    }
    bench.complete = true;
    Ok(())
}

/// Works out what the restarts that there are come to.
pub(super) fn judge(plan: &Plan, bench: &mut Bench, store: &Store) {
    let Some(duet) = &mut bench.duet else { return };
    let by_rate: Vec<(&str, Vec<Pairs>)> = plan
        .rates
        .iter()
        .map(|rate| {
            let of_rate = duet.restarts.iter().filter(|restart| restart.rate == rate.text);
            (rate.text.as_str(), of_rate.filter_map(|restart| load(store, restart)).collect())
        })
        .collect();
    let kinds = by_rate.iter().filter_map(|(_, pairs)| pairs.first()).map(|p| p.requests.len());
    let kinds_in_all = kinds.sum();
    duet.findings = by_rate
        .iter()
        .flat_map(|(rate, pairs)| {
            estimate::findings(rate, pairs, kinds_in_all, mix64(plan.seed, DRAW_STREAM))
        })
        .collect();
}

/// Keeps the draws of the bootstrap apart from all others of the plan's seed.
const DRAW_STREAM: u64 = 0xB007;

/// The pairs of a restart; `None` if its file is not there, or is none of ours.
pub(super) fn load(store: &Store, restart: &Restart) -> Option<Pairs> {
    let text = std::fs::read_to_string(store.file(&restart.file)).ok()?;
    let run: DuetRun = serde_json::from_str(&text).ok()?;
    (run.schema == DUET_SCHEMA).then_some(run.pairs)
}

#[cfg(test)]
mod tests;
