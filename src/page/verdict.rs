//! The head of a page: what the run says, and why, before anything else; then what was run, where and for how long.

use super::Subject;
use super::axis::seconds;
use super::expectations::{self, Expectation};
use super::markup::Markup;
use crate::report::json::{Mode, Report, Verdict, WorkloadReport};

/// Failures that are told at the top; all of them stand in their sections.
const TOLD: usize = 12;

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
        Verdict::Invalid => "This machine could not keep up, so neither pass nor fail is claimed.",
        Verdict::Error => "The run could not be carried out.",
        Verdict::Interrupted => "The run was ended from outside and torn down cleanly; this is what there was.",
        Verdict::None => "Nothing was expected, and nothing failed.",
    }
}

/// Title, verdict and facts.
pub(super) fn write(out: &mut Markup, subject: &Subject<'_>) {
    let report = subject.report;
    out.element("header", &[], |out| {
        if let Some(index) = subject.index {
            out.element("p", &[("class", "up")], |out| out.leaf("a", &[("href", index)], "← all runs"));
        }
        out.leaf("h1", &[], &report.scenario);
        out.element(
            "section",
            &[("class", &format!("verdict {}", class(report.verdict))), ("aria-label", "Verdict")],
            |out| {
                sign(out, report.verdict);
                out.element("div", &[], |out| {
                    out.leaf("h2", &[], report.verdict.word());
                    out.leaf("p", &[], meaning(report.verdict));
                    reasons(out, report);
                });
            },
        );
        warnings(out, report);
        facts(out, report);
    });
}

fn warnings(out: &mut Markup, report: &Report) {
    if report.warnings.is_empty() {
        return;
    }
    out.element("ul", &[("class", "reasons"), ("aria-label", "Warnings")], |out| {
        report.warnings.iter().take(TOLD).for_each(|warning| out.leaf("li", &[], warning));
    });
    if let Some(left) = report.warnings.len().checked_sub(TOLD).filter(|left| *left > 0) {
        out.leaf("p", &[("class", "note")], &format!("{left} more warnings are in the JSON report."));
    }
}

/// Why, the failed expectations first.
fn reasons(out: &mut Markup, report: &Report) {
    let expected: Vec<Expectation<'_>> = expectations::read(report).into_iter().filter(|e| !e.judged.pass).collect();
    let failed: Vec<(&String, &WorkloadReport)> =
        report.services.iter().chain(&report.workloads).chain(&report.runs).filter(|(_, work)| !work.ok).collect();
    // what is told in full below needs no line of its own
    let told = |reason: &&String| {
        expected.iter().any(|e| !e.text.is_empty() && (reason.contains(e.text) || reason.contains(e.title())))
            || failed.iter().any(|(name, _)| reason.starts_with(&format!("{name}: ")))
    };
    let rest: Vec<&String> = report.reasons.iter().filter(|reason| !told(reason)).collect();
    let count = expected.len() + failed.len() + rest.len();
    if count == 0 {
        return;
    }
    out.element("ul", &[("class", "reasons")], |out| {
        // where nothing is claimed, why that is so comes first
        let invalid = report.verdict == Verdict::Invalid;
        let mut left = TOLD;
        let mut next = || left.checked_sub(1).inspect(|now| left = *now).is_some();
        if invalid {
            rest.iter().filter(|_| next()).for_each(|reason| out.leaf("li", &[], reason));
        }
        expected.iter().filter(|_| next()).for_each(|expectation| unmet(out, expectation));
        for (name, work) in failed.iter().filter(|_| next()) {
            failure(out, report, name, work);
        }
        if !invalid {
            rest.iter().filter(|_| next()).for_each(|reason| out.leaf("li", &[], reason));
        }
    });
    if count > TOLD {
        out.leaf("p", &[], &format!("and {} more, below", count - TOLD));
    }
}

fn unmet(out: &mut Markup, expectation: &Expectation<'_>) {
    let judged = expectation.judged;
    out.element("li", &[], |out| {
        if let Some(name) = expectation.name {
            out.leaf("strong", &[], name);
            out.text(" ");
        }
        out.leaf("code", &[], expectation.text);
        out.element("dl", &[], |out| {
            let lines = [
                ("expected", Some(judged.expected.clone())),
                ("measured", judged.measured.clone()),
                ("because", judged.reason.clone()),
                ("nearest event", expectation.near()),
            ];
            for (term, words) in lines.into_iter().filter_map(|(term, words)| Some((term, words?))) {
                definition(out, term, &words);
            }
        });
    });
}

fn failure(out: &mut Markup, report: &Report, name: &str, work: &WorkloadReport) {
    out.element("li", &[], |out| {
        out.leaf("strong", &[], name);
        out.text(&format!(" ({} {}): {}", work.kind, work.place, work.reason.as_deref().unwrap_or("it failed")));
        let near = work.ended_ns.and_then(|at| Some((at, expectations::nearest(&report.events, at)?)));
        let last = work.output.iter().rfind(|line| !line.trim().is_empty());
        if near.is_none() && last.is_none() {
            return;
        }
        out.element("dl", &[], |out| {
            if let Some((at, near)) = near {
                definition(out, "failed", &format!("at {}, {near}", seconds(at)));
            }
            if let Some(last) = last {
                definition(out, "last words", &anstream::adapter::strip_str(last).to_string());
            }
        });
    });
}

fn definition(out: &mut Markup, term: &str, words: &str) {
    out.element("div", &[], |out| {
        out.leaf("dt", &[], term);
        out.leaf("dd", &[], words);
    });
}

/// What was run, where, and whether the machine kept up.
fn facts(out: &mut Markup, report: &Report) {
    let machine = &report.machine;
    let cores = if machine.cores == 1 { "1 core".to_owned() } else { format!("{} cores", machine.cores) };
    let params: Vec<String> = report.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let clock = match report.mode {
        Mode::Live => "live, against the machine's clock",
        Mode::Virtual => "in virtual time",
    };
    let valid = if report.validity.ok { "the machine kept up" } else { "the machine did not keep up" };
    let facts = [
        ("Scenario", report.file.clone()),
        ("Seed", report.seed.to_string()),
        ("Parameters", params.join(", ")),
        ("Duration", format!("{}, {clock}", seconds(i64::try_from(report.duration_ns).unwrap_or(i64::MAX)))),
        ("Machine", format!("Linux {}, {cores}, longwire {}", machine.kernel, machine.version)),
        ("Validity", valid.to_owned()),
    ];
    out.element("dl", &[("class", "facts")], |out| {
        facts.iter().filter(|(_, words)| !words.is_empty()).for_each(|(term, words)| definition(out, term, words));
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
    fn a_failed_expectation_comes_first_in_words() {
        let html = head(&testing::report());
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(place("<h2>FAIL</h2>") < place("call.loss &lt; 5%") && place("12 %") < place("fetch"));
        assert!(place("400 ms after wifi.loss=40% at 2 s") < place("(shell phone): it exited with 7"));
        assert_eq!(html.matches("it exited with 7").count(), 1, "a reason is told once: {html}");
        assert!(html.contains("at 6.5 s, 1.5 s after wifi=down at 5 s"), "{html}");
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
        assert!(html.contains("and 40 more, below") && html.matches("it exited with 7").count() == TOLD - 1, "{html}");
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
