//! Propagation delay with jitter, one way.
//!
//! Sources: delay and jitter as in tc-netem(8), except that jitter does not reorder unless `order: free` asks for it.
//! Negative draws clamp to zero and are counted.

use rand_distr::{Distribution as _, StandardNormal};
use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::data::NamedFile;
use super::form::{Short, short_or_long};
use crate::rng::FrameRng;
use crate::units::Duration;

/// Propagation delay of one direction, **one way**. Short form: the mean alone, as in `delay: 5ms`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct DelaySpec {
    /// Mean delay, one way.
    pub mean: Duration,
    /// How far the delay strays: half-width of a uniform distribution, standard deviation of a normal one.
    pub jitter: Duration,
    /// How the delay strays around the mean.
    pub distribution: Distribution,
    /// Whether frames may overtake each other.
    pub order: Order,
}

/// How a delay strays around its mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Uniform on mean ± jitter.
    #[default]
    Uniform,
    /// Normal with σ = jitter.
    Normal,
}

/// Whether frames may overtake each other on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// A frame never leaves before one that was sent earlier: departure = max(own, previous).
    #[default]
    Keep,
    /// Jitter reorders, as in netem.
    Free,
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// Mean delay, one way.
    #[serde(default)]
    mean: Duration,
    /// Half-width of a uniform distribution, standard deviation of a normal one.
    #[serde(default)]
    jitter: Duration,
    /// How the delay strays around the mean.
    #[serde(default)]
    distribution: Distribution,
    /// `keep` (the default) never reorders; `free` lets frames overtake, as netem does.
    #[serde(default)]
    order: Order,
}

impl From<Long> for DelaySpec {
    fn from(Long { mean, jitter, distribution, order }: Long) -> DelaySpec {
        DelaySpec { mean, jitter, distribution, order }
    }
}

impl Short for DelaySpec {
    type Long = Long;
    const EXPECTED: &'static str =
        "a one-way delay, as in `5ms`, or a map with `mean`, `jitter`, `distribution`, `order`";
    fn from_text(text: &str) -> Result<DelaySpec, String> {
        if text == "none" {
            return Ok(DelaySpec::default());
        }
        let mean = text.parse::<Duration>().map_err(|e| e.to_string())?;
        Ok(DelaySpec { mean, ..DelaySpec::default() })
    }
}

impl<'de> Deserialize<'de> for DelaySpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<DelaySpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for DelaySpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Delay".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Propagation delay, one way: `5ms`, or a map.",
            "anyOf": [generator.subschema_for::<Duration>(), { "const": "none" }, long],
        })
    }
}

impl DelaySpec {
    /// Visits every file that it takes a table from.
    pub fn files(&mut self, _visit: &mut dyn FnMut(&mut dyn NamedFile)) {}

    /// A constant delay.
    pub fn constant(mean: Duration) -> DelaySpec {
        DelaySpec { mean, ..DelaySpec::default() }
    }

    /// Whether every frame meets the same delay.
    pub fn is_constant(&self) -> bool {
        self.jitter == Duration::ZERO
    }
}

/// Draws delays.
#[derive(Clone, Debug)]
pub struct Delay {
    spec: DelaySpec,
}

/// One frame's delay as drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The delay, not negative.
    pub delay: Duration,
    /// The draw was negative and became zero.
    pub clamped: bool,
}

impl Delay {
    /// A delay as asked.
    pub fn new(spec: DelaySpec) -> Delay {
        Delay { spec }
    }

    /// What it was made from.
    pub fn spec(&self) -> &DelaySpec {
        &self.spec
    }

    /// Whether a draw may be negative.
    #[inline]
    pub fn may_clamp(&self) -> bool {
        match self.spec.distribution {
            Distribution::Uniform => self.spec.jitter > self.spec.mean,
            Distribution::Normal => self.spec.jitter > Duration::ZERO,
        }
    }

    /// The delay of the frame whose generator this is. A constant delay does not call `rng`.
    #[inline]
    pub fn draw(&self, rng: impl FnOnce() -> FrameRng) -> Drawn {
        if self.spec.is_constant() {
            return Drawn { delay: self.spec.mean, clamped: false };
        }
        self.stray(rng())
    }

    fn stray(&self, mut rng: FrameRng) -> Drawn {
        let DelaySpec { mean, jitter, distribution, .. } = self.spec;
        let stray = match distribution {
            Distribution::Uniform => uniform(&mut rng, jitter),
            Distribution::Normal => {
                let z: f64 = StandardNormal.sample(&mut rng);
                (z * jitter.as_nanos() as f64).round() as i128
            }
        };
        let delay = i128::from(mean.as_nanos()) + stray;
        let clamped = delay < 0;
        let delay = u64::try_from(delay.max(0)).unwrap_or(u64::MAX);
        Drawn { delay: Duration::from_nanos(delay), clamped }
    }
}

