//! Loss as a scenario writes it: a probability, a model, or a list of such.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::outage::Durations;
use super::*;
use crate::model::only::Only;
use crate::model::table::NamedFile;
use crate::units::Probability;

/// Which frames are lost on the wire: those that any of these rules loses. Short forms: a probability, as in `loss: 1%`,
/// or `none`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LossSpec(pub Vec<LossRule>);

/// One rule: a model, and the frames that it applies to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LossRule {
    /// Which of its frames are lost.
    #[serde(flatten)]
    pub model: LossModel,
    /// Which frames are its own; all where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
}

/// A model of loss.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossModel {
    /// Each frame with the same probability, by itself or with a correlation between neighbours.
    Random(RandomSpec),
    /// So much, in bursts of a mean length.
    Burst(BurstSpec),
    /// Two states, each with a loss of its own.
    GilbertElliott(GilbertElliottSpec),
    /// Bursts with frames that arrive within them, and single losses between: netem's `loss state`.
    Markov4(Markov4Spec),
    /// More for long frames than for short ones.
    BitErrorRate(BitErrorRate),
    /// Every N-th frame.
    Every(EverySpec),
    /// Frames by number.
    Frames(FramesSpec),
    /// Times up and down, in turn.
    Outage(OutageSpec),
    /// A course over time, from a file.
    Trace(TraceFile),
}

impl LossSpec {
    /// The most rules of one direction.
    pub const MOST: usize = 16;

    /// Each frame by itself with this probability; no rule at all where it is 0.
    pub fn random(rate: Probability) -> LossSpec {
        match rate {
            Probability::NEVER => LossSpec::default(),
            rate => LossSpec(vec![LossModel::Random(RandomSpec::independent(rate)).into()]),
        }
    }

    /// Whether no frame is ever lost.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|rule| rule.model.is_none())
    }

    /// Visits every file that it takes a table from.
    pub fn files(&mut self, visit: &mut dyn FnMut(&mut dyn NamedFile)) {
        for rule in &mut self.0 {
            if let LossModel::Trace(trace) = &mut rule.model {
                visit(trace);
            }
        }
    }
}

impl From<LossModel> for LossRule {
    fn from(model: LossModel) -> LossRule {
        LossRule { model, only: None }
    }
}

impl LossModel {
    /// Whether no frame is ever lost.
    pub fn is_none(&self) -> bool {
        match self {
            LossModel::Random(random) => random.rate == Probability::NEVER,
            LossModel::Burst(burst) => burst.rate == Probability::NEVER,
            LossModel::GilbertElliott(model) => model.is_none(),
            LossModel::Markov4(model) => model.is_none(),
            LossModel::BitErrorRate(rate) => rate.is_none(),
            LossModel::Trace(trace) => trace.is_none(),
            LossModel::Every(_) | LossModel::Frames(_) | LossModel::Outage(_) => false,
        }
    }

    /// What it comes to in the long run, for frames of so many bits.
    pub fn long_run(&self, bits: u64) -> LongRun {
        match self {
            LossModel::Random(random) => random.long_run(),
            LossModel::Burst(burst) => burst.long_run(),
            LossModel::GilbertElliott(model) => model.long_run(),
            LossModel::Markov4(model) => model.long_run(),
            LossModel::BitErrorRate(rate) => rate.long_run(bits),
            LossModel::Every(every) => every.long_run(),
            LossModel::Frames(_) => LongRun { loss: None, mean_burst: None },
            LossModel::Outage(outage) => outage.long_run(),
            LossModel::Trace(trace) => trace.long_run(),
        }
    }
}

/// So many frames, or ranges of them, are named in a few words.
const NAMED: usize = 4;

