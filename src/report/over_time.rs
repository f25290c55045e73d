//! Which link carried what, when: a line of bars a direction, with what was changed on the same axis.

use super::bars;
use super::json::{Event, EventKind, Report};
use super::series::{DirectionSeries, Series};
use super::terminal::{grouped, rate, time};
use crate::diag::printable::{FAINT, Page, TITLE, put, putln};

/// Columns of bars at most.
const COLUMNS: usize = 64;
/// Directions that are shown at most, unless more are asked for.
const ROWS: usize = 16;
/// Changes that are listed at most, unless more are asked for.
const LISTED: usize = 40;
/// Names of the marks below the bars; later ones have none of their own.
const KEYS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz";

/// Writes the section, where something was changed, or `verbose` asks for it.
pub(crate) fn write(out: &mut Page, report: &Report, verbose: bool) -> std::fmt::Result {
    let changes: Vec<&Event> = report.events.iter().filter(|event| is_change(event.kind)).collect();
    let listed = if verbose { usize::MAX } else { LISTED };
    let Some(series) = report.series.as_ref().filter(|series| !series.is_empty()) else {
        return write_changes(out, &changes, false, listed);
    };
    if (changes.is_empty() && !verbose) || series.directions.is_empty() {
        return write_changes(out, &changes, false, listed);
    }
    let axis = Axis::of(series);
    let most = if verbose { usize::MAX } else { ROWS };
    let shown = busiest(series, most);
    let name = |d: &DirectionSeries| format!("{} {} → {}", d.link, d.from, d.to);
    let width = shown.iter().map(|d| name(d).chars().count()).max().unwrap_or(0);
    out.blank();
    putln!(out, "{TITLE}over time{TITLE:#}  {FAINT}{} a column{FAINT:#}", time(axis.column_ns()))?;
    for direction in &shown {
        let rates = axis.rates(direction);
        let peak = rates.iter().copied().max().unwrap_or(0);
        let bars = bars::vertical(&rates, peak, 1).concat();
        let dropped: u64 = direction.dropped.iter().map(|n| u64::from(*n)).sum();
        let dropped = if dropped > 0 { format!(", dropped {}", grouped(dropped)) } else { String::new() };
        putln!(out, "{:width$} │{bars}│ peak {}{dropped}", name(direction), rate(peak))?;
    }
    let left = series.directions.len() - shown.len();
    if left > 0 {
        putln!(out, "{FAINT}{:width$} and {left} directions that carried less (--verbose){FAINT:#}", "")?;
    }
    if !changes.is_empty() {
        putln!(out, "{:width$} │{}│", "", axis.marks(&changes))?;
    }
    write_changes(out, &changes, true, listed)
}

/// Whether it changed what frames meet.
fn is_change(kind: EventKind) -> bool {
    matches!(kind, EventKind::Timeline | EventKind::Set | EventKind::Network)
}

fn write_changes(out: &mut Page, changes: &[&Event], keys: bool, most: usize) -> std::fmt::Result {
    if !keys && !changes.is_empty() {
        out.blank();
        putln!(out, "{TITLE}changes{TITLE:#}")?;
    }
    let mut instants = 0;
    let mut last = None;
    for event in changes.iter().take(most) {
        if last != Some(instant(event)) {
            instants += 1;
            last = Some(instant(event));
        }
        let key = match keys.then(|| KEYS.get(instants - 1)).flatten() {
            Some(key) => char::from(*key),
            None => ' ',
        };
        // what happens in a host is as late as the machine
        let late = event.planned_ns.map_or(0, |planned| event.at_ns - planned);
        put!(out, "{key} {:.3} s  {}", event.at_ns as f64 / 1e9, event.what)?;
        if late > 0 {
            put!(out, "  {FAINT}{} late{FAINT:#}", time(late.unsigned_abs()))?;
        }
        out.blank();
    }
    match changes.len().saturating_sub(most) {
        0 => Ok(()),
        more => putln!(out, "{FAINT}and {} changes more (--verbose){FAINT:#}", grouped(more as u64)),
    }
}

/// What belongs together has one key, even if part of it was late.
fn instant(event: &Event) -> i64 {
    event.planned_ns.unwrap_or(event.at_ns)
}

/// The directions that carried most, in file order.
fn busiest(series: &Series, most: usize) -> Vec<&DirectionSeries> {
    let carried = |d: &DirectionSeries| d.delivered_bytes.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..series.directions.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(carried(&series.directions[*at])));
    order.truncate(most);
    order.sort_unstable();
    order.into_iter().map(|at| &series.directions[at]).collect()
}

/// From t = 0 to the end in columns, each of as many intervals.
struct Axis {
    every_ns: u64,
    end_ns: u64,
    intervals: usize,
    /// Intervals of a column; the last may have fewer.
    per_column: usize,
}

impl Axis {
    fn of(series: &Series) -> Axis {
        let intervals = series.len();
        let per_column = intervals.div_ceil(COLUMNS).max(1);
        Axis { every_ns: series.every_ns, end_ns: series.end_ns, intervals, per_column }
    }

