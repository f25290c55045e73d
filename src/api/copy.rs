//! What the copy of a program does that holds a network: it runs the scenario as `longwire run` does, for its owner.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::cause_of;
use super::simulate;
use crate::diag::printable::Printable;
use crate::host::{message, probe, takeover};
use crate::language::files::MemoryFiles;
use crate::report::json::Report;
use crate::report::terminal;
use crate::run::live::Progress;
use crate::run::out_dir::{OutDir, OutDirError};
use crate::run::owner::{Cause, Owner, Told};
use crate::run::supervisor::run_for;
use crate::run::{Options, RunError, Watcher};
use crate::scenario::{Overrides, listing, load};
use crate::tasks::resolved::Resolved;
use crate::units::Duration;

/// What a copy is to become, in its environment.
pub(super) const WHAT: &str = "network";

takeover::before_main!(CONSTRUCTOR: WHAT => main);

/// The constructor that [`takeover::copy`] wants to see.
pub(super) fn constructor() -> takeover::Constructor {
    CONSTRUCTOR
}

/// What a copy is for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// To find out what this machine lacks.
    Try,
    /// To hold a network.
    Run(Orders),
    /// To run a whole scenario in virtual time.
    Simulate(Orders),
}

/// A scenario, with all that it was read from: what has been checked is what runs, whatever becomes of the files.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    pub(super) path: PathBuf,
    pub(super) files: BTreeMap<PathBuf, String>,
    pub(super) params: Vec<(String, String)>,
    pub(super) seed: Option<u64>,
    /// Where all that explains the run is left.
    pub(super) out: Option<PathBuf>,
}

impl Orders {
    /// The scenario, read once more.
    pub(super) fn resolved(&self, virtual_time: bool) -> Result<Resolved, Failure> {
        let overrides = Overrides { params: self.params.clone(), seed: self.seed, virtual_time };
        load(&self.path, &MemoryFiles(self.files.clone()), &overrides)
            .map_err(|_| (Cause::Broken, "the scenario reads differently a second time".to_owned()))
    }
}

/// Instead of the program's own `main`.
fn main(socket: OwnedFd) -> i32 {
    let told = message::send(&socket, &Told::Hello, &[]);
    let Ok(Some((order, _))) = told.and_then(|()| message::receive::<Order>(&socket)) else { return 1 };
    let mut owner = Owner::new(socket);
    let last = match order {
        Order::Try => Told::Lacks(lacks()),
        Order::Run(orders) => over(carry_out(&orders, &mut owner)),
        Order::Simulate(orders) => over(simulate::carry_out(&orders)),
    };
    i32::from(owner.tell(&last).is_err())
}

fn over(result: Result<Report, Failure>) -> Told {
    match result {
        Ok(report) => Told::Over(Box::new(report)),
        Err((cause, reason)) => Told::Failed { cause, reason },
    }
}

/// The first thing that hosts need and this machine does not give.
fn lacks() -> Option<String> {
    let missing = probe::all().into_iter().filter(|probe| !probe.optional);
    missing.filter_map(|probe| probe.outcome.err()).map(|error| error.to_string()).next()
}

pub(super) type Failure = (Cause, String);

fn carry_out(orders: &Orders, owner: &mut Owner) -> Result<Report, Failure> {
    let resolved = orders.resolved(false)?;
    let out = orders.out.as_ref().map(|path| explain(path, &resolved).map_err(|e| unwritten(path, &e))).transpose()?;
    let options = Options { out: out.clone(), file: orders.path.display().to_string(), ..Options::default() };
    let result = run_for(&resolved, options, &mut Quiet, Some(owner));
    if let Some(out) = &out {
        conclude(out, &result).map_err(|e| unwritten(out.path(), &e))?;
    }
    result.map_err(|error| (cause_of(&error), error.to_string()))
}

fn explain(path: &std::path::Path, resolved: &Resolved) -> Result<OutDir, OutDirError> {
    let out = OutDir::create(path, resolved, false)?;
    out.write("plan.yaml", Printable::lines(&listing(resolved)).as_str())?;
    Ok(out)
}

fn conclude(out: &OutDir, result: &Result<Report, RunError>) -> std::io::Result<()> {
    match result {
        Ok(report) => {
            let json = serde_json::to_string_pretty(report).map_err(std::io::Error::other)?;
            out.write("report.json", Printable::json(&(json + "\n")).as_str())?;
            out.write("report.txt", &terminal::render(report, terminal::View::default()).plain())?;
        }
        Err(error) => {
            let told = error.to_string().replace('\n', "\n  ");
            out.write("report.txt", Printable::lines(&format!("ERROR\n  {told}\n")).as_str())?;
        }
    }
    out.conclude()
}

pub(super) fn unwritten(path: &std::path::Path, error: &dyn std::fmt::Display) -> Failure {
    (Cause::Input, format!("cannot write to the directory {}: {error}", path.display()))
}

/// The owner hears of what it asked for, and of nothing else.
struct Quiet;

impl Watcher for Quiet {
    fn phase(&mut self, _: &str) {}
    fn progress(&mut self, _: Duration, _: Option<Duration>, _: &Progress) {}
}
