//! `delay` as a scenario says it, and what of it goes together.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TraceFile;
use super::correlation::Correlation;
use super::distribution::Distribution;
use super::samples::Samples;
use crate::model::Only;
use crate::model::form::forms;
use crate::model::table::{FileOf, NamedFile};
use crate::units::{Duration, Instant, ParseError};

/// Propagation delay of one direction, **one way**. Short form: the mean alone, as in `delay: 5ms`.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(into = "Fields")]
pub struct DelaySpec {
    /// Mean delay, one way. With `trace` and with `samples` it is 0, and means nothing.
    pub mean: Duration,
    /// How far the delay strays: half-width of a uniform distribution, standard deviation of all others; the unit of
    /// netem's tables.
    pub jitter: Duration,
    /// How the delay strays around the mean.
    pub distribution: Distribution,
    /// Measured delays in place of mean, jitter and distribution.
    pub samples: Option<FileOf<Samples>>,
    /// A mean that changes over time.
    pub trace: Option<TraceFile>,
    /// How much a delay resembles the one before it.
    pub correlation: Correlation,
    /// Whether frames may overtake each other.
    pub order: Order,
    /// Which frames it applies to; others travel no time, past those that do.
    pub only: Option<Only>,
}

impl DelaySpec {
    /// What a frame travels on average: the mean, that of the samples, or what a trace begins with. Draws below 0 that are
    /// cut off, and those of distributions that are not symmetric, are not counted in.
    pub fn average(&self) -> Duration {
        if let Some(samples) = self.samples.as_ref().and_then(FileOf::table) {
            let sum: u128 = samples.sorted().iter().map(|delay| u128::from(delay.as_nanos())).sum();
            return Duration::from_nanos((sum / samples.sorted().len() as u128) as u64);
        }
        match &self.trace {
            Some(trace) => trace.table().map_or(self.mean, |trace| trace.at(Instant::ZERO)),
            None => self.mean,
        }
    }

    /// What a frame travels at the longest, for all but a few: four times the jitter above the mean, the longest sample, or
    /// the longest of a trace, with its jitter.
    pub fn longest(&self) -> Duration {
        if let Some(samples) = self.samples.as_ref().and_then(FileOf::table) {
            return samples.sorted().last().copied().unwrap_or_default();
        }
        let trace = self.trace.as_ref().and_then(TraceFile::table);
        let mean = trace.map_or(self.mean, |trace| trace.largest());
        Duration::from_nanos(mean.as_nanos().saturating_add(self.jitter.as_nanos().saturating_mul(4)))
    }
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

/// The map form: what may stand in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct Fields {
    /// Mean delay, one way.
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<Duration>,
    /// Half-width of a uniform distribution, standard deviation of the others; the unit of netem's tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<Duration>,
    /// How the delay strays around the mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<Distribution>,
    /// A table of one-way delays, in place of `mean`, `jitter` and `distribution`: each frame meets one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<FileOf<Samples>>,
    /// A table of times and delays, in place of `mean`.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<TraceFile>,
    /// Spearman's rank correlation of a frame's delay with that of the frame before it.
    #[serde(default, skip_serializing_if = "Correlation::is_none")]
    correlation: Correlation,
    /// `keep` (the default) never reorders; `free` lets frames overtake, as netem does.
    #[serde(default)]
    order: Order,
    /// Which frames it applies to; others travel no time, past those that do. By default all.
    #[serde(skip_serializing_if = "Option::is_none")]
    only: Option<Only>,
}

impl TryFrom<Fields> for DelaySpec {
    type Error = String;

    fn try_from(fields: Fields) -> Result<DelaySpec, String> {
        let beside = |file: &str, others: &[(&str, bool)]| match others.iter().find(|(_, there)| *there) {
            Some((other, _)) => Err(format!(
                "`{other}` cannot stand beside `{file}`: {}",
                match file {
                    "samples" => "samples are whole delays",
                    _ => "the trace says how long a frame travels",
                }
            )),
            None => Ok(()),
        };
        if fields.samples.is_some() {
            let there = [
                ("mean", fields.mean.is_some()),
                ("jitter", fields.jitter.is_some()),
                ("distribution", fields.distribution.is_some()),
                ("trace", fields.trace.is_some()),
            ];
            beside("samples", &there)?;
        }
        if fields.trace.is_some() {
            beside("trace", &[("mean", fields.mean.is_some())])?;
        }
        let spec = DelaySpec {
            mean: fields.mean.unwrap_or_default(),
            jitter: fields.jitter.unwrap_or_default(),
            distribution: fields.distribution.unwrap_or_default(),
            samples: fields.samples,
            trace: fields.trace,
            correlation: fields.correlation,
            order: fields.order,
            only: fields.only,
        };
        spec.check()?;
        Ok(spec)
    }
}

