//! Signals that ask for an end.

use std::time::{Duration, Instant};

/// The same signal again within so long is the same request: `timeout` sends it to its child, and then to the process group.
const ONCE: Duration = Duration::from_millis(100);

/// Tells requests from echoes of the last one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Requests {
    last: Option<(u32, Instant)>,
}

impl Requests {
    /// Whether a signal that has just come asks for something. `now`: when.
    pub fn counts(&mut self, signal: u32, now: Instant) -> bool {
        let echo = self.last.is_some_and(|(last, at)| last == signal && now.saturating_duration_since(at) < ONCE);
        if !echo {
            self.last = Some((signal, now));
        }
        !echo
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_signal_counts_once_in_a_tenth_of_a_second() {
        let begin = Instant::now();
        let mut requests = Requests::default();
        let mut counts = |signal: u32, ms: u64| requests.counts(signal, begin + Duration::from_millis(ms));
        assert!(counts(15, 0) && !counts(15, 0) && !counts(15, 99), "one request");
        assert!(counts(15, 100), "a second one");
        assert!(counts(2, 101), "another signal is another request");
        assert!(!counts(2, 200) && counts(2, 201));
    }
}
