//! How quantities are written: a number and a unit. [`UNITS`] is the only table of units.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::NANOS_PER_SEC;
use super::decimal::Decimal;
use super::probability::PARTS;

/// What a quantity measures. Inside it is a whole number of the dimension's smallest part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A length of time, in nanoseconds.
    Time,
    /// A bit rate, in bits per second.
    Rate,
    /// A number of bytes.
    Size,
    /// A probability or a share, in parts of 10¹².
    Share,
}

/// A unit, as `ms` or `Mbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    name: &'static str,
    dimension: Dimension,
    factor: u64,
}

const fn unit(dimension: Dimension, name: &'static str, factor: u64) -> Unit {
    Unit { name, dimension, factor }
}

/// Those of the scenario language. Of each dimension the last is the largest.
const UNITS: [Unit; 20] = [
    unit(Dimension::Time, "ns", 1),
    unit(Dimension::Time, "us", 1_000),
    unit(Dimension::Time, "µs", 1_000),
    unit(Dimension::Time, "ms", 1_000_000),
    unit(Dimension::Time, "s", NANOS_PER_SEC),
    unit(Dimension::Time, "m", 60 * NANOS_PER_SEC),
    unit(Dimension::Time, "h", 3600 * NANOS_PER_SEC),
    unit(Dimension::Rate, "bit", 1),
    unit(Dimension::Rate, "kbit", 1_000),
    unit(Dimension::Rate, "Mbit", 1_000_000),
    unit(Dimension::Rate, "Gbit", 1_000_000_000),
    unit(Dimension::Size, "B", 1),
    unit(Dimension::Size, "kB", 1_000),
    unit(Dimension::Size, "KiB", 1 << 10),
    unit(Dimension::Size, "MB", 1_000_000),
    unit(Dimension::Size, "MiB", 1 << 20),
    unit(Dimension::Size, "GB", 1_000_000_000),
    unit(Dimension::Size, "GiB", 1 << 30),
    unit(Dimension::Share, "ppm", PARTS / 1_000_000),
    unit(Dimension::Share, "%", PARTS / 100),
];

/// Those of whole columns of numbers that other programs write, and that no single value has.
const OF_COLUMNS: [Unit; 4] = [
    unit(Dimension::Share, "fraction", PARTS),
    unit(Dimension::Rate, "B/s", 8),
    unit(Dimension::Rate, "kB/s", 8_000),
    unit(Dimension::Rate, "MB/s", 8_000_000),
];

impl Unit {
    /// Of one: 0.01 is 1 %.
    pub const FRACTION: Unit = OF_COLUMNS[0];

    /// The unit that may stand behind a number in a scenario. Rates may end with `/s`.
    pub fn find(word: &str) -> Option<Unit> {
        let is = |unit: &&Unit| word == unit.name || (unit.is_rate() && word.strip_suffix("/s") == Some(unit.name));
        UNITS.iter().find(is).copied()
    }

    /// The unit that a column of numbers may have: these, and `fraction`, `B/s`, `kB/s`, `MB/s`.
    pub fn of_column(word: &str) -> Option<Unit> {
        Unit::find(word).or_else(|| OF_COLUMNS.iter().find(|unit| unit.name == word).copied())
    }

    /// All that a column may have, by name.
    pub fn names_of_columns() -> impl Iterator<Item = &'static str> + Clone {
        UNITS.iter().chain(&OF_COLUMNS).map(|unit| unit.name)
    }

    /// The unit of another tool's word for it.
    pub(super) const fn named(dimension: Dimension, name: &'static str, factor: u64) -> Unit {
        unit(dimension, name, factor)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// What it measures.
    pub const fn dimension(self) -> Dimension {
        self.dimension
    }

    /// How many of the dimension's smallest part it is.
    pub const fn factor(self) -> u64 {
        self.factor
    }

    fn is_rate(&self) -> bool {
        self.dimension == Dimension::Rate
    }
}

/// What was wrong with a quantity's text, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    message: String,
}

impl ParseError {
    pub(super) fn new(message: impl Into<String>) -> ParseError {
        ParseError { message: message.into() }
    }
}

impl From<ParseError> for String {
    fn from(error: ParseError) -> String {
        error.message
    }
}

