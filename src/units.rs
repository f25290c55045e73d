//! Quantities of the network, as integers: time in nanoseconds, rates in bits per second, sizes in bytes,
//! probabilities in parts per 10¹².
//!
//! Every quantity parses from and prints to the forms of the scenario language (`5ms`, `20Mbit`, `64KiB`, `1.5%`), and
//! what is printed parses back to the same value. A number without a unit is an error that says which to write.

use std::fmt;
use std::num::NonZeroU64;
use std::ops::{Add, AddAssign, Div, Mul, Sub};
use std::str::FromStr;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A point on the engine's clock, in nanoseconds since the engine started. It says nothing about the wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

/// A length of time in nanoseconds, 0 to about 584 years. Text: `ns us ms s m h`, as in `1.5ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// A bit rate in bits per second, 1 bit/s or more. Text: `bit kbit Mbit Gbit`, decimal, as in `20Mbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(NonZeroU64);

/// A number of bytes. Text: `B kB MB GB KiB MiB GiB`, as in `1500B` or `64KiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// A probability from 0 to 1, exact to 10⁻¹². Text: `%` or `ppm`, as in `1.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u64);

impl Instant {
    /// The instant at which the engine starts.
    pub const ZERO: Instant = Instant(0);
    /// Later than every event.
    pub const MAX: Instant = Instant(u64::MAX);

    /// The instant `ns` nanoseconds after the engine's start.
    pub const fn from_nanos(ns: u64) -> Instant {
        Instant(ns)
    }

    /// Nanoseconds since the engine's start.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to here; zero if `earlier` is not earlier.
    pub const fn saturating_since(self, earlier: Instant) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    /// Saturates at [`Instant::MAX`], which no event reaches.
    fn add(self, rhs: Duration) -> Instant {
        Instant(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, rhs: Duration) {
        *self = *self + rhs;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;
    /// The time from `rhs` to `self`; zero if `rhs` is later.
    fn sub(self, rhs: Instant) -> Duration {
        self.saturating_since(rhs)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration(self.0).fmt(f)
    }
}

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);
    /// The longest duration.
    pub const MAX: Duration = Duration(u64::MAX);

    /// `ns` nanoseconds.
    pub const fn from_nanos(ns: u64) -> Duration {
        Duration(ns)
    }

    /// `us` microseconds.
    pub const fn from_micros(us: u64) -> Duration {
        Duration(us * 1_000)
    }

    /// `ms` milliseconds.
    pub const fn from_millis(ms: u64) -> Duration {
        Duration(ms * 1_000_000)
    }

    /// `s` seconds.
    pub const fn from_secs(s: u64) -> Duration {
        Duration(s * NANOS_PER_SEC)
    }

    /// The length in nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The length in seconds, for statistics and display only.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS_PER_SEC as f64
    }

    /// The length in milliseconds, for statistics and display only.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Difference, not below zero.
    pub const fn saturating_sub(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_sub(rhs.0))
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, rhs: Duration) -> Duration {
        Duration(self.0.saturating_add(rhs.0))
    }
}

impl Mul<u64> for Duration {
    type Output = Duration;
    fn mul(self, rhs: u64) -> Duration {
        Duration(self.0.saturating_mul(rhs))
    }
}

impl Div<u64> for Duration {
    type Output = Duration;
    fn div(self, rhs: u64) -> Duration {
        Duration(self.0 / rhs)
    }
}

impl From<Duration> for core::time::Duration {
    fn from(d: Duration) -> core::time::Duration {
        core::time::Duration::from_nanos(d.0)
    }
}

