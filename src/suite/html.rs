//! A suite as a page: an index of the pages that its runs have written.

use std::path::Path;

use super::matrix;
use super::outcome::{Outcome, Status};
use super::runner::Ended;
use crate::page;
use crate::page::IndexEntry;
use crate::report::json::Verdict;

/// The index, to lie in the folder of the pages.
pub fn index(ended: &Ended) -> String {
    page::index(&ended.outcomes.iter().map(entry).collect::<Vec<_>>(), &matrix::matrices(&ended.outcomes))
}

fn entry(outcome: &Outcome) -> IndexEntry {
    let case = &outcome.case;
    let page = outcome.page.as_deref().and_then(Path::file_name);
    let reasons = match outcome.status {
        Status::NotRun => vec!["not run".to_owned()],
        _ => outcome.reasons.clone(),
    };
    IndexEntry {
        title: case.scenario.clone(),
        file: case.file.display().to_string(),
        verdict: verdict(outcome.status),
        word: outcome.status.word(),
        page: page.map(|page| page.to_string_lossy().into_owned()),
        duration_ns: outcome.took.as_nanos(),
        seed: case.seed,
        params: case.params.iter().map(|param| (param.name.clone(), param.text.clone())).collect(),
        reasons,
    }
}

pub(super) fn verdict(status: Status) -> Verdict {
    match status {
        Status::Pass => Verdict::Pass,
        Status::None | Status::NotRun => Verdict::None,
        Status::Fail => Verdict::Fail,
        Status::Invalid => Verdict::Invalid,
        Status::Input | Status::Error => Verdict::Error,
        Status::Interrupted => Verdict::Interrupted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::junit::tests::of_everything;

    #[test]
    fn every_run_is_listed_and_those_with_a_page_lead_to_it() {
        let mut ended = of_everything();
        ended.outcomes[2].page = Some("html/ci-chat-loss=5.html".into());
        let entries: Vec<IndexEntry> = ended.outcomes.iter().map(entry).collect();
        assert_eq!(entries[2].page.as_deref(), Some("ci-chat-loss=5.html"));
        assert_eq!((entries[2].verdict, entries[3].verdict), (Verdict::Fail, Verdict::Invalid));
        assert_eq!((entries[7].word, entries[7].reasons[0].as_str()), ("NOT RUN", "not run"));
        let page = index(&ended);
        for words in ["Chat", "Slow", "Never", "5%", "rtt.p99 &lt; 60ms"] {
            assert!(page.contains(words), "{words}");
        }
        assert_eq!(page.matches("href=\"./ci-chat").count(), 1, "one run has a page");
    }
}
