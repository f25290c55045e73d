//! Reordering as netem means it (tc-netem(8)): picked frames run ahead of those that the delay holds. Where there is no
//! delay there is nothing to run ahead of.

use serde::Deserializer;

use super::chain::Correlation;
use super::chance::Chance;
use super::only::Only;
use super::share::{Impairment, Passing, share_of_frames};
use crate::frame::FramePool;
use crate::rng::FrameRng;

share_of_frames! {
    /// Which frames are sent without delay, ahead of those before them. Short forms: a probability, as in `reorder: 25%`, or
    /// `none`.
    ReorderSpec, "Reorder", "Frames that run ahead of the delay: `25%`, a map, or `none`.", "running ahead", "25%",
    /// Every frame is a candidate with 1, the default; with N, the first N − 1 frames after one that ran ahead are not.
    gap: u32 = 1 {
        #[serde(default = "one", deserialize_with = "gap")]
        #[schemars(range(min = 1))]
    }
}

fn one() -> u32 {
    1
}

fn gap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match <u32 as serde::Deserialize>::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("a gap of 0 has no candidates: write 1 or more")),
        gap => Ok(gap),
    }
}

impl Impairment for ReorderSpec {
    fn gap(&self) -> u32 {
        self.gap
    }

    fn words(&self) -> Option<String> {
        (self.gap != 1).then(|| format!("gap {}", self.gap))
    }

    fn apply(&self, _: FrameRng, passing: &mut Passing, _: &mut FramePool) {
        passing.ahead = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::statistics::{assert_share, lag1};
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    fn ahead(value: serde_json::Value, n: u64) -> Vec<u64> {
        let key = StreamKey::new(1, "link", Way::Forward, "reorder");
        let mut reorder = from_json::<ReorderSpec>(value).unwrap().picker();
        let frame = |i: u64| move || key.frame(i, 0);
        (0..n)
            .filter(|i| {
                let mark = reorder.admit(frame(*i));
                reorder.pick(mark, frame(*i)).is_some()
            })
            .collect()
    }

    #[test]
    fn edges_are_certain() {
        assert!(ahead(json!("none"), 1000).is_empty());
        assert_eq!(ahead(json!("100%"), 1000).len(), 1000);
        // netem's `gap 5` with 100 %: every fifth
        assert_eq!(ahead(json!({"probability": "100%", "gap": 5}), 20), [4, 9, 14, 19]);
    }

    #[test]
    fn the_share_is_binomial_and_gaps_are_kept() {
        let quarter = ahead(json!("25%"), 100_000).len() as f64;
        assert!((quarter - 25_000.0).abs() < 3.29 * (100_000.0 * 0.25 * 0.75f64).sqrt(), "{quarter}");
        let spaced = ahead(json!({"probability": "50%", "gap": 4}), 10_000);
        assert!(spaced.windows(2).all(|w| w[1] - w[0] >= 4));
        // a wait of 3, then a geometric one of mean 2
        let mean = 10_000.0 / spaced.len() as f64;
        assert!((mean - 5.0).abs() < 0.15, "{mean}");
    }

    #[test]
    fn a_correlation_keeps_the_share_of_the_candidates() {
        let n = 160_000;
        let places = ahead(json!({"probability": "20%", "correlation": "40%"}), n);
        let mut hits = vec![false; n as usize];
        places.iter().for_each(|at| hits[*at as usize] = true);
        assert_share(&hits, 0.2, 1.4 / 0.6);
        assert!((lag1(&hits) - 0.4).abs() < 0.02, "{}", lag1(&hits));
        // with a gap a candidate comes after each pick at the earliest 3 frames later
        let spaced = ahead(json!({"probability": "50%", "correlation": "60%", "gap": 4}), 10_000);
        assert!(spaced.windows(2).all(|w| w[1] - w[0] >= 4));
        // a run of picks: with 80 % the next candidate is picked too
        let direct = spaced.windows(2).filter(|w| w[1] - w[0] == 4).count() as f64 / spaced.len() as f64;
        assert!((direct - 0.8).abs() < 0.04, "{direct}");
    }

    #[test]
    fn scenario_forms() {
        let spec = ReorderSpec::independent(Chance("25%".parse().unwrap()), 1);
        assert_eq!(from_json(json!("25%")), Ok(spec.clone()));
        assert_eq!(from_json(json!({"probability": "25%", "gap": 5})), Ok(ReorderSpec { gap: 5, ..spec.clone() }));
        assert!(from_json::<ReorderSpec>(json!({"probability": "1%", "gap": 0})).unwrap_err().contains("1 or more"));
        assert_eq!(from_json(serde_json::to_value(&spec).unwrap()), Ok(spec.clone()));
        let all = json!({"probability": "1%", "correlation": "25%", "gap": 2, "only": "udp"});
        let spec: ReorderSpec = from_json(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), all);
    }
}
