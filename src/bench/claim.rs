//! Claims: comparisons between figures of a bench, such as `uring.p50 <= 1.5 * epoll.p50`.
//!
//! ```text
//! claim   = sum ("<" | "<=" | ">" | ">=") sum
//! sum     = product (("+" | "-") product)*          `-` needs spaces: `a-b` may be a target's name
//! product = operand (("*" | "/") operand)*
//! operand = number | duration | figure | "(" sum ")"         1.5   2.1ms   uring.status.p99.9
//! figure  = target "." [request kind "."] metric
//! ```
//! Metrics of the response time, in total or of a kind: `p50 p90 p95 p99 p99.9 p99.99 max`. Of the
//! target: `lateness_p50` to `lateness_max` (the pacer's), `rss_mb` `cpu_percent` `cpu_us` `errors`
//! `achieved` (numbers).
//!
//! What is judged is left less right, of every repeat by itself: repeat k of one target was made within
//! minutes of repeat k of the other. If all of the interval (see `stats::compare`) is on one side,
//! the claim holds or fails; else it cannot be told, nor can it from one repeat. Counts of errors
//! are exact. The figures that are shown are the medians of the repeats.
//!
//! Units are checked when the claim is read: a time is never compared with a bare number. A figure
//! of +infinity is larger than any other. Start at [`Claim::parse`].

use super::difference::{each, or_infinite};
use crate::results::bench::{
    Bench, ClaimOutcome, ClaimResult, KindSummary, Level, Spreads, Summary,
};
use crate::results::{FIGURES, Figure as ResultFigure};
use crate::stats::compare::{CONFIDENCE, Interval, paired, percent};
use crate::units::{Nanos, Rate, signed};

/// One claim that can be judged.
#[derive(Clone, Debug)]
pub struct Claim {
    /// In words; the expression if the file gives none.
    pub text: String,
    /// As typed.
    pub expr: String,
    /// The one rate it is about; `None`: it must hold at every rate.
    pub rate: Option<Rate>,
    left: Expr,
    compare: Compare,
    right: Expr,
    unit: Unit,
}

/// Where left less right lies; `None` if the repeats cannot tell, or it is no number.
fn interval(repeats: &[f64]) -> Option<Interval> {
    if repeats.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    paired(repeats, &[], 0.0, CONFIDENCE).interval
}

impl Claim {
    /// Reads `expr`. The error is a sentence that says which word is wrong.
    pub fn parse(text: Option<&str>, expr: &str, rate: Option<Rate>) -> Result<Claim, String> {
        let tokens = tokens(expr);
        let mut parser = Parser { tokens: &tokens };
        let (left, left_unit) = parser.sum()?;
        let compare = parser.compare()?;
        let (right, right_unit) = parser.sum()?;
        if let Some(extra) = parser.tokens.first() {
            return Err(format!("`{extra}` is one too many; a claim is one comparison"));
        }
        if left_unit != right_unit {
            return Err(format!(
                "{} is compared with {}; write times as `2.1ms`",
                left_unit.name(),
                right_unit.name()
            ));
        }
        Ok(Claim {
            text: text.unwrap_or(expr).to_owned(),
            expr: expr.to_owned(),
            rate,
            left,
            compare,
            right,
            unit: left_unit,
        })
    }

    /// The targets it names, each once or more.
    pub fn targets(&self) -> Vec<&str> {
        self.figures().into_iter().map(|figure| figure.target.as_str()).collect()
    }

    /// The request kinds it names, each once or more.
    pub fn kinds(&self) -> Vec<&str> {
        self.figures().into_iter().filter_map(|figure| figure.kind.as_deref()).collect()
    }

    /// Whether it is about `rate`, as typed.
    fn is_about(&self, rate: &str) -> bool {
        self.rate.is_none_or(|only| rate.parse() == Ok(only))
    }

