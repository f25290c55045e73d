//! Whether two groups of runs differ: first in what they were asked, then in what was measured, by how much, and whether
//! that is more than chance. A pure function of their reports.
//!
//! | file | what |
//! |---|---|
//! | `plans` | what runs were asked to do, side by side |
//! | `measures` | what of a report is compared |
//! | `permutation` | groups of several runs: a test over all measures at once |
//! | `within` | one run each: intervals from what is within a run |
//! | `text` | all of it for people |
//!
//! docs/compare.md says what each number means and where its formula is from.

mod measures;
mod permutation;
mod plans;
pub mod text;
mod within;

use std::collections::BTreeMap;

use serde::Serialize;

use measures::Catalogue;
pub use measures::Kind;
use permutation::Column;
pub use plans::PlanDifference;
use within::{Around, Sample};

use crate::measured::Unit;
use crate::report::Report;
use crate::report::json::Verdict;
use crate::stats::median;
use crate::tasks::expect::Measure;

/// By default: so large a share of comparisons of equal plans finds a difference, at most. The smallest share that groups of
/// five can have for one of three kinds of measure is just below it.
pub const LEVEL: f64 = 0.025;

/// Runs of one plan.
#[derive(Clone, Debug)]
pub struct Group {
    /// The file of each report, as it was given.
    pub files: Vec<String>,
    /// The reports.
    pub reports: Vec<Report>,
}

/// Two groups of runs, compared.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The version of this form.
    pub longwire_compare: u32,
    /// The first group.
    pub a: Side,
    /// The second.
    pub b: Side,
    /// What the groups were asked to do differently.
    pub plans: Vec<PlanDifference>,
    /// The statistical test used.
    pub method: Method,
    /// In what share of comparisons of equal plans any difference is found, at most.
    pub level: f64,
    /// Whether a measurement differs beyond chance.
    pub differs: bool,
    /// All measurements, losses first.
    pub measurements: Vec<Measurement>,
    /// Notes, one sentence each.
    pub notes: Vec<String>,
}

/// One group.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The scenario's name.
    pub scenario: String,
    /// The files of its reports.
    pub files: Vec<String>,
    /// The seeds of its runs.
    pub seeds: Vec<u64>,
    /// How many runs came to which verdict.
    pub verdicts: BTreeMap<&'static str, usize>,
}

/// A statistical test.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum Method {
    /// Several runs: a permutation test.
    Permutation {
        /// Splits into two groups that were looked at.
        splits: usize,
        /// Whether every possible split was examined.
        exact: bool,
        /// The smallest share of splits that these groups can come to.
        smallest: f64,
    },
    /// One run each: intervals within the run.
    WithinRuns,
    /// Too few runs to find anything: the smallest share of splits is above the level.
    TooFew {
        /// The smallest share of splits that these groups can come to.
        smallest: f64,
    },
}

/// A measure in both groups.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    /// As expectations name it.
    pub name: String,
    /// What it is about.
    pub kind: Kind,
    /// What the numbers are in: `ns`, `bit/s`, `share`, `bytes`, `count`, `number`.
    pub unit: &'static str,
    /// In the first group.
    pub a: Values,
    /// In the second.
    pub b: Values,
    /// The second mean minus the first.
    pub difference: Option<f64>,
    /// Of one run each: the interval of the difference.
    pub interval: Option<[f64; 2]>,
    /// The share of splits in which this measure differs as much.
    pub p_alone: Option<f64>,
    /// p-value adjusted for all measures, from 0 to 1; compared with `level`.
    pub p: Option<f64>,
    /// Whether the difference is more than chance.
    pub beyond_chance: bool,
    /// Why nothing can be said about that.
    pub untested: Option<String>,
    #[serde(skip)]
    of: Unit,
}

/// A measure in the runs of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Values {
    /// Of each run; `None` where it has none.
    pub each: Vec<Option<f64>>,
    /// The arithmetic mean of those that there are.
    pub mean: Option<f64>,
    /// Their median.
    pub median: Option<f64>,
    /// From the smallest to the largest; of a single run the interval within it, where it has one.
    pub range: Option<[f64; 2]>,
}

