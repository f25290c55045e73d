//! What the engine's thread asks of the scheduler: exact sleeps, and where the scenario says so a real-time priority and a
//! processor of its own. What is refused is reported, never silently missing.

use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::host::sys;
use crate::tasks::timing::{Priority, TimingSpec};
use crate::units::Duration;

/// How long the engine's thread may run before it is another one's turn: the least that Linux takes. A turn of the loop takes less.
const SLICE: std::time::Duration = std::time::Duration::from_micros(100);

/// Does `work`, which gives up the right to take a real-time priority, and starts a thread that has the scenario's by then, as far as
/// this one may have it: `prepare` finds it there, or is refused.
pub(super) fn hand_down<T>(timing: &TimingSpec, work: impl FnOnce() -> T) -> T {
    let taken = timing.priority.is_some_and(|priority| sys::set_inherited_fifo_priority(priority.get()).is_ok());
    let done = work();
    if taken {
        // giving it up needs no privilege
        let _ = sys::set_no_priority();
    }
    done
}

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
            "`timing: {{ priority: {priority} }}` was refused: {} (it needs root, CAP_SYS_NICE or `ulimit -r`)",
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

/// What a thread with `priority: auto` may use of the processor. With more it would keep others from theirs, and Linux would take it
/// from the thread for 50 ms at a time (sched(7), "Limiting the CPU usage of real-time processes").
#[derive(Debug)]
pub(super) struct Budget {
    /// It has the priority, and has kept within the budget.
    holds: bool,
}

/// The largest share of the time from one look to the next.
const SHARE: f64 = 0.5;

impl Budget {
    /// After [`prepare`], which may have been refused the priority.
    pub(super) fn new(timing: &TimingSpec, refused: &[String]) -> Budget {
        Budget { holds: timing.priority == Some(Priority::Auto) && refused.is_empty() }
    }

    /// The thread has run for so long of a stretch of time. When that is too much, it gives up its priority for good; why, in words.
    pub(super) fn ran(&mut self, ran: Duration, of: Duration) -> Option<String> {
        if !self.holds || ran.as_nanos() as f64 <= of.as_nanos() as f64 * SHARE {
            return None;
        }
        self.holds = false;
        // giving a priority up needs no privilege; a short turn is not kept with it
        let given_up = sys::set_no_priority().and_then(|()| sys::set_slice(SLICE));
        Some(match given_up {
            Ok(()) => format!(
                "`timing: {{ priority: auto }}` was given up: the engine ran for {ran} of {of} (half of the time at most)"
            ),
            Err(errno) => format!("`timing: {{ priority: auto }}` could not be given up: {}", errno.desc()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_used_up_once() {
        let ms = Duration::from_millis;
        let timing = |priority| TimingSpec { priority, ..TimingSpec::default() };
        let mut budget = Budget::new(&timing(Some(Priority::Auto)), &[]);
        assert_eq!(budget.ran(ms(50), ms(100)), None);
        let why = budget.ran(ms(51), ms(100)).expect("too much");
        assert!(why.contains("ran for 51ms of 100ms"), "{why}");
        assert_eq!(budget.ran(ms(99), ms(100)), None, "said once");
        for timing in [timing(None), timing(Some(Priority::Fixed(1)))] {
            assert_eq!(Budget::new(&timing, &[]).ran(ms(99), ms(100)), None);
        }
        assert_eq!(Budget::new(&timing(Some(Priority::Auto)), &["refused".into()]).ran(ms(99), ms(100)), None);
    }

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
