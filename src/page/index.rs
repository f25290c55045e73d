//! A page over many runs, each with a page of its own: what failed comes first.

use indexmap::IndexMap;

use super::markup::Markup;
use super::matrix::{self, Matrix};
use super::verdict::{class, meaning, sign};
use super::{document, verdict};
use crate::report::json::Verdict;
use crate::report::terminal::seconds;

/// A run as the index lists it.
#[derive(Clone, Debug)]
pub struct IndexEntry {
    /// The scenario's name.
    pub title: String,
    /// The scenario's file, as it was given.
    pub file: String,
    /// What the run says, or what that is like for one that says nothing: it gives colour and order.
    pub verdict: Verdict,
    /// The word for it: [`Verdict::word`], or another (`NOT RUN`).
    pub word: &'static str,
    /// Its page, as seen from the index: `runs/dns-1/report.html`. `None` where there is none.
    pub page: Option<String>,
    /// How long it took, in ns.
    pub duration_ns: u64,
    /// The seed that repeats it.
    pub seed: u64,
    /// Parameters as they were used.
    pub params: IndexMap<String, String>,
    /// Why it is not a pass: one sentence each.
    pub reasons: Vec<String>,
}

/// From what people want to see first.
const ORDER: [Verdict; 6] =
    [Verdict::Error, Verdict::Fail, Verdict::Invalid, Verdict::Interrupted, Verdict::None, Verdict::Pass];

/// The whole page. `matrices`: the runs of each scenario beside each other.
pub fn index(entries: &[IndexEntry], matrices: &[Matrix]) -> String {
    let count = |verdict: Verdict| entries.iter().filter(|entry| entry.verdict == verdict).count();
    let worst = ORDER.into_iter().find(|verdict| count(*verdict) > 0).unwrap_or(Verdict::None);
    let title = match entries.len() {
        1 => "1 run".to_owned(),
        n => format!("{n} runs"),
    };
    document(&format!("{} · {title}", worst.word()), |out| {
        out.leaf("h1", &[], &title);
        out.element("section", &[("class", &format!("verdict {}", class(worst))), ("aria-label", "Verdict")], |out| {
            sign(out, worst);
            out.element("div", &[], |out| {
                out.leaf("h2", &[], worst.word());
                out.element("p", &[], |out| {
                    let mut counts: IndexMap<&str, usize> = IndexMap::new();
                    sorted(entries).iter().rev().for_each(|entry| *counts.entry(entry.word).or_default() += 1);
                    let words: Vec<String> = counts.iter().map(|(word, n)| format!("{n} {word}")).collect();
                    out.text(if words.is_empty() { "Nothing was run." } else { "" });
                    out.text(&words.join(" · "));
                });
            });
        });
        out.element("main", &[("id", "content")], |out| {
            matrix::write(out, matrices);
            out.element("section", &[], |out| {
                out.leaf("h2", &[], "Runs");
                table(out, entries);
            });
        });
    })
}

/// What failed first; alike ones in the order they came in.
fn sorted(entries: &[IndexEntry]) -> Vec<&IndexEntry> {
    let mut sorted: Vec<&IndexEntry> = entries.iter().collect();
    sorted.sort_by_key(|entry| ORDER.iter().position(|verdict| *verdict == entry.verdict));
    sorted
}

fn table(out: &mut Markup, entries: &[IndexEntry]) {
    out.element("div", &[("class", "scroll"), ("tabindex", "0"), ("role", "region"), ("aria-label", "Runs")], |out| {
        out.element("table", &[("class", "runs")], |out| {
            out.element("thead", &[], |out| {
                out.element("tr", &[], |out| {
                    for name in ["Verdict", "Scenario", "Parameters"] {
                        out.leaf("th", &[("scope", "col")], name);
                    }
                    out.leaf("th", &[("scope", "col"), ("class", "n")], "Seed");
                    out.leaf("th", &[("scope", "col"), ("class", "n")], "Duration");
                    out.leaf("th", &[("scope", "col")], "Why");
                });
            });
            out.element("tbody", &[], |out| sorted(entries).iter().for_each(|entry| row(out, entry)));
        });
    });
}