    /// Judges the claim by the summaries of `bench`. It is skipped only where a target of it was left
    /// out.
    pub fn judge(&self, bench: &Bench) -> ClaimResult {
        let mut result = ClaimResult {
            text: self.text.clone(),
            expr: self.expr.clone(),
            outcome: ClaimOutcome::Skipped,
            figures: Vec::new(),
        };
        let planned = |name: &str| bench.plan.targets.iter().any(|target| target.name == name);
        if let Some(absent) = self.targets().into_iter().find(|name| !planned(name)) {
            result.figures.push(format!("{absent} is not in this run"));
            return result;
        }
        for rate in bench.plan.rates.iter().filter(|rate| self.is_about(rate)) {
            let (outcome, figures) = self.judge_at(bench, rate);
            result.outcome = result.outcome.max(outcome);
            result.figures.push(figures);
        }
        if result.figures.is_empty() {
            result.outcome = ClaimOutcome::Unknown;
            result.figures.push(String::from("nothing was measured at its rate"));
        }
        result
    }

    fn judge_at(&self, bench: &Bench, rate: &str) -> (ClaimOutcome, String) {
        let value = |figure: &Figure| figure.value(bench, rate);
        let mut shown: Vec<String> =
            self.figures().into_iter().map(|figure| figure.show(value(figure))).collect();
        let outcome = match (self.left.value(&value), self.right.value(&value)) {
            (Some(left), Some(right)) => match self.by_repeat(bench, rate) {
                Some(repeats) => {
                    let interval = interval(&repeats);
                    shown.push(self.show_interval(interval, repeats.len()));
                    interval.map_or(ClaimOutcome::Unknown, |ends| self.compare.judge(ends))
                }
                None => self.compare.outcome(left, right),
            },
            _ => ClaimOutcome::Unknown,
        };
        (outcome, format!("at {rate}/s: {}", shown.join(", ")))
    }

    /// Left less right of every repeat that has all figures; `None` if they are exact, or nobody
    /// knows which repeats they are of.
    fn by_repeat(&self, bench: &Bench, rate: &str) -> Option<Vec<f64>> {
        let mut numbers: Option<Vec<u32>> = None;
        for figure in self.figures().into_iter().filter(|figure| figure.metric != Metric::Errors) {
            let (of_figure, _) = figure.repeats(bench, rate)?;
            if of_figure.is_empty() {
                return None;
            }
            let common = numbers.unwrap_or_else(|| of_figure.clone());
            numbers = Some(common.into_iter().filter(|n| of_figure.contains(n)).collect());
        }
        let of_repeat = |number: &u32| {
            let value = |figure: &Figure| figure.at_repeat(bench, rate, *number);
            Some(self.left.value(&value)? - self.right.value(&value)?)
        };
        numbers?.iter().map(of_repeat).collect()
    }

    fn show_interval(&self, interval: Option<Interval>, repeats: usize) -> String {
        let Some(Interval { low, high, confidence }) = interval else {
            return match repeats {
                0 | 1 => format!("too few repeats ({repeats})"),
                _ => format!("no interval: in some of {repeats} repeats a side is infinite"),
            };
        };
        let shown = |value: f64| match self.unit {
            _ if value == f64::INFINITY => String::from("infinite"),
            Unit::Number if value.is_finite() => format!("{value:+.2}"),
            _ => signed(value),
        };
        let percent = percent(confidence);
        format!("left - right is {} to {}, {percent:.0} %", shown(low), shown(high))
    }

    fn figures(&self) -> Vec<&Figure> {
        let mut figures = Vec::new();
        self.left.figures_into(&mut figures);
        self.right.figures_into(&mut figures);
        figures
    }
}

#[derive(Clone, Copy, Debug)]
enum Compare {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Compare {
    /// By the interval of left less right.
    fn judge(self, Interval { low, high, .. }: Interval) -> ClaimOutcome {
        let (holds, fails) = match self {
            Compare::Less => (high < 0.0, low >= 0.0),
            Compare::LessOrEqual => (high <= 0.0, low > 0.0),
            Compare::Greater => (low > 0.0, high <= 0.0),
            Compare::GreaterOrEqual => (low >= 0.0, high < 0.0),
        };
        match (holds, fails) {
            (true, _) => ClaimOutcome::Holds,
            (_, true) => ClaimOutcome::Fails,
            _ => ClaimOutcome::Unknown,
        }
    }

