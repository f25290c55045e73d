//! Runs a suite: so many at a time, until all are through, one has failed, or somebody ends it.
//!
//! One thread waits for signals, of which the end of a run is one. So the suite takes no processor time from what it runs.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::case::Case;
use super::child::{Launch, Place, Running};
use super::identical::difference;
use super::outcome::{Outcome, Status};
use crate::host::signals::Requests;
use crate::run::clock::Clock;
use crate::run::out_dir::{self, OutDirError};
use crate::units::Duration;

/// How often a watcher hears what runs.
const TICK_MS: u16 = 500;

/// How a suite is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How each run is started.
    pub launch: Launch,
    /// How many run at a time, at least one. Runs beside each other compete for processors.
    pub jobs: usize,
    /// In virtual time: the processors to bind runs to, each to the one with the fewest. Empty: they are not bound.
    pub cpus: Vec<usize>,
    /// Start nothing more once one has failed.
    pub fail_fast: bool,
    /// Where each run leaves a folder that explains it.
    pub out: Option<PathBuf>,
    /// Where each run leaves a page for people.
    pub html: Option<PathBuf>,
}

/// Hears how a suite is doing.
pub trait Watcher {
    /// What runs now and for how long, twice a second and whenever that changes; how many are done of how many.
    fn runs(&mut self, now: &[(&Case, Duration)], done: usize, of: usize);
    /// One is over.
    fn ended(&mut self, outcome: &Outcome);
}

/// A suite that is over.
#[derive(Debug)]
pub struct Ended {
    /// One for each run, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Somebody ended it.
    pub interrupted: bool,
    /// How long all took together.
    pub took: Duration,
}

/// Runs all cases. Signals that end a program end the runs cleanly, the second time at once; they stay blocked in the calling
/// thread, so that what is written afterwards is written whole.
///
/// # Errors
/// Signals cannot be taken, or the folder for what explains the runs cannot be made.
pub fn run(cases: &[Case], options: &Options, watcher: &mut dyn Watcher) -> io::Result<Ended> {
    for folder in [&options.out, &options.html].into_iter().flatten() {
        fs::create_dir_all(folder)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot make {}: {error}", folder.display())))?;
    }
    // what is compared must be kept so long
    let compares = cases.iter().any(|case| case.repetition.is_some_and(|repetition| repetition.identical));
    let kept = (compares && options.out.is_none()).then(|| options.launch.scratch.join("kept"));
    let mask = mask();
    mask.thread_block()?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
    let mut suite = Suite {
        options,
        watcher,
        clock: Clock::start(),
        waiting: cases.iter().cloned().zip(places(cases, options, kept.as_deref())).enumerate().collect(),
        references: Vec::new(),
        keeps: options.out.is_some(),
        running: Vec::new(),
        done: cases.iter().map(|_| None).collect(),
        ends: 0,
        requests: Requests::default(),
        stopped: false,
    };
    suite.all(&signals)?;
    let took = suite.clock.now() - crate::units::Instant::from_nanos(0);
    let (done, interrupted) = (suite.done, suite.ends > 0);
    let outcomes =
        done.into_iter().zip(cases).map(|(done, case)| done.unwrap_or_else(|| Outcome::not_run(case.clone())));
    Ok(Ended { outcomes: outcomes.collect(), interrupted, took })
}

/// Folders for runs that longwire may not write to, and why; to be asked before anything runs.
pub fn refused(cases: &[Case], options: &Options) -> Vec<(PathBuf, OutDirError)> {
    if options.launch.beside {
        return Vec::new();
    }
    let folders = places(cases, options, None).into_iter().filter_map(|place| place.out);
    folders.filter_map(|out| Some((out.clone(), out_dir::check(&out).err()?))).collect()
}

fn mask() -> SigSet {
    let mut mask = SigSet::empty();
    mask.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD]);
    mask
}

