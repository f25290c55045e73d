//! The head of a page: what the run says and why, what was tested and what was changed, before anything else.

use indexmap::{IndexMap, IndexSet};

use super::Subject;
use super::axis::instant;
use super::expectations;
use super::markup::Markup;
use crate::report::alike::{from_to, stem};
use crate::report::expected;
use crate::report::happened::changes;
use crate::report::json::{EventKind, Mode, Report, Verdict, WorkloadReport};
use crate::report::terminal::seconds;

/// Failures that are told at the top; all of them stand in their sections.
const TOLD: usize = 12;
/// Workloads, and instants at which something was changed, that are named there.
const AT_A_GLANCE: usize = 8;

/// The class that colours a verdict.
pub(super) const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail | Verdict::Error => "fail",
        Verdict::Invalid | Verdict::Interrupted => "doubt",
        Verdict::None => "none",
    }
}

/// Its sign, drawn: a form for each, so that colour is not all that tells them apart.
pub(super) fn sign(out: &mut Markup, verdict: Verdict) {
    let path = match verdict {
        Verdict::Pass => "M5 12.5l4.5 4.5L19 7.5",
        Verdict::Fail => "M6 6l12 12M18 6L6 18",
        Verdict::Error => "M12 5v8M12 17.2v.6",
        Verdict::Invalid => "M8.5 9a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1-1.5 2.3M12 18v.4",
        Verdict::Interrupted => "M9 6v12M15 6v12",
        Verdict::None => "M6 12h12",
    };
    let attributes = [("class", "sign-box"), ("viewBox", "0 0 24 24"), ("aria-hidden", "true")];
    out.element("svg", &[&attributes[..], &[("xmlns", "http://www.w3.org/2000/svg")]].concat(), |out| {
        out.void("path", &[("d", path)]);
    });
}

/// What a verdict means, in a sentence.
pub(super) const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Everything that was expected holds, and the machine kept up.",
        Verdict::Fail => "Something that was expected does not hold.",
        Verdict::Invalid => {
            "Neither pass nor fail is claimed: this machine could not keep up, or the path to another site was outside the requested limits."
        }
        Verdict::Error => "The run could not be carried out.",
        Verdict::Interrupted => "The run was ended from outside and torn down cleanly; this is what there was.",
        Verdict::None => "Nothing was expected, and nothing failed.",
    }
}

/// Title, what was tested and what happened, verdict, expectations, diagnosis, warnings.
pub(super) fn write(out: &mut Markup, subject: &Subject<'_>) {
    let report = subject.report;
    out.element("header", &[], |out| {
        if let Some(index) = subject.index {
            out.element("p", &[("class", "up")], |out| out.leaf("a", &[("href", index)], "← all runs"));
        }
        out.leaf("h1", &[], &report.scenario);
        let class = format!("verdict {}", class(report.verdict));
        out.element("section", &[("class", &class), ("aria-label", "Verdict")], |out| {
            sign(out, report.verdict);
            out.element("div", &[], |out| {
                out.leaf("h2", &[], report.verdict.word());
                out.leaf("p", &[], meaning(report.verdict));
                reasons(out, report);
            });
        });
        out.element("dl", &[("class", "glance")], |out| {
            definition(out, "Tested", &tested(report));
            definition(out, "Changed", &changed(report));
        });
        expectations::write(out, report);
        sentences(out, "Diagnosis", &report.diagnosis);
        sentences(out, "Warnings", &report.warnings);
    });
}

