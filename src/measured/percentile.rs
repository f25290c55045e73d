//! `p95`, `p99.9`: any percentile of a distribution, by name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A percentile above 0 and below 100, in steps of 0.0001. Text: `p` and the number, as in `p95` and `p99.9`; `p999` is another
/// name of the latter, and the one that reports use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percentile(u32);

/// So many make 100.
const WHOLE: u32 = 1_000_000;

impl Percentile {
    /// The median.
    pub const P50: Percentile = Percentile(500_000);
    /// What 90 % are not above.
    pub const P90: Percentile = Percentile(900_000);
    /// What 95 % are not above.
    pub const P95: Percentile = Percentile(950_000);
    /// What 99 % are not above.
    pub const P99: Percentile = Percentile(990_000);
    /// What 99.9 % are not above.
    pub const P999: Percentile = Percentile(999_000);
    /// Those that a report has of every distribution.
    pub const KEPT: [Percentile; 4] = [Percentile::P50, Percentile::P90, Percentile::P99, Percentile::P999];

    /// Reads the name of one; `None` where it is none.
    pub fn parse(text: &str) -> Option<Percentile> {
        if text == "p999" {
            return Some(Percentile::P999);
        }
        let number = text.strip_prefix('p')?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 2) || !digits(decimals, 4) {
            return None;
        }
        let parts: u32 = format!("{whole}{decimals:0<4}").parse().ok()?;
        (0 < parts && parts < WHOLE).then_some(Percentile(parts))
    }

    /// Of one: 0.95.
    pub fn share(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }
}

/// The name under which reports have it.
impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10_000, self.0 % 10_000) {
            _ if *self == Percentile::P999 => f.write_str("p999"),
            (whole, 0) => write!(f, "p{whole}"),
            (whole, rest) => write!(f, "p{whole}.{}", format!("{rest:04}").trim_end_matches('0')),
        }
    }
}

impl Serialize for Percentile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percentile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Percentile, D::Error> {
        let text = String::deserialize(deserializer)?;
        Percentile::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a percentile")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_and_each_percentile_has_one() {
        for (text, name, share) in [
            ("p95", "p95", 0.95),
            ("p5", "p5", 0.05),
            ("p05", "p5", 0.05),
            ("p50.0", "p50", 0.5),
            ("p99.9", "p999", 0.999),
            ("p999", "p999", 0.999),
            ("p99.90", "p999", 0.999),
            ("p99.95", "p99.95", 0.9995),
            ("p99.9999", "p99.9999", 0.999_999),
            ("p0.0001", "p0.0001", 0.000_001),
        ] {
            let percentile = Percentile::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((percentile.to_string().as_str(), percentile.share()), (name, share), "{text}");
            assert_eq!(Percentile::parse(name), Some(percentile));
        }
        for text in ["p0", "p100", "p0.0", "p", "p.5", "p9999", "p99.", "p99.99999", "95", "p-5", "p9 5", "P95", "p९५"]
        {
            assert_eq!(Percentile::parse(text), None, "{text}");
        }
    }
}
