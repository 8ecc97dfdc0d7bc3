//! The files that a target is started from, and whether they still are what they were.
//!
//! A bench that goes on must not put the runs of two servers together. The hash of its plan tells two
//! command lines apart, and not two programs of one name; so the size of each target's files and when
//! they were written stand in the results, beside the hash, and a bench of which they have changed
//! does not go on. Our own server is this very program, whose file is in the hash. Not here: what a
//! set-up step is made of; see `target::set_up`. Start at [`check`].

use super::BenchError;
use super::plan::{CommandLine, Launch, Target};
use crate::calendar::rfc3339;
use crate::results::bench::{Bench, ProgramFile};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Notes in `bench` what the `targets` are started from now, unless that is not what a run of theirs
/// in it was started from. `dir` is the bench's directory.
pub(super) fn check(targets: &[Target], bench: &mut Bench, dir: &Path) -> Result<(), BenchError> {
    for target in targets {
        let now = files_of(target);
        let change = bench.programs.get(&target.name).and_then(|was| change(was, &now));
        if let Some(change) = change.filter(|_| has_run(bench, &target.name)) {
            return Err(BenchError::File(format!(
                "{}: it holds runs of target `{}`, of which since then {change}. More runs would be of \
                 another server: give another --out to measure all of it anew, or remove the directory",
                dir.display(),
                target.name
            )));
        }
        bench.programs.insert(target.name.clone(), now);
    }
    Ok(())
}

fn has_run(bench: &Bench, target: &str) -> bool {
    let probes = bench.knee.iter().flat_map(|knee| &knee.runs);
    let mut runs = bench.runs.iter().chain(probes);
    runs.any(|run| run.target == target && run.failure.is_none())
}

/// What is otherwise, as a clause.
fn change(was: &[ProgramFile], now: &[ProgramFile]) -> Option<String> {
    let of = |files: &[ProgramFile], path: &str| files.iter().find(|f| f.path == path).cloned();
    let changed = was.iter().find_map(|was| match of(now, &was.path) {
        Some(now) if now == *was => None,
        Some(now) => {
            Some(format!("`{}` has changed ({}, then {})", was.path, written(was), written(&now)))
        }
        None => Some(format!("`{}` is gone, or no longer what it is started from", was.path)),
    });
    let more = || now.iter().find(|now| of(was, &now.path).is_none());
    changed.or_else(|| more().map(|now| format!("`{}` has come to be there", now.path)))
}

fn written(file: &ProgramFile) -> String {
    let at = rfc3339(file.modified_ns / 1_000_000_000);
    format!("{} bytes of {at}", file.bytes)
}

/// The program of a command, and the script that it runs. A program that is looked for in `PATH` may
/// be an interpreter; its first argument that names a file is the script.
fn files_of(target: &Target) -> Vec<ProgramFile> {
    let Launch::Command(line) = &target.launch else { return Vec::new() };
    let [program, arguments @ ..] = line.argv.as_slice() else { return Vec::new() };
    let program_file = resolved(program, line).and_then(|path| stamped(&path));
    let mut files: Vec<ProgramFile> = program_file.into_iter().collect();
    if !program.contains('/') {
        let named = arguments.iter().filter(|word| !word.starts_with('-'));
        files.extend(named.map(|word| line.cwd.join(word)).find_map(|path| stamped(&path)));
    }
    files
}

/// The file that the kernel is handed, as execvp(3) finds it.
fn resolved(program: &str, line: &CommandLine) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(line.cwd.join(program));
    }
    let dirs = line.env.get("PATH").map(OsString::from).or_else(|| std::env::var_os("PATH"))?;
    let mut files = std::env::split_paths(&dirs).map(|dir| line.cwd.join(dir).join(program));
    files.find(|file| file.is_file())
}

/// `None` of what is no file.
fn stamped(path: &Path) -> Option<ProgramFile> {
    let metadata = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(ProgramFile {
        path: path.display().to_string(),
        bytes: metadata.len(),
        modified_ns: u64::try_from(modified.as_nanos()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::sample;
    use crate::scratch::Scratch;
    use std::collections::BTreeMap;
    use std::fs;
    use std::time::Duration;

    /// A target that runs `argv` in `dir`.
    fn target(dir: &Path, argv: &[&str]) -> Target {
        let line = CommandLine {
            argv: argv.iter().map(|word| String::from(*word)).collect(),
            env: BTreeMap::new(),
            cwd: PathBuf::from(dir),
            setup: Vec::new(),
        };
        Target {
            name: "a".into(),
            launch: Launch::Command(line),
            cpus: None,
            ready_path: "/".into(),
            varied: Vec::new(),
        }
    }

    #[test]
    fn runs_of_a_script_that_was_changed_since_are_not_gone_on_with() {
        let scratch = Scratch::new("program");
        let script = scratch.join("server");
        fs::write(&script, "one").unwrap();
        let target = [target(&scratch, &["./server", "--port", "{port}"])];
        let mut bench = sample::bench(&["a"], Vec::new());
        let check = |bench: &mut Bench| check(&target, bench, Path::new("out"));
        check(&mut bench).unwrap();
        // As long as there is no run of it, whatever it was is no matter.
        fs::write(&script, "longer").unwrap();
        bench.runs = vec![sample::failed_run("a", 1)];
        check(&mut bench).unwrap();
        bench.runs = vec![sample::bench_run("a", 1, sample::run(10))];
        check(&mut bench).unwrap();
        fs::write(&script, "longest").unwrap();
        let error = check(&mut bench).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let said = error.to_string();
        for part in ["out: ", "target `a`", "server` has changed (6 bytes", "7 bytes", "--out"] {
            assert!(said.contains(part), "no {part} in {said}");
        }
        // The same size, written at another time.
        fs::write(&script, "newest").unwrap();
        let file = fs::File::options().write(true).open(&script).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(9)).unwrap();
        let said = check(&mut bench).unwrap_err().to_string();
        assert!(said.contains("6 bytes of 1970-01-01T00:00:09Z"), "{said}");
        fs::remove_file(&script).unwrap();
        assert!(check(&mut bench).unwrap_err().to_string().contains("is gone"));
    }

    #[test]
    fn a_directory_that_names_no_files_is_gone_on_with() {
        let scratch = Scratch::new("unnamed");
        fs::write(scratch.join("server"), "one").unwrap();
        let runs = vec![sample::bench_run("a", 1, sample::run(10))];
        let mut bench = sample::bench(&["a"], runs);
        check(&[target(&scratch, &["./server"])], &mut bench, Path::new("out")).unwrap();
        assert_eq!(bench.programs["a"].len(), 1);
    }

    #[test]
    fn an_interpreters_script_counts_with_it() {
        let scratch = Scratch::new("script");
        let (script, log) = (scratch.join("app.sh"), scratch.join("log"));
        for path in [&script, &log] {
            fs::write(path, "x").unwrap();
        }
        let of = |argv: &[&str]| files_of(&target(&scratch, argv)).len();
        assert_eq!(of(&["sh", "-u", "app.sh", "log"]), 2);
        assert_eq!(of(&["./app.sh", "log"]), 1);
        assert_eq!(of(&["no-such-program", "{port}"]), 0);
    }
}
