//! How much a delay resembles the one before it: a Gaussian copula, which leaves the distribution of the delays alone.
//!
//! A chain z_n = r z_{n−1} + √(1 − r²) ε_n of standard normals, ε_n from frame n's own generator, is stationary: each z_n is
//! standard normal. The delay of frame n is the asked distribution's quantile at Φ(z_n), so that it has this distribution
//! exactly. Spearman's rank correlation of neighbours is (6/π) asin(r/2) for any continuous distribution (Pearson 1907;
//! Kruskal, Ordinal Measures of Association, JASA 53, 1958), so r = 2 sin(πρ/6).

use core::f64::consts::PI;
use core::fmt;
use core::str::FromStr;

use rand_distr::{Distribution as _, StandardNormal};
use serde::{Serialize, Serializer};

use crate::model::form::forms;
use crate::rng::FrameRng;
use crate::units::Probability;

/// Spearman's rank correlation of a delay with the one before it: above −100 % and below 100 %. Text: `25%`, `-30%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Correlation {
    negative: bool,
    size: Probability,
}

impl Correlation {
    /// None: every delay by itself.
    pub const NONE: Correlation = Correlation { negative: false, size: Probability::NEVER };

    /// Whether every delay is drawn by itself.
    pub fn is_none(&self) -> bool {
        self.size == Probability::NEVER
    }

    /// Between −1 and 1.
    pub fn as_f64(self) -> f64 {
        if self.negative { -self.size.as_f64() } else { self.size.as_f64() }
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.negative { "-" } else { "" }, self.size)
    }
}

impl FromStr for Correlation {
    type Err = String;

    fn from_str(text: &str) -> Result<Correlation, String> {
        if text == "none" {
            return Ok(Correlation::NONE);
        }
        let (negative, size) = match text.strip_prefix('-') {
            Some(size) => (true, size),
            None => (false, text),
        };
        let size: Probability =
            size.parse().map_err(|e| format!("{e}; a correlation lies between -100% and 100%, both excluded"))?;
        if size == Probability::ALWAYS {
            return Err(format!(
                "a correlation of {text} would draw once for the whole run: it lies between -100% and 100%, both excluded"
            ));
        }
        Ok(Correlation { negative: negative && size != Probability::NEVER, size })
    }
}

impl Serialize for Correlation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

forms! {
    Correlation, "RankCorrelation": "A correlation above -100% and below 100%, as in `25%`.", "a correlation, as in `25%`";
    text { "type": "string", "pattern": r"^-?[0-9.]+ ?(%|ppm)$|^none$|^\$[A-Za-z_]" } => |text| text.parse();
}

/// The chain of standard normals of one direction.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// The last link; `None` before the first frame, which draws a link of its own: the chain is stationary from it on.
    last: Option<f64>,
    /// Correlation of neighbouring links.
    r: f64,
    /// √(1 − r²).
    fresh: f64,
}

impl Chain {
    pub(super) fn new(correlation: Correlation) -> Chain {
        let r = 2.0 * libm::sin(PI * correlation.as_f64() / 6.0);
        Chain { last: None, r, fresh: libm::sqrt(1.0 - r * r) }
    }

    /// Another correlation; the chain goes on from where it is.
    pub(super) fn set(&mut self, correlation: Correlation) {
        *self = Chain { last: self.last, ..Chain::new(correlation) };
    }

    /// The link of the next frame, whose generator this is.
    pub(super) fn next(&mut self, mut rng: FrameRng) -> f64 {
        let own: f64 = StandardNormal.sample(&mut rng);
        let z = self.last.map_or(own, |last| self.r * last + self.fresh * own);
        self.last = Some(z);
        z
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    #[test]
    fn texts() {
        let correlation = |text: &str| text.parse::<Correlation>();
        assert_eq!(correlation("50%").unwrap().as_f64(), 0.5);
        assert_eq!(correlation("-30%").unwrap().as_f64(), -0.3);
        assert_eq!(correlation("-30%").unwrap().to_string(), "-30%");
        assert_eq!((correlation("0%"), correlation("-0%")), (Ok(Correlation::NONE), Ok(Correlation::NONE)));
        assert_eq!(correlation("none"), Ok(Correlation::NONE));
        assert!(correlation("-99.9999%").is_ok());
        for wrong in ["100%", "-100%", "101%"] {
            assert!(correlation(wrong).unwrap_err().contains("both excluded"), "{wrong}");
        }
        assert!(from_json::<Correlation>(json!(0.5)).unwrap_err().contains("`0.5` has no unit"));
        assert!(from_json::<Correlation>(json!(-1)).unwrap_err().contains("`1` has no unit: write `1%`"));
        assert!(from_json::<Correlation>(json!("0.5")).unwrap_err().contains("0.5"));
    }

    #[test]
    fn r_makes_the_rank_correlation() {
        for rho in ["50%", "-90%", "99.9%"] {
            let rho: Correlation = rho.parse().unwrap();
            let chain = Chain::new(rho);
            assert!((6.0 / PI * (chain.r / 2.0).asin() - rho.as_f64()).abs() < 1e-12);
            assert!((chain.r * chain.r + chain.fresh * chain.fresh - 1.0).abs() < 1e-12);
        }
    }
}
