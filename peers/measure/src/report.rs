//! The rows a benchmark prints, for people or as one JSON object a line.

use std::fmt::Write as _;

/// What a benchmark has measured, beside one reference: another implementation, or a goal.
#[derive(Debug)]
pub struct Report {
    reference_name: &'static str,
    rows: Vec<Row>,
}

/// One figure of both sides.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    ours: f64,
    reference: f64,
    unit: Unit,
    info: bool,
}

/// What the figures of a row count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds a call; less is better.
    Nanoseconds,
    /// Requests for heap memory a call; less is better.
    Allocations,
    /// Calls a second; more is better.
    PerSecond,
    /// Bytes; less is better.
    Bytes,
    /// Instructions of the processor; less is better.
    Instructions,
    /// The time of one step of a chain of message keys; less is better.
    Steps,
}

impl Report {
    /// An empty report beside the implementation, or the goal, of that name.
    pub fn new(reference_name: &'static str) -> Self {
        Self { reference_name, rows: Vec::new() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// The rows as lines of JSON, or as a table for people, on standard output.
    pub fn print(&self, json: bool) {
        print!("{}", if json { self.json() } else { self.table() });
    }

    /// One JSON object a line: `name`, `ours`, `reference`, `reference_name`, `unit`, `ratio`, and
    /// `"info": true` in rows without a goal.
    fn json(&self) -> String {
        self.rows.iter().fold(String::new(), |mut out, row| {
            let Row { name, ours, reference, .. } = row;
            let info = if row.info { ",\"info\":true" } else { "" };
            let _ = writeln!(
                out,
                "{{\"name\":{name:?},\"ours\":{ours:.1},\"reference\":{reference:.1},\"reference_name\":{:?},\"unit\":{:?},\"ratio\":{:.3}{info}}}",
                self.reference_name,
                row.unit.name(),
                row.ratio(),
            );
            out
        })
    }

    /// The rows as a table for people.
    fn table(&self) -> String {
        let mut out =
            format!("{:<44} {:>12} {:>22}  {:>6}\n", "", "wa-interop", self.reference_name, "ratio");
        for row in &self.rows {
            let note = if row.info { "  (no goal)" } else { "" };
            let (ours, reference) = (row.unit.shown(row.ours), row.unit.shown(row.reference));
            let _ = writeln!(out, "{:<44} {ours:>12} {reference:>22}  {:>5.2}x{note}", row.name, row.ratio());
        }
        out
    }
}

impl Row {
    /// A row with a goal.
    pub fn new(name: impl Into<String>, unit: Unit, ours: f64, reference: f64) -> Self {
        Self { name: name.into(), ours, reference, unit, info: false }
    }

    /// The row, as one without a goal.
    pub fn with_info(mut self) -> Self {
        self.info = true;
        self
    }

    /// Above 1 we are ahead: the reference's figure divided by ours, or ours by the reference's where more is better.
    /// Equal figures make 1, also two zeros.
    pub fn ratio(&self) -> f64 {
        match self.unit {
            _ if self.ours == self.reference => 1.0,
            Unit::PerSecond => self.ours / self.reference,
            Unit::Nanoseconds | Unit::Allocations | Unit::Bytes | Unit::Instructions | Unit::Steps => {
                self.reference / self.ours
            }
        }
    }
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Allocations => "allocations",
            Self::PerSecond => "/s",
            Self::Bytes => "bytes",
            Self::Instructions => "instructions",
            Self::Steps => "steps",
        }
    }

    fn shown(self, figure: f64) -> String {
        match self {
            Self::Nanoseconds if figure < 1e5 => format!("{figure:.1} ns"),
            Self::Nanoseconds => format!("{:.1} ms", figure / 1e6),
            Self::Allocations | Self::Instructions | Self::Steps => format!("{figure:.0}"),
            Self::PerSecond => format!("{figure:.0} /s"),
            Self::Bytes if figure < f64::from(1 << 20) => format!("{figure:.0} B"),
            Self::Bytes => format!("{:.1} MiB", figure / f64::from(1 << 20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_a_second_is_better() {
        assert_eq!(Row::new("a", Unit::PerSecond, 30.0, 20.0).ratio(), 1.5);
        assert_eq!(Row::new("a", Unit::Nanoseconds, 30.0, 15.0).ratio(), 0.5);
    }

    #[test]
    fn figures_are_shown_in_units_of_their_size() {
        assert_eq!(Unit::Bytes.shown(11_602.0), "11602 B");
        assert_eq!(Unit::Bytes.shown(f64::from(3 << 20)), "3.0 MiB");
        assert_eq!(Unit::Nanoseconds.shown(99_000.0), "99000.0 ns");
        assert_eq!(Unit::Nanoseconds.shown(2.21e9), "2210.0 ms");
    }

    #[test]
    fn rows_as_json() {
        let mut report = Report::new("other 1.0");
        report.push(Row::new("decode/a", Unit::Nanoseconds, 10.0, 25.0));
        report.push(Row::new("allocs/a", Unit::Allocations, 0.0, 0.0).with_info());
        assert_eq!(
            report.json(),
            "{\"name\":\"decode/a\",\"ours\":10.0,\"reference\":25.0,\"reference_name\":\"other 1.0\",\"unit\":\"ns\",\"ratio\":2.500}\n\
             {\"name\":\"allocs/a\",\"ours\":0.0,\"reference\":0.0,\"reference_name\":\"other 1.0\",\"unit\":\"allocations\",\"ratio\":1.000,\"info\":true}\n"
        );
    }
}
