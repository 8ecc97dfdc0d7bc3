//! The command line: argh structs hold what was typed, `plan()` turns them into what can run, or into
//! one sentence that names the flag. Nothing opens a socket before that.
//!
//! Exit codes: 0 done; 1 a run or a claim failed; 2 the command line or a file is wrong; 3 the
//! measurement is INVALID. Start at [`main`].

mod bench;
mod doctor;
mod merge;
mod pace;
mod serve;

use argh::FromArgs;
use std::process::ExitCode;

/// The instrument for bare-metal Linux latency: a smart-home HTTP server on io_uring, an exact
/// open-loop pacer, and a bench that compares.
#[derive(FromArgs)]
struct Ringpace {
    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs)]
#[argh(subcommand)]
#[allow(clippy::large_enum_variant)] // there is one value, once per process
enum Command {
    Serve(serve::ServeArgs),
    Pace(pace::PaceArgs),
    Bench(bench::BenchArgs),
    Report(bench::ReportArgs),
    Compare(bench::CompareArgs),
    Merge(merge::MergeArgs),
    Doctor(doctor::DoctorArgs),
    Version(VersionArgs),
}

/// Print the version.
#[derive(FromArgs)]
#[argh(subcommand, name = "version")]
struct VersionArgs {}

/// Why a command ended before its time, and the exit code that says so.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    sentence: String,
}

impl Failure {
    /// A run failed.
    fn run(sentence: impl ToString) -> Failure {
        Failure { code: 1, sentence: sentence.to_string() }
    }

    /// The command line or a file is wrong.
    fn usage(sentence: impl ToString) -> Failure {
        Failure { code: 2, sentence: sentence.to_string() }
    }
}

/// Runs what the process's arguments ask for.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = match arguments() {
        Ok(arguments) => arguments,
        Err(failure) => return complain(&failure),
    };
    let typed: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let command = match Ringpace::from_args(&["ringpace"], &typed) {
        Ok(ringpace) => ringpace.command,
        Err(exit) if exit.status.is_ok() => {
            print(&exit.output);
            return ExitCode::SUCCESS;
        }
        Err(exit) => return complain(&Failure::usage(exit.output.trim_end())),
    };
    let outcome = match command {
        Command::Serve(args) => args.run(),
        Command::Pace(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Report(args) => args.run(),
        Command::Compare(args) => args.run(),
        Command::Merge(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Version(_) => {
            print(concat!("ringpace ", env!("CARGO_PKG_VERSION"), "\n"));
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|failure| complain(&failure))
}

/// What was typed, with `--flag=value` and `-t2` taken apart, which argh would refuse.
fn arguments() -> Result<Vec<String>, Failure> {
    let mut arguments = Vec::new();
    for argument in std::env::args_os().skip(1) {
        let argument = argument
            .into_string()
            .map_err(|raw| Failure::usage(format!("{} is not UTF-8", raw.display())))?;
        // wrk2 writes it so, which argh would not take.
        if argument == "--u_latency" {
            arguments.push(String::from("--u-latency"));
            continue;
        }
        match argument.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => {
                arguments.extend([flag.to_string(), value.to_string()]);
            }
            _ => match attached_value(&argument) {
                Some((flag, value)) => arguments.extend([flag.to_string(), value.to_string()]),
                None => arguments.push(argument),
            },
        }
    }
    Ok(arguments)
}

/// `-t2` as `-t` and `2`, the way that users of wrk2 write it.
fn attached_value(argument: &str) -> Option<(&str, &str)> {
    let flag = argument.get(..2).filter(|flag| SHORT_OPTIONS.contains(flag))?;
    let value = &argument[2..];
    (!value.is_empty()).then_some((flag, value))
}

/// Flags of one letter that take a value.
const SHORT_OPTIONS: [&str; 7] = ["-R", "-d", "-c", "-t", "-H", "-T", "-s"];

/// Prints to stdout; a reader that has gone away is no failure of ours.
fn print(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

#[allow(clippy::print_stderr)] // the one place that speaks to the person at the terminal
fn complain(failure: &Failure) -> ExitCode {
    eprintln!("ringpace: {}", failure.sentence);
    ExitCode::from(failure.code)
}
