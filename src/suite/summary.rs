//! A suite as people read it on a terminal: a line when a run is over, and at the end what is not good, worst first.

use super::outcome::{Outcome, Status};
use super::plan::Plan;
use super::runner::Ended;
use crate::diag::printable::{BAD, DOUBT, FAINT, GOOD, Page, Printable, Style, putln};
use crate::units::Duration;

/// Lines of reasons that the summary shows of one run.
const SHOWN: usize = 8;

fn style(status: Status) -> Style {
    match status {
        Status::Pass => GOOD,
        Status::Invalid | Status::None => DOUBT,
        Status::NotRun => FAINT,
        Status::Fail | Status::Error | Status::Input | Status::Interrupted => BAD,
    }
}

/// What is about to run: how many, of how many, and what is left out. `jobs`: how many run at a time in virtual time.
pub fn begin(plan: &Plan, others: usize, shard: Option<String>, jobs: Option<usize>) -> Printable {
    let mut words = vec![many(plan.cases.len(), "run")];
    if let Some(jobs) = jobs {
        words[0].push_str(" in virtual time");
        words.push(format!("{jobs} at a time"));
    }
    if let Some(shard) = shard {
        words.push(format!("shard {shard} of {}", plan.of_all_shards));
    }
    if plan.of_all_shards != plan.unfiltered {
        words.push(format!("{} filtered out", plan.unfiltered - plan.of_all_shards));
    }
    if others > 0 {
        words.push(format!("{} without `longwire:` left out", many(others, "YAML file")));
    }
    let mut out = Page::new();
    // writing into a page cannot fail
    let _ = putln!(out, "{FAINT}{}{FAINT:#}", words.join(", "));
    for skipped in &plan.skipped {
        let _ = putln!(out, "{FAINT}SKIPPED  {}: {}{FAINT:#}", skipped.file.display(), skipped.why);
    }
    out.finish()
}

/// The line of a run that is over: `PASS     Chat [loss=5%]  3.2 s`.
pub fn line(outcome: &Outcome) -> Printable {
    let style = style(outcome.status);
    let attempts = if outcome.attempts > 1 { format!(", attempt {}", outcome.attempts) } else { String::new() };
    let mut out = Page::new();
    // writing into a page cannot fail
    let _ = putln!(
        out,
        "{style}{:7}{style:#}  {}  {FAINT}{}{attempts}{FAINT:#}",
        outcome.status.word(),
        outcome.case,
        seconds(outcome.took)
    );
    out.finish()
}

/// The end: each run that is not good, worst first, with the command that repeats it; then how many there are of each.
pub fn end(ended: &Ended) -> Printable {
    let mut out = Page::new();
    for outcome in worst_first(&ended.outcomes).filter(|o| !o.status.is_good() && o.status != Status::NotRun) {
        let style = style(outcome.status);
        let file = outcome.case.file.display();
        out.blank();
        // writing into a page cannot fail
        let _ = putln!(out, "{style}{:7}{style:#}  {}  {FAINT}{file}{FAINT:#}", outcome.status.word(), outcome.case);
        for reason in outcome.reasons.iter().take(SHOWN) {
            let _ = putln!(out, "         {reason}");
        }
        if outcome.reasons.len() > SHOWN {
            let _ = putln!(out, "         … and {} more", outcome.reasons.len() - SHOWN);
        }
        let _ = putln!(out, "         {FAINT}{}{FAINT:#}", outcome.case.command());
        if let Some(folder) = &outcome.out {
            let _ = putln!(out, "         {FAINT}{}{FAINT:#}", folder.display());
        }
    }
    let worst = worst_first(&ended.outcomes).next().map_or(Status::Pass, |outcome| outcome.status);
    let style = style(if ended.interrupted { Status::Interrupted } else { worst });
    let counts = counts(&ended.outcomes, ended.took);
    let interrupted = if ended.interrupted { "interrupted: " } else { "" };
    out.blank();
    let _ = putln!(out, "{style}{interrupted}{}{style:#}", counts_line(&counts));
    out.finish()
}

/// How many runs there are of each status, and how long they took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Of those statuses that there are.
    pub by_status: Vec<(Status, usize)>,
    /// All of them.
    pub all: usize,
    /// How long the suite took.
    pub took: Duration,
}

