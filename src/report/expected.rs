//! Expectations on a terminal, and as reasons of a verdict: failed ones first, each with what was measured and what had
//! been changed before.

use std::fmt::Write;

use super::expectation::{Expectation, Judged, Near};
use super::gauge::Gauge;
use super::json::{Report, Verdict};
use super::terminal::time;
use crate::diag::printable::{BAD, DOUBT, FAINT, GOOD, PLAIN, Page, Style, TITLE, put, putln};

/// Columns of a bar, and of what stands behind the name: measured, bar, distance.
const BAR: usize = 12;
const BEHIND: usize = 46;
/// Members of a group that fail, and are named.
const MEMBERS: usize = 5;

/// The section on a terminal of so many columns; nothing where nothing was expected.
pub(crate) fn write(out: &mut Page, report: &Report, columns: usize) -> std::fmt::Result {
    if report.expectations.is_empty() {
        return Ok(());
    }
    let claims = match report.verdict {
        Verdict::Invalid => "  of a run that is not valid",
        Verdict::Interrupted | Verdict::Error => "  of a run that was cut short",
        _ => "",
    };
    out.blank();
    putln!(out, "{TITLE}expectations{TITLE:#}{FAINT}{claims}{FAINT:#}")?;
    let room = columns.saturating_sub(5 + 2 + BEHIND);
    let fitting = report.expectations.iter().map(|one| one.title().chars().count()).filter(|title| *title <= room);
    let width = fitting.max().unwrap_or(0);
    let failed = report.expectations.iter().filter(|one| one.fails());
    let doubtful = report.expectations.iter().filter(|one| one.judged.invalid.is_some());
    let held = report.expectations.iter().filter(|one| one.judged.pass);
    failed.chain(doubtful).chain(held).try_for_each(|one| write_one(out, one, width))
}

fn write_one(out: &mut Page, one: &Expectation, width: usize) -> std::fmt::Result {
    let (style, mark) = match (one.judged.pass, &one.judged.invalid) {
        (true, _) => (GOOD, "ok  "),
        (false, None) => (BAD, "FAIL"),
        (false, Some(_)) => (DOUBT, "?   "),
    };
    let title = one.title();
    // what is longer has a line of its own
    match title.chars().count() > width {
        true => {
            putln!(out, "{style}{mark}{style:#} {title}")?;
            put!(out, "     {:width$}  ", "")?;
        }
        false => put!(out, "{style}{mark}{style:#} {title:width$}  ")?,
    }
    let members = one.members.len();
    match (one.judged.pass, members) {
        (true, 0) => write_found(out, &one.judged, PLAIN)?,
        (true, _) => putln!(out, "all {members}")?,
        (false, 0) => write_found(out, &one.judged, style)?,
        (false, _) if one.judged.invalid.is_some() => write_found(out, &one.judged, style)?,
        (false, _) => putln!(out, "{BAD}{} of {members} fail{BAD:#}", one.failed())?,
    }
    let indent = format!("     {:width$}  ", "");
    if one.name.is_some() && !one.judged.pass {
        putln!(out, "{indent}{FAINT}{}{FAINT:#}", one.text)?;
    }
    if let Some(why) = &one.judged.invalid {
        return putln!(out, "{indent}{FAINT}{why}{FAINT:#}");
    }
    let failed: Vec<_> = one.members.iter().filter(|member| !member.judged.pass).collect();
    for member in failed.iter().take(MEMBERS) {
        let near = member.judged.near.as_ref().map(|near| format!(", {}", since(near))).unwrap_or_default();
        putln!(out, "{indent}{}: {}{near}", member.name, found(&member.judged))?;
    }
    if let Some(more @ 1..) = failed.len().checked_sub(MEMBERS) {
        putln!(out, "{indent}{FAINT}and {more} more{FAINT:#}")?;
    }
    if let (0, Some(near)) = (members, &one.judged.near) {
        putln!(out, "{indent}{}", since(near))?;
    }
    Ok(())
}

/// What was measured, a bar with it beside its limit, and how far apart they are.
fn write_found(out: &mut Page, judged: &Judged, style: Style) -> std::fmt::Result {
    let (found, gauge) = (found(judged), Gauge::of(judged));
    match (&judged.compared, gauge) {
        (Some(compared), Some(gauge)) => {
            let bar = gauge.text(BAR);
            putln!(out, "{style}{found:11}{style:#}  {bar}  {FAINT}{}{FAINT:#}", compared.distance)
        }
        _ => putln!(out, "{style}{found}{style:#}"),
    }
}

