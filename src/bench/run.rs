//! Conducts a bench: in which order, what is skipped, what is kept, how it ends.
//!
//! A repeat of every target at every rate comes before the next repeat of any, so that what the
//! machine does over minutes hits all of them. Targets take turns in going first; rates come in an
//! order shuffled anew in every repeat. Each result is saved as soon as it exists; runs that an
//! earlier, interrupted bench of the same plan left are not made again, those that failed are. A knee
//! search comes last; which rate is next is `knee`'s to say.
//!
//! Everything but [`run`] is pure. Not here: how one run is made (see `measure`), what its directory
//! is (see `store`). Start at [`run`].

use super::knee::{self, KneeJob, KneePlan};
use super::measure::{Assignment, Laboratory};
use super::plan::{Launch, Overrides, Plan, Target};
use super::progress::Progress;
use super::store::{Fnv, Store};
use super::summary::summarise;
use super::target::{Mishap, Surroundings, is_set_up, set_up, set_up_hash};
use super::{BenchError, duet, program};
use crate::calendar::rfc3339;
use crate::doctor;
use crate::io::clock::wall_secs;
use crate::io::host;
use crate::io::limits::descriptor_limit;
use crate::io::topology::{CpuList, pin_current_thread, usable_cpus};
use crate::pace::arrivals::Arrivals;
use crate::report;
use crate::results::bench::{
    BENCH_SCHEMA, Bench, BenchRun, ClaimOutcome, PairOutcome, PairVerdict, Summary,
};
use crate::results::duet::Restart;
use crate::rng::Rng;
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// A bench that was conducted, whole or in part.
#[derive(Debug)]
pub struct BenchOutcome {
    /// Where its files are.
    pub dir: PathBuf,
    /// What is in its `bench.json`.
    pub bench: Bench,
    /// How it ended.
    pub ending: Ending,
}

/// How a bench ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything was measured, and every claim holds.
    Done,
    /// A run failed, a claim does not hold or cannot be told, or a server was told from itself.
    Failed,
    /// Every repeat of some target at some rate is INVALID.
    Invalid,
    /// `stop` was raised; what was finished is kept.
    Interrupted,
}

impl Ending {
    /// The process's exit code.
    pub fn exit_code(self) -> u8 {
        match self {
            Ending::Done => 0,
            Ending::Failed | Ending::Interrupted => 1,
            Ending::Invalid => 3,
        }
    }
}

/// Runs the whole experiment and writes the table to `out`; the directory then holds `bench.json`,
/// `report.html`, and the logs, objects and histograms of every run under `runs`.
///
/// `stop` may be raised at any time: everything started is ended, and what was finished is kept. Call
/// it from a thread that lives as long as the bench: the children end with the thread.
pub fn run(
    plan: Plan,
    overrides: &Overrides,
    stop: &AtomicBool,
    out: &mut impl Write,
) -> Result<BenchOutcome, BenchError> {
    let usable = usable_cpus();
    let mut plan = plan.overridden(overrides)?;
    let mut notes = plan.fit_to(&usable, &doctor::topology());
    if plan.targets.is_empty() {
        return Err(BenchError::Machine(notes.join("\n")));
    }
    let descriptors_max = descriptor_limit().map_err(no_limit)?;
    if plan.duet {
        duet::check(&plan)?;
        duet::check_pacer(&plan, descriptors_max)?;
        notes.extend(duet::note(&plan));
    }
    plan.check_descriptors(descriptors_max)?;
    let all_cpus = super::plan::cpu_list(&usable)
        .ok_or_else(|| BenchError::Machine(String::from("the kernel names no CPU to run on")))?;
    let exe = std::env::current_exe().map_err(|error| {
        BenchError::Machine(format!("cannot find this program's file: {error}"))
    })?;
    let hash = plan_hash(&plan, &exe)?;
    let (store, before) = Store::open(overrides.out.as_deref(), &plan, &hash, wall_secs())?;
    let bench = before.unwrap_or_else(|| new_bench(&plan, &hash));
    let mut bench = Bench { notes, complete: false, ..bench };
    keep_off_measured_cpus(&plan, &usable);

    let surroundings = Surroundings { exe: &exe, all_cpus: &all_cpus, stop };
    let progress = Progress::new(runs_max(&plan));
    bench.notes.iter().for_each(|note| progress.line(note));
    let there = runs_made(&bench);
    if there > 0 {
        progress.line(&format!("{}: {there} runs are there already", store.dir().display()));
    }
    let mut held = None;
    if prepare(&mut plan, &mut bench, surroundings, &store, &progress)? {
        held = is_whole(&plan, &bench, &store).then(|| held_already(&bench, store.dir()));
        held.iter().for_each(|sentence| progress.line(sentence));
        let laboratory =
            Laboratory { plan: &plan, surroundings, store: &store, progress: &progress };
        let measure = |job: &Job| {
            let assignment = job.assignment(&plan);
            progress.begin(job.position, job.of, &assignment.what);
            laboratory.measure(&assignment)
        };
        let save = |bench: &Bench| store.save(bench);
        match plan.duet {
            false => conduct(&plan, &mut bench, measure, save)?,
            true => conduct_duet(&plan, &mut bench, &laboratory)?,
        }
        let probe = |job: &KneeJob, knee: &KneePlan, position| {
            let assignment = probe_of(&plan, knee, job);
            let of = runs_max(&plan);
            progress.begin(position, of, &assignment.what);
            laboratory.measure(&assignment)
        };
        search_knee(&plan, &mut bench, probe, save)?;
    }
    progress.end();
    finish(&plan, bench, &store, held.as_deref(), out)
}