/// In a few words, as a table shows it, with every parameter that decides: `5%`, `5% in bursts of 4`, `outage 500ms of 10s`.
impl fmt::Display for LossModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LossModel::Random(random) if random.correlation.is_none() => write!(f, "{}", random.rate),
            LossModel::Random(random) => write!(f, "{} correlated {}", random.rate, random.correlation),
            LossModel::Burst(burst) => write!(f, "{} in bursts of {}", burst.rate, burst.mean_length),
            LossModel::GilbertElliott(GilbertElliottSpec { p, r, bad_loss, good_loss }) => {
                write!(f, "gilbert_elliott p {p} r {r} bad_loss {bad_loss} good_loss {good_loss}")
            }
            LossModel::Markov4(Markov4Spec { p13, p31, p32, p23, p14 }) => {
                write!(f, "markov4 p13 {p13} p31 {p31} p32 {p32} p23 {p23} p14 {p14}")
            }
            LossModel::BitErrorRate(rate) => write!(f, "bit errors {rate}"),
            LossModel::Every(every) => write!(f, "every {}", every.0),
            LossModel::Frames(frames) => {
                f.write_str("of frames")?;
                for range in frames.ranges().iter().take(NAMED) {
                    match (range.start(), range.end()) {
                        (from, to) if from == to => write!(f, " {from}")?,
                        (from, to) => write!(f, " {from}-{to}")?,
                    }
                }
                match frames.ranges().len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            LossModel::Outage(outage) => {
                write!(f, "outage {} of {}", outage.down, outage.up + outage.down)?;
                if outage.distribution == Durations::Exponential { f.write_str(" exponential") } else { Ok(()) }
            }
            LossModel::Trace(trace) => write!(f, "trace {}{}", trace.path(), trace.spec().repeat),
        }
    }
}

/// The rules in a few words, with a plus between.
impl fmt::Display for LossSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, rule) in self.0.iter().enumerate() {
            f.write_str(if nth == 0 { "" } else { " + " })?;
            rule.model.fmt(f)?;
            if let Some(only) = &rule.only {
                write!(f, " of {only}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for LossSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [] => serializer.serialize_str("none"),
            [rule] => rule.serialize(serializer),
            rules => rules.serialize(serializer),
        }
    }
}

/// What chooses a model.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Tag {
    Random,
    Burst,
    GilbertElliott,
    Markov4,
    BitErrorRate,
    Every,
    Frames,
    Outage,
    Trace,
    Only,
}

impl Tag {
    fn name(self) -> &'static str {
        match self {
            Tag::Random => "random",
            Tag::Burst => "burst",
            Tag::GilbertElliott => "gilbert_elliott",
            Tag::Markov4 => "markov4",
            Tag::BitErrorRate => "bit_error_rate",
            Tag::Every => "every",
            Tag::Frames => "frames",
            Tag::Outage => "outage",
            Tag::Trace => "trace",
            Tag::Only => "only",
        }
    }

    /// What stands under the key; `only` is not a model, and goes where it belongs.
    fn read<'de, A: MapAccess<'de>>(self, map: &mut A, only: &mut Option<Only>) -> Result<Option<LossModel>, A::Error> {
        Ok(Some(match self {
            Tag::Random => LossModel::Random(map.next_value()?),
            Tag::Burst => LossModel::Burst(map.next_value()?),
            Tag::GilbertElliott => LossModel::GilbertElliott(map.next_value()?),
            Tag::Markov4 => LossModel::Markov4(map.next_value()?),
            Tag::BitErrorRate => LossModel::BitErrorRate(map.next_value()?),
            Tag::Every => LossModel::Every(map.next_value()?),
            Tag::Frames => LossModel::Frames(map.next_value()?),
            Tag::Outage => LossModel::Outage(map.next_value()?),
            Tag::Trace => LossModel::Trace(map.next_value()?),
            Tag::Only => {
                *only = Some(map.next_value()?);
                return Ok(None);
            }
        }))
    }
}

/// Reads a key; a second model is an error at its own place.
struct Key(Option<Tag>);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Tag;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tag, D::Error> {
        let tag = Tag::deserialize(deserializer)?;
        match self.0 {
            Some(first) if !matches!(tag, Tag::Only) => Err(de::Error::custom(format!(
                "`{}` cannot stand beside `{}` (choose one of them, or write a list of both)",
                tag.name(),
                first.name()
            ))),
            _ => Ok(tag),
        }
    }
}

/// Reads one rule.
struct OneRule;

