//! How late this machine wakes a sleeper: what `doctor` measures, and what a live run adds to every delay.

use std::fmt;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent};

use super::clock::Clock;
use crate::engine::TimeStatistics;
use crate::units::Duration;

const SLEEPS: u64 = 500;
const SLEEP: Duration = Duration::from_millis(1);
/// Beyond this the default limits of validity are in danger.
const FINE: Duration = Duration::from_millis(1);

/// Lateness of a sleeper, by clock.
#[derive(Debug)]
pub struct Timer {
    late: TimeStatistics,
}

/// Sleeps 500 times for a millisecond, in the way in which the live loop sleeps.
pub fn measure() -> Timer {
    let mut late = TimeStatistics::default();
    let clock = Clock::start();
    let Ok(epoll) = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC) else { return Timer { late } };
    // without it every sleep is 50 µs later (prctl(2), PR_SET_TIMERSLACK)
    let _ = nix::sys::prctl::set_timerslack(1);
    let mut ready = [EpollEvent::empty(); 1];
    for _ in 0..SLEEPS {
        let due = clock.now() + SLEEP;
        // an error shows as a sleep that is not late: there is nothing to wait for that could fail
        let _ = crate::port::epoll::wait(&epoll, &mut ready, SLEEP);
        late.record(clock.now() - due, 1);
    }
    Timer { late }
}

impl Timer {
    /// Whether the 99th percentile is within a millisecond.
    pub fn is_fine(&self) -> bool {
        self.late.quantile(0.99).is_some_and(|p99| p99 <= FINE)
    }
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |q| self.late.quantile(q).unwrap_or_default().as_nanos() as f64 / 1e3;
        write!(f, "wakes {:.0} µs late at the median, {:.0} µs at p99", at(0.5), at(0.99))?;
        let max = self.late.max().unwrap_or_default().as_nanos() as f64 / 1e3;
        write!(f, ", {max:.0} µs at worst")?;
        if !self.is_fine() {
            f.write_str("; delays will be late by as much, and runs INVALID: free a processor, or raise `validity:`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_measured_and_described() {
        let timer = measure();
        assert_eq!(timer.late.count(), SLEEPS);
        assert!(timer.to_string().contains("µs at p99"));
    }
}
