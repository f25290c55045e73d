//! What becomes of the requests of `ping`: answered, lost, late, answered twice. No clock: time comes in.

use std::collections::VecDeque;

use super::distribution::Distribution;
use crate::measured::gap::Silences;
use crate::measured::{Percentile, Ping};

/// Samples in a report.
const SAMPLES: usize = 100_000;
/// Requests that are remembered after they were answered or timed out, to tell late replies from duplicates.
const REMEMBERED: usize = 1 << 17;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    TimedOut,
    Answered,
    /// Answered after the timeout.
    Late,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    sent_at: u64,
    state: State,
}

/// What has become of all requests.
#[derive(Debug)]
pub(super) struct Requests {
    timeout: u64,
    started: u64,
    /// The latest requests; the first one's number is `first`.
    window: VecDeque<Request>,
    first: u64,
    /// The oldest request that is still waited for, or the next one.
    oldest: u64,
    /// Requests that are still waited for.
    pub(super) waiting: u64,
    /// The report in the making.
    pub(super) report: Ping,
    rtt: Distribution,
    silences: Silences,
    /// When the first request was sent, and when the last.
    sent: Option<(u64, u64)>,
}

impl Requests {
    /// No requests yet; a reply is in time up to `timeout` ns after its request.
    pub(super) fn new(timeout: u64, started: u64) -> Requests {
        Requests {
            timeout,
            started,
            window: VecDeque::new(),
            first: 0,
            oldest: 0,
            waiting: 0,
            report: Ping { started_ns: Some(started), ..Ping::default() },
            rtt: Distribution::of_delays(),
            silences: Silences::default(),
            sent: None,
        }
    }

    /// A request was sent, or refused by this host.
    pub(super) fn sent(&mut self, sent_at: u64, refused: bool) {
        let state = if refused { State::TimedOut } else { State::Waiting };
        // before the push: one request more than a power of two would double the memory
        while self.window.len() >= REMEMBERED && self.window[0].state != State::Waiting {
            self.window.pop_front();
            self.first += 1;
        }
        self.window.push_back(Request { sent_at, state });
        self.report.sent += 1;
        self.sent = Some((self.sent.map_or(sent_at, |(first, _)| first), sent_at));
        self.report.unsent += u64::from(refused);
        self.waiting += u64::from(!refused);
        if self.report.samples.len() < SAMPLES {
            self.report.samples.push((sent_at.saturating_sub(self.started), None));
        } else {
            self.report.samples_omitted += 1;
        }
    }

    /// When the request with this number was sent; `None` if it never was, or too long ago.
    pub(super) fn sent_at(&self, number: u64) -> Option<u64> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(self.window.get(at)?.sent_at)
    }

    /// A reply to request `number` arrived. It counts by its own time, however late it was read.
    pub(super) fn replied(&mut self, number: u64, arrived: u64) {
        let Some(at) = number.checked_sub(self.first).and_then(|at| usize::try_from(at).ok()) else {
            // Forgotten, so it had been answered or had timed out long before.
            self.report.late += 1;
            return;
        };
        let Some(request) = self.window.get_mut(at) else { return };
        if matches!(request.state, State::Answered | State::Late) {
            self.report.duplicates += 1;
            return;
        }
        self.waiting -= u64::from(request.state == State::Waiting);
        let rtt = arrived.saturating_sub(request.sent_at);
        if rtt > self.timeout {
            request.state = State::Late;
            self.report.late += 1;
            return;
        }
        request.state = State::Answered;
        self.report.received += 1;
        self.rtt.record(rtt);
        self.silences.arrived(arrived);
        if let Some(sample) = usize::try_from(number).ok().and_then(|n| self.report.samples.get_mut(n)) {
            sample.1 = Some(rtt);
        }
    }

    /// Gives up on requests whose time is over at `now`; when the next one's will be.
    pub(super) fn expire(&mut self, now: u64) -> Option<u64> {
        self.oldest = self.oldest.max(self.first);
        while let Some(request) = self.window.get_mut((self.oldest - self.first) as usize) {
            if request.state == State::Waiting {
                let over = request.sent_at.saturating_add(self.timeout);
                if over >= now {
                    return Some(over.saturating_add(1));
                }
                request.state = State::TimedOut;
                self.waiting -= 1;
            }
            self.oldest += 1;
        }
        None
    }

    /// The report; the counts of what was still waited for are in it.
    pub(super) fn finish(mut self, ended: u64, percentiles: &[Percentile]) -> Ping {
        self.report.duration_ns = ended.saturating_sub(self.started);
        self.report.pending = self.waiting;
        self.report.lost = self.report.sent - self.report.received - self.waiting;
        self.report.rtt_ns = self.rtt.times(percentiles);
        let quickest = self.report.rtt_ns.as_ref().map_or(0, |rtt| rtt.min());
        let heard = self.silences.heard();
        self.report.gap = self.sent.map(|(first, last)| heard.longest(first + quickest, last + quickest));
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Gap;

    #[test]
    fn replies_count_by_their_own_time() {
        let mut all = Requests::new(100, 1000);
        for at in [1000, 1010, 1020, 1030] {
            all.sent(at, false);
        }
        all.sent(1040, true);
        assert_eq!(all.expire(1100), Some(1101), "a reply at the timeout itself is in time");
        all.replied(0, 1100);
        assert_eq!(all.expire(1111), Some(1121));
        all.replied(1, 1109); // in time, read after it was given up
        all.replied(2, 1121); // late by 1 ns
        all.replied(2, 1122);
        all.replied(0, 1101);
        all.replied(77, 1101); // never sent
        let report = all.finish(2000, &[]);
        assert_eq!((report.sent, report.received, report.lost, report.pending), (5, 2, 2, 1));
        assert_eq!((report.late, report.duplicates, report.unsent, report.duration_ns), (1, 2, 1, 1000));
        assert_eq!(report.samples, [(0, Some(100)), (10, Some(99)), (20, None), (30, None), (40, None)]);
        assert_eq!(report.rtt_ns.map(|p| (p.min(), p.max())), Some((99, 100)));
        // from 1000 + 99 to 1040 + 99: the answer at 1109 is the last in time
        assert_eq!(report.gap, Some(Gap { from_ns: 1109, max_ns: 30, to_ns: 1139 }));
    }

    #[test]
    fn however_many_requests_there_are_the_memory_is_that_of_the_latest() {
        let mut all = Requests::new(1000, 0);
        for at in 0..3 * REMEMBERED as u64 {
            all.sent(at, false);
            all.replied(at, at + 1);
        }
        assert_eq!((all.window.len(), all.window.capacity()), (REMEMBERED, REMEMBERED));
    }

    #[test]
    fn old_requests_are_forgotten_but_not_while_they_are_waited_for() {
        let mut all = Requests::new(1000, 0);
        all.sent(0, false);
        for at in 1..=REMEMBERED as u64 {
            all.sent(at, false);
            all.replied(at, at + 1);
        }
        assert_eq!(all.sent_at(0), Some(0));
        all.replied(0, 900);
        all.sent(REMEMBERED as u64 + 1, false);
        assert_eq!(all.sent_at(0), None);
        all.replied(0, 950);
        assert_eq!((all.report.received, all.report.late), (REMEMBERED as u64 + 1, 1));
        assert_eq!(
            (all.report.samples.len(), all.report.samples_omitted),
            (SAMPLES, REMEMBERED as u64 + 2 - SAMPLES as u64)
        );
        assert_eq!(all.expire(u64::MAX), None);
        assert_eq!(all.finish(0, &[]).pending, 0);
    }
}