impl From<core::time::Duration> for Duration {
    fn from(d: core::time::Duration) -> Duration {
        Duration(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Rate {
    /// `bps` bits per second; `None` for 0, which no wire has.
    pub const fn from_bps(bps: u64) -> Option<Rate> {
        match NonZeroU64::new(bps) {
            Some(bps) => Some(Rate(bps)),
            None => None,
        }
    }

    /// Bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0.get()
    }

    /// The time that `size` occupies a wire of this rate, rounded down to a nanosecond. A serializer that must not
    /// drift carries the remainder from frame to frame instead: [`Rate::serialize`].
    pub fn time_for(self, size: ByteSize) -> Duration {
        self.serialize(size.0 * 8, &mut 0)
    }

    /// The time that `bits` occupy a wire of this rate. `carry` holds what earlier calls could not express in whole
    /// nanoseconds (in units of 1/rate ns, below `rate`), so that the sum over a backlog is exact.
    pub fn serialize(self, bits: u64, carry: &mut u64) -> Duration {
        let work = u128::from(bits) * u128::from(NANOS_PER_SEC) + u128::from(*carry);
        // u64 division is several times cheaper; 2^64 ns·bit is a frame of 2.3 GB.
        if let Ok(work) = u64::try_from(work) {
            *carry = work % self.0;
            return Duration(work / self.0);
        }
        let bps = u128::from(self.as_bps());
        *carry = (work % bps) as u64;
        Duration(u64::try_from(work / bps).unwrap_or(u64::MAX))
    }

    /// The bytes that pass in `time`, rounded down.
    pub fn bytes_in(self, time: Duration) -> ByteSize {
        let bits = u128::from(self.as_bps()) * u128::from(time.0) / u128::from(NANOS_PER_SEC);
        ByteSize(u64::try_from(bits / 8).unwrap_or(u64::MAX))
    }
}

impl ByteSize {
    /// `n` bytes.
    pub const fn from_bytes(n: u64) -> ByteSize {
        ByteSize(n)
    }

    /// The number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl Add for ByteSize {
    type Output = ByteSize;
    fn add(self, rhs: ByteSize) -> ByteSize {
        ByteSize(self.0.saturating_add(rhs.0))
    }
}

const PARTS: u64 = 1_000_000_000_000;

impl Probability {
    /// It never happens.
    pub const NEVER: Probability = Probability(0);
    /// It always happens.
    pub const ALWAYS: Probability = Probability(PARTS);

    /// `parts` of 10¹²; `None` above 10¹².
    pub const fn from_parts(parts: u64) -> Option<Probability> {
        if parts > PARTS { None } else { Some(Probability(parts)) }
    }

    /// Parts of 10¹².
    pub const fn as_parts(self) -> u64 {
        self.0
    }

    /// As a fraction of one, for statistics and display only.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / PARTS as f64
    }

    /// Whether a uniformly drawn 64-bit word falls on the side of "it happens". 0 never does, 1 always.
    pub const fn happens(self, draw: u64) -> bool {
        // draw / 2^64 < parts / 10^12, without division
        (draw as u128 * PARTS as u128) >> 64 < self.0 as u128
    }
}

/// What was wrong with a quantity's text, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    message: String,
}

impl ParseError {
    fn new(message: impl Into<String>) -> ParseError {
        ParseError { message: message.into() }
    }
}

/// How a quantity reads: its name, its units (factor to the integer inside), an example for error messages.
struct Grammar {
    what: &'static str,
    units: &'static [(&'static str, u64)],
    advised: &'static str,
    max: u64,
    finest: &'static str,
}

