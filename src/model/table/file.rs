//! Files that a model takes numbers from: samples, traces, schedules.
//!
//! A model reads no file. Its spec holds the name as it was written; whoever reads scenarios hands over the text, with
//! the place of the name at hand for errors.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::lines::BadTable;
use super::{Format, Place, Repeat};
use crate::model::form::forms;
use crate::units::{Duration, Unit};

/// What a file holds, read from its text.
pub trait Table: Sized {
    /// The keys of [`TableSpec`] that a scenario may write beside `file`; without any, the file's name is all it may write.
    const KEYS: &'static [&'static str] = &[];
    /// Whether a file without such keys is written as its name alone.
    const SHORT: bool = true;

    /// Reads a whole file.
    ///
    /// # Errors
    /// What cannot be meant, with its place, and why.
    fn parse(text: &str, spec: &TableSpec) -> Result<Self, BadTable>;

    /// The same without any keys.
    #[cfg(test)]
    fn plain(text: &str) -> Result<Self, BadTable> {
        Self::parse(text, &TableSpec::default())
    }
}

/// A file of numbers and how it is read and played.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// The file, by its path from the folder of the scenario file.
    #[schemars(length(min = 1))]
    pub file: String,
    /// A public kind of file, which says its columns and units itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub format: Option<Format>,
    /// Which columns, by number or name: that of times first. By default those with the right names.
    #[serde(default, skip_serializing_if = "is_default")]
    pub columns: Vec<Place>,
    /// The units of these columns.
    #[serde(default, skip_serializing_if = "is_default")]
    pub units: Vec<Unit>,
    /// Where in the file's time to begin. By default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub start: Duration,
    /// How fast the file's time passes. By default 1.
    #[serde(default, skip_serializing_if = "is_default")]
    pub speed: Speed,
    /// After how long the rows begin anew: more than the last row's time. `true`: at the end that the file says. By default
    /// the last row holds for good.
    #[serde(default, skip_serializing_if = "is_default")]
    pub repeat: Repeat,
    /// `step`: a row's value holds until the next row. `linear`: the straight line between rows.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interpolate: Interpolate,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What holds between two rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolate {
    /// A row's value, until the next row.
    #[default]
    Step,
    /// The straight line from row to row.
    Linear,
}

/// How fast a file's time passes, in millionths: 2 plays it twice as fast. From 0.001 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Speed(u64);

forms! {
    Speed, "Speed", "how fast the file's time passes, from 0.001 to 1000, as in `2`,";
    text { "type": "number", "minimum": 0.001, "maximum": 1000 } => |text| {
        let speed = text.parse().ok().filter(|speed: &f64| (0.001..=1000.0).contains(speed));
        let message = || format!("expected a `speed` from 0.001 to 1000, found {text}");
        speed.map(|speed| Speed((speed * 1e6).round() as u64)).ok_or_else(message)
    };
}

impl Default for Speed {
    fn default() -> Speed {
        Speed(1_000_000)
    }
}

impl Speed {
    /// A time of the file at this speed.
    pub(super) fn scaled(self, ns: u64) -> Option<u64> {
        u64::try_from(u128::from(ns) * u128::from(Speed::default().0) / u128::from(self.0)).ok()
    }
}

impl Serialize for Speed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

/// A file by its name, relative to the scenario file in which it stands, and how it is read; and what it holds, once that is
/// read. Short form: its name.
#[derive(Debug)]
pub struct FileOf<T> {
    spec: Box<TableSpec>,
    table: Option<Arc<T>>,
}

/// A file that is still to be read, whatever it holds.
pub trait NamedFile {
    /// Its name as it was written.
    fn path(&self) -> &str;

    /// Reads its text.
    ///
    /// # Errors
    /// Those of [`Table::parse`].
    fn load(&mut self, text: &str) -> Result<(), BadTable>;
}

impl<T> FileOf<T> {
    /// A file that is not read yet.
    pub fn new(path: impl Into<String>) -> FileOf<T> {
        FileOf { spec: Box::new(TableSpec { file: path.into(), ..TableSpec::default() }), table: None }
    }

    /// How it is read.
    pub fn spec(&self) -> &TableSpec {
        &self.spec
    }

    /// What it holds; `None` before it is read.
    pub fn table(&self) -> Option<&Arc<T>> {
        self.table.as_ref()
    }
}

impl<T: Table> NamedFile for FileOf<T> {
    fn path(&self) -> &str {
        &self.spec.file
    }

