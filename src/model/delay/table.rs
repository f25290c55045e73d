//! netem's tables of inverse distribution functions: from `.dist` files, and computed.
//!
//! A table holds the stray in units of σ / 8192 at equally likely quantiles; netem picks an entry and scales it by jitter
//! (`tabledist` in the kernel's net/sched/sch_netem.c, `get_distribution` in iproute2's tc/q_netem.c).

use std::sync::{Arc, LazyLock};

use crate::model::table::{BadTable, Table, TableSpec};
use crate::stats::normal;
use crate::units::Duration;

/// Entries of a table in units of σ: NETEM_DIST_SCALE.
const SCALE: i128 = 8192;

/// A table of netem's: strays in units of jitter / 8192, in ascending order; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistTable(Box<[i16]>);

impl DistTable {
    fn new(mut entries: Vec<i16>) -> DistTable {
        // the order of entries says nothing where one is picked at random; a quantile function ascends
        entries.sort_unstable();
        DistTable(entries.into())
    }

    /// In ascending order.
    pub fn sorted(&self) -> &[i16] {
        &self.0
    }

    /// The entry that a uniformly drawn word picks.
    pub(super) fn pick(&self, word: u64) -> i16 {
        self.0[((u128::from(word) * self.0.len() as u128) >> 64) as usize]
    }

    /// The entry at a share from 0 to 1 of all.
    pub(super) fn at(&self, share: f64) -> i16 {
        self.0[((share * self.0.len() as f64) as usize).min(self.0.len() - 1)]
    }

    /// The smallest entry.
    pub(super) fn least(&self) -> i16 {
        self.0[0]
    }
}

/// An entry in nanoseconds: jitter · entry / 8192, rounded to the nearest, halves away from zero, as netem does.
pub(super) fn scaled(entry: i16, jitter: Duration) -> i128 {
    let product = i128::from(entry) * i128::from(jitter.as_nanos());
    (product + product.signum() * (SCALE / 2)) / SCALE
}

impl Table for DistTable {
    /// The text of a `.dist` file: whole numbers from −32768 to 32767, lines that begin with `#` are comments.
    fn parse(text: &str, _: &TableSpec) -> Result<DistTable, BadTable> {
        let mut entries = Vec::new();
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
            for word in line.split_whitespace() {
                let entry = word.parse().map_err(|_| {
                    let message = format!("`{word}` is not an entry of netem's: a whole number from -32768 to 32767");
                    BadTable::line(n + 1, message)
                })?;
                entries.push(entry);
            }
        }
        if entries.is_empty() {
            return Err(BadTable::whole("it holds no entry: whole numbers, in units of jitter / 8192"));
        }
        Ok(DistTable::new(entries))
    }
}

/// The table that netem calls `normal`.
pub(super) static NORMAL: LazyLock<Arc<DistTable>> =
    LazyLock::new(|| Arc::new(DistTable::new(normal_entries().map(clamped).collect())));

/// The table that netem calls `pareto`: shape 3, moved to have its mean at 0, and cut off at 4 jitters.
pub(super) static PARETO: LazyLock<Arc<DistTable>> =
    LazyLock::new(|| Arc::new(DistTable::new(pareto_entries().map(clamped).collect())));

/// The table that netem calls `paretonormal`: a quarter of the normal entry and three quarters of the pareto one.
pub(super) static PARETONORMAL: LazyLock<Arc<DistTable>> = LazyLock::new(|| {
    let pareto = pareto_entries().map(|entry| entry.min(i32::from(i16::MAX)));
    let both = normal_entries().zip(pareto).map(|(normal, pareto)| (normal + 3 * pareto) / 4);
    Arc::new(DistTable::new(both.map(clamped).collect()))
});

