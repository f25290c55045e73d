//! Columns: which ones are read, and in which unit.

use serde::Serialize;

use super::TableSpec;
use super::lines::{BadTable, Line, Read, with_header};
use crate::model::form::forms;
use crate::units::{Dimension, ParseError, Unit};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// When a row begins.
    Time,
    /// One-way delays.
    Delay,
    /// Shares of frames that are lost.
    Loss,
    /// Rates of a wire.
    Rate,
}

impl Wanted {
    /// What its header begins with.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Wanted::Time => "time",
            Wanted::Delay => "delay",
            Wanted::Loss => "loss",
            Wanted::Rate => "rate",
        }
    }

    pub(super) const fn dimension(self) -> Dimension {
        match self {
            Wanted::Time | Wanted::Delay => Dimension::Time,
            Wanted::Loss => Dimension::Share,
            Wanted::Rate => Dimension::Rate,
        }
    }

    fn header_example(self) -> String {
        self.dimension().example(&format!("{}_", self.name()))
    }
}

/// How a scenario says which column of a file is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Place {
    /// Its number, counted from 1.
    Number(u64),
    /// Its header, or the first word of that.
    Name(String),
}

forms! {
    Place, "Column", "a column, by name or by number from 1,";
    word { "type": "string" } => |name| Ok(Place::Name(name.to_owned()));
    number { "type": "integer", "minimum": 1 } => |number| Ok(Place::Number(number));
}

