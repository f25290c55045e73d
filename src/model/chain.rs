//! Two-state chains: what makes a pick depend on the pick before it.
//!
//! A chain is inside or outside. It enters with probability p, leaves with probability r, and steps once for each frame
//! that its model numbers, whatever becomes of the frame elsewhere. In the long run it is inside for a share
//! π = p / (p + r) of the frames, and the correlation of neighbours (Pearson's and Spearman's are the same for two
//! values) is ρ = 1 − p − r; at a distance of k frames it is ρᵏ. Solved for p and r, a share q with correlation ρ needs
//! p = q (1 − ρ) and r = (1 − q) (1 − ρ): the share stays exactly as asked, whatever the correlation.
//!
//! The first frame is drawn from the stationary distribution, so that no frame is special.

use core::fmt;

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::rng::FrameRng;
use crate::units::Probability;

/// A probability in units of 2⁻⁶⁴, which is as fine as one word can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Odds(u128);

const ONE: u128 = 1 << 64;
const PARTS: u64 = Probability::ALWAYS.as_parts();

impl Odds {
    /// It never happens.
    pub const NEVER: Odds = Odds(0);
    /// It always happens.
    pub const ALWAYS: Odds = Odds(ONE);

    /// Exactly those of a probability: the same words decide the same.
    pub fn of(probability: Probability) -> Odds {
        Odds::ratio(probability.as_parts(), u128::from(PARTS))
    }

    /// `part` in `whole`; certain where the part is the whole or more.
    pub fn ratio(part: u64, whole: u128) -> Odds {
        // rounded up, because a word below the bound says yes: draw < part / whole · 2⁶⁴
        Odds((u128::from(part) << 64).div_ceil(whole.max(1)).min(ONE))
    }

    /// A fraction of one; what is not a number, or below 0, is never.
    pub fn from_f64(fraction: f64) -> Odds {
        Odds(((fraction * ONE as f64).ceil() as u128).min(ONE)) // a cast of a float saturates, and NaN becomes 0
    }

    /// As a fraction of one, for statistics and display only.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// That it does not happen.
    #[must_use]
    pub fn complement(self) -> Odds {
        Odds(ONE - self.0)
    }

    /// That it happens and something independent does too.
    #[must_use]
    pub fn and(self, other: Probability) -> Odds {
        Odds((self.0 * u128::from(other.as_parts())).div_ceil(u128::from(PARTS)))
    }

    /// Whether a uniformly drawn word falls on the side of "it happens".
    #[inline]
    pub fn happens(self, draw: u64) -> bool {
        u128::from(draw) < self.0
    }
}

/// The probabilities of a two-state chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// That a frame is inside when the one before it was not: p.
    pub enter: Odds,
    /// That a frame is inside when the one before it was: 1 − r.
    pub stay: Odds,
    /// That the first frame is inside: π = p / (p + r).
    pub start: Odds,
}

impl Law {
    /// A share of the frames, with a correlation between neighbours.
    pub fn correlated(share: Probability, correlation: Correlation) -> Law {
        let fresh = not(correlation.0);
        Law {
            enter: Odds::of(share).and(fresh),
            stay: Odds::of(not(share)).and(fresh).complement(),
            start: Odds::of(share),
        }
    }

    /// Enters with `p` and leaves with `r`. Where both are 0 it stays outside.
    pub fn transitions(p: Probability, r: Probability) -> Law {
        let start = Odds::ratio(p.as_parts(), u128::from(p.as_parts()) + u128::from(r.as_parts()));
        Law { enter: Odds::of(p), stay: Odds::of(r).complement(), start }
    }

    /// The mean number of frames that it stays inside: 1 / r; infinite where it never leaves.
    pub fn mean_run(&self) -> f64 {
        self.stay.complement().as_f64().recip()
    }
}

fn not(probability: Probability) -> Probability {
    Probability::from_parts(PARTS - probability.as_parts()).expect("the rest of one is a probability")
}

