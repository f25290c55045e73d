//! Whether groups of runs differ beyond chance: a permutation test over all measures at once.
//!
//! If both groups are of one plan, which run stands in which group is chance. So every split of all runs into groups of these
//! sizes is as likely as the one at hand, and a difference says something only if few splits have one as large (Fisher, *The
//! Design of Experiments*, 1935, §21). For many measures: Westfall and Young, *Resampling-Based Multiple Testing*, 1993, §2.3,
//! single-step: within a kind of measure by the largest statistic of a split (maxT), over the kinds by the smallest share
//! (minP). All measures of a run move together, so what depends on each other is not counted twice, as Holm's correction would.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Up to so many splits all of them are looked at.
const EXACT: u64 = 20_000;
/// Else so many that are drawn, and the one at hand (Phipson and Smyth, 2010: so no share is 0).
const DRAWN: usize = 9_999;
/// The seed of those, so that a comparison repeats itself.
const SEED: u64 = 0x6c6f_6e67_7769_7265;
/// Sums in different orders differ in their last digits.
const ROUNDING: f64 = 1e-9;

/// A measure: of which kind it is, and its value in each run, those of the first group first.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) kind: usize,
    pub(super) values: Vec<f64>,
}

/// What the test found.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    /// How many splits were looked at.
    pub(super) splits: usize,
    /// They are all that there are.
    pub(super) exact: bool,
    /// Of each measure: the share of splits with a difference as large, by itself, and as of the largest of all measures.
    pub(super) shares: Vec<Shares>,
}

/// Shares of splits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares {
    /// In which this measure differs as much.
    pub(super) alone: f64,
    /// In which any measure differs as remarkably.
    pub(super) adjusted: f64,
}

/// The smallest share that groups of these sizes can come to.
pub(super) fn smallest(first: usize, second: usize) -> f64 {
    let splits = all(first + second, first).min(DRAWN as u64 + 1);
    // of groups of one size, each split has a mirror with the same difference
    (if first == second { 2.0 } else { 1.0 }) / splits as f64
}

/// Tests all measures in groups of these sizes. No column may have equal values alone.
pub(super) fn test(columns: &[Column], [first, second]: [usize; 2]) -> Found {
    let (splits, exact) = splits(first + second, first);
    let kinds: usize = columns.iter().map(|column| column.kind + 1).max().unwrap_or(0);
    // of each kind, the largest of each split
    let mut largest = vec![vec![0.0; splits.len()]; kinds];
    let mut of_column = |column: &Column| {
        let all = explained(&column.values, &splits);
        largest[column.kind].iter_mut().zip(&all).for_each(|(most, one): (&mut f64, _)| *most = most.max(*one));
        let as_large = all.iter().filter(|one| **one >= all[0] - ROUNDING).count();
        (all[0], as_large as f64 / all.len() as f64)
    };
    let at_hand: Vec<(f64, f64)> = columns.iter().map(&mut of_column).collect();
    let sorted: Vec<Vec<f64>> = largest.iter().map(|largest| ascending(largest.clone())).collect();
    let rarest = (0..splits.len()).map(|n| {
        let share = |kind: usize| share_from(&sorted[kind], largest[kind][n] - ROUNDING);
        (0..kinds).map(share).fold(1.0, f64::min)
    });
    let rarest = ascending(rarest.collect());
    let shares = columns.iter().zip(at_hand).map(|(column, (own, alone))| {
        let in_kind = share_from(&sorted[column.kind], own - ROUNDING);
        let adjusted = rarest.partition_point(|share| *share <= in_kind + ROUNDING) as f64 / rarest.len() as f64;
        Shares { alone, adjusted }
    });
    Found { splits: splits.len(), exact, shares: shares.collect() }
}