/// What was measured, or why nothing was.
pub(crate) fn found(judged: &Judged) -> String {
    match (&judged.measured, &judged.reason) {
        (Some(measured), Some(reason)) => format!("{measured}: {reason}"),
        (Some(measured), None) => measured.clone(),
        (None, reason) => reason.clone().unwrap_or_default(),
    }
}

/// `0.4 s after wifi.loss=10% at 10 s`.
pub(crate) fn since(near: &Near) -> String {
    let at = time(u64::try_from(near.at_ns).unwrap_or(0));
    match u64::try_from(near.before_ns) {
        Ok(0) | Err(_) => format!("with `{}` at {at}", near.what),
        Ok(before) => format!("{} after `{}` at {at}", time(before), near.what),
    }
}

/// Why a run is INVALID, one sentence for each expectation that lateness can have decided.
pub fn doubts(expectations: &[Expectation]) -> Vec<String> {
    let doubt = |one: &Expectation| {
        let why = one.judged.invalid.as_ref()?;
        let name = one.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        Some(format!("{name}expected `{}`, measured {}; {why}", one.text, found(&one.judged)))
    };
    expectations.iter().filter_map(doubt).collect()
}

/// Why a run fails, one sentence for each expectation that does.
pub fn reasons(expectations: &[Expectation]) -> Vec<String> {
    let failed = expectations.iter().filter(|one| one.fails());
    let reason = |one: &Expectation| {
        let name = one.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let judged = &one.judged;
        let mut text =
            format!("{name}expected `{}`, {}", one.text, if judged.measured.is_some() { "measured " } else { "" });
        text.push_str(&found(judged));
        if let (Some(member), n @ 1..) = (one.members.iter().find(|member| member.judged.fails()), one.failed()) {
            let _ = write!(text, " of {}", member.name);
            if n > 1 {
                let _ = write!(text, ", and {} more of {} fail", n - 1, one.members.len());
            }
        }
        if let Some(near) = &judged.near {
            let _ = write!(text, " ({})", since(near));
        }
        text
    };
    failed.map(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::expectation::Member;

    fn judged(pass: bool, measured: &str) -> Judged {
        Judged {
            pass,
            measured: (!measured.is_empty()).then(|| measured.to_owned()),
            value: None,
            unit: "ns".into(),
            expected: "< 60ms".into(),
            reason: measured.is_empty().then(|| "no samples: it never started".into()),
            at_ns: None,
            near: None,
            invalid: None,
            compared: None,
        }
    }

    fn one(name: Option<&str>, text: &str, judged: Judged) -> Expectation {
        Expectation {
            name: name.map(str::to_owned),
            text: text.into(),
            line: 9,
            column: 5,
            judged,
            members: Vec::new(),
        }
    }

    #[test]
    fn a_failed_one_has_its_text_what_was_measured_and_what_came_before() {
        let near = Near { what: "wifi.loss=10%".into(), at_ns: 10_000_000_000, before_ns: 400_000_000 };
        let slow = Judged { near: Some(near), ..judged(false, "83.1 ms") };
        let mut group = one(None, "all rtt.p99 < 60ms", judged(false, "70 ms"));
        for (name, pass) in [("rtt-1", true), ("rtt-2", false), ("rtt-3", false)] {
            group.members.push(Member { name: name.into(), judged: judged(pass, "70 ms") });
        }
        let all = [
            one(Some("fast enough"), "rtt.p99 < 60ms", slow),
            group,
            one(None, "call.loss < 1%", judged(false, "")),
            one(None, "fetch.exit == 0", judged(true, "0")),
        ];
        assert_eq!(
            reasons(&all),
            [
                "fast enough: expected `rtt.p99 < 60ms`, measured 83.1 ms (400 ms after `wifi.loss=10%` at 10 s)",
                "expected `all rtt.p99 < 60ms`, measured 70 ms of rtt-2, and 1 more of 3 fail",
                "expected `call.loss < 1%`, no samples: it never started",
            ]
        );
        let mut out = Page::new();
        all.iter().for_each(|one| write_one(&mut out, one, 18).expect("a String takes it"));
        insta::assert_snapshot!(out.finish().plain());
    }
}
