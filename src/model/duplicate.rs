//! Duplication: frames that arrive twice. A duplicate uses no wire, and draws its own jitter.

use super::chain::Correlation;
use super::chance::Chance;
use super::only::Only;
use super::share::{Impairment, Passing, share_of_frames};
use crate::frame::FramePool;
use crate::rng::FrameRng;

share_of_frames! {
    /// Which frames arrive twice. Short forms: a probability, as in `duplicate: 1%`, or `none`.
    DuplicateSpec, "Duplicate", "Frames that arrive twice: `1%`, a map, or `none`.", "duplication", "1%"
}

impl Impairment for DuplicateSpec {
    fn apply(&self, _: FrameRng, passing: &mut Passing, pool: &mut FramePool) {
        passing.copy = Some(pool.share(&passing.frame));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{assert_share, lag1};
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    #[test]
    fn edges_are_certain_and_a_share_is_binomial() {
        let key = StreamKey::new(1, "link", Way::Forward, "duplicate");
        let picked = |text: &str| {
            let duplicate = from_json::<DuplicateSpec>(json!(text)).unwrap().picker();
            (0..100_000).filter(|n| duplicate.pick(false, || key.frame(*n, 0)).is_some()).count() as f64
        };
        assert_eq!((picked("none"), picked("0%"), picked("100%")), (0.0, 0.0, 100_000.0));
        // 5,000 ± 3.29 σ
        assert!((picked("5%") - 5_000.0).abs() < 3.29 * (100_000.0 * 0.05 * 0.95f64).sqrt());
    }

    #[test]
    fn a_correlation_keeps_the_share() {
        let key = StreamKey::new(1, "link", Way::Forward, "duplicate");
        let spec = json!({"probability": "20%", "correlation": "40%"});
        let mut duplicate = from_json::<DuplicateSpec>(spec).unwrap().picker();
        assert!(duplicate.is_stateful());
        let all: Vec<bool> = (0..160_000)
            .map(|n| {
                let mark = duplicate.admit(|| key.frame(n, 0));
                duplicate.pick(mark, || key.frame(n, 0)).is_some()
            })
            .collect();
        assert_share(&all, 0.2, 1.4 / 0.6);
        assert!((lag1(&all) - 0.4).abs() < 0.02, "{}", lag1(&all));
    }

    #[test]
    fn scenario_forms() {
        let one = DuplicateSpec::independent(Chance("1%".parse().unwrap()));
        assert_eq!(from_json(json!("1%")), Ok(one.clone()));
        assert_eq!(from_json(json!({"probability": "1%"})), Ok(one.clone()));
        assert!(from_json::<DuplicateSpec>(json!(1)).unwrap_err().contains("write `1%`"));
        assert_eq!(serde_json::to_value(&one).unwrap(), json!("1%"));
        let all = json!({"probability": "1%", "correlation": "25%", "only": {"udp": 53}});
        let spec: DuplicateSpec = from_json(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), all);
    }
}
