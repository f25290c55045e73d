//! One value of a measure, and the range that it may have in truth.

use crate::measured::Unit;

/// One value of a measure.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// In the measure's unit.
    pub(super) value: f64,
    /// The least that it may be in truth.
    pub(super) low: f64,
    /// The most that it may be in truth.
    pub(super) high: f64,
    /// When, or when it was worst, as far as there is such an instant.
    pub(super) at: Option<i64>,
    /// Of which direction.
    pub(super) label: Option<String>,
}

impl Reading {
    pub(super) fn of(value: f64) -> Reading {
        Reading::at(value, None)
    }

    pub(super) fn at(value: f64, at: Option<i64>) -> Reading {
        Reading { value, low: value, high: value, at, label: None }
    }

    /// It may be anything from `low` to `high`.
    pub(super) fn between(self, low: f64, high: f64) -> Reading {
        Reading { low: low.min(self.value), high: high.max(self.value), ..self }
    }

    /// It may be anything.
    pub(super) fn unknown(&mut self) {
        (self.low, self.high) = (f64::NEG_INFINITY, f64::INFINITY);
    }

    /// It may be so many more or fewer.
    pub(super) fn spread(&mut self, by: f64) {
        (self.low, self.high) = ((self.value - by).max(0.0), self.value + by);
    }

    /// It may be greater or smaller by a factor. Counts stay whole.
    pub(super) fn scale(&mut self, factor: f64, unit: Unit) {
        (self.low, self.high) = (self.value / factor, self.value * factor);
        if matches!(unit, Unit::Count | Unit::Size) {
            (self.low, self.high) = (self.low.ceil().min(self.value), self.high.floor().max(self.value));
        }
    }

    /// The same in another unit, of which `scale` make one.
    pub(super) fn convert(&mut self, scale: f64) {
        // a hundredth is no binary fraction: what is divided by a hundred is rounded once
        let convert = |value: f64| if scale < 1.0 { value / (1.0 / scale).round() } else { value * scale };
        (self.value, self.low, self.high) = (convert(self.value), convert(self.low), convert(self.high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_whole_and_the_value_lies_within() {
        let mut ten = Reading::of(10.0);
        ten.scale(1.05, Unit::Count);
        assert_eq!((ten.low, ten.high), (10.0, 10.0));
        ten.scale(1.5, Unit::Count);
        assert_eq!((ten.low, ten.high), (7.0, 15.0));
        ten.scale(2.0, Unit::Rate);
        assert_eq!((ten.low, ten.high), (5.0, 20.0));
        ten.spread(11.0);
        assert_eq!((ten.low, ten.high), (0.0, 21.0));
        assert_eq!(Reading::of(3.0).between(4.0, 2.0), Reading::of(3.0));
    }
}
