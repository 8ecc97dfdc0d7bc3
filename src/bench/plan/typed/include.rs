//! `include`: a file that is another's experiment with other times. Every error says
//! `file:line: sentence`, of the file that is wrong.
//!
//! ```toml
//! include = "article.toml"         # relative to this file; includes nothing itself
//! name = "article-short"
//! duration = "5s"                  # these three as there, unless given
//! warmup = "2s"
//! repeats = 3
//! ```
//! Targets, claims and all else are the other's; another key is an error. Start at [`is_meant`].

use super::{Parsed, Plan, Source, at};
use crate::bench::BenchError;
use crate::units::Nanos;
use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypedVariation {
    include: Spanned<String>,
    name: Spanned<String>,
    duration: Option<Spanned<Parsed<Nanos>>>,
    warmup: Option<Spanned<Parsed<Nanos>>>,
    repeats: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
struct Head {
    include: Option<IgnoredAny>,
}

/// Whether `text` includes another file.
pub(super) fn is_meant(text: &str) -> bool {
    toml::from_str::<Head>(text).is_ok_and(|head| head.include.is_some())
}

impl Source<'_> {
    pub(super) fn variation(&self) -> Result<Plan, BenchError> {
        let typed: TypedVariation = self.typed()?;
        let path = self.file(&typed.include)?;
        let text = std::fs::read_to_string(&path).map_err(|error| {
            self.error(typed.include.span(), format!("{}: {error}", path.display()))
        })?;
        let other = Source { text: &text, path: &path }.whole()?;
        let duration = self.not_zero_if(typed.duration.as_ref(), "duration")?;
        let plan = Plan {
            name: self.name(&typed.name)?,
            duration: duration.unwrap_or(other.duration),
            warmup: typed.warmup.as_ref().map_or(other.warmup, |span| span.get_ref().0),
            repeats: self.at_least_one(typed.repeats.as_ref(), "repeats")?.unwrap_or(other.repeats),
            ..other
        };
        let Some(refusal) = plan.refusal(u64::MAX) else { return Ok(plan) };
        // The other file was found right, so that it is one of the times here if anything is wrong.
        let line = match refusal.key {
            Some("warmup") => at(&typed.warmup),
            _ => at(&typed.duration).or(at(&typed.warmup)),
        };
        Err(self.error(line.unwrap_or(0..0), refusal.sentence))
    }
}
