//! How far delays stray from their mean: a distribution with its parameters worked out, ready to draw from.
//!
//! Each law draws in two ways: by itself from a frame's generator, and as its quantile at a standard normal, as correlated
//! draws need it. Strays are whole nanoseconds, rounded to the nearest. What is computed here beyond rand_distr's samplers comes
//! from `libm`, so that every machine draws the same.

use std::sync::Arc;

use rand_distr::{Distribution as _, Exp1, StandardNormal};
use rand_xoshiro::rand_core::Rng;

use super::distribution::Distribution;
use super::gamma::{self, Quantiles};
use super::samples::Samples;
use super::spec::DelaySpec;
use super::table::{self, DistTable};
use super::weibull;
use crate::rng::FrameRng;
use crate::stats::normal;
use crate::units::Duration;

/// What a delay adds to its mean.
#[derive(Clone, Debug)]
pub(super) enum Law {
    /// On −half … +half.
    Uniform { half: Duration },
    /// With this σ.
    Normal { sigma: Duration },
    /// −σ + σ E, with E exponential of mean 1: it has mean 0 and standard deviation σ.
    Exponential { low: i128, sigma: f64 },
    /// low + x_m (e^(E/α) − 1): e^(E/α) has P(X > x) = x^(−α). With x_m = σ (α − 1) √((α − 2)/α) and
    /// low = −x_m / (α − 1) its mean is 0 and its standard deviation σ.
    Pareto { low: i128, least: f64, inverse_shape: f64 },
    /// low + e^(μ + s Z).
    Lognormal { low: i128, mu: f64, s: f64 },
    /// low + scale · G.
    Gamma { low: i128, shape: f64, scale: f64, law: rand_distr::Gamma<f64>, quantiles: Option<Quantiles> },
    /// low + λ E^(1/k).
    Weibull { low: i128, ln_scale: f64, inverse_shape: f64 },
    /// An entry of a table, scaled by jitter.
    Table { jitter: Duration, table: Arc<DistTable> },
    /// One of these, above a mean of 0.
    Samples(Arc<Samples>),
}

impl Law {
    /// The law of a delay; `None` if it is always the mean. With `correlated` it is ready for many draws by [`Law::at`].
    pub(super) fn new(spec: &DelaySpec, correlated: bool) -> Option<Law> {
        if let Some(file) = &spec.samples {
            let samples = file.table().expect("the files of a scenario are read before its plan is made");
            return Some(Law::Samples(samples.clone()));
        }
        let jitter = spec.jitter;
        let sigma = jitter.as_nanos() as f64;
        if jitter == Duration::ZERO {
            return None;
        }
        let table = |table: &Arc<DistTable>| Law::Table { jitter, table: table.clone() };
        Some(match &spec.distribution {
            Distribution::Uniform => Law::Uniform { half: jitter },
            Distribution::Normal => Law::Normal { sigma: jitter },
            Distribution::Exponential => Law::Exponential { low: -i128::from(jitter.as_nanos()), sigma },
            Distribution::Pareto(pareto) => {
                let shape = pareto.shape.as_f64();
                let low = sigma * libm::sqrt((shape - 2.0) / shape);
                Law::Pareto { low: -whole(low), least: low * (shape - 1.0), inverse_shape: 1.0 / shape }
            }
            Distribution::Lognormal(above) => {
                let (low, span, variation) = above_min(spec, above.min);
                // the mean of e^(μ + s Z) is e^(μ + s²/2), its variance (e^(s²) − 1) times the mean's square
                let square = libm::log1p(variation * variation);
                Law::Lognormal { low, mu: libm::log(span) - 0.5 * square, s: libm::sqrt(square) }
            }
            Distribution::Gamma(above) => {
                let (low, span, variation) = above_min(spec, above.min);
                // mean k θ, variance k θ²
                let (shape, scale) = (1.0 / (variation * variation), span * variation * variation);
                let law = rand_distr::Gamma::new(shape, scale).expect("shape and scale are above 0");
                Law::Gamma { low, shape, scale, law, quantiles: correlated.then(|| Quantiles::new(shape)) }
            }
            Distribution::Weibull(above) => {
                let (low, span, variation) = above_min(spec, above.min);
                let inverse_shape = weibull::inverse_shape(variation);
                Law::Weibull { low, ln_scale: libm::log(span) - libm::lgamma(1.0 + inverse_shape), inverse_shape }
            }
            Distribution::NetemNormal => table(&table::NORMAL),
            Distribution::NetemPareto => table(&table::PARETO),
            Distribution::NetemParetonormal => table(&table::PARETONORMAL),
            Distribution::Table(file) => {
                table(file.table().expect("the files of a scenario are read before its plan is made"))
            }
        })
    }

