//! Whether the guest of a run in virtual time ran out of memory.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// Says so if this kernel killed a program for want of memory; asked inside a guest, whose kernel has run nothing else.
pub(super) fn look() -> Option<String> {
    // proc(5), dev-kmsg: each read returns one record, and fails with EAGAIN behind the last
    let mut file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
    let mut log = String::new();
    let mut record = [0; 8192];
    while let Ok(length @ 1..) = file.read(&mut record) {
        log.push_str(&String::from_utf8_lossy(&record[..length]));
    }
    out_of_memory(&log)
}

/// Says so if the log of a guest's kernel has it that something was killed for want of memory, or that it could not even boot.
pub(crate) fn out_of_memory(log: &str) -> Option<String> {
    let line = log.lines().find(|line| {
        ["Out of memory", "out of memory", "System is deadlocked on memory"].iter().any(|words| line.contains(words))
    })?;
    let victim = line.split_once("Killed process ").and_then(|(_, rest)| rest.split_once('(')?.1.split_once(')'));
    let victim = victim.map_or_else(String::new, |(name, _)| format!(", and its kernel killed `{name}`"));
    Some(format!("the guest ran out of memory{victim}: give it more, as in `sim: {{ memory: 2GiB }}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_victim_is_named() {
        let log = "6,1,2,-;other\n3,4,5,-;Out of memory: Killed process 77 (python3) total-vm:900000kB\n";
        let told = out_of_memory(log).unwrap();
        assert!(told.contains("killed `python3`") && told.contains("sim: { memory: 2GiB }"), "{told}");
        assert_eq!(out_of_memory("all is well\n"), None);
    }
}
