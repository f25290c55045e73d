//! What the guest's kernel prints, what it is told, and why a guest died.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::run::memory;

/// The kernel's console, in the run's directory.
pub(super) const CONSOLE: &str = "console.txt";
/// The name of the guest among those of its directory of control sockets.
pub(super) const NAME: &str = "guest";
/// Begins a line that the run itself writes to the console.
const OURS: &str = "longwire-phase ";

/// `struct mconsole_request` of arch/um: magic number, version, length, and room for the text.
const MAGIC: u32 = 0xcafe_babe;
const VERSION: u32 = 2;
const ROOM: usize = 512;

/// Tells the kernel something by its control socket: `cad` presses Ctrl-Alt-Del, `sysrq p` prints what runs.
pub(super) fn tell(place: &Path, text: &str) -> io::Result<()> {
    let mut request = Vec::with_capacity(12 + ROOM);
    for word in [MAGIC, VERSION, text.len() as u32] {
        request.extend(word.to_ne_bytes());
    }
    request.extend(text.as_bytes());
    request.resize(12 + ROOM, 0);
    let socket = UnixDatagram::unbound()?;
    socket.send_to(&request, place.join(NAME).join("mconsole")).map(drop)
}

/// What was printed so far.
pub(super) fn read(place: &Path) -> String {
    fs::read(place.join(CONSOLE)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

/// Says where the run is: a phase in words, and the guest's clock at t = 0 in ns once it has come.
pub fn announce(phase: &str, zero: Option<u64>) {
    let zero = zero.map(|zero| zero.to_string()).unwrap_or_default();
    // a run is as good without anybody watching
    let _ = fs::write("/dev/console", format!("{OURS}{zero} {phase}\n"));
}

/// The last phase that the run has announced, and t = 0.
pub(super) fn phase(console: &str) -> Option<(Option<u64>, &str)> {
    let line = console.lines().rev().find_map(|line| line.split_once(OURS).map(|(_, rest)| rest.trim_end()))?;
    let (zero, phase) = line.split_once(' ')?;
    Some((zero.parse().ok(), phase))
}

/// The program that the kernel says is running: the last answer to `sysrq p`.
pub(super) fn running(console: &str) -> Option<&str> {
    let line = console.lines().rev().find(|line| line.contains(" comm: ") || line.contains(" Comm: "))?;
    let rest = line.split_once(" comm: ").or_else(|| line.split_once(" Comm: "))?.1;
    rest.split_whitespace().next()
}

/// Why a guest ended before its run did, and what to do about it.
pub(super) fn cause(console: &str, status: &str) -> String {
    let lower = console.to_lowercase();
    let panic = console.lines().find_map(|line| line.split_once("Kernel panic - not syncing: ").map(|(_, why)| why));
    if let Some(killed) = memory::out_of_memory(console) {
        return killed;
    }
    let is_refusal = |line: &str| line.contains("operation not permitted") || line.contains("failed");
    if lower.lines().any(|line| line.contains("ptrace") && is_refusal(line)) {
        return "user-mode Linux needs ptrace(2) of its own children, and it is forbidden here: a container's seccomp profile \
                may refuse it, or `sysctl kernel.yama.ptrace_scope` is 3"
            .into();
    }
    // a page of memory that cannot be had is a bus error
    if lower.contains("no space left") || lower.contains("bus error") {
        return "the place of the guest's memory is full: free some room, or name another directory in TMPDIR".into();
    }
    if lower.contains("noexec") {
        return "the place of the guest's memory is mounted `noexec`: name another directory in TMPDIR".into();
    }
    match panic {
        Some(why) => format!("the guest's kernel panicked: {why}{}", last_lines(console)),
        None => format!("the guest's kernel ended with {status} before the run was over{}", last_lines(console)),
    }
}

/// The end of the console, for people.
fn last_lines(console: &str) -> String {
    let lines: Vec<&str> = console.lines().filter(|line| !line.trim().is_empty() && !line.contains(OURS)).collect();
    if lines.is_empty() {
        return "; it printed nothing".into();
    }
    let shown = lines[lines.len().saturating_sub(5)..].iter().map(|line| format!("\n    {}", line.trim_end()));
    format!(". It printed last:{}", shown.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_found_between_other_lines() {
        let console =
            format!("[ 0.0] booting\n{OURS} making hosts\r\nnoise\n{OURS}1500000000 running\r\n[ 1.0] more\n");
        assert_eq!(phase(&console), Some((Some(1_500_000_000), "running")));
        assert_eq!(phase(&console[..50]), Some((None, "making hosts")));
        assert_eq!(phase("nothing"), None);
    }

    #[test]
    fn each_cause_says_what_to_do() {
        let told = |console: &str| cause(console, "exit code 134");
        let memory = "[ 3.1] Out of memory: Killed process 77 (python3) total-vm:900000kB\n";
        assert!(told(memory).contains("`python3`") && told(memory).contains("sim: { memory: 2GiB }"));
        let other =
            told("Checking syscall emulation for ptrace...OK\n[    0.0] check_one_sigio failed, errno = 2\nAborted\n");
        assert!(!other.contains("yama") && other.contains("Aborted"), "{other}");
        assert!(told("check_ptrace : expected SIGSTOP, ptrace: Operation not permitted\n").contains("yama"));
        for full in [
            "write: No space left on device\n",
            "Bus error - the host /dev/shm or /tmp mount likely just ran out of space\n",
        ] {
            assert!(told(full).contains("TMPDIR"));
        }
        let panic = "[ 0.1] Kernel panic - not syncing: No working init found.\n";
        assert!(told(panic).contains("No working init found"));
        assert!(told("").contains("exit code 134") && told("").contains("nothing"));
    }

    #[test]
    fn the_running_program_is_read_from_the_registers() {
        let console = "Pid: 1, comm: init\nPid: 81, comm: chromium Not tainted 6.12\nRIP: 0\n";
        assert_eq!(running(console), Some("chromium"));
        assert_eq!(running("nothing"), None);
    }
}
