//! How well this machine keeps up, and which limits of validity follow: what `doctor --calibrate` measures.
//!
//! Two runs of a small network under steady traffic: one as the machine is, one beside a busy processor. Limits are four times
//! what the first showed: far enough from it that a machine as it was is valid, and near enough that one that is not, is not.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::outcome::end_of;
use crate::tasks::validity::ValiditySpec;
use crate::units::{Duration, Probability};

/// How long each of the two runs sends.
pub const SECONDS: u32 = 5;

/// Limits are so many times what was measured.
const MARGIN: u64 = 4;

/// Lateness below this is the grain of timers and system calls.
const LEAST_LATENESS: Duration = Duration::from_micros(100);

/// Below this a stall is the grain of the scheduler.
const LEAST_STALL: Duration = Duration::from_millis(20);

/// Below this a workload's datagrams are late by the grain of its own sleeps.
const LEAST_WORKLOAD_LATENESS: Duration = Duration::from_millis(1);

/// A share of waiting for a processor, in %, that says nothing yet.
const LEAST_RUN_DELAY: u64 = 5;

/// Beyond so much of waiting for a processor nothing may be claimed on any machine.
const MOST_RUN_DELAY: u64 = 50;

/// What a run showed of the machine, at the port where it was worst.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    /// Lateness at the median.
    pub late_p50: Duration,
    /// Lateness at the 99th percentile.
    pub late_p99: Duration,
    /// The most that a frame was late.
    pub late_max: Duration,
    /// The longest time between two drains of the ports.
    pub stall: Duration,
    /// Share of the run in gaps.
    pub gaps: f64,
    /// Share of the run that longwire waited for a processor; `None` where the kernel does not tell.
    pub run_delay: Option<f64>,
    /// How late workloads sent their datagrams, at the 99th percentile.
    pub sent_late_p99: Duration,
    /// Frames that rings dropped.
    pub ring_drops: u64,
}

/// Both runs, and the limits that follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The machine as it is.
    pub idle: Seen,
    /// The same beside one busy processor.
    pub busy: Seen,
    /// What to write into scenarios.
    pub limits: ValiditySpec,
    /// What is between the runs and any other machine: kernel, processors, user.
    pub machine: String,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum CalibrateError {
    /// The run could not be carried out; its own words, which name the cure.
    #[error("{0}")]
    Run(String),
    /// Something around it failed.
    #[error("cannot measure this machine: {0}")]
    Io(#[from] std::io::Error),
    /// A run left a report without what is needed.
    #[error("cannot measure this machine: a run left no report of its lateness: {0}")]
    Report(String),
}

/// Measures with `program`, a `longwire`, and files in `folder`; takes some seconds. `told` hears what is being done.
///
/// # Errors
/// Hosts cannot be made here, or a run breaks down.
pub fn calibrate(program: &Path, folder: &Path, told: &mut dyn FnMut(&str)) -> Result<Calibration, CalibrateError> {
    told("measuring this machine as it is");
    let (idle, report) = one(program, folder)?;
    told("measuring it beside a busy processor");
    let stop = Arc::new(AtomicBool::new(false));
    let spinner = {
        let stop = Arc::clone(&stop);
        std::thread::Builder::new().spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })?
    };
    let busy = one(program, folder);
    stop.store(true, Ordering::Relaxed);
    // it does nothing that could panic
    let _ = spinner.join();
    let (busy, _) = busy?;
    Ok(Calibration { idle, busy, limits: limits(&idle), machine: machine(&report) })
}

fn scenario() -> String {
    format!(
        "longwire: 1\nname: Calibration\nseries: none\nnodes: {{ a: host, b: host }}\n\
         links: {{ wire: {{ ends: [a, b], delay: 5ms, rate: 100Mbit }} }}\n\
         workloads:\n\
         \x20 rtt: {{ ping: {{ from: a, to: b, every: 5ms, for: {SECONDS}s }} }}\n\
         \x20 flow: {{ udp: {{ from: a, to: b, rate: 20Mbit, size: 1200B, for: {SECONDS}s }} }}\n\
         \x20 back: {{ udp: {{ from: b, to: a, rate: 1Mbit, size: 200B, for: {SECONDS}s }} }}\n"
    )
}

fn one(program: &Path, folder: &Path) -> Result<(Seen, Value), CalibrateError> {
    let [file, json] = ["calibration.yaml", "report.json"].map(|name| folder.join(name));
    std::fs::write(&file, scenario())?;
    let output = Command::new(program)
        .arg("run")
        .arg(&file)
        .arg("--json")
        .arg(&json)
        .arg(format!("--parent={}", std::process::id()))
        .stdin(Stdio::null())
        .output()?;
    let said = end_of(&output.stderr);
    let Ok(text) = std::fs::read_to_string(&json) else {
        let words = said.trim().trim_start_matches("error: ");
        return Err(CalibrateError::Run(if words.is_empty() { output.status.to_string() } else { words.to_owned() }));
    };
    let report: Value = serde_json::from_str(&text).map_err(|error| CalibrateError::Report(error.to_string()))?;
    if matches!(report["verdict"].as_str(), Some("interrupted")) {
        return Err(CalibrateError::Run("interrupted".into()));
    }
    Ok((seen(&report).ok_or(CalibrateError::Report(said))?, report))
}

