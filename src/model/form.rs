//! Forms that several parts of a scenario share: a short scalar for a longer map, and sizes that people write without a
//! unit because the field does (`mtu: 1500`).
//!
//! A visitor of serde chooses by what stands there, so that each mistake keeps its place, which an untagged enum would lose.

/// Reads a type from one of the forms that are declared, each with what it means. Their order is fixed:
///
/// - `words`: fixed texts
/// - `bool`: what readers of YAML 1.1 make of `on` and `off`
/// - `text SCHEMA`: any other scalar, as text
/// - `word SCHEMA`: any other text, but no number
/// - `not text`: what is wrong with a text
/// - `number SCHEMA`: a whole number
/// - `list TYPE` and `map TYPE`: what serde reads as such
macro_rules! forms {
    (
        $Type:ty, $name:literal $(: $description:literal)?, $expected:expr;
        $(words { $($word:literal => $meant:expr),+ $(,)? })?
        $(bool => $bool:expr;)?
        $(text $text_schema:tt => $text:expr;)?
        $(word $word_schema:tt => $read_word:expr;)?
        $(not text => $hint:expr;)?
        $(number $number_schema:tt => $number:expr;)?
        $(list $List:ty => $list:expr;)?
        $(map $Map:ty => $map:expr;)?
    ) => {
        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;
                impl<'de> serde::de::Visitor<'de> for Forms {
                    type Value = $Type;
                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str($expected)
                    }
                    $(fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<$Type, E> {
                        Ok(crate::model::form::apply::<bool, $Type>($bool, on))
                    })?
                    #[allow(unreachable_code, reason = "there may be no other form")]
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$Type, E> {
                        match text {
                            $($($word => return Ok($meant),)+)?
                            _ => {}
                        }
                        $(return crate::model::form::convert::<&str, $Type>($text, text).map_err(E::custom);)?
                        $(return crate::model::form::convert::<&str, $Type>($read_word, text).map_err(E::custom);)?
                        $(return Err(E::custom(crate::model::form::apply::<&str, String>($hint, text)));)?
                        Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                    }
                    #[allow(unreachable_code, reason = "there may be no such form")]
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$Type, E> {
                        $(return crate::model::form::convert::<u64, $Type>($number, number).map_err(E::custom);)?
                        $(return crate::model::form::convert::<&str, $Type>($text, &number.to_string()).map_err(E::custom);)?
                        $(return Err(E::custom(crate::model::form::apply::<&str, String>($hint, &number.to_string())));)?
                        Err(E::invalid_type(serde::de::Unexpected::Unsigned(number), &self))
                    }
                    $(fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<$Type, E> {
                        crate::model::form::convert::<&str, $Type>($text, &number.to_string()).map_err(E::custom)
                    }
                    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<$Type, E> {
                        crate::model::form::convert::<&str, $Type>($text, &number.to_string()).map_err(E::custom)
                    })?
                    $(fn visit_seq<A: serde::de::SeqAccess<'de>>(self, seq: A) -> Result<$Type, A::Error> {
                        let list = serde::Deserialize::deserialize(serde::de::value::SeqAccessDeserializer::new(seq))?;
                        crate::model::form::convert::<$List, $Type>($list, list).map_err(serde::de::Error::custom)
                    })?
                    $(fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<$Type, A::Error> {
                        let map = serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                        crate::model::form::convert::<$Map, $Type>($map, map).map_err(serde::de::Error::custom)
                    })?
                }
                deserializer.deserialize_any(Forms)
            }
        }

        impl schemars::JsonSchema for $Type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let description: &[&str] = &[$($description)?];
                crate::model::form::any_of(description, vec![
                    $(schemars::json_schema!({ "enum": [$($word),+] }),)?
                    $({ let _: fn(bool) -> $Type = $bool; schemars::json_schema!({ "type": "boolean" }) },)?
                    $(schemars::json_schema!($text_schema),)?
                    $(schemars::json_schema!($word_schema),)?
                    $(schemars::json_schema!($number_schema),)?
                    $(_generator.subschema_for::<$List>(),)?
                    $(_generator.subschema_for::<$Map>(),)?
                ])
            }
        }
    };
}

/// Reads a type from a scalar, as its text is written: `010` stays `010`.
macro_rules! text_form {
    ($Type:ty, $name:literal, $expected:literal, $read:expr, $schema:tt) => {
        impl<'de> serde::Deserialize<'de> for $Type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $Type;
                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$Type, E> {
                        crate::model::form::convert::<&str, $Type>($read, text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $Type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

pub(crate) use {forms, text_form};

/// Calls a conversion that a declaration gives, so that its closures know their types.
pub(crate) fn convert<F, T>(read: impl FnOnce(F) -> Result<T, String>, form: F) -> Result<T, String> {
    read(form)
}

/// The same of one that cannot fail.
pub(crate) fn apply<F, T>(read: impl FnOnce(F) -> T, form: F) -> T {
    read(form)
}

/// The schema of a value that has one of these forms.
pub(crate) fn any_of(description: &[&str], mut forms: Vec<schemars::Schema>) -> schemars::Schema {
    let mut schema = match forms.len() {
        1 => forms.remove(0),
        _ => schemars::json_schema!({ "anyOf": forms }),
    };
    if let [description] = description {
        schema.insert("description".into(), (*description).into());
    }
    schema
}

#[cfg(test)]
pub(crate) fn from_json<T: for<'de> serde::Deserialize<'de>>(value: serde_json::Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::from_json;

    #[derive(Debug, PartialEq)]
    enum Level {
        Off,
        At(u64),
        Each(Vec<u64>),
    }

    forms! {
        Level, "Level", "`off`, a level, or a list of levels,";
        words { "off" => Level::Off }
        bool => |on| if on { Level::At(1) } else { Level::Off };
        number { "type": "integer" } => |n| if n < 10 { Ok(Level::At(n)) } else { Err(format!("{n} is too high")) };
        list Vec<u64> => |list| Ok(Level::Each(list));
    }

    #[test]
    fn each_form_is_read_and_others_are_refused() {
        let read = from_json::<Level>;
        assert_eq!(read(json!("off")), Ok(Level::Off));
        assert_eq!(read(json!(false)), Ok(Level::Off));
        assert_eq!(read(json!(3)), Ok(Level::At(3)));
        assert_eq!(read(json!([1, 2])), Ok(Level::Each(vec![1, 2])));
        assert!(read(json!(10)).unwrap_err().contains("10 is too high"));
        for other in [json!("of"), json!({}), json!(-1), json!(1.5)] {
            assert!(read(other).unwrap_err().contains("`off`, a level, or a list of levels"));
        }
        let schema = schemars::schema_for!(Level).to_value();
        let forms = schema["anyOf"].as_array().unwrap();
        assert_eq!((forms.len(), &forms[0]["enum"]), (4, &json!(["off"])));
    }
}
