//! Loss by bit errors: a frame is lost when any of its bits is wrong, so long frames are lost more often than short ones.
//!
//! With independent errors of probability p, a frame of n bits is lost with 1 − (1 − p)ⁿ, as with a link layer that drops
//! whatever fails its checksum (IEEE 802.3 §3.2.9). A bit error rate is quoted as a fraction of one: 10⁻⁶, 10⁻¹².

use std::fmt;

use serde::{Serialize, Serializer};

use super::LongRun;
use crate::model::chain::Odds;
use crate::model::form::text_form;
use crate::units::Probability;

/// The probability that a bit is wrong, exact to 10⁻¹⁸. Text: a power of ten, as in `1e-6`, or a probability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitErrorRate(u64);

/// Certainty, in units of 10⁻¹⁸.
const ONE: u64 = 1_000_000_000_000_000_000;
/// What a [`Probability`] counts in, in the same units.
const PROBABILITY_PART: u64 = ONE / Probability::ALWAYS.as_parts();

impl BitErrorRate {
    /// Parts of 10¹⁸; `None` above 10¹⁸.
    pub fn from_parts(parts: u64) -> Option<BitErrorRate> {
        (parts <= ONE).then_some(BitErrorRate(parts))
    }

    /// As a fraction of one.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// Whether no bit is ever wrong.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The probability that a frame of so many bits is lost: 1 − (1 − p)ⁿ.
    ///
    /// By squaring, and in terms of the loss itself: f(2n) = f(n) (2 − f(n)), f(n + 1) = f(n) + p (1 − f(n)). That loses no
    /// digits where p is far below 2⁻⁵³, and needs no logarithm, whose last digit differs from machine to machine.
    pub fn frame_loss(self, bits: u64) -> f64 {
        let p = self.as_f64();
        let mut loss: f64 = 0.0;
        for place in (0..u64::BITS - bits.leading_zeros()).rev() {
            loss *= 2.0 - loss;
            if bits >> place & 1 == 1 {
                loss += p * (1.0 - loss);
            }
        }
        loss.min(1.0)
    }

    pub(super) fn long_run(self, bits: u64) -> LongRun {
        let loss = self.frame_loss(bits);
        LongRun { loss: Some(loss), mean_burst: Some((1.0 - loss).recip()) }
    }

    fn parse(text: &str) -> Result<BitErrorRate, String> {
        let text = text.trim();
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.to_owned());
        let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
            if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
                return Err(format!("`{text}` has no unit: write a bit error rate as `1e-6` or `1ppm`"));
            }
            let probability: Probability = text.parse().map_err(|e: crate::units::ParseError| e.to_string())?;
            return Ok(BitErrorRate(probability.as_parts() * PROBABILITY_PART));
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
        let digits = number(whole).filter(|digits| !digits.is_empty()).zip(number(fraction.trim_end_matches('0')));
        let exponent: Option<i64> = exponent.parse().ok();
        let (Some((whole, fraction)), Some(exponent)) = (digits, exponent) else {
            return Err(format!("`{text}` is not a bit error rate: write a power of ten, as in `1e-6` or `2.5e-9`"));
        };
        let digits: String = whole + &fraction;
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Ok(BitErrorRate(0));
        }
        let trimmed = significant.trim_end_matches('0');
        let zeros = (significant.len() - trimmed.len()) as i64;
        // 10⁻¹⁸ is one part
        let power = exponent.saturating_add(18 + zeros).saturating_sub(fraction.len() as i64);
        let Ok(power) = u32::try_from(power) else { return Err(format!("`{text}` is finer than 1e-18")) };
        let parts = trimmed.parse::<u64>().ok().zip(10u64.checked_pow(power));
        let parts = parts.and_then(|(digits, scale)| digits.checked_mul(scale)).and_then(BitErrorRate::from_parts);
        parts.ok_or_else(|| format!("`{text}` is more than one: a bit error rate is at most `1e0`"))
    }
}

impl fmt::Display for BitErrorRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let exponent = if self.0 == 0 { 0 } else { digits.len() as i64 - 1 - 18 };
        let (first, rest) = digits.split_at(1);
        match rest.trim_end_matches('0') {
            "" => write!(f, "{first}e{exponent}"),
            rest => write!(f, "{first}.{rest}e{exponent}"),
        }
    }
}

impl Serialize for BitErrorRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// even where YAML takes it for a number: what `1e-6` is as a float is no longer exact
text_form!(BitErrorRate, "BitErrorRate", "a bit error rate, as in `1e-6`,", BitErrorRate::parse, {
    "description": "The probability that a bit is wrong, as in `1e-6` or `1ppm`.",
    "anyOf": [
        { "type": "string", "pattern": "^[0-9.]+([eE][-+]?[0-9]+| ?(%|ppm))$|^\\$[A-Za-z_]" },
        { "type": "number", "minimum": 0, "maximum": 1 },
    ],
});

