//! Flags whose value is one of a few words, and the words for each value, in one table each: read from
//! the command line and written to the results.

use crate::io::limits::Policy;
use crate::io::topology::CpuList;
use crate::io::uring::{MinWait, TaskRun, Wake};
use crate::units::Nanos;

/// A word for each value of `T`.
type Words<T> = &'static [(&'static str, T)];

const ON_OFF: Words<bool> = &[("on", true), ("off", false)];
const SHOTS: Words<bool> = &[("multishot", true), ("one-shot", false)];
const SENDS: Words<bool> = &[("ring", false), ("direct", true)];
const WAKES: Words<Wake> = &[("msgring", Wake::MsgRing), ("eventfd", Wake::Eventfd)];
const TASK_RUNS: Words<TaskRun> =
    &[("defer", TaskRun::Defer), ("coop", TaskRun::Coop), ("interrupt", TaskRun::Interrupt)];

/// The value that `text` stands for, or a sentence with the words there are.
fn choose<T: Copy>(words: Words<T>, what: &str, text: &str) -> Result<T, String> {
    let chosen = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    chosen.ok_or_else(|| {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let (last, first) = names.split_last().unwrap_or((&"", &[]));
        format!("`{text}` is no {what}; there are {} and {last}", first.join(", "))
    })
}

fn word<T: PartialEq>(words: Words<T>, value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("?", |(word, _)| word)
}

pub(super) fn on_off(text: &str) -> Result<bool, String> {
    choose(ON_OFF, "switch", text)
}

pub(super) fn on_off_word(on: bool) -> &'static str {
    word(ON_OFF, &on)
}

/// Whether to accept by multishot.
pub(super) fn accept(text: &str) -> Result<bool, String> {
    choose(SHOTS, "way to accept", text)
}

/// Whether to receive by multishot.
pub(super) fn receive(text: &str) -> Result<bool, String> {
    choose(SHOTS, "way to receive", text)
}

pub(super) fn shot_word(multishot: bool) -> &'static str {
    word(SHOTS, &multishot)
}

/// Whether to send by send(2).
pub(super) fn send(text: &str) -> Result<bool, String> {
    choose(SENDS, "way to send", text)
}

pub(super) fn send_word(direct: bool) -> &'static str {
    word(SENDS, &direct)
}

pub(super) fn wake(text: &str) -> Result<Wake, String> {
    choose(WAKES, "way to wake", text)
}

pub(super) fn wake_word(wake: Wake) -> &'static str {
    word(WAKES, &wake)
}

pub(super) fn task_run(text: &str) -> Result<TaskRun, String> {
    choose(TASK_RUNS, "task-run mode", text)
}

pub(super) fn task_run_word(task_run: TaskRun) -> &'static str {
    word(TASK_RUNS, &task_run)
}

/// CPUs, or any (`None`).
pub(super) fn cpus_or_any(text: &str) -> Result<Option<CpuList>, String> {
    match text {
        "any" => Ok(None),
        _ => text.parse().map(Some).map_err(|error| format!("{error}, or `any`")),
    }
}

/// `50us` or `50us/8`.
pub(super) fn min_wait(text: &str) -> Result<MinWait, String> {
    let (span, count) = match text.split_once('/') {
        Some((span, count)) => (span, Some(count)),
        None => (text, None),
    };
    let completions = count.map_or(Ok(u32::MAX), str::parse).map_err(|_| {
        format!("`{text}` has no count of completions behind the slash; write one like 50us/8")
    })?;
    Ok(MinWait { span: span.parse()?, completions })
}

pub(super) fn min_wait_word(wait: MinWait) -> String {
    match wait.completions {
        u32::MAX => span_word(wait.span),
        count => format!("{}/{count}", span_word(wait.span)),
    }
}

/// The nice values that there are.
pub(super) fn nice(text: &str) -> Result<i8, String> {
    let value = text.parse().ok().filter(|nice| (-20..=19).contains(nice));
    value.ok_or_else(|| format!("`{text}` is no nice value; they go from -20 (first) to 19 (last)"))
}

pub(super) fn policy(text: &str) -> Result<Policy, String> {
    let (name, priority) = match text.split_once(':') {
        Some((name, priority)) => (name, Some(priority)),
        None => (text, None),
    };
    let priority = |kind: fn(u8) -> Policy| {
        let value = priority.and_then(|typed| typed.parse().ok());
        let value = value.filter(|priority| (1..=99).contains(priority));
        value.map(kind).ok_or_else(|| {
            format!("`{text}` has no priority from 1 to 99; write it as `{name}:10`")
        })
    };
    match (name, text) {
        (_, "other") => Ok(Policy::Other),
        (_, "batch") => Ok(Policy::Batch),
        ("fifo", _) => priority(Policy::Fifo),
        ("rr", _) => priority(Policy::RoundRobin),
        _ => Err(format!(
            "`{text}` is no scheduling policy; there are other, batch, fifo:PRIO and rr:PRIO"
        )),
    }
}

pub(super) fn policy_word(policy: Policy) -> String {
    match policy {
        Policy::Other => "other".into(),
        Policy::Batch => "batch".into(),
        Policy::Fifo(priority) => format!("fifo:{priority}"),
        Policy::RoundRobin(priority) => format!("rr:{priority}"),
    }
}

/// Exact, in the largest unit that divides it, and as the command line reads it.
pub(super) fn span_word(span: Nanos) -> String {
    if span == Nanos::ZERO { "0ns".into() } else { span.as_typed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bad input is named, quoted and answered with what there is.
    #[track_caller]
    fn check<T: std::fmt::Debug>(outcome: Result<T, String>, typed: &str, offered: &str) {
        let error = outcome.unwrap_err();
        assert!(error.starts_with(&format!("`{typed}`")), "{error}");
        assert!(error.contains(offered), "{error}");
    }

    #[test]
    fn a_word_that_stands_for_nothing_is_answered_with_those_that_do() {
        check(on_off("yes"), "yes", "on and off");
        check(accept("once"), "once", "multishot and one-shot");
        check(receive("oneshot"), "oneshot", "multishot and one-shot");
        check(send("sendmsg"), "sendmsg", "ring and direct");
        check(wake("pipe"), "pipe", "msgring and eventfd");
        check(task_run("none"), "none", "defer, coop and interrupt");
        check(cpus_or_any("some"), "some", "or `any`");
        check(min_wait("50us/x"), "50us/x", "50us/8");
        check(min_wait("50"), "50", "ms");
        check(nice("20"), "20", "-20");
        check(policy("fifo"), "fifo", "fifo:10");
        check(policy("rr:100"), "rr:100", "1 to 99");
        check(policy("batch:3"), "batch:3", "other, batch, fifo:PRIO and rr:PRIO");
    }

    #[test]
    fn what_is_written_to_the_results_reads_back() {
        for on in [true, false] {
            assert_eq!(on_off(on_off_word(on)), Ok(on));
            assert_eq!(receive(shot_word(on)), Ok(on));
            assert_eq!(send(send_word(on)), Ok(on));
        }
        for (word, task_run) in TASK_RUNS {
            assert_eq!(task_run_word(*task_run), *word);
        }
        for text in ["50us", "50us/8", "1500ns/1"] {
            assert_eq!(min_wait_word(min_wait(text).unwrap()), text);
        }
        for text in ["other", "batch", "fifo:99", "rr:1"] {
            assert_eq!(policy_word(policy(text).unwrap()), text);
        }
        for text in ["0ns", "1s", "1500ms", "60us", "1001ns"] {
            assert_eq!(span_word(text.parse().unwrap()), text);
        }
    }
}
