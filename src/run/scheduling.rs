//! What the engine's thread asks of the scheduler: exact sleeps, and where the scenario says so a real-time priority and a
//! processor of its own. What is refused is reported, never silently missing.

use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::host::sys;
use crate::scenario::timing::TimingSpec;

/// How long the engine's thread may run before it is another one's turn: the least that Linux takes. A turn of the loop takes less.
const SLICE: Duration = Duration::from_micros(100);

/// Prepares the calling thread; returns what was refused, in words.
pub(super) fn prepare(timing: &TimingSpec) -> Vec<String> {
    let mut refused = Vec::new();
    // Linux lengthens a sleep by up to 50 µs unless told otherwise (prctl(2), PR_SET_TIMERSLACK).
    if let Err(errno) = nix::sys::prctl::set_timerslack(1) {
        refused.push(format!("a timer slack of 1 ns was refused: {}", errno.desc()));
    }
    // a wish: where it is refused, other threads are no worse off than before
    let _ = sys::set_slice(SLICE);
    if let Some(priority) = timing.priority
        && let Err(errno) = sys::set_fifo_priority(priority.get())
    {
        refused.push(format!(
            "`timing: {{ priority: {} }}` was refused: {} (it needs root, CAP_SYS_NICE or `ulimit -r`)",
            priority.get(),
            errno.desc()
        ));
    }
    if let Some(cpu) = timing.cpu {
        let pin = || {
            let mut set = CpuSet::new();
            set.set(cpu as usize)?;
            sched_setaffinity(Pid::from_raw(0), &set)
        };
        if let Err(errno) = pin() {
            refused.push(format!("`timing: {{ cpu: {cpu} }}` was refused: {} (processors count from 0)", errno.desc()));
        }
    }
    refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_is_not_there_is_refused_in_words() {
        let timing = TimingSpec { cpu: Some(100_000), ..TimingSpec::default() };
        let refused = std::thread::spawn(move || prepare(&timing)).join().unwrap();
        assert_eq!(refused.len(), 1);
        assert!(refused[0].contains("cpu: 100000"), "{refused:?}");
    }

    #[test]
    fn an_ordinary_thread_is_refused_nothing() {
        let refused = std::thread::spawn(|| prepare(&TimingSpec::default())).join().unwrap();
        assert!(refused.is_empty(), "{refused:?}");
    }
}