impl Grammar {
    fn parse(&self, text: &str) -> Result<u64, ParseError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..end], text[end..].trim_start());
        if number.is_empty() || number == "." {
            return Err(ParseError::new(format!(
                "`{text}` is not a {}: write a number and a unit, as in `{}`",
                self.what,
                self.example("5")
            )));
        }
        if unit.is_empty() {
            return Err(self.without_unit(number));
        }
        let Some(&(_, factor)) = self.units.iter().find(|(name, _)| *name == unit) else {
            if let Some(first) = self.first_of_two(number, unit) {
                return Err(ParseError::new(format!("expected one {}, as in `{first}`, found `{text}`", self.what)));
            }
            let units: Vec<_> = self.units.iter().map(|(name, _)| *name).collect();
            let near = self.units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).or_else(|| {
                // `Mbps`, `mbit/s`, `sec`: the same first letters
                self.units.iter().rev().find(|(name, _)| {
                    let (a, b) = (name.to_ascii_lowercase(), unit.to_ascii_lowercase());
                    a.chars().take(2).eq(b.chars().take(2)) || (b.starts_with(&a) && a.len() > 1)
                })
            });
            let hint = near.map(|(name, _)| format!(", did you mean `{number}{name}`?")).unwrap_or_default();
            return Err(ParseError::new(format!(
                "`{unit}` is not a unit of a {}{hint} (units: {})",
                self.what,
                units.join(" ")
            )));
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') {
            return Err(ParseError::new(format!("`{number}` is not a number")));
        }
        let too_large = || ParseError::new(format!("`{text}` is too large: at most `{}`", self.print_max()));
        let mut scale: u128 = 1;
        let mut digits: u128 = 0;
        for (i, c) in whole.chars().chain(fraction.trim_end_matches('0').chars()).enumerate() {
            digits = digits
                .checked_mul(10)
                .and_then(|d| d.checked_add(u128::from(c.to_digit(10).unwrap_or(0))))
                .filter(|d| *d < u128::MAX / 1_000_000_000_000_000)
                .ok_or_else(too_large)?;
            if i >= whole.len() {
                scale *= 10;
            }
        }
        let value = digits * u128::from(factor);
        if !value.is_multiple_of(scale) {
            return Err(ParseError::new(format!("`{text}` is finer than {}", self.finest)));
        }
        u64::try_from(value / scale).ok().filter(|v| *v <= self.max).ok_or_else(too_large)
    }

    /// The first of several quantities: `100ms 20ms`, `100ms±20ms`, `1m30s`. `rest`: what follows its number.
    fn first_of_two(&self, number: &str, rest: &str) -> Option<String> {
        let end = rest.find(|c: char| !(c.is_alphabetic() || c == '%'))?;
        let (unit, rest) = rest.split_at(end);
        let known = self.units.iter().any(|(name, _)| *name == unit);
        (known && rest.contains(|c: char| c.is_ascii_digit())).then(|| format!("{number}{unit}"))
    }

    fn example(&self, number: &str) -> String {
        format!("{number}{}", self.advised)
    }

    fn without_unit(&self, number: &str) -> ParseError {
        let units: Vec<_> = self.units.iter().map(|(name, _)| *name).collect();
        if self.what == "probability" && number.contains('.') {
            return ParseError::new(format!(
                "`{number}` has no unit, and could mean {number} % or a fraction of one: write `{number}%` for the first, with `ppm` for parts per million"
            ));
        }
        ParseError::new(format!(
            "`{number}` has no unit: write `{}` (units: {})",
            self.example(number),
            units.join(" ")
        ))
    }

    fn print_max(&self) -> String {
        let (name, factor) = self.units[self.units.len() - 1];
        format!("{}{name}", self.max / factor)
    }
}

