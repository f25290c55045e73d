//! Slots, as `tc … netem … slot` means them: what waits leaves all at once when a slot opens, so many frames and bytes a
//! slot, and slots open at random distances. A cellular, Wi-Fi or DOCSIS uplink looks like that.
//!
//! Source: tc-netem(8), `get_slot_next` and `netem_dequeue` in the kernel's sch_netem.c (where the byte that a frame has
//! beyond the limit still passes, and a slot that opened before the head of the queue was ready is gone).

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant::{Work, resume, work};
use crate::model::{Delay, DelaySpec, Distribution};
use crate::rng::StreamKey;
use crate::units::{ByteSize, Duration, Instant, Rate};

/// When slots open, and what passes in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Long", into = "Long")]
pub struct SlotsSpec {
    /// From one slot to the next.
    pub distance: Distance,
    /// At most so many frames a slot.
    pub packets: Option<u32>,
    /// Once so many bytes have passed, a slot is over.
    pub bytes: Option<ByteSize>,
    /// Frames are ready for a slot only when they have been sent at this rate.
    pub rate: Option<Rate>,
}

/// How far apart slots open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// Uniform between two bounds, both of them included.
    Between(Duration, Duration),
    /// Around a mean; negative draws become 0.
    Around {
        /// The mean.
        mean: Duration,
        /// Half-width of a uniform distribution, σ of a normal one.
        jitter: Duration,
        /// Its shape.
        distribution: SlotDistribution,
    },
}

/// How the distance of slots strays around its mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotDistribution {
    /// Uniform on mean ± jitter.
    #[default]
    Uniform,
    /// Normal with σ = jitter.
    Normal,
}

/// The map form, as it stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// Slots are at least so far apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Duration>,
    /// Slots are at most so far apart; by default always `min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Duration>,
    /// The mean distance of slots. Instead of `min` and `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<Duration>,
    /// Half-width of a uniform distribution, σ of a normal one.
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<Duration>,
    /// How the distance strays around its mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<SlotDistribution>,
    /// At most so many frames a slot.
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<u32>,
    /// Once so many bytes have passed, a slot is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<ByteSize>,
    /// Frames are ready for a slot only when they have been sent at this rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
}

impl TryFrom<Long> for SlotsSpec {
    type Error = String;
    fn try_from(long: Long) -> Result<SlotsSpec, String> {
        let Long { min, max, mean, jitter, distribution, packets, bytes, rate } = long;
        let distance = match (min, max, mean) {
            (None, None, None) => {
                return Err(
                    "slots need a distance: `min` and `max`, as in `{ min: 800us, max: 1ms }`, or `mean`".into()
                );
            }
            (_, _, Some(_)) if min.is_some() || max.is_some() => {
                return Err("`mean` and `min`, `max` both say how far slots are apart: keep one".into());
            }
            (_, _, Some(mean)) => Distance::Around {
                mean,
                jitter: jitter.unwrap_or_default(),
                distribution: distribution.unwrap_or_default(),
            },
            (min, max, None) => {
                if jitter.is_some() || distribution.is_some() {
                    return Err("`jitter` and `distribution` go with `mean`; `min` and `max` are bounds".into());
                }
                let min = min.unwrap_or_default();
                Distance::Between(min, max.unwrap_or(min))
            }
        };
        match distance {
            Distance::Between(min, max) if max < min => {
                return Err(format!("slots between {min} and {max}: `max` is below `min`"));
            }
            Distance::Between(_, Duration::ZERO) | Distance::Around { mean: Duration::ZERO, .. } => {
                return Err("slots without any distance hold nothing back: write one above 0".into());
            }
            _ => {}
        }
        if packets == Some(0) || bytes == Some(ByteSize::default()) {
            return Err("a slot in which nothing passes: `packets` and `bytes` are at least 1".into());
        }
        Ok(SlotsSpec { distance, packets, bytes, rate })
    }
}

