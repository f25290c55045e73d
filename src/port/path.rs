//! The path to another longwire: when to ask about it, what datagrams tell of it, and how long frames were on it.
//!
//! Each datagram says when it was sent, and when one in the other direction was sent and came. Where there is little traffic, probes do.
//! Nothing in here reads a clock: times are readings of one in ns that is never set.

use super::clock_offset::{ClockOffset, Estimate};
use crate::engine::TimeStatistics;
use crate::topology::site::PathSpec;
use crate::units::Duration;
use crate::wire::site::{Echo, HEADER_LEN, Header};

const MS: u64 = 1_000_000;
/// From one datagram to the next at the most, where the peer is heard and its clock is known.
const KNOWN: u64 = 100 * MS;
/// Where it is heard, and its clock is not known.
const UNKNOWN: u64 = 20 * MS;
/// Where it is not heard, and how long after the last datagram of it that is so.
const SILENT: u64 = 1_000 * MS;

/// The path to a peer.
#[derive(Debug)]
pub(super) struct Path {
    spec: PathSpec,
    vni: u32,
    /// When this end was opened. Its session is named by it.
    opened: u64,
    /// Of the next datagram.
    sequence: u32,
    /// When the last datagram was sent; `None` before the first.
    sent: Option<u64>,
    /// It was a probe.
    probed: bool,
    heard: Option<Heard>,
    clock: ClockOffset,
    counted: Measured,
}

/// What is known of the peer.
#[derive(Debug)]
struct Heard {
    session: u32,
    /// The latest.
    sequence: u32,
    /// When a datagram came last.
    at: u64,
    /// Of its datagrams since one was sent there, that which took least: it tells the peer most.
    echo: Echo,
    /// It has been sent.
    echoed: bool,
}

/// What was measured of a path.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// How long frames were on the path to here, as far as the clocks are known: each is right to the error of that moment.
    pub delay: TimeStatistics,
    /// The shortest round trip of a datagram, in ns: its time at the peer does not count.
    pub round_trip: Option<u64>,
    /// The peer's clock less this one, as of the last datagram of it.
    pub clock: Option<Estimate>,
    /// How much faster the peer's clock runs, in parts per billion.
    pub drift_ppb: Option<i64>,
    /// How often a clock was found to have been set or stopped.
    pub steps: u64,
    /// Frames that came.
    pub frames: u64,
    /// Frames that came before anything was known of the peer's clock.
    pub unknown: u64,
    /// Frames that came while the error of the clocks was larger than asked.
    pub uncertain: u64,
    /// Datagrams that the path lost, probes among them.
    pub lost: u64,
    /// Datagrams that came after one that was sent later.
    pub reordered: u64,
}

impl Path {
    pub(super) fn new(spec: PathSpec, vni: u32, opened: u64) -> Path {
        let (clock, counted) = (ClockOffset::default(), Measured::default());
        Path { spec, vni, opened, sequence: 0, sent: None, probed: false, heard: None, clock, counted }
    }

    /// Whether links include it in their delay.
    pub(super) fn is_included(&self) -> bool {
        self.spec.is_included()
    }

    /// The header of the next datagram, which carries a frame.
    pub(super) fn header(&mut self, now: u64) -> [u8; HEADER_LEN] {
        self.sent = Some(now);
        self.probed = false;
        let echo = self.heard.as_mut().map(|heard| {
            heard.echoed = true;
            heard.echo
        });
        let (vni, session, sequence) = (self.vni, self.opened as u32, self.sequence);
        let header = Header { vni, session, sequence, sent: now, echo };
        self.sequence = self.sequence.wrapping_add(1);
        header.encode()
    }

    /// The next datagram, if it is time for one that carries no frame.
    pub(super) fn probe(&mut self, now: u64) -> Option<[u8; HEADER_LEN]> {
        let heard = self.heard.as_ref().is_some_and(|heard| now.saturating_sub(heard.at) < SILENT);
        let pause = match (heard, self.clock.estimate(now)) {
            (false, _) => SILENT,
            (true, None) => UNKNOWN,
            (true, Some(_)) => KNOWN,
        };
        if self.sent.is_some_and(|sent| now.saturating_sub(sent) < pause) {
            return None;
        }
        let header = self.header(now);
        self.probed = true;
        Some(header)
    }

