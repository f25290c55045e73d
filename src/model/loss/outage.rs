//! Outages: times in which every frame is lost, whatever passes or does not.
//!
//! A function of model time alone, counted from the engine's start, at which the wire is up. With constant durations it is
//! down in [up, up + down) of each period. With exponential ones it is a Markov process in continuous time that leaves
//! `up` at rate λ = 1 / up and `down` at rate μ = 1 / down.
//!
//! Such a process is the same as this one (uniformization, Jensen 1953): events come as a Poisson process of rate λ + μ,
//! and at each the state is drawn anew, down with probability λ / (λ + μ) = down / (up + down). So time is cut into
//! cells, each with a generator of its own; the state is that of the last event before, which hardly ever is more than
//! two cells away. Any instant is answered in bounded time, and the same however it is asked.

use rand_distr::{Distribution as _, Exp1};
use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::LongRun;
use crate::model::chain::Odds;
use crate::rng::StreamKey;
use crate::units::{Duration, Instant};

/// Times up and down, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OutageLoss")]
pub struct OutageSpec {
    /// How long frames pass, on average if random; it begins with that.
    #[serde(deserialize_with = "some_time")]
    pub up: Duration,
    /// How long all frames are lost, on average if random.
    #[serde(deserialize_with = "some_time")]
    pub down: Duration,
    /// Whether each lasts exactly so long, or exponentially distributed with that mean.
    #[serde(default)]
    pub distribution: Durations,
}

/// How long the times of an outage are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "OutageDistribution")]
pub enum Durations {
    /// Always the same.
    #[default]
    Constant,
    /// Exponentially distributed: how long it has lasted says nothing of how long it will.
    Exponential,
}

fn some_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match Duration::deserialize(deserializer)? {
        Duration::ZERO => Err(serde::de::Error::custom(
            "a time of 0 never comes: write more, or `random: 100%` for a wire that is always down",
        )),
        time => Ok(time),
    }
}

impl OutageSpec {
    /// The share of the time in which the wire is down.
    pub fn share(&self) -> f64 {
        let (up, down) = (self.up.as_secs_f64(), self.down.as_secs_f64());
        down / (up + down)
    }

    /// The bursts depend on the traffic.
    pub(super) fn long_run(&self) -> LongRun {
        LongRun { loss: Some(self.share()), mean_burst: None }
    }
}

/// Events in a cell, on average.
const EVENTS_A_CELL: f64 = 4.0;

/// Outages at work.
#[derive(Clone, Debug)]
pub struct Outage {
    spec: OutageSpec,
    key: StreamKey,
    /// The last answer: from the first instant on and before the second.
    known: (Instant, Instant, bool),
}

impl Outage {
    /// Outages that draw from `key`, if they draw at all.
    pub fn new(spec: OutageSpec, key: StreamKey) -> Outage {
        Outage { spec, key, known: (Instant::ZERO, Instant::ZERO, false) }
    }

    /// Changes the times, as if they had been so from the engine's start.
    pub fn set(&mut self, spec: OutageSpec) {
        *self = Outage::new(spec, self.key);
    }

    /// Whether the wire is down at an instant.
    #[inline]
    pub fn is_down(&mut self, at: Instant) -> bool {
        let (from, until, down) = self.known;
        if from <= at && at < until {
            return down;
        }
        self.known = match self.spec.distribution {
            Durations::Constant => self.periodic(at),
            Durations::Exponential => self.drawn(at),
        };
        self.known.2
    }

    fn periodic(&self, at: Instant) -> (Instant, Instant, bool) {
        let wide = |duration: Duration| u128::from(duration.as_nanos());
        let (up, period) = (wide(self.spec.up), wide(self.spec.up) + wide(self.spec.down));
        let start = u128::from(at.as_nanos()) / period * period;
        let instant = |ns: u128| Instant::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
        match u128::from(at.as_nanos()) - start < up {
            true => (instant(start), instant(start + up), false),
            false => (instant(start + up), instant(start + period), true),
        }
    }

    /// The state at an instant, from the last event up to it until the first after it; a cell's end counts as one.
    #[cold]
    fn drawn(&self, at: Instant) -> (Instant, Instant, bool) {
        let length = self.cell();
        let cell = at.as_nanos() / length;
        let start = cell * length;
        let (mut from, mut until, mut last) = (start, start.saturating_add(length), None);
        for (event, down) in self.events(cell) {
            if event > at.as_nanos() {
                until = event;
                break;
            }
            (from, last) = (event, Some(down));
        }
        let before = || (0..cell).rev().find_map(|cell| self.events(cell).last().map(|(_, down)| down));
        let down = last.or_else(before).unwrap_or(false);
        (Instant::from_nanos(from), Instant::from_nanos(until), down)
    }

    /// The mean time between two events, in nanoseconds: 1 / (λ + μ).
    fn mean_gap(&self) -> f64 {
        let (up, down) = (self.spec.up.as_nanos() as f64, self.spec.down.as_nanos() as f64);
        up / (up + down) * down
    }

    fn cell(&self) -> u64 {
        ((self.mean_gap() * EVENTS_A_CELL) as u64).max(1)
    }

