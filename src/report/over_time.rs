//! What workloads measured over time, and what links that were changed or dropped carried: a line of bars each, with what was
//! changed on the same axis.

use super::bands::{Band, bands};
use super::bars;
use super::json::{Direction, Event, EventKind, Report};
use super::series::{DirectionSeries, Series};
use super::terminal::{grouped, rate, share, time};
use super::tracks::{Track, What, tracks};
use crate::diag::printable::{BAD, FAINT, PLAIN, Page, Style, TITLE, put, putln};

/// Columns of bars at least and at most.
const LEAST: usize = 24;
const MOST: usize = 160;
/// Columns behind the bars at most.
const BEHIND: usize = 26;
/// Lines of workloads, and of links, that are shown at most, unless more are asked for.
const ROWS: usize = 16;
/// Changes that are listed at most, unless more are asked for.
const LISTED: usize = 40;
/// Names of the marks below the bars; later ones have none of their own.
const KEYS: &[u8] = b"123456789abcdefghijklmnopqrstuvwxyz";

/// A line of bars.
struct Line {
    name: String,
    bars: String,
    style: Style,
    told: String,
}

/// Writes the section, and the changes.
pub(crate) fn write(out: &mut Page, report: &Report, columns: usize, verbose: bool) -> std::fmt::Result {
    let changes: Vec<&Event> = report.events.iter().filter(|event| is_change(event.kind)).collect();
    let listed = if verbose { usize::MAX } else { LISTED };
    let most = if verbose { usize::MAX } else { ROWS };
    let series = report.series.as_ref().filter(|series| !series.is_empty());
    let (tracks, links) = (tracks(report), links(report, series, verbose));
    let names = |track: &Track| format!("{} {}", track.name, track.what.words());
    let link_names = |one: &&DirectionSeries| format!("{} {} → {}", one.link, one.from, one.to);
    let all = tracks.iter().map(names).chain(links.iter().take(most).map(link_names));
    let width = all.map(|name| name.chars().count()).max().unwrap_or(0);
    let end_ns = series.map_or(0, |series| series.end_ns).max(report.duration_ns);
    if width == 0 || end_ns == 0 {
        return write_changes(out, &changes, false, listed);
    }
    // a name that takes too much has a line of its own
    let own = columns < width + 2 + LEAST + BEHIND;
    let label = if own { 0 } else { width };
    let room = columns.saturating_sub(label + 3 + BEHIND).clamp(LEAST, MOST);
    let intervals = series.map_or(room, Series::len);
    let axis = Axis { end_ns, columns: room.min(intervals.max(1)) };
    let mut lines: Vec<Line> = tracks.iter().take(most).flat_map(|track| axis.lines(track, names(track))).collect();
    let left_out = tracks.len().saturating_sub(most) + links.len().saturating_sub(most);
    if let Some(series) = series {
        lines.extend(links.iter().take(most).map(|one| axis.carried(one, series, link_names(one))));
    }
    out.blank();
    putln!(out, "{TITLE}over time{TITLE:#}  {FAINT}{} a column{FAINT:#}", time(axis.column_ns()))?;
    for Line { name, bars, style, told } in lines {
        if own {
            putln!(out, "{name}")?;
        }
        let name = if own { "" } else { &name };
        putln!(out, "{name:label$} │{style}{bars}{style:#}│ {told}")?;
    }
    if left_out > 0 {
        putln!(out, "{FAINT}and {left_out} more (--verbose){FAINT:#}")?;
    }
    if !changes.is_empty() {
        putln!(out, "{:label$} │{}│", "", axis.marks(&changes))?;
    }
    write_changes(out, &changes, true, listed)
}

