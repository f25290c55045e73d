//! The report as people read it on a terminal: styled, which whoever prints it takes away where it does not belong.

use std::borrow::Cow;
use std::fmt::Write as _;

use indexmap::IndexMap;

use super::asked::requested;
use super::captured;
use super::dropped;
use super::expected;
use super::firewall;
use super::json::{Direction, Port, Report, Verdict, WorkloadReport};
use super::measured::results;
use super::outages;
use super::over_time;
use super::phases;
use super::translation;
use crate::diag::printable::{BAD, DOUBT, FAINT, GOOD, Page, Printable, TITLE, put, putln};
use crate::measured::{Part, Times};
use crate::units::Rate;

/// So many changes of a direction are shown.
const CHANGES: usize = 5;
/// So many works of a kind are shown that have nothing to complain about, and so many steps that the run did not come to.
const LISTED: usize = 100;

/// The whole report. `verbose`: with what went through each direction over time, also where nothing was changed meanwhile.
pub fn render(report: &Report, verbose: bool) -> Printable {
    let mut out = Page::new();
    // writing into a page cannot fail
    let _ = write_report(&mut out, report, verbose);
    out.finish()
}

fn write_report(out: &mut Page, report: &Report, verbose: bool) -> std::fmt::Result {
    putln!(
        out,
        "{TITLE}{}{TITLE:#}  {FAINT}seed {} · {} s{}{FAINT:#}",
        report.scenario,
        report.seed,
        seconds(report.duration_ns),
        report.params.iter().map(|(name, value)| format!(" · {name}={value}")).collect::<String>()
            + &if report.attempts > 1 { format!(" · attempt {}", report.attempts) } else { String::new() },
    )?;
    write_directions(out, report)?;
    dropped::write(out, &report.nodes)?;
    firewall::write(out, &report.nodes)?;
    translation::write(out, &report.nodes)?;
    outages::write(out, &report.ports)?;
    over_time::write(out, report, verbose)?;
    phases::write(out, &report.phases)?;
    captured::write(out, &report.captures)?;
    write_works(out, "services", report.services.iter())?;
    write_works(out, "workloads", report.workloads.iter())?;
    write_works(out, "runs", report.runs.iter())?;
    expected::write(out, report)?;
    if !report.warnings.is_empty() {
        out.blank();
        putln!(out, "{TITLE}warnings{TITLE:#}")?;
        report.warnings.iter().try_for_each(|warning| putln!(out, "{warning}"))?;
    }
    write_machine(out, report)?;
    write_verdict(out, report)
}

/// A table: requested | delivered, a row a direction. What was asked later stands below what was asked first.
fn write_directions(out: &mut Page, report: &Report) -> std::fmt::Result {
    let rows: Vec<(String, Vec<String>, Vec<String>)> = report
        .directions
        .iter()
        .map(|d| (format!("{} {} → {}", d.link, d.from, d.to), asked_over_time(d), delivered(d, report.duration_ns)))
        .collect();
    let longest = |all: &mut dyn Iterator<Item = &String>, title: &str| {
        all.map(|text| text.chars().count()).chain([title.len()]).max().unwrap_or(0)
    };
    let first = longest(&mut rows.iter().map(|row| &row.0), "link");
    let second = longest(&mut rows.iter().flat_map(|row| &row.1), "requested");
    out.blank();
    putln!(out, "{TITLE}{:first$}   {:second$} │ delivered{TITLE:#}", "link", "requested")?;
    for (link, requested, delivered) in &rows {
        for n in 0..requested.len().max(delivered.len()) {
            let link = if n == 0 { link.as_str() } else { "" };
            let text = |lines: &[String]| lines.get(n).cloned().unwrap_or_default();
            let row = format!("{link:first$}   {:second$} │ {}", text(requested), text(delivered));
            putln!(out, "{}", row.trim_end())?;
        }
    }
    Ok(())
}