    /// By exact figures.
    fn outcome(self, left: f64, right: f64) -> ClaimOutcome {
        // Two infinities are two servers that dropped requests; which is larger nobody knows.
        if left.is_nan() || right.is_nan() || (left.is_infinite() && right.is_infinite()) {
            return ClaimOutcome::Unknown;
        }
        let holds = match self {
            Compare::Less => left < right,
            Compare::LessOrEqual => left <= right,
            Compare::Greater => left > right,
            Compare::GreaterOrEqual => left >= right,
        };
        if holds { ClaimOutcome::Holds } else { ClaimOutcome::Fails }
    }
}

#[derive(Clone, Debug)]
enum Expr {
    Constant(f64),
    Figure(Figure),
    Binary(char, Box<Expr>, Box<Expr>),
}

impl Expr {
    fn value(&self, figure: &impl Fn(&Figure) -> Option<f64>) -> Option<f64> {
        match self {
            Expr::Constant(value) => Some(*value),
            Expr::Figure(name) => figure(name),
            Expr::Binary(operator, left, right) => {
                let (left, right) = (left.value(figure)?, right.value(figure)?);
                Some(match operator {
                    '+' => left + right,
                    '-' => left - right,
                    '*' => left * right,
                    _ => left / right,
                })
            }
        }
    }

    fn figures_into<'a>(&'a self, figures: &mut Vec<&'a Figure>) {
        match self {
            Expr::Constant(_) => {}
            Expr::Figure(figure) => figures.push(figure),
            Expr::Binary(_, left, right) => {
                left.figures_into(figures);
                right.figures_into(figures);
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Number,
    Time,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Unit::Number => "a number",
            Unit::Time => "a time",
        }
    }
}

/// An operator between what it cannot join.
fn mismatch(operator: char, left: Unit, right: Unit) -> String {
    format!("`{operator}` joins {} and {}", left.name(), right.name())
}

/// `target[.kind].metric`.
#[derive(Clone, Debug)]
struct Figure {
    target: String,
    kind: Option<String>,
    metric: Metric,
}

impl Figure {
    fn parse(word: &str) -> Option<Figure> {
        // By suffix, as `p99.9` has a dot of its own.
        let (rest, metric) = Metric::named().find_map(|(name, metric)| {
            Some((word.strip_suffix(name.as_str())?.strip_suffix('.')?, metric))
        })?;
        let (target, kind) = match rest.split_once('.') {
            Some((target, kind)) => (target, Some(kind.to_owned())),
            None => (rest, None),
        };
        Some(Figure { target: target.to_owned(), kind, metric })
    }

    fn value(&self, bench: &Bench, rate: &str) -> Option<f64> {
        let (summary, kind) = self.summary(bench, rate)?;
        self.metric.value(summary, kind)
    }

    /// The numbers of the repeats, and the figure of each.
    fn repeats(&self, bench: &Bench, rate: &str) -> Option<(Vec<u32>, Vec<f64>)> {
        let (summary, kind) = self.summary(bench, rate)?;
        Some(self.metric.repeats(summary, kind))
    }

    fn at_repeat(&self, bench: &Bench, rate: &str, number: u32) -> Option<f64> {
        if self.metric == Metric::Errors {
            return self.value(bench, rate);
        }
        let (numbers, each) = self.repeats(bench, rate)?;
        each.get(numbers.iter().position(|other| *other == number)?).copied()
    }