/// Directions that were changed or dropped frames, but for those of groups, or all of them: the busiest of them, in file order.
fn links<'a>(report: &Report, series: Option<&'a Series>, verbose: bool) -> Vec<&'a DirectionSeries> {
    let Some(series) = series else { return Vec::new() };
    if verbose {
        return series.directions.iter().collect();
    }
    // of a group its workloads tell
    let bands: Vec<Band<'_>> = bands(report, false);
    let alone = bands.iter().filter(|band| band.notable && band.members.len() == 1).map(|band| band.members[0]);
    let alone: Vec<&Direction> = alone.collect();
    let notable = |one: &&DirectionSeries| alone.iter().any(|other| other.link == one.link && other.to == one.to);
    busiest(series.directions.iter().filter(notable).collect())
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

/// Those that carried most, in file order.
fn busiest(all: Vec<&DirectionSeries>) -> Vec<&DirectionSeries> {
    let carried = |d: &DirectionSeries| d.delivered_bytes.iter().sum::<u64>();
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(carried(all[*at])));
    order.truncate(ROWS);
    order.sort_unstable();
    order.into_iter().map(|at| all[at]).collect()
}

/// From t = 0 to the end in columns.
struct Axis {
    end_ns: u64,
    columns: usize,
}

impl Axis {
    fn column_ns(&self) -> u64 {
        self.end_ns.div_ceil(self.columns as u64).max(1)
    }

    fn column(&self, at_ns: i64) -> usize {
        let column = u64::try_from(at_ns).unwrap_or(0) / self.column_ns();
        usize::try_from(column).unwrap_or(usize::MAX).min(self.columns - 1)
    }

    /// A workload's course, and what it lost where it lost anything.
    fn lines(&self, track: &Track, name: String) -> Vec<Line> {
        let mut sums = vec![(0.0, 0u32); self.columns];
        for (at, value) in &track.points {
            let cell = &mut sums[self.column(*at)];
            *cell = (cell.0 + value, cell.1 + 1);
        }
        let mut lost = vec![(0u64, 0u64); self.columns];
        for one in &track.lost {
            let cell = &mut lost[self.column((one.from_ns + one.to_ns) / 2)];
            *cell = (cell.0 + one.lost, cell.1 + one.sent);
        }
        let mut values: Vec<u64> = Vec::with_capacity(self.columns);
        let last = sums.iter().rposition(|(_, count)| *count > 0).unwrap_or(0);
        for (n, (sum, count)) in sums.iter().enumerate() {
            let value = match (count, lost[n].0) {
                // a column between two samples goes on as the one before, unless something was lost in it
                (0, 0) if n < last => values.last().copied().unwrap_or(0),
                (0, _) => 0,
                _ => (sum / f64::from(*count)) as u64,
            };
            values.push(value);
        }
        let peak = values.iter().copied().max().unwrap_or(0);
        let words = |value: f64| match track.what {
            What::Goodput => rate(value as u64),
            What::RoundTrip | What::OneWay => time(value as u64),
        };
        let extreme = |least: bool| {
            let all = track.points.iter().map(|(_, value)| *value);
            if least { all.fold(f64::INFINITY, f64::min) } else { all.fold(0.0, f64::max) }
        };
        let told = if track.points.is_empty() {
            "nothing arrived".to_owned()
        } else {
            format!("{} … {}", words(extreme(true)), words(extreme(false)))
        };
        let mut lines = vec![Line { name, bars: bars::vertical(&values, peak, 1).concat(), style: PLAIN, told }];
        let (gone, sent) = lost.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        if gone > 0 {
            let shares: Vec<u64> = lost.iter().map(|(lost, sent)| lost * 1_000 / (*sent).max(1)).collect();
            lines.push(Line {
                name: format!("{} lost", track.name),
                bars: bars::vertical(&shares, 1_000, 1).concat(),
                style: BAD,
                told: format!("{} ({})", grouped(gone), share(gone, sent)),
            });
        }
        lines
    }

    /// What a direction carried.
    fn carried(&self, direction: &DirectionSeries, series: &Series, name: String) -> Line {
        let rates = self.rates(direction, series);
        let peak = rates.iter().copied().max().unwrap_or(0);
        let dropped: u64 = direction.dropped.iter().map(|n| u64::from(*n)).sum();
        let dropped = if dropped > 0 { format!(", dropped {}", grouped(dropped)) } else { String::new() };
        let bars = bars::vertical(&rates, peak, 1).concat();
        Line { name, bars, style: PLAIN, told: format!("{}{dropped}", rate(peak)) }
    }

