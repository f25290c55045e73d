//! Decimal numbers as text, read without loss.

/// digits · 10^exponent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: u128,
    exponent: i64,
    /// Digits behind the 25th, not all of them 0, are cut off.
    cut: bool,
}

/// Whole parts, and what is left over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Rounded down.
    pub whole: u128,
    /// Whether nothing is left over.
    pub exact: bool,
    /// Whether half a part or more is left over.
    pub round_up: bool,
}

impl Decimal {
    /// Reads `12`, `1.5`, `.5`, `1e-3`, without a sign. `None` if it is none of these.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, i64::from(exponent.parse::<i32>().ok()?)),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = || whole.bytes().chain(fraction.bytes());
        if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let mut number = Decimal { digits: 0, exponent: exponent - fraction.len() as i64, cut: false };
        for digit in digits().map(|digit| u128::from(digit - b'0')) {
            // below 10^25, so that it can be multiplied by any unit
            if number.digits < 10u128.pow(24) {
                number.digits = number.digits * 10 + digit;
            } else {
                number.exponent += 1;
                number.cut |= digit > 0;
            }
        }
        Some(number)
    }

    /// It times `factor`, below 10^13. `None` if that is beyond 128 bits.
    pub(super) fn times(self, factor: u64) -> Option<Parts> {
        let product = self.digits * u128::from(factor);
        if product == 0 {
            return Some(Parts { whole: 0, exact: !self.cut, round_up: false });
        }
        let power = u32::try_from(self.exponent.unsigned_abs()).ok().and_then(|power| 10u128.checked_pow(power));
        if self.exponent >= 0 {
            let whole = product.checked_mul(power?)?;
            return Some(Parts { whole, exact: !self.cut, round_up: false });
        }
        // a power beyond 128 bits leaves nothing of the number
        let Some(power) = power else { return Some(Parts { whole: 0, exact: false, round_up: false }) };
        let rest = product % power;
        Some(Parts { whole: product / power, exact: rest == 0 && !self.cut, round_up: rest >= power.div_ceil(2) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_to_the_last_digit() {
        let times = |text: &str, factor: u64| {
            let parts = Decimal::parse(text).unwrap().times(factor).unwrap();
            (parts.whole, parts.exact, parts.round_up)
        };
        assert_eq!(times("1705744800.533641", 1_000_000_000), (1_705_744_800_533_641_000, true, false));
        assert_eq!(times("4646.670926517572", 1_000), (4_646_670, false, true));
        assert_eq!(times(".5", 1), (0, false, true));
        assert_eq!(times("0.49999", 1), (0, false, false));
        assert_eq!(times("1e-3", 1_000_000), (1_000, true, false));
        assert_eq!(times("2.5E2", 1), (250, true, false));
        assert_eq!(times("1e-99", 1), (0, false, false));
        assert_eq!(times("0e99", 1), (0, true, false));
        assert_eq!(times("0.00000000000000000000000000000000000001", 1), (0, false, false));
        assert_eq!(times("1.0000000000000000000000000000000000000", 1), (1, true, false));
        assert_eq!(times("1.0000000000000000000000000000000000001", 1), (1, false, false));
        assert_eq!(Decimal::parse("1e60").unwrap().times(1), None);
        for wrong in ["", ".", "e5", "1.2.3", "1e", "1e5.0", "-1", "+1", "nan", "1_000", "1,5", "٣"] {
            assert!(Decimal::parse(wrong).is_none(), "{wrong}");
        }
    }
}