/// Uniform on the integers −half … +half: one 64-bit draw scaled by multiplication. The bias is below (2·half + 1) / 2⁶⁴.
fn uniform(rng: &mut FrameRng, half: Duration) -> i128 {
    // 292 years are enough, and keep the product below 2^128
    let half = u128::from(half.as_nanos().min(u64::MAX / 2));
    let width = 2 * half + 1;
    ((u128::from(rng.next_u64()) * width) >> 64) as i128 - half as i128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    fn draws(spec: DelaySpec, n: u64) -> Vec<Drawn> {
        let key = StreamKey::new(1, "link", Way::Forward, "delay");
        (0..n).map(|i| Delay::new(spec.clone()).draw(|| key.frame(i, 0))).collect()
    }

    #[test]
    fn a_constant_delay_draws_nothing() {
        let delay = Delay::new(DelaySpec::constant(Duration::from_millis(5)));
        let drawn = delay.draw(|| panic!("a constant needs no generator"));
        assert_eq!(drawn, Drawn { delay: Duration::from_millis(5), clamped: false });
    }

    #[test]
    fn uniform_jitter_is_uniform_on_its_interval() {
        let spec =
            DelaySpec { mean: Duration::from_nanos(1000), jitter: Duration::from_nanos(1), ..DelaySpec::default() };
        let mut seen = [0u32; 3];
        for d in draws(spec, 30_000) {
            seen[(d.delay.as_nanos() - 999) as usize] += 1; // ±1 ns and nothing beyond
        }
        // χ² with 2 degrees of freedom: 13.8 at α = 0.001
        let chi2: f64 = seen.iter().map(|s| (f64::from(*s) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi2 < 13.8, "{seen:?}");

        let spec =
            DelaySpec { mean: Duration::from_millis(20), jitter: Duration::from_millis(5), ..DelaySpec::default() };
        let mut all: Vec<f64> = draws(spec, 20_000).iter().map(|d| (d.delay.as_millis_f64() - 15.0) / 10.0).collect();
        assert!(kolmogorov_smirnov(&mut all, |x| x.clamp(0.0, 1.0)) < 1.95, "not uniform on 15…25 ms");
    }

    #[test]
    fn normal_jitter_is_normal_with_the_asked_deviation() {
        let spec = DelaySpec {
            mean: Duration::from_millis(100),
            jitter: Duration::from_millis(10),
            distribution: Distribution::Normal,
            ..DelaySpec::default()
        };
        let mut all: Vec<f64> = draws(spec, 20_000).iter().map(|d| (d.delay.as_millis_f64() - 100.0) / 10.0).collect();
        assert!(kolmogorov_smirnov(&mut all, standard_normal_cdf) < 1.95, "not normal with σ = 10 ms");
    }

    #[test]
    fn negative_delays_clamp_to_zero_and_say_so() {
        let spec = DelaySpec { mean: Duration::ZERO, jitter: Duration::from_millis(1), ..DelaySpec::default() };
        let all = draws(spec, 10_000);
        let clamped = all.iter().filter(|d| d.clamped).count();
        assert!((4_700..5_300).contains(&clamped), "{clamped}");
        assert!(all.iter().filter(|d| d.clamped).all(|d| d.delay == Duration::ZERO));
        let huge = DelaySpec { mean: Duration::MAX, jitter: Duration::MAX, ..DelaySpec::default() };
        assert_eq!(draws(huge, 100).len(), 100);
    }

    #[test]
    fn scenario_forms() {
        assert_eq!(from_json::<DelaySpec>(json!("5ms")), Ok(DelaySpec::constant(Duration::from_millis(5))));
        let full =
            from_json::<DelaySpec>(json!({"mean": "5ms", "jitter": "2ms", "distribution": "normal", "order": "free"}));
        let full = full.unwrap();
        assert_eq!((full.distribution, full.order), (Distribution::Normal, Order::Free));
        assert!(from_json::<DelaySpec>(json!(5)).unwrap_err().contains("write `5ms`"));
        assert!(from_json::<DelaySpec>(json!({"jiter": "2ms"})).unwrap_err().contains("unknown field `jiter`"));
        assert_eq!(from_json::<DelaySpec>(serde_json::to_value(&full).unwrap()), Ok(full));
    }

    /// √n · sup |F_n − F|: 1.95 is the critical value at α = 0.001.
    fn kolmogorov_smirnov(samples: &mut [f64], cdf: impl Fn(f64) -> f64) -> f64 {
        samples.sort_by(f64::total_cmp);
        let n = samples.len() as f64;
        let gap = samples
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let f = cdf(*x);
                (f - i as f64 / n).abs().max(((i + 1) as f64 / n - f).abs())
            })
            .fold(0.0, f64::max);
        gap * n.sqrt()
    }

    /// Abramowitz and Stegun 7.1.26, error below 1.5e-7.
    fn standard_normal_cdf(x: f64) -> f64 {
        let z = x.abs() / std::f64::consts::SQRT_2;
        let t = 1.0 / (1.0 + 0.327_591_1 * z);
        let poly =
            t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
        let erf = 1.0 - poly * (-z * z).exp();
        if x >= 0.0 { 0.5 * (1.0 + erf) } else { 0.5 * (1.0 - erf) }
    }
}