    fn summary<'b>(&self, bench: &'b Bench, rate: &str) -> Option<(&'b Summary, &'b KindSummary)> {
        let matches = |summary: &&Summary| summary.target == self.target && summary.rate == rate;
        let summary = bench.summaries.iter().find(matches)?;
        let kind = match &self.kind {
            None => &summary.total,
            Some(name) => summary.requests.iter().find(|kind| kind.name == *name)?,
        };
        Some((summary, kind))
    }

    fn show(&self, value: Option<f64>) -> String {
        let kind = self.kind.as_ref().map(|kind| format!(".{kind}")).unwrap_or_default();
        let metric = self.metric.name();
        let value = match (value, self.metric.unit()) {
            (None, _) => String::from("unknown"),
            (Some(value), _) if value.is_infinite() => String::from("infinite"),
            (Some(value), Unit::Time) => Nanos(value as u64).to_string(),
            (Some(value), Unit::Number) => format!("{value:.2}"),
        };
        format!("{}{kind}.{metric} = {value}", self.target)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    /// Of the response time, by its place in [`FIGURES`].
    Response(usize),
    /// Likewise of the pacer's lateness.
    Lateness(usize),
    RssMb,
    CpuPercent,
    CpuUs,
    Errors,
    Achieved,
}

/// What is no quantile, by name.
const NUMBERS: [(&str, Metric); 5] = [
    ("rss_mb", Metric::RssMb),
    ("cpu_percent", Metric::CpuPercent),
    ("cpu_us", Metric::CpuUs),
    ("errors", Metric::Errors),
    ("achieved", Metric::Achieved),
];

impl Metric {
    /// Every metric by each of its names.
    fn named() -> impl Iterator<Item = (String, Metric)> {
        let quantiles =
            FIGURES.iter().enumerate().flat_map(|(nth, ResultFigure { key, label, .. })| {
                let response = Metric::Response(nth);
                let lateness = (format!("lateness_{key}"), Metric::Lateness(nth));
                [(String::from(*label), response), (String::from(*key), response), lateness]
            });
        quantiles.chain(NUMBERS.map(|(name, metric)| (String::from(name), metric)))
    }

    /// The first of its names.
    fn name(self) -> String {
        Metric::named()
            .find(|(_, metric)| *metric == self)
            .map_or_else(String::new, |named| named.0)
    }

    fn unit(self) -> Unit {
        match self {
            Metric::Response(_) | Metric::Lateness(_) => Unit::Time,
            Metric::RssMb
            | Metric::CpuPercent
            | Metric::CpuUs
            | Metric::Errors
            | Metric::Achieved => Unit::Number,
        }
    }

    fn value(self, summary: &Summary, kind: &KindSummary) -> Option<f64> {
        match self {
            Metric::Response(nth) => median(&kind.response_ns, nth),
            Metric::Lateness(nth) => median(&summary.lateness_ns, nth),
            Metric::RssMb => summary.rss_bytes.median.map(|bytes| bytes / 1e6),
            Metric::CpuPercent => summary.cpu_percent.median,
            Metric::CpuUs => summary.cpu_us_per_request.median,
            Metric::Errors => Some(kind.lost() as f64),
            Metric::Achieved => summary.achieved_rps.median,
        }
    }

