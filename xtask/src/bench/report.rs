//! The figures as a table and as a file.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use comfy_table::{Cell, CellAlignment, Table, presets};
use serde_json::{Value, json};

use super::Settings;
use crate::shell;

/// What a value has to reach.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bar {
    AtMost(f64),
    AtLeast(f64),
}

/// One line of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    figure: &'static str,
    name: String,
    unit: &'static str,
    value: f64,
    /// What the value is the median of, in the order of the rounds.
    rounds: Vec<f64>,
    bar: Option<Bar>,
    /// More than this is a step back, and the task fails.
    budget: Option<f64>,
    /// Only in the file: the table is for comparisons.
    detail: bool,
    /// Why there is no value.
    error: Option<String>,
}

impl Bar {
    fn met_by(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("at most {}", number(limit)),
            Self::AtLeast(limit) => format!("at least {}", number(limit)),
        }
    }
}

impl Row {
    pub(super) fn new(
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        rounds: Vec<f64>,
        bar: Option<Bar>,
    ) -> Self {
        Self {
            figure: "",
            name: name.into(),
            unit,
            value,
            rounds,
            bar,
            budget: None,
            detail: false,
            error: None,
        }
    }

    /// What was reached before: the value must not become worse than that.
    pub(super) fn within(mut self, budget: Option<f64>) -> Self {
        self.budget = budget;
        self
    }

    /// Is it more than the budget?
    pub(super) fn is_over_budget(&self) -> bool {
        self.budget.is_some_and(|budget| self.value > budget)
    }

    /// Leaves the row out of the table.
    pub(super) fn detail(mut self) -> Self {
        self.detail = true;
        self
    }

    /// A value that was measured once.
    pub(super) fn once(
        name: impl Into<String>,
        unit: &'static str,
        value: f64,
        bar: Option<Bar>,
    ) -> Self {
        Self::new(name, unit, value, vec![value], bar)
    }

    /// What could not be measured.
    pub(super) fn missing(name: &str, error: &anyhow::Error) -> Self {
        Self {
            error: Some(format!("{error:#}")),
            ..Self::new(name, "", f64::NAN, Vec::new(), None)
        }
    }

    pub(super) fn of(mut self, figure: &'static str) -> Self {
        self.figure = figure;
        self
    }

    fn verdict(&self) -> &'static str {
        match (self.bar, &self.error) {
            (_, Some(_)) => "NOT MEASURED",
            _ if self.is_over_budget() => "OVER BUDGET",
            (None, None) => "",
            (Some(bar), None) if bar.met_by(self.value) => "met",
            (Some(_), None) => "NOT MET",
        }
    }

    fn json(&self) -> Value {
        let mut row = json!({
            "figure": self.figure,
            "name": self.name,
            "unit": self.unit,
            "value": finite(self.value),
            "rounds": self.rounds.iter().map(|&value| finite(value)).collect::<Vec<_>>(),
        });
        if let Some(bar) = self.bar {
            row["bar"] = bar.text().into();
            row["met"] = bar.met_by(self.value).into();
        }
        if let Some(budget) = self.budget {
            row["budget"] = budget.into();
        }
        if let Some(error) = &self.error {
            row["error"] = error.as_str().into();
        }
        row
    }
}

/// JSON has no word for what is not a number.
fn finite(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else {
        Value::Null
    }
}

/// The table, for a terminal.
pub(super) fn print(rows: &[Row]) {
    let mut table = Table::new();
    table
        .load_preset(presets::UTF8_BORDERS_ONLY)
        .set_header(["figure", "what", "value", "", "bar", ""]);
    for row in rows.iter().filter(|row| !row.detail) {
        let cells = [
            Cell::new(row.figure),
            Cell::new(&row.name),
            Cell::new(number(row.value)).set_alignment(CellAlignment::Right),
            Cell::new(row.unit),
            Cell::new(row.bar.map(Bar::text).unwrap_or_default()),
            Cell::new(row.verdict()),
        ];
        table.add_row(cells);
    }
    println!("\n{table}");
}

/// Writes the figures with machine and commit to `bench/results/`.
pub(super) fn write(rows: &[Row], settings: &Settings) -> Result<PathBuf> {
    let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
    let date = said("date", &["-u", "+%Y-%m-%dT%H%M%SZ"]);
    let document = json!({
        "commit": commit,
        "changed": !said("git", &["status", "--porcelain"]).is_empty(),
        "date": date,
        "machine": machine(),
        "settings": {
            "rounds": settings.rounds,
            "seconds": settings.seconds,
            "quick": settings.quick,
            "workers": settings.workers,
        },
        "figures": rows.iter().map(Row::json).collect::<Vec<_>>(),
    });
    let folder = shell::root().join("bench").join("results");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join(format!("{date}-{commit}.json"));
    let text = serde_json::to_string_pretty(&document)? + "\n";
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// What it was measured on.
fn machine() -> Value {
    let line = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let value = text.lines().find_map(|line| {
            line.strip_prefix(name)?
                .split_once(':')
                .map(|(_, v)| v.trim().to_owned())
        });
        value.unwrap_or_default()
    };
    json!({
        "processor": line("/proc/cpuinfo", "model name"),
        "processors": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": line("/proc/meminfo", "MemTotal"),
        "kernel": said("uname", &["-sr"]),
        "mariadb": said("mariadb", &["--version"]),
        "haproxy": said("haproxy", &["-v"]).lines().next().unwrap_or_default(),
        "sysbench": said("sysbench", &["--version"]),
        "rustc": said("rustc", &["--version"]),
    })
}

/// What a program prints, empty if it cannot be asked.
fn said(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(shell::root());
    shell::output(&mut command).map_or_else(|_| String::new(), |text| text.trim().to_owned())
}

/// A number with as many digits as one reads.
fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_nan() => "-".to_owned(),
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_met_or_not() {
        let row = |value, bar| Row::once("a", "x", value, bar).verdict();
        assert_eq!(row(1.0, Some(Bar::AtMost(1.0))), "met");
        assert_eq!(row(1.1, Some(Bar::AtMost(1.0))), "NOT MET");
        assert_eq!(row(1.1, Some(Bar::AtLeast(1.0))), "met");
        assert_eq!(row(f64::NAN, Some(Bar::AtLeast(1.0))), "NOT MET");
        assert_eq!(row(1.0, None), "");
        assert_eq!(
            Row::missing("a", &anyhow::anyhow!("b")).verdict(),
            "NOT MEASURED"
        );
    }
}
