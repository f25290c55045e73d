//! A matrix as a CSV file: a row for each region that frames come from, a column for each that they go to.
//!
//! Cells stand between commas, semicolons or tabs, in quotes or not. Empty lines and lines that begin with `#` are
//! comments. The first line names the columns. Each value has a unit, or the first cell of the first line ends with one, as
//! in `delay_ms` or `loss (%)`. Cells that are empty or `-` say nothing, and what stands in the diagonal does not count.

use std::collections::BTreeMap;

use crate::diag::suggestion;
use crate::units::{Duration, Probability};

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    /// Times. They are rounded to a nanosecond.
    Time,
    /// Shares of frames.
    Share,
}

const TIMES: [(&str, f64); 5] = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
const SHARES: [&str; 2] = ["%", "ppm"];

/// Values by (from, to), as positions of regions, in the words of a scenario.
pub(super) type Values = BTreeMap<(usize, usize), String>;

/// Reads a matrix: all values that can be read, and all mistakes, each with its line and column.
pub(super) fn read(text: &str, regions: &[&str], quantity: Quantity) -> (Values, Vec<String>) {
    let mut table = Table { regions, quantity, values: Values::new(), wrong: Vec::new() };
    let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines().enumerate();
    let mut lines = lines.map(|(n, line)| (n + 1, line.trim())).filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    match lines.next() {
        None => table.wrong.push("is empty: its first line names the regions".into()),
        Some((number, line)) => {
            let head = cells(line);
            let unit = table.unit(number, head[0]);
            let columns: Vec<Option<usize>> =
                head.iter().enumerate().skip(1).map(|(n, cell)| table.region(number, n, cell)).collect();
            table.forbid_twice(number, &columns);
            let mut rows: Vec<usize> = Vec::new();
            for (number, line) in lines {
                table.row(number, &cells(line), &columns, unit, &mut rows);
            }
        }
    }
    (table.values, table.wrong)
}

struct Table<'a> {
    regions: &'a [&'a str],
    quantity: Quantity,
    values: Values,
    wrong: Vec<String>,
}

impl Table<'_> {
    /// `column` counts from 0.
    fn mistake(&mut self, line: usize, column: usize, message: &str) {
        self.wrong.push(format!("line {line}, column {}: {message}", column + 1));
    }

    fn region(&mut self, line: usize, column: usize, cell: &str) -> Option<usize> {
        let found = self.regions.iter().position(|region| *region == cell);
        if found.is_none() {
            let help = suggestion(cell, self.regions.iter().copied());
            self.mistake(line, column, &format!("no region `{cell}`: {help}"));
        }
        found
    }

    fn forbid_twice(&mut self, line: usize, columns: &[Option<usize>]) {
        for (n, region) in columns.iter().enumerate() {
            if let Some(region) = region.filter(|_| columns[..n].contains(region)) {
                self.mistake(line, n + 1, &format!("a second column `{}`", self.regions[region]));
            }
        }
    }

    /// What the corner says of the values' unit.
    fn unit(&mut self, line: usize, corner: &str) -> Option<&'static str> {
        if corner.to_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| word == "rtt") {
            let message =
                "round trips are of both ways, and these are one way: halve the values, and call them `delay`";
            self.mistake(line, 0, message);
        }
        let last = corner.trim_end_matches([')', ']', ' ']);
        let known = |unit: &&str| {
            let before = last.strip_suffix(*unit);
            before.is_some_and(|before| !before.ends_with(char::is_alphanumeric) || *unit == "%")
        };
        match self.quantity {
            Quantity::Time => TIMES.iter().map(|(unit, _)| *unit).find(|unit| known(unit)),
            Quantity::Share => SHARES.into_iter().find(known),
        }
    }

    fn row(
        &mut self,
        line: usize,
        cells: &[&str],
        columns: &[Option<usize>],
        unit: Option<&str>,
        rows: &mut Vec<usize>,
    ) {
        let Some(from) = self.region(line, 0, cells[0]) else { return };
        if rows.contains(&from) {
            return self.mistake(line, 0, &format!("a second row `{}`", cells[0]));
        }
        rows.push(from);
        if cells.len() > columns.len() + 1 {
            self.mistake(line, columns.len() + 1, "more cells than the first line has columns");
        }
        for (n, (cell, to)) in cells[1..].iter().zip(columns).enumerate() {
            let Some(to) = to.filter(|to| *to != from && !matches!(*cell, "" | "-")) else { continue };
            match self.value(cell, unit) {
                Ok(value) => drop(self.values.insert((from, to), value)),
                Err(message) => self.mistake(line, n + 1, &message),
            }
        }
    }

    /// A value in the words of a scenario.
    fn value(&self, cell: &str, unit: Option<&str>) -> Result<String, String> {
        let number_end = cell.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |at| at + 1);
        let (number, own) = (cell[..number_end].trim(), cell[number_end..].trim());
        let unit = match (own, unit) {
            ("", Some(unit)) => unit,
            ("", None) => {
                let (unit, example) = match self.quantity {
                    Quantity::Time => ("ms", "delay_ms"),
                    Quantity::Share => ("%", "loss_%"),
                };
                return Err(format!(
                    "`{cell}` has no unit: write `{cell}{unit}`, or begin the first line with `{example}`"
                ));
            }
            (own, _) => own,
        };
        match self.quantity {
            Quantity::Share => {
                let share: Probability = format!("{number}{unit}").parse().map_err(|e| format!("{e}"))?;
                Ok(share.to_string())
            }
            Quantity::Time => {
                let known = TIMES.iter().find(|(known, _)| *known == unit);
                let (_, nanos) =
                    known.ok_or_else(|| format!("`{cell}` is not a time: a number and one of ns us ms s"))?;
                let number: f64 = number.parse().map_err(|_| format!("`{cell}` is not a number"))?;
                let time = (number * nanos).round();
                if !(0.0..u64::MAX as f64).contains(&time) {
                    return Err(format!("`{cell}` is out of range: 0 to {}", Duration::MAX));
                }
                Ok(Duration::from_nanos(time as u64).to_string())
            }
        }
    }
}