impl From<DelaySpec> for Fields {
    fn from(spec: DelaySpec) -> Fields {
        let shaped = spec.samples.is_none();
        Fields {
            mean: (shaped && spec.trace.is_none()).then_some(spec.mean),
            jitter: shaped.then_some(spec.jitter),
            distribution: shaped.then_some(spec.distribution),
            samples: spec.samples,
            trace: spec.trace,
            correlation: spec.correlation,
            order: spec.order,
            only: spec.only,
        }
    }
}

forms! {
    DelaySpec, "Delay": "Propagation delay, one way: `5ms`, or a map.",
    "a one-way delay, as in `5ms`, or a map with `mean`, `jitter`, `distribution`, `samples`, `trace`, `correlation`, `order`, `only`";
    words { "none" => DelaySpec::default() }
    text { "$ref": "#/$defs/Duration" } => |text| text.parse().map(DelaySpec::constant).map_err(ParseError::into);
    map Fields => DelaySpec::try_from;
}

impl DelaySpec {
    /// The smallest jitter of a `lognormal`, `gamma` or `weibull` delay, as a part of mean − min.
    pub(super) const LEAST_VARIATION: f64 = 1e-6;
    /// Its largest jitter.
    pub(super) const MOST_VARIATION: f64 = 10.0;

    /// A constant delay.
    pub fn constant(mean: Duration) -> DelaySpec {
        DelaySpec { mean, ..DelaySpec::default() }
    }

    /// Whether every frame meets the same delay.
    pub fn is_constant(&self) -> bool {
        self.jitter == Duration::ZERO && self.samples.is_none() && self.trace.is_none()
    }

