//! Variants measured in turn: every repetition runs each of them once, so that what the machine does meanwhile meets all.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::child;
use super::emulator;
use super::job::{Carrier, Job, Measured, Outcome, Stop};

/// Beyond the traffic's own time, what a measurement may take.
const SLACK: Duration = Duration::from_secs(30);

/// One row to be.
pub(crate) struct Variant {
    /// What people read.
    pub(crate) name: String,
    /// What is measured.
    pub(crate) job: Job,
}

/// A variant, and what its repetitions found.
pub(crate) struct Series {
    /// What people read.
    pub(crate) name: String,
    outcomes: Vec<Outcome>,
}

/// Measures all variants, `repeat` times in turn. What this machine lacks is not tried again.
pub(crate) fn take(section: &str, variants: Vec<Variant>, repeat: u32) -> Vec<Series> {
    let mut series: Vec<Series> =
        variants.iter().map(|variant| Series { name: variant.name.clone(), outcomes: Vec::new() }).collect();
    for round in 1..=repeat {
        for (variant, series) in variants.iter().zip(&mut series) {
            if series.missing().is_some() {
                continue;
            }
            eprintln!("{section} {round}/{repeat}: {}", variant.name);
            let outcome = Outcome::from(measure(&variant.job));
            match &outcome {
                Outcome::Failed(why) => eprintln!("  failed: {why}"),
                Outcome::Missing(what) => eprintln!("  left out: {what}"),
                Outcome::Measured(measured) if !measured.invalid.is_empty() => {
                    eprintln!("  longwire says INVALID: {}", measured.invalid.join("; "));
                }
                Outcome::Measured(_) => {}
            }
            series.outcomes.push(outcome);
        }
    }
    series
}

fn measure(job: &Job) -> Result<Measured, Stop> {
    if let Carrier::Longwire(link) = &job.carrier {
        return emulator::measure(link, &job.traffic, SLACK);
    }
    let mut command: Command = super::own_program();
    command.args(["--part", "carry", "--job", &std::process::id().to_string()]);
    let scratch = match job.carrier {
        Carrier::Wirefilter(_) => Some(scratch()?),
        _ => None,
    };
    if let Some(scratch) = &scratch {
        command.env(super::SCRATCH, scratch.path());
    }
    let text = serde_json::to_string(job).map_err(Stop::at("writing a job"))?;
    let ended = child::run(command, &text, SLACK, false)?;
    match serde_json::from_str(&ended.output).map_err(Stop::at("reading a measurement"))? {
        Outcome::Measured(measured) => Ok(measured),
        Outcome::Missing(what) => Err(Stop::Missing(what)),
        Outcome::Failed(why) => Err(Stop::Failed(why)),
    }
}

/// A directory for sockets that have to have a path. It lies in the build's own, in case this program is killed
/// meanwhile; elsewhere only for a user who may not write there.
fn scratch() -> Result<TempDir, Stop> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .or_else(|_| tempfile::tempdir())
        .map_err(Stop::at("making a directory for sockets"))
}

impl Series {
    /// A value of each repetition; `None` where there is none.
    pub(crate) fn values(&self, of: impl Fn(&Measured) -> Option<f64>) -> Vec<Option<f64>> {
        let value = |outcome: &Outcome| match outcome {
            Outcome::Measured(measured) => of(measured),
            Outcome::Missing(_) | Outcome::Failed(_) => None,
        };
        self.outcomes.iter().map(value).collect()
    }

    /// What this machine lacks for it.
    pub(crate) fn missing(&self) -> Option<&str> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Missing(what) => Some(what.as_str()),
            _ => None,
        })
    }

    /// Repetitions that broke.
    pub(crate) fn failures(&self) -> usize {
        self.outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count()
    }

    /// What is wrong with the numbers, for the row's last cell.
    pub(crate) fn remarks(&self) -> String {
        let n = self.outcomes.len();
        let invalid = self.values(|measured| (!measured.invalid.is_empty()).then_some(1.0)).iter().flatten().count();
        let missing = self.missing().map(String::from);
        let failed = Some(self.failures()).filter(|f| *f > 0).map(|f| format!("{f} of {n} failed"));
        let invalid = Some(invalid).filter(|i| *i > 0).map(|i| format!("{i} of {n} INVALID"));
        [missing, failed, invalid].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// Everything, for programs.
    pub(crate) fn json(&self) -> Value {
        json!({ "name": self.name, "repetitions": self.outcomes })
    }
}
