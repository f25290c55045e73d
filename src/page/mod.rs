//! A run as a page for people: one HTML file that loads nothing, runs nothing and needs nothing beside it. Pure functions
//! from a report, and the scenario that it is about, to text.
//!
//! | file | what |
//! |---|---|
//! | `markup` | elements and escaping: nothing else writes a tag around text from outside |
//! | `page.css` | the look: light, dark, paper |
//! | `verdict` `expectations` | the head: what the run says and why, what was tested, what was expected and measured |
//! | `tested` `timeline` | what was tested over time, and what happened when |
//! | `axis` `plot` `thin` | the time axis that all pictures share; plots by the library, in the page's colours |
//! | `phases` | from mark to mark |
//! | `charts` `histograms` | links over time; distributions of delays |
//! | `figure` | one chart as a picture of its own |
//! | `table` `directions` `nodes` `works` `validity` | what was counted |
//! | `source` | the machine, the command that repeats the run, the scenario, the plan |
//! | `index` `matrix` | a page over many runs; those of one scenario beside each other |

mod axis;
mod charts;
mod directions;
mod expectations;
pub mod figure;
mod histograms;
#[cfg(test)]
mod hostile_tests;
mod index;
pub(crate) mod markup;
pub mod matrix;
mod nodes;
mod phases;
mod plot;
mod source;
mod table;
mod tested;
#[cfg(test)]
mod testing;
mod thin;
mod timeline;
mod validity;
mod verdict;
mod works;

use indexmap::IndexMap;

use self::axis::Axis;
use self::markup::Markup;
use crate::draw::topology;
use crate::report::json::Report;
use crate::tasks::resolved::Resolved;

pub use index::{IndexEntry, index};

const STYLE: &str = include_str!("page.css");

/// Nothing may be loaded and nothing run, whatever text a page holds.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// Columns of the drawing that fit into the page.
const COLUMNS: usize = 124;

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The run.
    pub report: &'a Report,
    /// The scenario as it was resolved for it.
    pub resolved: &'a Resolved,
    /// The command that repeats it.
    pub command: &'a str,
    /// What services and workloads wrote, by name, where more is known than the last lines in the report.
    pub outputs: &'a IndexMap<String, ProgramOutput>,
    /// A page over several runs that lists this one, as seen from this page.
    pub index: Option<&'a str>,
}

/// What a program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramOutput {
    /// The end of it, or all.
    pub text: String,
    /// Bytes before that.
    pub left_out: u64,
    /// Where all of it is, in words for people: `programs/fetch.log`.
    pub place: String,
}

/// The page of a run.
pub fn page(subject: &Subject<'_>) -> String {
    let report = subject.report;
    let title = format!("{} · {}", report.verdict.word(), report.scenario);
    document(&title, |out| {
        let sections = sections(subject);
        verdict::write(out, subject);
        out.element("nav", &[("aria-label", "Sections")], |out| {
            out.element("ul", &[], |out| {
                for Section { id, title, .. } in &sections {
                    let to = format!("#{id}");
                    out.element("li", &[], |out| out.leaf("a", &[("href", &to)], title));
                }
            });
        });
        out.element("main", &[("id", "content")], |out| {
            for Section { id, title, class, inside } in sections {
                let heading = format!("{id}-title");
                let attributes = [("id", id), ("class", class), ("aria-labelledby", heading.as_str())];
                out.element("section", &attributes, |out| {
                    out.leaf("h2", &[("id", &heading)], title);
                    out.own(&inside.finish());
                });
            }
        });
    })
}

/// A section whose content is made already.
struct Section {
    id: &'static str,
    title: &'static str,
    class: &'static str,
    inside: Markup,
}