/// What was asked of a direction, and what from when on.
fn asked_over_time(direction: &Direction) -> Vec<String> {
    let Direction { changes, changes_omitted, .. } = direction;
    let shown = changes.iter().take(CHANGES);
    let later = shown.map(|change| format!("from {} s: {}", four_digits(change.at_ns as f64 / 1e9), change.words));
    let more = changes.len().saturating_sub(CHANGES) as u64 + changes_omitted;
    let more = (more > 0).then(|| format!("… and {} more changes", grouped(more)));
    [requested(&direction.requested)].into_iter().chain(later).chain(more).collect()
}

fn delivered(direction: &Direction, duration_ns: u64) -> Vec<String> {
    let Direction { offered, delivered, delay_ns, dropped, .. } = direction;
    let mut first = format!("{} of {} frames", grouped(delivered.frames), grouped(offered.frames));
    if delivered.bytes > 0 && duration_ns > 0 {
        let bps = u128::from(delivered.bytes) * 8 * 1_000_000_000 / u128::from(duration_ns);
        let _ = write!(first, ", {}", rate(bps as u64));
    }
    if let Some(delay) = delay_ns {
        let _ = write!(first, ", delay {}", spread(delay));
    }
    let mut lines = vec![first];
    let fates: Vec<String> = causes(dropped, offered.frames).chain(others(direction)).collect();
    if !fates.is_empty() {
        lines.push(format!("  {}", fates.join(", ")));
    }
    lines.extend(unmatched(direction).map(|words| format!("  {words}")));
    lines
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

fn write_works<'a>(
    out: &mut Page,
    title: &str,
    works: impl Iterator<Item = (&'a String, &'a WorkloadReport)>,
) -> std::fmt::Result {
    let works: Vec<_> = works.collect();
    if works.is_empty() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}{title}{TITLE:#}")?;
    let width = works.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    // what failed is never left out
    let (mut shown, mut left_out) = (0, 0);
    for (name, work) in works {
        if work.ok && shown == LISTED {
            left_out += 1;
            continue;
        }
        shown += usize::from(work.ok);
        let (style, mark) = if work.ok { (GOOD, "ok  ") } else { (BAD, "FAIL") };
        put!(out, "{style}{mark}{style:#} {name:width$}  {} {}", work.kind, work.place)?;
        if let (Some(started), Some(ended)) = (work.started_ns, work.ended_ns) {
            put!(out, "  {FAINT}{} s{FAINT:#}", seconds((ended - started).max(0) as u64))?;
        }
        if let Some(reason) = &work.reason {
            put!(out, "  {BAD}{reason}{BAD:#}")?;
        }
        out.blank();
        for line in results(work) {
            putln!(out, "     {:width$}  {line}", "")?;
        }
        if !work.ok {
            for line in &work.output {
                putln!(out, "     {:width$}  {FAINT}│{FAINT:#} {line}", "")?;
            }
        }
    }
    match left_out {
        0 => Ok(()),
        more => putln!(out, "{FAINT}and {} more that did what was asked{FAINT:#}", grouped(more)),
    }
}

