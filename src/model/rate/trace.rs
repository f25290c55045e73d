//! A Mahimahi trace: a file of milliseconds, one a line, each of which is an opportunity to deliver 1,504 bytes.
//!
//! Source: mm-link(1) and src/frontend/link_queue.cc of Mahimahi. Several small frames may share an opportunity, a large
//! frame takes several, an opportunity that finds nothing waiting is lost, and so is the rest of one. A frame that comes
//! at the very instant of an opportunity comes too late for it. At its last millisecond the trace begins again.

use std::sync::Arc;

use super::constant::{Work, work};
use crate::model::table::{BadTable, Table, TableSpec};
use crate::units::{Instant, NANOS_PER_SEC, Rate};

/// Bytes of one opportunity.
pub const OPPORTUNITY: u64 = 1504;
const OPPORTUNITY_WORK: Work = work(OPPORTUNITY * 8);
const NANOS_PER_MILLI: u64 = 1_000_000;

/// The opportunities of one round, in ns from its start; the last is its length.
#[derive(Debug, PartialEq, Eq)]
pub struct Trace {
    times: Vec<u64>,
}

impl Table for Trace {
    fn parse(text: &str, _: &TableSpec) -> Result<Trace, BadTable> {
        let mut times: Vec<u64> = Vec::new();
        for (n, line) in text.lines().enumerate() {
            let line = line.trim();
            let milli = line.parse::<u64>().ok().and_then(|ms| ms.checked_mul(NANOS_PER_MILLI)).ok_or_else(|| {
                let what = if line.is_empty() { "an empty line".to_owned() } else { format!("`{line}`") };
                BadTable::line(n + 1, format!("{what} is not a time: write whole milliseconds, one a line"))
            })?;
            if let Some(last) = times.last().filter(|last| **last > milli) {
                let last = last / NANOS_PER_MILLI;
                return Err(BadTable::line(n + 1, format!("the trace goes back in time, from {last} ms to {line} ms")));
            }
            times.push(milli);
        }
        match times.last() {
            None => Err(BadTable::whole("it has no lines: a trace has one for each opportunity, in milliseconds")),
            Some(0) => {
                Err(BadTable::whole("it lasts 0 ms: the last line is the length of the trace, and must be more"))
            }
            Some(_) => Ok(Trace { times }),
        }
    }
}

impl Trace {
    fn length(&self) -> u64 {
        self.times.last().copied().unwrap_or(1)
    }

    /// The mean over a round.
    pub fn mean(&self) -> Option<Rate> {
        let bits = self.times.len() as u128 * u128::from(OPPORTUNITY) * 8 * u128::from(NANOS_PER_SEC);
        Rate::from_bps(u64::try_from(bits / u128::from(self.length())).unwrap_or(u64::MAX).max(1))
    }

    /// When an opportunity comes; they are counted through all rounds, from 0.
    fn time_of(&self, n: u64) -> Instant {
        let round = self.times.len() as u64;
        let start = (n / round).saturating_mul(self.length());
        Instant::from_nanos(start.saturating_add(self.times[(n % round) as usize]))
    }

    /// The first opportunity after an instant.
    fn first_after(&self, at: Instant) -> u64 {
        let (round, within) = (at.as_nanos() / self.length(), at.as_nanos() % self.length());
        let passed = self.times.partition_point(|time| *time <= within) as u64;
        round * self.times.len() as u64 + passed
    }
}

/// A trace at work. Its time is the model's: it begins at 0.
#[derive(Clone, Debug)]
pub struct TraceServer {
    trace: Arc<Trace>,
    /// The first opportunity that is not used.
    next: u64,
    /// The first one that the present frame uses.
    first: u64,
    /// The last one used: when it came, and what is left of it.
    last: (Instant, Work),
}

impl TraceServer {
    /// The wire from `now` on.
    pub fn new(trace: Arc<Trace>, now: Instant) -> TraceServer {
        let next = trace.first_after(now);
        TraceServer { trace, next, first: next, last: (now, 0) }
    }

