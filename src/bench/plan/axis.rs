//! Axes: the values of a flag make targets, so that an experiment about flags is written as one.
//!
//! ```toml
//! combine = "product"              # every value with every value of the other axes (the default),
//!                                  # or "one-at-a-time": the target as it is, and each value alone
//! [[target]]
//! serve = ["--cpus", "0"]          # `name` may be left out
//!
//! [[axis]]
//! flag = "--backend"               # of our own server
//! values = ["uring", "epoll"]      # true: the flag without a value; false: no such flag
//! names = ["ring", "poll"]         # optional; how targets are called for it
//! targets = ["a"]                  # optional; else every target with `serve`
//! ```
//! A target that axes made is called by its own name, if it has one, and that of each value, joined
//! by `-`. A value is called by itself, `uring`; after its flag where it alone says too little,
//! `buffers-1024` or, one at a time, `wait-spin`; a switch is `echo` or `no-echo`.
//!
//! Pure. Not here: what a file may say; see `typed`. Start at [`expand`].

use crate::results::bench::{FlagValue, Varied};
use std::str::FromStr;

/// One flag and its values.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// With its dashes.
    pub(super) flag: String,
    /// At least one, no two equal.
    pub(super) settings: Vec<Setting>,
    /// The targets it is about; `None`: all.
    pub(super) targets: Option<Vec<String>>,
}

/// One value of an axis.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) value: FlagValue,
    /// As typed.
    pub(super) name: Option<String>,
}

/// How axes go together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Combine {
    /// Every value of each with every value of the others.
    #[default]
    Product,
    /// The target as it is, then every value of each by itself.
    OneAtATime,
}

impl FromStr for Combine {
    type Err = String;

    fn from_str(text: &str) -> Result<Combine, String> {
        match text {
            "product" => Ok(Combine::Product),
            "one-at-a-time" => Ok(Combine::OneAtATime),
            _ => Err(format!("`{text}` is no way to combine; there are product and one-at-a-time")),
        }
    }
}

/// What axes made of a target.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) flags: Vec<String>,
    pub(super) varied: Vec<Varied>,
}

/// What the target of [`Combine::OneAtATime`] is called that has no name.
const BASE: &str = "base";

/// How many targets `axes` make of one; `None` if that is more than a machine word counts.
pub(super) fn count(axes: &[&Axis], combine: Combine) -> Option<usize> {
    let mut lens = axes.iter().map(|axis| axis.settings.len());
    match combine {
        Combine::Product => lens.try_fold(1, usize::checked_mul),
        Combine::OneAtATime => lens.try_fold(1, usize::checked_add),
    }
}

/// The variants of a target called `name` with `flags`; the last axis varies fastest.
pub(super) fn expand(
    name: Option<&str>,
    flags: &[String],
    axes: &[&Axis],
    combine: Combine,
) -> Vec<Variant> {
    match combine {
        Combine::Product => product(name, flags, axes),
        Combine::OneAtATime => one_at_a_time(name, flags, axes),
    }
}

fn product(name: Option<&str>, flags: &[String], axes: &[&Axis]) -> Vec<Variant> {
    let mut choices: Vec<Vec<usize>> = vec![Vec::new()];
    for axis in axes {
        let with_each = |choice: &Vec<usize>| -> Vec<Vec<usize>> {
            (0..axis.settings.len()).map(|value| [choice.as_slice(), &[value]].concat()).collect()
        };
        choices = choices.iter().flat_map(with_each).collect();
    }
    let called = |choice: &[usize]| {
        let words = axes.iter().zip(choice).map(|(axis, nth)| axis.setting_name(*nth, false));
        name.map(str::to_owned).into_iter().chain(words).collect::<Vec<String>>().join("-")
    };
    let variant = |choice: &Vec<usize>| {
        let mut flags = flags.to_vec();
        let mut varied = Vec::new();
        for (position, (axis, nth)) in axes.iter().zip(choice).enumerate() {
            let value = axis.settings[*nth].value.clone();
            set(&mut flags, &axis.flag, &value);
            let mut other = choice.clone();
            other[position] = 0;
            let against = (*nth > 0).then(|| called(&other));
            varied.push(Varied { flag: axis.flag.clone(), value, against });
        }
        Variant { name: called(choice), flags, varied }
    };
    choices.iter().map(variant).collect()
}

fn one_at_a_time(name: Option<&str>, flags: &[String], axes: &[&Axis]) -> Vec<Variant> {
    let base =
        Variant { name: name.unwrap_or(BASE).to_owned(), flags: flags.to_vec(), varied: vec![] };
    let mut variants = vec![base.clone()];
    for axis in axes {
        for (nth, setting) in axis.settings.iter().enumerate() {
            let mut flags = flags.to_vec();
            set(&mut flags, &axis.flag, &setting.value);
            // What the target has anyway is there already.
            if normal(&flags) == normal(&base.flags) {
                continue;
            }
            let words = [name.map(str::to_owned), Some(axis.setting_name(nth, true))];
            let against = Some(base.name.clone());
            variants.push(Variant {
                name: words.into_iter().flatten().collect::<Vec<String>>().join("-"),
                flags,
                varied: vec![Varied {
                    flag: axis.flag.clone(),
                    value: setting.value.clone(),
                    against,
                }],
            });
        }
    }
    variants
}

impl Axis {
    fn setting_name(&self, nth: usize, after_flag: bool) -> String {
        let setting = &self.settings[nth];
        if let Some(name) = &setting.name {
            return name.clone();
        }
        let flag = self.flag.trim_start_matches('-');
        match &setting.value {
            FlagValue::Switch(true) => flag.to_owned(),
            FlagValue::Switch(false) => format!("no-{flag}"),
            FlagValue::Word(word) => {
                let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
                let word: String = word.chars().map(safe).collect();
                let says_enough = word.starts_with(|c: char| c.is_ascii_alphabetic());
                if after_flag || !says_enough { format!("{flag}-{word}") } else { word }
            }
        }
    }
}

/// Whether `flags` hold `flag`.
pub(super) fn has(flags: &[String], flag: &str) -> bool {
    flags.iter().any(|word| is_flag(word, flag))
}

/// `--wait`, or `--wait=spin`.
fn is_flag(word: &str, flag: &str) -> bool {
    word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn set(flags: &mut Vec<String>, flag: &str, value: &FlagValue) {
    if let Some(at) = flags.iter().position(|word| is_flag(word, flag)) {
        let takes_next = flags[at] == flag;
        flags.remove(at);
        if takes_next && flags.get(at).is_some_and(|word| !word.starts_with("--")) {
            flags.remove(at);
        }
    }
    match value {
        FlagValue::Switch(false) => {}
        FlagValue::Switch(true) => flags.push(flag.to_owned()),
        FlagValue::Word(word) => flags.extend([flag.to_owned(), word.clone()]),
    }
}

/// The flags with their values, in an order that does not depend on how they were typed.
fn normal(flags: &[String]) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for word in flags {
        match groups.last_mut() {
            Some(group) if !word.starts_with("--") => group.push(word.clone()),
            _ => groups.push(word.splitn(2, '=').map(str::to_owned).collect()),
        }
    }
    groups.sort();
    groups
}

#[cfg(test)]
mod tests;
