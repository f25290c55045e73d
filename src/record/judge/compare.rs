//! Whether values compare as they should, and which of several is the worst.

use super::{Reading, lack, readings, when, words};
use crate::record::expectation::Judged;
use crate::record::report::Report;
use crate::scenario::expect::{Compare, Op, Quantifier, Relation, Right, Unit};

/// Judges a comparison.
pub(super) fn compare(compare: &Compare, report: &Report) -> Judged {
    let unit = compare.measure.unit;
    let found = found(compare, report);
    let (values, limit) = match found {
        Ok(found) => found,
        Err(why) => return lack(&compare.expected, why, unit.name()),
    };
    let wanted = compare.quantifier != Some(Quantifier::Never);
    let ok = |reading: &&Reading| holds(&compare.relation, reading.value, limit) == wanted;
    let sign = if wanted { 1.0 } else { -1.0 };
    let badness = |reading: &Reading| sign * badness(&compare.relation, reading.value, limit);
    // the first of several that are alike
    let worse = |a: &&Reading, b: &&Reading| badness(a).total_cmp(&badness(b)).then(std::cmp::Ordering::Greater);
    let worst = values.iter().max_by(worse).cloned().unwrap_or(Reading::of(f64::NAN));
    let wrong: Vec<&Reading> = values.iter().filter(|reading| !ok(reading)).collect();
    let pass = wrong.is_empty();
    let over_time = compare.quantifier.is_some();
    let first = if over_time { wrong.iter().filter_map(|reading| reading.at).min() } else { worst.at };
    Judged {
        pass,
        measured: Some(describe(&worst, limit, pass, compare)),
        value: Some(worst.value),
        unit: unit.name().into(),
        expected: compare.expected.clone(),
        reason: (over_time && !pass).then(|| {
            let from = first.map(|at| format!(", first at {}", words::time(at as f64))).unwrap_or_default();
            format!("{} of {} samples{from}", wrong.len(), values.len())
        }),
        at_ns: first,
        near: None,
    }
}

/// The values, and what they are compared with.
fn found(compare: &Compare, report: &Report) -> Result<(Vec<Reading>, f64), String> {
    let stretch = compare.window.as_ref().map(|window| when::stretch(window, report)).transpose()?;
    let values = readings(&compare.measure, stretch, report)?;
    let limit = match &compare.right {
        Right::Value(value) => *value,
        Right::Measure(measure) => {
            let right = readings(measure, stretch, report).map_err(|why| format!("{}: {why}", measure.path))?;
            right.first().map_or(f64::NAN, |reading| reading.value)
        }
    };
    Ok((values, limit))
}

fn describe(worst: &Reading, limit: f64, pass: bool, compare: &Compare) -> String {
    let unit = compare.measure.unit;
    let mut text = words::value(worst.value, unit);
    // rounded, it would seem to be what it is not
    if !pass && worst.value != limit && text == words::value(limit, unit) && unit != Unit::Truth {
        text = words::exactly(worst.value, unit);
    }
    if let (true, Some(at)) = (compare.quantifier.is_some(), worst.at) {
        text = format!("{text} at {}", words::time(at as f64));
    }
    if let Some(label) = &worst.label {
        text = format!("{text} ({label})");
    }
    if let Right::Measure(right) = &compare.right {
        text = format!("{text}, {} {}", right.path, words::value(limit, unit));
    }
    text
}

fn holds(relation: &Relation, value: f64, limit: f64) -> bool {
    match relation {
        Relation::Op(Op::Equal, _) => value == limit,
        Relation::Op(Op::Unequal, _) => value != limit,
        Relation::Op(Op::Less, _) => value < limit,
        Relation::Op(Op::AtMost, _) => value <= limit,
        Relation::Op(Op::More, _) => value > limit,
        Relation::Op(Op::AtLeast, _) => value >= limit,
        Relation::WithinShare(share, _) => (value - limit).abs() <= share.as_f64() * limit.abs(),
        Relation::Within(tolerance, _) => (value - limit).abs() <= tolerance.value(),
    }
}

/// How far a value is to the wrong side.
fn badness(relation: &Relation, value: f64, limit: f64) -> f64 {
    match relation {
        Relation::Op(Op::Less | Op::AtMost, _) => value,
        Relation::Op(Op::More | Op::AtLeast, _) => -value,
        Relation::Op(Op::Unequal, _) => -(value - limit).abs(),
        Relation::Op(Op::Equal, _) | Relation::WithinShare(..) | Relation::Within(..) => (value - limit).abs(),
    }
}
