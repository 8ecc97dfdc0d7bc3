//! `tools/tune` against a folder that stands for `/`: what it changes, what it leaves alone, and that
//! `revert` restores it to the byte. No root, and nothing of this machine is touched: `systemctl` is a
//! script that keeps its state in the folder.

#![allow(clippy::unwrap_used)] // no test of this binary outlives its failure

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A machine with four CPUs of which each setting could be better.
struct Machine {
    root: PathBuf,
}

static MACHINES: AtomicUsize = AtomicUsize::new(0);

const FILES: [(&str, &str); 13] = [
    ("sys/devices/system/cpu/online", "0-3\n"),
    (GOVERNOR_0, "powersave\n"),
    ("sys/devices/system/cpu/cpu0/cpufreq/energy_performance_preference", "balance_power\n"),
    ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
    (BOOST, "1\n"),
    (HUGE, "[always] madvise never\n"),
    (IRQ_8, "0-3\n"),
    (IRQ_9, "2\n"),
    (IRQ_10, "0\n"),
    ("proc/irq/default_smp_affinity", "f\n"),
    ("run/other", "not ours\n"),
    ("irqbalance", "running\n"),
    ("bin/systemctl", SYSTEMCTL),
];

const GOVERNOR_0: &str = "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
const BOOST: &str = "sys/devices/system/cpu/cpufreq/boost";
const HUGE: &str = "sys/kernel/mm/transparent_hugepage/enabled";
const IRQ_8: &str = "proc/irq/8/smp_affinity_list";
const IRQ_9: &str = "proc/irq/9/smp_affinity_list";
const IRQ_10: &str = "proc/irq/10/smp_affinity_list";

const SYSTEMCTL: &str = r#"#!/usr/bin/env bash
case $1 in
is-active) grep -q running "$TUNE_ROOT/irqbalance" ;;
stop) echo stopped >"$TUNE_ROOT/irqbalance" ;;
start) echo running >"$TUNE_ROOT/irqbalance" ;;
esac
"#;

impl Machine {
    fn new() -> Machine {
        let number = MACHINES.fetch_add(1, Ordering::Relaxed);
        let name = format!("ringpace-tune-{}-{number}", std::process::id());
        let machine = Machine { root: std::env::temp_dir().join(name) };
        for (path, text) in FILES {
            let path = machine.root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(machine.root.join("bin/systemctl"), executable).unwrap();
        machine
    }

    /// Runs `tools/tune` with these words, and these answers to what it asks.
    fn tune(&self, words: &[&str], answers: &str) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/tune");
        let path = std::env::var("PATH").unwrap();
        let path = format!("{}:{path}", self.root.join("bin").display());
        let mut child = Command::new("bash")
            .arg(script)
            .args(words)
            .env("TUNE_ROOT", &self.root)
            .env("PATH", path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A script that ends without asking reads nothing.
        let _ = child.stdin.take().unwrap().write_all(answers.as_bytes());
        child.wait_with_output().unwrap()
    }

    #[track_caller]
    fn succeed(&self, words: &[&str], answers: &str) -> String {
        let output = self.tune(words, answers);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).unwrap();
    }

    /// Every setting's value, and whatever stands in `/run` but the lock.
    fn all(&self) -> BTreeMap<String, String> {
        let settings = FILES.iter().map(|(path, _)| (path.to_string(), value(&self.read(path))));
        let state = fs::read_dir(self.root.join("run")).unwrap();
        let names = state.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names = names.filter(|name| !name.ends_with(".lock"));
        settings.chain(names.map(|name| (format!("run/{name}"), "there".to_string()))).collect()
    }
}

