//! How far a value is from its limit: in numbers for pictures, in words for people.

use super::{Stretch, words};
use crate::measured::Unit;
use crate::report::expectation::Compared;
use crate::tasks::expect::{Compare, Op, Quantifier, Relation};

/// A value beside its limit; `None` where there is no distance between such values.
pub(super) fn compared(compare: &Compare, value: f64, limit: f64, window_ns: Option<Stretch>) -> Option<Compared> {
    let unit = compare.measure.unit;
    if unit == Unit::Truth || !value.is_finite() || !limit.is_finite() {
        return None;
    }
    let never = compare.quantifier == Some(Quantifier::Never);
    let (relation, tolerance) = match &compare.relation {
        Relation::Op(op, _) => (relation(*op, never), None),
        Relation::WithinShare(..) | Relation::Within(..) if never => return None,
        Relation::WithinShare(share, _) => ("within", Some(share.as_f64() * limit.abs())),
        Relation::Within(quantity, _) => ("within", Some(quantity.value())),
    };
    let distance =
        if relation == "==" && value == limit { "exactly".into() } else { distance(value, limit, tolerance, unit) };
    let measure = compare.measure.path.clone();
    Some(Compared { measure, relation: relation.into(), limit, tolerance, distance, window_ns })
}

/// What is to hold of every value.
fn relation(op: Op, never: bool) -> &'static str {
    match (op, never) {
        (Op::Less, false) | (Op::AtLeast, true) => "<",
        (Op::AtMost, false) | (Op::More, true) => "<=",
        (Op::More, false) | (Op::AtMost, true) => ">",
        (Op::AtLeast, false) | (Op::Less, true) => ">=",
        (Op::Equal, false) | (Op::Unequal, true) => "==",
        (Op::Unequal, false) | (Op::Equal, true) => "!=",
    }
}

fn distance(value: f64, limit: f64, tolerance: Option<f64>, unit: Unit) -> String {
    let apart = (value - limit).abs();
    match tolerance {
        Some(tolerance) => format!("{} off, {} allowed", length(apart, unit), length(tolerance, unit)),
        None if apart == 0.0 => "at the limit".into(),
        None => format!("{} {}", length(apart, unit), if value < limit { "below" } else { "above" }),
    }
}

/// A difference: that of two shares is in points of a hundred.
fn length(apart: f64, unit: Unit) -> String {
    let text = words::value(apart, unit);
    match (unit, text.strip_suffix(" %")) {
        (Unit::Share, Some("1")) => "1 point".into(),
        (Unit::Share, Some(points)) => format!("{points} points"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_in_the_unit_of_what_is_compared() {
        for (value, limit, tolerance, unit, words) in [
            (41.2e6, 60e6, None, Unit::Time, "18.8 ms below"),
            (0.12, 0.05, None, Unit::Share, "7 points above"),
            (0.06, 0.05, None, Unit::Share, "1 point above"),
            (0.0, 0.0, None, Unit::Count, "at the limit"),
            (12.0, 0.0, None, Unit::Count, "12 above"),
            (4e6, 5e6, None, Unit::Rate, "1Mbit/s below"),
            (0.0326, 0.03, Some(0.018), Unit::Share, "0.26 points off, 1.8 points allowed"),
        ] {
            assert_eq!(distance(value, limit, tolerance, unit), words);
        }
    }

    #[test]
    fn what_never_holds_is_the_opposite() {
        assert_eq!([relation(Op::More, true), relation(Op::More, false)], ["<=", ">"]);
        assert_eq!([relation(Op::Less, true), relation(Op::Equal, true)], [">=", "!="]);
    }
}