/// What each run leaves, no two in the same place. `kept`: where, if nobody wants it later.
fn places(cases: &[Case], options: &Options, kept: Option<&Path>) -> Vec<Place> {
    let mut taken = BTreeSet::new();
    let mut place = |case: &Case| {
        let name = case.folder();
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| taken.insert(name.clone()));
        let name = free.unwrap_or(name);
        Place {
            out: options.out.as_deref().or(kept).map(|out| out.join(&name)),
            page: options.html.as_ref().map(|folder| folder.join(format!("{name}.html"))),
        }
    };
    cases.iter().map(&mut place).collect()
}

struct Suite<'a> {
    options: &'a Options,
    watcher: &'a mut dyn Watcher,
    clock: Clock,
    waiting: VecDeque<(usize, (Case, Place))>,
    running: Vec<(usize, Running)>,
    done: Vec<Option<Outcome>>,
    /// Of runs that must come out identical, the first of each that came to an end.
    references: Vec<(Case, PathBuf)>,
    /// What runs leave is kept.
    keeps: bool,
    /// How often somebody asked for the end.
    ends: u32,
    /// What signals have asked for.
    requests: Requests,
    /// Nothing more is started.
    stopped: bool,
}

impl Suite<'_> {
    fn all(&mut self, signals: &SignalFd) -> io::Result<()> {
        loop {
            while !self.stopped && self.running.len() < self.options.jobs.max(1) {
                let Some((at, (case, place))) = self.waiting.pop_front() else { break };
                let cpu = self.processor();
                match Running::start(case, &self.options.launch, place, cpu, &self.clock) {
                    Ok(running) => self.running.push((at, running)),
                    Err(outcome) => self.take(at, *outcome),
                }
            }
            if self.running.is_empty() {
                return Ok(());
            }
            self.show();
            self.wait(signals)?;
            self.finish();
        }
    }

    /// The processor with the fewest runs.
    fn processor(&self) -> Option<usize> {
        let runs = |cpu: usize| self.running.iter().filter(|(_, run)| run.cpu == Some(cpu)).count();
        self.options.cpus.iter().copied().min_by_key(|cpu| runs(*cpu))
    }

    fn show(&mut self) {
        let now = self.clock.now();
        let running: Vec<_> = self.running.iter().map(|(_, run)| (&run.case, run.runs_for(now))).collect();
        let done = self.done.iter().flatten().count();
        self.watcher.runs(&running, done, self.done.len());
    }

    /// Until a run may be over, or somebody asks for the end.
    fn wait(&mut self, signals: &SignalFd) -> io::Result<()> {
        let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(TICK_MS)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        while let Some(signal) = signals.read_signal()? {
            let signal = signal.ssi_signo;
            if signal != Signal::SIGCHLD as u32 && self.requests.counts(signal, std::time::Instant::now()) {
                self.end();
            }
        }
        Ok(())
    }

    /// The first time cleanly. A run that does not heed it, or hangs, is killed the second time: the kernel takes its network away.
    fn end(&mut self) {
        self.stopped = true;
        self.ends += 1;
        let signal = if self.ends == 1 { Signal::SIGINT } else { Signal::SIGKILL };
        self.running.iter().for_each(|(_, run)| run.signal(signal));
    }

    fn finish(&mut self) {
        let now = self.clock.now();
        for (at, mut run) in std::mem::take(&mut self.running) {
            match run.try_finish(now) {
                Some(outcome) => self.take(at, outcome),
                None => self.running.push((at, run)),
            }
        }
    }

    /// Compares a run with the first of those that it must be identical to.
    fn compare(&mut self, outcome: &mut Outcome) {
        let identical = |case: &Case| case.repetition.filter(|repetition| repetition.identical);
        if identical(&outcome.case).is_none() {
            return;
        }
        let Some(out) = (if self.keeps { outcome.out.clone() } else { outcome.out.take() }) else { return };
        if !matches!(outcome.status, Status::Pass | Status::None | Status::Fail | Status::Invalid) {
            // it has no result, which is said of it already
            return;
        }
        let first = self.references.iter().find(|(case, _)| case.repeats(&outcome.case));
        let Some((first, left)) = first else {
            self.references.push((outcome.case.clone(), out));
            return;
        };
        let number = identical(first).map_or(0, |repetition| repetition.number);
        match difference(left, &out) {
            Ok(None) => {}
            Ok(Some(difference)) => {
                outcome.status = Status::Fail;
                outcome.reasons.push(format!("not identical to run {number}: {difference}"));
            }
            Err(error) => {
                outcome.status = Status::Error;
                outcome.reasons.push(format!("it cannot be compared with run {number}: {error}"));
            }
        }
        if !self.keeps {
            // it goes at the end in any case: this frees its room
            let _ = fs::remove_dir_all(out);
        }
    }

    fn take(&mut self, at: usize, mut outcome: Outcome) {
        self.compare(&mut outcome);
        // INVALID says nothing about what is tested, so nothing has failed
        let failed = !outcome.status.is_good() && outcome.status != Status::Invalid;
        self.stopped |= self.options.fail_fast && failed;
        self.watcher.ended(&outcome);
        self.done[at] = Some(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::case::Repetition;
    use std::os::unix::fs::PermissionsExt as _;

    #[derive(Default)]
    struct Heard {
        most: usize,
        ended: Vec<String>,
    }

    impl Watcher for Heard {
        fn runs(&mut self, now: &[(&Case, Duration)], done: usize, of: usize) {
            self.most = self.most.max(now.len());
            assert!(done + now.len() <= of);
        }
        fn ended(&mut self, outcome: &Outcome) {
            self.ended.push(outcome.case.scenario.clone());
        }
    }

    /// A program in place of `longwire`, which passes, or fails where the file is called so.
    fn options(folder: &Path) -> Options {
        let program = folder.join("stand-in");
        let script = r#"#!/bin/sh
file=$2
while [ "$1" != --json ]; do shift; done
verdict=$(basename "$file" .yaml | tr -d 0-9)
echo "{ \"verdict\": \"$verdict\", \"reasons\": [\"because\"] }" > "$2"
sleep 0.05
case $verdict in pass) exit 0;; fail) exit 1;; invalid) exit 3;; esac
"#;
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let launch = Launch { program, retry_invalid: 0, scratch: folder.to_path_buf(), beside: false };
        Options { launch, jobs: 1, cpus: Vec::new(), fail_fast: false, out: None, html: None }
    }

    fn cases(names: &[&str]) -> Vec<Case> {
        let case =
            |name: &&str| Case { file: format!("{name}.yaml").into(), scenario: (*name).into(), ..Case::default() };
        names.iter().map(case).collect()
    }

    fn statuses(ended: &Ended) -> Vec<&'static str> {
        ended.outcomes.iter().map(|outcome| outcome.status.word()).collect()
    }

    #[test]
    fn all_run_in_order_one_at_a_time_or_several() {
        let folder = tempfile::tempdir().unwrap();
        for jobs in [1, 3] {
            let mut heard = Heard::default();
            let options = Options { jobs, ..options(folder.path()) };
            let ended = run(&cases(&["pass1", "fail", "invalid", "pass2"]), &options, &mut heard).unwrap();
            assert_eq!(statuses(&ended), ["PASS", "FAIL", "INVALID", "PASS"]);
            assert_eq!((heard.most, heard.ended.len(), ended.interrupted), (jobs, 4, false));
            if jobs == 1 {
                assert_eq!(heard.ended, ["pass1", "fail", "invalid", "pass2"]);
            }
        }
    }

    #[test]
    fn fail_fast_starts_nothing_after_a_failure_but_goes_on_after_invalid() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { fail_fast: true, ..options(folder.path()) };
        let all = cases(&["invalid", "fail", "pass", "fail"]);
        let ended = run(&all, &options, &mut Heard::default()).unwrap();
        assert_eq!(statuses(&ended), ["INVALID", "FAIL", "NOT RUN", "NOT RUN"]);
    }

    #[test]
    fn runs_are_spread_over_the_processors() {
        let folder = tempfile::tempdir().unwrap();
        // each stays until all of a round have written down where they are
        let script = r#"#!/bin/sh
while [ "$1" != --json ]; do shift; done
echo '{ "verdict": "pass" }' > "$2"
for word; do case $word in --cpu=*) echo "${word#--cpu=}" >> "$(dirname "$0")/cpus";; esac; done
while [ "$(wc -l < "$(dirname "$0")/cpus")" -lt 4 ]; do sleep 0.01; done
"#;
        let options = Options { jobs: 4, cpus: vec![3, 5, 9], ..options(folder.path()) };
        fs::write(&options.launch.program, script).unwrap();
        let ended = run(&cases(&["pass1", "pass2", "pass3", "pass4"]), &options, &mut Heard::default()).unwrap();
        assert_eq!(statuses(&ended), ["PASS"; 4]);
        let text = fs::read_to_string(folder.path().join("cpus")).unwrap();
        let mut cpus: Vec<&str> = text.lines().collect();
        cpus.sort_unstable();
        assert_eq!(cpus, ["3", "3", "5", "9"], "no second one while another is free");
    }

    #[test]
    fn identical_runs_that_differ_fail_and_say_where() {
        let folder = tempfile::tempdir().unwrap();
        // "odd" counts how often it ran
        let script = r#"#!/bin/sh
file=$2
while [ "$1" != --json ]; do shift; done
echo '{ "verdict": "pass" }' > "$2"
while [ "$1" != --out ]; do shift; done
mkdir -p "$2"
printf 'one\ntwo\n' > "$2/events.jsonl"
case $file in odd*) echo run >> "$0.count"; wc -l < "$0.count" >> "$2/events.jsonl";; esac
"#;
        let options = options(folder.path());
        fs::write(&options.launch.program, script).unwrap();
        let repetition = |number| Some(Repetition { number, of: 3, identical: true });
        let all: Vec<Case> = ["odd", "even"]
            .iter()
            .flat_map(|name| (1..=3).map(|n| Case { repetition: repetition(n), ..cases(&[name]).remove(0) }))
            .collect();
        for out in [None, Some(folder.path().join("out"))] {
            fs::write(folder.path().join("stand-in.count"), "").unwrap();
            let options = Options { out: out.clone(), ..options.clone() };
            let ended = run(&all, &options, &mut Heard::default()).unwrap();
            assert_eq!(statuses(&ended), ["PASS", "FAIL", "FAIL", "PASS", "PASS", "PASS"]);
            assert_eq!(ended.outcomes[2].reasons, ["not identical to run 1: events.jsonl, line 3: `1` / `3`"]);
            assert_eq!(crate::suite::exit_code(&ended.outcomes, false), 1);
            let kept = ended.outcomes.iter().filter(|outcome| outcome.out.as_ref().is_some_and(|out| out.is_dir()));
            assert_eq!(kept.count(), if out.is_some() { 6 } else { 0 });
        }
    }

    #[test]
    fn no_two_runs_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { out: Some("out".into()), html: Some("html".into()), ..options(folder.path()) };
        let places = places(&cases(&["a b", "a-b", "a/b", "c"]), &options, None);
        let names = |of: fn(&Place) -> &Option<PathBuf>| -> Vec<String> {
            places.iter().filter_map(|place| of(place).as_ref()).map(|path| path.display().to_string()).collect()
        };
        assert_eq!(names(|place| &place.out), ["out/a-b", "out/a-b-2", "out/a-b-3", "out/c"]);
        assert_eq!(names(|place| &place.page)[..2], ["html/a-b.html", "html/a-b-2.html"]);
    }
}