/// Whether every run of the plan is in `bench`, and none that failed, which would be made again.
fn is_whole(plan: &Plan, bench: &Bench, store: &Store) -> bool {
    let is_made =
        |job: &Job| bench.runs.iter().any(|run| run.failure.is_none() && is_of(run, job, plan));
    let mut restarts = bench.duet.iter().flat_map(|duet| &duet.restarts);
    let is_found = plan.knee.as_ref().is_none_or(|search| {
        let probes = bench.knee.as_ref().map_or(&[][..], |knee| knee.runs.as_slice());
        let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
        probes.iter().all(|run| run.failure.is_none())
            && knee::next_job(search, &names, probes).is_none()
    });
    order(plan).iter().all(is_made)
        && restarts.all(|restart| duet::load(store, restart).is_some())
        && is_found
}

/// What is said of a bench of which there is nothing left to measure.
fn held_already(bench: &Bench, dir: &Path) -> String {
    let when = match &bench.finished {
        Some(finished) => format!("finished at {finished}"),
        None => format!("begun at {} and finished", bench.started),
    };
    format!(
        "{} held this bench, {when}: nothing was measured now. Give another --out to measure again, or \
         remove it.",
        dir.display()
    )
}

fn no_limit(error: std::io::Error) -> BenchError {
    BenchError::Machine(format!("cannot tell how many descriptors there may be: {error}"))
}

/// Makes the restarts of a duet.
fn conduct_duet(
    plan: &Plan,
    bench: &mut Bench,
    laboratory: &Laboratory<'_>,
) -> Result<(), BenchError> {
    let Laboratory { store, progress, .. } = laboratory;
    let is_there = |restart: &Restart| duet::load(store, restart).is_some();
    let measure = |job: &Job| {
        let assignment = duet::assignment(plan, job)?;
        progress.begin(job.position, job.of, &assignment.what);
        laboratory.measure_duet(&assignment)
    };
    duet::conduct(plan, bench, is_there, measure, |bench| store.save(bench))
}

/// The claims judged, everything saved, the table written; below it what was `held` already, if that is
/// all of it.
fn finish(
    plan: &Plan,
    mut bench: Bench,
    store: &Store,
    held: Option<&str>,
    out: &mut impl Write,
) -> Result<BenchOutcome, BenchError> {
    summarise(&mut bench);
    duet::judge(plan, &mut bench, store);
    bench.claims = match bench.complete {
        true => plan.claims.iter().map(|claim| claim.judge(&bench)).collect(),
        false => Vec::new(),
    };
    if held.is_none() {
        bench.finished = bench.complete.then(|| rfc3339(wall_secs()));
    }
    store.save(&bench)?;
    let html = store.file("report.html");
    report::write_html(&bench, store.dir(), &html).map_err(BenchError::Machine)?;
    let dir = store.dir().to_owned();
    let mut text = report::render_table(&bench);
    if !bench.complete {
        let (made, of) = (runs_made(&bench), runs_max(plan));
        let of = if plan.knee.is_some() { format!("at most {of}") } else { of.to_string() };
        text += &format!("\nInterrupted after {made} of {of} runs; the same command goes on.\n");
    }
    text += &held.map(|sentence| format!("\n{sentence}\n")).unwrap_or_default();
    text += &format!("\nResults: {0}/bench.json, {0}/report.html\n", dir.display());
    out.write_all(text.as_bytes())
        .map_err(|error| BenchError::Machine(format!("cannot write the table: {error}")))?;
    let ending = ending(&bench);
    Ok(BenchOutcome { dir, bench, ending })
}

