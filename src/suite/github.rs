//! A suite as GitHub shows it: annotations (workflow commands on standard output), and a summary of the job as Markdown.

use std::fmt::Write as _;
use std::path::Path;

use super::matrix;
use super::outcome::{Outcome, Status, Unmet};
use super::plan::Skipped;
use super::runner::Ended;
use super::summary;
use super::table::{self, escaped as cell};
use crate::language::files::{FileKind, Files as _};
use crate::run::Disk;

/// A line for each run that is not good, at the scenario's file; at the line of the expectation that does not hold, where it can
/// be found.
pub fn annotations(outcomes: &[Outcome]) -> String {
    let mut out = String::new();
    for outcome in outcomes.iter().filter(|o| !o.status.is_good() && o.status != Status::NotRun) {
        let text = Disk.read(&outcome.case.file, FileKind::Scenario).unwrap_or_default();
        out.push_str(&annotation(outcome, &text));
    }
    out
}

/// `file`: the text of the scenario.
fn annotation(outcome: &Outcome, file: &str) -> String {
    let line = outcome.unmet.iter().find_map(|unmet| line_of(file, unmet)).unwrap_or(1);
    let title = format!("{} {}", outcome.status.word(), outcome.case);
    let message = format!("{}\n{}", outcome.reasons.join("\n"), outcome.case.command());
    format!(
        "::error file={},line={line},title={}::{}\n",
        property(&relative(&outcome.case.file)),
        property(&title),
        data(&message)
    )
}

/// GitHub knows files by their path in the repository.
fn relative(path: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    let workspace = std::env::var_os("GITHUB_WORKSPACE");
    let inside = workspace.as_ref().and_then(|workspace| path.strip_prefix(workspace).ok());
    inside.unwrap_or(path).display().to_string()
}

/// The line, from 1, on which an expectation stands: as the report says, else where its text is, however it is quoted. A line
/// that the file does not have is one of a file that it uses.
fn line_of(file: &str, unmet: &Unmet) -> Option<usize> {
    let told =
        unmet.line.and_then(|line| usize::try_from(line).ok()).filter(|n| (1..=file.lines().count()).contains(n));
    let text = unmet.text.trim();
    let found = || file.lines().position(|line| line.contains(text)).filter(|_| !text.is_empty());
    told.or_else(|| found().map(|at| at + 1))
}

/// The message of a workflow command: one line.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a workflow command: it ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The summary of a job, in Markdown: a table, what is not good first.
pub fn job_summary(ended: &Ended, skipped: &[Skipped]) -> String {
    let mut out = String::new();
    let counts = summary::counts(&ended.outcomes, ended.took);
    // writing into a String cannot fail
    let _ = writeln!(out, "### longwire: {}\n", summary::counts_line(&counts));
    let _ = writeln!(out, "| | scenario | file | time | |\n|---|---|---|---|---|");
    for outcome in summary::worst_first(&ended.outcomes) {
        let _ = writeln!(
            out,
            "| {} {} | {} | {} | {} | {} |",
            mark(outcome.status),
            outcome.status.word(),
            cell(&outcome.case.to_string()),
            cell(&outcome.case.file.display().to_string()),
            summary::seconds(outcome.took),
            cell(&outcome.reasons.join("\n"))
        );
    }
    for skipped in skipped {
        let _ = writeln!(
            out,
            "| ⚪ SKIPPED | | {} | | {} |",
            cell(&skipped.file.display().to_string()),
            cell(&skipped.why)
        );
    }
    let again: Vec<_> =
        summary::worst_first(&ended.outcomes).filter(|o| !o.status.is_good()).map(|o| o.case.command()).collect();
    if !again.is_empty() {
        // a fence longer than any in the text cannot be ended by it
        let _ = writeln!(out, "\nAgain:\n\n````sh\n{}\n````", again.join("\n").replace("````", "` ` ` `"));
    }
    for matrix in matrix::matrices(&ended.outcomes).iter().filter(|matrix| matrix.is_worth_a_table()) {
        out.push('\n');
        out += &table::markdown(matrix);
    }
    out.push('\n');
    out
}

fn mark(status: Status) -> char {
    match status {
        Status::Pass => '✅',
        Status::None | Status::NotRun => '⚪',
        Status::Invalid => '⚠',
        Status::Fail | Status::Error | Status::Input | Status::Interrupted => '❌',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::junit::tests::{of_everything, skipped};

    #[test]
    fn annotations_point_at_the_expectation_and_are_one_line_each() {
        let suite = of_everything();
        let file = "longwire: 1\nexpect:\n  - fetch.exit == 0\n  - { name: x, that: \"rtt.p99 < 60ms\" }\n";
        assert_eq!(
            annotation(&suite.outcomes[2], file),
            "::error file=ci/chat.yaml,line=4,title=FAIL Chat [loss=5%25]::expected `rtt.p99 < 60ms`, measured 80 ms%0Afetch: exit 7%0A\
             longwire run ci/chat.yaml --param loss=5%25 --seed 7\n"
        );
        assert!(annotation(&suite.outcomes[2], "").contains(",line=1,"));
        let told = Unmet { text: "rtt.p99 < 60ms".into(), line: Some(2) };
        assert_eq!(line_of(file, &told), Some(2));
        assert_eq!(line_of(file, &Unmet { line: Some(99), ..told }), Some(4), "of a file that it uses");
        let all = annotations(&suite.outcomes);
        assert_eq!(all.lines().count(), 5, "{all}");
        assert!(all.lines().all(|line| line.starts_with("::error file=ci/")), "{all}");
    }

    #[test]
    fn a_name_cannot_end_a_property() {
        assert_eq!(property("a,b::c\r\n%"), "a%2Cb%3A%3Ac%0D%0A%25");
    }

    #[test]
    fn the_jobs_summary_has_the_failure_first_and_the_commands() {
        let text = job_summary(&of_everything(), &skipped());
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ")).collect();
        assert_eq!(rows.len(), 1 + 8 + 1, "{text}");
        assert!(rows[1].contains("ERROR | Gone") && rows[2].contains("FAIL | Chat [loss=5%]"), "{text}");
        assert!(rows[2].contains("expected `rtt.p99 &lt; 60ms`, measured 80 ms<br>fetch: exit 7"), "{}", rows[2]);
        assert!(text.contains("longwire run ci/chat.yaml --param loss=5% --seed 7"));
        assert_eq!(cell("a|b\n<c>"), "a\\|b<br>&lt;c>");
        assert!(!text.contains("| parameters |"), "every scenario ran once");
    }

    #[test]
    fn scenarios_with_several_runs_have_their_tables_in_the_jobs_summary() {
        let ended = Ended { outcomes: matrix::tests::by_loss(), ..of_everything() };
        let text = job_summary(&ended, &[]);
        assert!(text.contains("| loss=5% | 2 | ❌ 62 ms (58 ms to 66 ms), 1 of 2 hold |"), "{text}");
    }
}