impl From<SlotsSpec> for Long {
    fn from(SlotsSpec { distance, packets, bytes, rate }: SlotsSpec) -> Long {
        let none = Long { min: None, max: None, mean: None, jitter: None, distribution: None, packets, bytes, rate };
        match distance {
            Distance::Between(min, max) => Long { min: Some(min), max: Some(max), ..none },
            Distance::Around { mean, jitter, distribution } => {
                let stray = jitter > Duration::ZERO;
                Long {
                    mean: Some(mean),
                    jitter: stray.then_some(jitter),
                    distribution: (distribution != SlotDistribution::default()).then_some(distribution),
                    ..none
                }
            }
        }
    }
}

impl JsonSchema for SlotsSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Slots".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Long::json_schema(generator)
    }
}

/// A full Ethernet frame without FCS: what a slot limited by frames is reckoned with.
const FULL_FRAME: u64 = 1514;

impl SlotsSpec {
    /// In a few words, for reports.
    pub fn words(&self) -> String {
        let mut words = match self.distance {
            Distance::Between(min, max) if min == max => format!("slots {min}"),
            Distance::Between(min, max) => format!("slots {min} to {max}"),
            Distance::Around { mean, jitter: Duration::ZERO, .. } => format!("slots {mean}"),
            Distance::Around { mean, jitter, distribution: SlotDistribution::Uniform } => {
                format!("slots {mean} ±{jitter}")
            }
            Distance::Around { mean, jitter, distribution: SlotDistribution::Normal } => {
                format!("slots {mean} ±{jitter} σ")
            }
        };
        let limits = [
            self.packets.map(|packets| format!(" of {packets} frames")),
            self.bytes.map(|bytes| format!(" of {bytes}")),
            self.rate.map(|rate| format!(" at {rate}")),
        ];
        words.extend(limits.into_iter().flatten());
        words
    }

    /// What passes at most in the long run: the least of what a slot's bytes, its frames (of 1,514 bytes) and `rate` allow;
    /// `None` if a slot has no limit.
    pub fn mean(&self) -> Option<Rate> {
        let distance = match self.distance {
            Distance::Between(min, max) => (u128::from(min.as_nanos()) + u128::from(max.as_nanos())) / 2,
            Distance::Around { mean, .. } => u128::from(mean.as_nanos()),
        };
        let frames = self.packets.map(|packets| u64::from(packets) * FULL_FRAME);
        let bytes = frames.into_iter().chain(self.bytes.map(ByteSize::as_bytes)).min();
        let of_slots = bytes.and_then(|bytes| {
            let bps = u128::from(bytes) * 8_000_000_000 / distance.max(1);
            Rate::from_bps(u64::try_from(bps).unwrap_or(u64::MAX).max(1))
        });
        of_slots.into_iter().chain(self.rate).min()
    }
}

/// A slot that is open or to come.
#[derive(Clone, Copy, Debug)]
struct Slot {
    opens: Instant,
    packets: u64,
    bytes: u64,
    /// How many were drawn before it.
    number: u64,
}

/// Slots at work. The first opens at once.
#[derive(Clone, Debug)]
pub struct Slots {
    spec: SlotsSpec,
    key: StreamKey,
    slot: Slot,
    /// The slot as it was before the present frame, and how much that is.
    before: (Slot, Work),
    /// When the last frame was ready, and what whole nanoseconds could not express of that.
    ready: (Instant, u64),
}

impl Slots {
    /// Slots from `now` on; each draws from its own generator under `key`.
    pub fn new(spec: SlotsSpec, now: Instant, key: StreamKey) -> Slots {
        let slot = Slot { opens: now, packets: 0, bytes: 0, number: 0 };
        let mut slots = Slots { spec, key, slot, before: (slot, 0), ready: (now, 0) };
        slots.fill();
        slots.before.0 = slots.slot;
        slots
    }

    /// What it was made from, live changes included.
    pub fn spec(&self) -> SlotsSpec {
        self.spec
    }

    /// Changes the parameters in place: the slot that is to come opens when it was to.
    pub fn set(&mut self, spec: SlotsSpec) {
        let Slot { packets, bytes, .. } = self.slot;
        self.spec = spec;
        self.fill();
        (self.slot.packets, self.slot.bytes) = (self.slot.packets.min(packets), self.slot.bytes.min(bytes));
    }

