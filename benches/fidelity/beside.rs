//! What the scenarios of scenarios/ci measure, live and in virtual time.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sim;

/// A difference that is to be explained.
const MUCH: f64 = 0.05;

/// Runs each scenario by both clocks with the same seed, and prints what each of its expectations measured. A live run wants a quiet
/// machine.
pub(crate) fn run(_: bool) -> Result<(), String> {
    println!(
        "\n## The same file live and in virtual time\n\n| scenario | expectation | live | virtual | difference |\n|---|---|---|---|---|"
    );
    let (mut all, mut close) = (0, 0);
    for file in scenarios()? {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let live = sim::run_file("run", &file, 1, None)?;
        let virtually = sim::run_file("sim", &file, 1, None)?;
        for (live, virtually) in list(&live).iter().zip(list(&virtually)) {
            // times, rates and shares; a count of frames depends on how long a run took
            let is_measure = matches!(live["unit"].as_str(), Some("ns" | "bit/s" | "share"));
            let (Some(one), Some(other)) = (live["value"].as_f64(), virtually["value"].as_f64()) else { continue };
            if !is_measure {
                continue;
            }
            let apart = if one == other { 0.0 } else { one / other - 1.0 };
            all += 1;
            close += usize::from(apart.abs() <= MUCH);
            let word = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
            println!(
                "| {name} | `{}` | {} | {} | {:+.1} % |",
                word(live, "text"),
                word(live, "measured"),
                word(virtually, "measured"),
                apart * 100.0
            );
        }
    }
    println!("\n{close} of {all} are within {} %.", MUCH * 100.0);
    Ok(())
}

fn list(report: &Value) -> &[Value] {
    report["expectations"].as_array().map_or(&[], Vec::as_slice)
}

fn scenarios() -> Result<Vec<PathBuf>, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/ci");
    let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "yaml"));
    files.sort();
    Ok(files)
}
