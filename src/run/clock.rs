//! The clock of a live run: the kernel's monotonic clock, from the moment the engine started.

use nix::time::{ClockId, clock_gettime};

use crate::units::{Instant, NANOS_PER_SEC};

/// Reads `CLOCK_MONOTONIC` as the engine's time.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    epoch: u64,
}

impl Clock {
    /// A clock that reads zero now.
    pub fn start() -> Clock {
        Clock { epoch: monotonic_ns() }
    }

    /// `CLOCK_MONOTONIC` when it was started, in ns.
    pub fn at_start(&self) -> u64 {
        self.epoch
    }

    /// The engine's time now.
    pub fn now(&self) -> Instant {
        Instant::from_nanos(monotonic_ns().saturating_sub(self.epoch))
    }

    /// A reading of `CLOCK_MONOTONIC` in ns as the engine's time; before the start it is zero.
    pub fn at(&self, monotonic_ns: u64) -> Instant {
        Instant::from_nanos(monotonic_ns.saturating_sub(self.epoch))
    }
}

/// `CLOCK_MONOTONIC` in ns.
fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("Linux has a monotonic clock");
    now.tv_sec() as u64 * NANOS_PER_SEC + now.tv_nsec() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_at_zero_and_never_goes_back() {
        let clock = Clock::start();
        let readings: Vec<_> = (0..1000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
        assert_eq!(clock.at(0), Instant::ZERO);
    }
}
