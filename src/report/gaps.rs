//! Gaps: stretches of a run in which the ports were not read and a frame waited. A frame that was sent in one waited unread
//! until its end; a frame that was due in one left late. Nothing else is late by more than [`Gaps::least_ns`].

use serde::{Deserialize, Serialize};

use crate::units::Duration;

/// Clock readings of two processes may be so far apart, in ns.
const SLACK: i64 = 20_000;
/// A gap fills queues; what it has filled is taken to be empty again after so many times its own length.
const AFTERMATH: i64 = 10;
/// Gaps looked at for the aftermath of one instant.
const LOOK_BACK: usize = 64;

/// The gaps of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// Gaps shorter than this are not listed: 2 ms, doubled each time there would be more than 4,096.
    pub least_ns: u64,
    /// From and to, in ns from t = 0, in order of time. No two overlap.
    pub list: Vec<(i64, i64)>,
}

impl Gaps {
    /// The same, of which those that are over by `zero` are left out, counted from there.
    pub fn counted_from(mut self, zero: i64) -> Gaps {
        self.list.retain(|gap| gap.1 > zero);
        self.list.iter_mut().for_each(|gap| *gap = (gap.0 - zero, gap.1 - zero));
        self
    }

    /// Those that have a part within a stretch.
    pub fn touching(&self, from: i64, to: i64) -> &[(i64, i64)] {
        let first = self.list.partition_point(|gap| gap.1 < from);
        let behind = self.list.partition_point(|gap| gap.0 <= to);
        &self.list[first..behind.max(first)]
    }

    /// Time in gaps within a stretch, in ns.
    pub fn within(&self, from: i64, to: i64) -> u64 {
        self.touching(from, to).iter().map(|gap| (gap.1.min(to) - gap.0.max(from)).max(0) as u64).sum()
    }

    /// The longest.
    pub fn longest(&self) -> Duration {
        Duration::from_nanos(self.list.iter().map(|gap| (gap.1 - gap.0) as u64).max().unwrap_or(0))
    }

    /// How long a frame that was sent at `at` may have waited unread, in ns.
    fn unread(&self, at: i64) -> u64 {
        self.touching(at - SLACK, at + SLACK).last().map_or(0, |gap| (gap.1 - at).max(0) as u64)
    }

    /// By how much a frame that was delivered at `at` may have been late, in ns.
    fn undelivered(&self, at: i64) -> u64 {
        self.touching(at - SLACK, at + SLACK).first().map_or(0, |gap| (at - gap.0).max(0) as u64)
    }

    /// How much of a one-way delay may be lateness, in ns: a frame is read once and delivered once.
    pub fn one_way(&self, sent: i64, arrived: i64) -> u64 {
        if self.list.is_empty() {
            return 0;
        }
        (self.unread(sent) + self.undelivered(arrived)).min((arrived - sent).max(0) as u64)
    }

    /// How much of a round-trip time may be lateness, in ns. At the far end the request is delivered and the reply is read
    /// at once, so that both are late by one and the same gap: the longest that lies between.
    pub fn round_trip(&self, sent: i64, answered: i64) -> u64 {
        if self.list.is_empty() {
            return 0;
        }
        let between = self.touching(sent, answered).iter().filter(|gap| gap.0 > sent && gap.1 < answered);
        let far = between.map(|gap| (gap.1 - gap.0) as u64).max().unwrap_or(0);
        (self.unread(sent) + self.undelivered(answered) + far).min((answered - sent).max(0) as u64)
    }

    /// The longest gap whose burst may still have stood in a queue at `at`, in ns.
    ///
    /// Where arrivals at a FIFO come late by at most *g*, departures do too: its departure times are max-plus linear in its
    /// arrival times (Baccelli et al. 1992, Synchronization and Linearity, §1.1.3).
    pub fn aftermath(&self, at: i64) -> u64 {
        let before = self.list.partition_point(|gap| gap.0 <= at);
        let recent = self.list[..before].iter().rev().take(LOOK_BACK);
        let felt = recent.filter(|gap| at - gap.1 <= AFTERMATH * (gap.1 - gap.0));
        felt.map(|gap| (gap.1 - gap.0) as u64).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn gaps(list: &[(i64, i64)]) -> Gaps {
        Gaps { least_ns: 2_000_000, list: list.iter().map(|(from, to)| (from * MS, to * MS)).collect() }
    }

    #[test]
    fn a_crossing_outside_of_every_gap_is_on_time() {
        let gaps = gaps(&[(100, 150), (300, 320)]);
        assert_eq!(gaps.one_way(160 * MS, 170 * MS), 0);
        assert_eq!(gaps.one_way(90 * MS, 160 * MS), 0, "it was on its way, which no gap lengthens");
        assert_eq!(Gaps::default().round_trip(0, 5 * MS), 0);
    }

    #[test]
    fn reading_waits_for_the_end_and_delivery_since_the_beginning() {
        let gaps = gaps(&[(100, 150), (300, 320)]);
        assert_eq!(gaps.one_way(110 * MS, 160 * MS), 40 * MS as u64);
        assert_eq!(gaps.one_way(50 * MS, 145 * MS), 45 * MS as u64);
        assert_eq!(gaps.one_way(110 * MS, 315 * MS), 55 * MS as u64);
        assert_eq!(gaps.one_way(140 * MS, 149 * MS), 9 * MS as u64, "never more than the delay itself");
        assert_eq!(gaps.one_way(150 * MS + SLACK + 1, 151 * MS), 0);
    }

    #[test]
    fn the_far_end_of_a_round_trip_is_late_by_one_gap() {
        let gaps = gaps(&[(100, 150), (300, 320), (400, 430), (500, 510)]);
        assert_eq!(gaps.round_trip(90 * MS, 460 * MS), 50 * MS as u64);
        assert_eq!(gaps.round_trip(140 * MS, 505 * MS), (10 + 30 + 5) * MS as u64);
    }

    #[test]
    fn time_in_gaps_is_that_within_the_stretch() {
        let gaps = gaps(&[(-10, 5), (100, 150), (300, 320)]);
        assert_eq!(gaps.within(0, 310 * MS), (5 + 50 + 10) * MS as u64);
        assert_eq!(gaps.within(150 * MS, 300 * MS), 0);
        assert_eq!(gaps.touching(150 * MS + 1, 300 * MS - 1), []);
    }

    #[test]
    fn a_gap_is_felt_for_ten_times_its_length() {
        let gaps = gaps(&[(100, 150), (300, 320)]);
        assert_eq!(gaps.aftermath(99 * MS), 0);
        assert_eq!(gaps.aftermath(120 * MS), 50 * MS as u64);
        assert_eq!(gaps.aftermath(330 * MS), 50 * MS as u64, "the longest of those felt");
        assert_eq!(gaps.aftermath(651 * MS), 0);
        assert_eq!(gaps.aftermath(520 * MS), 50 * MS as u64);
    }
}
