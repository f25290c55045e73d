//! PIE: proportional integral controller, enhanced (RFC 8033). Every so often it adjusts the probability with which
//! arriving frames are dropped: by how far the wait is from its target, and by how fast it grows.
//!
//! The wait is measured by timestamps (RFC 8033 §4.3's alternative to the departure rate, and what Linux does): that of
//! the frame that left the queue last, and zero once the queue is empty. The periodic update needs no timer: it is caught
//! up with, period by period, before a frame comes or leaves, which is all that could tell the difference. Periods lie on
//! the engine's clock, at whole multiples of `tupdate`.
//!
//! Additions, multiplications and divisions of IEEE doubles only, so the decisions are equal on every machine.

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::Doors;
use super::backlog::Backlog;
use super::mark::mark;
use super::spec::{Checked, uniform};
use crate::frame::{DropCause, Frame, FramePool};
use crate::model::form::forms;
use crate::rng::StreamKey;
use crate::units::{Duration, Instant, Probability};

/// PIE: drops arriving frames with a probability that a controller adjusts (RFC 8033). Short form: `queue: pie`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Pie")]
pub struct PieSpec {
    /// The wait to hold. By default 15ms.
    pub target: Duration,
    /// Time from one adjustment to the next, 1ms to 10s. By default 15ms.
    pub tupdate: Duration,
    /// A burst may last so long before any frame is dropped. By default 150ms.
    pub burst: Duration,
    /// How much a second of wait beyond the target adds to the probability. By default 0.125.
    pub alpha: Gain,
    /// How much a second by which the wait has grown adds to the probability. By default 1.25.
    pub beta: Gain,
    /// At most so many wire frames wait; more are dropped from the tail (`queue_full`). By default 1000.
    pub limit: u32,
    /// The details of the control law. By default those of RFC 8033.
    pub law: PieLaw,
    /// Drops are spread evenly: none soon after another, none too late (RFC 8033 §5.4). By default true.
    pub derandomize: bool,
    /// ECN-capable packets are marked instead of dropped. By default false.
    pub ecn: bool,
    /// With `ecn`: at probabilities from this up, packets are dropped all the same (RFC 8033 §5.1). By default 10%.
    pub ecn_threshold: Probability,
}

impl Default for PieSpec {
    /// RFC 8033 §4 and appendix A; the limit of Linux.
    fn default() -> PieSpec {
        PieSpec {
            target: Duration::from_millis(15),
            tupdate: Duration::from_millis(15),
            burst: Duration::from_millis(150),
            alpha: Gain(125_000),
            beta: Gain(1_250_000),
            limit: 1000,
            law: PieLaw::Rfc8033,
            derandomize: true,
            ecn: false,
            ecn_threshold: TEN_PERCENT,
        }
    }
}

const TEN_PERCENT: Probability = Probability::from_parts(100_000_000_000).expect("10 % is below 100 %");

impl Checked for PieSpec {
    fn check(&self) -> Result<(), String> {
        if self.target == Duration::ZERO {
            return Err("a `target` of 0 would drop without end: 15ms suits most links".into());
        }
        if !(Duration::from_millis(1)..=Duration::from_secs(10)).contains(&self.tupdate) {
            return Err(format!("a `tupdate` of {} is out of range: 1ms to 10s", self.tupdate));
        }
        if self.alpha.0 == 0 {
            return Err("an `alpha` of 0 would never come to rest at the target: 0.125 suits most links".into());
        }
        Ok(())
    }
}

/// The details of PIE's control law, in which implementations differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PieLaw {
    /// RFC 8033, section 4 and appendix A: the probability is at most 1.
    #[default]
    Rfc8033,
    /// Linux, sch_pie.c: the probability may grow to 256, so that a long overload is followed by a long time in which all but
    /// two full frames are dropped; beyond a wait of 250 ms each adjustment adds 2 %.
    Linux,
}

/// A gain of the controller per second of wait, 0 to 32 in millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gain(u32);

impl Gain {
    /// The largest gain.
    const MOST: f64 = 32.0;

    /// A gain of `millionths` of one per second; `None` above 32.
    pub const fn from_millionths(millionths: u32) -> Option<Gain> {
        if millionths > 32_000_000 { None } else { Some(Gain(millionths)) }
    }

