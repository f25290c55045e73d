//! Lengths of time.

use std::fmt;
use std::ops::{Add, Div, Mul};
use std::str::FromStr;

use super::grammar::{Dimension, ParseError, write_decimal};
use super::text::quantity_in_files;

/// Nanoseconds in a second.
pub const NANOS_PER_SEC: u64 = 1_000_000_000;

/// A length of time in nanoseconds, 0 to about 584 years. Text: `ns us ms s m h`, as in `1.5ms`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

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

/// A delay and its jitter as other tools write them: `100ms 20ms` (tc-netem(8)), `100ms±20ms`.
fn with_jitter(text: &str) -> Option<[Duration; 2]> {
    let parts = text.split(|c: char| c.is_whitespace() || "±+-/,".contains(c)).filter(|part| !part.is_empty());
    let both: Result<Vec<u64>, _> = parts.map(|part| Dimension::Time.exact(part)).collect();
    match both.ok()?[..] {
        [mean, jitter] => Some([Duration(mean), Duration(jitter)]),
        _ => None,
    }
}

impl FromStr for Duration {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Duration, ParseError> {
        Dimension::Time.exact(text).map(Duration).map_err(|error| match with_jitter(text) {
            Some([mean, jitter]) => {
                ParseError::new(format!("{error}; a delay with jitter is `{{ mean: {mean}, jitter: {jitter} }}`"))
            }
            None => error,
        })
    }
}

quantity_in_files!(Duration, Dimension::Time);