/// All sections that have something to say, in the order of the page.
fn sections(subject: &Subject<'_>) -> Vec<Section> {
    let report = subject.report;
    let axis = Axis::of(report);
    let mut sections = Vec::new();
    let mut add = |id, title, class, write: &dyn Fn(&mut Markup)| {
        let mut inside = Markup::default();
        write(&mut inside);
        if !inside.is_empty() {
            sections.push(Section { id, title, class, inside });
        }
    };
    add("tested", "What was tested", "", &|out| tested::write(out, report, &axis));
    add("phases", "Phases", "", &|out| phases::write(out, report));
    add("work", "Services and workloads", "", &|out| {
        for (title, works) in [("Workloads", &report.workloads), ("Runs", &report.runs), ("Services", &report.services)]
        {
            if !works.is_empty() {
                out.leaf("h3", &[], title);
                works::write(out, works, subject.outputs);
            }
        }
    });
    add("network", "Network", "topology", &|out| {
        let around =
            [("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Drawing of the network")];
        let drawing = topology::svg::draw(&topology::graph(subject.resolved), COLUMNS);
        out.element("div", &around, |out| out.own(&drawing));
        if report.directions.iter().any(|direction| !direction.changes.is_empty()) {
            out.leaf("p", &[("class", "note")], "Links are drawn as they were at first.");
        }
        directions::write(out, report);
    });
    add("links", "Links over time", "", &|out| charts::write(out, report, &axis));
    add("delays", "How delays were distributed", "", &|out| histograms::write(out, report));
    add("nodes", "Nodes and interfaces", "", &|out| nodes::write(out, report));
    add("validity", "Validity", "", &|out| validity::write(out, report));
    add("repeat", "Machine, seed and command", "", &|out| source::write(out, subject));
    sections
}