fn clamped(entry: i32) -> i16 {
    entry.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// Every fourth of 16,384 quantiles: the generator walks up a grid of 0.00005 σ, and keeps for each i the last point whose
/// share rounds to i / 16384.
fn normal_entries() -> impl Iterator<Item = i32> {
    const GRID: f64 = 20_000.0;
    (0..4096).map(|n| {
        let z = normal::quantile((f64::from(4 * n) + 0.5) / 16384.0);
        (libm::floor(z * GRID) / GRID * SCALE as f64).round() as i32
    })
}

/// x = 4/3 · (p^(−1/3) − 3/2) at p = 1, 4095/4096, … 1/4096: 3/2 is the mean of a Pareto distribution of shape 3.
fn pareto_entries() -> impl Iterator<Item = i32> {
    (1..=4096).rev().map(|n| {
        let p = f64::from(n) / 4096.0;
        (4.0 / 3.0 * (1.0 / libm::cbrt(p) - 1.5) * SCALE as f64).round() as i32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delay::tests::iproute2_table;

    #[test]
    fn an_entry_is_scaled_as_netem_does() {
        let jitter = Duration::from_nanos;
        assert_eq!(scaled(8192, jitter(1)), 1);
        assert_eq!((scaled(4096, jitter(1)), scaled(-4096, jitter(1))), (1, -1)); // halves away from zero
        assert_eq!((scaled(4095, jitter(1)), scaled(-4095, jitter(1))), (0, 0));
        assert_eq!(scaled(-32768, Duration::MAX), -4 * i128::from(u64::MAX));
        assert_eq!(scaled(5, jitter(10_000_001)), 6104); // 6103.516…
    }

    #[test]
    fn files_are_read_as_tc_reads_them() {
        let table = DistTable::plain("# a comment\n 3 -1\n\n2\t7\n").unwrap();
        assert_eq!(table.sorted(), [-1, 2, 3, 7]);
        assert_eq!((table.least(), table.pick(0), table.pick(u64::MAX)), (-1, -1, 7));
        assert_eq!((table.at(0.0), table.at(0.5), table.at(1.0)), (-1, 3, 7));
        assert_eq!(DistTable::plain("1 2\n3 1.5").unwrap_err().line, 2);
        assert!(DistTable::plain("40000").unwrap_err().to_string().contains("-32768 to 32767"));
        assert!(DistTable::plain("# none\n").unwrap_err().to_string().contains("no entry"));
    }

    #[test]
    fn computed_tables_are_those_of_iproute2() {
        for (name, computed) in [("normal", &NORMAL), ("pareto", &PARETO), ("paretonormal", &PARETONORMAL)] {
            let Some(text) = iproute2_table(name) else { continue };
            let theirs = DistTable::plain(&text).unwrap();
            assert_eq!(computed.sorted().len(), theirs.sorted().len(), "{name}");
            let off = |(a, b): (&i16, &i16)| (i32::from(*a) - i32::from(*b)).abs();
            let all: Vec<i32> = computed.sorted().iter().zip(theirs.sorted()).map(off).collect();
            let differ = all.iter().filter(|off| **off > 0).count();
            // a unit is 1/8192 of jitter; their sums of 0.00005 gather rounding errors
            assert!(all.iter().all(|off| *off <= 1), "{name}: off by up to {:?}", all.iter().max());
            assert!(differ < 100, "{name}: {differ} of 4096 entries differ");
            println!("{name}: {differ} of 4096 entries differ by one unit");
        }
    }

    #[test]
    fn computed_tables_have_the_moments_of_their_formulas() {
        let moments = |table: &DistTable| {
            let n = table.sorted().len() as f64;
            let mean = table.sorted().iter().map(|e| f64::from(*e)).sum::<f64>() / n;
            let square = table.sorted().iter().map(|e| (f64::from(*e) - mean).powi(2)).sum::<f64>() / n;
            (mean / 8192.0, square.sqrt() / 8192.0)
        };
        let (mean, sigma) = moments(&NORMAL);
        assert!(mean.abs() < 0.002 && (sigma - 1.0).abs() < 0.002, "{mean} {sigma}");
        // cut off at 4: the tail of a Pareto distribution is missing
        let (mean, sigma) = moments(&PARETO);
        assert!((-0.05..0.0).contains(&mean) && (0.75..0.95).contains(&sigma), "{mean} {sigma}");
        let (mean, sigma) = moments(&PARETONORMAL);
        assert!((-0.05..0.0).contains(&mean) && (0.7..1.0).contains(&sigma), "{mean} {sigma}");
    }
}
