//! `cloud`: one node that stands for the Internet between regions. Each region becomes a node of the plan of its own, and
//! each pair of regions an ordinary link, whose directions come from matrices of delay, jitter and loss.

mod paths;
mod table;

use core::fmt;
use core::marker::PhantomData;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IntoDeserializer, MapAccess, Visitor};

use crate::language::spanned::Spanned;
use crate::model::{DelaySpec, Distribution, LossSpec};
use crate::units::Duration;

pub(crate) use paths::paths;

/// The Internet between regions. Links end at `CLOUD.REGION`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CloudSpec {
    /// The regions' names.
    regions: Spanned<Vec<Spanned<String>>>,
    /// One-way delay from each region to each other. What is said of one way only holds for both.
    #[serde(rename = "delay")]
    _delay: Matrix<DelaySpec>,
    /// Jitter of these delays, where the delay itself does not say one. By default none.
    #[serde(default, rename = "jitter")]
    _jitter: Option<Matrix<Duration>>,
    /// How all these delays stray, where the delay itself does not say. By default uniform.
    #[serde(default, rename = "distribution")]
    _distribution: Option<Distribution>,
    /// Loss from each region to each other. By default none.
    #[serde(default, rename = "loss")]
    _loss: Option<Matrix<LossSpec>>,
}

impl CloudSpec {
    /// The regions in file order.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &str> + Clone {
        self.regions.iter().map(|region| region.as_str())
    }
}

/// A value for each pair of regions: one for all, `from: { to: value }`, or a CSV file. This reads it for its mistakes;
/// what it says is taken from the tree, where each value has its place.
#[derive(Clone, Debug)]
struct Matrix<T>(PhantomData<T>);

/// Whether a text in place of a matrix names a file.
fn is_file(text: &str) -> bool {
    text.ends_with(".csv")
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Matrix<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Matrix<T>, D::Error> {
        struct Form<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Form<T> {
            type Value = Matrix<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from region to region to value, a CSV file, or one value for all pairs")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Matrix<T>, E> {
                if !is_file(text) {
                    T::deserialize(text.into_deserializer())?;
                }
                Ok(Matrix(PhantomData))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Matrix<T>, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Matrix<T>, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Matrix<T>, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Matrix<T>, A::Error> {
                IndexMap::<String, IndexMap<String, T>>::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Matrix(PhantomData))
            }
        }
        deserializer.deserialize_any(Form(PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Matrix<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("MatrixOf{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let cell = generator.subschema_for::<T>();
        schemars::json_schema!({
            "description": "A value for each pair of regions: `from: { to: value }`, a CSV file, or one for all.",
            "anyOf": [
                { "type": "string", "pattern": r"\.csv$" },
                { "type": "string" },
                { "type": "object", "additionalProperties": { "type": "object", "additionalProperties": cell } },
            ],
        })
    }
}