    /// When so much is sent that was offered at `offered` and stands at the wire from `start`.
    pub fn serve(&mut self, work: Work, offered: Instant, start: Instant) -> Instant {
        self.first = self.next;
        let (at, rest) = self.last;
        // only what waited when the opportunity came may use the rest of it
        let rest = if offered < start && at == start { rest } else { 0 };
        if work <= rest {
            self.last = (at, rest - work);
            return start;
        }
        let work = work - rest;
        let not_before =
            start.as_nanos().checked_sub(1).map_or(0, |ns| self.trace.first_after(Instant::from_nanos(ns)));
        self.first = self.next.max(self.trace.first_after(offered)).max(not_before);
        let needed = work.div_ceil(OPPORTUNITY_WORK);
        self.next = self.first + needed as u64;
        let done = self.trace.time_of(self.next - 1);
        self.last = (done, needed * OPPORTUNITY_WORK - work);
        done
    }

    /// Takes what is being sent off the wire: how much of it is left at `now`. The opportunities after `now` are free again.
    pub fn interrupt(&mut self, now: Instant) -> Work {
        let from = self.trace.first_after(now).clamp(self.first, self.next);
        let left = (Work::from(self.next - from) * OPPORTUNITY_WORK).saturating_sub(self.last.1);
        (self.next, self.last) = (from, (now, 0));
        left
    }

