//! One run in virtual time, and many.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

/// The program that is measured: this package's, unless another is named, as in `LONGWIRE_PROGRAM=/usr/bin/longwire`.
fn longwire() -> String {
    std::env::var("LONGWIRE_PROGRAM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_longwire").to_owned())
}

/// Runs a scenario, `subcommand` being `sim` or `run`, and returns its report.
pub(crate) fn run(subcommand: &str, scenario: &str, seed: u64, cpu: Option<usize>) -> Result<Value, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let file = folder.path().join("scenario.yaml");
    fs::write(&file, scenario).map_err(|e| e.to_string())?;
    run_file(subcommand, &file, seed, cpu).map_err(|error| format!("{error} of\n{scenario}"))
}

/// The same with a file. What a live run measured counts, also where the machine was too slow for a verdict.
pub(crate) fn run_file(subcommand: &str, file: &Path, seed: u64, cpu: Option<usize>) -> Result<Value, String> {
    let mut command = Command::new(longwire());
    command.arg(subcommand).arg(file).args(["--json", "-", "--seed", &seed.to_string()]).stdin(Stdio::null());
    if let Some(cpu) = cpu {
        command.args(["--cpu", &cpu.to_string()]);
    }
    let output = command.output().map_err(|e| format!("{}: {e}", longwire()))?;
    let is_measured = output.status.code() == Some(0) || (subcommand == "run" && output.status.code() == Some(3));
    if !is_measured {
        let said = String::from_utf8_lossy(&output.stderr);
        let report = String::from_utf8_lossy(&output.stdout);
        let reasons = serde_json::from_str::<Value>(&report).map(|r| r["reasons"].to_string()).unwrap_or_default();
        return Err(format!("{}: {} {reasons} {said}", file.display(), output.status));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())
}

/// Runs many scenarios with their seeds in virtual time, one a processor, and returns their reports in order.
pub(crate) fn all(runs: &[(String, u64)]) -> Result<Vec<Value>, String> {
    let processors = std::thread::available_parallelism().map_or(1, |n| n.get());
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Result<Value, String>>>> = Mutex::new(runs.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for cpu in 0..processors {
            let (next, done) = (&next, &done);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((scenario, seed)) = runs.get(at) else { break };
                    let result = run("sim", scenario, *seed, Some(cpu));
                    done.lock().expect("no thread panics with it")[at] = Some(result);
                }
            });
        }
    });
    let done = done.into_inner().expect("all threads have ended");
    done.into_iter().map(|result| result.expect("every run was taken")).collect()
}

/// Why nothing can be measured here.
pub(crate) fn lacking() -> Option<String> {
    let scenario = "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
        workloads: { ping: { ping: { from: a, to: b, count: 1 } } }\n";
    run("sim", scenario, 1, None).err()
}

/// The median; of an even number of values, the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n == 0 { f64::NAN } else { (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0 }
}
