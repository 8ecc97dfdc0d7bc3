//! /proc/interrupts as text: which line fired how often on which CPU, and what one reading has that an
//! earlier one had not.
//!
//! Pure. Not here: what it means; see `irq`. Start at [`Interrupts::parse`].

/// One reading of /proc/interrupts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Interrupts {
    /// The CPUs of the columns.
    cpus: Vec<usize>,
    lines: Vec<Line>,
}

/// One interrupt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// A number for a device's, a word such as `LOC` for the architecture's own.
    pub(super) id: String,
    /// What it is for: `virtio1-req.0`, `Local timer interrupts`.
    pub(super) name: String,
    /// How often it fired, a count for each column.
    counts: Vec<u64>,
}

impl Line {
    /// The number of a device's interrupt; `None` for the architecture's own.
    pub(super) fn number(&self) -> Option<u32> {
        self.id.parse().ok()
    }
}

impl Interrupts {
    /// Lines that are cut short, or count for no CPU (`ERR`, `MIS`), are left out.
    pub(super) fn parse(text: &str) -> Interrupts {
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default();
        let cpus: Vec<usize> = header
            .split_whitespace()
            .filter_map(|column| column.strip_prefix("CPU")?.parse().ok())
            .collect();
        let lines = lines.filter_map(|line| parse_line(line, cpus.len())).collect();
        Interrupts { cpus, lines }
    }

    pub(super) fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// How often `line` fired on `cpus` together.
    pub(super) fn count(&self, line: &Line, cpus: &[usize]) -> u64 {
        let columns = self.cpus.iter().zip(&line.counts);
        columns.filter(|(cpu, _)| cpus.contains(cpu)).map(|(_, count)| count).sum()
    }

    /// What has fired since `earlier`. A line that is new counts from zero; a CPU that came or went in
    /// between makes the readings incomparable, and then nothing has.
    pub(super) fn since(&self, earlier: &Interrupts) -> Interrupts {
        if self.cpus != earlier.cpus {
            return Interrupts { cpus: self.cpus.clone(), lines: Vec::new() };
        }
        let fired = |line: &Line| {
            let before = earlier.lines.iter().find(|other| other.id == line.id);
            let before = before.map_or(&[][..], |line| &line.counts);
            let counts = line.counts.iter().enumerate();
            let counts = counts.map(|(column, count)| {
                count.saturating_sub(before.get(column).copied().unwrap_or(0))
            });
            Line { counts: counts.collect(), ..line.clone() }
        };
        Interrupts { cpus: self.cpus.clone(), lines: self.lines.iter().map(fired).collect() }
    }
}

fn parse_line(line: &str, columns: usize) -> Option<Line> {
    let (id, rest) = line.split_once(':')?;
    let mut words = rest.split_whitespace();
    let counts: Vec<u64> =
        words.by_ref().take(columns).map_while(|word| word.parse().ok()).collect();
    if columns == 0 || counts.len() < columns {
        return None;
    }
    let words: Vec<&str> = words.collect();
    let id = id.trim().to_string();
    let name = match id.parse::<u32>() {
        Ok(_) => actions(&words),
        Err(_) => words.join(" "),
    };
    Some(Line { id, name, counts })
}

/// A device's line ends in chip, trigger and actions; the trigger ends in `-edge`, `-level` or
/// `-fasteoi`. An interrupt that nobody asked for has no actions.
fn actions(words: &[&str]) -> String {
    let is_trigger =
        |word: &&str| ["-edge", "-level", "-fasteoi"].iter().any(|t| word.ends_with(t));
    match words.iter().position(is_trigger) {
        Some(trigger) => words[trigger + 1..].join(" "),
        // Other architectures write `GICv3 27 Level arch_timer`.
        None => words.last().copied().unwrap_or_default().to_string(),
    }
}

#[cfg(test)]
mod tests;
