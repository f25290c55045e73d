//! What a run leaves on the machine while it lives, and that all of it goes.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// Processes with a mark in their environment, the namespaces that they are in, and what the test's own namespaces hold.
#[derive(Debug)]
pub(crate) struct Traces {
    variable: String,
    pub(crate) processes: Vec<u32>,
    /// Other than the test's own.
    pub(crate) namespaces: BTreeSet<String>,
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(|pid| lives(*pid))
}

/// A zombie holds nothing any more; whoever inherited it will take it in.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

fn namespaces(pid: impl std::fmt::Display) -> BTreeSet<String> {
    ["net", "mnt", "pid", "user"]
        .iter()
        .filter_map(|kind| Some(fs::read_link(format!("/proc/{pid}/ns/{kind}")).ok()?.to_string_lossy().into_owned()))
        .collect()
}

/// Interfaces and mounts of the test's own namespaces.
pub(crate) fn surroundings() -> (BTreeSet<String>, BTreeSet<String>) {
    let devices = fs::read_to_string("/proc/self/net/dev").expect("our own");
    let devices = devices.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect();
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("our own");
    (devices, mounts.lines().map(str::to_owned).collect())
}

impl Traces {
    /// What lives now.
    pub(crate) fn of(name: &str, value: &str) -> Traces {
        let variable = format!("{name}={value}");
        let own = namespaces("self");
        let mut traces = Traces { variable, processes: Vec::new(), namespaces: BTreeSet::new() };
        for pid in processes().filter(|pid| traces.is_marked(*pid)).collect::<Vec<_>>() {
            traces.processes.push(pid);
            traces.namespaces.extend(namespaces(pid).difference(&own).cloned());
        }
        traces
    }

    fn is_marked(&self, pid: u32) -> bool {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == self.variable.as_bytes())
    }

    /// Soon after `since`, no marked process lives, and none in these namespaces. A second on an idle machine; how long the
    /// kernel takes to undo namespaces is up to the machine, and that it does is not.
    pub(crate) fn assert_gone(&self, since: Instant) {
        loop {
            let left: Vec<u32> = processes()
                .filter(|pid| self.is_marked(*pid) || !namespaces(pid).is_disjoint(&self.namespaces))
                .collect();
            if left.is_empty() {
                return;
            }
            let names: Vec<_> =
                left.iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()).collect();
            assert!(since.elapsed() < Duration::from_secs(60), "left: processes {left:?} {names:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
