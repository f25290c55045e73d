//! A measured value beside what is allowed, as shares of a bar's length: for the page and for terminals.

use super::expectation::{Compared, Judged};

/// Where a limit stands on the bar: beyond it is room for what is wrong.
const LIMIT: f64 = 2.0 / 3.0;

/// A value on a bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Gauge {
    /// The value, from 0 to 1.
    pub(crate) at: f64,
    /// From where to where it may be.
    pub(crate) allowed: (f64, f64),
    pass: bool,
}

impl Gauge {
    /// `None` where there is nothing to compare, or everything but one value is allowed.
    pub(crate) fn of(judged: &Judged) -> Option<Gauge> {
        let (value, Compared { relation, limit, tolerance, .. }) = (judged.value?, judged.compared.as_ref()?);
        let limit = *limit;
        let (at, allowed) = match (&**relation, tolerance) {
            ("within", Some(tolerance)) if *tolerance > 0.0 => {
                (0.5 + (value - limit) / (6.0 * tolerance), (1.0 / 3.0, LIMIT))
            }
            ("!=", _) => return None,
            (relation, _) => {
                let scale = limit.abs() / LIMIT;
                // of nothing, everything is too much
                let at = if scale > 0.0 { value / scale } else { f64::from(value > 0.0) };
                let edge = if scale > 0.0 { (limit / scale).max(0.0) } else { 0.0 };
                let allowed = match relation {
                    "<" | "<=" => (0.0, edge),
                    ">" | ">=" => (edge, 1.0),
                    _ => (edge, edge),
                };
                (at, allowed)
            }
        };
        Some(Gauge { at: at.clamp(0.0, 1.0), allowed, pass: judged.pass })
    }

    /// A bar of so many characters: `━` is allowed, `┄` is not, `●` is the value.
    pub(crate) fn text(&self, width: usize) -> String {
        let cell = |share: f64| ((share * width as f64 + 1e-9) as usize).min(width.saturating_sub(1));
        let (from, to) = (cell(self.allowed.0), (self.allowed.1 * width as f64).round() as usize);
        let allowed = from..to.max(from + 1);
        // rounded, what is wrong must not seem right
        let at = match (self.pass, cell(self.at)) {
            (true, at) => at.clamp(allowed.start, allowed.end - 1),
            (false, at) if !allowed.contains(&at) => at,
            (false, at) if at + 1 >= allowed.end && allowed.end < width => allowed.end,
            (false, at) => allowed.start.checked_sub(1).unwrap_or(at),
        };
        let sign = |n: usize| {
            if n == at {
                '●'
            } else if allowed.contains(&n) {
                '━'
            } else {
                '┄'
            }
        };
        (0..width).map(sign).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pass: bool, value: f64, relation: &'static str, limit: f64, tolerance: Option<f64>) -> String {
        let compared = Compared {
            measure: "x".into(),
            relation: relation.into(),
            limit,
            tolerance,
            distance: String::new(),
            window_ns: None,
        };
        let expected = String::new();
        let (value, compared) = (Some(value), Some(compared));
        let judged = Judged {
            pass,
            invalid: None,
            measured: None,
            value,
            unit: "ns".into(),
            expected,
            compared,
            reason: None,
            at_ns: None,
            near: None,
        };
        Gauge::of(&judged).map_or(String::new(), |gauge| gauge.text(12))
    }

    #[test]
    fn what_is_right_stands_on_the_heavy_part_and_what_is_wrong_beside_it() {
        for (pass, value, relation, limit, tolerance, bar) in [
            (true, 30.0, "<", 60.0, None, "━━━━●━━━┄┄┄┄"),
            (true, 59.9, "<", 60.0, None, "━━━━━━━●┄┄┄┄"),
            (true, 60.0, "<=", 60.0, None, "━━━━━━━●┄┄┄┄"),
            (false, 60.1, "<", 60.0, None, "━━━━━━━━●┄┄┄"),
            (false, 9e9, "<", 60.0, None, "━━━━━━━━┄┄┄●"),
            (true, 9.0, ">", 6.0, None, "┄┄┄┄┄┄┄┄━━━●"),
            (false, 5.99, ">", 6.0, None, "┄┄┄┄┄┄┄●━━━━"),
            (true, 0.0, "==", 0.0, None, "●┄┄┄┄┄┄┄┄┄┄┄"),
            (false, 3.0, "==", 0.0, None, "━┄┄┄┄┄┄┄┄┄┄●"),
            (true, 42.0, "within", 42.0, Some(5.0), "┄┄┄┄━━●━┄┄┄┄"),
            (false, 12.0, "within", 42.0, Some(5.0), "●┄┄┄━━━━┄┄┄┄"),
            (true, 3.0, "!=", 0.0, None, ""),
        ] {
            assert_eq!(text(pass, value, relation, limit, tolerance), bar, "{value} {relation} {limit}");
        }
    }
}
