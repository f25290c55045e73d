//! Services and workloads: how each fared, what it measured, and what it wrote.

use indexmap::IndexMap;

use super::ProgramOutput;
use super::markup::Markup;
use crate::report::json::WorkloadReport;
use crate::report::measured::results;
use crate::report::terminal::{grouped, seconds};

/// Tasks in full at most; what failed is among them.
const MOST: usize = 300;
/// Tasks in view; those that failed always are.
const OPEN: usize = 8;

/// Of each a block; those that failed come first, with their output in view.
pub(super) fn write(
    out: &mut Markup,
    works: &IndexMap<String, WorkloadReport>,
    outputs: &IndexMap<String, ProgramOutput>,
) {
    let mut sorted: Vec<(&String, &WorkloadReport)> = works.iter().collect();
    sorted.sort_by_key(|(_, work)| work.ok);
    let left = sorted.len().saturating_sub(MOST);
    sorted.truncate(MOST);
    let failed = sorted.iter().filter(|(_, work)| !work.ok).count();
    let (open, folded) = sorted.split_at(sorted.len().min(OPEN.max(failed)));
    articles(out, open, outputs);
    if !folded.is_empty() {
        out.element("details", &[], |out| {
            out.leaf("summary", &[], &format!("{} more that did what was asked", folded.len()));
            articles(out, folded, outputs);
        });
    }
    if left > 0 {
        out.leaf("p", &[("class", "note")], &format!("{left} more are in the JSON report."));
    }
}

fn articles(out: &mut Markup, works: &[(&String, &WorkloadReport)], outputs: &IndexMap<String, ProgramOutput>) {
    for (name, work) in works {
        out.element("article", &[("class", if work.ok { "work" } else { "work failed" })], |out| {
            out.element("h4", &[], |out| {
                let (class, sign) = if work.ok { ("sign good", "✓ ok") } else { ("sign bad", "✗ failed") };
                out.leaf("span", &[("class", class)], sign);
                out.text(" ");
                out.leaf("span", &[("class", "name")], name);
                out.leaf("small", &[], &format!(" {} · {}", work.kind, facts(work)));
            });
            if let Some(reason) = &work.reason {
                out.leaf("p", &[("class", "reason")], reason);
            }
            for line in results(work) {
                out.leaf("p", &[], &line);
            }
            output(out, name, work, outputs.get(*name));
        });
    }
}

/// `client · exit 0 · 0 s to 8.1 s`.
fn facts(work: &WorkloadReport) -> String {
    let mut facts = vec![work.place.clone()];
    facts.extend(work.exit.map(|code| format!("exit {code}")));
    facts.push(match (work.started_ns, work.ended_ns) {
        (None, _) => "never started".into(),
        (Some(from), None) => format!("from {}", seconds(from)),
        (Some(from), Some(to)) => format!("{} to {}", seconds(from), seconds(to)),
    });
    facts.join(" · ")
}

/// What it wrote: as much as is known, folded unless it failed.
fn output(out: &mut Markup, name: &str, work: &WorkloadReport, whole: Option<&ProgramOutput>) {
    let last = work.output.join("\n");
    let text = whole.map_or(last.as_str(), |whole| whole.text.as_str());
    if text.trim().is_empty() {
        return;
    }
    let attributes: &[_] = if work.ok { &[] } else { &[("open", "open")] };
    out.element("details", attributes, |out| {
        out.leaf("summary", &[], &format!("Output of {name}"));
        let note = match whole {
            Some(whole) if whole.left_out > 0 => {
                format!("The end of it; {} bytes before that are in {}.", grouped(whole.left_out), whole.place)
            }
            Some(whole) => format!("All of it, as in {}.", whole.place),
            None if work.output.first().is_some_and(|line| line.starts_with('…')) => {
                "Its last lines; a run with `--out DIR` keeps all of it.".into()
            }
            None => String::new(),
        };
        if !note.is_empty() {
            out.leaf("p", &[("class", "note")], &note);
        }
        out.leaf("pre", &[("tabindex", "0")], &anstream::adapter::strip_str(text).to_string());
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn written(outputs: &IndexMap<String, ProgramOutput>) -> String {
        let mut out = Markup::default();
        write(&mut out, &testing::report().workloads, outputs);
        out.finish()
    }

    #[test]
    fn what_failed_comes_first_with_its_output_in_view() {
        let html = written(&IndexMap::new());
        assert!(html.find("✗ failed").unwrap() < html.find("✓ ok").unwrap(), "{html}");
        assert!(html.contains("it exited with 7") && html.contains("<details open=\"open\">"), "{html}");
        assert!(
            html.contains("a run with `--out DIR` keeps all of it") && html.contains("159 of 160 answered"),
            "{html}"
        );
        assert!(html.contains("&lt;/pre&gt;&lt;script&gt;") && !html.contains("<script"), "{html}");
    }

    #[test]
    fn the_whole_output_takes_the_place_of_its_last_lines_without_its_colours() {
        let output = ProgramOutput {
            text: "\u{1b}[31mred\u{1b}[0m & more".into(),
            left_out: 1_234,
            place: "programs/fetch.log".into(),
        };
        let html = written(&[("fetch".to_owned(), output)].into_iter().collect());
        assert!(html.contains("<pre tabindex=\"0\">red &amp; more</pre>"), "{html}");
        assert!(html.contains("1,234 bytes before that are in programs/fetch.log"), "{html}");
    }
}