/// `rtt ping a → b; call udp a → b; 8 s in virtual time`.
fn tested(report: &Report) -> String {
    let mut groups: IndexMap<(String, &str), Vec<(&str, &str)>> = IndexMap::new();
    for (name, work) in report.workloads.iter().chain(&report.runs) {
        groups.entry((stem(name), &work.kind)).or_default().push((name, &work.place));
    }
    let one = |((_, kind), members): (&(String, &str), &Vec<(&str, &str)>)| {
        let names = from_to(members.iter().map(|(name, _)| *name));
        let places: IndexSet<String> = members
            .iter()
            .map(|(_, place)| if members.len() > 1 { stem_place(place) } else { (*place).to_owned() })
            .collect();
        match places.len() {
            1 => format!("{names} {kind} {}", places[0]),
            n => format!("{names} {kind} in {n} places"),
        }
    };
    let works = listed(groups.iter().map(one), AT_A_GLANCE);
    let clock = match report.mode {
        Mode::Live => "live",
        Mode::Virtual => "in virtual time",
    };
    let lasted = format!("{} {clock}", seconds(i64::try_from(report.duration_ns).unwrap_or(i64::MAX)));
    if works.is_empty() { lasted } else { format!("{works}; {lasted}") }
}

/// `staff-3 → internet` as `staff-* → internet`.
fn stem_place(place: &str) -> String {
    place.split(" → ").map(stem).collect::<Vec<_>>().join(" → ")
}

/// `short=down at 2 s; short=up at 6 s`; nothing where nothing was changed.
fn changed(report: &Report) -> String {
    let mut instants: IndexMap<i64, Vec<&str>> = IndexMap::new();
    for event in changes(report).filter(|event| event.kind != EventKind::Network) {
        instants.entry(instant(event)).or_default().push(&event.what);
    }
    let one = |(at, all): (&i64, &Vec<&str>)| {
        let more = if all.len() > 2 { format!(" and {} more", all.len() - 2) } else { String::new() };
        format!("{}{more} at {}", all[..all.len().min(2)].join(", "), seconds(*at))
    };
    listed(instants.iter().map(one), AT_A_GLANCE)
}

fn listed(all: impl Iterator<Item = String>, most: usize) -> String {
    let all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(most);
    let mut words = all[..all.len() - more].join("; ");
    if more > 0 {
        words += &format!("; and {more} more");
    }
    words
}

/// A sentence with names between backticks.
pub(super) fn spoken(out: &mut Markup, sentence: &str) {
    for (n, part) in sentence.split('`').enumerate() {
        if n % 2 == 1 { out.leaf("code", &[], part) } else { out.text(part) }
    }
}

fn sentences(out: &mut Markup, title: &str, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    out.element("section", &[("class", "sentences"), ("aria-label", title)], |out| {
        out.leaf("h2", &[], title);
        out.element("ul", &[], |out| {
            sentences.iter().take(TOLD).for_each(|sentence| {
                out.element("li", &[], |out| spoken(out, sentence));
            });
        });
        if let Some(left) = sentences.len().checked_sub(TOLD).filter(|left| *left > 0) {
            out.leaf("p", &[("class", "note")], &format!("{left} more are in the JSON report."));
        }
    });
}

/// Why, but for expectations, which stand below with their numbers.
fn reasons(out: &mut Markup, report: &Report) {
    let failed: Vec<(&String, &WorkloadReport)> =
        report.services.iter().chain(&report.workloads).chain(&report.runs).filter(|(_, work)| !work.ok).collect();
    let judged = [expected::reasons(&report.expectations), expected::doubts(&report.expectations)].concat();
    // what is told in full needs no line of its own
    let told = |reason: &&String| {
        judged.contains(reason)
            || report.expectations.iter().any(|one| !one.judged.pass && reason.contains(&one.text))
            || failed.iter().any(|(name, _)| reason.starts_with(&format!("{name}: ")))
    };
    let rest: Vec<&String> = report.reasons.iter().filter(|reason| !told(reason)).collect();
    let count = failed.len() + rest.len();
    if count == 0 {
        return;
    }
    out.element("ul", &[("class", "reasons")], |out| {
        rest.iter().take(TOLD).for_each(|reason| out.leaf("li", &[], reason));
        let left = TOLD.saturating_sub(rest.len());
        failed.iter().take(left).for_each(|(name, work)| failure(out, report, name, work));
    });
    if count > TOLD {
        out.leaf("p", &[], &format!("and {} more, below", count - TOLD));
    }
}