    /// In bit/s, by column. What is left over at the end counts over a whole interval at least: a few frames in a
    /// microsecond are no rate.
    fn rates(&self, direction: &DirectionSeries, series: &Series) -> Vec<u64> {
        let mut bytes = vec![(0u128, 0u64); self.columns];
        for (n, delivered) in direction.delivered_bytes.iter().enumerate() {
            let cell = &mut bytes[self.column((series.every_ns * n as u64) as i64)];
            *cell = (cell.0 + u128::from(*delivered), cell.1 + series.every_ns);
        }
        let rate = |(bytes, length): &(u128, u64)| bytes * 8_000_000_000 / u128::from((*length).max(1));
        bytes.iter().map(|cell| u64::try_from(rate(cell)).unwrap_or(u64::MAX)).collect()
    }

    /// A line with the key of each instant at which something was changed.
    fn marks(&self, changes: &[&Event]) -> String {
        let mut line = vec![b' '; self.columns];
        let mut instants = Vec::new();
        for event in changes {
            if instants.last() != Some(&instant(event)) {
                instants.push(instant(event));
                let column = self.column(instant(event));
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
    use crate::report::tracks::Lost;

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
        let axis = Axis { end_ns: 10_000_000_000, columns: 50 };
        assert_eq!(axis.column_ns(), 200_000_000);
        assert_eq!(axis.rates(&series.directions[0], &series), [100_000; 50]);
        // the last interval is 1 ms long: what is in it is not a peak
        let short = self::series(vec![1_250, 1_250, 1_250], 100, 201);
        let axis = Axis { end_ns: 201_000_000, columns: 3 };
        assert_eq!(axis.rates(&short.directions[0], &short), [100_000; 3]);
    }

    #[test]
    fn marks_stand_below_their_time_and_share_what_they_must() {
        let axis = Axis { end_ns: 1_000_000_000, columns: 10 };
        let events = [event(0, "a"), event(0, "b"), event(250, "c"), event(260, "d"), event(999, "e")];
        assert_eq!(axis.marks(&events.iter().collect::<Vec<_>>()), "1 2      4");
        let mut out = Page::new();
        write_changes(&mut out, &events.iter().collect::<Vec<_>>(), true, 9).unwrap();
        let out = out.finish().plain();
        assert!(out.contains("1 0.000 s  a\n1 0.000 s  b\n2 0.250 s  c\n3 0.260 s  d\n4 0.999 s  e"), "{out}");
    }

    #[test]
    fn what_was_lost_has_a_line_below_and_pauses_between_samples_are_no_holes() {
        let points = [0, 2, 3, 9].map(|n| (n * 100_000_000, 2e7)).to_vec();
        let lost = vec![Lost { from_ns: 500_000_000, to_ns: 600_000_000, lost: 2, sent: 2 }];
        let track = Track {
            name: "rtt".into(),
            names: vec!["rtt".into()],
            what: What::RoundTrip,
            ok: true,
            points,
            range: vec![],
            width_ns: 0,
            lost,
            gap: None,
        };
        let axis = Axis { end_ns: 1_000_000_000, columns: 10 };
        let lines: Vec<(String, String)> =
            axis.lines(&track, "rtt round trip".into()).into_iter().map(|line| (line.bars, line.told)).collect();
        let told = [("█████    █", "20 ms … 20 ms"), ("     █    ", "2 (100 %)")];
        assert_eq!(lines, told.map(|(bars, told)| (bars.to_owned(), told.to_owned())));
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
            write(&mut out, &report, 80, verbose).unwrap();
            let text = out.finish().plain();
            let (listed, more) =
                (text.matches("wifi.loss=1%").count(), text.contains("and 682 changes more (--verbose)"));
            (listed, more)
        };
        assert_eq!((lines(false), lines(true)), ((LISTED, true), (722, false)));
    }
}
