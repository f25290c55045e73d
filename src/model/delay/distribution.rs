//! How delays stray around their mean, as a scenario says it: a word, or a map with the parameters of one.

use core::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::table::DistTable;
use crate::model::form::forms;
use crate::model::table::{FileOf, NamedFile};
use crate::units::Duration;

/// How a delay strays around its mean. Short forms: the word alone, as in `distribution: pareto`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Distribution {
    /// Uniform on mean ± jitter.
    #[default]
    Uniform,
    /// Normal with σ = jitter.
    Normal,
    /// Mean − jitter, and an exponential time on top: mean and σ are as asked.
    Exponential,
    /// Pareto's with its shape, moved so that mean and σ are as asked.
    Pareto(ParetoSpec),
    /// The logarithm of what is above `min` is normal; mean and σ are as asked.
    Lognormal(MinSpec),
    /// What is above `min` has a gamma distribution; mean and σ are as asked.
    Gamma(MinSpec),
    /// What is above `min` has a Weibull distribution; mean and σ are as asked.
    Weibull(MinSpec),
    /// netem's table `normal`, scaled by jitter.
    NetemNormal,
    /// netem's table `pareto`, scaled by jitter.
    NetemPareto,
    /// netem's table `paretonormal`, scaled by jitter.
    NetemParetonormal,
    /// A table of netem's from a `.dist` file, scaled by jitter.
    Table(FileOf<DistTable>),
}

/// A Pareto distribution's parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParetoSpec {
    /// The tail's exponent α: P(X > x) falls as x^(−α). From 2.1, so that there is a σ, to 100; 3 as in netem.
    #[serde(default)]
    pub shape: ParetoShape,
}

/// The exponent of a Pareto distribution's tail, from 2.1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64")]
pub struct ParetoShape(f64);

impl ParetoShape {
    /// The exponent, from 2.1 to 100.
    pub fn as_f64(self) -> f64 {
        self.0
    }
}

impl Default for ParetoShape {
    fn default() -> ParetoShape {
        ParetoShape(3.0)
    }
}

impl TryFrom<f64> for ParetoShape {
    type Error = String;
    fn try_from(shape: f64) -> Result<ParetoShape, String> {
        if (2.1..=100.0).contains(&shape) {
            return Ok(ParetoShape(shape));
        }
        Err(format!("a shape of {shape} is out of range: 2.1 to 100; at 2 and below there is no standard deviation"))
    }
}

impl JsonSchema for ParetoShape {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ParetoShape".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "The exponent of a Pareto distribution's tail; 3 as in netem.",
            "type": "number", "minimum": 2.1, "maximum": 100,
        })
    }
}

/// The parameter of a distribution that begins at a shortest delay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MinSpec {
    /// The shortest delay, below the mean: what the distance costs. What is above it has the distribution.
    #[serde(default)]
    pub min: Duration,
}

/// The map form, as it stands in a file.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Long {
    /// Pareto's, moved so that mean and σ are as asked.
    Pareto(ParetoSpec),
    /// What is above `min` has a normal logarithm.
    Lognormal(MinSpec),
    /// What is above `min` has a gamma distribution.
    Gamma(MinSpec),
    /// What is above `min` has a Weibull distribution.
    Weibull(MinSpec),
    /// A table of netem's, scaled by jitter: a `.dist` file.
    Table(FileOf<DistTable>),
}

impl From<Long> for Distribution {
    fn from(long: Long) -> Distribution {
        match long {
            Long::Pareto(spec) => Distribution::Pareto(spec),
            Long::Lognormal(spec) => Distribution::Lognormal(spec),
            Long::Gamma(spec) => Distribution::Gamma(spec),
            Long::Weibull(spec) => Distribution::Weibull(spec),
            Long::Table(file) => Distribution::Table(file),
        }
    }
}

/// The words that name one.
const WORDS: [&str; 10] = [
    "uniform",
    "normal",
    "exponential",
    "pareto",
    "lognormal",
    "gamma",
    "weibull",
    "netem-normal",
    "netem-pareto",
    "netem-paretonormal",
];

