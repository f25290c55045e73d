//! Whatever texts from outside hold, what people read keeps its form.

use proptest::prelude::*;

use crate::diag::printable::is_printable;
use crate::page::testing::well_formed;
use crate::report::json::Report;
use crate::report::terminal::{self, View};
use crate::report::testing;

/// A report with a text from outside wherever there can be one.
fn filled(text: &str) -> Report {
    let mut report = testing::report();
    let fill = |place: &mut String| *place = text.to_owned();
    fill(&mut report.scenario);
    fill(&mut report.file);
    report.params.insert("p".into(), text.into());
    report.reasons = vec![text.into()];
    report.warnings = vec![text.into()];
    for direction in &mut report.directions {
        [&mut direction.link, &mut direction.from, &mut direction.to].into_iter().for_each(fill);
        direction.unmatched.push(text.into());
    }
    for node in &mut report.nodes {
        fill(&mut node.name);
        node.firewall.iter_mut().for_each(|rule| fill(&mut rule.rule));
    }
    report.ports.iter_mut().for_each(|port| [&mut port.host, &mut port.interface].into_iter().for_each(fill));
    for (_, work) in report.workloads.iter_mut().chain(&mut report.services).chain(&mut report.runs) {
        fill(&mut work.place);
        work.output = vec![text.into()];
        work.reason = Some(text.into());
        work.ok = false;
    }
    let works = std::mem::take(&mut report.workloads);
    report.workloads = works.into_iter().map(|(name, work)| (name + text, work)).collect();
    for one in &mut report.expectations {
        one.name = Some(text.into());
        fill(&mut one.text);
        one.judged.measured = Some(text.into());
        one.members.iter_mut().for_each(|member| fill(&mut member.name));
    }
    report.events.iter_mut().for_each(|event| {
        fill(&mut event.what);
        event.mark = event.mark.as_ref().map(|_| text.into());
    });
    report.not_reached.iter_mut().for_each(|left| fill(&mut left.what));
    report.validity.reasons = vec![text.into()];
    report.timing.refused = vec![text.into()];
    report.captures.iter_mut().for_each(|capture| capture.reason = Some(text.into()));
    fill(&mut report.machine.kernel);
    report
}

/// Texts of characters of all kinds, and of those that have done harm.
fn hostile() -> impl Strategy<Value = String> {
    let bad = "\n\r\t\x1b\x07\x7f\0[m;\u{9b}\u{85}\u{202e}\u{2066}\u{200b}\u{2028}\u{feff}\u{fdd0}\u{fdd3}\u{e000}<&>\"']]>:# -";
    let bad = prop::sample::select(bad.chars().collect::<Vec<_>>());
    prop::collection::vec(prop_oneof![2 => bad, 1 => any::<char>()], 0..24).prop_map(String::from_iter)
}

/// So wide that no text changes how lines are laid out.
const VIEW: View = View { verbose: true, columns: Some(100_000) };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_breaks_a_report(text in hostile()) {
        let report = filled(&text);
        let shown = terminal::render(&report, VIEW);
        let plain = shown.plain();
        prop_assert!(plain.chars().all(|c| c == '\n' || is_printable(c)), "{:?}", plain);
        let usual = terminal::render(&filled("x"), VIEW).plain();
        prop_assert_eq!(plain.lines().count(), usual.lines().count());
        // without its styles nothing is left that a terminal would obey
        let escapes = |text: &str| text.matches('\x1b').count();
        prop_assert_eq!(escapes(shown.as_str()), escapes(terminal::render(&filled("x"), VIEW).as_str()));
        let resolved = testing::resolved();
        let page = super::page(&super::testing::subject(&report, &resolved));
        let page = well_formed(&page);
        let document = roxmltree::Document::parse(&page).map_err(|error| TestCaseError::fail(error.to_string()))?;
        for node in document.descendants() {
            let texts = node.attributes().map(|attribute| attribute.value()).chain(node.text());
            for text in texts {
                prop_assert!(text.chars().all(|c| matches!(c, '\n' | '\t') || is_printable(c)), "{:?}", text);
            }
        }
    }
}
