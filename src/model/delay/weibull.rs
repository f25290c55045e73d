//! The shape of a Weibull distribution from its coefficient of variation.

use core::f64::consts::PI;

/// ζ(3) and ζ(5).
const ZETA_3: f64 = 1.202_056_903_159_594;
const ZETA_5: f64 = 1.036_927_755_143_37;

/// 1/k, where k is the shape at which σ / mean is `variation`, from 10⁻⁶ to 10. The mean of a Weibull distribution of scale
/// 1 is Γ(1 + 1/k), its mean square Γ(1 + 2/k).
pub(super) fn inverse_shape(variation: f64) -> f64 {
    let wanted = libm::log1p(variation * variation);
    let (mut low, mut high) = (0.0, 5.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if ln_mean_square_over_square_mean(middle) < wanted { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// ln Γ(1 + 2y) − 2 ln Γ(1 + y), which grows with y. For small y by the series of ln Γ at 1, where the terms that cancel
/// have been taken away.
fn ln_mean_square_over_square_mean(y: f64) -> f64 {
    if y > 1e-3 {
        return libm::lgamma(1.0 + 2.0 * y) - 2.0 * libm::lgamma(1.0 + y);
    }
    let (zeta_2, zeta_4) = (PI * PI / 6.0, PI * PI * PI * PI / 90.0);
    y * y * (zeta_2 - y * (2.0 * ZETA_3 - y * (3.5 * zeta_4 - y * 6.0 * ZETA_5)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_has_the_variation_asked_for() {
        // shape 1 is exponential; shape 2 is Rayleigh's: σ / mean = √(4/π − 1); shape ½: √5
        assert!((inverse_shape(1.0) - 1.0).abs() < 1e-12);
        assert!((inverse_shape((4.0 / PI - 1.0f64).sqrt()) - 0.5).abs() < 1e-12);
        assert!((inverse_shape(5f64.sqrt()) - 2.0).abs() < 1e-12);
        // a narrow one is nearly Gumbel's, with σ = π / (k √6)
        let narrow = inverse_shape(1e-6);
        assert!((narrow * PI / 6f64.sqrt() / 1e-6 - 1.0).abs() < 1e-5, "{narrow}");
    }

    #[test]
    fn the_series_and_the_function_meet() {
        let (below, above) = (ln_mean_square_over_square_mean(1e-3), ln_mean_square_over_square_mean(1e-3 + 1e-12));
        assert!((above / below - 1.0).abs() < 1e-8, "{below} {above}");
    }
}