/// How many runs there are, those of the knee search among them; of a duet, restarts.
fn runs_made(bench: &Bench) -> usize {
    // A restart makes a run of each of its two targets.
    all_runs(bench).count() / if bench.plan.duet { 2 } else { 1 }
}

/// How many there will be, counted alike; with a knee search at most.
fn runs_max(plan: &Plan) -> usize {
    let searches = plan.knee.as_ref().map_or(0, |knee| knee.runs_max() * plan.targets.len());
    ordered_max(plan) + searches
}

/// How many runs there will be of the plan's rates, the knee search apart.
fn ordered_max(plan: &Plan) -> usize {
    let of_target = plan.rates.len() * plan.repeats as usize;
    if plan.duet { of_target } else { of_target * plan.targets.len() }
}

/// What this plan, its files and this build of ringpace have in common with no other.
fn plan_hash(plan: &Plan, exe: &Path) -> Result<String, BenchError> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|error| BenchError::File(format!("{}: {error}", path.display())))
    };
    let mix = read(&plan.mix)?;
    let replay = match &plan.arrivals {
        Arrivals::Replay(replay) => Some(read(Path::new(replay.file()))?),
        _ => None,
    };
    let build = std::fs::metadata(exe)
        .and_then(|file| Ok(format!("{} {:?}", file.len(), file.modified()?)))
        .map_err(|error| BenchError::Machine(format!("{}: {error}", exe.display())))?;
    let record = serde_json::to_vec(&plan.record())
        .map_err(|error| BenchError::Machine(format!("the plan cannot be written: {error}")))?;
    // With other files it would set up another server.
    let set_ups = plan.targets.iter().filter_map(|target| match &target.launch {
        Launch::Command(line) => Some(set_up_hash(line).to_string().into_bytes()),
        Launch::Serve(_) => None,
    });
    let mut hash = Fnv::default();
    for part in [record, mix, build.into_bytes()].into_iter().chain(replay).chain(set_ups) {
        hash.add(&part);
    }
    Ok(hash.to_string())
}

/// The machine, and what on it will spoil a measurement. The noise floor is listened to for as long as a
/// reader of the results would want, and no longer than a start may take.
fn examined_host() -> serde_json::Map<String, serde_json::Value> {
    let mut host = host::describe();
    let report = doctor::examine(&doctor::Options { cpus: None, noise: NOISE_SPAN });
    if let Ok(report) = serde_json::to_value(report) {
        host.insert("doctor".to_owned(), report);
    }
    host
}

/// Chosen: enough for a p99 of the noise floor; the bench takes a minute.
const NOISE_SPAN: Nanos = Nanos::from_millis(500);

fn new_bench(plan: &Plan, hash: &str) -> Bench {
    Bench {
        schema: BENCH_SCHEMA.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: rfc3339(wall_secs()),
        finished: None,
        plan_hash: hash.to_owned(),
        programs: BTreeMap::new(),
        plan: plan.record(),
        host: examined_host(),
        notes: Vec::new(),
        complete: false,
        runs: Vec::new(),
        summaries: Vec::new(),
        comparisons: Vec::new(),
        differences: Vec::new(),
        verdicts: Vec::new(),
        duet: None,
        knee: None,
        claims: Vec::new(),
    }
}

/// If there is a CPU that nobody is measured on, the bench keeps to it. Refused, it stays where the
/// scheduler puts it: it wakes a few times a second only.
fn keep_off_measured_cpus(plan: &Plan, usable: &[usize]) {
    let mut measured = plan.pacer_cpus.cpus().to_vec();
    for cpus in plan.targets.iter().filter_map(cpus_of) {
        measured.extend_from_slice(cpus.cpus());
    }
    if let Some(spare) = usable.iter().find(|cpu| !measured.contains(cpu)) {
        let _ = pin_current_thread(*spare);
    }
}