/// Reads columns of numbers, and hands each line on with the numbers and where they stand, counted from 0.
pub(super) fn read<const N: usize>(
    text: &str,
    wanted: [Wanted; N],
    spec: &TableSpec,
    mut row: impl FnMut(&Line<'_>, [usize; N], [u64; N]) -> Read<()>,
) -> Read<()> {
    let (header, lines) = with_header(text)?;
    let mut columns = header.as_ref().map(|header| columns(header, true, wanted, spec)).transpose()?;
    for line in lines {
        let line = line?;
        let columns = match &columns {
            Some(columns) => columns,
            None => columns.insert(self::columns(&line, false, wanted, spec)?),
        };
        let mut values = [0; N];
        for (value, column) in values.iter_mut().zip(columns) {
            *value = column.value(&line)?;
        }
        row(&line, columns.map(|column| column.at), values)?;
    }
    Ok(())
}

/// A column that was found.
#[derive(Clone, Copy, Debug)]
struct Column {
    wanted: Wanted,
    /// Counted from 0.
    at: usize,
    unit: Option<Unit>,
}

impl Column {
    fn value(&self, line: &Line<'_>) -> Read<u64> {
        let cell = line.cell(self.at)?;
        number(self.wanted.dimension(), cell, self.unit).map_err(|error| {
            let help = if self.unit.is_none() && cell.ends_with(|c: char| c.is_ascii_digit() || c == '.') {
                format!("; or name the unit in the header, as in `{}`, or in `units`", self.wanted.header_example())
            } else {
                String::new()
            };
            line.bad(self.at, format!("{error}{help}"))
        })
    }
}

/// Finds the columns that are wanted by the header, or by the first line of a file without one.
fn columns<const N: usize>(
    first: &Line<'_>,
    is_header: bool,
    wanted: [Wanted; N],
    spec: &TableSpec,
) -> Read<[Column; N]> {
    for (key, count) in [("columns", spec.columns.len()), ("units", spec.units.len())] {
        if count != 0 && count != N {
            let names = wanted.map(Wanted::name).join(" and ");
            return Err(BadTable::whole(format!("expected {N} in `{key}`, for {names}, found {count}")));
        }
    }
    let count = first.cells.len();
    let all_units = first.cells.iter().all(|cell| Unit::of_column(cell).is_some());
    let mut found = wanted.map(|wanted| Column { wanted, at: 0, unit: None });
    for (n, column) in found.iter_mut().enumerate() {
        let name = column.wanted.name();
        column.at = match spec.columns.get(n) {
            Some(Place::Number(number)) => {
                let at = usize::try_from(*number).ok().and_then(|number| number.checked_sub(1));
                let message = || format!("there is no column {number}: this line has {count}");
                at.filter(|at| *at < count).ok_or_else(|| BadTable::line(first.number, message()))?
            }
            Some(Place::Name(name)) if !is_header => {
                let message =
                    format!("`columns` names `{name}`, but the first line names no columns: write their numbers");
                return Err(BadTable::line(first.number, message));
            }
            Some(Place::Name(name)) => named(first, name)?,
            None if count == N && (!is_header || N == 1 || all_units) => n,
            None if is_header && column.wanted == Wanted::Delay => {
                named(first, name).or_else(|e| named(first, "rtt").map_err(|_| e))?
            }
            None if is_header => named(first, name)?,
            None => {
                let example = wanted.map(Wanted::header_example).join(",");
                let message = format!(
                    "expected {N} columns, found {count} and no header: name them in a first line, as in `{example}`, or write which are meant in `columns`"
                );
                return Err(BadTable::line(first.number, message));
            }
        };
        if is_header {
            let unit = header_unit(first.cells[column.at], column.wanted.dimension());
            column.unit = unit.map_err(|why| first.bad(column.at, why))?;
        }
        if let Some(unit) = spec.units.get(n) {
            column.unit = Some(unit_of_keys(column, *unit)?);
        }
    }
    Ok(found)
}

/// The column of a header, or of its first word.
fn named(header: &Line<'_>, name: &str) -> Read<usize> {
    let whole = |cell: &str| cell.eq_ignore_ascii_case(name);
    let first = |cell: &str| first_word(cell) == name.to_lowercase();
    for is in [&whole as &dyn Fn(&str) -> bool, &first] {
        let mut found = (0..header.cells.len()).filter(|n| is(header.cells[*n]));
        match (found.next(), found.next()) {
            (None, _) => {}
            (Some(only), None) => return Ok(only),
            (_, Some(second)) => {
                return Err(header.bad(second, format!("two columns are called `{name}`: write which in `columns`")));
            }
        }
    }
    let names = header.cells.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let message =
        format!("no column is called `{name}`: name one so, or write in `columns` which is meant (there are {names})");
    Err(BadTable::line(header.number, message))
}

/// The first word of a header, in small letters.
fn first_word(cell: &str) -> String {
    cell.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase()
}

/// A number of a column: its own unit, or else that of the column. 0 is the same in every unit.
///
/// # Errors
/// What is wrong, and what to write instead.
pub fn number(dimension: Dimension, cell: &str, unit: Option<Unit>) -> Result<u64, ParseError> {
    match cell.parse() {
        Ok(0.0) => Ok(0),
        _ => dimension.nearest(cell, unit, Unit::find),
    }
}

/// The unit that a header ends with: `delay_ms`, `delay (ms)`, `rate [Mbit/s]`, `loss %`, `ms`.
///
/// # Errors
/// It is of something else, or of both ways.
pub fn header_unit(cell: &str, dimension: Dimension) -> Result<Option<Unit>, String> {
    if dimension == Dimension::Time && cell.to_lowercase().split(|c: char| !c.is_alphabetic()).any(|word| word == "rtt")
    {
        return Err(format!("`{cell}` is of both ways, and delay is one way: halve the values, and call them `delay`"));
    }
    let end = cell.trim_end_matches([')', ']', ' ']);
    let starts = end.char_indices().map(|(at, _)| at).filter(|at| {
        let before = end[..*at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric()) || end[*at..] == *"%"
    });
    // the longest: `B/s` ends with the unit `s` too
    match starts.filter_map(|at| Unit::of_column(&end[at..])).next() {
        Some(unit) if unit.dimension() != dimension => {
            Err(format!("expected a unit of a {}, found `{}` in `{cell}`", dimension.what(), unit.name()))
        }
        unit => Ok(unit),
    }
}

fn unit_of_keys(column: &Column, unit: Unit) -> Read<Unit> {
    let (name, dimension) = (column.wanted.name(), column.wanted.dimension());
    if unit.dimension() != dimension {
        let (what, found) = (dimension.what(), unit.name());
        return Err(BadTable::whole(format!("expected a unit of a {what} for `{name}` in `units`, found `{found}`")));
    }
    match column.unit.filter(|header| *header != unit) {
        Some(header) => {
            let (header, keys) = (header.name(), unit.name());
            Err(BadTable::whole(format!(
                "the header says `{header}` for `{name}`, and `units` says `{keys}`: keep one"
            )))
        }
        None => Ok(unit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<const N: usize>(
        text: &str,
        wanted: [Wanted; N],
        columns: &str,
        units: &str,
    ) -> Result<Vec<[u64; N]>, String> {
        let (columns, units) = (serde_json::from_str(columns).unwrap(), serde_json::from_str(units).unwrap());
        let mut rows = Vec::new();
        let row = |_: &Line<'_>, _, values| {
            rows.push(values);
            Ok(())
        };
        read(text, wanted, &TableSpec { columns, units, ..TableSpec::default() }, row).map_err(|e| e.to_string())?;
        Ok(rows)
    }

    fn delays(text: &str) -> Result<Vec<u64>, String> {
        delays_with(text, ("[]", "[]"))
    }

    fn delays_with(text: &str, (columns, units): (&str, &str)) -> Result<Vec<u64>, String> {
        Ok(all(text, [Wanted::Delay], columns, units)?.into_iter().flatten().collect())
    }

    fn two(text: &str) -> Result<Vec<[u64; 2]>, String> {
        two_with(text, ("[]", "[]"))
    }

    fn two_with(text: &str, (columns, units): (&str, &str)) -> Result<Vec<[u64; 2]>, String> {
        all(text, [Wanted::Time, Wanted::Delay], columns, units)
    }

    #[test]
    fn units_stand_in_the_header_behind_each_value_or_in_the_scenario() {
        for header in ["delay_ms", "delay (ms)", "Delay [ms]", "ms", "\"delay/ms\"", "one-way ms"] {
            assert_eq!(delays(&format!("{header}\n1\n2.5\n1e-3")), Ok(vec![1_000_000, 2_500_000, 1_000]), "{header}");
        }
        assert_eq!(delays("1ms\n 2.5 us \n3µs\n0s\n0"), Ok(vec![1_000_000, 2_500, 3_000, 0, 0]));
        assert_eq!(delays("\u{feff}# measured\n\ndelay_s\r\n0.5\r\n20ms\r\n"), Ok(vec![500_000_000, 20_000_000]));
        // 12.3456789123 ms: measured values are finer than the clock
        assert_eq!(delays("ms\n12.3456789123"), Ok(vec![12_345_679]));
        assert_eq!(delays(""), Ok(vec![]));
        assert_eq!(delays_with("1\n2.5", ("[]", r#"["us"]"#)), Ok(vec![1_000, 2_500]));
        for (header, dimension, unit) in [
            ("rate (Mbit/s)", Dimension::Rate, "Mbit"),
            ("rate_kB/s", Dimension::Rate, "kB/s"),
            ("B/s", Dimension::Rate, "B/s"),
            ("loss%", Dimension::Share, "%"),
            ("loss (fraction)", Dimension::Share, "fraction"),
        ] {
            assert_eq!(header_unit(header, dimension).map(|unit| unit.map(Unit::name)), Ok(Some(unit)), "{header}");
        }
        assert!(["delay", "items", "", "p50"].iter().all(|header| header_unit(header, Dimension::Time) == Ok(None)));
    }

    #[test]
    fn columns_are_found_by_name_or_number() {
        assert_eq!(delays("time_s,delay_us,loss\n1,2,3"), Ok(vec![2_000]));
        assert_eq!(two("0s,5ms\n1.5s,10ms"), Ok(vec![[0, 5_000_000], [1_500_000_000, 10_000_000]]));
        assert_eq!(two("delay_ms;n;time_s\n5;x;1"), Ok(vec![[1_000_000_000, 5_000_000]]));
        assert_eq!(two("\"time_s\"\tdelay_ms\n\"1\"\t\"2\""), Ok(vec![[1_000_000_000, 2_000_000]]));
        assert_eq!(two("s ms\n1 2"), Ok(vec![[1_000_000_000, 2_000_000]]));
        let text = "at (s),p50_ms,p99_ms\n1,2,3\n";
        assert_eq!(two_with(text, (r#"["at", "p99_ms"]"#, "[]")), Ok(vec![[1_000_000_000, 3_000_000]]));
        assert_eq!(two_with(text, ("[1, 2]", "[]")), Ok(vec![[1_000_000_000, 2_000_000]]));
        let numbers = ("[1, 3]", r#"["s", "ms"]"#);
        assert_eq!(
            two_with("1 tokyo 3\n2 tokyo 4", numbers),
            Ok(vec![[1_000_000_000, 3_000_000], [2_000_000_000, 4_000_000]])
        );
    }

    #[test]
    fn mistakes_name_line_and_column_and_the_cure() {
        for (text, place, part) in [
            ("delay\n12", "line 2, column 1: ", "write `12ms`"),
            ("12", "line 1, column 1: ", "name the unit in the header, as in `delay_ms`, or in `units`"),
            ("1ms\n-2ms", "line 2, column 1: ", "negative"),
            ("ms\n1\n\n1.2.3", "line 4, column 1: ", "not a number"),
            ("ms\n1,5", "line 2, column 1: ", "decimal comma"),
            ("a;delay_ms\n0;1,5", "line 2, column 2: ", "decimal comma"),
            ("ms\nnan", "line 2, column 1: ", "not a duration"),
            ("1parsec", "line 1, column 1: ", "units: ns us"),
            ("ms\n1e99", "line 2, column 1: ", "too large"),
            ("a_ms,delay_ms\n1,", "line 2, column 2: ", "missing"),
            ("rtt_ms\n20", "line 1, column 1: ", "halve"),
            ("n,rtt_ms\n1,20", "line 1, column 2: ", "halve"),
            ("time_s,x\n1,2", "line 1: ", "no column is called `delay`"),
            ("delay_ms,delay_us\n1,2", "line 1, column 2: ", "two columns"),
            ("delay_Mbit\n1", "line 1, column 1: ", "expected a unit of a duration, found `Mbit`"),
            ("1ms,2ms", "line 1: ", "no header"),
        ] {
            let message = delays(text).unwrap_err();
            assert!(message.starts_with(place) && message.contains(part), "{text}: {message}");
        }
        assert!(two("time_s,delay_ms\n1").unwrap_err().starts_with("line 2, column 2: a value is missing"));
        assert!(two("5ms").unwrap_err().contains("`time_ms,delay_ms`"));
        for (keys, text, part) in [
            ((r#"["p50"]"#, "[]"), "a\n1", "no column is called `p50`"),
            ((r#"["p50"]"#, "[]"), "1ms", "write their numbers"),
            (("[4]", "[]"), "1ms,2ms", "no column 4: this line has 2"),
            (("[0]", "[]"), "1ms,2ms", "no column 0"),
            (("[1, 2]", "[]"), "1ms,2ms", "expected 1 in `columns`, for delay, found 2"),
            (("[]", r#"["s", "ms"]"#), "1", "expected 1 in `units`"),
            (("[]", r#"["Mbit"]"#), "1", "expected a unit of a duration for `delay`"),
            (("[]", r#"["s"]"#), "delay_ms\n1", "the header says `ms`"),
            ((r#"["rtt"]"#, "[]"), "rtt_ms,x\n1,2", "halve"),
        ] {
            let message = delays_with(text, keys).unwrap_err();
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
