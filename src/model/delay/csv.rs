//! Columns of times in a CSV file: samples and traces.
//!
//! Cells stand between commas, semicolons or tabs, in quotes or not. Empty lines and lines that begin with `#` are
//! comments. The first line may be a header. Each number has a unit, as in `12.5ms`, or its column's header ends with one,
//! as in `delay_ms`, `delay (ms)` or `ms`. Times are rounded to a nanosecond.

use crate::model::data::BadLine;
use crate::units::{Duration, NANOS_PER_SEC};

const UNITS: [(&str, f64); 7] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("ms", 1e6),
    ("s", NANOS_PER_SEC as f64),
    ("m", 60.0 * NANOS_PER_SEC as f64),
    ("h", 3600.0 * NANOS_PER_SEC as f64),
];

/// One line of the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row<const N: usize> {
    /// Counted from 1.
    pub(super) line: usize,
    /// In the order asked for.
    pub(super) times: [Duration; N],
}

/// Reads columns of times by their names in the header. Without a header the file has just these columns, in this order.
///
/// # Errors
/// The first line that cannot be meant.
pub(super) fn columns<const N: usize>(text: &str, names: [&str; N]) -> Result<Vec<Row<N>>, BadLine> {
    let mut rows = Vec::new();
    let mut layout = None;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (n, line) in text.lines().enumerate() {
        let (number, line) = (n + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let cells = cells(line);
        let columns = match &layout {
            Some(columns) => columns,
            None if cells.iter().any(|cell| is_word(cell)) => {
                layout = Some(header(&cells, names).map_err(|message| BadLine::at(number, message))?);
                continue;
            }
            None if cells.len() == N => layout.insert(core::array::from_fn(|at| Column { at, unit: None })),
            None => {
                let message = format!(
                    "{} columns and no header: name the columns in a first line, as in `{}`",
                    cells.len(),
                    names.map(|name| format!("{name}_ms")).join(",")
                );
                return Err(BadLine::at(number, message));
            }
        };
        let mut times = [Duration::ZERO; N];
        for (time, column) in times.iter_mut().zip(columns) {
            let cell = cells.get(column.at).copied().unwrap_or_default();
            *time = value(cell, column.unit).map_err(|message| BadLine::at(number, message))?;
        }
        rows.push(Row { line: number, times });
    }
    Ok(rows)
}

/// Where in a line a column stands, and what its header says of its unit in nanoseconds.
#[derive(Clone, Copy, Debug)]
struct Column {
    at: usize,
    unit: Option<f64>,
}

fn cells<'a>(line: &'a str) -> Vec<&'a str> {
    let separator = [';', '\t'].into_iter().find(|c| line.contains(*c)).unwrap_or(',');
    let bare = |cell: &'a str| cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).unwrap_or(cell).trim();
    line.split(separator).map(|cell| bare(cell.trim())).collect()
}