    fn load(&mut self, text: &str) -> Result<(), BadTable> {
        self.table = Some(Arc::new(T::parse(text, &self.spec)?));
        Ok(())
    }
}

impl<T> Clone for FileOf<T> {
    fn clone(&self) -> FileOf<T> {
        FileOf { spec: self.spec.clone(), table: self.table.clone() }
    }
}

/// The same name, read alike, and the same contents.
impl<T: PartialEq> PartialEq for FileOf<T> {
    fn eq(&self, other: &FileOf<T>) -> bool {
        self.spec == other.spec && self.table == other.table
    }
}

impl<T: Table> TryFrom<TableSpec> for FileOf<T> {
    type Error = String;

    fn try_from(spec: TableSpec) -> Result<FileOf<T>, String> {
        let TableSpec { file: _, format, columns, units, start, speed, repeat, interpolate } = &spec;
        let columns = [("columns", is_default(columns)), ("units", is_default(units))];
        let others = [
            ("format", is_default(format)),
            ("start", is_default(start)),
            ("speed", is_default(speed)),
            ("repeat", is_default(repeat)),
            ("interpolate", is_default(interpolate)),
        ];
        if let Some((key, _)) = columns.iter().find(|(_, absent)| !absent && format.is_some()) {
            return Err(format!("`format` says columns and units itself: leave `{key}` out"));
        }
        match columns.iter().chain(&others).find(|(key, absent)| !absent && !T::KEYS.contains(key)) {
            Some((key, _)) => {
                Err(format!("expected `{}`, found `{key}`, which says nothing here", T::KEYS.join("`, `")))
            }
            None => Ok(FileOf { spec: Box::new(spec), table: None }),
        }
    }
}

impl<T: Table> Serialize for FileOf<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match T::SHORT && *self.spec == *FileOf::<T>::new(self.path()).spec {
            true => serializer.serialize_str(self.path()),
            false => self.spec.serialize(serializer),
        }
    }
}

impl<'de, T: Table> Deserialize<'de> for FileOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileOf<T>, D::Error> {
        struct NameOrMap<T>(PhantomData<T>);
        impl<'de, T: Table> Visitor<'de> for NameOrMap<T> {
            type Value = FileOf<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a file, as in `trace.csv`, or a map with `file` and how it is read")
            }
            fn visit_str<E: de::Error>(self, path: &str) -> Result<FileOf<T>, E> {
                Ok(FileOf::new(path))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FileOf<T>, A::Error> {
                TableSpec::deserialize(MapAccessDeserializer::new(map))?.try_into().map_err(de::Error::custom)
            }
        }
        match T::KEYS.is_empty() {
            true => String::deserialize(deserializer).map(FileOf::new),
            false => deserializer.deserialize_any(NameOrMap(PhantomData)),
        }
    }
}

impl<T: Table> JsonSchema for FileOf<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "File".into()
    }
    fn inline_schema() -> bool {
        !T::KEYS.is_empty()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let name = schemars::json_schema!({
            "description": "A file, by its path from the folder of the scenario file.",
            "type": "string", "minLength": 1,
        });
        if T::KEYS.is_empty() {
            return name;
        }
        let mut map = TableSpec::json_schema(generator);
        if let Some(keys) = map.get_mut("properties").and_then(Value::as_object_mut) {
            keys.retain(|key, _| key == "file" || T::KEYS.contains(&key.as_str()));
        }
        schemars::json_schema!({ "anyOf": [name, map] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Numbers(Vec<u32>);

    impl Table for Numbers {
        fn parse(text: &str, _: &TableSpec) -> Result<Numbers, BadTable> {
            let number = |(n, line): (usize, &str)| {
                line.parse().map_err(|_| BadTable::line(n + 1, format!("`{line}` is not a number")))
            };
            text.lines().enumerate().map(number).collect::<Result<_, _>>().map(Numbers)
        }
    }

    #[test]
    fn a_file_is_its_name_until_it_is_read() {
        let mut file: FileOf<Numbers> = serde_json::from_value("a.csv".into()).unwrap();
        assert_eq!((file.path(), file.table()), ("a.csv", None));
        assert_eq!(file.load("1\nx").unwrap_err().to_string(), "line 2: `x` is not a number");
        file.load("1\n2").unwrap();
        assert_eq!(file.table().unwrap().0, [1, 2]);
        assert_eq!(serde_json::to_value(&file).unwrap(), "a.csv");
        assert_ne!(file, FileOf::new("a.csv"));
        assert!(serde_json::from_value::<FileOf<Numbers>>(serde_json::json!({ "file": "a.csv" })).is_err());
    }
}