    /// The numbers of the repeats, and the figure of each; errors have none.
    fn repeats(self, summary: &Summary, kind: &KindSummary) -> (Vec<u32>, Vec<f64>) {
        let quantile = |spreads: &Spreads, nth: usize| {
            (spreads.repeats.clone(), each(&(FIGURES[nth].spread)(spreads).each))
        };
        let level = |level: &Level, factor: f64| {
            (level.repeats.clone(), level.each.iter().map(|figure| figure * factor).collect())
        };
        match self {
            Metric::Response(of) => quantile(&kind.response_ns, of),
            Metric::Lateness(of) => quantile(&summary.lateness_ns, of),
            Metric::RssMb => level(&summary.rss_bytes, 1e-6),
            Metric::CpuPercent => level(&summary.cpu_percent, 1.0),
            Metric::CpuUs => level(&summary.cpu_us_per_request, 1.0),
            Metric::Achieved => level(&summary.achieved_rps, 1.0),
            Metric::Errors => (Vec::new(), Vec::new()),
        }
    }
}

/// The median of the repeats; `None` if there was no request.
fn median(spreads: &Spreads, nth: usize) -> Option<f64> {
    if spreads.count_least == 0 {
        return None;
    }
    Some(or_infinite((FIGURES[nth].spread)(spreads).median))
}

/// Words and operators. A word may hold `-`, as names of targets do, but not begin with it.
fn tokens(expr: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = expr.trim_start();
    while let Some(first) = rest.chars().next() {
        let len = match first {
            '<' | '>' if rest[1..].starts_with('=') => 2,
            _ if OPERATORS.contains(first) => first.len_utf8(),
            _ => rest.find(ends_word).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(len);
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

const OPERATORS: &str = "<>=()*/+-";

fn ends_word(c: char) -> bool {
    c.is_whitespace() || (OPERATORS.contains(c) && c != '-')
}

/// Recursive descent; every method eats what it has read.
struct Parser<'a> {
    tokens: &'a [&'a str],
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Result<&'a str, String> {
        let (first, rest) = self.tokens.split_first().ok_or("the claim ends too early")?;
        self.tokens = rest;
        Ok(first)
    }

    /// The next token, if it is one of the `operators`.
    fn operator(&mut self, operators: &str) -> Option<char> {
        let mut chars = self.tokens.first()?.chars();
        let operator = chars.next().filter(|c| operators.contains(*c))?;
        if chars.next().is_some() {
            return None;
        }
        self.tokens = &self.tokens[1..];
        Some(operator)
    }

    fn compare(&mut self) -> Result<Compare, String> {
        match self.next()? {
            "<" => Ok(Compare::Less),
            "<=" => Ok(Compare::LessOrEqual),
            ">" => Ok(Compare::Greater),
            ">=" => Ok(Compare::GreaterOrEqual),
            other => Err(format!("`{other}` stands where <, <=, > or >= should")),
        }
    }

    fn sum(&mut self) -> Result<(Expr, Unit), String> {
        let (mut expr, unit) = self.product()?;
        while let Some(operator) = self.operator("+-") {
            let (right, right_unit) = self.product()?;
            if unit != right_unit {
                return Err(mismatch(operator, unit, right_unit));
            }
            expr = Expr::Binary(operator, Box::new(expr), Box::new(right));
        }
        Ok((expr, unit))
    }

    fn product(&mut self) -> Result<(Expr, Unit), String> {
        let (mut expr, mut unit) = self.operand()?;
        while let Some(operator) = self.operator("*/") {
            let (right, right_unit) = self.operand()?;
            unit = match (operator, unit, right_unit) {
                (_, left, Unit::Number) => left,
                ('*', Unit::Number, Unit::Time) => Unit::Time,
                ('/', Unit::Time, Unit::Time) => Unit::Number,
                _ => return Err(mismatch(operator, unit, right_unit)),
            };
            expr = Expr::Binary(operator, Box::new(expr), Box::new(right));
        }
        Ok((expr, unit))
    }

    fn operand(&mut self) -> Result<(Expr, Unit), String> {
        if self.operator("(").is_some() {
            let inner = self.sum()?;
            return match self.operator(")") {
                Some(_) => Ok(inner),
                None => Err(String::from("a bracket is not closed")),
            };
        }
        let word = self.next()?;
        if let Ok(number) = word.parse::<f64>() {
            return Ok((Expr::Constant(number), Unit::Number));
        }
        if let Ok(span) = word.parse::<Nanos>() {
            return Ok((Expr::Constant(span.0 as f64), Unit::Time));
        }
        let figure = Figure::parse(word).ok_or_else(|| {
            format!("`{word}` is no figure; write one like `uring.p50` or `uring.status.p99.9`")
        })?;
        let unit = figure.metric.unit();
        Ok((Expr::Figure(figure), unit))
    }
}

#[cfg(test)]
mod tests;