/// At least one.
fn cells<'a>(line: &'a str) -> Vec<&'a str> {
    let separator = [';', '\t'].into_iter().find(|c| line.contains(*c)).unwrap_or(',');
    let bare = |cell: &'a str| cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).trim();
    line.split(separator).map(|cell| bare(cell.trim())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: [&str; 3] = ["fra", "tokyo", "nyc"];

    fn good(text: &str, quantity: Quantity) -> Vec<(usize, usize, String)> {
        let (values, wrong) = read(text, &REGIONS, quantity);
        assert_eq!(wrong, [""; 0]);
        values.into_iter().map(|((from, to), value)| (from, to, value)).collect()
    }

    #[test]
    fn rows_are_from_and_columns_to() {
        let value = |from, to, text: &str| (from, to, text.to_owned());
        let expected = [value(0, 1, "110ms"), value(1, 0, "120.5ms"), value(2, 0, "42ms")];
        for text in [
            "from\\to,fra,tokyo\nfra,0ms,110ms\ntokyo,120.5ms,\nnyc,42ms,-\n",
            "\u{feff}# of yesterday\n\ndelay (ms);\"tokyo\";fra\r\nfra;110;7\r\n\"tokyo\";x;120.5\r\nnyc;;42\r\n",
            "ms\tfra\ttokyo\nnyc\t42\nfra\t\t110\ntokyo\t120.5\n",
            "delay_us,fra,tokyo\nfra,,110000\ntokyo,120500\nnyc,42000",
        ] {
            assert_eq!(good(text, Quantity::Time), expected, "{text}");
        }
        let shares = good("loss_%,fra,tokyo\nfra,,0.5\nnyc,100ppm,1%", Quantity::Share);
        assert_eq!(shares, [value(0, 1, "0.5%"), value(2, 0, "0.01%"), value(2, 1, "1%")]);
        assert_eq!(good("s,fra\ntokyo,0.0000000014", Quantity::Time), [value(1, 0, "1ns")]);
        assert_eq!(good("loss,fra", Quantity::Share), []);
    }

    #[test]
    fn mistakes_name_line_and_column() {
        let wrong = |text: &str, quantity| read(text, &REGIONS, quantity).1.join("\n");
        for (text, told) in [
            ("", "is empty"),
            ("ms,fra,toky", "line 1, column 3: no region `toky`: did you mean `tokyo`?"),
            ("ms,fra,fra", "line 1, column 3: a second column `fra`"),
            ("ms,fra\n\nxyz,1", "line 3, column 1: no region `xyz`"),
            ("ms,fra\nnyc,1\nnyc,1", "line 3, column 1: a second row `nyc`"),
            ("ms,fra\nnyc,1,2", "line 2, column 3: more cells"),
            ("x,fra\nnyc,12", "line 2, column 2: `12` has no unit: write `12ms`"),
            ("ms,fra\nnyc,abc", "line 2, column 2: `abc` is not a time"),
            ("ms,fra\nnyc,1.2.3", "is not a number"),
            ("ms,fra\nnyc,-5", "`-5` is out of range"),
            ("ms,fra\nnyc,1e99", "is out of range"),
            ("rtt_ms,fra\nnyc,5", "line 1, column 1: round trips"),
        ] {
            assert!(wrong(text, Quantity::Time).contains(told), "{text}: {}", wrong(text, Quantity::Time));
        }
        assert!(wrong("x,fra\nnyc,0.5", Quantity::Share).contains("write `0.5%`"));
        assert!(wrong("%,fra\nnyc,150", Quantity::Share).starts_with("line 2, column 2: "));
        assert!(wrong("%,fra\nnyc,5ms", Quantity::Share).starts_with("line 2, column 2: "));
    }
}