/// Bit errors at work: what frames of the last size met is not computed again.
#[derive(Clone, Debug)]
pub struct BitErrors {
    rate: BitErrorRate,
    known: (u64, Odds),
}

impl BitErrors {
    /// Errors of this rate.
    pub fn new(rate: BitErrorRate) -> BitErrors {
        BitErrors { rate, known: (0, Odds::NEVER) }
    }

    /// The odds that a frame of so many bits is lost.
    #[inline]
    pub fn odds(&mut self, bits: u64) -> Odds {
        if self.known.0 != bits {
            self.known = (bits, Odds::from_f64(self.rate.frame_loss(bits)));
        }
        self.known.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::lost_of_size;
    use crate::model::statistics::assert_share;
    use serde_json::json;

    fn rate(text: &str) -> Result<BitErrorRate, String> {
        from_json(json!(text))
    }

    #[test]
    fn the_loss_of_a_frame_is_the_closed_form() {
        for text in ["1e-18", "1e-15", "1e-12", "3e-9", "1e-6", "1e-3", "0.3e0", "1e0", "0e0"] {
            let p = rate(text).unwrap();
            for bits in [0, 1, 2, 3, 480, 512, 12_112, 12_304, 520_000, 524_280] {
                let closed = -f64::exp_m1(bits as f64 * f64::ln_1p(-p.as_f64()));
                let closed = if bits == 0 { 0.0 } else { closed }; // 0 · −∞ at a certain error
                let ours = p.frame_loss(bits);
                assert!((ours - closed).abs() <= 1e-13 * closed, "{text}, {bits} bits: {ours} is not {closed}");
            }
        }
        let longest = rate("1e-18").unwrap().frame_loss(u64::MAX);
        assert!((longest - (1.0 - (-18.446_744_073_709_552_f64).exp())).abs() < 1e-13);
        assert_eq!(rate("1e-15").unwrap().frame_loss(u64::MAX), 1.0);
    }

    #[test]
    fn frames_of_all_sizes_are_lost_as_often_as_they_should() {
        let sizes = [(60, 900_000), (590, 100_000), (1514, 40_000), (9014, 20_000), (65_000, 20_000)];
        for (bytes, n) in sizes {
            let bits = bytes * 8;
            let expected = 1.0 - (1.0 - 5e-5_f64).powi(bits as i32);
            let all = lost_of_size(json!({"bit_error_rate": "5e-5"}), n, bits);
            if expected < 0.999 {
                assert_share(&all, expected, 1.0);
            }
            assert!(all.iter().any(|lost| *lost));
        }
    }

    #[test]
    fn edges_are_certain() {
        assert!(lost_of_size(json!({"bit_error_rate": "0%"}), 10_000, 12_000).iter().all(|lost| !lost));
        assert!(lost_of_size(json!({"bit_error_rate": "100%"}), 10_000, 480).iter().all(|lost| *lost));
        assert!(lost_of_size(json!({"bit_error_rate": "100%"}), 10_000, 0).iter().all(|lost| !lost));
    }

    #[test]
    fn larger_frames_and_higher_rates_lose_the_same_frames_and_more() {
        let at = |rate: &str, bits| lost_of_size(json!({ "bit_error_rate": rate }), 20_000, bits);
        let few = at("1e-6", 12_000);
        for many in [at("2e-6", 12_000), at("1e-6", 24_000)] {
            assert!(few != many && few.iter().zip(&many).all(|(few, many)| !few || *many));
        }
    }

    #[test]
    fn texts_are_exact() {
        assert_eq!(rate("1e-6"), Ok(BitErrorRate(1_000_000_000_000)));
        assert_eq!(rate("1ppm"), rate("1e-6"));
        assert_eq!(rate("0.0001%"), rate("1E-06"));
        assert_eq!(rate("2.50e-9"), Ok(BitErrorRate(2_500_000_000)));
        assert_eq!(rate("1e-18"), Ok(BitErrorRate(1)));
        assert_eq!(rate("10e-19"), Ok(BitErrorRate(1)));
        assert_eq!(rate("1e0"), Ok(BitErrorRate(ONE)));
        assert_eq!(rate("0e-99"), Ok(BitErrorRate(0)));
        for (text, part) in [
            ("1e-19", "finer than 1e-18"),
            ("2e0", "more than one"),
            ("1e99", "more than one"),
            ("1e", "a power of ten"),
            ("e-6", "a power of ten"),
            ("1.2.3e-6", "a power of ten"),
            ("-1e-6", "a power of ten"),
            ("0.000001", "write a bit error rate as `1e-6`"),
            ("often", "a power of ten"),
            ("much %", "a number and a unit"),
            ("101%", "at most `100%`"),
        ] {
            let told = rate(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(parts in 0..=ONE, shift in 0u32..60) {
            for parts in [parts, parts >> shift] {
                let rate = BitErrorRate(parts);
                proptest::prop_assert_eq!(BitErrorRate::parse(&rate.to_string()), Ok(rate));
            }
        }
    }
}
