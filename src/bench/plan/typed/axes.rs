//! `[[axis]]` as typed -> [`Axis`]. Every error says `file:line: sentence`.

use super::{LEAVE_LISTEN, Parsed, Source, TypedTarget};
use crate::bench::BenchError;
use crate::bench::plan::axis::{self, Axis, Combine, Setting, Variant};
use crate::results::bench::FlagValue;
use serde::Deserialize;
use std::ops::Range;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypedAxis {
    flag: Spanned<String>,
    values: Spanned<Vec<Spanned<TypedValue>>>,
    names: Option<Spanned<Vec<Spanned<String>>>>,
    targets: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a value is a string, a number, true or false")]
enum TypedValue {
    Switch(bool),
    Number(i64),
    Word(String),
}

impl TypedValue {
    fn as_usable(&self) -> FlagValue {
        match self {
            TypedValue::Switch(is_set) => FlagValue::Switch(*is_set),
            TypedValue::Number(number) => FlagValue::Word(number.to_string()),
            TypedValue::Word(word) => FlagValue::Word(word.clone()),
        }
    }
}

/// The axes of a file.
pub(super) struct Axes {
    combine: Combine,
    axes: Vec<Axis>,
    /// Where the last stands; where there are too many targets, it is one axis too many.
    last_at: Range<usize>,
}

/// Chosen: of 64 targets one rate takes an hour and a half at 30 s and three repeats.
const TARGETS_MAX: usize = 64;

impl Source<'_> {
    pub(super) fn axes(
        &self,
        typed: &[Spanned<TypedAxis>],
        combine: Option<&Spanned<Parsed<Combine>>>,
        targets: &[Spanned<TypedTarget>],
    ) -> Result<Axes, BenchError> {
        if let (Some(combine), []) = (combine, typed) {
            return Err(
                self.error(combine.span(), "combine says how [[axis]] go together; there is none")
            );
        }
        let mut axes: Vec<Axis> = Vec::new();
        for axis in typed {
            let axis = self.axis(axis, targets)?;
            axes.push(axis);
        }
        let last_at = typed.last().map_or(0..0, Spanned::span);
        Ok(Axes {
            combine: combine.map_or(Combine::Product, |typed| typed.get_ref().0),
            axes,
            last_at,
        })
    }

    fn axis(
        &self,
        spanned: &Spanned<TypedAxis>,
        targets: &[Spanned<TypedTarget>],
    ) -> Result<Axis, BenchError> {
        let typed = spanned.get_ref();
        let ours: Vec<&TypedTarget> =
            targets.iter().map(Spanned::get_ref).filter(|target| target.serve.is_some()).collect();
        if ours.is_empty() {
            let what = "an axis sets flags of our own server; there is no target with serve";
            return Err(self.error(spanned.span(), what));
        }
        Ok(Axis {
            flag: self.flag(&typed.flag)?,
            settings: self.settings(typed)?,
            targets: typed.targets.as_ref().map(|names| self.only(names, &ours)).transpose()?,
        })
    }

    fn flag(&self, typed: &Spanned<String>) -> Result<String, BenchError> {
        let flag = typed.get_ref();
        if !flag.starts_with("--") || flag.contains(['=', ' ']) {
            let what = format!("`{flag}` is no flag; write one like --wait");
            return Err(self.error(typed.span(), what));
        }
        if flag == "--listen" {
            return Err(self.error(typed.span(), LEAVE_LISTEN));
        }
        Ok(flag.clone())
    }

    /// The names, each of which is one of `ours`.
    fn only(
        &self,
        names: &[Spanned<String>],
        ours: &[&TypedTarget],
    ) -> Result<Vec<String>, BenchError> {
        let is_ours = |name: &str| {
            ours.iter().any(|target| target.name.as_ref().is_some_and(|n| n.get_ref() == name))
        };
        let only = names.iter().map(|name| match is_ours(name.get_ref()) {
            true => Ok(name.get_ref().clone()),
            false => {
                let what =
                    format!("the axis names `{}`, which is no target with serve", name.get_ref());
                Err(self.error(name.span(), what))
            }
        });
        only.collect()
    }

    fn settings(&self, typed: &TypedAxis) -> Result<Vec<Setting>, BenchError> {
        let values = typed.values.get_ref();
        if values.is_empty() {
            let what = "values is empty; an axis has at least one";
            return Err(self.error(typed.values.span(), what));
        }
        let mut settings: Vec<Setting> = Vec::new();
        for spanned in values {
            let value = spanned.get_ref().as_usable();
            if settings.iter().any(|other| other.value == value) {
                return Err(self.error(spanned.span(), "this value is there twice"));
            }
            if let (FlagValue::Word(word), "--cpus") = (&value, typed.flag.get_ref().as_str()) {
                self.place(spanned.span(), word)?;
            }
            settings.push(Setting { value, name: None });
        }
        if let Some(names) = &typed.names {
            self.call(&mut settings, names)?;
        }
        Ok(settings)
    }

    /// Gives each its name.
    fn call(
        &self,
        settings: &mut [Setting],
        names: &Spanned<Vec<Spanned<String>>>,
    ) -> Result<(), BenchError> {
        let (of_names, of_values) = (names.get_ref().len(), settings.len());
        if of_names != of_values {
            let what = format!("names are {of_names} and values {of_values}; give one for each");
            return Err(self.error(names.span(), what));
        }
        for (setting, name) in settings.iter_mut().zip(names.get_ref()) {
            setting.name = Some(self.name(name)?);
        }
        Ok(())
    }

    /// What the axes make of a target with serve; `None` if none is about it. `at` is where its flags
    /// stand.
    pub(super) fn expand(
        &self,
        at: Range<usize>,
        name: Option<&str>,
        flags: &[String],
        axes: &Axes,
    ) -> Result<Option<Vec<Variant>>, BenchError> {
        let is_meant = |axis: &&Axis| match &axis.targets {
            None => true,
            Some(names) => name.is_some_and(|name| names.iter().any(|other| other == name)),
        };
        let own: Vec<&Axis> = axes.axes.iter().filter(is_meant).collect();
        if own.is_empty() {
            return Ok(None);
        }
        for (nth, axis) in own.iter().enumerate() {
            let flag = &axis.flag;
            if own[..nth].iter().any(|other| other.flag == *flag) {
                let what = format!("two axes set {flag} of one target");
                return Err(self.error(axes.last_at.clone(), what));
            }
            if axes.combine == Combine::Product && axis::has(flags, flag) {
                return Err(self.error(at, format!("leave {flag} out; an axis sets it")));
            }
        }
        self.bounded(axis::count(&own, axes.combine), axes)?;
        Ok(Some(axis::expand(name, flags, &own, axes.combine)))
    }

    /// Refuses more targets than anybody would wait for; `None` is more than can be counted.
    pub(super) fn bounded(&self, count: Option<usize>, axes: &Axes) -> Result<(), BenchError> {
        if axes.axes.is_empty() || count.is_some_and(|count| count <= TARGETS_MAX) {
            return Ok(());
        }
        let count = count.map_or(String::from("very many"), |count| count.to_string());
        let what = format!(
            "with the axes there are {count} targets, and {TARGETS_MAX} are the most; leave values out, \
             or write combine = \"one-at-a-time\""
        );
        Err(self.error(axes.last_at.clone(), what))
    }
}