/// Where `target` runs, if it says so.
pub(super) fn cpus_of(target: &Target) -> Option<CpuList> {
    let flags = match &target.launch {
        Launch::Serve(flags) => flags.as_slice(),
        Launch::Command(_) => &[],
    };
    let after_flag = flags.iter().skip_while(|flag| *flag != "--cpus").nth(1);
    after_flag.and_then(|list| list.parse().ok()).or_else(|| target.cpus.clone())
}

/// Sets the targets up, and notes in `bench` which of them are left out of it. False if the bench is to
/// end.
fn prepare(
    plan: &mut Plan,
    bench: &mut Bench,
    surroundings: Surroundings<'_>,
    store: &Store,
    progress: &Progress,
) -> Result<bool, BenchError> {
    let left_out = set_up_all(plan, |target| {
        if !is_set_up(target) {
            progress.line(&format!("setting up target `{}`", target.name));
        }
        set_up(target, surroundings, &store.file(&format!("setup-{}.log", target.name)))
    });
    let Some(left_out) = left_out else { return Ok(false) };
    left_out.iter().for_each(|note| progress.line(note));
    if plan.targets.is_empty() {
        return Err(BenchError::Machine(String::from("no target can be set up; see above")));
    }
    if plan.duet {
        // Of two, one that cannot be set up leaves none.
        duet::check(plan)?;
    }
    bench.notes.extend(left_out);
    // After the set-up steps, which may have built it.
    program::check(&plan.targets, bench, store.dir())?;
    // What was left out is in no table, and claims that name it are skipped.
    bench.plan = plan.record();
    Ok(true)
}

/// Sets all targets up and takes those out of the plan that cannot be, each with a sentence: the
/// others are worth measuring without them. `None` if the bench is to end.
fn set_up_all(
    plan: &mut Plan,
    mut set_up: impl FnMut(&Target) -> Result<(), Mishap>,
) -> Option<Vec<String>> {
    let (mut left_out, mut stopped) = (Vec::new(), false);
    plan.targets.retain(|target| match set_up(target) {
        Ok(()) => true,
        Err(Mishap::Stopped) => {
            stopped = true;
            true
        }
        Err(Mishap::Failed(what)) => {
            left_out.push(format!("`{}` is left out: {what}", target.name));
            false
        }
    });
    (!stopped).then_some(left_out)
}

/// One run that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    /// Index into the plan's targets.
    pub(super) target: usize,
    /// Index into the plan's rates.
    pub(super) rate: usize,
    /// From 1.
    pub(super) repeat: u32,
    /// From 0, in the order of the plan.
    pub(super) position: usize,
    /// How many there are.
    pub(super) of: usize,
}

impl Job {
    pub(super) fn assignment<'a>(&self, plan: &'a Plan) -> Assignment<'a> {
        let (target, rate) = (&plan.targets[self.target], &plan.rates[self.rate]);
        Assignment {
            target,
            rate: &rate.text,
            repeat: self.repeat,
            duration: plan.duration,
            warmup: plan.warmup,
            // A rate such as `1e6/7` holds a slash.
            stem: format!("{}-{}-r{}", target.name, rate.text.replace('/', "_"), self.repeat),
            what: format!("{} at {}, repeat {}", target.name, rate.rate, self.repeat),
        }
    }
}

/// A run of the knee search.
fn probe_of<'a>(plan: &'a Plan, knee: &KneePlan, job: &'a KneeJob) -> Assignment<'a> {
    let (target, rate) = (&plan.targets[job.target], &job.rate);
    Assignment {
        target,
        rate,
        repeat: job.repeat,
        duration: knee.duration,
        warmup: knee.warmup,
        stem: format!("{}-{rate}-knee{}", target.name, job.repeat),
        what: format!("knee of {} at {rate}/s, repeat {}", target.name, job.repeat),
    }
}