impl<'de> Visitor<'de> for OneRule {
    type Value = LossRule;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a loss probability, as in `1%`, or a map with one model")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<LossRule, E> {
        if text == "none" {
            return Err(E::custom("`none` stands alone: take it out of the list"));
        }
        let rate = text.parse().map_err(|e: crate::units::ParseError| E::custom(e))?;
        Ok(LossModel::Random(RandomSpec::independent(rate)).into())
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<LossRule, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<LossRule, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<LossRule, E> {
        self.visit_str(&number.to_string())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LossRule, A::Error> {
        let (mut chosen, mut only): (Option<(Tag, LossModel)>, _) = (None, None);
        while let Some(tag) = map.next_key_seed(Key(chosen.as_ref().map(|(tag, _)| *tag)))? {
            if let Some(model) = tag.read(&mut map, &mut only)? {
                chosen = Some((tag, model));
            }
        }
        let (_, model) = chosen.ok_or_else(|| {
            de::Error::custom("the map names no model: name one, as in `random: 1%`, or write `none` for no loss")
        })?;
        Ok(LossRule { model, only })
    }
}

impl<'de> Deserialize<'de> for LossRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossRule, D::Error> {
        deserializer.deserialize_any(OneRule)
    }
}

impl<'de> Deserialize<'de> for LossSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LossSpec, D::Error> {
        struct Rules;
        impl<'de> Visitor<'de> for Rules {
            type Value = LossSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a loss probability, as in `1%`, or a map with one model, or a list of such, or `none`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<LossSpec, E> {
                match text {
                    "none" => Ok(LossSpec::default()),
                    text => OneRule.visit_str(text).map(one),
                }
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<LossSpec, E> {
                OneRule.visit_u64(number).map(one)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<LossSpec, E> {
                OneRule.visit_i64(number).map(one)
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<LossSpec, E> {
                OneRule.visit_f64(number).map(one)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LossSpec, A::Error> {
                OneRule.visit_map(map).map(one)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<LossSpec, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = seq.next_element()? {
                    rules.push(rule);
                }
                if rules.len() > LossSpec::MOST {
                    let message = format!("{} rules are more than {}", rules.len(), LossSpec::MOST);
                    return Err(de::Error::custom(message));
                }
                Ok(LossSpec(rules))
            }
        }
        fn one(rule: LossRule) -> LossSpec {
            LossSpec(vec![rule])
        }
        deserializer.deserialize_any(Rules)
    }
}

/// The map form of a rule; exactly one of the models is there.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "LossRule")]
#[expect(dead_code, reason = "its shape is all that is used")]
struct RuleMap {
    /// Each frame with the same probability.
    random: Option<RandomSpec>,
    /// So much, in bursts of a mean length.
    burst: Option<BurstSpec>,
    /// Two states, each with a loss of its own.
    gilbert_elliott: Option<GilbertElliottSpec>,
    /// Bursts with frames that arrive within them, and single losses between: netem's `loss state`.
    markov4: Option<Markov4Spec>,
    /// The probability that a bit is wrong: more loss for long frames than for short ones.
    bit_error_rate: Option<BitErrorRate>,
    /// Every N-th frame.
    every: Option<EverySpec>,
    /// Frames by number, counted from 1.
    frames: Option<FramesSpec>,
    /// Times up and down, in turn.
    outage: Option<OutageSpec>,
    /// A course over time, from a file.
    trace: Option<TraceFile>,
    /// Which frames the rule applies to, and counts. By default all.
    only: Option<Only>,
}

impl JsonSchema for LossRule {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LossRule".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut map = RuleMap::json_schema(generator);
        let models = [
            Tag::Random,
            Tag::Burst,
            Tag::GilbertElliott,
            Tag::Markov4,
            Tag::BitErrorRate,
            Tag::Every,
            Tag::Frames,
            Tag::Outage,
            Tag::Trace,
        ];
        let one = models.map(|tag| serde_json::json!({ "required": [tag.name()] }));
        map.insert("oneOf".into(), one.to_vec().into());
        schemars::json_schema!({
            "description": "A loss model: `1%`, or a map.",
            "anyOf": [generator.subschema_for::<Probability>(), map],
        })
    }
}

impl JsonSchema for LossSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Loss".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let rule = generator.subschema_for::<LossRule>();
        schemars::json_schema!({
            "description": "Loss on the wire: `1%`, a map, a list of such, or `none`.",
            "anyOf": [rule, { "const": "none" }, { "type": "array", "items": rule, "maxItems": LossSpec::MOST }],
        })
    }
}