    /// Whether the last datagram was a probe.
    pub(super) fn has_probed(&self) -> bool {
        self.probed
    }

    /// A datagram of the peer has come.
    pub(super) fn heard(&mut self, header: &Header, now: u64) {
        let echo = Echo { sent: header.sent, received: now };
        let known = self.heard.as_mut().filter(|heard| heard.session == header.session);
        match known {
            Some(heard) => {
                // numbers wrap around
                match header.sequence.wrapping_sub(heard.sequence) as i32 {
                    ahead @ 1.. => {
                        self.counted.lost += ahead as u64 - 1;
                        heard.sequence = header.sequence;
                    }
                    0 => {}
                    _ => {
                        // it was taken for lost
                        self.counted.lost = self.counted.lost.saturating_sub(1);
                        self.counted.reordered += 1;
                    }
                }
                if heard.echoed || took(echo) <= took(heard.echo) {
                    (heard.echo, heard.echoed) = (echo, false);
                }
                heard.at = now;
            }
            // its clock may be another
            None => {
                let Header { session, sequence, .. } = *header;
                self.counted.steps += self.clock.contradicted();
                self.clock = ClockOffset::default();
                self.heard = Some(Heard { session, sequence, at: now, echo, echoed: false });
            }
        }
        // what was sent before is not this end's, and perhaps not by this clock
        if let Some(Echo { sent, received }) = header.echo.filter(|echo| echo.sent >= self.opened) {
            self.clock.answered(sent, received, now);
            let there = header.sent.saturating_sub(received);
            let round_trip = now.saturating_sub(sent).saturating_sub(there);
            self.counted.round_trip = Some(self.counted.round_trip.map_or(round_trip, |least| least.min(round_trip)));
        }
        self.clock.came(header.sent, now);
    }

    /// A datagram with a frame has come. How long that was on the path, as far as is known; zero where nothing is.
    pub(super) fn frame(&mut self, header: &Header, now: u64) -> Duration {
        self.heard(header, now);
        self.counted.frames += 1;
        let Some(Estimate { offset, error }) = self.clock.estimate(now) else {
            self.counted.unknown += 1;
            return Duration::ZERO;
        };
        if self.spec.clock_error.is_some_and(|most| error > most.as_nanos()) {
            self.counted.uncertain += 1;
        }
        let by_our_clock = header.sent.wrapping_sub(offset as u64);
        let path = Duration::from_nanos(now.saturating_sub(by_our_clock));
        self.counted.delay.record(path, 1);
        path
    }

    /// What has been measured so far. A peer that has ended takes nothing of it back.
    pub(super) fn measured(&self) -> Measured {
        let last = self.heard.as_ref().map_or(0, |heard| heard.at);
        Measured {
            clock: self.clock.estimate(last),
            drift_ppb: self.clock.drift_ppb(last),
            steps: self.counted.steps + self.clock.contradicted(),
            ..self.counted.clone()
        }
    }
}