    fn as_f64(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl Serialize for Gain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

forms! {
    Gain, "Gain": "A gain of a controller per second of wait.", "a gain per second from 0 to 32, as in `0.125`,";
    text { "type": "number", "minimum": 0, "maximum": 32 } => |text| {
        let number = text.parse::<f64>().ok().filter(|number| (0.0..=Gain::MOST).contains(number));
        let millionths = number.ok_or_else(|| format!("a gain of {text} is out of range: 0 to 32"))? * 1e6;
        match (millionths - millionths.round()).abs() > 1e-3 {
            true => Err(format!("a gain of {text} is finer than 0.000001")),
            false => Ok(Gain(millionths.round() as u32)),
        }
    };
}

/// Two full Ethernet frames: with no more than that waiting nothing is dropped early, lest the wire run dry (RFC 8033 §4.1).
const SHORT_QUEUE: u64 = 2 * 1514;

/// What Linux adds at each adjustment beyond this wait (sch_pie.c, "Non-linear drop").
const HIGH_DELAY: Duration = Duration::from_millis(250);

/// Linux holds the probability in units of 2⁻⁵⁶ in 64 bits, and notices only when these overflow.
const LINUX_MOST: f64 = 256.0;

/// The probability and what it follows from.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Control {
    /// With which an arriving frame is dropped.
    drop_prob: f64,
    /// The wait at the update before.
    old: Duration,
    /// How long a burst may still last.
    burst: Duration,
    /// When a frame last left, in Linux's law, where that is what uses up a burst.
    left: Option<Instant>,
}

impl Control {
    fn new(spec: &PieSpec) -> Control {
        Control { drop_prob: 0.0, old: Duration::ZERO, burst: spec.burst, left: None }
    }

    /// One period's update, `now` being the wait as it is, and `busy` whether frames wait (RFC 8033 §4.2, §4.4, §5.5; Linux:
    /// `pie_calculate_probability`).
    fn update(&mut self, spec: &PieSpec, now: Duration, busy: bool) {
        let linux = spec.law == PieLaw::Linux;
        let (wait, old, target) = (now.as_secs_f64(), self.old.as_secs_f64(), spec.target.as_secs_f64());
        let mut p = spec.alpha.as_f64() * (wait - target) + spec.beta.as_f64() * (wait - old);
        p /= tuning(self.drop_prob);
        if self.drop_prob >= 0.1 && p > 0.02 {
            p = 0.02;
        }
        if linux && now > HIGH_DELAY {
            p += 0.02;
        }
        self.drop_prob = (self.drop_prob + p).max(0.0);
        let quiet = now == Duration::ZERO && self.old == Duration::ZERO;
        match spec.law {
            PieLaw::Rfc8033 if quiet => self.drop_prob *= 0.98,
            PieLaw::Rfc8033 => self.drop_prob = self.drop_prob.min(1.0),
            PieLaw::Linux if self.drop_prob >= LINUX_MOST => self.drop_prob = 1.0,
            // a wait of 0 with frames in the queue is a short one
            PieLaw::Linux if quiet && !busy => self.drop_prob -= self.drop_prob / 64.0,
            PieLaw::Linux => {}
        }
        if !linux {
            self.burst = self.burst.saturating_sub(spec.tupdate);
        }
        let half = spec.target / 2;
        if self.drop_prob == 0.0 && now < half && self.old < half {
            (self.burst, self.left) = (spec.burst, None);
        }
        self.old = now;
    }

    /// A frame leaves (Linux: `pie_process_dequeue`).
    fn leaves(&mut self, now: Instant) {
        if let Some(before) = self.left.replace(now) {
            self.burst = self.burst.saturating_sub(now - before);
        }
    }
}

/// By how much an adjustment is divided: the smaller the probability, the finer the steps (RFC 8033 §4.2).
fn tuning(drop_prob: f64) -> f64 {
    match drop_prob {
        p if p < 0.000_001 => 2048.0,
        p if p < 0.000_01 => 512.0,
        p if p < 0.000_1 => 128.0,
        p if p < 0.001 => 32.0,
        p if p < 0.01 => 8.0,
        p if p < 0.1 => 2.0,
        _ => 1.0,
    }
}

/// Frames in the order in which they came, under PIE.
#[derive(Debug)]
pub struct Pie {
    spec: PieSpec,
    key: StreamKey,
    backlog: Backlog,
    control: Control,
    /// The wait of the frame that left last; zero once none waits.
    wait: Duration,
    /// Sum of the probabilities since the last drop.
    accumulated: f64,
    /// When the probability is next adjusted.
    next_update: Instant,
}

impl Pie {
    /// An empty queue from `now` on, whose draws belong to `key`.
    pub fn new(spec: PieSpec, key: StreamKey, now: Instant) -> Pie {
        Pie {
            spec,
            key,
            backlog: Backlog::default(),
            control: Control::new(&spec),
            wait: Duration::ZERO,
            accumulated: 0.0,
            next_update: first_update_after(now, spec.tupdate),
        }
    }

    /// Its parameters.
    pub fn spec(&self) -> PieSpec {
        self.spec
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        self.backlog.frames()
    }

    /// Does every update that is due by `now`. Between two frames the wait stands still, so the updates come to rest, and what
    /// would change nothing is passed over.
    fn catch_up(&mut self, now: Instant) {
        while self.next_update <= now {
            let before = self.control;
            self.control.update(&self.spec, self.wait, self.backlog.frames() > 0);
            if self.control == before {
                self.next_update = first_update_after(now, self.spec.tupdate);
                return;
            }
            self.next_update += self.spec.tupdate;
        }
    }

