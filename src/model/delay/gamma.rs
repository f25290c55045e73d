//! The gamma distribution's quantiles at a standard normal's, as a copula needs them; a table, because each takes a search.
//!
//! Sources: incomplete gamma functions by the series and the continued fraction of DLMF 8.11.4 and 8.9.2; above a shape of
//! 1,000 the expansion of Abramowitz and Stegun 26.4.11.

use crate::stats::normal;

/// Knots of the table: z = −SPAN … SPAN, STEPS to a unit. A normal draw beyond 8.5 happens once in 10¹⁷.
const SPAN: f64 = 8.5;
const STEPS: usize = 32;
/// From here on four terms of the expansion are closer than 10⁻⁶ σ within 4 σ.
const LARGE: f64 = 1000.0;

/// x(z) with P(shape, x) = Φ(z): the gamma distribution of scale 1 at the quantile of a standard normal z.
///
/// Between its knots the table is a cubic of ln x with the exact slopes: its probability is off by less than 10⁻⁷.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Quantiles {
    /// ln x and its slope at each knot.
    Table(Box<[(f64, f64)]>),
    /// A shape above [`LARGE`].
    Expansion(f64),
}

impl Quantiles {
    /// Those of a shape above 0.
    pub(super) fn new(shape: f64) -> Quantiles {
        if shape > LARGE {
            return Quantiles::Expansion(shape);
        }
        let knots = 2 * (SPAN * STEPS as f64) as usize;
        let mut y = left_of(shape, -SPAN);
        let knot = |n| {
            let z = n as f64 / STEPS as f64 - SPAN;
            y = solve(shape, z, y);
            (y, normal::density(z) / per_log(shape, y))
        };
        Quantiles::Table((0..=knots).map(knot).collect())
    }

    /// x(z), 0 or more.
    pub(super) fn at(&self, z: f64) -> f64 {
        match self {
            Quantiles::Table(knots) => libm::exp(interpolate(knots, z)),
            Quantiles::Expansion(k) => expansion(*k, z).max(0.0),
        }
    }
}

/// x(z) for once, without a table.
pub(super) fn quantile(shape: f64, z: f64) -> f64 {
    if shape > LARGE {
        return expansion(shape, z).max(0.0);
    }
    let mut y = solve(shape, z.min(0.0), left_of(shape, z.min(0.0)));
    // above the median in small steps: from too far below, the tangent of the upper tail leads out of all bounds
    let steps = (z.max(0.0) * 8.0).ceil() as usize;
    for n in 1..=steps {
        y = solve(shape, z * n as f64 / steps as f64, y);
    }
    libm::exp(y)
}

/// Below ln x(z), because P(k, x) ≤ x^k / Γ(k + 1): from there Newton's steps go one way.
fn left_of(shape: f64, z: f64) -> f64 {
    (libm::log(normal::cdf(z)) + libm::lgamma(shape + 1.0)) / shape
}

fn interpolate(knots: &[(f64, f64)], z: f64) -> f64 {
    let at = (z.clamp(-SPAN, SPAN) + SPAN) * STEPS as f64;
    let n = (at as usize).min(knots.len() - 2);
    let (t, h) = (at - n as f64, 1.0 / STEPS as f64);
    let ((y0, m0), (y1, m1)) = (knots[n], knots[n + 1]);
    // Hermite's basis
    let (t2, t3) = (t * t, t * t * t);
    y0 * (2.0 * t3 - 3.0 * t2 + 1.0) + h * m0 * (t3 - 2.0 * t2 + t) + y1 * (3.0 * t2 - 2.0 * t3) + h * m1 * (t3 - t2)
}

fn expansion(k: f64, z: f64) -> f64 {
    let (z2, root) = (z * z, libm::sqrt(k));
    k + root * z + (z2 - 1.0) / 3.0 + (z2 - 7.0) * z / (36.0 * root) - (6.0 * z2 * z2 + 14.0 * z2 - 32.0) / (1620.0 * k)
}

/// The density of ln x at y = ln x.
fn per_log(shape: f64, y: f64) -> f64 {
    libm::exp(shape * y - libm::exp(y) - libm::lgamma(shape))
}

/// ln x at z, by Newton's steps from `y` on the logarithm of the smaller tail, which is concave in ln x.
fn solve(shape: f64, z: f64, mut y: f64) -> f64 {
    for _ in 0..200 {
        let tails = Tails::new(shape, y);
        let step = if z <= 0.0 {
            (tails.ln_lower - libm::log(normal::cdf(z))) * libm::exp(tails.ln_lower) / per_log(shape, y)
        } else {
            (libm::log(normal::cdf(-z)) - tails.ln_upper) * libm::exp(tails.ln_upper) / per_log(shape, y)
        };
        y -= step;
        if step.abs() < 1e-13 * y.abs().max(1.0) {
            break;
        }
    }
    y
}

