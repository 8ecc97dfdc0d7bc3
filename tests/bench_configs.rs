//! The experiments in `bench-configs/` ask our server for what it takes.
//!
//! That they are plans and fit every machine is tested in `bench::plan`; here the binary is asked
//! whether it has the flags and takes their values. Start at [`every_flag_of_every_config_is_taken`].

use ringpace::bench::plan::{Launch, Plan};
use ringpace::doctor;
use ringpace::io::topology::usable_cpus;
use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn every_flag_of_every_config_is_taken() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-configs");
    let mut checked = 0;
    for entry in std::fs::read_dir(dir).expect("it is there") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let mut plan = Plan::load(&path).unwrap_or_else(|error| panic!("{error}"));
        plan.fit_to(&usable_cpus(), &doctor::topology());
        for target in &plan.targets {
            let Launch::Serve(flags) = &target.launch else { continue };
            if let Some(refusal) = refusal(flags) {
                panic!("{}: target `{}`: {refusal}", path.display(), target.name);
            }
            checked += 1;
        }
    }
    assert!(checked >= 20, "only {checked} targets were checked");
}

/// What the server says against `flags`; `None` if they made it as far as the address, which is wrong.
fn refusal(flags: &[String]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringpace"));
    // An address of nobody here (RFC 5737): binding it fails, after the flags have been looked at.
    command.args(["serve", "--listen", "192.0.2.1:1"]).args(flags).stdin(Stdio::null());
    let output = command.output().expect("the binary is built");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(1) if stderr.contains("192.0.2.1") => None,
        _ => Some(stderr),
    }
}