fn row(out: &mut Markup, entry: &IndexEntry) {
    out.element("tr", &[], |out| {
        out.element("td", &[], |out| {
            let class = format!("badge {}", verdict::class(entry.verdict));
            out.element("span", &[("class", &class), ("title", meaning(entry.verdict))], |out| {
                sign(out, entry.verdict);
                out.text(entry.word);
            });
        });
        out.element("th", &[("scope", "row")], |out| {
            match &entry.page {
                Some(page) => out.leaf("a", &[("href", &relative(page))], &entry.title),
                None => out.text(&entry.title),
            }
            out.element("div", &[], |out| out.leaf("small", &[], &entry.file));
        });
        out.element("td", &[], |out| {
            entry.params.iter().for_each(|(name, value)| out.leaf("div", &[], &format!("{name}={value}")));
        });
        out.leaf("td", &[("class", "n")], &entry.seed.to_string());
        let duration = i64::try_from(entry.duration_ns).unwrap_or(i64::MAX);
        out.leaf("td", &[("class", "n")], &seconds(duration));
        out.element("td", &[], |out| {
            entry.reasons.iter().for_each(|reason| out.element("div", &[], |out| verdict::spoken(out, reason)));
        });
    });
}

/// A path as a link that never leaves the folder: no scheme, and nothing of a URL's own characters.
fn relative(path: &str) -> String {
    let mut out = String::from("./");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::testing::well_formed;

    fn entry(title: &str, verdict: Verdict) -> IndexEntry {
        IndexEntry {
            title: title.into(),
            file: "ci/x.yaml".into(),
            verdict,
            word: verdict.word(),
            page: Some(format!("{title}/report.html")),
            duration_ns: 8_125_000_000,
            seed: 7,
            params: [("loss".to_owned(), "5%".to_owned())].into_iter().collect(),
            reasons: if verdict == Verdict::Pass { vec![] } else { vec!["rtt: <lost>".into()] },
        }
    }

    #[test]
    fn what_failed_comes_first_and_everything_is_counted() {
        let html =
            index(&[entry("good", Verdict::Pass), entry("slow", Verdict::Invalid), entry("bad", Verdict::Fail)], &[]);
        well_formed(&html);
        let place = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(place(">bad</a>") < place(">slow</a>") && place(">slow</a>") < place(">good</a>"));
        assert!(html.contains("1 PASS · 1 INVALID · 1 FAIL") && html.contains("verdict fail"), "{html}");
        assert!(html.contains("rtt: &lt;lost&gt;") && html.contains("loss=5%") && html.contains("8.125 s"));
    }

    #[test]
    fn what_was_not_run_says_so() {
        let html =
            index(&[IndexEntry { word: "NOT RUN", ..entry("x", Verdict::None) }, entry("y", Verdict::Pass)], &[]);
        assert!(html.contains("1 PASS · 1 NOT RUN") && html.contains("NOT RUN</span>"), "{html}");
    }

    #[test]
    fn links_stay_in_their_folder() {
        let odd = IndexEntry { page: Some("javascript:alert(1)/a b?c#ä.html".into()), ..entry("x", Verdict::Pass) };
        let html = index(&[odd], &[]);
        assert!(html.contains("href=\"./javascript%3Aalert%281%29/a%20b%3Fc%23%C3%A4.html\""), "{html}");
        let html = index(&[IndexEntry { page: None, ..entry("x", Verdict::Error) }], &[]);
        assert!(!html.contains("<a href=\"./"));
    }

    #[test]
    fn no_runs_are_a_page_too() {
        let html = index(&[], &[]);
        well_formed(&html);
        assert!(html.contains("Nothing was run."));
    }
}
