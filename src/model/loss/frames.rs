//! Loss of the frames that are named by number: exact, for tests that want this very frame gone.

use std::fmt;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Frames by number, counted from 1 in the order in which the direction meets them: `[3, 7, 10-12]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FramesSpec {
    /// In order, with a gap between each and the next.
    ranges: Vec<RangeInclusive<u64>>,
}

impl FramesSpec {
    /// The numbers, from 1, in their order.
    pub fn ranges(&self) -> &[RangeInclusive<u64>] {
        &self.ranges
    }

    /// These frames, in any order and as often as one likes. Numbers below 1 name no frame.
    pub fn new(mut ranges: Vec<RangeInclusive<u64>>) -> FramesSpec {
        ranges.retain(|range| *range.end() >= 1 && !range.is_empty());
        ranges.sort_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u64>> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=*last.end().max(range.end());
                }
                _ => merged.push(range),
            }
        }
        FramesSpec { ranges: merged }
    }

    /// Whether the frame with this number, counted from 0, is lost.
    pub fn is_lost(&self, number: u64) -> bool {
        let number = number.saturating_add(1);
        let after = self.ranges.partition_point(|range| *range.start() <= number);
        after > 0 && *self.ranges[after - 1].end() >= number
    }
}

/// A number, or numbers from one to another, as it stands in a file.
struct Item(RangeInclusive<u64>);

const EXPECTED: &str = "a frame's number from 1, as in `3`, or numbers from one to another, as in `10-12`,";

fn item(text: &str) -> Result<RangeInclusive<u64>, String> {
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is not {EXPECTED}"));
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    match (first, last) {
        (0, _) => Err(format!("`{text}`: frames are counted from 1")),
        (first, last) if first > last => Err(format!("`{text}` goes backwards: write `{last}-{first}`")),
        (first, last) => Ok(first..=last),
    }
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Item, D::Error> {
        struct NumberOrRange;
        impl Visitor<'_> for NumberOrRange {
            type Value = Item;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Item, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Item, E> {
                item(text).map(Item).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(NumberOrRange)
    }
}

impl<'de> Deserialize<'de> for FramesSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FramesSpec, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = FramesSpec;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of frame numbers, as in `[3, 7, 10-12]`,")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<FramesSpec, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<FramesSpec, E> {
                item(text).map(|range| FramesSpec::new(vec![range])).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<FramesSpec, A::Error> {
                let mut ranges = Vec::new();
                while let Some(Item(range)) = seq.next_element()? {
                    ranges.push(range);
                }
                if ranges.is_empty() {
                    return Err(de::Error::custom("the list names no frame: name one, or write `none` for no loss"));
                }
                Ok(FramesSpec::new(ranges))
            }
        }
        deserializer.deserialize_any(List)
    }
}

impl Serialize for FramesSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Written<'a>(&'a RangeInclusive<u64>);
        impl Serialize for Written<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match (self.0.start(), self.0.end()) {
                    (first, last) if first == last => serializer.serialize_u64(*first),
                    (first, last) => serializer.collect_str(&format_args!("{first}-{last}")),
                }
            }
        }
        serializer.collect_seq(self.ranges.iter().map(Written))
    }
}

impl JsonSchema for FramesSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FramesLoss".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let item = schemars::json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "string", "pattern": "^[0-9]+ ?- ?[0-9]+$|^\\$[A-Za-z_]" },
            ],
        });
        schemars::json_schema!({
            "description": "Frames by number, counted from 1: `3`, `10-12`, or a list of such.",
            "anyOf": [item, { "type": "array", "minItems": 1, "items": item }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::lost;
    use serde_json::json;

    fn places(frames: serde_json::Value, n: u64) -> Vec<usize> {
        let all = lost(json!({ "frames": frames }), n);
        all.iter().enumerate().filter(|(_, lost)| **lost).map(|(at, _)| at + 1).collect()
    }

    #[test]
    fn exactly_the_named_frames_are_lost() {
        assert_eq!(places(json!([3, 7, "10-12"]), 20), [3, 7, 10, 11, 12]);
        assert_eq!(places(json!(["10-12", 11, 7, 3, "12 - 13", 3]), 20), [3, 7, 10, 11, 12, 13]);
        assert_eq!(places(json!([1]), 3), [1]);
        assert_eq!(places(json!(2), 3), [2]);
        assert_eq!(places(json!("2-3"), 3), [2, 3]);
        assert_eq!(places(json!([format!("1-{}", u64::MAX)]), 4), [1, 2, 3, 4]);
        let far: FramesSpec = from_json(json!([u64::MAX])).unwrap();
        assert!(far.is_lost(u64::MAX - 1) && !far.is_lost(u64::MAX - 2));
        assert!(!FramesSpec::new(Vec::new()).is_lost(0));
    }

    #[test]
    fn neighbours_become_one_stretch() {
        let spec: FramesSpec = from_json(json!([1, 2, "4-6", "3-5", 8])).unwrap();
        assert_eq!(spec.ranges, [1..=6, 8..=8]);
        assert_eq!(serde_json::to_value(&spec).unwrap(), json!(["1-6", 8]));
        assert_eq!(from_json(serde_json::to_value(&spec).unwrap()), Ok(spec));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let told = |value| from_json::<FramesSpec>(value).unwrap_err();
        assert!(told(json!([])).contains("names no frame"));
        assert!(told(json!([0])).contains("counted from 1"));
        assert!(told(json!(["0-3"])).contains("counted from 1"));
        assert!(told(json!(["12-10"])).contains("write `10-12`"));
        assert!(told(json!(["3-"])).contains("as in `10-12`"));
        assert!(told(json!(["third"])).contains("as in `3`"));
        assert!(told(json!([-3])).contains("a frame's number from 1"));
        assert!(told(json!(true)).contains("a list of frame numbers"));
    }
}