    /// The stray of the frame whose generator this is, by itself.
    pub(super) fn draw(&self, mut rng: FrameRng) -> i128 {
        match self {
            Law::Uniform { half } => uniform(&mut rng, *half),
            Law::Normal { sigma } => normal(StandardNormal.sample(&mut rng), *sigma),
            Law::Lognormal { low, mu, s } => lognormal(*low, *mu, *s, StandardNormal.sample(&mut rng)),
            Law::Exponential { .. } | Law::Pareto { .. } | Law::Weibull { .. } => {
                self.at_exponential(Exp1.sample(&mut rng))
            }
            Law::Gamma { low, law, .. } => low + whole(law.sample(&mut rng)),
            Law::Table { jitter, table } => table::scaled(table.pick(rng.next_u64()), *jitter),
            Law::Samples(samples) => i128::from(samples.pick(rng.next_u64()).as_nanos()),
        }
    }

    /// The stray at the quantile of a standard normal z: of a standard normal z it has the law's distribution.
    pub(super) fn at(&self, z: f64) -> i128 {
        match self {
            Law::Uniform { half } => {
                let width = 2.0 * half.as_nanos() as f64 + 1.0;
                let half = i128::from(half.as_nanos());
                ((normal::cdf(z) * width) as i128).min(2 * half) - half
            }
            Law::Normal { sigma } => normal(z, *sigma),
            Law::Lognormal { low, mu, s } => lognormal(*low, *mu, *s, z),
            // −ln(1 − Φ(z)), and 1 − Φ(z) = Φ(−z) to all digits
            Law::Exponential { .. } | Law::Pareto { .. } | Law::Weibull { .. } => {
                self.at_exponential(-libm::log(normal::cdf(-z)))
            }
            Law::Gamma { low, shape, scale, quantiles, .. } => {
                let x = quantiles.as_ref().map_or_else(|| gamma::quantile(*shape, z), |quantiles| quantiles.at(z));
                low + whole(scale * x)
            }
            Law::Table { jitter, table } => table::scaled(table.at(normal::cdf(z)), *jitter),
            Law::Samples(samples) => i128::from(samples.at(normal::cdf(z)).as_nanos()),
        }
    }

    /// The stray of laws that come from an exponential variate, at that variate.
    fn at_exponential(&self, e: f64) -> i128 {
        match self {
            Law::Exponential { low, sigma } => low + whole(sigma * e),
            Law::Pareto { low, least, inverse_shape } => low + whole(least * libm::expm1(e * inverse_shape)),
            Law::Weibull { low, ln_scale, inverse_shape } => {
                low + whole(libm::exp(ln_scale + inverse_shape * libm::log(e)))
            }
            _ => unreachable!("no other law comes from an exponential variate"),
        }
    }