impl Values {
    fn of(each: Vec<Option<f64>>) -> Values {
        let mut there: Vec<f64> = each.iter().copied().flatten().collect();
        there.sort_unstable_by(f64::total_cmp);
        let mean = (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64);
        let range = (there.len() > 1).then(|| [there[0], there[there.len() - 1]]);
        Values { each, mean, median: median(&there), range }
    }

    /// How many runs have none.
    fn missing(&self) -> usize {
        self.each.iter().filter(|value| value.is_none()).count()
    }
}

/// Compares two groups. `level`: in what share of comparisons of equal plans a difference may be found.
///
/// # Errors
/// Why they cannot be compared: a run that was not carried out, runs of several plans or with one seed in a group.
pub fn compare(a: &Group, b: &Group, level: f64) -> Result<Comparison, Vec<String>> {
    let wrong: Vec<String> = [a, b].into_iter().flat_map(wrong_with).collect();
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let both = [a, b].map(|group| group.reports.iter().collect::<Vec<_>>());
    let catalogue = Catalogue::of(both.iter().flatten().copied());
    let mut measurements = measured(&catalogue, &both);
    let sizes = both.each_ref().map(Vec::len);
    let smallest = permutation::smallest(sizes[0], sizes[1]);
    let method = match sizes {
        [1, 1] => {
            within_runs(&mut measurements, &catalogue, [&a.reports[0], &b.reports[0]], level);
            Method::WithinRuns
        }
        _ if smallest > level => {
            measurements.iter_mut().for_each(|one| one.untested = Some("there are too few runs".into()));
            Method::TooFew { smallest }
        }
        sizes => {
            let (splits, exact) = permuted(&mut measurements, sizes, level);
            Method::Permutation { splits, exact, smallest }
        }
    };
    // a stable sort: within a kind as reports have them
    measurements.sort_by_key(|one| one.kind as u8);
    Ok(Comparison {
        longwire_compare: 1,
        a: side(a),
        b: side(b),
        plans: plans::differences(&both[0], &both[1]),
        method,
        level,
        differs: measurements.iter().any(|one| one.beyond_chance),
        measurements,
        notes: [("A", a), ("B", b)].into_iter().filter_map(|(name, group)| invalid(name, group)).collect(),
    })
}

fn wrong_with(group: &Group) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut seeds: BTreeMap<u64, &str> = BTreeMap::new();
    for (report, file) in group.reports.iter().zip(&group.files) {
        if matches!(report.verdict, Verdict::Error | Verdict::Interrupted) {
            let word = report.verdict.word();
            wrong.push(format!(
                "{file}: expected a run that was carried out, found {word}; run it again, or leave it out"
            ));
        }
        if let Some(other) = seeds.insert(report.seed, file) {
            wrong.push(format!(
                "{file}: expected a seed of its own, found seed {} as in {other}: two runs with one seed have the same draws; \
                 `longwire test --repeat N` takes N seeds",
                report.seed
            ));
        }
    }
    if let Some((what, runs)) = plans::mixed(&group.reports.iter().collect::<Vec<_>>()) {
        let [one, other] = runs.map(|n| &group.files[n]);
        wrong.push(format!(
            "{one}, {other}: expected runs of one plan on a side, found {what}; name the runs of one plan"
        ));
    }
    wrong
}

fn side(group: &Group) -> Side {
    let mut verdicts = BTreeMap::new();
    group.reports.iter().for_each(|report| *verdicts.entry(report.verdict.word()).or_default() += 1);
    Side {
        scenario: group.reports.first().map(|report| report.scenario.clone()).unwrap_or_default(),
        files: group.files.clone(),
        seeds: group.reports.iter().map(|report| report.seed).collect(),
        verdicts,
    }
}

fn invalid(name: &str, group: &Group) -> Option<String> {
    let late = group.reports.iter().filter(|report| report.verdict == Verdict::Invalid).count();
    let of = group.reports.len();
    (late > 0)
        .then(|| format!("{late} of {of} runs of {name} are INVALID: the machine's own lateness is in their numbers."))
}