/// A file of the kernel brackets the choice that was written; a plain file keeps just that.
fn value(text: &str) -> String {
    let bracketed = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    bracketed.map_or(text, |(choice, _)| choice).trim().to_string()
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn revert_restores_what_apply_changed() {
    let machine = Machine::new();
    let before = machine.all();
    machine.succeed(&["apply", "--cpus", "2-3", "--yes"], "");
    assert_eq!(machine.read(GOVERNOR_0), "performance\n");
    assert_eq!(machine.read(BOOST), "0\n");
    assert_eq!(machine.read(HUGE), "madvise\n");
    assert_eq!(machine.read("irqbalance"), "stopped\n");
    machine.succeed(&["revert", "--yes"], "");
    assert_eq!(machine.all(), before);
    assert_eq!(machine.succeed(&["revert", "--yes"], ""), "nothing to revert\n");
}

#[test]
fn interrupts_leave_the_chosen_cpus_and_others_stay() {
    let machine = Machine::new();
    machine.succeed(&["apply", "--cpus", "1-2", "--yes"], "");
    assert_eq!(machine.read(IRQ_8), "0,3\n");
    assert_eq!(machine.read(IRQ_9), "0,3\n");
    assert_eq!(machine.read(IRQ_10), "0\n");
}

#[test]
fn interrupts_stay_where_they_are_if_no_cpus_are_chosen() {
    let machine = Machine::new();
    machine.succeed(&["apply", "--yes"], "");
    assert_eq!((machine.read(IRQ_8), machine.read(IRQ_9)), ("0-3\n".into(), "2\n".into()));
}

#[test]
fn the_preference_that_a_governor_takes_along_is_restored_after_it() {
    let machine = Machine::new();
    let preference = "sys/devices/system/cpu/cpu0/cpufreq/energy_performance_preference";
    machine.succeed(&["apply", "--yes"], "");
    machine.write(preference, "performance\n"); // as the kernel does
    let reverted = machine.succeed(&["revert", "--yes"], "");
    assert_eq!(machine.read(preference), "balance_power\n");
    let at = |name: &str| reverted.find(&format!("cpu0/cpufreq/{name}")).unwrap();
    assert!(at("scaling_governor") < at("energy_performance_preference"), "{reverted}");
}

#[test]
fn applying_twice_reverts_to_where_the_first_began() {
    let machine = Machine::new();
    let before = machine.all();
    machine.succeed(&["apply", "--cpus", "2", "--yes"], "");
    machine.succeed(&["apply", "--cpus", "0-1", "--yes"], "");
    assert_eq!(machine.read(IRQ_8), "2-3\n");
    machine.succeed(&["revert", "--yes"], "");
    assert_eq!(machine.all(), before);
}

#[test]
fn show_names_every_change_and_makes_none() {
    let machine = Machine::new();
    let before = machine.all();
    let shown = machine.succeed(&["show", "--cpus", "2-3"], "");
    for change in
        ["powersave, would be performance", "irqbalance: running", "always, would be madv"]
    {
        assert!(shown.contains(change), "{change}: {shown}");
    }
    assert_eq!(shown.lines().count(), 6, "{shown}");
    assert_eq!(machine.all(), before);
}

#[test]
fn nothing_changes_without_an_agreement() {
    let machine = Machine::new();
    let before = machine.all();
    for answers in ["", "n\nn\nn\nn\nn\nn\n", "\n\n\n\n\n\n"] {
        machine.succeed(&["apply", "--cpus", "2-3"], answers);
        assert_eq!(machine.all(), before, "{answers:?}");
    }
}

#[test]
fn one_change_may_be_agreed_to_and_another_not() {
    let machine = Machine::new();
    machine.succeed(&["apply"], "n\ny\nn\n"); // irqbalance, governor, boost
    assert_eq!(machine.read(GOVERNOR_0), "performance\n");
    assert_eq!(
        (machine.read(BOOST), machine.read("irqbalance")),
        ("1\n".into(), "running\n".into())
    );
}

#[test]
fn what_is_not_reverted_is_offered_again() {
    let machine = Machine::new();
    let before = machine.all();
    machine.succeed(&["apply", "--cpus", "2-3", "--yes"], "");
    assert_eq!(machine.tune(&["revert"], "y\nn\ny\n").status.code(), Some(1));
    assert_eq!(machine.read(IRQ_9), "2\n"); // the last change is the first to go
    machine.succeed(&["revert", "--yes"], "");
    assert_eq!(machine.all(), before);
}

#[test]
fn whoever_chose_never_to_have_huge_pages_is_left_alone() {
    let machine = Machine::new();
    machine.write(HUGE, "always madvise [never]\n");
    machine.succeed(&["apply", "--yes"], "");
    assert_eq!(machine.read(HUGE), "always madvise [never]\n");
}

#[test]
fn what_is_typed_wrong_ends_with_2_and_changes_nothing() {
    let machine = Machine::new();
    let before = machine.all();
    let wrong: [&[&str]; 6] = [
        &[],
        &["fix"],
        &["apply", "--force"],
        &["apply", "--cpus", "2;reboot"],
        &["apply", "--cpus"],
        &["revert", "--cpus", "1"],
    ];
    for words in wrong {
        let output = machine.tune(words, "");
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stderr.starts_with(b"tune: "), "{words:?}");
    }
    assert_eq!(machine.all(), before);
}

#[test]
fn choosing_every_cpu_leaves_none_for_the_interrupts() {
    let machine = Machine::new();
    let before = machine.all();
    let output = machine.tune(&["apply", "--cpus", "0-3", "--yes"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("leaves no CPU"));
    assert_eq!(machine.all(), before);
}

#[test]
fn a_change_that_the_kernel_refuses_is_told_and_not_remembered() {
    let machine = Machine::new();
    fs::remove_file(machine.root.join(BOOST)).unwrap();
    // Not even root may write there.
    std::os::unix::fs::symlink("/proc/sys/kernel/ostype", machine.root.join(BOOST)).unwrap();
    let output = machine.tune(&["apply", "--yes"], "");
    assert!(output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("refuses 0") && told.contains("stays at Linux"), "{told}");
    let state = machine.read("run/ringpace-tune.state");
    assert!(!state.contains("boost") && state.contains("scaling_governor"), "{state}");
}
