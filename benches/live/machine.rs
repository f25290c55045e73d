//! Where and when numbers were taken.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// What a reader needs to judge the numbers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    date: String,
    kernel: String,
    processor: String,
    cores: usize,
    load: String,
    longwire: &'static str,
}

impl Machine {
    /// This one, now.
    pub(crate) fn here() -> Machine {
        let first_line = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
        let unknown = || "unknown".to_owned();
        let date = Command::new("date").args(["-u", "+%Y-%m-%d"]).output().ok();
        let processor = first_line("/proc/cpuinfo").and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?.to_owned();
            Some(line.split_once(':')?.1.trim().to_owned())
        });
        let load = first_line("/proc/loadavg");
        let load = load.map(|text| text.split_whitespace().take(3).collect::<Vec<_>>().join(" "));
        Machine {
            date: date.map_or_else(unknown, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            kernel: first_line("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            processor: processor.unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            load: load.unwrap_or_else(unknown),
            longwire: env!("CARGO_PKG_VERSION"),
        }
    }

    /// In one line.
    pub(crate) fn line(&self, repeat: u32, quick: bool) -> String {
        format!(
            "{}, longwire {}, Linux {}, {} cores ({}), load average before {}. {}{}.\n",
            self.date,
            self.longwire,
            self.kernel,
            self.cores,
            self.processor,
            self.load,
            if repeat == 1 { "One repetition".into() } else { format!("Medians of {repeat}, measured in turn") },
            if quick { ", and a quick one: these numbers say little" } else { "" },
        )
    }
}