    /// Takes a stretch of frames, each on its own: the law drops or marks some ([`DropCause::Aqm`]), the limit the rest.
    pub fn offer(&mut self, mut frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        self.catch_up(frame.offered);
        while frame.count() > 1 {
            let front = pool.split_front(&mut frame, 1);
            self.offer_one(front, pool, doors);
        }
        self.offer_one(frame, pool, doors);
    }

    fn offer_one(&mut self, frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        if self.backlog.frames() >= u64::from(self.spec.limit) {
            self.accumulated = 0.0;
            return doors.dropped(frame, DropCause::QueueFull, pool);
        }
        if self.control.burst > Duration::ZERO || !self.drops_early(frame.number()) {
            return self.backlog.push(frame, pool);
        }
        let threshold = self.spec.ecn_threshold.as_f64();
        let marks = match self.spec.law {
            PieLaw::Rfc8033 => self.control.drop_prob < threshold,
            PieLaw::Linux => self.control.drop_prob <= threshold,
        };
        let frame = if self.spec.ecn && marks {
            match mark(frame, pool, doors) {
                Ok(marked) => return self.backlog.push(marked, pool),
                Err(frame) => frame,
            }
        } else {
            frame
        };
        self.accumulated = 0.0;
        doors.dropped(frame, DropCause::Aqm, pool);
    }

    /// Whether an arriving frame is to be dropped (RFC 8033 §4.1, §5.4).
    fn drops_early(&mut self, number: u64) -> bool {
        let drop_prob = self.control.drop_prob;
        let (wait, short) = match self.spec.law {
            PieLaw::Rfc8033 => (self.control.old, self.backlog.bytes() <= SHORT_QUEUE),
            PieLaw::Linux => (self.wait, self.backlog.bytes() < SHORT_QUEUE),
        };
        if (wait < self.spec.target / 2 && drop_prob < 0.2) || short {
            return false;
        }
        if self.spec.derandomize {
            if drop_prob == 0.0 {
                self.accumulated = 0.0;
            }
            self.accumulated += drop_prob;
            if self.accumulated < 0.85 {
                return false;
            }
            if self.accumulated >= 8.5 {
                self.accumulated = 0.0;
                return true;
            }
        }
        if drop_prob == 0.0 {
            return false;
        }
        let drops = uniform(self.key.frame(number, 0).next_u64()) < drop_prob;
        if drops {
            self.accumulated = 0.0;
        }
        drops
    }

    /// Gives the next wire frame to the wire, which is free at `now`.
    pub fn take(&mut self, now: Instant, pool: &mut FramePool) -> Option<Frame> {
        self.catch_up(now);
        let frame = self.backlog.pop(pool);
        self.wait = match &frame {
            Some(frame) if self.backlog.frames() > 0 => now - frame.offered,
            _ => Duration::ZERO,
        };
        if self.spec.law == PieLaw::Linux && frame.is_some() {
            self.control.leaves(now);
        }
        frame
    }

    /// Changes the parameters; the probability goes on. Frames beyond a new limit drop from the tail as
    /// [`DropCause::QueueResized`].
    pub(super) fn set(&mut self, spec: PieSpec, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) {
        self.catch_up(now);
        if spec.burst != self.spec.burst {
            self.control.burst = self.control.burst.min(spec.burst);
        }
        if spec.tupdate != self.spec.tupdate {
            self.next_update = first_update_after(now, spec.tupdate);
        }
        self.spec = spec;
        while self.backlog.frames() > u64::from(spec.limit) {
            let Some(last) = self.backlog.pop_last(pool) else { return };
            doors.dropped(last, DropCause::QueueResized, pool);
        }
    }

    pub(super) fn pop_stretch(&mut self, pool: &FramePool) -> Option<Frame> {
        self.backlog.pop_stretch(pool)
    }

    /// Takes over what another queue held; what does not fit is dropped as [`DropCause::QueueResized`].
    pub(super) fn move_in(&mut self, mut frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        let room = u64::from(self.spec.limit).saturating_sub(self.backlog.frames());
        if room == 0 {
            return doors.dropped(frame, DropCause::QueueResized, pool);
        }
        if frame.count() > room {
            let fits = pool.split_front(&mut frame, room);
            self.backlog.push(fits, pool);
            return doors.dropped(frame, DropCause::QueueResized, pool);
        }
        self.backlog.push(frame, pool);
    }

    /// Drops all that waits; the controller starts anew.
    pub fn clear(&mut self, cause: DropCause, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) {
        self.backlog.clear(cause, pool, doors);
        (self.control, self.wait, self.accumulated) = (Control::new(&self.spec), Duration::ZERO, 0.0);
        self.next_update = first_update_after(now, self.spec.tupdate);
    }
}

/// The first whole multiple of `tupdate` after `now`.
fn first_update_after(now: Instant, tupdate: Duration) -> Instant {
    let period = tupdate.as_nanos().max(1);
    Instant::from_nanos((now.as_nanos() / period).saturating_add(1).saturating_mul(period))
}

#[cfg(test)]
#[path = "pie_tests.rs"]
mod tests;