impl Dimension {
    /// What a quantity of it is called.
    pub const fn what(self) -> &'static str {
        match self {
            Dimension::Time => "duration",
            Dimension::Rate => "rate",
            Dimension::Size => "size",
            Dimension::Share => "probability",
        }
    }

    /// Its units, the last the largest.
    pub fn units(self) -> impl Iterator<Item = Unit> {
        UNITS.into_iter().filter(move |unit| unit.dimension == self)
    }

    pub(super) fn names(self) -> String {
        self.units().map(Unit::name).collect::<Vec<_>>().join(" ")
    }

    /// The number with the unit that is meant most often.
    pub fn example(self, number: &str) -> String {
        let unit = match self {
            Dimension::Time => "ms",
            Dimension::Rate => "Mbit",
            Dimension::Size => "B",
            Dimension::Share => "%",
        };
        format!("{number}{unit}")
    }

    const fn max(self) -> u64 {
        match self {
            Dimension::Time | Dimension::Size => u64::MAX,
            Dimension::Rate => 1_000_000_000_000_000,
            Dimension::Share => PARTS,
        }
    }

    /// Reads a quantity of a scenario, exactly.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn exact(self, text: &str) -> Result<u64, ParseError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, word) = (&text[..end], text[end..].trim_start());
        if number.is_empty() || number == "." {
            return Err(self.is_none(text));
        }
        if word.is_empty() {
            return Err(self.without_unit(number));
        }
        let unit = self.unit(word).ok_or_else(|| self.unknown_unit(number, word, text))?;
        let number = Decimal::parse(number).ok_or_else(|| not_a_number(number))?;
        let parts = number.times(unit.factor).ok_or_else(|| self.too_large(text))?;
        if !parts.exact {
            let finest = match self {
                Dimension::Time => "1 ns",
                Dimension::Rate => "1 bit per second",
                Dimension::Size => "1 byte",
                Dimension::Share => "10⁻¹²",
            };
            return Err(ParseError::new(format!("`{text}` is finer than {finest}")));
        }
        self.limited(parts.whole, text)
    }

    /// Reads a quantity that somebody measured, rounded to the nearest: `12.5`, `1e-3`, `12.5 ms`. The unit is that of the
    /// text, as `find` knows it, or else `unit`.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub fn nearest(
        self,
        text: &str,
        unit: Option<Unit>,
        find: impl FnOnce(&str) -> Option<Unit>,
    ) -> Result<u64, ParseError> {
        let text = text.trim();
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (number, word) = unsigned.split_at(number_length(unsigned));
        let word = word.trim_start();
        if number.is_empty() || number == "." {
            return Err(self.is_none(text));
        }
        if word.starts_with(',') {
            return Err(ParseError::new(format!("`{text}` has a decimal comma: write a point, as in `1.5`")));
        }
        let unit = match word {
            "" => unit.ok_or_else(|| self.without_unit(number))?,
            word => find(word)
                .filter(|unit| unit.dimension == self)
                .ok_or_else(|| self.unknown_unit(number, word, unsigned))?,
        };
        let number = Decimal::parse(number).ok_or_else(|| not_a_number(number))?;
        if negative {
            return Err(ParseError::new(format!("`{text}` is negative: a {} is 0 or more", self.what())));
        }
        let parts = number.times(unit.factor).ok_or_else(|| self.too_large(text))?;
        self.limited(parts.whole + u128::from(parts.round_up), text)
    }

    fn unit(self, word: &str) -> Option<Unit> {
        Unit::find(word).filter(|unit| unit.dimension == self)
    }

    fn limited(self, value: u128, text: &str) -> Result<u64, ParseError> {
        u64::try_from(value).ok().filter(|value| *value <= self.max()).ok_or_else(|| self.too_large(text))
    }

    fn too_large(self, text: &str) -> ParseError {
        let largest =
            self.units().last().map_or_else(String::new, |unit| format!("{}{}", self.max() / unit.factor, unit.name));
        ParseError::new(format!("`{text}` is too large: at most `{largest}`"))
    }

    fn is_none(self, text: &str) -> ParseError {
        let (what, example) = (self.what(), self.example("5"));
        ParseError::new(format!("`{text}` is not a {what}: write a number and a unit, as in `{example}`"))
    }

    fn unknown_unit(self, number: &str, word: &str, text: &str) -> ParseError {
        if let Some(first) = self.first_of_two(number, word) {
            return ParseError::new(format!("expected one {}, as in `{first}`, found `{text}`", self.what()));
        }
        let near = self.units().find(|unit| unit.name.eq_ignore_ascii_case(word)).or_else(|| {
            // `Mbps`, `mbit/s`, `sec`: the same first letters
            let word = word.to_ascii_lowercase();
            let alike = |unit: &Unit| {
                let name = unit.name.to_ascii_lowercase();
                name.chars().take(2).eq(word.chars().take(2)) || (word.starts_with(&name) && name.len() > 1)
            };
            self.units().filter(alike).last()
        });
        let hint = near.map(|unit| format!(", did you mean `{number}{}`?", unit.name)).unwrap_or_default();
        ParseError::new(format!("`{word}` is not a unit of a {}{hint} (units: {})", self.what(), self.names()))
    }

    /// The first of several quantities: `100ms 20ms`, `100ms±20ms`, `1m30s`. `rest`: what follows its number.
    fn first_of_two(self, number: &str, rest: &str) -> Option<String> {
        let end = rest.find(|c: char| !(c.is_alphabetic() || c == '%'))?;
        let (unit, rest) = rest.split_at(end);
        let known = self.unit(unit).is_some();
        (known && rest.contains(|c: char| c.is_ascii_digit())).then(|| format!("{number}{unit}"))
    }

    pub(super) fn without_unit(self, number: &str) -> ParseError {
        if self == Dimension::Share && number.contains('.') {
            return ParseError::new(format!(
                "`{number}` has no unit, and could mean {number} % or a fraction of one: write `{number}%` for the first, with `ppm` for parts per million"
            ));
        }
        let (example, names) = (self.example(number), self.names());
        ParseError::new(format!("`{number}` has no unit: write `{example}` (units: {names})"))
    }
}

