//! The standard normal distribution. From `libm`, which computes the same bits on every machine.

use core::f64::consts::{FRAC_1_SQRT_2, PI};

/// Φ(z): the share below z. Accurate in both tails.
pub fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// φ(z) = e^(−z²/2) / √(2π).
pub fn density(z: f64) -> f64 {
    libm::exp(-0.5 * z * z) / libm::sqrt(2.0 * PI)
}

/// Φ⁻¹(p) for 0 < p < 1, by Newton's steps from 0: Φ is convex below 0, so they cannot overshoot.
pub fn quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    let mut z = 0.0;
    for _ in 0..100 {
        let step = (cdf(z) - p) / density(z);
        z -= step;
        if step.abs() < 1e-13 {
            break;
        }
    }
    z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // Abramowitz and Stegun, tables 26.1 and 26.5
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_344_746_068_543), (-2.0, 0.022_750_131_948_179)] {
            assert!((cdf(z) - share).abs() < 1e-14, "Φ({z}) = {}", cdf(z));
        }
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-12);
        assert!((density(1.0) - 0.241_970_724_519_143).abs() < 1e-14);
        for n in 1..1000 {
            let p = f64::from(n) / 1000.0;
            assert!((cdf(quantile(p)) - p).abs() < 1e-14, "{p}");
        }
        assert!((quantile(1e-12) + 7.034_483_825_3).abs() < 1e-8);
    }
}