    /// Nothing more is to be sent: the rest of the opportunity is lost.
    pub fn rest(&mut self) {
        self.last.1 = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn trace(text: &str) -> Arc<Trace> {
        Arc::new(Trace::plain(text).unwrap())
    }

    fn ms(ms: u64) -> Instant {
        Instant::from_nanos(ms * NANOS_PER_MILLI)
    }

    /// Frames of (arrival in ns, bytes) through the server behind a queue: the departure of each in ns.
    fn departures(trace: Arc<Trace>, frames: &[(u64, u64)]) -> Vec<u64> {
        let mut server = TraceServer::new(trace, Instant::ZERO);
        let mut free = Instant::ZERO;
        frames
            .iter()
            .map(|(at, bytes)| {
                let offered = Instant::from_nanos(*at);
                if offered >= free {
                    server.rest();
                }
                free = server.serve(work(bytes * 8), offered, offered.max(free));
                free.as_nanos()
            })
            .collect()
    }

    /// Mahimahi's own words, byte by byte: at each opportunity up to 1,504 bytes of those that came before it.
    fn mahimahi(milliseconds: &[u64], frames: &[(u64, u64)]) -> Vec<u64> {
        let mut queue: VecDeque<(usize, u64)> = VecDeque::new();
        let mut coming = frames.iter().enumerate().peekable();
        let mut departures = vec![0; frames.len()];
        let (mut base, mut at, mut gone) = (0, 0, 0);
        while gone < frames.len() {
            let now = (base + milliseconds[at]) * 1_000_000;
            at += 1;
            if at == milliseconds.len() {
                (at, base) = (0, base + milliseconds[at - 1]);
            }
            while let Some((n, frame)) = coming.next_if(|(_, frame)| frame.0 < now) {
                queue.push_back((n, frame.1));
            }
            for _ in 0..1504 {
                let Some((n, left)) = queue.front_mut() else { break };
                *left -= 1;
                if *left == 0 {
                    departures[*n] = now;
                    queue.pop_front();
                    gone += 1;
                }
            }
        }
        departures
    }

    #[test]
    fn small_frames_share_an_opportunity_and_large_ones_take_several() {
        let even = trace("5\n10\n15\n20\n");
        let at = |frames: &[(u64, u64)]| {
            departures(even.clone(), frames).iter().map(|at| at / NANOS_PER_MILLI).collect::<Vec<_>>()
        };
        assert_eq!(at(&[(0, 1504), (0, 1)]), [5, 10]);
        assert_eq!(at(&[(0, 1503), (0, 1), (0, 1)]), [5, 5, 10]);
        assert_eq!(at(&[(0, 1505), (0, 1503), (0, 1504)]), [10, 10, 15]);
        assert_eq!(at(&[(0, 9000)]), [30]); // once through, and twice more
        // one nanosecond decides
        assert_eq!(at(&[(5_000_000, 100)]), [10]);
        assert_eq!(at(&[(4_999_999, 100)]), [5]);
        // what comes when an opportunity has passed finds nothing of it left
        assert_eq!(at(&[(0, 100), (5_000_000, 100)]), [5, 10]);
        // at the same instant one after the other
        assert_eq!(
            departures(trace("0\n2\n2\n2\n"), &[(0, 1504), (0, 3008), (0, 1504)]),
            [2_000_000, 2_000_000, 2_000_000]
        );
    }

    proptest! {
        #[test]
        fn departures_are_mahimahis_to_the_byte(
            mut milliseconds in prop::collection::vec(0u64..40, 1..30),
            mut frames in prop::collection::vec((0u64..400, any::<bool>(), 1u64..4000), 1..40),
        ) {
            milliseconds.sort_unstable();
            *milliseconds.last_mut().unwrap() += 1;
            frames.sort_unstable();
            // half of them at whole milliseconds, where opportunities are
            let frames: Vec<_> =
                frames.iter().map(|(at, whole, bytes)| (at * 500_000 + u64::from(!*whole), *bytes)).collect();
            let text: String = milliseconds.iter().map(|ms| format!("{ms}\n")).collect();
            prop_assert_eq!(departures(trace(&text), &frames), mahimahi(&milliseconds, &frames));
        }

        #[test]
        fn interrupting_and_going_on_is_no_change(
            mut milliseconds in prop::collection::vec(0u64..40, 1..30), bytes in 1u64..20_000, share in 0u64..1000,
        ) {
            milliseconds.sort_unstable();
            *milliseconds.last_mut().unwrap() += 1;
            let text: String = milliseconds.iter().map(|ms| format!("{ms}\n")).collect();
            let mut server = TraceServer::new(trace(&text), Instant::ZERO);
            let done = server.serve(work(bytes * 8), Instant::ZERO, Instant::ZERO);
            let now = Instant::from_nanos(done.as_nanos() * share / 1000);
            let left = server.interrupt(now);
            prop_assert!(left <= work(bytes * 8));
            prop_assert_eq!(server.serve(left, now, now), done);
        }
    }

    #[test]
    fn an_interrupted_frame_keeps_what_it_has_sent_and_gives_back_the_rest() {
        let mut server = TraceServer::new(trace("5\n10\n15\n20\n"), Instant::ZERO);
        assert_eq!(server.serve(work(8 * 4000), Instant::ZERO, Instant::ZERO), ms(15));
        assert_eq!(server.interrupt(ms(10)), work(8 * (4000 - 2 * 1504)));
        assert_eq!(server.serve(work(8), ms(10), ms(10)), ms(15));
    }

    #[test]
    fn a_wire_that_is_taken_up_late_begins_there() {
        // as when another direction had the medium: what passed meanwhile is gone
        let mut server = TraceServer::new(trace("5\n"), Instant::ZERO);
        assert_eq!(server.serve(work(8), Instant::ZERO, ms(12)), ms(15));
        assert_eq!(server.serve(work(8), Instant::ZERO, ms(20)), ms(20));
    }

    #[test]
    fn the_mean_is_that_of_a_round() {
        assert_eq!(trace("1000\n").mean().unwrap().as_bps(), 12_032);
        assert_eq!(trace("0\n1\n1\n2\n").mean().unwrap().as_bps(), 24_064_000);
        assert_eq!(trace("18446744073709\n").mean().unwrap().as_bps(), 1);
    }

    #[test]
    fn far_times_stay_in_range() {
        let mut server = TraceServer::new(trace("18446744073709\n"), Instant::ZERO);
        let far = server.serve(work(8 * 1504 * 3), Instant::ZERO, Instant::ZERO);
        assert_eq!(far, Instant::MAX);
    }

    #[test]
    fn mistakes_name_their_line() {
        let wrong = |text: &str| Trace::plain(text).unwrap_err().to_string();
        assert_eq!(wrong("1\nx\n"), "line 2: `x` is not a time: write whole milliseconds, one a line");
        assert!(wrong("1\n\n2\n").starts_with("line 2: an empty line is not a time"));
        assert!(wrong("1.5\n").starts_with("line 1: `1.5` is not"));
        assert_eq!(wrong("7\n6\n"), "line 2: the trace goes back in time, from 7 ms to 6 ms");
        assert!(wrong("").contains("has no lines"));
        assert!(wrong("0\n0\n").contains("lasts 0 ms"));
        assert!(wrong("18446744073709551615\n").contains("is not a time"));
        assert!(Trace::plain("1\r\n2\r\n").is_ok());
    }
}
