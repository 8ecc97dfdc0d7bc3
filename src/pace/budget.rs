//! How many requests may fail before a run counts as failed (`--error-budget`).
//!
//! A share of the planned requests, kept to a millionth. What failed or never finished uses it up;
//! what the pacer itself skipped does not. An INVALID run is not believed anyway, so its verdict goes
//! before. Pure. Start at [`ErrorBudget::check`].

use crate::results::{Errors, Run};
use std::fmt;
use std::str::FromStr;

/// The share of the planned requests that may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorBudget {
    millionths: u32,
}

/// All of it.
const MILLION: u32 = 1_000_000;

/// A hundredth of it.
const PER_CENT: u32 = MILLION / 100;

impl Default for ErrorBudget {
    /// Chosen: a tenth; with more there is hardly a p90 to report.
    fn default() -> ErrorBudget {
        ErrorBudget { millionths: MILLION / 10 }
    }
}

impl ErrorBudget {
    /// As a share, in 0..=1.
    pub fn share(self) -> f64 {
        f64::from(self.millionths) / f64::from(MILLION)
    }

    /// An error in a sentence that names the flag, if more of `run` failed.
    pub fn check(self, run: &Run) -> Result<(), String> {
        let failed = run.errors.total() + run.unfinished;
        let allowed = u128::from(run.planned) * u128::from(self.millionths);
        if u128::from(failed) * u128::from(MILLION) <= allowed {
            return Ok(());
        }
        let percent = 100.0 * failed as f64 / run.planned as f64;
        let Errors { status, malformed, reset, timeout, connect } = run.errors;
        Err(format!(
            "--error-budget {self}: {failed} of {} requests ({percent:.2} %) failed or never finished: \
             status {status}, malformed {malformed}, reset {reset}, timeout {timeout}, connect \
             {connect}, unfinished {}",
            run.planned, run.unfinished
        ))
    }
}

impl fmt::Display for ErrorBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.millionths / PER_CENT, self.millionths % PER_CENT);
        match fraction {
            0 => write!(f, "{whole}%"),
            _ => write!(f, "{whole}.{}%", format!("{fraction:04}").trim_end_matches('0')),
        }
    }
}

impl FromStr for ErrorBudget {
    type Err = String;

    /// Reads `5%`, `0.25%`, `100%`, and a bare `0`; any other bare number is not read, since it may be
    /// meant as a share or in per cent.
    fn from_str(text: &str) -> Result<ErrorBudget, String> {
        let wrong =
            || format!("`{text}` is no share of the requests; write `5%`, `0` or up to `100%`");
        if text == "0" {
            return Ok(ErrorBudget { millionths: 0 });
        }
        let number = text.strip_suffix('%').ok_or_else(wrong)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) || whole.len() > 3 || fraction.len() > 4 {
            return Err(wrong());
        }
        let parsed = |digits: &str| digits.parse::<u32>().map_err(|_| wrong());
        let millionths = parsed(whole)? * PER_CENT + parsed(&format!("{fraction:0<4}"))?;
        if millionths > MILLION {
            return Err(wrong());
        }
        Ok(ErrorBudget { millionths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::bench::sample;

    fn budget(text: &str) -> ErrorBudget {
        text.parse().unwrap()
    }

    #[test]
    fn a_budget_prints_as_typed() {
        for text in ["0%", "5%", "100%", "0.0001%", "12.5%", "99.9999%"] {
            assert_eq!(budget(text).to_string(), text);
        }
        assert_eq!(budget("0"), budget("0%"));
        assert_eq!(budget("5.50%").to_string(), "5.5%");
        assert_eq!((ErrorBudget::default(), budget("10%").share()), (budget("10%"), 0.1));
    }

    #[test]
    fn what_is_no_share_is_refused() {
        for text in [
            "",
            "%",
            "5",
            "0.1",
            "1",
            "-1%",
            "+1%",
            "101%",
            "100.0001%",
            "5 %",
            "5.%",
            ".5%",
            "0.00001%",
            "5%%",
            "x%",
            "1e1%",
        ] {
            let error = text.parse::<ErrorBudget>().unwrap_err();
            assert!(error.contains(&format!("`{text}` is no share")), "{error}");
        }
    }

    #[test]
    fn a_run_that_uses_up_its_budget_holds_and_one_more_failure_does_not() {
        let mut run = sample::run(50_000);
        budget("0").check(&run).unwrap();
        run.errors = Errors { status: 1, malformed: 2, reset: 300, timeout: 4, connect: 5 };
        run.unfinished = 188;
        budget("5%").check(&run).unwrap();
        // What was skipped is the pacer's fault.
        run.skipped = 9_000;
        budget("5%").check(&run).unwrap();
        run.unfinished += 1;
        let error = budget("5%").check(&run).unwrap_err();
        for part in ["--error-budget 5%", "501 of 10000", "5.01 %", "reset 300", "unfinished 189"] {
            assert!(error.contains(part), "no {part} in {error}");
        }
        budget("5.01%").check(&run).unwrap();
        budget("100%").check(&run).unwrap();
    }

    #[test]
    fn a_run_without_requests_fails_no_budget() {
        let run = Run { planned: 0, ..sample::run(50_000) };
        budget("0").check(&run).unwrap();
    }
}
