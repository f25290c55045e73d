//! The report as people read it on a terminal: styled, which whoever prints it takes away where it does not belong.

use super::captured;
use super::dropped;
use super::expected;
use super::firewall;
use super::groups;
use super::json::{Mode, Port, Report, Verdict, WorkloadReport};
use super::measured::results;
use super::network;
use super::outages;
use super::over_time;
use super::paths;
use super::phase_table;
use super::translation;
use crate::diag::printable::{BAD, DOUBT, FAINT, GOOD, Page, Printable, Style, TITLE, put, putln};
use crate::measured::{Part, Times};
use crate::units::Rate;

/// So many works of a kind are shown that have nothing to complain about, and so many steps that the run did not come to.
const LISTED: usize = 100;
/// Columns of what goes to no terminal.
const COLUMNS: usize = 80;

/// How the report is to be shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// With every direction by itself, and what went through it over time.
    pub verbose: bool,
    /// Columns of the terminal: nothing is wider. `None` for a file or a pipe: laid out for 80, and sentences stay whole.
    pub columns: Option<usize>,
}

/// The whole report.
pub fn render(report: &Report, view: View) -> Printable {
    let mut out = Page::new();
    // writing into a page cannot fail
    let _ = write_report(&mut out, report, view);
    let out = out.finish();
    view.columns.map_or_else(|| out.clone(), |columns| out.wrapped(columns))
}

fn write_report(out: &mut Page, report: &Report, view: View) -> std::fmt::Result {
    let columns = view.columns.unwrap_or(COLUMNS);
    putln!(out, "{TITLE}{}{TITLE:#}", report.scenario)?;
    write_verdict(out, report)?;
    expected::write(out, report, columns)?;
    write_sentences(out, "diagnosis", &report.diagnosis)?;
    write_sentences(out, "warnings", &report.warnings)?;
    write_works(out, "workloads", report.workloads.iter())?;
    write_works(out, "runs", report.runs.iter())?;
    write_works(out, "services", report.services.iter())?;
    over_time::write(out, report, columns, view.verbose)?;
    phase_table::write(out, report, columns)?;
    network::write(out, report, columns, view.verbose)?;
    dropped::write(out, &report.nodes)?;
    firewall::write(out, &report.nodes)?;
    translation::write(out, &report.nodes)?;
    outages::write(out, &report.ports)?;
    paths::write(out, &report.ports)?;
    captured::write(out, &report.captures)?;
    write_machine(out, report)?;
    write_again(out, report)?;
    let (style, word) = (style(report.verdict), report.verdict.word());
    putln!(out, "{TITLE}{}{TITLE:#}: {style}{word}{style:#}", report.scenario)
}

fn write_sentences(out: &mut Page, title: &str, sentences: &[String]) -> std::fmt::Result {
    if sentences.is_empty() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}{title}{TITLE:#}")?;
    sentences.iter().try_for_each(|sentence| putln!(out, "{sentence}"))
}

/// What repeats it.
fn write_again(out: &mut Page, report: &Report) -> std::fmt::Result {
    let params: String = report.params.iter().map(|(name, value)| format!(" · {name}={value}")).collect();
    let attempt = if report.attempts > 1 { format!(" · attempt {}", report.attempts) } else { String::new() };
    let clock = match report.mode {
        Mode::Live => "live",
        Mode::Virtual => "in virtual time",
    };
    let Report { file, seed, duration_ns, .. } = report;
    let lasted = seconds(i64::try_from(*duration_ns).unwrap_or(i64::MAX));
    putln!(out, "{FAINT}seed {seed} · {lasted} {clock}{params}{attempt} · {file}{FAINT:#}")
}

