//! Resets of TCP connections, as toxiproxy's `reset_peer` means them: the segment that was picked is dropped, and both ends
//! are told that the connection is over. Where nothing is TCP, and for a reset itself, nothing happens.
//!
//! [`crate::wire::reset`] says which numbers the resets have, so that both ends believe them.

use super::chain::Correlation;
use super::chance::Chance;
use super::only::Only;
use super::share::{Impairment, Passing, share_of_frames};
use crate::frame::FramePool;
use crate::rng::FrameRng;
use crate::wire::reset::Segment;

share_of_frames! {
    /// TCP segments in place of which both ends get a reset. Short forms: a probability, as in `reset: 1%`, or `none`.
    ResetSpec, "Reset", "TCP connections that are reset: at `1%` of the frames, a map, or `none`.", "a reset", "1%"
}

impl Impairment for ResetSpec {
    fn apply(&self, _: FrameRng, passing: &mut Passing, pool: &mut FramePool) {
        let mut frame = Vec::new();
        pool.view(&passing.frame).write_wire_frame(&mut frame);
        passing.reset = Segment::new(&frame).is_some().then(|| frame.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::{StreamKey, Way};
    use crate::wire::testing::real_frames;
    use serde_json::json;

    #[test]
    fn a_segment_is_reset_and_nothing_else_is() {
        let mut pool = FramePool::default();
        for bytes in real_frames() {
            let mut passing = Passing::new(pool.store(&bytes).unwrap());
            let rng = StreamKey::new(1, "link", Way::Forward, "reset").frame(0, 0);
            ResetSpec::default().apply(rng, &mut passing, &mut pool);
            let tcp = Segment::new(&bytes).is_some();
            assert_eq!(passing.reset.as_deref(), tcp.then_some(&bytes[..]));
            assert!(!passing.is_alone());
            pool.release(passing.frame);
        }
    }

    #[test]
    fn scenario_forms() {
        let one = ResetSpec::independent(Chance("1%".parse().unwrap()));
        assert_eq!(from_json(json!("1%")), Ok(one.clone()));
        assert_eq!(serde_json::to_value(&one).unwrap(), json!("1%"));
        let all = json!({"probability": "1%", "only": {"tcp_flags": "psh"}});
        let spec: ResetSpec = from_json(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), all);
        assert!(from_json::<ResetSpec>(json!({"rate": "1%"})).unwrap_err().contains("unknown field `rate`"));
    }
}
