//! The experiment file as typed -> [`Plan`]. Every error says `file:line: sentence`.

use super::axis::Combine;
use super::pacing::Refusal;
use super::placement::Placement;
use super::{CommandLine, Launch, OfferedRate, Plan, Target};

mod axes;
mod include;
mod knee;
mod load;
use crate::bench::BenchError;
use crate::bench::claim::Claim;
use crate::io::topology::CpuList;
use crate::pace::arrivals::ArrivalsTyped;
use crate::pace::catch_up::CatchUp;
use crate::pace::mix::Mix;
use crate::pace::plan::{Backend, PaceWait, Timestamps};
use crate::units::{Nanos, Rate};
use axes::{Axes, TypedAxis};
use knee::TypedKnee;
use load::pacer_options;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use toml::Spanned;

pub(super) fn read(text: &str, path: &Path) -> Result<Plan, BenchError> {
    let source = Source { text, path };
    if include::is_meant(text) { source.variation() } else { source.whole() }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedPlan {
    name: Spanned<String>,
    duration: Option<Spanned<Parsed<Nanos>>>,
    warmup: Option<Spanned<Parsed<Nanos>>>,
    repeats: Option<Spanned<u32>>,
    rate: Option<Spanned<Parsed<OfferedRate>>>,
    rates: Option<Spanned<Vec<Spanned<Parsed<OfferedRate>>>>>,
    arrivals: Option<Spanned<Parsed<ArrivalsTyped>>>,
    mix: Spanned<String>,
    connections: Option<Spanned<u32>>,
    max_connections: Option<Spanned<u32>>,
    #[serde(default)]
    spread: bool,
    pacer_cpus: Parsed<CpuList>,
    seed: Option<u64>,
    timeout: Option<Spanned<Parsed<Nanos>>>,
    drain: Option<Spanned<Parsed<Nanos>>>,
    catch_up: Option<Parsed<CatchUp>>,
    timestamps: Option<Spanned<Parsed<Timestamps>>>,
    pacer_backend: Option<Spanned<Parsed<Backend>>>,
    pacer_wait: Option<Parsed<PaceWait>>,
    knee: Option<TypedKnee>,
    combine: Option<Spanned<Parsed<Combine>>>,
    #[serde(default)]
    target: Vec<Spanned<TypedTarget>>,
    #[serde(default)]
    axis: Vec<Spanned<TypedAxis>>,
    #[serde(default)]
    claim: Vec<Spanned<TypedClaim>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedTarget {
    name: Option<Spanned<String>>,
    serve: Option<Spanned<Vec<String>>>,
    command: Option<Spanned<Vec<String>>>,
    env: Option<Spanned<BTreeMap<String, String>>>,
    cwd: Option<Spanned<String>>,
    setup: Option<Spanned<Vec<String>>>,
    cpus: Option<Parsed<CpuList>>,
    ready_path: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedClaim {
    text: Option<String>,
    expr: Spanned<String>,
    rate: Option<Spanned<Parsed<OfferedRate>>>,
}

/// Where an error is reported against.
struct Source<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Source<'_> {
    fn error(&self, at: Range<usize>, what: impl fmt::Display) -> BenchError {
        let before = self.text.as_bytes().iter().take(at.start);
        let line = 1 + before.filter(|byte| **byte == b'\n').count();
        BenchError::File(format!("{}:{line}: {what}", self.path.display()))
    }

    /// The keys of the text.
    fn typed<T: DeserializeOwned>(&self) -> Result<T, BenchError> {
        toml::from_str(self.text)
            .map_err(|error| self.error(error.span().unwrap_or(0..0), error.message()))
    }

    /// The plan of a text that includes no other.
    fn whole(&self) -> Result<Plan, BenchError> {
        self.plan(self.typed()?)
    }

    fn plan(&self, typed: TypedPlan) -> Result<Plan, BenchError> {
        let axes = self.axes(&typed.axis, typed.combine.as_ref(), &typed.target)?;
        let targets = self.targets(&typed.target, &axes)?;
        let name = self.name(&typed.name)?;
        let mix = self.mix(&typed.mix)?;
        let load = self.load(&typed, &mix)?;
        let plan = Plan {
            name,
            duration: load.duration,
            warmup: self.warmup(&typed),
            repeats: self.at_least_one(typed.repeats.as_ref(), "repeats")?.unwrap_or(REPEATS),
            claims: self.claims(&typed.claim, &targets, &load.rates, &mix)?,
            knee: self.knee(&typed, &load, &mix)?,
            rates: load.rates,
            arrivals: load.arrivals,
            pacer: pacer_options(&typed),
            mix: self.file(&typed.mix)?,
            connections: self
                .at_least_one(typed.connections.as_ref(), "connections")?
                .unwrap_or(CONNECTIONS),
            max_connections: self
                .at_least_one(typed.max_connections.as_ref(), "max_connections")?,
            spread: typed.spread,
            pacer_cpus: typed.pacer_cpus.0.clone(),
            seed: typed.seed.unwrap_or(1),
            timeout: self.not_zero_if(typed.timeout.as_ref(), "timeout")?,
            duet: false,
            aa: false,
            targets,
        };
        match plan.refusal(u64::MAX) {
            None => Ok(plan),
            Some(refusal) => Err(self.refused(&typed, &refusal)),
        }
    }

    /// What the pacer would refuse, with the line of the key.
    fn refused(&self, typed: &TypedPlan, refusal: &Refusal) -> BenchError {
        let knee = typed.knee.as_ref().filter(|_| refusal.is_of_knee);
        let at = match refusal.key {
            Some("duration") => knee.and_then(TypedKnee::duration_at).or(at(&typed.duration)),
            Some("warmup") => knee.and_then(TypedKnee::warmup_at).or(at(&typed.warmup)),
            Some("rate") => knee.map(TypedKnee::to_at).or(at(&typed.rate)).or(at(&typed.rates)),
            Some("timeout") => at(&typed.timeout),
            Some("drain") => at(&typed.drain),
            Some("connections") => at(&typed.connections),
            // Without one, it is the default that is too low for as many as there are.
            Some("max_connections") => at(&typed.max_connections).or(at(&typed.connections)),
            Some("arrivals") => at(&typed.arrivals),
            Some("timestamps") => at(&typed.timestamps),
            Some("pacer_backend") => at(&typed.pacer_backend),
            _ => None,
        };
        self.error(at.unwrap_or(0..0), &refusal.sentence)
    }

    /// A name becomes part of file names and of claims.
    fn name(&self, name: &Spanned<String>) -> Result<String, BenchError> {
        let text = name.get_ref();
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !starts_well || !text.chars().all(allowed) {
            let what = format!("`{text}` is no name; use letters, digits, `-` and `_`");
            return Err(self.error(name.span(), what));
        }
        Ok(text.clone())
    }

    fn not_zero(&self, span: &Spanned<Parsed<Nanos>>, key: &str) -> Result<Nanos, BenchError> {
        match span.get_ref().0 {
            Nanos::ZERO => Err(self.error(span.span(), format!("{key} must be longer than zero"))),
            span => Ok(span),
        }
    }

    fn not_zero_if(
        &self,
        span: Option<&Spanned<Parsed<Nanos>>>,
        key: &str,
    ) -> Result<Option<Nanos>, BenchError> {
        span.map(|span| self.not_zero(span, key)).transpose()
    }

    fn at_least_one(
        &self,
        number: Option<&Spanned<u32>>,
        key: &str,
    ) -> Result<Option<u32>, BenchError> {
        match number {
            Some(zero) if *zero.get_ref() == 0 => {
                Err(self.error(zero.span(), format!("{key} must be at least 1")))
            }
            other => Ok(other.map(|number| *number.get_ref())),
        }
    }

    fn targets(
        &self,
        typed: &[Spanned<TypedTarget>],
        axes: &Axes,
    ) -> Result<Vec<Target>, BenchError> {
        if typed.is_empty() {
            return Err(self.error(0..0, "there is no [[target]]; nothing would be measured"));
        }
        let mut targets: Vec<Target> = Vec::new();
        for typed in typed {
            for target in self.variants(typed, axes)? {
                if targets.iter().any(|other| other.name == target.name) {
                    let what = format!("there are two targets named `{}`", target.name);
                    let name = typed.get_ref().name.as_ref();
                    return Err(self.error(name.map_or(typed.span(), Spanned::span), what));
                }
                targets.push(target);
            }
            self.bounded(Some(targets.len()), axes)?;
        }
        Ok(targets)
    }

    /// The target, or what axes make of it.
    fn variants(
        &self,
        spanned: &Spanned<TypedTarget>,
        axes: &Axes,
    ) -> Result<Vec<Target>, BenchError> {
        let typed = spanned.get_ref();
        let name = typed.name.as_ref().map(|name| self.name(name)).transpose()?;
        let launch = self.launch(spanned, name.as_deref())?;
        let target = Target {
            name: name.clone().unwrap_or_default(),
            launch,
            cpus: typed.cpus.as_ref().map(|cpus| cpus.0.clone()),
            ready_path: self.ready_path(typed)?,
            varied: Vec::new(),
        };
        if let (Launch::Serve(flags), Some(serve)) = (&target.launch, &typed.serve)
            && let Some(variants) = self.expand(serve.span(), name.as_deref(), flags, axes)?
        {
            return Ok(variants
                .into_iter()
                .map(|variant| Target {
                    name: variant.name,
                    launch: Launch::Serve(variant.flags),
                    varied: variant.varied,
                    ..target.clone()
                })
                .collect());
        }
        match name {
            Some(_) => Ok(vec![target]),
            None => Err(self.error(spanned.span(), "a target needs a name, unless axes make it")),
        }
    }

    fn launch(
        &self,
        spanned: &Spanned<TypedTarget>,
        name: Option<&str>,
    ) -> Result<Launch, BenchError> {
        let typed = spanned.get_ref();
        match (&typed.serve, &typed.command) {
            (Some(flags), None) => self.serve(flags, typed),
            (None, Some(argv)) => self.command(argv, typed),
            _ => {
                let whom = name.map_or(String::from("a target"), |name| format!("target `{name}`"));
                Err(self.error(spanned.span(), format!("{whom} needs either serve or command")))
            }
        }
    }

    fn ready_path(&self, typed: &TypedTarget) -> Result<String, BenchError> {
        match &typed.ready_path {
            None => Ok(String::from("/healthz")),
            Some(path) if path.get_ref().starts_with('/') => Ok(path.get_ref().clone()),
            Some(path) => Err(self.error(path.span(), "ready_path must begin with `/`")),
        }
    }

    fn serve(
        &self,
        flags: &Spanned<Vec<String>>,
        typed: &TypedTarget,
    ) -> Result<Launch, BenchError> {
        let env = typed.env.as_ref().map(Spanned::span);
        let cwd = typed.cwd.as_ref().map(Spanned::span);
        let setup = typed.setup.as_ref().map(Spanned::span);
        if let Some(span) = env.or(cwd).or(setup) {
            return Err(self.error(span, "env, cwd and setup go with command, not with serve"));
        }
        if flags.get_ref().iter().any(|flag| flag.starts_with("--listen")) {
            return Err(self.error(flags.span(), LEAVE_LISTEN));
        }
        let words = in_words(flags.get_ref());
        let after_flag = words.iter().skip_while(|flag| *flag != "--cpus").nth(1);
        if let Some(cpus) = after_flag {
            self.place(flags.span(), cpus)?;
        }
        Ok(Launch::Serve(words))
    }

    /// What `--cpus` is set to must be a place, if it is meant as one.
    fn place(&self, at: Range<usize>, cpus: &str) -> Result<(), BenchError> {
        if !Placement::is_meant(cpus) {
            return Ok(());
        }
        cpus.parse::<Placement>().map(|_| ()).map_err(|what| self.error(at, what))
    }

    fn command(
        &self,
        argv: &Spanned<Vec<String>>,
        typed: &TypedTarget,
    ) -> Result<Launch, BenchError> {
        let env = typed.env.as_ref().map(|env| env.get_ref().clone()).unwrap_or_default();
        if argv.get_ref().is_empty() {
            return Err(self.error(argv.span(), "command is empty"));
        }
        if !argv.get_ref().iter().chain(env.values()).any(|word| word.contains("{port}")) {
            let what = "`{port}` must stand in command or env, or the server cannot be found";
            return Err(self.error(argv.span(), what));
        }
        let cwd = match &typed.cwd {
            None => self.beside("."),
            Some(cwd) if self.beside(cwd.get_ref()).is_dir() => self.beside(cwd.get_ref()),
            Some(cwd) => {
                let what =
                    format!("there is no directory `{}`", self.beside(cwd.get_ref()).display());
                return Err(self.error(cwd.span(), what));
            }
        };
        let setup = typed.setup.as_ref().map(|setup| setup.get_ref().clone()).unwrap_or_default();
        Ok(Launch::Command(CommandLine { argv: argv.get_ref().clone(), env, cwd, setup }))
    }

    fn claims(
        &self,
        typed: &[Spanned<TypedClaim>],
        targets: &[Target],
        rates: &[OfferedRate],
        mix: &Mix,
    ) -> Result<Vec<Claim>, BenchError> {
        let claim = |claim: &Spanned<TypedClaim>| {
            let rate = self.rate_of_claim(claim, rates)?;
            let TypedClaim { text, expr, .. } = claim.get_ref();
            let parsed = Claim::parse(text.as_deref(), expr.get_ref(), rate)
                .and_then(|claim| check_names(claim, targets, mix));
            parsed.map_err(|what| self.error(expr.span(), what))
        };
        typed.iter().map(claim).collect()
    }

    /// The rate that a claim is about, which is one of the file; `None` if it is about all of them.
    fn rate_of_claim(
        &self,
        claim: &Spanned<TypedClaim>,
        rates: &[OfferedRate],
    ) -> Result<Option<Rate>, BenchError> {
        let Some(typed) = &claim.get_ref().rate else {
            return match rates.is_empty() {
                true => Err(self.error(claim.span(), NO_RATES)),
                false => Ok(None),
            };
        };
        let asked = &typed.get_ref().0;
        if rates.iter().any(|rate| rate.rate == asked.rate) {
            return Ok(Some(asked.rate));
        }
        let there: Vec<&str> = rates.iter().map(|rate| rate.text.as_str()).collect();
        let what = match there.as_slice() {
            [] => String::from(NO_RATES),
            _ => format!("no run is made at {}/s; the rates are {}", asked.text, there.join(", ")),
        };
        Err(self.error(typed.span(), what))
    }

    /// A path of the file; relative ones are relative to it.
    fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    fn file(&self, path: &Spanned<String>) -> Result<PathBuf, BenchError> {
        let found = self.beside(path.get_ref());
        if !found.is_file() {
            let what = format!("there is no file `{}`", found.display());
            return Err(self.error(path.span(), what));
        }
        Ok(found)
    }
}

/// The claim, if the targets and the request kinds that it names are there.
fn check_names(claim: Claim, targets: &[Target], mix: &Mix) -> Result<Claim, String> {
    let is_target = |name: &str| targets.iter().any(|target| target.name == name);
    if let Some(stranger) = claim.targets().into_iter().find(|name| !is_target(name)) {
        return Err(format!("the claim names `{stranger}`, which is no target"));
    }
    let kinds: Vec<&str> = mix.kinds().iter().map(|kind| kind.name.as_str()).collect();
    if let Some(stranger) = claim.kinds().into_iter().find(|name| !kinds.contains(name)) {
        let there = kinds.join(", ");
        return Err(format!(
            "the claim names `{stranger}`, which is no request of the mix; there are {there}"
        ));
    }
    Ok(claim)
}

/// Where a key stands, if it does.
fn at<T>(typed: &Option<Spanned<T>>) -> Option<Range<usize>> {
    typed.as_ref().map(Spanned::span)
}

const NO_RATES: &str =
    "a claim is about runs at a rate of the file, and this one only searches a knee";
const LEAVE_LISTEN: &str = "leave --listen out; the bench picks a port";
/// Chosen: the fewest runs of which a median says something.
const REPEATS: u32 = 3;
/// Chosen: as the pacer's own default.
const CONNECTIONS: u32 = 64;

/// A value read by its type's `FromStr`; a bare integer is read as its digits.
struct Parsed<T>(T);

impl<'de, T: FromStr<Err = String>> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parsed<T>, D::Error> {
        deserializer.deserialize_any(ParsedVisitor(PhantomData))
    }
}

struct ParsedVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err = String>> Visitor<'_> for ParsedVisitor<T> {
    type Value = Parsed<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Parsed<T>, E> {
        text.parse().map(Parsed).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Parsed<T>, E> {
        self.visit_str(&number.to_string())
    }
}

impl FromStr for OfferedRate {
    type Err = String;

    fn from_str(text: &str) -> Result<OfferedRate, String> {
        Ok(OfferedRate { text: text.to_owned(), rate: text.parse::<Rate>()? })
    }
}

/// Flags and values as words of their own, so that everybody who looks for one finds it: `--cpus=0` is
/// `--cpus 0`.
fn in_words(flags: &[String]) -> Vec<String> {
    let words = flags.iter().flat_map(|word| match word.split_once('=') {
        Some((flag, value)) if flag.starts_with("--") => vec![flag.to_owned(), value.to_owned()],
        _ => vec![word.clone()],
    });
    words.collect()
}