forms! {
    Distribution, "Distribution": "How a delay strays around its mean: a word, or a map with the parameters of one.",
    "a distribution, as in `normal`, or a map with `pareto`, `lognormal`, `gamma`, `weibull` or `table`";
    words {
        "uniform" => Distribution::Uniform,
        "normal" => Distribution::Normal,
        "exponential" => Distribution::Exponential,
        "pareto" => Distribution::Pareto(ParetoSpec::default()),
        "lognormal" => Distribution::Lognormal(MinSpec::default()),
        "gamma" => Distribution::Gamma(MinSpec::default()),
        "weibull" => Distribution::Weibull(MinSpec::default()),
        "netem-normal" => Distribution::NetemNormal,
        "netem-pareto" => Distribution::NetemPareto,
        "netem-paretonormal" => Distribution::NetemParetonormal,
    }
    not text => |text| match text {
        "paretonormal" => "`paretonormal` is a table of netem's: write `netem-paretonormal`".into(),
        _ if text.ends_with(".dist") => format!("`{text}` is a file: write `{{ table: {text} }}`"),
        _ => format!("`{text}` is no distribution: {}, or a map", WORDS.join(", ")),
    };
    map Long => |long| Ok(Distribution::from(long));
}

impl Serialize for Distribution {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let long = match self.clone() {
            Distribution::Pareto(spec) if spec != ParetoSpec::default() => Long::Pareto(spec),
            Distribution::Lognormal(spec) if spec != MinSpec::default() => Long::Lognormal(spec),
            Distribution::Gamma(spec) if spec != MinSpec::default() => Long::Gamma(spec),
            Distribution::Weibull(spec) if spec != MinSpec::default() => Long::Weibull(spec),
            Distribution::Table(file) => Long::Table(file),
            _ => return serializer.serialize_str(self.word()),
        };
        long.serialize(serializer)
    }
}

impl Distribution {
    /// The word for it; for a table from a file `table`.
    pub fn word(&self) -> &'static str {
        match self {
            Distribution::Uniform => "uniform",
            Distribution::Normal => "normal",
            Distribution::Exponential => "exponential",
            Distribution::Pareto(_) => "pareto",
            Distribution::Lognormal(_) => "lognormal",
            Distribution::Gamma(_) => "gamma",
            Distribution::Weibull(_) => "weibull",
            Distribution::NetemNormal => "netem-normal",
            Distribution::NetemPareto => "netem-pareto",
            Distribution::NetemParetonormal => "netem-paretonormal",
            Distribution::Table(_) => "table",
        }
    }

    /// Visits the file that it takes a table from, if it does.
    pub fn files(&mut self, visit: &mut dyn FnMut(&mut dyn NamedFile)) {
        if let Distribution::Table(file) = self {
            visit(file);
        }
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Table(file) => f.write_str(file.path()),
            Distribution::Pareto(spec) => write!(f, "pareto shape {}", spec.shape.as_f64()),
            Distribution::Lognormal(spec) | Distribution::Gamma(spec) | Distribution::Weibull(spec)
                if spec.min > Duration::ZERO =>
            {
                write!(f, "{} min {}", self.word(), spec.min)
            }
            _ => f.write_str(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn words_and_maps() {
        for word in WORDS {
            let read = from_json::<Distribution>(json!(word)).unwrap();
            assert_eq!((read.word(), serde_json::to_value(&read).unwrap()), (word, json!(word)));
        }
        for map in [
            json!({"pareto": {"shape": 2.5}}),
            json!({"lognormal": {"min": "5ms"}}),
            json!({"gamma": {"min": "5ms"}}),
            json!({"weibull": {"min": "5ms"}}),
            json!({"table": "a.dist"}),
        ] {
            let read = from_json::<Distribution>(map.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), map);
        }
        assert_eq!(from_json::<Distribution>(json!({"pareto": {}})), from_json(json!("pareto")));
        assert_eq!(from_json::<Distribution>(json!({"pareto": {"shape": 3}})), from_json(json!("pareto")));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let wrong = |value| from_json::<Distribution>(value).unwrap_err();
        assert!(wrong(json!("nromal")).contains("normal, exponential"));
        assert!(wrong(json!("paretonormal")).contains("write `netem-paretonormal`"));
        assert!(wrong(json!("wifi.dist")).contains("`{ table: wifi.dist }`"));
        for shape in [2.0, 2.09, 100.1, -1.0] {
            assert!(wrong(json!({"pareto": {"shape": shape}})).contains("2.1 to 100"), "{shape}");
        }
        assert!(ParetoShape::try_from(f64::NAN).is_err());
        assert!(wrong(json!({"gamma": {"shape": 3}})).contains("unknown field `shape`"));
        assert!(wrong(json!(5)).contains("is no distribution"));
    }
}
