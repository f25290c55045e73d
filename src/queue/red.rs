//! RED: random early detection (S. Floyd, V. Jacobson: Random Early Detection Gateways for Congestion Avoidance, IEEE/ACM
//! Transactions on Networking, 1993). The more waits on average, the more of the arriving frames are dropped.
//!
//! Parameters are those of tc-red(8): sizes in bytes, and the same defaults of `max` and `min`; the weight of the average
//! is the paper's. `adaptive` is S. Floyd, R. Gummadi, S. Shenker: Adaptive RED, 2001. Its timer is caught up with, period
//! by period, before a frame comes or leaves; periods lie at whole half seconds of the engine's clock.
//!
//! Additions, multiplications and divisions of IEEE doubles only, so the decisions are equal on every machine.

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backlog::Backlog;
use super::mark::mark;
use super::spec::{Checked, uniform};
use super::{Doors, Wire};
use crate::frame::{DropCause, Frame, FramePool};
use crate::rng::StreamKey;
use crate::units::{ByteSize, Duration, Instant, NANOS_PER_SEC, Probability};

/// RED: drops arriving frames with a probability that grows with the average of what waits (Floyd and Jacobson 1993).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Red")]
pub struct RedSpec {
    /// At most so many bytes wait; more are dropped from the tail (`queue_full`).
    pub limit: ByteSize,
    /// With less than this on average nothing is dropped early. By default a third of `max`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<ByteSize>,
    /// With this or more on average every frame is dropped. By default a quarter of `limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<ByteSize>,
    /// The probability just below `max`. By default 2%.
    #[serde(default = "two_percent")]
    pub probability: Probability,
    /// Size of an average frame: how fast the average falls while nothing waits. By default 1000B.
    #[serde(default = "kilobyte")]
    pub avpkt: ByteSize,
    /// The weight of the present queue in the average, for each frame that comes. By default 0.2%.
    #[serde(default = "paper_weight")]
    pub weight: Probability,
    /// The probability adjusts itself between 1 and 50 %, to hold the average in the middle between `min` and `max`. By
    /// default false.
    #[serde(default)]
    pub adaptive: bool,
    /// ECN-capable packets are marked instead of dropped, up to `limit`. By default false.
    #[serde(default)]
    pub ecn: bool,
}

fn two_percent() -> Probability {
    const TWO_PERCENT: Probability = Probability::from_parts(20_000_000_000).expect("2 % is below 100 %");
    TWO_PERCENT
}

fn kilobyte() -> ByteSize {
    ByteSize::from_bytes(1000)
}

fn paper_weight() -> Probability {
    const PAPER: Probability = Probability::from_parts(2_000_000_000).expect("0.2 % is below 100 %");
    PAPER
}

impl RedSpec {
    /// The defaults within this limit.
    pub fn within(limit: ByteSize) -> RedSpec {
        RedSpec {
            limit,
            min: None,
            max: None,
            probability: two_percent(),
            avpkt: kilobyte(),
            weight: paper_weight(),
            adaptive: false,
            ecn: false,
        }
    }

    /// `max`, or its default.
    pub fn max_bytes(&self) -> u64 {
        self.max.map_or(self.limit.as_bytes() / 4, ByteSize::as_bytes)
    }

    /// `min`, or its default.
    pub fn min_bytes(&self) -> u64 {
        self.min.map_or(self.max_bytes() / 3, ByteSize::as_bytes)
    }
}

impl Checked for RedSpec {
    fn check(&self) -> Result<(), String> {
        let (min, max) = (ByteSize::from_bytes(self.min_bytes()), ByteSize::from_bytes(self.max_bytes()));
        if max >= self.limit {
            return Err(format!(
                "a `max` of {max} is not below the `limit` of {}: a limit a few times as large suits",
                self.limit
            ));
        }
        if min >= max {
            return Err(format!("a `min` of {min} is not below `max`, {max}: half of it or less suits"));
        }
        if self.probability == Probability::NEVER {
            return Err("a `probability` of 0 would drop nothing before `max`: 2% suits most links".into());
        }
        if self.weight == Probability::NEVER {
            return Err("a `weight` of 0 would keep the average at nothing: 0.2% suits most links".into());
        }
        if self.avpkt == ByteSize::default() {
            return Err("an `avpkt` of 0 bytes is no frame: 1000B suits most links".into());
        }
        Ok(())
    }
}