/// What a report says of the machine; `None` where a part of it is missing.
fn seen(report: &Value) -> Option<Seen> {
    let worst = |key: &str| {
        let ports = report["ports"].as_array()?.iter();
        ports.filter_map(|port| port["lateness_ns"][key].as_u64()).max().map(Duration::from_nanos)
    };
    let measured = &report["validity"]["measured"];
    Some(Seen {
        late_p50: worst("p50")?,
        late_p99: worst("p99")?,
        late_max: worst("max")?,
        stall: Duration::from_nanos(measured["stall_ns"].as_u64()?),
        gaps: measured["gap_share"].as_f64().unwrap_or(0.0),
        run_delay: measured["run_delay"].as_f64(),
        sent_late_p99: Duration::from_nanos(measured["workload_lateness_p99_ns"].as_u64()?),
        ring_drops: measured["ring_drops"].as_u64()?,
    })
}

/// The limits that follow from what a machine shows.
fn limits(idle: &Seen) -> ValiditySpec {
    let percent = idle.run_delay.map_or(0, |share| (share * 100.0 * MARGIN as f64).ceil() as u64);
    let percent = round_up(percent.max(LEAST_RUN_DELAY)).min(MOST_RUN_DELAY);
    let limit = |seen: Duration, least: Duration| Duration::from_nanos(round_up((seen * MARGIN).max(least).as_nanos()));
    ValiditySpec {
        lateness_p99: limit(idle.late_p99, LEAST_LATENESS),
        stall: limit(idle.stall, LEAST_STALL),
        run_delay: Probability::from_parts(percent * 10_000_000_000).expect("at most 50 %"),
        ring_drops: 0,
        workload_lateness_p99: limit(idle.sent_late_p99, LEAST_WORKLOAD_LATENESS),
        // how much a program waits depends on what it computes more than on the machine
        ..ValiditySpec::default()
    }
}

/// The next of 1, 2, 5, 10, 20, 50, …
fn round_up(value: u64) -> u64 {
    let mut step: u64 = 1;
    loop {
        for digit in [1, 2, 5] {
            match step.checked_mul(digit) {
                Some(round) if round >= value => return round,
                Some(_) => {}
                None => return value,
            }
        }
        step = match step.checked_mul(10) {
            Some(step) => step,
            None => return value,
        };
    }
}

fn machine(report: &Value) -> String {
    let cores = report["machine"]["cores"].as_u64().unwrap_or(1);
    let kernel = report["machine"]["kernel"].as_str().unwrap_or_default();
    let user = if nix::unistd::geteuid().is_root() { "root" } else { "a normal user" };
    format!("{cores} processor{}, Linux {kernel}, as {user}", if cores == 1 { "" } else { "s" })
}

impl Calibration {
    /// Which limits a run would have exceeded.
    fn exceeded(&self, seen: &Seen) -> Vec<&'static str> {
        let limits = &self.limits;
        [
            (seen.late_p99 > limits.lateness_p99, "lateness_p99"),
            (seen.stall > limits.stall, "stall"),
            (seen.gaps > limits.gaps.as_f64(), "gaps"),
            (seen.run_delay.is_some_and(|share| share > limits.run_delay.as_f64()), "run_delay"),
            (seen.ring_drops > limits.ring_drops, "ring_drops"),
            (seen.sent_late_p99 > limits.workload_lateness_p99, "workload_lateness_p99"),
        ]
        .into_iter()
        .filter_map(|(exceeded, name)| exceeded.then_some(name))
        .collect()
    }
}