fn write_works<'a>(
    out: &mut Page,
    title: &str,
    works: impl Iterator<Item = (&'a String, &'a WorkloadReport)>,
) -> std::fmt::Result {
    let all: Vec<_> = works.collect();
    if all.is_empty() {
        return Ok(());
    }
    let (groups, works) = groups::of(all);
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
            put!(out, "  {FAINT}{}{FAINT:#}", seconds((ended - started).max(0)))?;
        }
        if let Some(reason) = &work.reason {
            put!(out, "  {BAD}{reason}{BAD:#}")?;
        }
        out.blank();
        for line in results(work) {
            putln!(out, "       {line}")?;
        }
        if !work.ok {
            for line in &work.output {
                putln!(out, "       {FAINT}│{FAINT:#} {line}")?;
            }
        }
    }
    for group in groups {
        putln!(out, "{GOOD}ok  {GOOD:#} {}  {} {}", group.name, group.kind, group.places)?;
        group.results.iter().try_for_each(|line| putln!(out, "       {line}"))?;
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
        ("malformed from hosts", |port| port.malformed),
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

const fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Pass => GOOD,
        Verdict::Fail | Verdict::Error => BAD,
        Verdict::Invalid | Verdict::Interrupted => DOUBT,
        Verdict::None => TITLE,
    }
}

/// The verdict, and why, but for expectations, which stand below it.
fn write_verdict(out: &mut Page, report: &Report) -> std::fmt::Result {
    let words = match report.verdict {
        Verdict::Pass if !report.validity.ok => "this machine was late, which what was expected cannot depend on",
        Verdict::Pass => "everything that was expected holds",
        Verdict::Fail => "something that was expected does not hold",
        Verdict::Invalid if report.validity.measured.path_doubts > 0 => {
            "the path to another site was outside the requested limits, so neither pass nor fail is claimed"
        }
        Verdict::Invalid => "this machine could not keep up, so neither pass nor fail is claimed",
        Verdict::Error => "the run could not be carried out",
        Verdict::Interrupted => "torn down cleanly; this is what there was",
        Verdict::None => "nothing was expected and nothing failed",
    };
    let style = style(report.verdict);
    putln!(out, "{style}{}{style:#} — {words}", report.verdict.word())?;
    let told = [expected::reasons(&report.expectations), expected::doubts(&report.expectations)].concat();
    let rest = report.reasons.iter().filter(|reason| !told.contains(reason));
    rest.into_iter().try_for_each(|reason| putln!(out, "  {reason}"))
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

/// An instant as people read it, to a millisecond: `12.5 s`.
pub(crate) fn seconds(ns: i64) -> String {
    let sign = if ns < 0 { "−" } else { "" };
    let ns = ns.unsigned_abs();
    let text = format!("{}.{:03}", ns / 1_000_000_000, ns / 1_000_000 % 1_000);
    format!("{sign}{} s", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A share of one, to a percent: `92 %`; below ten to a tenth.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let rounded = if percent >= 10.0 { percent.round() } else { (percent * 10.0).round() / 10.0 };
    format!("{rounded} %")
}

pub(crate) fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "0 %".into() } else { exact_percent(part as f64 / whole as f64) }
}

/// A share of one, to four digits: `6.333 %`.
pub(crate) fn exact_percent(share: f64) -> String {
    format!("{} %", four_digits((share * 1e5).round() / 1e3))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn shown(columns: Option<usize>) -> String {
        let mut report = testing::report();
        report.diagnosis =
            vec!["the bottleneck was `dsl` toward home: busy 92 % of the time, its queue dropped 471 of 2,978".into()];
        render(&report, View { columns, ..View::default() }).plain()
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        for columns in [60, 80, 120, 200] {
            let text = shown(Some(columns));
            let longest = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(longest <= columns, "{longest} of {columns}: {text}");
            assert_eq!(text.matches("its queue dropped").count(), 1, "{text}");
        }
        assert!(
            shown(None).contains(": busy 92 % of the time, its queue dropped 471 of 2,978\n"),
            "a sentence stays whole"
        );
    }

    #[test]
    fn the_verdict_and_what_was_expected_come_first_and_the_machine_last() {
        let text = shown(None);
        let parts = [
            "Phone\nFAIL — ",
            "\nexpectations\n",
            "\ndiagnosis\n",
            "\nworkloads\n",
            "\nover time ",
            "\nnetwork ",
            "\nmachine: ",
            "\nseed 7 · 9 s live",
        ];
        let places: Vec<usize> =
            parts.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}"))).collect();
        assert!(places.is_sorted(), "{text}");
        assert!(text.ends_with("Phone: FAIL\n"), "{text}");
    }
}