/// A two-state chain at work.
#[derive(Clone, Copy, Debug)]
pub struct Chain {
    law: Law,
    /// Where the last frame left it; `None` before the first.
    inside: Option<bool>,
}

impl Chain {
    /// A chain before its first frame.
    pub fn new(law: Law) -> Chain {
        Chain { law, inside: None }
    }

    /// Its probabilities.
    pub fn law(&self) -> &Law {
        &self.law
    }

    /// Changes the probabilities; it goes on from where it is.
    pub fn set(&mut self, law: Law) {
        self.law = law;
    }

    /// Whether the next frame, whose generator this is, is inside. It takes the generator's first word.
    #[inline]
    pub fn step(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        let odds = match self.inside {
            None => self.law.start,
            Some(false) => self.law.enter,
            Some(true) => self.law.stay,
        };
        let inside = odds.happens(rng().next_u64());
        self.inside = Some(inside);
        inside
    }
}

/// The correlation of neighbouring frames, from 0 to below 100 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Correlation(Probability);

impl Correlation {
    /// None at all.
    pub const NONE: Correlation = Correlation(Probability::NEVER);

    /// `None` at 100 %: the first frame would decide for all.
    pub fn new(correlation: Probability) -> Option<Correlation> {
        (correlation != Probability::ALWAYS).then_some(Correlation(correlation))
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        self.0 == Probability::NEVER
    }

    /// As a fraction of one, for statistics and display only.
    pub fn as_f64(self) -> f64 {
        self.0.as_f64()
    }
}

impl fmt::Display for Correlation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Correlation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Correlation, D::Error> {
        Correlation::new(Probability::deserialize(deserializer)?).ok_or_else(|| {
            serde::de::Error::custom("a correlation of 100% lets the first frame decide for all: write less than 100%")
        })
    }
}

impl JsonSchema for Correlation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Correlation".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Probability::json_schema(generator)
    }
}

/// Picks a share of the frames, each by itself, in a chain, or with a gap behind each that was picked.
///
/// Where frames are independent a frame is decided by its own generator alone, when it is asked for. Otherwise
/// [`Picker::admit`] is to be called for every frame in the order of their numbers; what it returns is the mark that
/// [`Picker::pick`] takes.
#[derive(Clone, Copy, Debug)]
pub struct Picker {
    share: Probability,
    /// `None` where a pick says nothing of the next.
    chain: Option<Chain>,
    /// 1 where every frame is a candidate.
    gap: u32,
    /// Frames since the last pick.
    since: u32,
}

impl Picker {
    /// Picks `share` of the frames.
    pub fn new(share: Probability, correlation: Correlation) -> Picker {
        Picker::spaced(share, correlation, 1)
    }

    /// Picks `share` of the candidates: all frames but the first `gap` − 1 behind one that was picked.
    pub fn spaced(share: Probability, correlation: Correlation, gap: u32) -> Picker {
        let chain = (!correlation.is_none()).then(|| Chain::new(Law::correlated(share, correlation)));
        Picker { share, chain, gap, since: 0 }
    }

    /// Changes share, correlation and gap to those of `new`; a chain goes on from where it is.
    pub fn set(&mut self, new: Picker) {
        let inside = self.chain.and_then(|chain| chain.inside);
        let since = self.since;
        *self = Picker { since, ..new };
        if let Some(chain) = &mut self.chain {
            chain.inside = inside;
        }
    }

    /// Whether no frame is ever picked.
    pub fn is_never(&self) -> bool {
        self.share == Probability::NEVER
    }

    /// Whether a pick depends on those before it, so that frames need [`Picker::admit`].
    pub fn is_stateful(&self) -> bool {
        self.chain.is_some() || self.gap > 1
    }

