//! One finding: what was seen, why it matters to a latency measurement, and the command that mends it.
//!
//! The keys are stored with every bench, so none is renamed or dropped. Start at [`Finding`].

use serde::{Deserialize, Serialize};

/// What was found about one property of the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Names the property, the same on every machine: `governor`, `irq-load`.
    pub id: String,
    /// How much it spoils.
    pub severity: Severity,
    /// What was seen, one sentence.
    pub seen: String,
    /// Why it matters for a latency measurement.
    pub why: String,
    /// What mends it, to be typed as it stands; `None` if nothing has to be mended, or nothing on
    /// this machine can.
    pub mend: Option<String>,
}

/// How much a finding spoils a measurement; the worst is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Figures will show this instead of the server, or cannot be had at all.
    Bad,
    /// The tail, or the spread between runs, is wider than it need be.
    Warn,
    /// Worth knowing when figures are read or compared.
    Note,
    /// As it should be.
    Good,
}

impl Finding {
    pub(super) fn new(
        severity: Severity,
        id: &str,
        seen: impl Into<String>,
        why: impl Into<String>,
    ) -> Finding {
        Finding { id: id.to_string(), severity, seen: seen.into(), why: why.into(), mend: None }
    }

    /// The same finding with the command that mends it, if there is one.
    pub(super) fn mended_by(self, mend: impl Into<Option<String>>) -> Finding {
        Finding { mend: mend.into(), ..self }
    }
}