    /// The lowest stray that can be drawn; `None` if there is none.
    pub(super) fn lowest(&self) -> Option<i128> {
        match self {
            Law::Uniform { half } => Some(-i128::from(half.as_nanos())),
            Law::Normal { .. } => None,
            Law::Exponential { low, .. }
            | Law::Pareto { low, .. }
            | Law::Lognormal { low, .. }
            | Law::Gamma { low, .. }
            | Law::Weibull { low, .. } => Some(*low),
            Law::Table { jitter, table } => Some(table::scaled(table.least(), *jitter)),
            Law::Samples(samples) => Some(i128::from(samples.least().as_nanos())),
        }
    }
}

/// Of a law that begins at `min`: its lowest stray, what the mean is above `min`, and σ in units of that.
fn above_min(spec: &DelaySpec, min: Duration) -> (i128, f64, f64) {
    let span = spec.mean.saturating_sub(min).as_nanos().max(1);
    let variation = spec.jitter.as_nanos() as f64 / span as f64;
    // a scenario's spec is checked to be in this range
    (-i128::from(span), span as f64, variation.clamp(DelaySpec::LEAST_VARIATION, DelaySpec::MOST_VARIATION))
}

/// Whole nanoseconds, the nearest. Laws with long tails stay far below the limits of the type.
fn whole(nanos: f64) -> i128 {
    nanos.min(1e30).round() as i128
}

pub(super) fn normal(z: f64, sigma: Duration) -> i128 {
    (z * sigma.as_nanos() as f64).round() as i128
}

fn lognormal(low: i128, mu: f64, s: f64, z: f64) -> i128 {
    low + whole(libm::exp(mu + s * z))
}

/// Uniform on the integers −half … +half: one 64-bit draw scaled by multiplication. The bias is below (2·half + 1) / 2⁶⁴.
pub(super) fn uniform(rng: &mut FrameRng, half: Duration) -> i128 {
    // 292 years are enough, and keep the product below 2^128
    let half = u128::from(half.as_nanos().min(u64::MAX / 2));
    let width = 2 * half + 1;
    ((u128::from(rng.next_u64()) * width) >> 64) as i128 - half as i128
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    /// The closed forms are held in `delay::tests`.
    #[test]
    fn quantiles_ascend_from_the_lowest_stray() {
        for distribution in [
            json!("uniform"),
            json!("exponential"),
            json!({"pareto": {"shape": 2.1}}),
            json!({"lognormal": {"min": "19ms"}}),
            json!({"gamma": {"min": "19.5ms"}}), // a shape of a quarter
            json!({"weibull": {"min": "19.9ms"}}),
            json!("netem-normal"),
            json!("netem-pareto"),
            json!("netem-paretonormal"),
        ] {
            let map = json!({"mean": "20ms", "jitter": "1ms", "distribution": distribution});
            let law = Law::new(&from_json(map).unwrap(), false).unwrap();
            let lowest = law.lowest().unwrap();
            assert!((law.at(-38.0) - lowest).abs() <= 1, "{distribution}");
            let strays: Vec<i128> = (-80..=80).map(|n| law.at(f64::from(n) / 10.0)).collect();
            assert!(strays.is_sorted() && strays[0] >= lowest, "{distribution}");
            assert!(strays[160] > strays[80] && strays[80] > strays[0], "{distribution}");
        }
    }

    #[test]
    fn the_median_of_a_normal_draw_is_the_median_of_each_law() {
        let at_zero = |distribution| {
            let map = json!({"mean": "20ms", "jitter": "5ms", "distribution": distribution});
            Law::new(&from_json(map).unwrap(), false).unwrap().at(0.0)
        };
        assert_eq!((at_zero(json!("uniform")), at_zero(json!("normal"))), (0, 0));
        // −σ + σ ln 2, and −x/2 + x (2^(1/3) − 1) with x = 2σ/√3
        assert_eq!(at_zero(json!("exponential")), -1_534_264);
        assert_eq!(at_zero(json!("pareto")), -1_386_096);
        // 20 ms / √(1 + 1/16)
        assert_eq!(at_zero(json!("lognormal")), -597_150);
    }
}
