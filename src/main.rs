//! The binary: hands the command line to `ringpace::cli` and its exit code to the system.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringpace::cli::main()
}