/// Writes `value / factor` exactly; `factor` must be a power of ten.
fn write_decimal(f: &mut fmt::Formatter<'_>, value: u64, factor: u64, unit: &str) -> fmt::Result {
    let (whole, rest) = (value / factor, value % factor);
    if rest == 0 {
        return f.pad(&format!("{whole}{unit}"));
    }
    let width = factor.ilog10() as usize;
    let fraction = format!("{rest:0width$}");
    f.pad(&format!("{whole}.{}{unit}", fraction.trim_end_matches('0')))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HOUR: u64 = 3600 * NANOS_PER_SEC;
        const MINUTE: u64 = 60 * NANOS_PER_SEC;
        match self.0 {
            0 => f.pad("0ms"),
            ns if ns % HOUR == 0 => write_decimal(f, ns / HOUR, 1, "h"),
            ns if ns % MINUTE == 0 => write_decimal(f, ns / MINUTE, 1, "m"),
            ns if ns >= NANOS_PER_SEC => write_decimal(f, ns, NANOS_PER_SEC, "s"),
            ns if ns >= 1_000_000 => write_decimal(f, ns, 1_000_000, "ms"),
            ns if ns >= 1_000 => write_decimal(f, ns, 1_000, "us"),
            ns => write_decimal(f, ns, 1, "ns"),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_bps() {
            bps if bps >= 1_000_000_000 => write_decimal(f, bps, 1_000_000_000, "Gbit"),
            bps if bps >= 1_000_000 => write_decimal(f, bps, 1_000_000, "Mbit"),
            bps if bps >= 1_000 => write_decimal(f, bps, 1_000, "kbit"),
            bps => write_decimal(f, bps, 1, "bit"),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whole multiples only, so that 1500B stays 1500B.
        let (unit, factor) = BYTE_SIZE
            .units
            .iter()
            .rev()
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(&BYTE_SIZE.units[0]);
        write_decimal(f, self.0 / factor, 1, unit)
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 1 ppm is 10^6 parts; below 0.01 % people count in ppm
        if self.0 != 0 && self.0 < PARTS / 10_000 {
            write_decimal(f, self.0, PARTS / 1_000_000, "ppm")
        } else {
            write_decimal(f, self.0, PARTS / 100, "%")
        }
    }
}

const DURATION: Grammar = Grammar {
    what: "duration",
    units: &[
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("s", NANOS_PER_SEC),
        ("m", 60 * NANOS_PER_SEC),
        ("h", 3600 * NANOS_PER_SEC),
    ],
    advised: "ms",
    max: u64::MAX,
    finest: "1 ns",
};
const RATE: Grammar = Grammar {
    what: "rate",
    units: &[("bit", 1), ("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000)],
    advised: "Mbit",
    max: 1_000_000_000_000_000,
    finest: "1 bit per second",
};
const BYTE_SIZE: Grammar = Grammar {
    what: "size",
    units: &[
        ("B", 1),
        ("kB", 1_000),
        ("KiB", 1 << 10),
        ("MB", 1_000_000),
        ("MiB", 1 << 20),
        ("GB", 1_000_000_000),
        ("GiB", 1 << 30),
    ],
    advised: "B",
    max: u64::MAX,
    finest: "1 byte",
};
const PROBABILITY: Grammar = Grammar {
    what: "probability",
    units: &[("ppm", PARTS / 1_000_000), ("%", PARTS / 100)],
    advised: "%",
    max: PARTS,
    finest: "10⁻¹²",
};

/// A delay and its jitter as other tools write them: `100ms 20ms` (tc-netem(8)), `100ms±20ms`.
fn with_jitter(text: &str) -> Option<[Duration; 2]> {
    let parts = text.split(|c: char| c.is_whitespace() || "±+-/,".contains(c)).filter(|part| !part.is_empty());
    let both: Result<Vec<u64>, _> = parts.map(|part| DURATION.parse(part)).collect();
    match both.ok()?[..] {
        [mean, jitter] => Some([Duration(mean), Duration(jitter)]),
        _ => None,
    }
}

impl FromStr for Duration {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Duration, ParseError> {
        DURATION.parse(text).map(Duration).map_err(|error| match with_jitter(text) {
            Some([mean, jitter]) => {
                ParseError::new(format!("{error}; a delay with jitter is `{{ mean: {mean}, jitter: {jitter} }}`"))
            }
            None => error,
        })
    }
}

impl FromStr for Rate {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Rate, ParseError> {
        // `5Mbit/s` and `5Mbit` are the same thing to everyone
        let bare = text.trim().strip_suffix("/s").unwrap_or(text);
        let bps = RATE.parse(bare)?;
        Rate::from_bps(bps).ok_or_else(|| {
            ParseError::new(
                "a rate of 0 passes nothing: take the link `down`, or leave `rate` out for an unlimited one",
            )
        })
    }
}

impl FromStr for ByteSize {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<ByteSize, ParseError> {
        BYTE_SIZE.parse(text).map(ByteSize)
    }
}

impl FromStr for Probability {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Probability, ParseError> {
        PROBABILITY.parse(text).map(Probability)
    }
}

macro_rules! quantity_in_files {
    ($type:ident, $grammar:ident, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "a {}, as in `{}`", $grammar.what, $grammar.example("5"))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: de::Error>(self, number: u64) -> Result<$type, E> {
                        Err(E::custom($grammar.without_unit(&number.to_string())))
                    }
                    fn visit_i64<E: de::Error>(self, number: i64) -> Result<$type, E> {
                        Err(E::custom(format!("`{number}` is not a {}: it is negative, and has no unit", $grammar.what)))
                    }
                    fn visit_f64<E: de::Error>(self, number: f64) -> Result<$type, E> {
                        Err(E::custom($grammar.without_unit(&number.to_string())))
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "description": format!("A {}, as in `{}`; units: {}", $grammar.what, $grammar.example("5"),
                        $grammar.units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" ")),
                    "pattern": concat!($pattern, "|^\\$[A-Za-z_]"),
                })
            }
        }
    };
}