impl fmt::Display for Calibration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = |time: Duration| format!("{:.0} µs", time.as_nanos() as f64 / 1e3);
        let millis = |time: Duration| format!("{:.1} ms", time.as_nanos() as f64 / 1e6);
        writeln!(
            f,
            "{:24}  {:>22}  {:>10}  {:>10}  {:>15}  {:>10}  {:>10}",
            "", "lateness p50, p99", "worst", "stall", "no processor", "ring drops", "sent late"
        )?;
        for (name, seen) in [("as it is", &self.idle), ("beside a busy processor", &self.busy)] {
            writeln!(
                f,
                "{name:24}  {:>22}  {:>10}  {:>10}  {:>15}  {:>10}  {:>10}",
                format!("{}, {}", micros(seen.late_p50), micros(seen.late_p99)),
                micros(seen.late_max),
                millis(seen.stall),
                seen.run_delay.map_or("?".to_owned(), |share| format!("{:.1} %", share * 100.0)),
                seen.ring_drops,
                micros(seen.sent_late_p99)
            )?;
        }
        let limits = &self.limits;
        writeln!(f, "\nvalidity:   # {}", self.machine)?;
        writeln!(f, "  lateness_p99: {}", limits.lateness_p99)?;
        writeln!(f, "  stall: {}", limits.stall)?;
        writeln!(f, "  run_delay: {}", limits.run_delay)?;
        writeln!(f, "  ring_drops: {}", limits.ring_drops)?;
        writeln!(f, "  workload_lateness_p99: {}", limits.workload_lateness_p99)?;
        writeln!(
            f,
            "\nThese limits are four times what the first run showed, rounded up to 1, 2 or 5: two hosts, 5 ms apart, ping and\n\
             UDP at 20 Mbit/s for {SECONDS} s. More hosts and more traffic need more: measure when nothing else runs, and again where it counts."
        )?;
        let exceeded = self.exceeded(&self.busy);
        if exceeded.is_empty() {
            writeln!(f, "Beside one busy processor a run would still be valid.")?;
        } else {
            writeln!(f, "Beside one busy processor a run would be INVALID: {}.", exceeded.join(", "))?;
        }
        let usual = ValiditySpec::default();
        if limits.lateness_p99 > usual.lateness_p99
            || limits.stall > usual.stall
            || !self.exceeded(&self.idle).is_empty()
        {
            writeln!(
                f,
                "This machine keeps time worse than the usual limits ask for (lateness_p99: {}, stall: {}): do not rest anything\n\
                 finer than these limits on it, free a processor, or try `timing: {{ priority: 10 }}`.",
                usual.lateness_p99, usual.stall
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use serde_json::json;

    fn calibration(idle: Seen, busy: Seen) -> Calibration {
        Calibration { idle, busy, limits: limits(&idle), machine: "2 processors".into() }
    }

    fn quick() -> Seen {
        Seen {
            late_p50: Duration::from_micros(9),
            late_p99: Duration::from_micros(40),
            late_max: Duration::from_micros(900),
            stall: Duration::from_micros(3_100),
            gaps: 0.0,
            run_delay: Some(0.004),
            ring_drops: 0,
            sent_late_p99: Duration::from_micros(70),
        }
    }

    #[test]
    fn the_scenario_is_right_and_so_is_what_is_proposed() {
        let text = scenario();
        let load = |text: &str| {
            let result = load(Path::new("c.yaml"), &MemoryFiles::one("c.yaml", text), &Overrides::default());
            result.map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert!(load(&text).unwrap().warnings.is_empty());
        let shown = calibration(quick(), quick()).to_string();
        let block = &shown[shown.find("validity:").unwrap()..];
        let block: String = block.lines().take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
        let pasted = load(&format!("{text}{block}")).unwrap();
        assert_eq!(pasted.scenario.validity, limits(&quick()));
    }

    #[test]
    fn limits_are_four_times_what_was_seen_and_round() {
        let limit = limits(&quick());
        assert_eq!(limit.lateness_p99, Duration::from_micros(200));
        assert_eq!((limit.stall, limit.run_delay.to_string().as_str()), (Duration::from_millis(20), "5%"));
        let slow = Seen {
            late_p99: Duration::from_millis(2),
            stall: Duration::from_millis(30),
            run_delay: Some(0.9),
            ..quick()
        };
        let limit = limits(&slow);
        assert_eq!((limit.lateness_p99, limit.stall), (Duration::from_millis(10), Duration::from_millis(200)));
        assert_eq!(limit.run_delay.to_string(), "50%");
        assert!(limits(&Seen { run_delay: None, ..quick() }).run_delay.to_string() == "5%");
        assert_eq!([0, 1, 3, 5, 6, 11, 21, u64::MAX].map(round_up), [1, 1, 5, 5, 10, 20, 50, u64::MAX]);
    }

    #[test]
    fn it_says_what_a_busy_processor_would_do_and_when_the_machine_is_slow() {
        let busy = Seen { late_p99: Duration::from_millis(4), run_delay: Some(0.4), ..quick() };
        let text = calibration(quick(), busy).to_string();
        assert!(
            text.contains("would be INVALID: lateness_p99, run_delay.") && !text.contains("keeps time worse"),
            "{text}"
        );
        let text = calibration(quick(), quick()).to_string();
        assert!(text.contains("would still be valid"), "{text}");
        let slow = Seen { late_p99: Duration::from_millis(3), ..quick() };
        assert!(calibration(slow, slow).to_string().contains("keeps time worse"));
        let dropping = Seen { ring_drops: 3, ..quick() };
        assert!(calibration(dropping, dropping).to_string().contains("keeps time worse"));
    }

    #[test]
    fn a_report_is_read_at_its_worst_port() {
        let late = |p99: u64| json!({ "lateness_ns": { "p50": 1, "p99": p99, "max": 9 } });
        let report = json!({
            "ports": [late(5), late(7), { "lateness_ns": null }],
            "validity": { "measured": { "stall_ns": 3, "run_delay": 0.25, "ring_drops": 0,
                "workload_lateness_p99_ns": 11 } }
        });
        let seen = seen(&report).unwrap();
        assert_eq!(
            (seen.late_p99, seen.stall, seen.run_delay),
            (Duration::from_nanos(7), Duration::from_nanos(3), Some(0.25))
        );
        assert_eq!(seen.sent_late_p99, Duration::from_nanos(11));
        assert!(super::seen(&json!({ "ports": [] })).is_none());
    }
}
