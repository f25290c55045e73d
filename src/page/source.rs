//! Where it ran, and what it takes to run it again: the command, the scenario as it was written, the plan as it was resolved.

use super::Subject;
use super::markup::Markup;
use super::verdict::definition;
use crate::report::json::{Mode, Report};
use crate::report::terminal::seconds;
use crate::scenario::listing;

/// Lines of a text at most.
const MOST: usize = 5_000;

/// The section.
pub(super) fn write(out: &mut Markup, subject: &Subject<'_>) {
    let report = subject.report;
    facts(out, report);
    out.element("p", &[], |out| {
        out.text("Seed ");
        out.leaf("strong", &[], &report.seed.to_string());
        out.text(". This command repeats the run: the n-th frame of each direction meets the same draws.");
    });
    out.leaf(
        "pre",
        &[("class", "copy"), ("tabindex", "0"), ("aria-label", "Command that repeats the run")],
        subject.command,
    );
    for (name, text) in subject.resolved.sources.files() {
        fold(out, &format!("Scenario {name}"), text);
    }
    fold(out, "Plan, with the origin of every value", &listing(subject.resolved));
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
        facts.iter().for_each(|(term, words)| definition(out, term, words));
    });
}

fn fold(out: &mut Markup, title: &str, text: &str) {
    let end = text.match_indices('\n').nth(MOST - 1).map(|(at, _)| at + 1);
    out.element("details", &[], |out| {
        out.leaf("summary", &[], title);
        out.leaf("pre", &[("tabindex", "0")], &text[..end.unwrap_or(text.len())]);
        if end.is_some_and(|end| end < text.len()) {
            out.leaf("p", &[("class", "note")], &format!("Its first {MOST} lines; the file has all of it."));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn command_scenario_and_plan_are_there() {
        let (report, resolved) = (testing::report(), testing::resolved());
        let mut out = Markup::default();
        write(&mut out, &crate::page::testing::subject(&report, &resolved));
        let html = out.finish();
        for text in
            ["longwire run phone.yaml --seed 7", "Scenario phone.yaml", "# a phone &lt;and&gt; its server", "seed: 7"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    #[test]
    fn a_long_text_is_cut_with_a_note() {
        let mut out = Markup::default();
        fold(&mut out, "x", &"line\n".repeat(MOST + 1));
        let html = out.finish();
        assert!(html.matches("line\n").count() == MOST && html.contains("first 5000 lines"));
        let mut out = Markup::default();
        fold(&mut out, "x", &"line\n".repeat(MOST));
        assert!(!out.finish().contains("first 5000 lines"));
    }
}
