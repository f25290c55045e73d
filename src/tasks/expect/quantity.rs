//! Quantities in expectations: `60ms`, `5Mbit`, `12%`, `100 packets`, `0`, `true`.

use std::fmt;

use crate::measured::Unit;
use crate::units::{self, ByteSize, Dimension, Duration, Probability, Rate};

/// What is counted: any of these words may stand behind a count.
const NOUNS: [&str; 14] = [
    "packets",
    "packet",
    "frames",
    "frame",
    "datagrams",
    "datagram",
    "requests",
    "request",
    "replies",
    "reply",
    "segments",
    "segment",
    "mappings",
    "mapping",
];

/// A quantity as it is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantity {
    /// `60ms`
    Time(Duration),
    /// `5Mbit`, in bit/s; unlike a link's rate it may be 0.
    Rate(u64),
    /// `2%`
    Share(Probability),
    /// `64KiB`
    Size(ByteSize),
    /// `100 packets`
    Count(u64, &'static str),
    /// `0`, `-1.5`
    Number(f64),
    /// `true`
    Truth(bool),
}

impl Quantity {
    /// Reads a text that begins with a digit, or with `-` and a digit, or is `true` or `false`.
    /// `None` if what stands behind the number is no unit: then it may be a name.
    pub fn parse(text: &str) -> Option<Result<Quantity, String>> {
        match text {
            "true" => return Some(Ok(Quantity::Truth(true))),
            "false" => return Some(Ok(Quantity::Truth(false))),
            _ => {}
        }
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, unit) = (&unsigned[..end], unsigned[end..].trim());
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        if unit.is_empty() {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
            return Some(number.map(Quantity::Number).ok_or_else(|| format!("`{text}` is not a number")));
        }
        let unsigned = text == unsigned;
        let quantity = if let Some(noun) = NOUNS.iter().find(|noun| **noun == unit) {
            let whole = number.parse::<u64>().map_err(|_| format!("`{number}` is not a whole number of {noun}"));
            whole.map(|count| Quantity::Count(count, noun))
        } else if let Some(unit) = units::Unit::find(unit) {
            let dimension = unit.dimension();
            dimension.exact(text).map(|value| Quantity::of(dimension, value)).map_err(String::from)
        } else {
            return None;
        };
        Some(if unsigned {
            quantity
        } else {
            Err(format!("`{text}` is negative, and can be nothing that is measured"))
        })
    }

    fn of(dimension: Dimension, value: u64) -> Quantity {
        match dimension {
            Dimension::Time => Quantity::Time(Duration::from_nanos(value)),
            Dimension::Rate => Quantity::Rate(value),
            Dimension::Size => Quantity::Size(ByteSize::from_bytes(value)),
            Dimension::Share => {
                Quantity::Share(Probability::from_parts(value).expect("the grammar knows the largest share"))
            }
        }
    }

    /// Whether a word may stand behind a number, with a space between.
    pub fn is_unit(word: &str) -> bool {
        NOUNS.contains(&word) || units::Unit::find(word).is_some()
    }

    /// What it is measured in.
    pub fn unit(&self) -> Unit {
        match self {
            Quantity::Time(_) => Unit::Time,
            Quantity::Rate(_) => Unit::Rate,
            Quantity::Share(_) => Unit::Share,
            Quantity::Size(_) => Unit::Size,
            Quantity::Count(..) => Unit::Count,
            Quantity::Number(_) => Unit::Number,
            Quantity::Truth(_) => Unit::Truth,
        }
    }

    /// Its value as measures of its unit have it: ns, bit/s, a fraction of one, bytes.
    pub fn value(&self) -> f64 {
        match self {
            Quantity::Time(time) => time.as_nanos() as f64,
            Quantity::Rate(bps) => *bps as f64,
            Quantity::Share(share) => share.as_f64(),
            Quantity::Size(size) => size.as_bytes() as f64,
            Quantity::Count(count, _) => *count as f64,
            Quantity::Number(number) => *number,
            Quantity::Truth(truth) => f64::from(u8::from(*truth)),
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Time(time) => time.fmt(f),
            Quantity::Rate(bps) => match Rate::from_bps(*bps) {
                Some(rate) => rate.fmt(f),
                None => f.write_str("0bit"),
            },
            Quantity::Share(share) => share.fmt(f),
            Quantity::Size(size) => size.fmt(f),
            Quantity::Count(count, noun) => write!(f, "{count} {noun}"),
            Quantity::Number(number) => number.fmt(f),
            Quantity::Truth(truth) => truth.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Quantity {
        Quantity::parse(text).expect(text).expect(text)
    }

    #[test]
    fn quantities_have_values_in_the_units_of_measures() {
        for (text, unit, value) in [
            ("60ms", Unit::Time, 6e7),
            ("5 ms", Unit::Time, 5e6),
            ("5Mbit/s", Unit::Rate, 5e6),
            ("0Mbit", Unit::Rate, 0.0),
            ("2%", Unit::Share, 0.02),
            ("64KiB", Unit::Size, 65_536.0),
            ("100 packets", Unit::Count, 100.0),
            ("-1.5", Unit::Number, -1.5),
            ("true", Unit::Truth, 1.0),
        ] {
            assert_eq!((parse(text).unit(), parse(text).value()), (unit, value), "{text}");
            assert_eq!(parse(&parse(text).to_string()), parse(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_may_be_a_name_and_what_is_a_wrong_one_says_why() {
        assert!(["4g", "rtt", "", "-x", "5x"].iter().all(|text| Quantity::parse(text).is_none()));
        for (wrong, part) in
            [("1.2.3", "not a number"), ("1.5 packets", "whole"), ("-5ms", "negative"), ("101%", "100%")]
        {
            let told = Quantity::parse(wrong).expect(wrong).expect_err(wrong);
            assert!(told.contains(part), "{wrong}: {told}");
        }
    }
}