/// Counts runs.
pub fn counts(outcomes: &[Outcome], took: Duration) -> Counts {
    let of = |status: Status| outcomes.iter().filter(|outcome| outcome.status == status).count();
    let by_status = Status::ALL.into_iter().map(|status| (status, of(status))).filter(|(_, n)| *n > 0).collect();
    Counts { by_status, all: outcomes.len(), took }
}

/// Counts as one line: `1 fail, 3 pass of 4 runs in 12.3 s`.
pub fn counts_line(counts: &Counts) -> String {
    let words = |status: Status| match status {
        Status::Input => "with wrong input".to_owned(),
        Status::None => "without expectations".to_owned(),
        status => status.word().to_lowercase(),
    };
    let list: Vec<String> = counts.by_status.iter().map(|(status, n)| format!("{n} {}", words(*status))).collect();
    let list = if list.is_empty() { String::new() } else { format!("{} of ", list.join(", ")) };
    format!("{list}{} in {}", many(counts.all, "run"), seconds(counts.took))
}

/// Runs in the order in which people want to see them: worst first, else as they ran.
pub fn worst_first(outcomes: &[Outcome]) -> impl Iterator<Item = &Outcome> {
    Status::ALL.into_iter().flat_map(|status| outcomes.iter().filter(move |outcome| outcome.status == status))
}

/// To a tenth of a second.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn many(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::case::Case;
    use crate::suite::junit::tests::{of_everything, skipped};

    #[test]
    fn a_line_a_run_and_the_failures_first() {
        let suite = of_everything();
        let lines: String = suite.outcomes.iter().take(4).map(|outcome| line(outcome).plain()).collect();
        insta::assert_snapshot!(lines + &end(&suite).plain(), @r"
        PASS     DNS [seed 7]  3.2 s, attempt 2
        NONE     Idle  3.2 s
        FAIL     Chat [loss=5%]  3.2 s
        INVALID  Slow  3.2 s

        ERROR    Gone  ci/gone.yaml
                 cannot read gone.csv
                 longwire run ci/gone.yaml --seed 7

        FAIL     Chat [loss=5%]  ci/chat.yaml
                 expected `rtt.p99 < 60ms`, measured 80 ms
                 fetch: exit 7
                 longwire run ci/chat.yaml --param loss=5% --seed 7
                 out/chat

        ERROR    TAP  ci/tap.yml
                 cannot open /dev/net/tun
                 longwire run ci/tap.yml --seed 7

        INVALID  Slow  ./ci/slow.yaml
                 longwire did not run for 200ms
                 longwire run ./ci/slow.yaml --seed 7

        INTERRUPTED  Stopped  ci/stopped.yaml
                 it was interrupted
                 longwire run ci/stopped.yaml --seed 7

        1 with wrong input, 1 fail, 1 error, 1 invalid, 1 interrupted, 1 not run, 1 without expectations, 1 pass of 8 runs in 61.0 s
        ");
    }

    #[test]
    fn the_beginning_says_what_is_left_out() {
        let plan = Plan {
            cases: vec![Case::default(); 4],
            of_all_shards: 12,
            unfiltered: 20,
            skipped: skipped(),
            ..Plan::default()
        };
        assert_eq!(
            begin(&plan, 2, Some("1/3".into()), None).plain(),
            "4 runs, shard 1/3 of 12, 8 filtered out, 2 YAML files without `longwire:` left out\n\
             SKIPPED  ci/by-hand.yaml: stays up until Ctrl-C\n"
        );
        assert_eq!(
            begin(
                &Plan { cases: vec![Case::default()], of_all_shards: 1, unfiltered: 1, ..Plan::default() },
                0,
                None,
                Some(2)
            )
            .plain(),
            "1 run in virtual time, 2 at a time\n"
        );
    }

    #[test]
    fn an_empty_share_is_said_to_be_empty() {
        let ended = Ended { outcomes: Vec::new(), interrupted: false, took: Duration::ZERO };
        assert_eq!(end(&ended).plain(), "\n0 runs in 0.0 s\n");
    }
}
