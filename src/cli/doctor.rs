//! `longwire doctor`.

use std::path::Path;
use std::{env, io};

use super::paint::StatusLine;
use super::{Exit, paint};
use crate::diag::printable::{BAD, DOUBT, GOOD, Page, Printable, putln};
use crate::host::{self, Scratch, probe};
use crate::run::lateness;
use crate::sim::kernel;
use crate::suite;
use crate::suite::calibrate::CalibrateError;

/// Try what longwire needs of this machine, and say the cure for what is missing
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Measure for some seconds how well this machine keeps up, and propose limits of validity for it
    #[arg(long)]
    calibrate: bool,
    /// Give network interfaces back that a run had taken and that was killed with all of its processes; nothing else is done
    #[arg(long, conflicts_with = "calibrate")]
    restore: bool,
}

pub(super) fn main(args: &Args) -> Exit {
    if args.restore {
        return restore();
    }
    // the probes fork, so they come before anything that could start a thread
    let probes = probe::all();
    let mut out = Page::new();
    let width = probes.iter().map(|p| p.name.len()).chain(["timer".len()]).max().unwrap_or(0);
    let mut missing = false;
    for probe in &probes {
        missing |= probe.outcome.is_err() && !probe.optional;
        let outcome = probe.outcome.as_ref().map_err(ToString::to_string);
        line(&mut out, width, probe.name, probe.purpose, probe.optional, outcome);
    }
    // it forks too
    let scratch = Scratch::make(&env::temp_dir());
    let folder = || scratch.as_ref().map(Scratch::path).map_err(ToString::to_string);
    let trial = folder().and_then(virtual_time);
    line(&mut out, width, "virtual time", "longwire sim", true, trial.as_ref().map_err(Clone::clone));
    let timer = lateness::measure();
    let style = if timer.is_fine() { GOOD } else { DOUBT };
    let mark = if timer.is_fine() { "ok  " } else { "slow" };
    let _ = putln!(out, "{style}{mark}{style:#} {:width$}  {timer}", "timer");
    paint::print(&out.finish());
    match (missing, args.calibrate) {
        (true, _) => Exit::Machine,
        (false, false) => Exit::Pass,
        (false, true) => calibrate(folder().map_err(io::Error::other)),
    }
}

fn restore() -> Exit {
    match host::restore_abandoned() {
        Ok(names) => {
            let mut out = Page::new();
            for name in &names {
                let _ = putln!(out, "{name} is as it was before its run");
            }
            if names.is_empty() {
                let _ = putln!(out, "no interface is to be given back");
            }
            paint::print(&out.finish());
            Exit::Pass
        }
        Err(error) => {
            paint::complain(&format!("cannot give interfaces back: {error}; run it with sudo"));
            Exit::Machine
        }
    }
}

/// What was tried, and what came of it.
fn line(out: &mut Page, width: usize, name: &str, purpose: &str, optional: bool, outcome: Result<&String, String>) {
    let (style, mark, words) = match (outcome, optional) {
        (Ok(found), _) => (GOOD, "ok  ", found.clone()),
        (Err(error), true) => (DOUBT, "none", format!("{error} (needed for: {purpose}; a run works without it)")),
        (Err(error), false) => (BAD, "FAIL", format!("{error} (needed for: {purpose})")),
    };
    // writing into a page cannot fail
    let _ = putln!(out, "{style}{mark}{style:#} {name:width$}  {words}");
}

/// Boots the kernel for virtual time twice, with a run in it.
fn virtual_time(folder: &Path) -> Result<String, String> {
    let kernel = kernel::find().map_err(|error| first_line(&error.to_string()))?;
    let program = env::current_exe().map_err(|error| format!("cannot find this program on the disk: {error}"))?;
    let mut status = StatusLine::new();
    status.show("booting the kernel for virtual time, twice …");
    let took = suite::trial::boot_twice(&program, folder).map_err(|error| {
        let error = first_line(&error.to_string());
        format!("{}: {error}", kernel.path.display())
    });
    drop(status);
    let took = took?.as_secs_f64();
    Ok(format!("{} boots, runs and ends in {took:.1} s, twice the same", kernel.path.display()))
}

/// The first line of an error says what to do; what follows are details.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn calibrate(folder: io::Result<&Path>) -> Exit {
    let mut line = StatusLine::new();
    let program = folder.and_then(|folder| Ok((folder, env::current_exe()?))).map_err(CalibrateError::from);
    let result = program.and_then(|(folder, program)| {
        let mut told = |what: &str| line.show(&format!("{what}, {} s …", suite::calibrate::SECONDS));
        suite::calibrate::calibrate(&program, folder, &mut told)
    });
    drop(line);
    match result {
        Ok(calibration) => {
            paint::print(&Printable::lines(&format!("\n{calibration}")));
            Exit::Pass
        }
        Err(error) => {
            paint::complain(&error.to_string());
            Exit::Machine
        }
    }
}
