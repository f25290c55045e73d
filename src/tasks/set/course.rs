//! How one direction goes over from what it does to something else: linearly, in equal steps.

use crate::diag::Span;
use crate::engine::DirectionSpec;
use crate::language::tree::{Entry, Node, Origin};
use crate::model::loss::RandomSpec;
use crate::model::{DelaySpec, LossModel, LossSpec, RateSpec};
use crate::units::{Duration, Probability, Rate};

/// Where each field that changes begins and ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Course {
    rate: Option<(Rate, Rate)>,
    mean: Option<(Duration, Duration)>,
    jitter: Option<(Duration, Duration)>,
    loss: Option<(Probability, Probability)>,
}

impl Course {
    /// # Errors
    /// The field that cannot go over gradually, and why.
    pub(crate) fn of(from: &DirectionSpec, to: &DirectionSpec) -> Result<Course, (&'static str, &'static str)> {
        let mut course = Course::default();
        if from.rate != to.rate {
            course.rate = match (&from.rate, &to.rate) {
                (RateSpec::Constant(a), RateSpec::Constant(b)) => Some((*a, *b)),
                (RateSpec::Unlimited, _) => return Err(("rate", "it has none at that time to begin from")),
                (_, RateSpec::Unlimited) => return Err(("rate", "`none` is no number to go to")),
                _ => return Err(("rate", "only a constant rate has a value between it and another")),
            };
        }
        if from.delay != to.delay {
            let (mean, jitter) = (to.delay.mean, to.delay.jitter);
            let plain = from.delay.trace.is_none() && from.delay.samples.is_none();
            if !plain || (DelaySpec { mean, jitter, ..from.delay.clone() }) != to.delay {
                return Err(("delay", "only its mean and its jitter have values in between"));
            }
            course.mean = Some((from.delay.mean, mean)).filter(|(a, b)| a != b);
            course.jitter = Some((from.delay.jitter, jitter)).filter(|(a, b)| a != b);
        }
        if from.loss != to.loss {
            course.loss = match (independent(&from.loss), independent(&to.loss)) {
                (Some(a), Some(b)) => Some((a, b)),
                _ => return Err(("loss", "only loss of each frame by itself has values in between")),
            };
        }
        Ok(course)
    }

    /// The fields after `part` of `of` equal steps. Whole units, cut off towards where it begins.
    pub(crate) fn fields(&self, part: u32, of: u32, span: Span) -> Node {
        let origin = || Origin::File;
        let entry = |key: &str, value| Entry { key: key.to_owned(), key_span: span, value };
        let text = |text: String| Node::text(text, span, origin());
        let mut fields = Node::empty_map(span, origin());
        if let Some((a, b)) = self.rate {
            let bps = between(a.as_bps(), b.as_bps(), part, of);
            // between two rates lie only rates
            let rate = Rate::from_bps(bps).unwrap_or(b);
            fields.set(entry("rate", text(rate.to_string())));
        }
        let time = |(a, b): (Duration, Duration)| {
            text(Duration::from_nanos(between(a.as_nanos(), b.as_nanos(), part, of)).to_string())
        };
        if self.mean.is_some() || self.jitter.is_some() {
            let mut delay = Node::empty_map(span, origin());
            let values = [("mean", self.mean), ("jitter", self.jitter)];
            values.into_iter().filter_map(|(key, values)| Some((key, values?))).for_each(|(key, values)| {
                delay.set(entry(key, time(values)));
            });
            fields.set(entry("delay", delay));
        }
        if let Some((a, b)) = self.loss {
            let loss = Probability::from_parts(between(a.as_parts(), b.as_parts(), part, of)).unwrap_or(b);
            fields.set(entry("loss", text(loss.to_string())));
        }
        fields
    }
}

/// The probability with which each frame by itself is lost, if a loss says that and nothing else.
fn independent(loss: &LossSpec) -> Option<Probability> {
    match &loss.0[..] {
        _ if loss.is_none() => Some(Probability::NEVER),
        [rule] => match rule.model {
            LossModel::Random(RandomSpec { rate, .. }) if *loss == LossSpec::random(rate) => Some(rate),
            _ => None,
        },
        _ => None,
    }
}

fn between(a: u64, b: u64, part: u32, of: u32) -> u64 {
    let way = (i128::from(b) - i128::from(a)) * i128::from(part) / i128::from(of.max(1));
    (i128::from(a) + way) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(rate: &str, mean_ms: u64, loss: &str) -> DirectionSpec {
        DirectionSpec {
            rate: RateSpec::Constant(rate.parse().unwrap()),
            delay: DelaySpec::constant(Duration::from_millis(mean_ms)),
            loss: LossSpec::random(loss.parse().unwrap()),
            ..DirectionSpec::default()
        }
    }

    #[test]
    fn values_lie_on_a_line_and_ends_are_met_exactly() {
        assert_eq!([0, 1, 2, 3].map(|k| between(10, 0, k, 3)), [10, 7, 4, 0]);
        assert_eq!(between(0, u64::MAX, 7, 7), u64::MAX);
        let course = Course::of(&spec("10Mbit", 5, "0%"), &spec("1Mbit", 5, "3%")).unwrap();
        let shown = |part| course.fields(part, 9, Span::default()).inline();
        assert_eq!(shown(1), "{ rate: 9Mbit, loss: 0.3333333333% }", "what does not change is not said");
        assert_eq!(shown(9), "{ rate: 1Mbit, loss: 3% }");
        let back = Course::of(&spec("1Mbit", 7, "1%"), &spec("1Mbit", 2, "1%")).unwrap();
        assert_eq!(back.fields(2, 5, Span::default()).inline(), "{ delay: { mean: 5ms } }");
        assert_eq!(Course::of(&spec("1Mbit", 7, "1%"), &spec("1Mbit", 7, "1%")), Ok(Course::default()));
    }

    #[test]
    fn what_has_nothing_in_between_is_refused() {
        let plain = spec("1Mbit", 1, "1%");
        let refused = |to: &DirectionSpec| Course::of(&plain, to).map_err(|(field, _)| field);
        assert_eq!(refused(&DirectionSpec { rate: RateSpec::Unlimited, ..plain.clone() }), Err("rate"));
        let loss = serde_json::from_str(r#"{"burst": {"rate": "1%", "mean_length": 3}}"#).unwrap();
        assert_eq!(refused(&DirectionSpec { loss, ..plain.clone() }), Err("loss"));
        let delay = serde_json::from_str(r#"{"mean": "9ms", "jitter": "1ms", "distribution": "normal"}"#).unwrap();
        assert_eq!(refused(&DirectionSpec { delay, ..plain.clone() }), Err("delay"));
        let delay = serde_json::from_str(r#"{"mean": "9ms", "jitter": "1ms"}"#).unwrap();
        assert!(refused(&DirectionSpec { delay, ..plain.clone() }).is_ok());
    }
}