    fn columns(&self) -> usize {
        self.intervals.div_ceil(self.per_column)
    }

    fn column_ns(&self) -> u64 {
        self.every_ns * self.per_column as u64
    }

    /// In bit/s, by column. What is left over at the end counts over a whole interval at least: a few frames in a
    /// microsecond are no rate.
    fn rates(&self, direction: &DirectionSeries) -> Vec<u64> {
        let column = |(n, intervals): (usize, &[u64])| {
            let begin = self.column_ns() * n as u64;
            let length = self.end_ns.saturating_sub(begin).clamp(self.every_ns, self.column_ns());
            let bits = intervals.iter().map(|bytes| u128::from(*bytes) * 8).sum::<u128>();
            u64::try_from(bits * 1_000_000_000 / u128::from(length.max(1))).unwrap_or(u64::MAX)
        };
        direction.delivered_bytes.chunks(self.per_column).enumerate().map(column).collect()
    }

    /// A line with the key of each instant at which something was changed.
    fn marks(&self, changes: &[&Event]) -> String {
        let mut line = vec![b' '; self.columns()];
        let mut instants = Vec::new();
        for event in changes {
            if instants.last() != Some(&instant(event)) {
                instants.push(instant(event));
                let column = u64::try_from(instant(event)).unwrap_or(0) / self.column_ns().max(1);
                let column = usize::try_from(column).unwrap_or(usize::MAX).min(line.len() - 1);
                // the first of those that share a column is the one that is seen
                if line[column] == b' ' {
                    line[column] = *KEYS.get(instants.len() - 1).unwrap_or(&b'+');
                }
            }
        }
        line.into_iter().map(char::from).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(bytes: Vec<u64>, every_ms: u64, end_ms: u64) -> Series {
        let direction = DirectionSeries {
            link: "wifi".into(),
            from: "phone".into(),
            to: "ap".into(),
            delivered_frames: Vec::new(),
            delivered_bytes: bytes,
            dropped: Vec::new(),
            waiting: Vec::new(),
            delay_mean_ns: Vec::new(),
        };
        let ns = 1_000_000;
        Series { every_ns: every_ms * ns, asked_ns: every_ms * ns, end_ns: end_ms * ns, directions: vec![direction] }
    }

    fn event(at_ms: i64, what: &str) -> Event {
        let at_ns = at_ms * 1_000_000;
        Event { at_ns, planned_ns: Some(at_ns), kind: EventKind::Timeline, what: what.into(), mark: None }
    }

    #[test]
    fn a_column_is_the_rate_in_its_time() {
        // 100 intervals of 100 ms are 50 columns of 200 ms: 2.5 kB in 200 ms are 100 kbit/s
        let series = series(vec![1_250; 100], 100, 10_000);
        let axis = Axis::of(&series);
        assert_eq!((axis.columns(), axis.column_ns()), (50, 200_000_000));
        assert_eq!(axis.rates(&series.directions[0]), [100_000; 50]);
        // the last interval is 1 ms long: what is in it is not a peak
        let short = self::series(vec![1_250, 1_250, 1_250], 100, 201);
        assert_eq!(Axis::of(&short).rates(&short.directions[0]), [100_000; 3]);
    }

    #[test]
    fn marks_stand_below_their_time_and_share_what_they_must() {
        let axis = Axis::of(&series(vec![1; 10], 100, 1_000));
        let events = [event(0, "a"), event(0, "b"), event(250, "c"), event(260, "d"), event(999, "e")];
        assert_eq!(axis.marks(&events.iter().collect::<Vec<_>>()), "1 2      4");
        let mut out = Page::new();
        write_changes(&mut out, &events.iter().collect::<Vec<_>>(), true, 9).unwrap();
        let out = out.finish().plain();
        assert!(out.contains("1 0.000 s  a\n1 0.000 s  b\n2 0.250 s  c\n3 0.260 s  d\n4 0.999 s  e"), "{out}");
    }

    #[test]
    fn lateness_is_told_where_there_is_any() {
        let late = Event { at_ns: 2_000_300_000, ..event(2_000, "phone.route=wwan0") };
        let mut out = Page::new();
        write_changes(&mut out, &[&late], false, 9).unwrap();
        let out = out.finish().plain();
        assert!(out.contains("phone.route=wwan0") && out.contains("300 µs late"), "{out}");
    }

    #[test]
    fn of_very_many_changes_the_first_are_listed_and_the_rest_counted() {
        let mut report = crate::report::testing::report();
        report.events = (0..722).map(|n| event(n, "wifi.loss=1%")).collect();
        let lines = |verbose: bool| {
            let mut out = Page::new();
            write(&mut out, &report, verbose).unwrap();
            let text = out.finish().plain();
            let (listed, more) =
                (text.matches("wifi.loss=1%").count(), text.contains("and 682 changes more (--verbose)"));
            (listed, more)
        };
        assert_eq!((lines(false), lines(true)), ((LISTED, true), (722, false)));
    }
}