/// All measures with their values, and nothing said about chance.
fn measured(catalogue: &Catalogue, both: &[Vec<&Report>; 2]) -> Vec<Measurement> {
    let [a, b] = both.each_ref().map(|group| group.iter().map(|report| catalogue.values(report)).collect::<Vec<_>>());
    let column = |runs: &[Vec<Option<f64>>], n: usize| Values::of(runs.iter().map(|values| values[n]).collect());
    let one = |(n, (name, (kind, measure))): (usize, (&String, &(Kind, Measure)))| {
        let (a, b) = (column(&a, n), column(&b, n));
        Measurement {
            name: name.clone(),
            kind: *kind,
            unit: measure.unit.name(),
            difference: a.mean.zip(b.mean).map(|(a, b)| b - a),
            a,
            b,
            interval: None,
            p_alone: None,
            p: None,
            beyond_chance: false,
            untested: None,
            of: measure.unit,
        }
    };
    let all = catalogue.0.iter().enumerate().map(one);
    // what no run has is nothing to compare
    all.filter(|one| one.a.mean.is_some() || one.b.mean.is_some()).collect()
}

/// Tests several runs; how many splits, and whether they are all.
fn permuted(measurements: &mut [Measurement], sizes: [usize; 2], level: f64) -> (usize, bool) {
    let mut tested = Vec::new();
    for (n, one) in measurements.iter_mut().enumerate() {
        let missing = [("A", &one.a), ("B", &one.b)].into_iter().find(|(_, values)| values.missing() > 0);
        if let Some((name, values)) = missing {
            one.untested = Some(format!("{} of {} runs of {name} have none", values.missing(), values.each.len()));
            continue;
        }
        let values: Vec<f64> = one.a.each.iter().chain(&one.b.each).copied().flatten().collect();
        if values.iter().all(|value| *value == values[0]) {
            one.untested = Some("it is the same in all runs".into());
            continue;
        }
        tested.push((n, Column { kind: one.kind as usize, values }));
    }
    let columns: Vec<Column> = tested.iter().map(|(_, column)| column.clone()).collect();
    let found = permutation::test(&columns, sizes);
    for ((n, _), shares) in tested.iter().zip(&found.shares) {
        let one = &mut measurements[*n];
        (one.p_alone, one.p) = (Some(shares.alone), Some(shares.adjusted));
        one.beyond_chance = shares.adjusted <= level;
    }
    (found.splits, found.exact)
}

