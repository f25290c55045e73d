//! Whether values compare as they should, and which of several is the worst.

use super::doubt::Doubt;
use super::reading::Reading;
use super::{Stretch, distance, lacking, readings, when, words};
use crate::measured::Unit;
use crate::report::expectation::Judged;
use crate::report::json::Report;
use crate::tasks::expect::{Compare, Op, Quantifier, Relation, Right};

/// Judges a comparison: as measured, and for all that the values may be in truth.
pub(super) fn compare(compare: &Compare, doubt: &Doubt<'_>, report: &Report) -> Judged {
    let unit = compare.measure.unit;
    let (values, right, stretch) = match found(compare, doubt, report) {
        Ok(found) => found,
        Err(why) => return lacking(&compare.expected, why, unit.name(), doubt),
    };
    let limit = right.value;
    let wanted = compare.quantifier != Some(Quantifier::Never);
    let ok = |reading: &&Reading| holds(&compare.relation, reading.value, limit) == wanted;
    let sign = if wanted { 1.0 } else { -1.0 };
    let badness = |reading: &Reading| sign * badness(&compare.relation, reading.value, limit);
    // the first of several that are alike
    let worse = |a: &&Reading, b: &&Reading| badness(a).total_cmp(&badness(b)).then(std::cmp::Ordering::Greater);
    let worst = values.iter().max_by(worse).cloned().unwrap_or(Reading::of(f64::NAN));
    let wrong: Vec<&Reading> = values.iter().filter(|reading| !ok(reading)).collect();
    let for_certain = |reading: &Reading| certainly(&compare.relation, reading, &right).map(|holds| holds == wanted);
    let verdicts: Vec<Option<bool>> = values.iter().map(for_certain).collect();
    let fails = verdicts.contains(&Some(false));
    let doubtful = values.iter().zip(&verdicts).find(|(_, verdict)| verdict.is_none()).filter(|_| !fails);
    let pass = wrong.is_empty() && doubtful.is_none();
    let over_time = compare.quantifier.is_some();
    let first = if over_time { wrong.iter().filter_map(|reading| reading.at).min() } else { worst.at };
    Judged {
        pass,
        invalid: doubtful.map(|(reading, _)| why(reading, &right, unit)),
        measured: Some(describe(&worst, limit, pass, compare)),
        value: Some(worst.value),
        unit: unit.name().into(),
        expected: compare.expected.clone(),
        compared: distance::compared(compare, worst.value, limit, stretch),
        reason: (over_time && !wrong.is_empty()).then(|| {
            let from = first.map(|at| format!(", first at {}", words::time(at as f64))).unwrap_or_default();
            format!("{} of {} samples{from}", wrong.len(), values.len())
        }),
        at_ns: first,
        near: None,
    }
}

/// What lateness can have changed.
fn why(reading: &Reading, right: &Reading, unit: Unit) -> String {
    let unsure = if (reading.low, reading.high) == (reading.value, reading.value) { right } else { reading };
    let from = unsure.low.is_finite().then(|| format!("{} or more", words::value(unsure.low, unit)));
    let to = unsure.high.is_finite().then(|| words::value(unsure.high, unit));
    let truth = match (from, to) {
        (Some(_), Some(to)) => format!("anything from {} to {to}", words::value(unsure.low, unit)),
        (Some(from), None) => from,
        (None, Some(to)) => format!("{to} or less"),
        (None, None) => return "lateness of this machine can have decided it".to_owned(),
    };
    format!("without the gaps in which longwire did not read its ports it can be {truth}")
}

/// The values, what they are compared with, and when.
fn found(
    compare: &Compare,
    doubt: &Doubt<'_>,
    report: &Report,
) -> Result<(Vec<Reading>, Reading, Option<Stretch>), String> {
    let stretch = compare.window.as_ref().map(|window| when::stretch(window, report)).transpose()?;
    let values = readings(&compare.measure, stretch, doubt, report)?;
    let right = match &compare.right {
        Right::Value(value) => Reading::of(*value),
        Right::Measure(measure) => {
            let right = readings(measure, stretch, doubt, report).map_err(|why| format!("{}: {why}", measure.path))?;
            right.into_iter().next().unwrap_or(Reading::of(f64::NAN))
        }
    };
    Ok((values, right, stretch))
}

/// Whether a relation holds for all that both sides may be in truth, or for nothing of it; `None` where it depends.
fn certainly(relation: &Relation, left: &Reading, right: &Reading) -> Option<bool> {
    let corners = [(left.low, right.low), (left.low, right.high), (left.high, right.low), (left.high, right.high)];
    let all = corners.map(|(value, limit)| holds(relation, value, limit));
    let certain = all.iter().all(|one| *one == all[0]).then_some(all[0])?;
    // Orders are monotone in both sides. The others hold around equality: where that is possible, the corners may miss it.
    let point = left.low == left.high && right.low == right.high;
    let meet = left.low <= right.high && right.low <= left.high;
    match relation {
        Relation::Op(Op::Less | Op::AtMost | Op::More | Op::AtLeast, _) => Some(certain),
        Relation::Op(Op::Unequal, _) => (point || !meet).then_some(certain),
        _ => (point || !meet || certain).then_some(certain),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tasks::expect::Place;

    #[test]
    fn a_relation_is_certain_where_no_value_of_the_ranges_changes_it() {
        let place = Place { start: 0, end: 0 };
        let within = |share: &str| Relation::WithinShare(share.parse().unwrap(), place);
        let range = |low: f64, high: f64| Reading::of(low).between(low, high);
        let less = Relation::Op(Op::Less, place);
        for (relation, left, right, verdict) in [
            (&less, range(1.0, 2.0), range(3.0, 3.0), Some(true)),
            (&less, range(1.0, 3.0), range(3.0, 3.0), None),
            (&less, range(3.0, 9.0), range(3.0, 3.0), Some(false)),
            (&less, range(3.0, f64::INFINITY), range(2.0, 3.0), Some(false)),
            (&less, range(1.0, 3.0), range(2.0, 4.0), None),
            (&Relation::Op(Op::Equal, place), range(1.0, 3.0), range(2.0, 2.0), None),
            (&Relation::Op(Op::Equal, place), range(1.0, 3.0), range(4.0, 4.0), Some(false)),
            (&Relation::Op(Op::Equal, place), range(2.0, 2.0), range(2.0, 2.0), Some(true)),
            (&Relation::Op(Op::Unequal, place), range(1.0, 3.0), range(2.0, 2.0), None),
            (&within("10%"), range(95.0, 105.0), range(100.0, 100.0), Some(true)),
            (&within("10%"), range(85.0, 105.0), range(100.0, 100.0), None),
            (&within("10%"), range(50.0, 300.0), range(100.0, 100.0), None),
            (&within("10%"), range(111.0, 300.0), range(100.0, 100.0), Some(false)),
            (&within("10%"), range(11.0, 30.0), range(100.0, 100.0), Some(false)),
        ] {
            assert_eq!(certainly(relation, &left, &right), verdict, "{relation:?} {left:?} {right:?}");
        }
    }
}