    /// Visits every file that it takes a table from.
    pub fn files(&mut self, visit: &mut dyn FnMut(&'static str, &mut dyn NamedFile)) {
        self.distribution.files(&mut |file| visit("distribution", file));
        if let Some(samples) = &mut self.samples {
            visit("samples", samples);
        }
        if let Some(trace) = &mut self.trace {
            visit("trace", trace);
        }
    }

    /// Whether mean, jitter and distribution go together.
    ///
    /// # Errors
    /// What does not, and what would.
    pub fn check(&self) -> Result<(), String> {
        let DelaySpec { mean, jitter, distribution, .. } = self;
        let word = distribution.word();
        if let Distribution::Lognormal(above) | Distribution::Gamma(above) | Distribution::Weibull(above) = distribution
        {
            if self.trace.is_some() {
                return Err(format!(
                    "`{word}` cannot stand beside `trace`: its shape follows from one mean; choose uniform, normal, \
                     exponential, pareto or a table"
                ));
            }
            if *jitter == Duration::ZERO {
                return Ok(());
            }
            if above.min >= *mean {
                return Err(format!(
                    "`{word}` begins at its `min`, here {}: `mean`, here {mean}, must be above it",
                    above.min
                ));
            }
            let span = mean.saturating_sub(above.min);
            let variation = jitter.as_nanos() as f64 / span.as_nanos() as f64;
            if !(Self::LEAST_VARIATION..=Self::MOST_VARIATION).contains(&variation) {
                return Err(format!(
                    "a jitter of {jitter} is out of the range of `{word}`: from a millionth of mean − min, here {span}, to \
                     10 times it"
                ));
            }
            return Ok(());
        }
        // how far below the mean the distribution begins
        let below = match distribution {
            _ if self.trace.is_some() => return Ok(()),
            Distribution::Exponential => *jitter,
            Distribution::Pareto(pareto) => {
                let shape = pareto.shape.as_f64();
                let part = libm::sqrt((shape - 2.0) / shape);
                Duration::from_nanos(libm::round(jitter.as_nanos() as f64 * part) as u64)
            }
            _ => return Ok(()),
        };
        if below > *mean {
            return Err(format!(
                "`{word}` with a jitter of {jitter} begins {below} below its mean, which is {mean}: choose a larger `mean` or \
                 a smaller `jitter`"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::{Value, json};

    fn read(value: Value) -> Result<DelaySpec, String> {
        from_json(value)
    }

    #[test]
    fn scenario_forms() {
        assert_eq!(read(json!("5ms")), Ok(DelaySpec::constant(Duration::from_millis(5))));
        assert_eq!(read(json!("none")), Ok(DelaySpec::default()));
        let full = json!({
            "mean": "5ms", "jitter": "2ms", "distribution": "normal", "correlation": "-30%", "order": "free"
        });
        let spec = read(full.clone()).unwrap();
        assert_eq!((&spec.distribution, spec.order), (&Distribution::Normal, Order::Free));
        assert_eq!(serde_json::to_value(&spec).unwrap(), full);
        assert!(read(json!(5)).unwrap_err().contains("write `5ms`"));
        assert!(read(json!({"jiter": "2ms"})).unwrap_err().contains("unknown field `jiter`"));
        for value in [
            json!({"samples": "a.csv", "order": "keep"}),
            json!({"trace": "b.csv", "correlation": "20%"}),
            json!({"trace": {"file": "b.csv", "repeat": "9s"}, "jitter": "1ms", "distribution": "pareto"}),
            json!({"mean": "9ms", "jitter": "1ms", "distribution": {"table": "c.dist"}}),
        ] {
            let spec = read(value).unwrap();
            assert_eq!(read(serde_json::to_value(&spec).unwrap()), Ok(spec));
        }
        let plain = serde_json::to_value(DelaySpec::constant(Duration::from_millis(5))).unwrap();
        assert_eq!(plain, json!({"mean": "5ms", "jitter": "0ms", "distribution": "uniform", "order": "keep"}));
    }

    #[test]
    fn files_are_visited() {
        let mut names = Vec::new();
        for value in [
            json!({"samples": "a.csv"}),
            json!({"trace": "b.csv", "jitter": "1ms", "distribution": {"table": "c.dist"}}),
        ] {
            read(value).unwrap().files(&mut |key, file| names.push(format!("{key} {}", file.path())));
        }
        assert_eq!(names, ["samples a.csv", "distribution c.dist", "trace b.csv"]);
    }

    #[test]
    fn what_cannot_stand_together_says_so() {
        for other in ["mean", "jitter"] {
            let wrong = read(json!({"samples": "a.csv", other: "1ms"})).unwrap_err();
            assert!(wrong.contains(&format!("`{other}` cannot stand beside `samples`")), "{wrong}");
        }
        assert!(read(json!({"samples": "a.csv", "distribution": "normal"})).unwrap_err().contains("`distribution`"));
        assert!(read(json!({"samples": "a.csv", "trace": "b.csv"})).unwrap_err().contains("`trace`"));
        assert!(
            read(json!({"trace": "a.csv", "mean": "1ms"})).unwrap_err().contains("`mean` cannot stand beside `trace`")
        );
        let wrong = read(json!({"trace": "a.csv", "jitter": "1ms", "distribution": "gamma"})).unwrap_err();
        assert!(wrong.contains("`gamma` cannot stand beside `trace`"), "{wrong}");
    }

    #[test]
    fn a_mean_that_is_too_short_says_by_how_much() {
        let delay = |mean: &str, jitter: &str, distribution: Value| {
            read(json!({"mean": mean, "jitter": jitter, "distribution": distribution}))
        };
        assert!(delay("5ms", "5ms", json!("exponential")).is_ok());
        let wrong = delay("4.999999ms", "5ms", json!("exponential")).unwrap_err();
        assert!(wrong.contains("begins 5ms below its mean"), "{wrong}");
        // shape 4: √(2/4) of jitter
        assert!(delay("707107ns", "1ms", json!({"pareto": {"shape": 4}})).is_ok());
        let wrong = delay("707106ns", "1ms", json!({"pareto": {"shape": 4}})).unwrap_err();
        assert!(wrong.contains("begins 707.107us below"), "{wrong}");
        for word in ["lognormal", "gamma", "weibull"] {
            assert!(delay("1ms", "10ms", json!(word)).is_ok());
            assert!(delay("1ms", "1ns", json!(word)).is_ok());
            assert!(delay("1ms", "0ms", json!(word)).is_ok());
            assert!(delay("0ms", "0ms", json!(word)).is_ok());
            assert!(delay("1ms", "10.000001ms", json!(word)).unwrap_err().contains("10 times"));
            assert!(delay("2ms", "1ns", json!(word)).unwrap_err().contains("millionth"));
            assert!(delay("0ms", "1ms", json!(word)).unwrap_err().contains("must be above"));
            assert!(delay("5ms", "1ms", json!({word: {"min": "5ms"}})).unwrap_err().contains("must be above"));
            assert!(delay("5ms", "1ms", json!({word: {"min": "4.9ms"}})).is_ok());
        }
    }
}
