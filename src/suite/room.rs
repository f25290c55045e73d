//! How many guests in virtual time this machine has room for: one a processor, as far as processor time and memory go.
//!
//! Sources: sched_setaffinity(2); proc(5) on /proc/meminfo; Documentation/admin-guide/cgroup-v2.rst on `cpu.max`, `memory.max`,
//! `memory.current` and `memory.stat`.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

use crate::units::ByteSize;

/// Where the cgroups are.
const CGROUPS: &str = "/sys/fs/cgroup";

/// What this process may use of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The processors that it may run on, by number.
    pub cpus: Vec<usize>,
    /// How many processors' worth of time it gets, if a cgroup limits that; at least one.
    pub quota: Option<u64>,
    /// Bytes of memory that are free for it; `None` where nothing tells.
    pub memory: Option<u64>,
}

impl Room {
    /// What there is now.
    pub fn find() -> Room {
        let groups = groups(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default());
        let read = |group: &PathBuf, name: &str| fs::read_to_string(group.join(name)).ok();
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| available(&text));
        let limits = groups.iter().filter_map(|group| {
            left(&read(group, "memory.max")?, &read(group, "memory.current")?, &read(group, "memory.stat")?)
        });
        Room {
            cpus: cpus(),
            quota: groups.iter().filter_map(|group| quota(&read(group, "cpu.max")?)).min(),
            memory: machine.into_iter().chain(limits).min(),
        }
    }

    /// How many guests of this size run beside each other without disturbing each other; at least one.
    pub fn guests(&self, memory: ByteSize) -> usize {
        let fit = self.memory.map_or(u64::MAX, |free| free / memory.as_bytes().max(1));
        let turns = self.quota.unwrap_or(u64::MAX).min(fit);
        usize::try_from(turns).unwrap_or(usize::MAX).min(self.cpus.len()).max(1)
    }
}

/// The processors of the affinity mask.
fn cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect()
}

/// This process's cgroup (version 2) and all above it: each may limit.
fn groups(own: &str) -> Vec<PathBuf> {
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::/")) else { return Vec::new() };
    let root = Path::new(CGROUPS);
    root.join(path).ancestors().take_while(|group| group.starts_with(root)).map(Path::to_path_buf).collect()
}

/// `cpu.max`: processor time in µs for each period in µs.
fn quota(text: &str) -> Option<u64> {
    let (time, period) = text.trim().split_once(' ')?;
    let (time, period): (u64, u64) = (time.parse().ok()?, period.parse().ok()?);
    Some(time.checked_div(period)?.max(1))
}

/// `MemAvailable` of /proc/meminfo.
fn available(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// What a limit leaves; files that were read once and are not in use can go.
fn left(max: &str, current: &str, stat: &str) -> Option<u64> {
    let max: u64 = max.trim().parse().ok()?;
    let current: u64 = current.trim().parse().ok()?;
    let idle = stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.parse::<u64>().ok()).unwrap_or(0);
    Some(max.saturating_sub(current.saturating_sub(idle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcest_of_processors_their_time_and_memory_counts() {
        let gib = |n: u64| ByteSize::from_bytes(n << 30);
        let room = Room { cpus: vec![0, 1, 2, 3, 6, 7], quota: None, memory: None };
        assert_eq!(room.guests(gib(1)), 6);
        assert_eq!(Room { quota: Some(2), ..room.clone() }.guests(gib(1)), 2);
        let little = Room { memory: Some((4 << 30) - 1), ..room };
        assert_eq!([little.guests(gib(1)), little.guests(gib(2)), little.guests(gib(8))], [3, 1, 1]);
        assert_eq!(Room { cpus: Vec::new(), ..little }.guests(gib(1)), 1);
    }

    #[test]
    fn limits_are_read_as_the_kernel_writes_them() {
        assert_eq!(quota("max 100000\n"), None);
        assert_eq!([quota("50000 100000\n"), quota("250000 100000\n"), quota("1 0\n")], [Some(1), Some(2), None]);
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    1234 kB\n"), Some(1234 * 1024));
        assert_eq!(left("max\n", "5\n", ""), None);
        assert_eq!(left("100\n", "60\n", "anon 3\ninactive_file 20\n"), Some(60));
        assert_eq!(left("100\n", "160\n", ""), Some(0));
        let names = |text: &str| groups(text).iter().map(|group| group.display().to_string()).collect::<Vec<_>>();
        assert_eq!(
            names("1:cpu:/x\n0::/a/b\n"),
            ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"],
            "a limit of any of them counts"
        );
        assert_eq!(names("0::/\n"), ["/sys/fs/cgroup/"]);
        assert!(names("4:memory:/x\n").is_empty());
    }

    #[test]
    fn this_machine_has_room_for_one() {
        let room = Room::find();
        assert!(!room.cpus.is_empty() && room.memory.is_some_and(|bytes| bytes > 0), "{room:?}");
        assert!(room.guests(ByteSize::from_bytes(1)) >= 1);
    }
}
