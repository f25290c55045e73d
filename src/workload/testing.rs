//! What the tests of the workloads share: sessions over pipes, with control lines at given times.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::os::fd::AsFd;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::error::Error;
use super::report::{Line, Progress};
use super::session::Session;

/// A job from its JSON.
pub(super) fn job<J: DeserializeOwned>(json: &str) -> J {
    serde_json::from_str(json).unwrap()
}

/// Runs over pipes that nobody writes or reads.
pub(super) fn run_with<R>(run: impl FnOnce(&mut Session<'_>) -> Result<R, Error>) -> Result<R, Error> {
    run_with_control(&[], run)
}

/// Runs with control lines that come after so many milliseconds each.
pub(super) fn run_with_control<R>(
    lines: &[(u64, &'static str)],
    run: impl FnOnce(&mut Session<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let (input, mut control) = pipe().unwrap();
    let (_out, output) = pipe().unwrap();
    let lines = lines.to_vec();
    let writer = thread::spawn(move || {
        for (after, line) in lines {
            thread::sleep(Duration::from_millis(after));
            // The run may be over.
            let _ = control.write_all(line.as_bytes());
        }
        control
    });
    let result = run(&mut Session::new(input.as_fd(), output.as_fd()).unwrap());
    drop(input);
    drop(writer.join());
    result
}

/// Runs on a thread in a network namespace of its own, where even `lo` is down. `None`, with a word about it, where that
/// is not allowed.
pub(super) fn in_empty_namespace<R: Send>(run: impl FnOnce() -> R + Send) -> Option<R> {
    thread::scope(|scope| {
        scope
            .spawn(|| match nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
                Ok(()) => Some(run()),
                Err(errno) => {
                    eprintln!("skipped: a network namespace of its own needs CAP_SYS_ADMIN ({})", errno.desc());
                    None
                }
            })
            .join()
            .unwrap()
    })
}

/// A whole workload as the supervisor sees it, on a thread.
pub(super) struct Process {
    pub(super) control: PipeWriter,
    out: BufReader<PipeReader>,
    thread: JoinHandle<i32>,
}

impl Process {
    pub(super) fn start(name: &'static str, job: serde_json::Value) -> Process {
        let (input, control) = pipe().unwrap();
        let (out, output) = pipe().unwrap();
        let thread = thread::spawn(move || super::run(name, &job.to_string(), input.as_fd(), output.as_fd()));
        Process { control, out: BufReader::new(out), thread }
    }

    fn line(&mut self) -> Line {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    /// Waits for the ready line.
    pub(super) fn port(&mut self) -> u16 {
        match self.line() {
            Line::Ready { port } => port,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn say(&mut self, line: &str) {
        writeln!(self.control, "{line}").unwrap();
    }

    /// Waits for a progress line that will do. They come once a second.
    pub(super) fn progress(&mut self, enough: impl Fn(Progress) -> bool) {
        loop {
            match self.line() {
                Line::Progress(progress) if enough(progress) => return,
                Line::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits for the end: the report, or the error's text.
    pub(super) fn end<R: DeserializeOwned>(mut self) -> Result<R, String> {
        loop {
            match self.line() {
                Line::Progress(_) => {}
                Line::Result(report) => {
                    assert_eq!(self.thread.join().unwrap(), 0);
                    // what stands below the name of the workload
                    let report = serde_json::to_value(report).unwrap();
                    let report = report.as_object().unwrap().values().next().unwrap();
                    return Ok(R::deserialize(report).unwrap());
                }
                Line::Error(text) => {
                    assert_eq!(self.thread.join().unwrap(), 1);
                    return Err(text);
                }
                Line::Ready { .. } => panic!("ready twice"),
            }
        }
    }
}