#[cfg(test)]
mod spec_tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    fn all_models() -> serde_json::Value {
        json!([
            {"random": "1%"},
            {"random": {"rate": "1%", "correlation": "50%"}},
            {"burst": {"rate": "2%", "mean_length": 4}},
            {"gilbert_elliott": {"p": "2%", "r": "20%", "bad_loss": "90%", "good_loss": "1%"}},
            {"markov4": {"p13": "2%", "p31": "20%", "p32": "5%", "p23": "50%", "p14": "1%"}},
            {"bit_error_rate": "1e-6"},
            {"every": 100},
            {"frames": [3, 7, "10-12"]},
            {"outage": {"up": "10s", "down": "500ms", "distribution": "exponential"}},
            {"trace": "loss.csv"},
            {"random": "30%", "only": {"udp": 53}},
        ])
    }

    #[test]
    fn every_form_reads_and_writes_back() {
        let all: LossSpec = from_json(all_models()).unwrap();
        assert_eq!(all.0.len(), 11);
        assert!(all.0[10].only.is_some() && all.0[9].only.is_none());
        assert_eq!(serde_json::to_value(&all).unwrap(), all_models());
        for (rule, value) in all.0.iter().zip(all_models().as_array().unwrap()) {
            assert_eq!(from_json(value.clone()), Ok(LossSpec(vec![rule.clone()])), "alone it needs no list");
            assert_eq!(&serde_json::to_value(LossSpec(vec![rule.clone()])).unwrap(), value);
        }
        let one = LossSpec::random("1%".parse().unwrap());
        assert_eq!(from_json(json!("1%")), Ok(one.clone()));
        assert_eq!(from_json(json!(["1%"])), Ok(one));
        assert_eq!(from_json(json!("none")), Ok(LossSpec::default()));
        assert_eq!(from_json(json!([])), Ok(LossSpec::default()));
        assert_eq!(serde_json::to_value(LossSpec::default()).unwrap(), json!("none"));
        assert_eq!(LossSpec::random(Probability::NEVER), LossSpec::default());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let told = |value| from_json::<LossSpec>(value).unwrap_err();
        assert!(told(json!(0.5)).contains("could mean"));
        assert!(told(json!(5)).contains("write `5%`"));
        assert!(told(json!({"randm": "1%"})).contains("unknown variant `randm`"));
        assert!(told(json!({"random": "1%", "every": 5})).contains("`random` cannot stand beside `every`"));
        assert!(told(json!({})).contains("names no model"));
        assert!(told(json!({"only": "arp"})).contains("names no model"));
        assert!(told(json!({"only": "arpp", "random": "1%"})).contains("arpp"));
        assert!(told(json!(vec!["1%"; 17])).contains("17 rules are more than 16"));
        assert!(told(json!(["1%", "none"])).contains("stands alone"));
        assert!(told(json!(true)).contains("a loss probability"));
    }

    #[test]
    fn only_what_loses_nothing_is_none() {
        let none = |value| from_json::<LossSpec>(value).unwrap().is_none();
        for value in [
            json!("0%"),
            json!({"random": {"rate": "0%", "correlation": "50%"}}),
            json!({"burst": {"rate": "0%", "mean_length": 4}}),
            json!({"bit_error_rate": "0%"}),
            json!(["0%", {"random": "0%"}]),
        ] {
            assert!(none(value.clone()), "{value}");
        }
        for value in [json!(["0%", "1ppm"]), json!({"every": 1_000_000}), json!({"frames": [1]})] {
            assert!(!none(value.clone()), "{value}");
        }
    }

    #[test]
    fn files_are_shown_and_read() {
        let mut all: LossSpec = from_json(all_models()).unwrap();
        let mut names = Vec::new();
        all.files(&mut |file| {
            names.push(file.path().to_owned());
            file.load("0s, 100%").unwrap();
        });
        assert_eq!(names, ["loss.csv"]);
        assert!(!all.is_none());
        assert_eq!(all.0[9].model.long_run(0).loss, Some(1.0));
    }

    #[test]
    fn closed_forms_and_words() {
        let all: LossSpec = from_json(all_models()).unwrap();
        let percent = |at: usize| all.0[at].model.long_run(12_000).loss.map(|loss| (loss * 1e4).round() / 100.0);
        let losses: Vec<_> = (0..9).map(percent).collect();
        let expected = [1.0, 1.0, 2.0, 9.09, 9.82, 1.19, 1.0];
        assert_eq!(losses[..7], expected.map(Some));
        assert_eq!(losses[7..], [None, Some(4.76)]);
        assert_eq!(LossSpec(all.0[..3].to_vec()).to_string(), "1% + 1% correlated 50% + 2% in bursts of 4");
        assert!(all.0.iter().all(|rule| !rule.model.to_string().is_empty()));
    }
}
