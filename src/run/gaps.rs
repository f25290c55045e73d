//! When the ports were not read. The kernel gives no time of arrival with a frame read from a TAP: its descriptor has no
//! control messages, and `tun_net_xmit` stamps frames for their senders only (drivers/net/tun.c). So a frame that was
//! found waiting came at some instant since the ports were last known to be empty, and a gap is a stretch between two such
//! instants that is longer than [`LEAST`]. One in which no frame came and none was due has changed nothing, and does not count.

use std::collections::VecDeque;

use super::taps::BURST;
use crate::port::tap::QUEUE_LENGTH;
use crate::report::gaps as record;
use crate::units::{Duration, Instant};

/// The shortest gap. The loop sleeps for at most half of it, so that no stop of this length hides in a sleep.
pub(super) const LEAST: Duration = Duration::from_millis(2);
/// Where deliveries were late by no more than this, and no frame was found waiting, a gap has changed nothing.
const SLIGHT: Duration = Duration::from_micros(250);
/// Gaps kept one by one. With more, the shortest are left out.
const MOST: usize = 4_096;
/// A ring is a queue: after so many full bursts, what had been waiting at the first of them has been read.
const BACKLOG: usize = QUEUE_LENGTH as usize / BURST + 1;

/// The gaps of a run, as the loop finds them.
#[derive(Debug)]
pub(super) struct Gaps {
    /// All frames that were sent before this instant have been read.
    read_up_to: Instant,
    /// When the loop woke for each turn since then that left frames unread.
    backlog: VecDeque<Instant>,
    least: Duration,
    list: Vec<(Instant, Instant)>,
}

/// What a turn of the loop did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turn {
    /// Some frame was found waiting.
    pub(super) read: bool,
    /// Some port may have more: it had a whole burst, or was not looked at.
    pub(super) unread: bool,
    /// Some port may have more than its ring holds: a part of a super-frame.
    pub(super) cut: bool,
    /// The most that a delivery was late by.
    pub(super) late: Duration,
}

impl Gaps {
    /// None so far.
    pub(super) fn new(now: Instant) -> Gaps {
        Gaps { read_up_to: now, backlog: VecDeque::new(), least: LEAST, list: Vec::new() }
    }

    /// How long a frame that is read at `now` may have waited: zero where that is no gap.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        let waited = now - self.read_up_to;
        if waited > self.least { waited } else { Duration::ZERO }
    }

    /// A turn of the loop that began at `woke` ends `now`: the ports were read, and due frames delivered.
    pub(super) fn turn(&mut self, woke: Instant, now: Instant, did: Turn) {
        if now - self.read_up_to > self.least && (did.read || did.late > SLIGHT) {
            self.add(self.read_up_to, now);
        }
        if !did.unread && !did.cut {
            self.backlog.clear();
            self.read_up_to = woke;
        } else if !did.cut {
            self.backlog.push_back(woke);
            if self.backlog.len() > BACKLOG {
                self.read_up_to = self.backlog.pop_front().unwrap_or(woke);
            }
        }
    }

    fn add(&mut self, from: Instant, to: Instant) {
        match self.list.last_mut() {
            Some(last) if last.1 >= from => last.1 = to,
            _ => self.list.push((from, to)),
        }
        while self.list.len() > MOST {
            self.least = self.least * 2;
            let least = self.least;
            self.list.retain(|gap| gap.1 - gap.0 > least);
        }
    }

    /// What was found, by the engine's clock.
    pub(super) fn found(&self) -> record::Gaps {
        let list = self.list.iter().map(|gap| (gap.0.as_nanos() as i64, gap.1.as_nanos() as i64));
        record::Gaps { least_ns: self.least.as_nanos(), list: list.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Turn = Turn { read: true, unread: false, cut: false, late: Duration::ZERO };
    const MORE: Turn = Turn { unread: true, ..READ };

    fn us(at: u64) -> Instant {
        Instant::from_nanos(at * 1_000)
    }

    fn found(gaps: &Gaps) -> Vec<(i64, i64)> {
        gaps.found().list.iter().map(|(from, to)| (from / 1_000, to / 1_000)).collect()
    }

    #[test]
    fn turns_that_follow_each_other_leave_no_gap_and_a_stop_does() {
        let mut gaps = Gaps::new(us(0));
        for n in 1..=10 {
            gaps.turn(us(n * 1_000), us(n * 1_000 + 100), READ);
        }
        assert_eq!((found(&gaps), gaps.waited(us(11_000))), (vec![], Duration::ZERO));
        assert_eq!(gaps.waited(us(60_000)), Duration::from_millis(50));
        gaps.turn(us(60_000), us(60_300), READ);
        assert_eq!(found(&gaps), [(10_000, 60_300)]);
        gaps.turn(us(61_000), us(61_001), READ);
        assert_eq!(found(&gaps), [(10_000, 60_300)], "it ended when the ports had been read");
    }

    #[test]
    fn a_gap_in_which_no_frame_waited_does_not_count() {
        let mut gaps = Gaps::new(us(0));
        gaps.turn(us(50_000), us(50_010), Turn::default());
        gaps.turn(us(90_000), us(90_010), Turn { late: SLIGHT, ..Turn::default() });
        assert_eq!(found(&gaps), []);
        gaps.turn(us(120_000), us(120_010), Turn { late: SLIGHT + Duration::from_micros(1), ..Turn::default() });
        assert_eq!(found(&gaps), [(90_000, 120_010)]);
    }

    #[test]
    fn a_gap_lasts_until_what_it_left_unread_has_been_read() {
        let mut gaps = Gaps::new(us(0));
        gaps.turn(us(50_000), us(50_100), MORE);
        gaps.turn(us(50_100), us(50_200), MORE);
        gaps.turn(us(50_200), us(50_250), READ);
        gaps.turn(us(50_300), us(50_350), READ);
        assert_eq!(found(&gaps), [(0, 50_250)]);
    }

    #[test]
    fn a_port_that_is_never_empty_has_waited_no_longer_than_its_ring_is_long() {
        let mut gaps = Gaps::new(us(0));
        for n in 1..=1_000 {
            gaps.turn(us(n * 10), us(n * 10 + 10), MORE);
            assert!(gaps.waited(us(n * 10)) <= Duration::from_micros(10 * (BACKLOG as u64 + 1)));
        }
        assert_eq!(found(&gaps), []);
    }

    #[test]
    fn a_port_with_a_part_of_a_super_frame_has_not_been_read() {
        let mut gaps = Gaps::new(us(0));
        for n in 1..=1_000 {
            gaps.turn(us(n * 10), us(n * 10 + 10), Turn { cut: true, ..MORE });
        }
        assert_eq!(found(&gaps), [(0, 10_010)]);
    }

    #[test]
    fn there_is_room_for_the_longest_ones() {
        let mut gaps = Gaps::new(us(0));
        for n in 1..=10_000u64 {
            let long = if n == 5_000 { 9_000_000 } else { 0 };
            gaps.turn(us(n * 10_000_000), us(n * 10_000_000 + 3_000 + long), READ);
            gaps.read_up_to = us((n + 1) * 10_000_000);
        }
        let found = gaps.found();
        assert!(found.least_ns > LEAST.as_nanos() && found.list.len() <= MOST);
        assert!(found.list.iter().any(|gap| gap.1 - gap.0 > 9_000_000_000), "{:?}", found.list);
    }
}
