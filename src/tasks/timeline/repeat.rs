//! Steps that happen again and again: when exactly.

use crate::units::Duration;

/// The most steps that a timeline may come to.
pub(super) const MOST: usize = 100_000;

/// Again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    /// The first time.
    pub first: Duration,
    /// From one time to the next; not 0.
    pub every: Duration,
    /// So often at most.
    pub times: Option<u32>,
    /// Nothing later than this.
    pub last: Option<Duration>,
}

impl Repeat {
    /// The times; `None` where nothing says when it ends, or they are more than [`MOST`].
    pub(super) fn all(&self) -> Option<Vec<Duration>> {
        let until = self.last.map(|last| match last.as_nanos().checked_sub(self.first.as_nanos()) {
            None => 0,
            Some(span) => span / self.every.as_nanos().max(1) + 1,
        });
        let count = match (self.times.map(u64::from), until) {
            (Some(times), Some(until)) => times.min(until),
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        if count > MOST as u64 {
            return None;
        }
        let at = |n: u64| {
            Some(Duration::from_nanos(self.every.as_nanos().checked_mul(n)?.checked_add(self.first.as_nanos())?))
        };
        (0..count).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_end_with_their_number_or_with_the_last_instant_that_is_allowed() {
        let ms = Duration::from_millis;
        let all = |times, last: Option<u64>| {
            let repeat = Repeat { first: ms(10), every: ms(20), times, last: last.map(ms) };
            repeat.all().map(|all| all.iter().map(|at| at.as_nanos() / 1_000_000).collect::<Vec<_>>())
        };
        assert_eq!(all(Some(3), None), Some(vec![10, 30, 50]));
        assert_eq!(all(None, Some(50)), Some(vec![10, 30, 50]));
        assert_eq!(all(None, Some(49)), Some(vec![10, 30]));
        assert_eq!(all(Some(2), Some(500)), Some(vec![10, 30]));
        assert_eq!(all(None, Some(9)), Some(vec![]));
        assert_eq!(all(None, None), None);
        assert_eq!(all(Some(100_001), None), None);
        let late = Repeat { first: Duration::MAX, every: ms(1), times: Some(2), last: None };
        assert_eq!(late.all(), None, "later than longwire can count");
    }
}
