//! Tables of numbers in files: the one reader of traces, samples, schedules and matrices.
//!
//! - Cells stand between semicolons, commas, tabs or white space, whichever of these the first line has, in this order; in
//!   quotes or not. What follows `#` is a comment. A byte order mark and CRLF are passed over.
//! - The first line names the columns if none of its cells begins as a number does. Columns are found by these names, or as
//!   `columns` says, by name or number. Without names, the file has just the columns that are needed, in order.
//! - A number has a unit (`12.5ms`), or its column has one: in the header (`delay_ms`, `rate (Mbit)`, `s`) or in `units`.
//!   A bare 0 needs none. Numbers are rounded to the nearest whole part.
//! - `format` names a public kind of file, which says all of this itself: [`Format`].
//!
//! Nothing is guessed: whatever can be meant in two ways is an error, with line and column.

mod column;
mod file;
mod format;
mod lines;
mod netem_trace;
mod repeat;

pub use column::{Place, Wanted, header_unit, number};
pub use file::{FileOf, Interpolate, NamedFile, Speed, Table, TableSpec};
pub use format::Format;
pub use lines::{BadTable, Line, lines};
pub use repeat::Repeat;

use crate::units::Duration;
use lines::Read;

/// Values at ascending times; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// Times in ns and values.
    pub(super) rows: Vec<(u64, u64)>,
    /// When the last value ends, if the file says.
    pub(super) end: Option<u64>,
}

impl TableSpec {
    /// Reads a column of values, in no order.
    pub(super) fn values(&self, text: &str, wanted: Wanted) -> Read<Vec<u64>> {
        if let Some(format) = self.format {
            return Ok(format.series(text, wanted)?.rows.into_iter().map(|(_, value)| value).collect());
        }
        let mut values = Vec::new();
        column::read(text, [wanted], self, |_, _, [value]| {
            values.push(value);
            Ok(())
        })?;
        Ok(values)
    }

    /// Reads a column of times and one of values, and plays them from `start` on at `speed`.
    pub(super) fn series(&self, text: &str, wanted: Wanted) -> Read<Series> {
        let Series { mut rows, end } = match self.format {
            Some(format) => format.series(text, wanted)?,
            None => Series { rows: self.rows(text, wanted)?, end: None },
        };
        let start = self.start.as_nanos();
        let last = rows.last().map_or(0, |(time, _)| *time);
        if start > end.map_or(last, |end| end.saturating_sub(1)) {
            let (start, end) = (self.start, Duration::from_nanos(end.unwrap_or(last)));
            return Err(BadTable::whole(format!("nothing is left from `start: {start}` on: the rows end at {end}")));
        }
        rows.drain(..rows.partition_point(|(time, _)| *time <= start).saturating_sub(1));
        let played = |time: u64| {
            let time = self.speed.scaled(time.saturating_sub(start));
            time.ok_or_else(|| BadTable::whole("at this `speed` the rows last longer than 584 years"))
        };
        for (time, _) in &mut rows {
            *time = played(*time)?;
        }
        let end = end.map(played).transpose()?;
        if !rows.iter().map(|(time, _)| *time).chain(end).is_sorted_by(|before, time| before < time) {
            return Err(BadTable::whole("at this `speed` two rows come within a nanosecond: play it slower"));
        }
        Ok(Series { rows, end })
    }

    fn rows(&self, text: &str, wanted: Wanted) -> Read<Vec<(u64, u64)>> {
        let mut rows: Vec<(u64, u64)> = Vec::new();
        column::read(text, [Wanted::Time, wanted], self, |line, [at, _], [time, value]| {
            ascend(line, at, rows.last().map(|(before, _)| *before), time)?;
            rows.push((time, value));
            Ok(())
        })?;
        if rows.is_empty() {
            let example = wanted.dimension().example("5");
            let message =
                format!("the file has no rows: a time and a {} a line, as in `1.5s,{example}`", wanted.name());
            return Err(BadTable::whole(message));
        }
        Ok(rows)
    }
}

/// Whether a time comes after the one before.
fn ascend(line: &Line<'_>, at: usize, before: Option<u64>, time: u64) -> Read<()> {
    let text = Duration::from_nanos;
    match before {
        Some(before) if before == time => {
            Err(line.bad(at, format!("{} stands twice: each time may have one row", text(time))))
        }
        Some(before) if before > time => {
            let (before, time) = (text(before), text(time));
            Err(line.bad(at, format!("the table goes back in time, from {before} to {time}: sort it by time")))
        }
        _ => Ok(()),
    }
}