/// A whole document around `inside`.
fn document(title: &str, inside: impl FnOnce(&mut Markup)) -> String {
    let mut out = Markup::default();
    out.own("<!DOCTYPE html>\n");
    out.element("html", &[("lang", "en")], |out| {
        out.element("head", &[], |out| {
            out.void("meta", &[("charset", "utf-8")]);
            out.void("meta", &[("http-equiv", "Content-Security-Policy"), ("content", POLICY)]);
            out.void("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
            out.void("meta", &[("name", "color-scheme"), ("content", "light dark")]);
            // or a browser asks whoever serves the page for one
            out.void("link", &[("rel", "icon"), ("href", "data:,")]);
            out.leaf("title", &[], title);
            out.element("style", &[], |out| out.own(STYLE));
        });
        out.element("body", &[], |out| {
            out.element("div", &[("class", "page")], |out| {
                out.leaf("a", &[("class", "skip"), ("href", "#content")], "Skip to the content");
                inside(out);
                out.leaf("footer", &[], concat!("longwire ", env!("CARGO_PKG_VERSION")));
            });
        });
    });
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::testing::{subject, well_formed};
    use super::*;
    use crate::report::testing;

    fn whole(report: &Report) -> String {
        let resolved = testing::resolved();
        page(&subject(report, &resolved))
    }

    #[test]
    fn a_rich_report_has_every_section_in_order() {
        let html = whole(&testing::report());
        let document = well_formed(&html);
        let document = roxmltree::Document::parse(&document).unwrap();
        let main = document.descendants().find(|node| node.has_tag_name("main")).unwrap();
        let titles: Vec<&str> = main
            .children()
            .filter(|node| node.has_tag_name("section"))
            .filter_map(|section| section.children().find(|node| node.has_tag_name("h2"))?.text())
            .collect();
        assert_eq!(
            titles,
            [
                "What was tested",
                "Services and workloads",
                "Network",
                "Links over time",
                "How delays were distributed",
                "Nodes and interfaces",
                "Validity",
                "Machine, seed and command"
            ]
        );
        let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
        let different: std::collections::BTreeSet<&&str> = ids.iter().collect();
        assert_eq!(ids.len(), different.len(), "{ids:?}");
        let mut links = document.descendants().filter_map(|node| node.attribute("href")?.strip_prefix('#'));
        assert!(links.all(|to| ids.contains(&to)), "a link to nowhere");
    }

    #[test]
    fn it_loads_nothing_and_runs_nothing() {
        let html = whole(&testing::report());
        let document = well_formed(&html);
        let document = roxmltree::Document::parse(&document).unwrap();
        for node in document.descendants().filter(roxmltree::Node::is_element) {
            let name = node.tag_name().name();
            assert!(!["script", "img", "image", "iframe", "object", "embed", "use", "base", "form"].contains(&name));
            for attribute in node.attributes() {
                let (key, value) = (attribute.name(), attribute.value());
                assert!(!key.starts_with("on") && key != "src" && key != "style", "{name} {key}={value}");
                assert!(key != "href" || value.starts_with('#') || value == "data:,", "{name} {key}={value}");
            }
        }
        for loads in ["@import", "url(", "@font-face", "<script"] {
            assert!(!STYLE.contains(loads) && !html.contains(loads), "{loads}");
        }
        assert!(!STYLE.contains('<') && !STYLE.contains('&'), "read alike by HTML and XML");
    }

    #[test]
    fn hostile_texts_stay_texts_wherever_they_stand() {
        let hostile = "</pre></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt;\u{1}\u{202e}";
        let mut report = testing::report();
        let plain = whole(&report);
        let everywhere = |text: &mut String| text.push_str(hostile);
        everywhere(&mut report.scenario);
        everywhere(&mut report.file);
        report.params.insert(hostile.into(), hostile.into());
        report.reasons.push(hostile.into());
        for direction in &mut report.directions {
            [&mut direction.link, &mut direction.from, &mut direction.to].into_iter().for_each(everywhere);
            direction.unmatched.push(hostile.into());
        }
        for node in &mut report.nodes {
            everywhere(&mut node.name);
            node.firewall.iter_mut().for_each(|rule| everywhere(&mut rule.rule));
        }
        report.ports.iter_mut().for_each(|port| everywhere(&mut port.interface));
        for (_, work) in report.workloads.iter_mut().chain(&mut report.services) {
            everywhere(&mut work.place);
            work.output.push(hostile.into());
            work.reason = work.reason.take().map(|reason| reason + hostile);
        }
        let works = std::mem::take(&mut report.workloads);
        report.workloads = works.into_iter().map(|(name, work)| (name + hostile, work)).collect();
        report.events.iter_mut().for_each(|event| everywhere(&mut event.what));
        report.events.iter_mut().for_each(|event| event.mark = event.mark.take().map(|mark| mark + hostile));
        report.not_reached.iter_mut().for_each(|left| everywhere(&mut left.what));
        report.validity.reasons.push(hostile.into());
        report.timing.refused.push(hostile.into());
        everywhere(&mut report.machine.kernel);
        for way in &mut report.series.as_mut().unwrap().directions {
            [&mut way.link, &mut way.from, &mut way.to].into_iter().for_each(everywhere);
        }
        let html = whole(&report);
        let document = well_formed(&html);
        let document = roxmltree::Document::parse(&document).unwrap();
        assert!(!html.contains("<script") && !html.contains("<img") && !html.contains(['\u{1}', '\u{202e}']));
        let elements = |text: &str| text.matches("</").count() + text.matches("/>").count();
        // a few more lines of text, and not one element out of a text
        assert!(elements(&html) < elements(&plain) + 60, "{} {}", elements(&html), elements(&plain));
        let seen: String = document.descendants().filter_map(|node| node.text()).collect();
        assert!(seen.matches("</style><script>alert(1)</script>").count() > 40);
    }

    #[test]
    fn a_run_that_never_began_has_a_page() {
        let mut report = testing::report();
        report.duration_ns = 0;
        report.series = None;
        report.events.clear();
        report.workloads.iter_mut().for_each(|(_, work)| (work.started_ns, work.ended_ns) = (None, None));
        report.directions.iter_mut().for_each(|d| (d.delay_ns, d.delay_histogram) = (None, None));
        let html = whole(&report);
        well_formed(&html);
        assert!(!html.contains("id=\"links\"") && html.contains("never started"));
    }
}