/// ln P(shape, x) and ln Q(shape, x), the shares below and above x.
pub(super) struct Tails {
    pub(super) ln_lower: f64,
    ln_upper: f64,
}

impl Tails {
    /// At y = ln x. By its logarithm, because the x of a small shape underflows.
    pub(super) fn new(shape: f64, y: f64) -> Tails {
        let x = libm::exp(y);
        let ln_front = shape * y - x - libm::lgamma(shape);
        if x < shape + 1.0 {
            let ln_lower = ln_front + libm::log(series(shape, x));
            return Tails { ln_lower, ln_upper: libm::log1p(-libm::exp(ln_lower)) };
        }
        let ln_upper = ln_front + libm::log(fraction(shape, x));
        Tails { ln_lower: libm::log1p(-libm::exp(ln_upper)), ln_upper }
    }
}

/// Σ xⁿ / (k (k + 1) … (k + n)), for x < k + 1.
fn series(k: f64, x: f64) -> f64 {
    let mut term = 1.0 / k;
    let mut sum = term;
    let mut n = k;
    while term > sum * 1e-17 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    sum
}

/// 1 / (x + 1 − k − 1 (1 − k) / (x + 3 − k − 2 (2 − k) / …)), for x ≥ k + 1, by Lentz' method.
fn fraction(k: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - k;
    let mut c = f64::MAX;
    let mut d = 1.0 / b;
    let mut h = d;
    for n in 1..10_000 {
        let n = f64::from(n);
        let a = -n * (n - k);
        b += 2.0;
        d = 1.0 / non_zero(a * d + b);
        c = non_zero(b + a / c);
        h *= d * c;
        if (d * c - 1.0).abs() < 1e-15 {
            break;
        }
    }
    h
}

fn non_zero(x: f64) -> f64 {
    if x.abs() < f64::MIN_POSITIVE { f64::MIN_POSITIVE } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_forms() {
        for x in [0.01f64, 0.5, 1.0, 3.0, 20.0] {
            // shape 1 is the exponential distribution; shape ½ at x that of a squared normal at 2x
            let one = Tails::new(1.0, x.ln());
            assert!((one.ln_upper + x).abs() < 1e-12, "{x}");
            let half = Tails::new(0.5, x.ln());
            let normal = libm::erf(libm::sqrt(x));
            assert!((libm::exp(half.ln_lower) - normal).abs() < 1e-13, "{x}");
        }
    }

    /// In between the knots too, and down to both ends.
    #[test]
    fn the_quantile_at_z_has_the_share_of_z_below_it() {
        for shape in [0.01, 0.3, 1.0, 4.0, 100.0, 999.0] {
            let quantiles = Quantiles::new(shape);
            for n in -800..=800 {
                let z = f64::from(n) / 100.0 + 0.003;
                let Quantiles::Table(knots) = &quantiles else { panic!("{shape} is not large") };
                let tails = Tails::new(shape, interpolate(knots, z));
                let off = if z < 0.0 {
                    tails.ln_lower - libm::log(normal::cdf(z))
                } else {
                    tails.ln_upper - libm::log(normal::cdf(-z))
                };
                assert!(off.abs() < 1e-6, "shape {shape} at {z}: ln of the share is off by {off}");
                let share = libm::exp(tails.ln_lower);
                assert!((share - normal::cdf(z)).abs() < 1e-7, "shape {shape} at {z}: {share}");
            }
            for z in [-5.0, -1.0, 0.0, 0.1, 2.0, 6.0] {
                let (table, once) = (quantiles.at(z), quantile(shape, z));
                assert!((table - once).abs() <= 1e-6 * once, "shape {shape} at {z}: {table} {once}");
            }
        }
    }

    #[test]
    fn the_expansion_takes_over_where_the_table_ends() {
        let shape = 1000.5;
        for n in -40..=40 {
            let z = f64::from(n) / 10.0;
            let x = Quantiles::new(shape).at(z);
            let share = libm::exp(Tails::new(shape, libm::log(x)).ln_lower);
            assert!((share - normal::cdf(z)).abs() < 1e-7, "{z}: {share}");
        }
        // a spread of a millionth
        assert!((Quantiles::new(1e12).at(1.0) / 1e12 - 1.0 - 1e-6).abs() < 1e-12);
    }
}