fn ascending(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// What share of sorted values is at least this.
fn share_from(sorted: &[f64], least: f64) -> f64 {
    (sorted.len() - sorted.partition_point(|value| *value < least)) as f64 / sorted.len() as f64
}

/// How many ways there are to choose some of many; `u64::MAX` where that is more.
fn all(of: usize, some: usize) -> u64 {
    (0..some as u64).fold(1u64, |ways, n| match ways.checked_mul(of as u64 - n) {
        Some(more) => more / (n + 1),
        None => u64::MAX,
    })
}

/// Which runs stand in the first group, split by split; the one at hand first.
fn splits(runs: usize, first: usize) -> (Vec<Vec<usize>>, bool) {
    let at_hand: Vec<usize> = (0..first).collect();
    if all(runs, first) <= EXACT {
        let next = |split: &Vec<usize>| next(split, runs);
        return (std::iter::successors(Some(at_hand), next).collect(), true);
    }
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut order: Vec<usize> = (0..runs).collect();
    let mut drawn = vec![at_hand];
    drawn.extend((0..DRAWN).map(|_| order.partial_shuffle(&mut random, first).0.to_vec()));
    (drawn, false)
}

/// The next choice in the order of a dictionary.
fn next(split: &[usize], runs: usize) -> Option<Vec<usize>> {
    let room = |n: usize| runs - (split.len() - n);
    let last = (0..split.len()).rev().find(|n| split[*n] < room(*n))?;
    let (kept, moved) = split.split_at(last);
    Some(kept.iter().copied().chain((0..moved.len()).map(|n| moved[0] + 1 + n)).collect())
}

/// Which share of the values' variance each split explains: 0 to 1, and larger exactly where Student's |t| is, so that
/// measures in different units can be held against each other.
fn explained(values: &[f64], splits: &[Vec<usize>]) -> Vec<f64> {
    let (all, first) = (values.len() as f64, splits.first().map_or(0, Vec::len) as f64);
    let mean = values.iter().sum::<f64>() / all;
    let scale = values.iter().map(|value| (value - mean).abs()).fold(f64::MIN_POSITIVE, f64::max);
    let centred: Vec<f64> = values.iter().map(|value| (value - mean) / scale).collect();
    let total: f64 = centred.iter().map(|value| value * value).sum();
    let of = |split: &Vec<usize>| {
        let sum: f64 = split.iter().map(|n| centred[*n]).sum();
        // centred values sum to 0, so the other group's sum is the negative of this one's
        (sum * sum * (1.0 / first + 1.0 / (all - first)) / total).min(1.0)
    };
    splits.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use rand_distr::{Distribution as _, StandardNormal};

    use super::*;

    fn column(kind: usize, values: &[f64]) -> Column {
        Column { kind, values: values.to_vec() }
    }

    #[test]
    fn every_split_comes_once_and_the_one_at_hand_first() {
        let (splits, exact) = splits(6, 3);
        assert_eq!((splits.len(), exact, &splits[0]), (20, true, &vec![0, 1, 2]));
        let different: std::collections::BTreeSet<&Vec<usize>> = splits.iter().collect();
        assert!(different.len() == 20 && splits.iter().flatten().all(|n| *n < 6));
        assert_eq!([(10, 5), (8, 4), (20, 10), (200, 100)].map(|(n, k)| all(n, k)), [252, 70, 184_756, u64::MAX]);
        assert_eq!((smallest(5, 5), smallest(1, 5)), (2.0 / 252.0, 1.0 / 6.0));
    }

    #[test]
    fn the_share_of_splits_is_that_of_an_example_by_hand() {
        // of the 20 splits, the one at hand and its mirror part the values as far; four part them by one exchange less
        let found = test(&[column(0, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])], [3, 3]);
        assert_eq!((found.splits, found.exact), (20, true));
        assert!((found.shares[0].alone - 0.1).abs() < 1e-12 && found.shares[0].adjusted == found.shares[0].alone);
        let found = test(&[column(0, &[1.0, 2.0, 4.0, 3.0, 5.0, 6.0])], [3, 3]);
        assert!((found.shares[0].alone - 0.2).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_moves_together_counts_once_and_each_other_kind_once_more() {
        let apart = [1.0, 2.0, 3.0, 4.0, 5.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        let mixed = [3.0, 9.0, 1.0, 7.0, 5.0, 4.0, 8.0, 2.0, 6.0, 0.0];
        let doubled: Vec<f64> = apart.iter().map(|value| value * 2.0).collect();
        let adjusted = |columns: &[Column]| test(columns, [5, 5]).shares[0].adjusted;
        let least = 2.0 / 252.0;
        assert!((adjusted(&[column(0, &apart), column(0, &doubled)]) - least).abs() < 1e-12);
        assert!(
            (adjusted(&[column(0, &apart), column(0, &mixed)]) - least).abs() < 1e-12,
            "a real difference stands out"
        );
        let two = adjusted(&[column(0, &apart), column(1, &mixed)]);
        assert!((two - 2.0 * least).abs() < 1e-12, "another kind may stand out by chance: {two}");
        let moved = adjusted(&[column(0, &apart), column(1, &doubled), column(2, &apart)]);
        assert!((moved - least).abs() < 1e-12, "{moved}");
    }

    /// Of two groups of one distribution, the smallest adjusted share is at most p in a share p of comparisons.
    #[test]
    fn equal_groups_rarely_differ() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(7);
        let mut normal = || -> f64 { StandardNormal.sample(&mut random) };
        let alarms = (0..400).filter(|_| {
            let shared: Vec<f64> = (0..10).map(|_| normal()).collect();
            let mut column = |n: usize| Column {
                kind: n % 3,
                values: shared.iter().map(|shared| shared * 0.5 + normal()).collect(),
            };
            let columns: Vec<Column> = (0..12).map(&mut column).collect();
            test(&columns, [5, 5]).shares.iter().any(|shares| shares.adjusted <= 0.025)
        });
        // 2.4 % of 400 are 9.5, and the standard deviation is 3
        let alarms = alarms.count();
        assert!((1..=19).contains(&alarms), "{alarms} of 400");
    }

    #[test]
    fn many_runs_are_split_at_random_and_alike_each_time() {
        let values: Vec<f64> = (0..40).map(|n| f64::from(n / 20) + f64::from(n * 7 % 5) * 0.01).collect();
        let found = test(&[column(0, &values)], [20, 20]);
        assert_eq!((found.splits, found.exact), (DRAWN + 1, false));
        assert!(found.shares[0].adjusted <= 2.0 / 10_000.0 && found == test(&[column(0, &values)], [20, 20]));
    }
}
