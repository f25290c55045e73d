//! `longwire doctor`.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::paint::StatusLine;
use super::{Exit, paint};
use crate::host::probe;
use crate::run::lateness;
use crate::suite;
use crate::suite::calibrate::CalibrateError;

/// Try what longwire needs of this machine, and say the cure for what is missing
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Measure for some seconds how well this machine keeps up, and propose limits of validity for it
    #[arg(long)]
    calibrate: bool,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBT: Style = AnsiColor::Yellow.on_default().bold();

pub(super) fn main(args: &Args) -> Exit {
    // the probes fork, so they come before anything that could start a thread
    let probes = probe::all();
    let mut out = String::new();
    let width = probes.iter().map(|p| p.name.len()).chain(["timer".len()]).max().unwrap_or(0);
    let mut missing = false;
    for probe in &probes {
        let (style, mark, words) = match (&probe.outcome, probe.optional) {
            (Ok(found), _) => (GOOD, "ok  ", found.clone()),
            (Err(error), true) => {
                (DOUBT, "none", format!("{error} (needed for: {}; a run works without it)", probe.purpose))
            }
            (Err(error), false) => {
                missing = true;
                (BAD, "FAIL", format!("{error} (needed for: {})", probe.purpose))
            }
        };
        // writing into a String cannot fail
        let _ = writeln!(out, "{style}{mark}{style:#} {:width$}  {words}", probe.name);
    }
    let timer = lateness::measure();
    let style = if timer.is_fine() { GOOD } else { DOUBT };
    let mark = if timer.is_fine() { "ok  " } else { "slow" };
    let _ = writeln!(out, "{style}{mark}{style:#} {:width$}  {timer}", "timer");
    paint::print(&out);
    match (missing, args.calibrate) {
        (true, _) => Exit::Machine,
        (false, false) => Exit::Pass,
        (false, true) => calibrate(),
    }
}

fn calibrate() -> Exit {
    let mut line = StatusLine::new();
    let program = std::env::current_exe().map_err(CalibrateError::from);
    let result = program.and_then(|program| {
        let mut told = |what: &str| line.show(&format!("{what}, {} s …", suite::calibrate::SECONDS));
        suite::calibrate::calibrate(&program, &mut told)
    });
    drop(line);
    match result {
        Ok(calibration) => {
            paint::print(&format!("\n{calibration}"));
            Exit::Pass
        }
        Err(error) => {
            paint::complain(&error.to_string());
            Exit::Machine
        }
    }
}
