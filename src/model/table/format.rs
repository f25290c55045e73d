//! Public kinds of files, each as its source describes it.

use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::lines::{BadTable, Line, Read, lines, with_header};
use super::{Series, Wanted, ascend, netem_trace};
use crate::units::{Dimension, NANOS_PER_SEC, Unit};

/// A public kind of file. Where its times are of a clock, they count from the first row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TableFormat")]
pub enum Format {
    /// Rates. Pensieve's cooked traces (traces/README.md and sim/env.py of hongzimao/pensieve): seconds and Mbit/s between
    /// white space. A row's rate is that of the time since the row before, so the first row only says when the trace begins.
    Pensieve,
    /// Rates. `curr_webget` of the FCC's Measuring Broadband America, one unit and one target of it, as Pensieve reads them
    /// (traces/fcc/load_webget_data.py and convert_mahimahi_format.py): column 7 is in bytes per second. Each row lasts 5 s.
    Fcc,
    /// Rates. The HSDPA logs of Riiser et al. (MMSys 2013, datasets.simula.no/hsdpa-tcp-logs) and Ghent's 4G logs
    /// (users.ugent.be/~jvdrhoof/dataset-4g): columns 5 and 6 are the bytes received, and in how many milliseconds.
    Hsdpa,
    /// Rates. Oboe's traces (README.md of USC-NSL/Oboe): milliseconds and kbit/s, two rows for each chunk, one with its start
    /// and one with its end. Between chunks the rate stays.
    Oboe,
    /// Rates. One stream of Puffer's `video_sent` (puffer.stanford.edu/data-description, analyzeutil.hh of
    /// StanfordSNR/puffer-statistics): `time (ns GMT)`, and TCP's `delivery_rate` in bytes per second.
    Puffer,
    /// Delays. LENS (README.md of clarkzjw/LENS, MMSys 2024), its CSV files of IRTT and ping: half of `rtt`, in milliseconds.
    /// IRTT's timestamps are in nanoseconds, ping's in seconds. Probes without an answer are left out.
    Lens,
    /// Delays and loss. `dish_grpc_text.py bulk_history` of sparky8512/starlink-grpc-tools with its header: half of
    /// `pop_ping_latency_ms`, and `pop_ping_drop_rate`. Its throughputs are what was used, not what would have passed.
    Starlink,
    /// Rates and delays. Configurations of netem-trace (docs.rs/netem-trace) as JSON, those that are not random:
    /// `StaticBwConfig`, `TraceBwConfig`, `StaticDelayConfig`, and patterns of them.
    NetemTrace,
}

impl Format {
    /// Reads a file of this kind.
    pub(super) fn series(self, text: &str, wanted: Wanted) -> Read<Series> {
        let series = match (self, wanted) {
            (Format::Pensieve, Wanted::Rate) => pensieve(text),
            (Format::Fcc, Wanted::Rate) => fcc(text),
            (Format::Hsdpa, Wanted::Rate) => hsdpa(text),
            (Format::Oboe, Wanted::Rate) => oboe(text),
            (Format::Puffer, Wanted::Rate) => puffer(text),
            (Format::Lens, Wanted::Delay) => lens(text),
            (Format::Starlink, Wanted::Delay | Wanted::Loss) => starlink(text, wanted),
            (Format::NetemTrace, Wanted::Rate | Wanted::Delay) => netem_trace::series(text, wanted),
            _ => {
                let those = match wanted {
                    Wanted::Rate => "pensieve, fcc, hsdpa, oboe, puffer, netem_trace",
                    Wanted::Loss => "starlink",
                    Wanted::Delay | Wanted::Time => "lens, starlink, netem_trace",
                };
                let name = wanted.name();
                return Err(BadTable::whole(format!("this `format` holds no {name}: those that do are {those}")));
            }
        }?;
        match series.rows.is_empty() {
            true => Err(BadTable::whole("the file has no rows of this `format`")),
            false => Ok(series),
        }
    }
}

/// Rows that are added one after the other.
#[derive(Default)]
pub(super) struct Rows {
    rows: Vec<(u64, u64)>,
    /// What the clock says at the first one, where they have the times of a clock.
    first: Option<u64>,
    end: u64,
}