fn not_a_number(number: &str) -> ParseError {
    ParseError::new(format!("`{number}` is not a number"))
}

/// How much of a text is a number, an exponent included: the `e` of `1e-3`, but not that of `1 eV`.
fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let mantissa = digits(text);
    let Some(exponent) = text[mantissa..].strip_prefix(['e', 'E']) else { return mantissa };
    let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    match digits(unsigned) {
        0 => mantissa,
        length => mantissa + 1 + (exponent.len() - unsigned.len()) + length,
    }
}

/// Writes `value / factor` exactly; `factor` must be a power of ten.
pub(super) fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, factor: u64, unit: &str) -> fmt::Result {
    let (whole, rest) = (value / factor, value % factor);
    if rest == 0 {
        return f.pad(&format!("{whole}{unit}"));
    }
    let width = factor.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    f.pad(&format!("{whole}.{}{unit}", fraction.trim_end_matches('0')))
}

impl Serialize for Unit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// A unit of one dimension, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitOf<const D: u8>(Unit);

/// A unit of time.
pub type TimeUnit = UnitOf<{ Dimension::Time as u8 }>;
/// A unit of rates.
pub type RateUnit = UnitOf<{ Dimension::Rate as u8 }>;
/// A unit of probabilities and shares.
pub type ShareUnit = UnitOf<{ Dimension::Share as u8 }>;

impl<const D: u8> UnitOf<D> {
    fn names() -> Vec<&'static str> {
        UNITS.iter().chain(&OF_COLUMNS).filter(|unit| unit.dimension as u8 == D).map(|unit| unit.name).collect()
    }
}

impl<const D: u8> From<UnitOf<D>> for Unit {
    fn from(UnitOf(unit): UnitOf<D>) -> Unit {
        unit
    }
}

impl<'de, const D: u8> Deserialize<'de> for UnitOf<D> {
    fn deserialize<R: Deserializer<'de>>(deserializer: R) -> Result<UnitOf<D>, R::Error> {
        let word = String::deserialize(deserializer)?;
        let unit = Unit::of_column(&word).filter(|unit| unit.dimension as u8 == D);
        let message = || format!("`{word}` is no unit here (units: {})", UnitOf::<D>::names().join(" "));
        unit.map(UnitOf).ok_or_else(|| serde::de::Error::custom(message()))
    }
}

impl<const D: u8> JsonSchema for UnitOf<D> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("UnitOf{D}").into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "enum": UnitOf::<D>::names() })
    }
}

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unit, D::Error> {
        let word = String::deserialize(deserializer)?;
        Unit::of_column(&word).ok_or_else(|| {
            let names: Vec<&str> = Unit::names_of_columns().collect();
            serde::de::Error::custom(format!("`{word}` is not a unit (units: {})", names.join(" ")))
        })
    }
}

impl JsonSchema for Unit {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Unit".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Unit::names_of_columns().collect();
        schemars::json_schema!({ "description": "A unit of numbers that have none.", "type": "string", "enum": names })
    }
}