    /// When so much leaves that was offered at `offered` and stands at the wire from `start`.
    pub fn serve(&mut self, sent: Work, offered: Instant, start: Instant) -> Instant {
        let ready = self.ready(sent, offered).max(start);
        if self.slot.opens < ready {
            self.draw(ready);
        }
        self.before = (self.slot, sent);
        let opens = self.slot.opens;
        let bytes = u64::try_from(sent.div_ceil(work(8))).unwrap_or(u64::MAX);
        self.slot.packets = self.slot.packets.saturating_sub(1);
        self.slot.bytes = self.slot.bytes.saturating_sub(bytes);
        if self.slot.packets == 0 || self.slot.bytes == 0 {
            self.draw(opens);
        }
        opens
    }

    /// Takes the frame that waits for its slot off the wire: all of it is left, for it leaves whole.
    pub fn interrupt(&mut self) -> Work {
        let (slot, left) = self.before;
        self.slot = slot;
        left
    }

    fn ready(&mut self, work: Work, offered: Instant) -> Instant {
        let Some(rate) = self.spec.rate else { return offered };
        let (from, carry) = if self.ready.0 > offered { self.ready } else { (offered, 0) };
        let (time, carry) = resume(rate, work + Work::from(carry));
        self.ready = (from + time, carry);
        self.ready.0
    }

    /// The next slot, after `from`.
    fn draw(&mut self, from: Instant) {
        let mut rng = self.key.frame(self.slot.number, 0);
        let distance = match self.spec.distance {
            Distance::Between(min, max) => {
                let width = u128::from(max.as_nanos() - min.as_nanos()) + 1;
                let ns = u128::from(min.as_nanos()) + scale(rng.next_u64(), width);
                Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
            }
            Distance::Around { mean, jitter, distribution } => {
                let distribution = match distribution {
                    SlotDistribution::Uniform => Distribution::Uniform,
                    SlotDistribution::Normal => Distribution::Normal,
                };
                // strays as a delay does, and clamps as one
                let strays = Delay::new(DelaySpec { mean, jitter, distribution, ..DelaySpec::default() });
                strays.draw(from, || rng).delay
            }
        };
        self.slot.opens = from + distance;
        self.slot.number += 1;
        self.fill();
    }

    fn fill(&mut self) {
        self.slot.packets = self.spec.packets.map_or(u64::MAX, u64::from);
        self.slot.bytes = self.spec.bytes.map_or(u64::MAX, ByteSize::as_bytes);
    }
}