/// Whether a cell is a name and not a number.
fn is_word(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn header<const N: usize>(cells: &[&str], names: [&str; N]) -> Result<[Column; N], String> {
    let name = |cell: &str| cell.split(|c: char| !c.is_alphabetic()).next().unwrap_or_default().to_lowercase();
    if let Some(round) = cells.iter().find(|cell| name(cell) == "rtt") {
        return Err(format!(
            "`{round}` is of both ways, and delay is one way: halve the values, and call them `delay`"
        ));
    }
    let mut columns = [Column { at: 0, unit: None }; N];
    for (column, wanted) in columns.iter_mut().zip(names) {
        let mut found = cells.iter().enumerate().filter(|(_, cell)| N == 1 && cells.len() == 1 || name(cell) == wanted);
        let Some((at, cell)) = found.next() else {
            return Err(format!("no column is called `{wanted}`: name one so, as in `{wanted}_ms`"));
        };
        if found.next().is_some() {
            return Err(format!("two columns are called `{wanted}`: give the other one another name"));
        }
        let last = cell.split(|c: char| !c.is_alphabetic()).rfind(|word| !word.is_empty()).unwrap_or_default();
        *column = Column { at, unit: unit(last) };
    }
    Ok(columns)
}

fn unit(name: &str) -> Option<f64> {
    UNITS.iter().find(|(known, _)| *known == name).map(|(_, nanos)| *nanos)
}

fn value(cell: &str, column: Option<f64>) -> Result<Duration, String> {
    let digits = cell.trim_end_matches(char::is_alphabetic);
    let (number, own) = (digits.trim_end(), &cell[digits.len()..]);
    let nanos = match (own, column) {
        ("", _) if number.is_empty() => return Err("a value is missing".into()),
        ("", Some(nanos)) => nanos,
        ("", None) => {
            return Err(format!(
                "`{cell}` has no unit: write `{cell}ms`, or name the unit in the header, as in `delay_ms`"
            ));
        }
        (own, _) => unit(own).ok_or_else(|| {
            format!("`{cell}` is not a time: a number and one of {}", UNITS.map(|(name, _)| name).join(" "))
        })?,
    };
    let number: f64 = number.parse().map_err(|_| format!("`{cell}` is not a number"))?;
    if number < 0.0 {
        return Err(format!("`{cell}` is negative: a time is 0 or more"));
    }
    let time = (number * nanos).round();
    if !(0.0..u64::MAX as f64).contains(&time) {
        return Err(format!("`{cell}` is too large: at most {}", Duration::MAX));
    }
    Ok(Duration::from_nanos(time as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Vec<u64>, String> {
        let rows = columns(text, ["delay"]).map_err(|e| e.to_string())?;
        Ok(rows.iter().map(|row| row.times[0].as_nanos()).collect())
    }

    fn two(text: &str) -> Result<Vec<[u64; 2]>, String> {
        let rows = columns(text, ["time", "delay"]).map_err(|e| e.to_string())?;
        Ok(rows.iter().map(|row| row.times.map(Duration::as_nanos)).collect())
    }

    #[test]
    fn units_stand_in_the_header_or_behind_each_value() {
        for header in ["delay_ms", "delay (ms)", "Delay [ms]", "ms", "\"delay/ms\"", "one-way ms"] {
            assert_eq!(one(&format!("{header}\n1\n2.5\n1e-3")), Ok(vec![1_000_000, 2_500_000, 1_000]), "{header}");
        }
        assert_eq!(one("1ms\n 2.5 us \n3µs\n0s"), Ok(vec![1_000_000, 2_500, 3_000, 0]));
        assert_eq!(one("\u{feff}# measured\n\ndelay_s\r\n0.5\r\n20ms\r\n"), Ok(vec![500_000_000, 20_000_000]));
        // 12.3456789123 ms: measured values are finer than the clock
        assert_eq!(one("ms\n12.3456789123"), Ok(vec![12_345_679]));
        assert_eq!(one(""), Ok(vec![]));
    }

    #[test]
    fn columns_are_found_by_name() {
        assert_eq!(one("time_s,delay_us,loss\n1,2,3"), Ok(vec![2_000]));
        assert_eq!(two("0s,5ms\n1.5s,10ms"), Ok(vec![[0, 5_000_000], [1_500_000_000, 10_000_000]]));
        assert_eq!(two("delay_ms;n;time_s\n5;x;1"), Ok(vec![[1_000_000_000, 5_000_000]]));
        assert_eq!(two("\"time_s\"\tdelay_ms\n\"1\"\t\"2\""), Ok(vec![[1_000_000_000, 2_000_000]]));
    }

    #[test]
    fn mistakes_name_the_line_and_the_cure() {
        let says = |result: Result<Vec<u64>, String>, line: &str, part: &str| {
            let message = result.unwrap_err();
            assert!(message.starts_with(line) && message.contains(part), "{message}");
        };
        says(one("delay\n12"), "line 2", "write `12ms`");
        says(one("12"), "line 1", "name the unit in the header");
        says(one("1ms\n-2ms"), "line 2", "negative");
        says(one("ms\n1\n\n1.2.3"), "line 4", "not a number");
        says(one("ms\nnan"), "line 2", "not a time");
        says(one("1parsec"), "line 1", "one of ns us");
        says(one("ms\n1e99"), "line 2", "too large");
        says(one("a_ms,delay_ms\n1,"), "line 2", "missing");
        says(one("rtt_ms\n20"), "line 1", "halve");
        says(one("time_s,x\n1,2"), "line 1", "no column is called `delay`");
        says(one("delay_ms,delay_us\n1,2"), "line 1", "two columns");
        says(one("1ms,2ms"), "line 1", "no header");
        let message = two("time_s,delay_ms\n1").unwrap_err();
        assert!(message.contains("line 2") && message.contains("missing"), "{message}");
        assert!(two("5ms").unwrap_err().contains("`time_ms,delay_ms`"));
    }
}