/// Every run of the plan, in order.
pub(super) fn order(plan: &Plan) -> Vec<Job> {
    let (targets, rates) = (plan.targets.len(), plan.rates.len());
    let of = targets * rates * plan.repeats as usize;
    let mut rng = Rng::new(plan.seed);
    let mut rate_order: Vec<usize> = (0..rates).collect();
    let mut jobs = Vec::with_capacity(of);
    for repeat in 1..=plan.repeats {
        shuffle(&mut rate_order, &mut rng);
        for (turn, rate) in rate_order.iter().enumerate() {
            let first = (repeat as usize - 1 + turn) % targets;
            for target in (0..targets).map(|offset| (first + offset) % targets) {
                jobs.push(Job { target, rate: *rate, repeat, position: jobs.len(), of });
            }
        }
    }
    jobs
}

/// Fisher and Yates.
fn shuffle(items: &mut [usize], rng: &mut Rng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last as u64 + 1) as usize);
    }
}

/// Makes the runs that `bench` does not have yet. `measure` makes one, or says by `None` that the
/// bench is to end; `save` is called after every run.
fn conduct(
    plan: &Plan,
    bench: &mut Bench,
    mut measure: impl FnMut(&Job) -> Option<BenchRun>,
    mut save: impl FnMut(&Bench) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    bench.runs.retain(|run| run.failure.is_none());
    for job in order(plan) {
        if bench.runs.iter().any(|run| is_of(run, &job, plan)) {
            continue;
        }
        let Some(run) = measure(&job) else { return Ok(()) };
        bench.runs.push(run);
        summarise(bench);
        save(bench)?;
    }
    bench.complete = plan.knee.is_none();
    Ok(())
}

/// Makes the runs of the knee search that `bench` does not have yet, once it has all others; `measure`
/// and `save` are as those of [`conduct`]. `measure` is also told how many runs there are before.
fn search_knee(
    plan: &Plan,
    bench: &mut Bench,
    mut measure: impl FnMut(&KneeJob, &KneePlan, usize) -> Option<BenchRun>,
    mut save: impl FnMut(&Bench) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let Some(search) = &plan.knee else { return Ok(()) };
    let names: Vec<&str> = plan.targets.iter().map(|target| target.name.as_str()).collect();
    let mut found = bench.knee.take().unwrap_or_default();
    found.runs.retain(|run| run.failure.is_none());
    found.targets = knee::found(search, &names, &found.runs);
    bench.knee = Some(found);
    if bench.runs.len() < ordered_max(plan) {
        return Ok(());
    }
    while let Some(found) = &mut bench.knee {
        let Some(job) = knee::next_job(search, &names, &found.runs) else {
            bench.complete = true;
            break;
        };
        let made = bench.runs.len() + found.runs.len();
        let Some(run) = measure(&job, search, made) else { break };
        found.runs.push(run);
        found.targets = knee::found(search, &names, &found.runs);
        save(bench)?;
    }
    Ok(())
}

pub(super) fn is_of(run: &BenchRun, job: &Job, plan: &Plan) -> bool {
    run.target == plan.targets[job.target].name
        && run.rate == plan.rates[job.rate].text
        && run.repeat == job.repeat
}

fn all_runs(bench: &Bench) -> impl Iterator<Item = &BenchRun> {
    bench.runs.iter().chain(bench.knee.iter().flat_map(|knee| &knee.runs))
}

/// INVALID goes before a claim: what was judged by such figures was not judged.
fn ending(bench: &Bench) -> Ending {
    if !bench.complete {
        Ending::Interrupted
    } else if all_runs(bench).any(|run| run.failure.is_some()) {
        Ending::Failed
    } else if bench.summaries.iter().any(Summary::is_invalid) {
        Ending::Invalid
    } else if !is_as_claimed(bench) {
        Ending::Failed
    } else {
        Ending::Done
    }
}

/// Whether every claim holds, and a server against itself was looked at and is not told apart.
fn is_as_claimed(bench: &Bench) -> bool {
    let holds = bench.claims.iter().all(|claim| claim.outcome < ClaimOutcome::Unknown);
    let is_looked_at = !bench.verdicts.is_empty();
    holds && (!bench.plan.aa || (is_looked_at && bench.verdicts.iter().all(is_blind)))
}

/// Whether nothing tells the two targets apart that could have.
fn is_blind(verdict: &PairVerdict) -> bool {
    verdict.figures > 0 && verdict.outcome == PairOutcome::CannotTell
}

#[cfg(test)]
mod tests;