/// Uniform on 0 … width − 1: the bias is below width / 2⁶⁴.
fn scale(draw: u64, width: u128) -> u128 {
    // both halves, because the width may be beyond 64 bits
    let (high, low) = (width >> 64, width & u128::from(u64::MAX));
    high * u128::from(draw) + ((low * u128::from(draw)) >> 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::kolmogorov_smirnov;
    use crate::rng::Way;
    use serde_json::json;

    fn slots(form: serde_json::Value) -> Slots {
        Slots::new(from_json(form).unwrap(), Instant::ZERO, StreamKey::new(1, "link", Way::Forward, "slots"))
    }

    fn us(us: u64) -> Instant {
        Instant::from_nanos(us * 1000)
    }

    /// Frames of (offered in µs, bytes), one behind the other: when each leaves, in µs.
    fn departures(form: serde_json::Value, frames: &[(u64, u64)]) -> Vec<u64> {
        let mut slots = slots(form);
        let mut free = Instant::ZERO;
        let serve = |(at, bytes): &(u64, u64)| {
            free = slots.serve(work(bytes * 8), us(*at), us(*at).max(free));
            free.as_nanos() / 1000
        };
        frames.iter().map(serve).collect()
    }

    #[test]
    fn what_waits_leaves_when_a_slot_opens() {
        let ten = json!({ "min": "10us" });
        // the first slot opens at 0, and is gone a microsecond later
        assert_eq!(departures(ten.clone(), &[(0, 100), (0, 100), (1, 100), (11, 100), (12, 100)]), [0, 0, 11, 11, 22]);
        let two = json!({ "min": "10us", "packets": 2 });
        assert_eq!(departures(two, &[(1, 100); 5]), [11, 11, 21, 21, 31]);
        // the frame that goes over the limit still passes
        let bytes = json!({ "min": "10us", "bytes": "150B" });
        assert_eq!(departures(bytes, &[(1, 100); 5]), [11, 11, 21, 21, 31]);
        let exactly = json!({ "min": "10us", "bytes": "100B" });
        assert_eq!(departures(exactly, &[(1, 100); 3]), [11, 21, 31]);
    }

    #[test]
    fn with_a_rate_a_frame_is_ready_when_it_has_been_sent() {
        // a byte a microsecond, slots 10 µs apart
        let form = json!({ "min": "10us", "rate": "8Mbit" });
        // ready at 100 and 115: the slot at 110 is gone when the second is ready
        assert_eq!(departures(form, &[(0, 100), (0, 15)]), [110, 125]);
        let wide = json!({ "min": "1ms", "rate": "8Mbit" });
        assert_eq!(departures(wide, &[(0, 100), (0, 15), (0, 985), (0, 1)]), [1100, 1100, 1100, 2101]);
    }

    #[test]
    fn a_frame_that_is_taken_back_gives_its_place_to_another() {
        let mut slots = slots(json!({ "min": "10us", "packets": 1 }));
        assert_eq!(slots.serve(work(800), us(5), us(5)), us(15));
        assert_eq!(slots.interrupt(), work(800));
        assert_eq!(slots.serve(work(80), us(6), us(6)), us(15));
        assert_eq!(slots.serve(work(80), us(6), us(15)), us(25));
        slots.set(from_json(json!({ "min": "1us", "packets": 1 })).unwrap());
        assert_eq!(slots.serve(work(80), us(6), us(25)), us(35));
        assert_eq!(slots.serve(work(80), us(6), us(35)), us(36));
    }

    /// The distances of 40,000 slots, as fractions of the way from `low` to `high`.
    fn distances(form: serde_json::Value, low: f64, high: f64) -> Vec<f64> {
        let mut slots = slots(form);
        let mut before = Instant::ZERO;
        let next = |n: u64| {
            let at = slots.serve(work(8), Instant::ZERO, before);
            let distance = (at - before).as_nanos();
            before = at;
            (n, distance)
        };
        let all = (0..=40_000).map(next).filter(|(n, _)| *n > 0);
        all.map(|(_, distance)| (distance as f64 - low) / (high - low)).collect()
    }

    #[test]
    fn distances_are_uniform_between_their_bounds() {
        // bounds that are off by 5 % of the width move the distribution by 0.05 somewhere: √40,000 · 0.05 = 10
        let form = json!({ "min": "800us", "max": "1200us", "packets": 1 });
        assert!(kolmogorov_smirnov(&distances(form, 800e3, 1200e3), |x| x.clamp(0.0, 1.0)) < 1.95);
        let form = json!({ "mean": "1ms", "jitter": "200us", "packets": 1 });
        assert!(kolmogorov_smirnov(&distances(form, 800e3, 1200e3), |x| x.clamp(0.0, 1.0)) < 1.95);
        // both bounds are met, and nothing beyond them
        let all = distances(json!({ "min": "999ns", "max": "1001ns", "packets": 1 }), 999.0, 1000.0);
        let count = |x: f64| all.iter().filter(|d| **d == x).count() as f64;
        let expected = all.len() as f64 / 3.0;
        let chi2: f64 = [0.0, 1.0, 2.0].map(|x| (count(x) - expected).powi(2) / expected).iter().sum();
        assert!(chi2 < 13.8, "χ² {chi2} with 2 degrees of freedom"); // 13.8 at α = 0.001
    }

    #[test]
    fn distances_are_normal_with_the_asked_deviation() {
        // σ off by 5 % moves the distribution by 0.05 · φ(1) = 0.012: √40,000 · 0.012 = 2.4
        let form = json!({ "mean": "100ms", "jitter": "10ms", "distribution": "normal", "packets": 1 });
        let z = distances(form, 100e6, 110e6);
        let n = z.len() as f64;
        let (mean, square) = (z.iter().sum::<f64>() / n, z.iter().map(|z| z * z).sum::<f64>() / n);
        // σ of the mean 1/√n, of the mean square √(2/n): 3.29 of them at α = 0.001
        assert!(mean.abs() < 3.29 / n.sqrt(), "mean {mean}");
        assert!((square - 1.0).abs() < 3.29 * (2.0 / n).sqrt(), "variance {square}");
        let within = |z0: f64, p: f64| {
            let share = z.iter().filter(|z| z.abs() < z0).count() as f64 / n;
            assert!((share - p).abs() < 3.29 * (p * (1.0 - p) / n).sqrt(), "{share} within {z0} σ, not {p}");
        };
        within(1.0, 0.682_689_5);
        within(2.0, 0.954_499_7);
        // negative draws become 0
        let all = distances(json!({ "mean": "1us", "jitter": "1s", "distribution": "normal", "packets": 1 }), 0.0, 1.0);
        let zero = all.iter().filter(|d| **d == 0.0).count() as f64 / n;
        assert!((zero - 0.5).abs() < 3.29 * 0.5 / n.sqrt(), "{zero}");
    }

    #[test]
    fn the_widest_distances_stay_in_range() {
        let spec = SlotsSpec {
            distance: Distance::Around {
                mean: Duration::MAX,
                jitter: Duration::MAX,
                distribution: SlotDistribution::Uniform,
            },
            packets: Some(1),
            bytes: None,
            rate: None,
        };
        let mut slots = Slots::new(spec, Instant::ZERO, StreamKey::new(1, "link", Way::Forward, "slots"));
        let first = slots.serve(work(8), us(1), us(1));
        assert!(first > us(1));
        assert_eq!(scale(u64::MAX, 1), 0);
        assert_eq!(scale(u64::MAX, u128::from(u64::MAX)), u128::from(u64::MAX) - 1);
        assert_eq!(scale(0, 1 << 65), 0);
        assert!(scale(u64::MAX, 1 << 65) < 1 << 65);
    }

    #[test]
    fn the_mean_is_the_least_of_its_limits() {
        let mean = |form| from_json::<SlotsSpec>(form).unwrap().mean().map(|rate| rate.to_string());
        assert_eq!(mean(json!({ "min": "1ms" })), None);
        assert_eq!(mean(json!({ "min": "1ms", "max": "3ms", "bytes": "1000B" })).unwrap(), "4Mbit");
        assert_eq!(mean(json!({ "mean": "1ms", "packets": 2 })).unwrap(), "24.224Mbit");
        assert_eq!(mean(json!({ "mean": "1ms", "packets": 2, "rate": "5Mbit" })).unwrap(), "5Mbit");
    }

    #[test]
    fn scenario_forms() {
        for form in [
            json!({ "min": "800us", "max": "1ms", "packets": 42, "bytes": "64KiB" }),
            json!({ "mean": "1ms", "jitter": "100us", "distribution": "normal", "rate": "20Mbit" }),
            json!({ "max": "1ms" }),
        ] {
            let spec = from_json::<SlotsSpec>(form.clone()).unwrap();
            assert_eq!(from_json::<SlotsSpec>(serde_json::to_value(spec).unwrap()), Ok(spec), "{form}");
        }
        for (wrong, words) in [
            (json!({}), "need a distance"),
            (json!({ "packets": 3 }), "need a distance"),
            (json!({ "min": "1ms", "mean": "1ms" }), "keep one"),
            (json!({ "min": "1ms", "jitter": "1ms" }), "go with `mean`"),
            (json!({ "min": "2ms", "max": "1ms" }), "`max` is below `min`"),
            (json!({ "min": "0s" }), "hold nothing back"),
            (json!({ "mean": "0s", "jitter": "1ms" }), "hold nothing back"),
            (json!({ "min": "1ms", "packets": 0 }), "at least 1"),
            (json!({ "min": "1ms", "bytes": "0B" }), "at least 1"),
            (json!({ "min": 5 }), "write `5ms`"),
            (json!({ "min": "1ms", "packet": 1 }), "unknown field `packet`"),
        ] {
            let error = from_json::<SlotsSpec>(wrong.clone()).unwrap_err();
            assert!(error.contains(words), "{wrong}: {error}");
        }
    }
}