fn write_machine(out: &mut Page, report: &Report) -> std::fmt::Result {
    let measured = &report.validity.measured;
    let mut words = Vec::new();
    if let Some(late) = measured.lateness_p99_ns {
        words.push(format!("lateness p99 {}", time(late)));
    }
    words.push(format!("longest stall {}", time(measured.stall_ns)));
    if measured.gap_share > 0.0 {
        words.push(format!("in gaps {} %", four_digits((measured.gap_share * 1e5).round() / 1e3)));
    }
    if let Some(share) = measured.run_delay {
        words.push(format!("waited for a processor {:.1} %", share * 100.0));
    }
    if let Some(share) = measured.workload_run_delay {
        words.push(format!("workloads waited for one {:.1} %", share * 100.0));
    }
    if measured.ring_drops > 0 {
        words.push(format!("dropped by TAP rings {}", grouped(measured.ring_drops)));
    }
    for (words_for, of) in [
        ("refused by hosts", (|port| port.refused) as fn(&Port) -> u64),
        ("from hosts with a malformed offload header", |port| port.malformed),
    ] {
        let frames: u64 = report.ports.iter().map(of).sum();
        if frames > 0 {
            words.push(format!("{words_for} {}", grouped(frames)));
        }
    }
    if report.timing.log_lost > 0 {
        words.push(format!("not written to the event log {}", grouped(report.timing.log_lost)));
    }
    out.blank();
    putln!(out, "{FAINT}machine: {}{FAINT:#}", words.join(", "))?;
    if let Some(confinement) = &report.confinement {
        putln!(out, "{FAINT}confinement: {confinement}{FAINT:#}")?;
    }
    for left in report.not_reached.iter().take(LISTED) {
        let at = left.after.clone().or(left.planned_ns.map(time)).unwrap_or_default();
        putln!(out, "{DOUBT}note{DOUBT:#}: the run ended before the timeline came to {at}: {}", left.what)?;
    }
    let more = report.not_reached.len().saturating_sub(LISTED);
    if more > 0 {
        putln!(out, "{DOUBT}note{DOUBT:#}: and to {} more steps", grouped(more as u64))?;
    }
    report.timing.refused.iter().try_for_each(|refused| putln!(out, "{DOUBT}note{DOUBT:#}: {refused}"))
}

fn write_verdict(out: &mut Page, report: &Report) -> std::fmt::Result {
    let (style, words) = match report.verdict {
        Verdict::Pass if !report.validity.ok => {
            (GOOD, "this machine was late, which what was expected cannot depend on")
        }
        Verdict::Pass => (GOOD, ""),
        Verdict::Fail => (BAD, ""),
        Verdict::Invalid => (DOUBT, "this machine could not keep up, so neither pass nor fail is claimed"),
        Verdict::Error => (BAD, "the run could not be carried out"),
        Verdict::Interrupted => (DOUBT, "torn down cleanly; this is what there was"),
        Verdict::None => (TITLE, "nothing was expected and nothing failed"),
    };
    let dash = if words.is_empty() { "" } else { " — " };
    out.blank();
    putln!(out, "{style}{}{style:#}{dash}{words}", report.verdict.word())?;
    for reason in &report.reasons {
        putln!(out, "  {reason}")?;
    }
    Ok(())
}

/// `p50 10.1 ms, p99 12 ms, max 14 ms`.
pub(crate) fn spread(times: &Times) -> String {
    if times.min() == times.max() {
        return time(times.min());
    }
    let [p50, p99] = [Part::P50, Part::P99].map(|part| time(times.get(part).unwrap_or(0)));
    format!("{} … p50 {p50} … p99 {p99} … {}", time(times.min()), time(times.max()))
}

/// Four significant digits are what people can read at a glance.
pub(crate) fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..1_000_000 => (ns as f64 / 1e3, "µs"),
        1_000_000..1_000_000_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    format!("{} {unit}", four_digits(value))
}

pub(crate) fn four_digits(value: f64) -> String {
    let decimals = match value {
        v if v >= 1000.0 => 0,
        v if v >= 100.0 => 1,
        v if v >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

pub(crate) fn rate(bps: u64) -> String {
    let rounded = |unit: u64| Rate::from_bps((bps + unit / 2) / unit * unit);
    // three or four digits
    let step = 10u64.pow(bps.max(1).ilog10().saturating_sub(3));
    rounded(step).map_or_else(|| "0 bit/s".into(), |r| format!("{r}/s"))
}

fn seconds(ns: u64) -> String {
    format!("{:.1}", ns as f64 / 1e9)
}

pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0 %".into();
    }
    format!("{} %", four_digits((part as f64 / whole as f64 * 1e5).round() / 1e3))
}

/// 1234567 as 1,234,567.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}