/// Time between two adjustments of an adaptive probability.
const PERIOD: Duration = Duration::from_millis(500);

/// Frames in the order in which they came, under RED.
#[derive(Debug)]
pub struct Red {
    spec: RedSpec,
    key: StreamKey,
    backlog: Backlog,
    /// The weighted average of what waits, in bytes.
    average: f64,
    /// Since when nothing waits; the average falls from then on, as of when it was last computed.
    idle_since: Option<Instant>,
    /// Frames since the last that was told of congestion, while the average is between `min` and `max`.
    count: u64,
    /// The probability just below `max`, as it is now.
    max_p: f64,
    /// When an adaptive probability is next adjusted.
    next_adjustment: Instant,
}

impl Red {
    /// An empty queue from `now` on, whose draws belong to `key`.
    pub fn new(spec: RedSpec, key: StreamKey, now: Instant) -> Red {
        Red {
            spec,
            key,
            backlog: Backlog::default(),
            average: 0.0,
            idle_since: Some(now),
            count: 0,
            max_p: spec.probability.as_f64(),
            next_adjustment: first_after(now),
        }
    }

    /// Its parameters.
    pub fn spec(&self) -> RedSpec {
        self.spec
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        self.backlog.frames()
    }

    /// Takes a stretch of frames, each on its own: the law drops or marks some ([`DropCause::Aqm`]), the limit the rest.
    pub fn offer(&mut self, mut frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        let now = frame.offered;
        self.catch_up(now, wire);
        while frame.count() > 1 {
            let front = pool.split_front(&mut frame, 1);
            self.offer_one(front, now, wire, pool, doors);
        }
        self.offer_one(frame, now, wire, pool, doors);
    }

    fn offer_one(&mut self, mut frame: Frame, now: Instant, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.average_at(now, wire);
        if self.tells(frame.number()) {
            match if self.spec.ecn { mark(frame, pool, doors) } else { Err(frame) } {
                Ok(marked) => frame = marked,
                Err(frame) => return doors.dropped(frame, DropCause::Aqm, pool),
            }
        }
        if self.backlog.bytes() + pool.bytes(&frame) > self.spec.limit.as_bytes() {
            return doors.dropped(frame, DropCause::QueueFull, pool);
        }
        self.idle_since = None;
        self.backlog.push(frame, pool);
    }

    /// The average as an arriving frame finds it: one step towards what waits; or where nothing waits, as many steps towards
    /// nothing as frames of `avpkt` could have passed.
    fn average_at(&mut self, now: Instant, wire: &Wire) {
        match &mut self.idle_since {
            Some(since) => {
                self.average *= decay(&self.spec, now - *since, wire);
                *since = now;
            }
            None => {
                let weight = self.spec.weight.as_f64();
                self.average += weight * (self.backlog.bytes() as f64 - self.average);
            }
        }
    }

    /// Whether this frame is told of congestion. Between `min` and `max` the probability is p/(1 − count·p), which makes the
    /// number of frames from one to the next uniform from 1 to 1/p.
    fn tells(&mut self, number: u64) -> bool {
        let (min, max) = (self.spec.min_bytes() as f64, self.spec.max_bytes() as f64);
        if self.average < min {
            self.count = 0;
            return false;
        }
        let tells = self.average >= max || {
            let p = self.max_p * (self.average - min) / (max - min);
            uniform(self.key.frame(number, 0).next_u64()) * (1.0 - self.count as f64 * p) < p
        };
        self.count = if tells { 0 } else { self.count + 1 };
        tells
    }

    /// Does every adjustment of an adaptive probability that is due by `now`: additive increase, multiplicative decrease.
    fn catch_up(&mut self, now: Instant, wire: &Wire) {
        if !self.spec.adaptive || self.next_adjustment > now {
            return;
        }
        let (min, max) = (self.spec.min_bytes() as f64, self.spec.max_bytes() as f64);
        let (low, high) = (min + 0.4 * (max - min), min + 0.6 * (max - min));
        while self.next_adjustment <= now {
            let average = match self.idle_since {
                Some(since) => self.average * decay(&self.spec, self.next_adjustment - since, wire),
                None => self.average,
            };
            let before = self.max_p;
            if average > high && self.max_p <= 0.5 {
                self.max_p += (self.max_p / 4.0).min(0.01);
            } else if average < low && self.max_p >= 0.01 {
                self.max_p *= 0.9;
            }
            if self.max_p == before && (self.idle_since.is_none() || average < low) {
                // until the next frame nothing brings the average up again, so nothing changes any more
                self.next_adjustment = first_after(now);
                return;
            }
            self.next_adjustment += PERIOD;
        }
    }