/// How long a datagram took by the readings of two clocks: among those of the same clocks, the least took least.
fn took(Echo { sent, received }: Echo) -> i64 {
    received.wrapping_sub(sent) as i64
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use proptest::prelude::*;

    use super::*;
    use crate::topology::site::PathDelay;

    const SECOND: u64 = 1_000 * MS;
    const VNI: u32 = 42;

    fn spec(clock_error: u64) -> PathSpec {
        PathSpec { path_delay: PathDelay::Included, clock_error: Some(Duration::from_nanos(clock_error)) }
    }

    /// Two ends of a path, each with a clock of its own.
    struct Ends {
        paths: [Path; 2],
        /// How far the second clock was ahead at first, and how much it gains.
        shift: u64,
        ppb: i64,
        /// Least delays from each end, and what more a datagram may take.
        delays: [u64; 2],
        jitter: u64,
        /// What is on its way: when it comes, negative; to which end; the datagram; when it was sent.
        flying: BinaryHeap<(i64, usize, [u8; HEADER_LEN], bool, u64)>,
        drawn: u64,
    }

    impl Ends {
        fn new(shift: u64, ppb: i64, delays: [u64; 2], clock_error: u64) -> Ends {
            let paths = [7, 9].map(|opened| Path::new(spec(clock_error), VNI, opened));
            Ends { paths, shift, ppb, delays, jitter: 0, flying: BinaryHeap::new(), drawn: 1 }
        }

        fn clock(&self, end: usize, at: u64) -> u64 {
            let gained = i128::from(at) * i128::from(self.ppb) / 1_000_000_000;
            if end == 0 { at } else { (i128::from(at) + gained) as u64 + self.shift }
        }

        fn send(&mut self, end: usize, at: u64, header: [u8; HEADER_LEN], frame: bool) {
            // a linear congruential generator: any numbers will do
            self.drawn = self.drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let more = if self.jitter == 0 { 0 } else { (self.drawn >> 33) % self.jitter };
            let comes = at + self.delays[end] + more;
            self.flying.push((-(comes as i64), 1 - end, header, frame, at));
        }

        /// Lets `from` to `to` go by in steps of a millisecond, with a frame from each end every `every`. Of each frame that came: its end,
        /// how long it was on the path, how long it is said to have been, and the error of that; the largest where nothing was known.
        fn run(&mut self, from: u64, to: u64, every: u64) -> Vec<(usize, u64, u64, u64)> {
            let mut all = Vec::new();
            for at in (from..to).step_by(MS as usize) {
                while let Some((comes, end, bytes, frame, sent)) = self.flying.pop() {
                    let comes = comes.unsigned_abs();
                    if comes > at {
                        self.flying.push((-(comes as i64), end, bytes, frame, sent));
                        break;
                    }
                    let (header, now) = (Header::decode(&bytes).unwrap(), self.clock(end, comes));
                    if frame {
                        let said = self.paths[end].frame(&header, now).as_nanos();
                        let error = self.paths[end].clock.estimate(now).map_or(u64::MAX, |estimate| estimate.error);
                        all.push((end, comes - sent, said, error));
                    } else {
                        self.paths[end].heard(&header, now);
                    }
                }
                for end in 0..2 {
                    let now = self.clock(end, at);
                    if at % every == 0 {
                        let header = self.paths[end].header(now);
                        self.send(end, at, header, true);
                    }
                    if let Some(header) = self.paths[end].probe(now) {
                        self.send(end, at, header, false);
                    }
                }
            }
            all
        }

        fn measured(&self, end: usize) -> Measured {
            self.paths[end].measured()
        }
    }

    #[test]
    fn five_milliseconds_out_and_fifteen_back_with_a_clock_that_drifts_are_known_within_ten() {
        let mut ends = Ends::new(3 * SECOND, 50_000, [5 * MS, 15 * MS], 11 * MS);
        ends.run(SECOND, 2 * SECOND, 50 * MS);
        let all = ends.run(2 * SECOND, 60 * SECOND, 50 * MS);
        assert!(all.len() > 2_000);
        for (end, took, said, error) in all {
            assert!(took.abs_diff(said) <= error && error <= 10_100_000, "{end}: {took}, {said} ± {error}");
            // a link's 20 ms, of which the path is a part, are within the error too
            assert!((20 * MS - said + took).abs_diff(20 * MS) <= error);
        }
        for (end, ahead, drift) in [(0, 3_003_000_000, 50_000), (1, -3_003_000_000, -50_000)] {
            let measured = ends.measured(end);
            let Estimate { offset, error } = measured.clock.unwrap();
            assert!(offset.abs_diff(ahead) <= error && (10 * MS..10_100_000).contains(&error), "{offset} ± {error}");
            assert!(measured.drift_ppb.unwrap().abs_diff(drift) < 2_000, "{measured:?}");
            assert!(measured.round_trip.unwrap().abs_diff(20 * MS) < 20_000, "{measured:?}");
            let Measured { steps, unknown, uncertain, lost, reordered, .. } = measured;
            assert_eq!((steps, lost, reordered, uncertain), (0, 0, 0, 0));
            assert!(unknown <= 2, "{unknown}: those that came within the first round trip");
        }
    }

    #[test]
    fn an_error_that_is_larger_than_asked_is_counted_for_each_frame() {
        let mut ends = Ends::new(0, 0, [5 * MS, 15 * MS], 9 * MS);
        let all = ends.run(SECOND, 2 * SECOND, 50 * MS).len() as u64;
        let both = [0, 1].map(|end| ends.measured(end));
        assert_eq!(both.iter().map(|one| one.uncertain + one.unknown).sum::<u64>(), all);
    }

    #[test]
    fn a_peer_that_is_silent_is_probed_once_a_second_and_one_that_answers_ten_times() {
        let mut path = Path::new(spec(MS), VNI, 7);
        let probes = |path: &mut Path, from: u64, to: u64| {
            (from..to).step_by(MS as usize).filter(|now| path.probe(*now).is_some()).count()
        };
        assert_eq!(probes(&mut path, SECOND, 11 * SECOND), 10);
        let mut ends = Ends::new(0, 0, [MS, MS], MS);
        ends.run(SECOND, 11 * SECOND, u64::MAX);
        let sent = ends.paths.each_ref().map(|path| path.sequence);
        assert!(sent.iter().all(|sent| (100..110).contains(sent)), "{sent:?}");
        assert!(ends.paths[0].clock.estimate(11 * SECOND).is_some());
    }

    #[test]
    fn datagrams_that_are_lost_or_overtaken_are_counted_across_the_end_of_the_numbers() {
        let mut path = Path::new(spec(MS), VNI, 7);
        let mut came = |session, sequence| {
            let header = Header { vni: VNI, session, sequence, sent: SECOND, echo: None };
            path.heard(&header, SECOND);
            (path.counted.lost, path.counted.reordered)
        };
        assert_eq!(came(1, u32::MAX - 1), (0, 0));
        assert_eq!(came(1, 2), (3, 0));
        assert_eq!(came(1, 0), (2, 1));
        assert_eq!(came(1, 2), (2, 1), "a copy");
        assert_eq!(came(2, 1_000), (2, 1), "another session begins anew");
        assert_eq!(came(2, 1_001), (2, 1));
    }

    #[test]
    fn a_peer_that_starts_anew_may_have_another_clock() {
        let mut ends = Ends::new(0, 0, [MS, MS], MS);
        ends.run(SECOND, 2 * SECOND, 50 * MS);
        ends.flying.clear();
        ends.shift = 5 * SECOND;
        ends.paths[1] = Path::new(spec(MS), VNI, ends.clock(1, 2 * SECOND));
        ends.run(2 * SECOND, 3 * SECOND, 50 * MS);
        let measured = ends.measured(0);
        let Estimate { offset, error } = measured.clock.unwrap();
        assert!(offset.abs_diff(5 * SECOND as i64) <= error && error < 2 * MS, "{offset} ± {error}");
        assert_eq!(measured.steps, 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn how_long_frames_were_on_the_path_is_always_right_to_the_error(
            shift in 0..100 * SECOND,
            ppb in -100_000..=100_000_i64,
            (delays, jitter) in ([0..40 * MS, 0..40 * MS], 0..30 * MS),
            every in 2..200_u64,
        ) {
            let mut ends = Ends::new(shift, ppb, delays, SECOND);
            ends.jitter = jitter;
            for (end, took, said, error) in ends.run(SECOND, 5 * SECOND, every * MS) {
                // within 70 ms the clocks drift by 7 µs
                prop_assert!(took.abs_diff(said) <= error.saturating_add(20_000), "{end}: {took}, {said} ± {error}");
            }
        }

        #[test]
        fn hostile_headers_are_survived(headers in proptest::collection::vec(any::<([u32; 2], [u64; 3])>(), 0..60)) {
            let (mut path, mut now) = (Path::new(spec(MS), VNI, 7), SECOND);
            for ([session, sequence], [sent, echoed, received]) in headers {
                let echo = Some(Echo { sent: echoed, received });
                let header = Header { vni: VNI, session: session % 2, sequence, sent, echo };
                let _ = (path.frame(&header, now), path.probe(now), path.measured());
                now += MS;
            }
        }
    }
}
