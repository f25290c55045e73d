//! Measured values, as people read them.

use crate::measured::Unit;
use crate::report::terminal;
use crate::report::terminal::{four_digits, grouped};
use crate::units::Duration;

/// A value in its unit, in four digits.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    let whole = || grouped(value.max(0.0).round() as u64);
    match unit {
        Unit::Time => time(value),
        Unit::Rate => terminal::rate(value.max(0.0).round() as u64),
        Unit::Share => format!("{} %", four_digits((value * 1e5).round() / 1e3)),
        Unit::Size => format!("{} bytes", whole()),
        Unit::Count if value.fract() == 0.0 && value >= 0.0 => whole(),
        Unit::Count | Unit::Number => plain(value),
        Unit::Truth => (if value == 0.0 { "false" } else { "true" }).to_owned(),
    }
}

/// All digits, where four would hide the difference.
pub(super) fn exactly(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Time if value >= 0.0 => Duration::from_nanos(value.round() as u64).to_string(),
        Unit::Rate => format!("{} bit/s", grouped(value.max(0.0).round() as u64)),
        Unit::Share => format!("{} %", value * 100.0),
        _ => plain(value),
    }
}

/// A time in ns.
pub(crate) fn time(ns: f64) -> String {
    let sign = if ns < 0.0 { "−" } else { "" };
    format!("{sign}{}", terminal::time(ns.abs().round() as u64))
}

fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_units() {
        for (number, unit, text) in [
            (83_123_456.0, Unit::Time, "83.12 ms"),
            (-5e6, Unit::Time, "−5 ms"),
            (5e6, Unit::Rate, "5Mbit/s"),
            (0.0, Unit::Rate, "0 bit/s"),
            (0.0123, Unit::Share, "1.23 %"),
            (65_536.0, Unit::Size, "65,536 bytes"),
            (1_234.0, Unit::Count, "1,234"),
            (2.5, Unit::Count, "2.5"),
            (-1.0, Unit::Number, "-1"),
            (1.0, Unit::Truth, "true"),
        ] {
            assert_eq!(value(number, unit), text);
        }
        assert_eq!(exactly(60_000_400.0, Unit::Time), "60.0004ms");
    }
}
