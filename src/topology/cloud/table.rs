//! A matrix as a table: a row for each region that frames come from, a column for each that they go to. The first cell of
//! the first line may end with the unit of all values, as in `delay_ms` or `loss (%)`. Cells that are empty or `-` say
//! nothing, and what stands in the diagonal does not count.

use std::collections::BTreeMap;

use crate::diag::suggestion;
use crate::model::table::{BadTable, Line, header_unit, lines, number};
use crate::units::{Dimension, Duration, Probability, Unit};

/// Values by (from, to), as positions of regions, in the words of a scenario.
pub(super) type Values = BTreeMap<(usize, usize), String>;

/// Reads a matrix: all values that can be read, and all mistakes, each with its line and column.
pub(super) fn read(text: &str, regions: &[&str], dimension: Dimension) -> (Values, Vec<BadTable>) {
    let mut matrix = Matrix { regions, dimension, unit: None, values: Values::new(), wrong: Vec::new() };
    let mut columns: Option<Vec<Option<usize>>> = None;
    let mut rows: Vec<usize> = Vec::new();
    for line in lines(text) {
        match (line, &columns) {
            (Err(wrong), _) => matrix.wrong.push(wrong),
            (Ok(line), None) => columns = Some(matrix.head(&line)),
            (Ok(line), Some(columns)) => matrix.row(&line, columns, &mut rows),
        }
    }
    if columns.is_none() {
        matrix.wrong.push(BadTable::whole("is empty: its first line names the regions"));
    }
    (matrix.values, matrix.wrong)
}

struct Matrix<'a> {
    regions: &'a [&'a str],
    dimension: Dimension,
    unit: Option<Unit>,
    values: Values,
    wrong: Vec<BadTable>,
}

impl Matrix<'_> {
    /// Which region a cell names that none before it does.
    fn region(&mut self, line: &Line<'_>, at: usize, known: &[usize], what: &str) -> Option<usize> {
        let cell = line.cells[at];
        let found = self.regions.iter().position(|region| *region == cell);
        let message = match found {
            None => format!("no region `{cell}`: {}", suggestion(cell, self.regions.iter().copied())),
            Some(region) if known.contains(&region) => format!("a second {what} `{cell}`"),
            Some(_) => return found,
        };
        self.wrong.push(line.bad(at, message));
        None
    }

    fn head(&mut self, line: &Line<'_>) -> Vec<Option<usize>> {
        match header_unit(line.cells[0], self.dimension) {
            Ok(unit) => self.unit = unit,
            Err(why) => self.wrong.push(line.bad(0, why)),
        }
        let mut known = Vec::new();
        (1..line.cells.len())
            .map(|at| self.region(line, at, &known, "column").inspect(|region| known.push(*region)))
            .collect()
    }

    fn row(&mut self, line: &Line<'_>, columns: &[Option<usize>], rows: &mut Vec<usize>) {
        let Some(from) = self.region(line, 0, rows, "row") else { return };
        rows.push(from);
        for (n, (cell, to)) in line.cells[1..].iter().zip(columns).enumerate() {
            let Some(to) = to.filter(|to| *to != from && !matches!(*cell, "" | "-")) else { continue };
            match number(self.dimension, cell, self.unit) {
                Ok(value) => drop(self.values.insert((from, to), self.text(value))),
                Err(error) => self.wrong.push(line.bad(n + 1, error)),
            }
        }
    }

    /// A value in the words of a scenario.
    fn text(&self, value: u64) -> String {
        match self.dimension {
            Dimension::Share => Probability::from_parts(value).unwrap_or(Probability::ALWAYS).to_string(),
            _ => Duration::from_nanos(value).to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGIONS: [&str; 3] = ["fra", "tokyo", "nyc"];

    fn good(text: &str, dimension: Dimension) -> Vec<(usize, usize, String)> {
        let (values, wrong) = read(text, &REGIONS, dimension);
        assert_eq!(wrong, []);
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
            assert_eq!(good(text, Dimension::Time), expected, "{text}");
        }
        let shares = good("loss_%,fra,tokyo\nfra,,0.5\nnyc,100ppm,1%", Dimension::Share);
        assert_eq!(shares, [value(0, 1, "0.5%"), value(2, 0, "0.01%"), value(2, 1, "1%")]);
        assert_eq!(good("s,fra\ntokyo,0.0000000014", Dimension::Time), [value(1, 0, "1ns")]);
        assert_eq!(good("loss,fra", Dimension::Share), []);
    }

    #[test]
    fn mistakes_name_line_and_column() {
        let wrong = |text: &str, dimension| {
            let wrong = read(text, &REGIONS, dimension).1;
            wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        for (text, told) in [
            ("", "is empty"),
            ("ms,fra,toky", "line 1, column 3: no region `toky`: did you mean `tokyo`?"),
            ("ms,fra,fra", "line 1, column 3: a second column `fra`"),
            ("ms,fra\n\nxyz,1", "line 3, column 1: no region `xyz`"),
            ("ms,fra\nnyc,1\nnyc,1", "line 3, column 1: a second row `nyc`"),
            ("ms,fra\nnyc,1,2", "line 2, column 3: expected 2 cells"),
            ("x,fra\nnyc,12", "line 2, column 2: `12` has no unit: write `12ms`"),
            ("ms,fra\nnyc,abc", "line 2, column 2: `abc` is not a duration"),
            ("ms,fra\nnyc,1.2.3", "is not a number"),
            ("ms;fra\nnyc;1,5", "line 2, column 2: `1,5` has a decimal comma"),
            ("loss_%,fra\nnyc,1", "line 1, column 1: expected a unit of a duration, found `%` in `loss_%`"),
            ("ms,fra\nnyc,-5", "`-5` is negative"),
            ("ms,fra\nnyc,1e99", "is too large"),
            ("rtt_ms,fra\nnyc,5", "line 1, column 1: `rtt_ms` is of both ways"),
        ] {
            assert!(wrong(text, Dimension::Time).contains(told), "{text}: {}", wrong(text, Dimension::Time));
        }
        assert!(wrong("x,fra\nnyc,0.5", Dimension::Share).contains("write `0.5%`"));
        assert!(wrong("%,fra\nnyc,150", Dimension::Share).starts_with("line 2, column 2: "));
        assert!(wrong("%,fra\nnyc,5ms", Dimension::Share).starts_with("line 2, column 2: "));
    }
}