impl Rows {
    /// A row that begins at a time of a clock, which stands in the cell `at`.
    fn at(&mut self, line: &Line<'_>, at: usize, time: u64, value: u64) -> Read<()> {
        let first = *self.first.get_or_insert(time);
        ascend(line, at, self.rows.last().map(|(before, _)| before + first), time)?;
        self.rows.push((time - first, value));
        Ok(())
    }

    /// A row that begins when the one before is over.
    pub(super) fn lasting(&mut self, length: u64, value: u64) -> Result<(), String> {
        if length == 0 {
            return Err("a row lasts 0 s".into());
        }
        self.rows.push((self.end, value));
        self.end = self.end.checked_add(length).ok_or("the rows last longer than 584 years")?;
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn until_end(self) -> Series {
        Series { rows: self.rows, end: Some(self.end) }
    }

    fn open(self) -> Series {
        Series { rows: self.rows, end: None }
    }
}

/// A number of a column that has this unit.
fn number(line: &Line<'_>, at: usize, unit: &str) -> Read<u64> {
    let unit = Unit::of_column(unit).expect("a unit of the grammar");
    unit.dimension().nearest(line.cell(at)?, Some(unit), |_| None).map_err(|error| line.bad(at, error))
}

fn pensieve(text: &str) -> Read<Series> {
    let mut ends = Rows::default();
    for line in lines(text) {
        let line = line?;
        ends.at(&line, 0, number(&line, 0, "s")?, number(&line, 1, "Mbit")?)?;
    }
    if ends.len() == 1 {
        return Err(BadTable::whole("a trace needs two rows: a row's rate is that of the time since the row before"));
    }
    let rows = ends.rows.windows(2).map(|pair| (pair[0].0, pair[1].1)).collect();
    Ok(Series { rows, end: ends.rows.last().map(|(time, _)| *time) })
}

fn fcc(text: &str) -> Read<Series> {
    let (mut rows, mut first) = (Rows::default(), None);
    for line in with_header(text)?.1 {
        let line = line?;
        one_source(&line, [0, 2], &mut first)?;
        rows.lasting(5 * NANOS_PER_SEC, number(&line, 6, "B/s")?).map_err(|error| line.bad(6, error))?;
    }
    Ok(rows.until_end())
}

fn hsdpa(text: &str) -> Read<Series> {
    let mut rows = Rows::default();
    for line in lines(text) {
        let line = line?;
        let (bytes, length) = (number(&line, 4, "B")?, number(&line, 5, "ms")?);
        let bps = u128::from(bytes) * 8 * u128::from(NANOS_PER_SEC) / u128::from(length.max(1));
        let bps = u64::try_from(bps).map_err(|_| line.bad(4, "more than any wire passes"))?;
        rows.lasting(length, bps).map_err(|error| line.bad(5, error))?;
    }
    Ok(rows.until_end())
}

fn oboe(text: &str) -> Read<Series> {
    let mut chunks = Rows::default();
    // the start and the rate of a chunk whose end is still to come
    let mut open: Option<(u64, u64)> = None;
    for line in lines(text) {
        let line = line?;
        let (time, rate) = (number(&line, 0, "ms")?, number(&line, 1, "kbit")?);
        match open.take() {
            None if time < chunks.end => return Err(line.bad(0, "the chunk starts before the one before it ends")),
            None => {
                chunks.at(&line, 0, time, rate)?;
                open = Some((time, rate));
            }
            Some((_, known)) if known != rate => {
                return Err(line.bad(1, "both rows of a chunk have its rate, and these differ"));
            }
            Some((start, _)) => {
                ascend(&line, 0, Some(start), time)?;
                chunks.end = time;
            }
        }
    }
    match open {
        Some(_) => Err(BadTable::whole("the last chunk has no second row, with its end")),
        None => {
            chunks.end -= chunks.first.unwrap_or(0);
            Ok(chunks.until_end())
        }
    }
}

fn puffer(text: &str) -> Read<Series> {
    let (mut rows, mut first) = (Rows::default(), None);
    let ([time, session, index, rate], lines) = named(text, ["time (ns GMT)", "session_id", "index", "delivery_rate"])?;
    for line in lines {
        let line = line?;
        one_source(&line, [session, index], &mut first)?;
        rows.at(&line, time, number(&line, time, "ns")?, number(&line, rate, "B/s")?)?;
    }
    Ok(rows.open())
}

fn lens(text: &str) -> Read<Series> {
    let mut rows = Rows::default();
    let ([time, rtt], lines) = named(text, ["timestamp", "rtt"])?;
    // IRTT's files have `uplink` and `downlink` too
    let unit = if named(text, ["uplink"]).is_ok() { "ns" } else { "s" };
    for line in lines {
        let line = line?;
        // lost on the way: -1, or 0 where the direction is known
        if !matches!(line.cell(rtt)?, "-1" | "0" | "0.0") {
            rows.at(&line, time, number(&line, time, unit)?, number(&line, rtt, "ms")? / 2)?;
        }
    }
    Ok(rows.open())
}

fn starlink(text: &str, wanted: Wanted) -> Read<Series> {
    let mut rows = Rows::default();
    let (name, unit, parts) = match wanted {
        Wanted::Loss => ("pop_ping_drop_rate", "fraction", 1),
        _ => ("pop_ping_latency_ms", "ms", 2),
    };
    let ([time, at], lines) = named(text, ["datetimestamp_utc", name])?;
    for line in lines {
        let line = line?;
        let moment = date_and_time(line.cell(time)?)
            .ok_or_else(|| line.bad(time, "expected a date and a time, as in `2026-01-31T12:00:00`"))?;
        // no ping was answered, so there is no latency
        if wanted == Wanted::Loss || line.cells.get(at).is_some_and(|cell| !cell.is_empty()) {
            rows.at(&line, time, moment, number(&line, at, unit)? / parts)?;
        }
    }
    Ok(rows.open())
}

/// Where the columns with these headers are, and the lines behind the header.
fn named<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Read<([usize; N], impl Iterator<Item = Read<Line<'a>>>)> {
    let (header, lines) = with_header(text)?;
    let header = header.ok_or_else(|| BadTable::line(1, "expected a first line that names the columns"))?;
    let mut found = [0; N];
    for (at, name) in found.iter_mut().zip(names) {
        let position = header.cells.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        *at = position.ok_or_else(|| BadTable::line(header.number, format!("no column is called `{name}`")))?;
    }
    Ok((found, lines))
}

/// A trace is of one source: all its rows have the same in these columns.
fn one_source<'a>(line: &Line<'a>, columns: [usize; 2], first: &mut Option<Line<'a>>) -> Read<()> {
    let first = first.get_or_insert_with(|| line.clone());
    for at in columns {
        let (here, before) = (line.cell(at)?, first.cell(at)?);
        if here != before {
            let message = format!("`{here}` is another source than `{before}`: cut one of them out of the file");
            return Err(line.bad(at, message));
        }
    }
    Ok(())
}

/// `2026-01-31T12:00:00.5` in ns since 1970.
fn date_and_time(text: &str) -> Option<u64> {
    let whole = |text: Option<&str>, range: RangeInclusive<u64>| {
        let digits = text?;
        let is_whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_whole && range.contains(number))
    };
    let (date, time) = text.split_once('T')?;
    let (mut date, mut time) = (date.splitn(3, '-'), time.splitn(3, ':'));
    let (year, month, day) =
        (whole(date.next(), 1970..=9999)?, whole(date.next(), 1..=12)?, whole(date.next(), 1..=31)?);
    let (hour, minute, second) = (whole(time.next(), 0..=23)?, whole(time.next(), 0..=59)?, time.next()?);
    // Hinnant's days_from_civil: years that begin in March, in eras of 400 of them
    let shifted = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let second = Dimension::Time.nearest(second, Unit::find("s"), |_| None).ok()?;
    (days * 86_400 + hour * 3_600 + minute * 60).checked_mul(NANOS_PER_SEC)?.checked_add(second)
}

#[cfg(test)]
#[path = "format_tests.rs"]
mod tests;
