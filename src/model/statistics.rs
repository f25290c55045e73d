//! Statistical tests against closed forms: they accept what is right with probability 0.999, and refuse what is off by
//! 5 % with the same. Both hold only with enough draws, so each test asserts that it has them.

/// Two-sided quantile of the normal distribution at α = 0.001.
const ACCEPT: f64 = 3.2905;
/// One-sided quantile for a power of 0.999.
const POWER: f64 = 3.0902;

/// An estimate that is normal around what is expected.
pub(crate) struct Powerful {
    pub(crate) expected: f64,
    /// Its standard deviation.
    pub(crate) sigma: f64,
}

impl Powerful {
    #[track_caller]
    pub(crate) fn assert(&self, measured: f64) {
        let Powerful { expected, sigma } = self;
        let seen = 0.05 * expected.abs() / sigma;
        assert!(seen >= ACCEPT + POWER, "too few draws: 5 % of {expected} are {seen:.2} σ, not {:.2}", ACCEPT + POWER);
        let off = (measured - expected) / sigma;
        assert!(off.abs() < ACCEPT, "{measured} where {expected} is expected: {off:.2} σ");
    }
}

/// Asserts the share of hits. `inflation` is how many draws are worth one independent draw; 1 where they are.
#[track_caller]
pub(crate) fn assert_share(hits: &[bool], expected: f64, inflation: f64) {
    let n = hits.len() as f64;
    let share = hits.iter().filter(|hit| **hit).count() as f64 / n;
    Powerful { expected, sigma: (expected * (1.0 - expected) * inflation / n).sqrt() }.assert(share);
}

/// Asserts that whole numbers from 1 on are geometric with this mean, by χ² at α = 0.001 and by their mean.
#[track_caller]
pub(crate) fn assert_geometric(lengths: &[u64], mean: f64) {
    let n = lengths.len() as f64;
    let measured = lengths.iter().sum::<u64>() as f64 / n;
    Powerful { expected: mean, sigma: (mean * (mean - 1.0) / n).sqrt() }.assert(measured);
    let leave = 1.0 / mean;
    let mut observed = Vec::new();
    let mut expected = Vec::new();
    let mut at_least = 1.0;
    for length in 1.. {
        let last = at_least * (1.0 - leave) * n < 20.0;
        let matches = |l: &&u64| if last { **l >= length } else { **l == length };
        observed.push(lengths.iter().filter(matches).count() as f64);
        expected.push(n * at_least * if last { 1.0 } else { leave });
        if last {
            break;
        }
        at_least *= 1.0 - leave;
    }
    assert_chi_square(&observed, &expected);
}

/// Pearson's χ² at α = 0.001; cells sum up to the same.
#[track_caller]
pub(crate) fn assert_chi_square(observed: &[f64], expected: &[f64]) {
    let chi2: f64 = observed.iter().zip(expected).map(|(o, e)| (o - e).powi(2) / e).sum();
    let freedom = (observed.len() - 1) as f64;
    // Wilson and Hilferty 1931
    let spread = 2.0 / (9.0 * freedom);
    let critical = freedom * (1.0 - spread + POWER * spread.sqrt()).powi(3);
    assert!(chi2 < critical, "χ² {chi2:.1} of {critical:.1}: {observed:?} where {expected:?} are expected");
}

/// Kolmogorov's and Smirnov's test at α = 0.001.
#[track_caller]
pub(crate) fn assert_distribution(samples: &mut [f64], cdf: impl Fn(f64) -> f64) {
    samples.sort_by(f64::total_cmp);
    let n = samples.len() as f64;
    let gap = |(i, x): (usize, &f64)| (cdf(*x) - i as f64 / n).abs().max(((i + 1) as f64 / n - cdf(*x)).abs());
    let distance = samples.iter().enumerate().map(gap).fold(0.0, f64::max) * n.sqrt();
    assert!(distance < 1.95, "√n D = {distance:.2}");
}

/// Lengths of the runs of `true`; what the ends cut off does not count.
pub(crate) fn runs(hits: &[bool]) -> Vec<u64> {
    let mut lengths = Vec::new();
    let mut length = None;
    for hit in hits {
        match (hit, &mut length) {
            (true, Some(length)) => *length += 1,
            (true, None) => {}
            (false, None) => length = Some(0),
            (false, Some(counted)) => lengths.extend(Some(std::mem::take(counted)).filter(|n| *n > 0)),
        }
    }
    lengths
}

/// Correlation of neighbours.
pub(crate) fn lag1(hits: &[bool]) -> f64 {
    let n = hits.len() as f64;
    let value = |hit: bool| f64::from(u8::from(hit));
    let mean = hits.iter().map(|hit| value(*hit)).sum::<f64>() / n;
    let product: f64 = hits.windows(2).map(|w| (value(w[0]) - mean) * (value(w[1]) - mean)).sum();
    product / (n * mean * (1.0 - mean))
}

/// √n · sup |F_n − F|: 1.95 is the critical value at α = 0.001.
pub(crate) fn kolmogorov_smirnov(samples: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut samples = samples.to_vec();
    samples.sort_by(f64::total_cmp);
    let n = samples.len() as f64;
    let gaps = samples.iter().enumerate().map(|(i, x)| {
        let f = cdf(*x);
        (f - i as f64 / n).abs().max(((i + 1) as f64 / n - f).abs())
    });
    gaps.fold(0.0, f64::max) * n.sqrt()
}
