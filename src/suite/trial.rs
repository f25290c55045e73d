//! A kernel for virtual time, tried: booted twice with the same small run, which must leave the same bytes.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::identical::{Difference, difference};
use super::outcome::last_error;
use crate::run::clock::Clock;
use crate::units::Duration;

/// Two hosts, a round trip, a program: half a second of virtual time.
const SCENARIO: &str = "\
longwire: 1
name: Trial
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 10ms } }
workloads:
  rtt: { ping: { from: a, to: b, every: 100ms, count: 5 } }
  names: { in: b, command: [cat, /etc/hosts] }
expect: [rtt.min >= 20ms]
";

/// Why virtual time does not work here.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The run did not pass.
    #[error("{0}")]
    Run(String),
    /// Twice the same was not twice the same.
    #[error("two runs of the same scenario differ: {0}")]
    Differs(Difference),
    /// Files or processes cannot be made.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Runs a small scenario twice in virtual time, with `program` as `longwire` and files in `folder`; how long the faster one took by the machine's clock, from
/// start to end.
///
/// # Errors
/// A run did not pass, or they differ.
pub fn boot_twice(program: &Path, folder: &Path) -> Result<Duration, TrialError> {
    fs::write(folder.join("trial.yaml"), SCENARIO)?;
    let clock = Clock::start();
    let mut took = Vec::new();
    let runs = ["one", "two"].map(|name| folder.join(name));
    for out in &runs {
        let began = clock.now();
        run(program, folder, out)?;
        took.push(clock.now() - began);
    }
    match difference(&runs[0], &runs[1])? {
        Some(difference) => Err(TrialError::Differs(difference)),
        None => Ok(took.into_iter().min().unwrap_or_default()),
    }
}

fn run(program: &Path, folder: &Path, out: &Path) -> Result<(), TrialError> {
    let errors = folder.join("stderr");
    let status = Command::new(program)
        .args(["sim", "trial.yaml", "--out"])
        .arg(out)
        .arg(format!("--parent={}", std::process::id()))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&errors)?)
        .status()?;
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(&errors).unwrap_or_default();
    let why = last_error(&said).map(str::to_owned);
    Err(TrialError::Run(why.unwrap_or_else(|| format!("a small run in it did not pass: {status}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use std::os::unix::fs::PermissionsExt as _;

    fn with(script: &str) -> Result<Duration, TrialError> {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("stand-in");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        boot_twice(&program, folder.path())
    }

    #[test]
    fn the_scenario_is_one_and_runs_in_virtual_time() {
        let overrides = Overrides { virtual_time: true, ..Overrides::default() };
        assert!(load(Path::new("a.yaml"), &MemoryFiles::one("a.yaml", SCENARIO), &overrides).is_ok());
    }

    #[test]
    fn what_fails_or_differs_is_said() {
        let out = "while [ \"$1\" != --out ]; do shift; done; mkdir \"$2\"";
        assert!(with(&format!("{out}; echo same > \"$2/events.jsonl\"")).is_ok());
        let error = with(&format!("{out}; echo $$ > \"$2/events.jsonl\"")).unwrap_err();
        assert!(
            matches!(error, TrialError::Differs(_)) && error.to_string().contains("events.jsonl, line 1"),
            "{error}"
        );
        let error = with("echo 'error: ptrace is forbidden here' >&2; exit 4").unwrap_err();
        assert_eq!(error.to_string(), "ptrace is forbidden here");
        let error = with("exit 1").unwrap_err();
        assert!(error.to_string().contains("did not pass"), "{error}");
    }
}