    /// Gives the next wire frame to the wire, which is free at `now`.
    pub fn take(&mut self, now: Instant, wire: &Wire, pool: &mut FramePool) -> Option<Frame> {
        let frame = self.backlog.pop(pool)?;
        self.catch_up(now, wire);
        if self.backlog.frames() == 0 {
            self.idle_since = Some(now);
        }
        Some(frame)
    }

    /// Changes the parameters; the average goes on, and the probability unless another is asked for. Frames beyond a new
    /// limit drop from the tail as [`DropCause::QueueResized`].
    pub(super) fn set(
        &mut self,
        spec: RedSpec,
        now: Instant,
        wire: &Wire,
        pool: &mut FramePool,
        doors: &mut impl Doors,
    ) {
        self.catch_up(now, wire);
        if spec.probability != self.spec.probability || !spec.adaptive {
            self.max_p = spec.probability.as_f64();
        }
        if spec.adaptive && !self.spec.adaptive {
            self.next_adjustment = first_after(now);
        }
        self.spec = spec;
        while self.backlog.bytes() > spec.limit.as_bytes() {
            let Some(last) = self.backlog.pop_last(pool) else { return };
            doors.dropped(last, DropCause::QueueResized, pool);
        }
        if self.backlog.frames() == 0 {
            self.idle_since = self.idle_since.or(Some(now));
        }
    }

    /// Puts another wire behind the queue: the average falls by the old one's rate up to now.
    pub(super) fn rewire(&mut self, old: &Wire, now: Instant) {
        self.catch_up(now, old);
        if self.idle_since.is_some() {
            self.average_at(now, old);
        }
    }

    pub(super) fn pop_stretch(&mut self, pool: &FramePool) -> Option<Frame> {
        self.backlog.pop_stretch(pool)
    }

    /// Takes over what another queue held; what does not fit is dropped as [`DropCause::QueueResized`].
    pub(super) fn move_in(&mut self, mut frame: Frame, pool: &mut FramePool, doors: &mut impl Doors) {
        while frame.count() > 1 {
            let front = pool.split_front(&mut frame, 1);
            self.move_in(front, pool, doors);
        }
        if self.backlog.bytes() + pool.bytes(&frame) > self.spec.limit.as_bytes() {
            return doors.dropped(frame, DropCause::QueueResized, pool);
        }
        self.idle_since = None;
        self.backlog.push(frame, pool);
    }

    /// Drops all that waits; the average starts anew.
    pub fn clear(&mut self, cause: DropCause, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) {
        self.backlog.clear(cause, pool, doors);
        (self.average, self.idle_since, self.count) = (0.0, Some(now), 0);
        self.max_p = self.spec.probability.as_f64();
        self.next_adjustment = first_after(now);
    }
}

/// What is left of an average after an idle time: (1 − w)^m, where m frames of `avpkt` could have passed; linear within
/// the last of them. On a wire that takes no time nothing is left.
fn decay(spec: &RedSpec, idle: Duration, wire: &Wire) -> f64 {
    let Some(rate) = wire.rate else { return 0.0 };
    // bits · 10⁻⁹, exact
    let could = u128::from(idle.as_nanos()) * u128::from(rate.as_bps());
    let each = u128::from(spec.avpkt.as_bytes().max(1)) * 8 * u128::from(NANOS_PER_SEC);
    let weight = spec.weight.as_f64();
    let rest = (could % each) as f64 / each as f64;
    power(1.0 - weight, could / each) * (1.0 - weight * rest)
}

/// A whole power, by squaring: multiplications only, so equal on every machine.
fn power(mut base: f64, mut exponent: u128) -> f64 {
    let mut result = 1.0;
    while exponent > 0 && result > 0.0 {
        if exponent & 1 == 1 {
            result *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    result
}

fn first_after(now: Instant) -> Instant {
    let period = PERIOD.as_nanos();
    Instant::from_nanos((now.as_nanos() / period).saturating_add(1).saturating_mul(period))
}

#[cfg(test)]
#[path = "red_tests.rs"]
mod tests;