    /// Takes the next frame in, and returns its mark; `false` without a draw where frames are independent.
    #[inline]
    pub fn admit(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        if self.gap <= 1 {
            return self.chain.as_mut().is_some_and(|chain| chain.step(rng));
        }
        if self.is_never() {
            return false;
        }
        // sch_netem.c: delayed while counter < gap − 1, else by chance; the counter starts again at a frame that ran ahead.
        // Only candidates draw, so the correlation is that of one candidate and the next.
        let picked = self.since >= self.gap - 1
            && match &mut self.chain {
                Some(chain) => chain.step(rng),
                None => self.share.happens(rng().next_u64()),
            };
        self.since = if picked { 0 } else { self.since.saturating_add(1) };
        picked
    }

    /// The generator of a frame that is picked, behind the word that decided: what follows is free for whatever is to be
    /// done to the frame, and the same however it was picked.
    #[inline]
    pub fn pick(&self, mark: bool, rng: impl FnOnce() -> FrameRng) -> Option<FrameRng> {
        let stateful = self.is_stateful();
        if self.is_never() || (stateful && !mark) {
            return None;
        }
        let mut rng = rng();
        let word = rng.next_u64();
        (stateful || self.share.happens(word)).then_some(rng)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{Powerful, assert_share};
    use crate::rng::{StreamKey, Way};
    use proptest::prelude::*;
    use serde_json::json;

    fn key() -> StreamKey {
        StreamKey::new(1, "link", Way::Forward, "chain")
    }

    fn percent(text: &str) -> Probability {
        text.parse().unwrap()
    }

    fn correlation(text: &str) -> Correlation {
        Correlation::new(percent(text)).unwrap()
    }

    fn picked(share: &str, rho: &str, n: u64) -> Vec<bool> {
        let mut picker = Picker::new(percent(share), correlation(rho));
        (0..n)
            .map(|i| {
                let mark = picker.admit(|| key().frame(i, 0));
                picker.pick(mark, || key().frame(i, 0)).is_some()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn odds_decide_as_their_probability_does(parts in 0..=PARTS, draw in any::<u64>()) {
            let p = Probability::from_parts(parts).unwrap();
            let odds = Odds::of(p);
            // at the very boundary, and anywhere
            let boundary = u64::try_from(odds.0.min(ONE - 1)).unwrap();
            for draw in [draw, boundary, boundary.saturating_sub(1), boundary.saturating_add(1), 0, u64::MAX] {
                prop_assert_eq!(odds.happens(draw), p.happens(draw));
            }
            prop_assert_eq!(odds.and(Probability::ALWAYS), odds);
            prop_assert_eq!(odds.complement().complement(), odds);
        }

        #[test]
        fn the_share_is_exact_whatever_the_correlation(parts in 0..=PARTS, rho in 0..PARTS) {
            let share = Probability::from_parts(parts).unwrap();
            let rho = Probability::from_parts(rho).unwrap();
            let law = Law::correlated(share, Correlation::new(rho).unwrap());
            // stationary: what flows in flows out, q · r = (1 − q) · p, up to the rounding of both to 2⁻⁶⁴
            let (p, r, q) = (law.enter.as_f64(), law.stay.complement().as_f64(), share.as_f64());
            prop_assert!((q * r - (1.0 - q) * p).abs() < 1e-15);
            prop_assert!((1.0 - p - r - rho.as_f64()).abs() < 1e-15);
        }
    }

    #[test]
    fn share_and_correlation_are_as_asked() {
        let (share, rho) = (0.05, 0.5);
        let all = picked("5%", "50%", 1_000_000);
        // neighbours repeat each other, so that n frames are worth n (1 − ρ) / (1 + ρ)
        assert_share(&all, share, (1.0 + rho) / (1.0 - rho));
        let after = |before: bool| -> Vec<bool> {
            all.windows(2).filter(|pair| pair[0] == before).map(|pair| pair[1]).collect()
        };
        let (inside, outside) = (after(true), after(false));
        assert_share(&inside, share + rho * (1.0 - share), 1.0);
        assert_share(&outside, share * (1.0 - rho), 1.0);
        let mean = |list: &[bool]| list.iter().filter(|hit| **hit).count() as f64 / list.len() as f64;
        let variance = |p: f64, n: usize| p * (1.0 - p) / n as f64;
        let sigma = (variance(0.525, inside.len()) + variance(0.025, outside.len())).sqrt();
        Powerful { expected: rho, sigma }.assert(mean(&inside) - mean(&outside));
    }

    #[test]
    fn no_correlation_draws_as_an_independent_share_does() {
        let plain: Vec<bool> = (0..20_000).map(|i| percent("5%").happens(key().frame(i, 0).next_u64())).collect();
        assert_eq!(picked("5%", "0%", 20_000), plain);
        let mut picker = Picker::new(percent("5%"), Correlation::NONE);
        assert!(!picker.is_stateful() && !picker.admit(|| panic!("independent frames need no admission")));
        // as a chain, too: nothing is left of the frame before
        let mut chain = Chain::new(Law::correlated(percent("5%"), Correlation::NONE));
        assert_eq!((0..20_000).map(|i| chain.step(|| key().frame(i, 0))).collect::<Vec<_>>(), plain);
    }

    #[test]
    fn edges_are_certain() {
        for rho in ["0%", "50%", "99.9999999999%"] {
            assert!(picked("0%", rho, 10_000).iter().all(|hit| !hit));
            assert!(picked("100%", rho, 10_000).iter().all(|hit| *hit));
        }
        // nearly 100 %: nothing changes for a long time
        let stuck = picked("50%", "99.9999999999%", 10_000);
        assert!(stuck.iter().all(|hit| *hit == stuck[0]));
        let never = Picker::new(Probability::NEVER, Correlation::NONE);
        assert!(never.is_never() && never.pick(false, || panic!("a share of nothing needs no generator")).is_none());
        assert_eq!(Odds::from_f64(f64::NAN), Odds::NEVER);
        assert_eq!((Odds::from_f64(-1.0), Odds::from_f64(1.0)), (Odds::NEVER, Odds::ALWAYS));
        assert_eq!(Law::transitions(Probability::NEVER, Probability::NEVER).start, Odds::NEVER);
    }

    #[test]
    fn a_higher_share_picks_the_same_frames_and_more() {
        let (few, many) = (picked("5%", "30%", 50_000), picked("6%", "30%", 50_000));
        assert!(few.iter().zip(&many).all(|(few, many)| !few || *many));
        assert!(few != many);
    }

    #[test]
    fn a_change_goes_on_from_where_the_chain_is() {
        let mut picker = Picker::new(Probability::ALWAYS, correlation("50%"));
        assert!(picker.admit(|| key().frame(0, 0)));
        picker.set(Picker::new(percent("50%"), correlation("99.9999999999%")));
        assert!((1..1000).all(|n| picker.admit(|| key().frame(n, 0))), "it was inside, and hardly ever leaves");
    }

    #[test]
    fn a_pick_leaves_the_same_words_with_and_without_correlation() {
        let chance = Picker::new(Probability::ALWAYS, Correlation::NONE);
        let chain = Picker::new(Probability::ALWAYS, correlation("50%"));
        let word = |picker: Picker| picker.pick(true, || key().frame(7, 0)).map(|mut rng| rng.next_u64());
        assert!(word(chance).is_some());
        assert_eq!(word(chance), word(chain));
    }

    #[test]
    fn scenario_forms() {
        assert_eq!(from_json(json!("50%")), Ok(correlation("50%")));
        assert!(from_json::<Correlation>(json!("100%")).unwrap_err().contains("less than 100%"));
        assert!(from_json::<Correlation>(json!(0.5)).unwrap_err().contains("could mean"));
        assert_eq!(serde_json::to_value(correlation("50%")).unwrap(), json!("50%"));
    }
}
