//! What links did, on a terminal: requested beside delivered.

use std::borrow::Cow;
use std::fmt::Write as _;

use indexmap::IndexMap;

use super::bands::{Band, bands};
use super::json::{Direction, Report};
use super::terminal::{four_digits, grouped, rate, share, spread, time};
use crate::diag::printable::{FAINT, Page, TITLE, put, putln};
use crate::measured::Part;

/// Quiet directions are told one by one up to so many; then they are one line.
const QUIET: usize = 6;
/// So many bands at most.
const BANDS: usize = 60;

/// The table; `alone`: with every direction by itself.
pub(crate) fn write(out: &mut Page, report: &Report, width: usize, alone: bool) -> std::fmt::Result {
    let mut shown = bands(report, alone);
    let quiet = shown.iter().filter(|band| !band.notable).count();
    let folded = if !alone && quiet > QUIET { shown.split_off(shown.len() - quiet) } else { Vec::new() };
    let left = if alone { 0 } else { shown.len().saturating_sub(BANDS) };
    shown.truncate(shown.len() - left);
    let rows: Vec<(String, &[String], Vec<String>)> =
        shown.iter().map(|band| (band.name(), &band.asked[..], delivered(band, report.duration_ns))).collect();
    let longest = |all: &mut dyn Iterator<Item = &String>, title: &str| {
        all.map(|text| text.chars().count()).chain([title.len()]).max().unwrap_or(0)
    };
    let first = longest(&mut rows.iter().map(|row| &row.0), "network");
    let second = longest(&mut rows.iter().flat_map(|row| row.1), "requested");
    let third = longest(&mut rows.iter().flat_map(|row| &row.2), "delivered");
    out.blank();
    if first + 3 + second + 3 + third <= width {
        putln!(out, "{TITLE}{:first$}   {:second$} │ delivered{TITLE:#}", "network", "requested")?;
        for (link, requested, delivered) in &rows {
            for n in 0..requested.len().max(delivered.len()) {
                let link = if n == 0 { link.as_str() } else { "" };
                let text = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
                let row = format!("{link:first$}   {:second$} │ {}", text(requested), text(delivered));
                putln!(out, "{}", row.trim_end())?;
            }
        }
    } else {
        putln!(out, "{TITLE}network{TITLE:#}  {FAINT}link, requested, delivered{FAINT:#}")?;
        for (link, requested, delivered) in &rows {
            let words = requested.join("; ");
            if link.chars().count() + words.chars().count() + 3 <= width {
                putln!(out, "{link}   {words}")?;
            } else {
                putln!(out, "{link}")?;
                requested.iter().try_for_each(|words| putln!(out, "  {words}"))?;
            }
            delivered.iter().try_for_each(|line| putln!(out, "  {line}"))?;
        }
    }
    if left > 0 {
        putln!(out, "{FAINT}and {left} more (--verbose){FAINT:#}")?;
    }
    match folded.is_empty() {
        true => Ok(()),
        false => write_folded(out, &folded),
    }
}

/// Bands in which nothing happened to frames but delay, in one.
fn write_folded(out: &mut Page, folded: &[Band<'_>]) -> std::fmt::Result {
    let members: Vec<&Direction> = folded.iter().flat_map(|band| band.members.iter().copied()).collect();
    let all = Band { members, notable: false, asked: Vec::new() };
    put!(out, "{} directions without changes and drops: ", grouped(all.members.len() as u64))?;
    put!(out, "{} frames", all.spread(|one| Some(one.delivered.frames), grouped))?;
    putln!(out, ", p50 {} {FAINT}(--verbose){FAINT:#}", all.spread(|one| one.delay(Part::P50), time))
}

fn delivered(band: &Band<'_>, duration_ns: u64) -> Vec<String> {
    let [one] = band.members[..] else { return together(band, duration_ns) };
    let Direction { offered, delivered, delay_ns, dropped, .. } = one;
    let mut first = format!("{} of {} frames", grouped(delivered.frames), grouped(offered.frames));
    if let Some(bps) = bps(one, duration_ns) {
        let _ = write!(first, ", {}", rate(bps));
    }
    if let Some(delay) = delay_ns {
        let _ = write!(first, ", delay {}", spread(delay));
    }
    let mut lines = vec![first];
    let fates: Vec<String> = causes(dropped, offered.frames).chain(others(one)).collect();
    if !fates.is_empty() {
        lines.push(format!("  {}", fates.join(", ")));
    }
    lines.extend(unmatched(one).map(|words| format!("  {words}")));
    lines
}

/// Of each of a group: the least, the median and the most.
fn together(band: &Band<'_>, duration_ns: u64) -> Vec<String> {
    let frames = band.spread(|one| Some(one.delivered.frames), grouped);
    let rates = band.spread(|one| bps(one, duration_ns), rate);
    let delays = band.spread(|one| one.delay(Part::P50), time);
    let mut first = format!("each {frames} frames");
    for (what, words) in [("", rates), ("p50 ", delays)] {
        if !words.is_empty() {
            let _ = write!(first, ", {what}{words}");
        }
    }
    let lost = |one: &Direction| {
        let lost: u64 = one.dropped.values().sum();
        // in thousandths of a percent, so that it has an order
        (one.offered.frames > 0).then(|| lost * 100_000 / one.offered.frames)
    };
    let lost = band.spread(lost, |share| format!("{} %", four_digits(share as f64 / 1e3)));
    let lost = (band.members.iter().any(|one| !one.dropped.is_empty())).then(|| format!("  lost {lost}"));
    [first].into_iter().chain(lost).collect()
}

/// What was delivered a second, in bit.
pub(crate) fn bps(direction: &Direction, duration_ns: u64) -> Option<u64> {
    let bits = u128::from(direction.delivered.bytes) * 8 * 1_000_000_000;
    (bits > 0 && duration_ns > 0).then(|| (bits / u128::from(duration_ns)) as u64)
}

/// `loss 35 (5 %)`: what was dropped for each cause, and the share of what was offered.
pub(crate) fn causes(dropped: &IndexMap<Cow<'static, str>, u64>, offered: u64) -> impl Iterator<Item = String> {
    dropped.iter().map(move |(cause, n)| format!("{cause} {} ({})", grouped(*n), share(*n, offered)))
}

/// What else happened to frames in a direction.
pub(crate) fn others(direction: &Direction) -> impl Iterator<Item = String> {
    counted([
        (direction.originated, "originated"),
        (direction.duplicated, "duplicated"),
        (direction.corrupted, "corrupted"),
        (direction.marked, "marked"),
        (direction.reordered, "reordered"),
        (direction.inside, "still inside"),
        (direction.clamped, "negative delays made zero"),
    ])
}

/// Counts that are not zero: `reordered 12`.
pub(crate) fn counted<const N: usize>(counts: [(u64, &'static str); N]) -> impl Iterator<Item = String> {
    counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what} {}", grouped(n)))
}

/// Models that have done nothing.
pub(crate) fn unmatched(direction: &Direction) -> impl Iterator<Item = String> + '_ {
    direction.unmatched.iter().map(|model| format!("no frame matched {model}"))
}