quantity_in_files!(Duration, DURATION, r"^[0-9.]+ ?(ns|us|µs|ms|s|m|h)$");
quantity_in_files!(Rate, RATE, r"^[0-9.]+ ?(bit|kbit|Mbit|Gbit)(/s)?$");
quantity_in_files!(ByteSize, BYTE_SIZE, r"^[0-9.]+ ?(B|kB|KiB|MB|MiB|GB|GiB)$");
quantity_in_files!(Probability, PROBABILITY, r"^[0-9.]+ ?(%|ppm)$");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rate(bps: u64) -> Rate {
        Rate::from_bps(bps).unwrap()
    }

    proptest! {
        #[test]
        fn every_quantity_round_trips_through_its_text(n in any::<u64>(), small in 0u64..100_000, shift in 0u32..40) {
            for n in [n, small, small << shift] {
                let d = Duration::from_nanos(n);
                prop_assert_eq!(d.to_string().parse::<Duration>(), Ok(d));
                let b = ByteSize::from_bytes(n);
                prop_assert_eq!(b.to_string().parse::<ByteSize>(), Ok(b));
                let r = Rate::from_bps(n % 1_000_000_000_000_000).unwrap_or(rate(1));
                prop_assert_eq!(r.to_string().parse::<Rate>(), Ok(r));
                let p = Probability::from_parts(n % (PARTS + 1)).unwrap();
                prop_assert_eq!(p.to_string().parse::<Probability>(), Ok(p));
            }
        }

        #[test]
        fn a_backlog_serializes_without_drift(bits in prop::collection::vec(1u64..600_000, 1..200), bps in 1u64..100_000_000_000) {
            let rate = rate(bps);
            let mut carry = 0;
            let sum: u128 = bits.iter().map(|b| u128::from(rate.serialize(*b, &mut carry).as_nanos())).sum();
            let total: u128 = bits.iter().map(|b| u128::from(*b)).sum();
            prop_assert_eq!(sum, total * u128::from(NANOS_PER_SEC) / u128::from(bps));
        }
    }

    #[test]
    fn texts_read_as_documented() {
        let duration = |t: &str| t.parse::<Duration>().map(Duration::as_nanos);
        assert_eq!(duration("5ms"), Ok(5_000_000));
        assert_eq!(duration("1.5us"), Ok(1_500));
        assert_eq!(duration("2µs"), Ok(2_000));
        assert_eq!(duration("7 ns"), Ok(7));
        assert_eq!(duration("0.5h"), Ok(1_800 * NANOS_PER_SEC));
        assert_eq!("20Mbit".parse::<Rate>().map(Rate::as_bps), Ok(20_000_000));
        assert_eq!("1.5Mbit/s".parse::<Rate>().map(Rate::as_bps), Ok(1_500_000));
        assert_eq!("64KiB".parse::<ByteSize>().map(ByteSize::as_bytes), Ok(65_536));
        assert_eq!("64kB".parse::<ByteSize>().map(ByteSize::as_bytes), Ok(64_000));
        assert_eq!("1%".parse::<Probability>().map(Probability::as_parts), Ok(10_000_000_000));
        assert_eq!("10ppm".parse::<Probability>().map(Probability::as_parts), Ok(10_000_000));
        assert_eq!(Duration::from_millis(1500).to_string(), "1.5s");
        assert_eq!(ByteSize::from_bytes(1500).to_string(), "1500B");
        assert_eq!(Probability(25_000_000).to_string(), "25ppm");
        assert_eq!(Probability(15_000_000_000).to_string(), "1.5%");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let says = |e: ParseError, part: &str| assert!(e.to_string().contains(part), "{e}");
        says("20".parse::<Duration>().unwrap_err(), "write `20ms`");
        says("20".parse::<Rate>().unwrap_err(), "write `20Mbit`");
        says("0.5".parse::<Probability>().unwrap_err(), "could mean");
        says("5Mbps".parse::<Rate>().unwrap_err(), "did you mean `5Mbit`");
        says("5mbit".parse::<Rate>().unwrap_err(), "did you mean `5Mbit`");
        says("5 sec".parse::<Duration>().unwrap_err(), "units:");
        for two in ["100ms 20ms", "100ms±20ms", "100ms +/- 20ms", "100ms,20ms"] {
            let error = two.parse::<Duration>().unwrap_err().to_string();
            let jitter = "a delay with jitter is `{ mean: 100ms, jitter: 20ms }`";
            assert_eq!(error, format!("expected one duration, as in `100ms`, found `{two}`; {jitter}"));
        }
        says("1m30s".parse::<Duration>().unwrap_err(), "expected one duration, as in `1m`");
        says("1% 2%".parse::<Probability>().unwrap_err(), "expected one probability, as in `1%`");
        says("5Mbps 1".parse::<Rate>().unwrap_err(), "not a unit");
        says("fast".parse::<Rate>().unwrap_err(), "a number and a unit");
        says("101%".parse::<Probability>().unwrap_err(), "at most `100%`");
        says("0.5ns".parse::<Duration>().unwrap_err(), "finer than 1 ns");
        says("0Mbit".parse::<Rate>().unwrap_err(), "passes nothing");
        says("1.2.3s".parse::<Duration>().unwrap_err(), "not a number");
        says("99999999999999999999999h".parse::<Duration>().unwrap_err(), "too large");
    }

    #[test]
    fn probability_edges_are_certain() {
        assert!(!Probability::NEVER.happens(0));
        assert!(Probability::ALWAYS.happens(u64::MAX));
        let half = Probability(PARTS / 2);
        assert!(half.happens((1 << 63) - 1));
        assert!(!half.happens(1 << 63));
    }

    #[test]
    fn serialization_times_are_those_of_the_wire() {
        let gigabit = rate(1_000_000_000);
        assert_eq!(gigabit.time_for(ByteSize(1500)), Duration(12_000));
        assert_eq!(rate(8).time_for(ByteSize(1)), Duration::from_secs(1));
        assert_eq!(gigabit.bytes_in(Duration::from_millis(1)), ByteSize(125_000));
        let mut carry = 0;
        let ten_gigabit = rate(10_000_000_000);
        let burst: u64 = (0..10).map(|_| ten_gigabit.serialize(64 * 8, &mut carry).as_nanos()).sum();
        assert_eq!(burst, 512);
    }
}