/// Intervals within one run each, all of them right together in a share 1 − `level` of comparisons (Bonferroni).
fn within_runs(measurements: &mut [Measurement], catalogue: &Catalogue, reports: [&Report; 2], level: f64) {
    let samples: Vec<Option<[Sample; 2]>> = measurements
        .iter()
        .map(|one| {
            let (_, measure) = catalogue.0.get(&one.name)?;
            let [a, b] = reports.map(|report| Sample::of(measure, report));
            Some([a?, b?])
        })
        .collect();
    let tested = samples.iter().flatten().count().max(1);
    let confidence = 1.0 - level / tested as f64;
    for (one, samples) in measurements.iter_mut().zip(samples) {
        let (Some([a, b]), Some(first), Some(second)) = (samples, one.a.mean, one.b.mean) else {
            one.untested = Some("one run does not tell how it varies".into());
            continue;
        };
        let (a, b) = (a.around(confidence), b.around(confidence));
        (one.a.range, one.b.range) = (Some(a.interval(first)), Some(b.interval(second)));
        let [low, high] = Around::of_difference(a, b).interval(second - first);
        one.interval = Some([low, high]);
        one.beyond_chance = low > 0.0 || high < 0.0;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::report::testing;

    /// A run whose round trips are around so many milliseconds.
    pub(crate) fn rtt(seed: u64, mean_ms: f64) -> Report {
        let mut report = testing::report();
        report.seed = seed;
        // spread by a step that has no pattern in common with seeds
        let ns = |n: u64| ((mean_ms + ((n * 7_919 + seed * 104_729) % 997) as f64 / 500.0) * 1e6) as u64;
        let samples: Vec<[u64; 2]> = (0..200).map(|n| [n * 50_000_000, ns(n)]).collect();
        let mut sorted: Vec<u64> = samples.iter().map(|one| one[1]).collect();
        sorted.sort_unstable();
        let part = |share: f64| sorted[(share * 199.0) as usize];
        let mean = sorted.iter().sum::<u64>() / 200;
        let times = testing::times([part(0.0), part(0.5), part(0.9), part(0.99), part(0.999), part(1.0), mean]);
        let lost = seed * 37 % 5;
        let work = serde_json::json!({
            "sent": 200 + lost, "received": 200, "lost": lost, "samples": samples, "rtt_ns": times, "began_ns": 0,
        });
        report.workloads.insert("rtt".into(), testing::work("ping", "phone → server", work));
        report
    }

    /// Runs with these seeds.
    pub(crate) fn group(seeds: &[u64], run: impl Fn(u64) -> Report) -> Group {
        let files = seeds.iter().map(|seed| format!("run-{seed}/report.json")).collect();
        Group { files, reports: seeds.iter().map(|seed| run(*seed)).collect() }
    }

    fn found(comparison: &Comparison) -> Vec<&str> {
        comparison.measurements.iter().filter(|one| one.beyond_chance).map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn what_differs_is_found_and_nothing_else() {
        let a = group(&[1, 2, 3, 4, 5], |seed| rtt(seed, 40.0));
        let b = group(&[6, 7, 8, 9, 10], |seed| rtt(seed, 40.0));
        let same = compare(&a, &b, LEVEL).unwrap();
        assert!(!same.differs && same.plans.is_empty(), "{:?}", found(&same));
        assert_eq!(same.method, Method::Permutation { splits: 252, exact: true, smallest: 2.0 / 252.0 });
        let slower = group(&[6, 7, 8, 9, 10], |seed| rtt(seed, 44.0));
        let other = compare(&a, &slower, LEVEL).unwrap();
        assert!(other.differs && found(&other).contains(&"rtt.p50"), "{:?}", found(&other));
        assert!(found(&other).iter().all(|name| name.starts_with("rtt.")), "{:?}", found(&other));
        let p50 = other.measurements.iter().find(|one| one.name == "rtt.p50").unwrap();
        assert!((p50.difference.unwrap() - 4e6).abs() < 1e5 && p50.unit == "ns");
    }

    #[test]
    fn constant_and_missing_numbers_are_not_tested_and_say_why() {
        let a = group(&[1, 2, 3, 4, 5], |seed| rtt(seed, 40.0));
        let mut b = group(&[6, 7, 8, 9, 10], |seed| rtt(seed, 40.0));
        b.reports[0].workloads.insert("rtt".into(), testing::work("ping", "phone → server", serde_json::json!({})));
        let comparison = compare(&a, &b, LEVEL).unwrap();
        let why = |name: &str| {
            let one = comparison.measurements.iter().find(|one| one.name == name).unwrap();
            (one.p, one.untested.clone().unwrap_or_default())
        };
        assert_eq!(why("rtt.p50"), (None, "1 of 5 runs of B have none".into()));
        assert_eq!(why("wifi.toward.home.loss"), (None, "it is the same in all runs".into()));
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let a = group(&[1, 2], |seed| rtt(seed, 40.0));
        let mut b = group(&[3, 3], |seed| rtt(seed, 40.0));
        b.reports[1].params.insert("loss".into(), "9%".into());
        b.reports[0].verdict = Verdict::Interrupted;
        let wrong = compare(&a, &b, LEVEL).unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong:#?}");
        for (told, words) in
            wrong.iter().zip(["found INTERRUPTED", "found seed 3 as in run-3", "`parameter loss`: 5% and 9%"])
        {
            assert!(told.contains(words), "{told}");
        }
    }

    #[test]
    fn one_run_a_side_has_intervals() {
        let (a, b) = (group(&[1], |seed| rtt(seed, 40.0)), group(&[2], |seed| rtt(seed, 44.0)));
        let comparison = compare(&a, &b, LEVEL).unwrap();
        let p50 = comparison.measurements.iter().find(|one| one.name == "rtt.p50").unwrap();
        let [low, high] = p50.interval.unwrap();
        assert!(p50.beyond_chance && low > 2e6 && high < 6e6, "{low} {high}");
        let same = compare(&a, &group(&[2], |seed| rtt(seed, 40.0)), LEVEL).unwrap();
        assert!(!same.differs, "{:?}", found(&same));
    }
}