    /// The events of a cell in order, each with whether the wire is down from then on.
    fn events(&self, cell: u64) -> impl Iterator<Item = (u64, bool)> {
        let (up, down) = (self.spec.up.as_nanos(), self.spec.down.as_nanos());
        let odds = Odds::ratio(down, u128::from(up) + u128::from(down));
        let (length, gap) = (self.cell(), self.mean_gap());
        let mut rng = self.key.frame(cell, 0);
        let mut place = 0.0;
        std::iter::from_fn(move || {
            let step: f64 = Exp1.sample(&mut rng);
            place += step * gap;
            let down = odds.happens(rng.next_u64());
            (place < length as f64).then(|| ((cell * length).saturating_add((place as u64).min(length - 1)), down))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{Powerful, assert_distribution};
    use crate::rng::Way;
    use proptest::prelude::*;
    use serde_json::json;

    fn outage(value: serde_json::Value) -> Outage {
        Outage::new(from_json(value).unwrap(), StreamKey::new(1, "link", Way::Forward, "loss.outage"))
    }

    fn at(ns: u64) -> Instant {
        Instant::from_nanos(ns)
    }

    #[test]
    fn constant_times_change_to_the_nanosecond() {
        let mut wire = outage(json!({"up": "10ms", "down": "500us"}));
        let period = 10_500_000;
        for start in [0, period, 2 * period, 1_000_000 * period, period] {
            assert!(!wire.is_down(at(start)));
            assert!(!wire.is_down(at(start + 9_999_999)));
            assert!(wire.is_down(at(start + 10_000_000)));
            assert!(wire.is_down(at(start + period - 1)));
            assert!(!wire.is_down(at(start + period)));
        }
        let mut shortest = outage(json!({"up": "1ns", "down": "1ns"}));
        assert!((0..100).all(|ns| shortest.is_down(at(ns)) == (ns % 2 == 1)));
        let mut longest = outage(json!({"up": "584ns", "down": Duration::MAX}));
        assert!(!longest.is_down(at(583)) && longest.is_down(at(584)) && longest.is_down(at(u64::MAX - 1)));
        assert!(longest.is_down(Instant::MAX));
    }

    #[test]
    fn random_times_are_exponential_with_the_asked_means() {
        let mut wire = outage(json!({"up": "3s", "down": "2s", "distribution": "exponential"}));
        let (mut times, mut since, mut now) = ([Vec::new(), Vec::new()], Instant::ZERO, Instant::ZERO);
        let mut state = wire.is_down(now);
        assert!(!state, "it begins with up");
        while times[0].len() < 40_000 {
            now = wire.known.1;
            if wire.is_down(now) != state {
                times[usize::from(state)].push((now - since).as_secs_f64());
                (since, state) = (now, !state);
            }
        }
        for (all, mean) in times.iter_mut().zip([3.0, 2.0]) {
            let n = all.len() as f64;
            Powerful { expected: mean, sigma: mean / n.sqrt() }.assert(all.iter().sum::<f64>() / n);
            assert_distribution(all, |x| 1.0 - (-x / mean).exp());
        }
    }

    proptest! {
        #[test]
        fn how_it_is_asked_changes_nothing(
            up in 1u64..50_000, down in 1u64..50_000, random in any::<bool>(),
            mut asked in prop::collection::vec(0u64..2_000_000, 1..200),
        ) {
            let distribution = if random { Durations::Exponential } else { Durations::Constant };
            let (up, down) = (Duration::from_nanos(up), Duration::from_nanos(down));
            let new = || Outage::new(
                OutageSpec { up, down, distribution },
                StreamKey::new(1, "link", Way::Forward, "loss.outage"),
            );
            let mut one = new();
            let first: Vec<(u64, bool)> = asked.iter().map(|ns| (*ns, one.is_down(at(*ns)))).collect();
            for (ns, down) in first {
                prop_assert_eq!(new().is_down(at(ns)), down);
            }
            asked.sort_unstable();
            let mut ordered = new();
            for ns in asked {
                prop_assert_eq!(ordered.is_down(at(ns)), new().is_down(at(ns)));
            }
        }
    }

    #[test]
    fn large_jumps_and_extreme_times_are_answered() {
        for (up, down) in [(1, 1), (1, u64::MAX), (u64::MAX, 1), (u64::MAX, u64::MAX), (1_000_000_000, 500_000)] {
            let spec = OutageSpec {
                up: Duration::from_nanos(up),
                down: Duration::from_nanos(down),
                distribution: Durations::Exponential,
            };
            let mut wire = Outage::new(spec, StreamKey::new(1, "link", Way::Forward, "loss.outage"));
            let down = (0..1000).filter(|n| wire.is_down(at(u64::MAX / 1000 * n))).count();
            if up == 1 && spec.down == Duration::MAX {
                assert!(down >= 999, "{down}");
            }
            if spec.up == Duration::MAX && spec.down < Duration::MAX {
                assert_eq!(down, 0);
            }
        }
    }

    #[test]
    fn a_change_holds_from_the_next_frame_on() {
        let mut wire = outage(json!({"up": "1s", "down": "1s"}));
        assert!(!wire.is_down(at(500)));
        wire.set(from_json(json!({"up": "400ns", "down": "1s"})).unwrap());
        assert!(wire.is_down(at(500)));
    }

    #[test]
    fn scenario_forms() {
        let told = |value| from_json::<OutageSpec>(value).unwrap_err();
        assert!(told(json!({"up": "0s", "down": "1s"})).contains("never comes"));
        assert!(told(json!({"up": "1s", "down": "0ms"})).contains("never comes"));
        assert!(told(json!({"up": "1s"})).contains("missing field `down`"));
        assert!(told(json!({"up": "1s", "down": 5})).contains("write `5ms`"));
        assert!(told(json!({"up": "1s", "down": "1s", "distribution": "normal"})).contains("unknown variant `normal`"));
        let spec: OutageSpec = from_json(json!({"up": "10s", "down": "500ms"})).unwrap();
        assert!((spec.share() - 0.5 / 10.5).abs() < 1e-15);
        assert_eq!(from_json(serde_json::to_value(spec).unwrap()), Ok(spec));
    }
}