fn failure(out: &mut Markup, report: &Report, name: &str, work: &WorkloadReport) {
    out.element("li", &[], |out| {
        out.leaf("strong", &[], name);
        out.text(&format!(" ({} {}): {}", work.kind, work.place, work.reason.as_deref().unwrap_or("it failed")));
        let failed = work.ended_ns.map(|at| {
            let near = expectations::nearest(&report.events, at).map(|near| format!(", {near}"));
            format!("at {}{}", seconds(at), near.unwrap_or_default())
        });
        let last = work.output.iter().rfind(|line| !line.trim().is_empty());
        if failed.is_none() && last.is_none() {
            return;
        }
        out.element("dl", &[], |out| {
            if let Some(failed) = failed {
                definition(out, "failed", &failed);
            }
            if let Some(last) = last {
                definition(out, "last words", &anstream::adapter::strip_str(last).to_string());
            }
        });
    });
}

/// A term and what is said of it; nothing where nothing is.
pub(super) fn definition(out: &mut Markup, term: &str, words: &str) {
    if words.is_empty() {
        return;
    }
    out.element("div", &[], |out| {
        out.leaf("dt", &[], term);
        out.leaf("dd", &[], words);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn head(report: &Report) -> String {
        let mut out = Markup::default();
        let resolved = testing::resolved();
        write(&mut out, &crate::page::testing::subject(report, &resolved));
        out.finish()
    }

    #[test]
    fn the_head_says_what_was_tested_what_failed_and_what_happened() {
        let html = head(&testing::report());
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(place("<h2>FAIL</h2>") < place("(shell phone): it exited with 7"));
        assert_eq!(html.matches("it exited with 7").count(), 1, "a reason is told once: {html}");
        assert!(html.contains("at 6.5 s, 1.5 s after wifi=down at 5 s"), "{html}");
        assert!(
            html.contains("rtt ping phone → server; call udp phone → server; fetch shell phone; 9 s live"),
            "{html}"
        );
        assert!(html.contains("wifi.loss=40% at 2 s; wifi=down at 5 s; phone.route=wwan0 at 8 s"), "{html}");
        assert!(place("wifi=down at 5 s; ") < place("call.loss &lt; 5%"));
        assert!(place("call.loss &lt; 5%") < place("12 %") && html.contains("400 ms after wifi.loss=40% at 2 s"));
    }

    #[test]
    fn members_of_a_group_are_one_thing_that_was_tested() {
        let mut report = testing::report();
        let work = report.workloads["rtt"].clone();
        report.workloads = (1..=12)
            .map(|n| (format!("rtt-{n}"), WorkloadReport { place: format!("pc-{n} → server"), ..work.clone() }))
            .collect();
        assert_eq!(tested(&report), "rtt-1 … rtt-12 ping pc-* → server; 9 s live");
    }

    #[test]
    fn an_invalid_run_says_why_nothing_is_claimed_first() {
        let mut report = testing::report();
        report.verdict = Verdict::Invalid;
        report.reasons.insert(0, "longwire did not run for 300ms".into());
        let html = head(&report);
        assert!(html.find("did not run for 300ms").unwrap() < html.find("call.loss").unwrap(), "{html}");
        assert!(html.contains("verdict doubt"));
    }

    #[test]
    fn many_failures_are_counted() {
        let mut report = testing::report();
        let failed = report.workloads["fetch"].clone();
        report.workloads = (0..50).map(|n| (format!("w{n}"), failed.clone())).collect();
        let html = head(&report);
        assert!(html.contains("and 39 more, below") && html.matches("it exited with 7").count() == TOLD, "{html}");
    }

    #[test]
    fn each_verdict_has_a_sign_of_its_own() {
        let all = [Verdict::Pass, Verdict::Fail, Verdict::Invalid, Verdict::Error, Verdict::Interrupted, Verdict::None];
        let signs: std::collections::BTreeSet<String> = all
            .into_iter()
            .map(|verdict| {
                let mut out = Markup::default();
                sign(&mut out, verdict);
                out.finish()
            })
            .collect();
        assert_eq!(signs.len(), all.len());
    }
}
