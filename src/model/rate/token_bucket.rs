//! A token bucket, as tc-tbf(8) means it: bits pass as long as there are tokens for them, and tokens come at `rate` and
//! heap up to `burst`. With `peak`, they also pass no faster than that.
//!
//! The bucket is reckoned bit by bit: what has passed by any instant is the least of what the bucket and the peak allow.
//! Without `peak`, a frame no longer than `burst` then leaves exactly when tbf lets it go; with it, at most the time later
//! that it takes at that rate. Longer frames, which tbf drops, pass at `rate`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::constant::{Work, work};
use crate::units::{ByteSize, Duration, Instant, Rate};

/// A shaper in front of a wire. The bucket is full at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Long")]
pub struct TokenBucketSpec {
    /// What passes in the long run.
    pub rate: Rate,
    /// What may pass at once after a rest.
    pub burst: ByteSize,
    /// How fast the burst passes; without, in no time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<Rate>,
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Long {
    /// What passes in the long run.
    rate: Rate,
    /// What may pass at once after a rest.
    burst: ByteSize,
    /// How fast the burst passes, more than `rate`. Without, it passes in no time.
    peak: Option<Rate>,
}

impl TryFrom<Long> for TokenBucketSpec {
    type Error = String;
    fn try_from(Long { rate, burst, peak }: Long) -> Result<TokenBucketSpec, String> {
        if let Some(peak) = peak.filter(|peak| *peak <= rate) {
            return Err(format!("a `peak` of {peak} is not above the `rate` of {rate}: raise it, or take it away"));
        }
        if burst.as_bytes() > MAX_BURST {
            return Err(format!("a `burst` of {burst} is too large: at most {}", ByteSize::from_bytes(MAX_BURST)));
        }
        Ok(TokenBucketSpec { rate, burst, peak })
    }
}

/// Keeps sums of work exact.
const MAX_BURST: u64 = 1_000_000_000_000;

impl JsonSchema for TokenBucketSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenBucket".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Long::json_schema(generator)
    }
}

/// Tokens of one rate.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: Work,
    depth: Work,
    level: Work,
}

impl Bucket {
    fn new(rate: Rate, burst: ByteSize) -> Bucket {
        let depth = work(burst.as_bytes() * 8);
        Bucket { rate: Work::from(rate.as_bps()), depth, level: depth }
    }

    /// The tokens after `time` in which `spent` passes. What a whole nanosecond brings beyond is kept for the next frame, so
    /// that a backlog is exact however small the bucket.
    fn pass(&mut self, spent: Work, time: Duration) {
        let level = self.level + self.rate * Work::from(time.as_nanos());
        self.level = level.saturating_sub(spent).min(self.depth.max(self.rate - 1));
    }

    /// How long until there are tokens for so much, in whole nanoseconds, never too few.
    fn time_for(&self, work: Work) -> Duration {
        let missing = work.saturating_sub(self.level).div_ceil(self.rate);
        Duration::from_nanos(u64::try_from(missing).unwrap_or(u64::MAX))
    }

    fn fill(&mut self, time: Duration) {
        let more = self.level + self.rate * Work::from(time.as_nanos());
        self.level = more.min(self.depth.max(self.level));
    }
}

/// A token bucket at work.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    spec: TokenBucketSpec,
    /// As they are at `at`: those of `rate`, and those of `peak`.
    buckets: (Bucket, Option<Bucket>),
    at: Instant,
    /// What is being sent: how much, since when, and the buckets as they were then.
    sending: (Work, Instant, (Bucket, Option<Bucket>)),
}

impl TokenBucket {
    /// A full bucket at `now`.
    pub fn new(spec: TokenBucketSpec, now: Instant) -> TokenBucket {
        let buckets =
            (Bucket::new(spec.rate, spec.burst), spec.peak.map(|peak| Bucket::new(peak, ByteSize::default())));
        TokenBucket { spec, buckets, at: now, sending: (0, now, buckets) }
    }

    /// What it was made from, live changes included.
    pub fn spec(&self) -> TokenBucketSpec {
        self.spec
    }

    /// Changes the parameters in place: the tokens stay, as far as there is room for them.
    pub fn set(&mut self, spec: TokenBucketSpec, now: Instant) {
        self.advance(now);
        let level = self.buckets.0.level;
        *self = TokenBucket::new(spec, now);
        self.buckets.0.level = level.min(self.buckets.0.depth);
    }

    /// When so much is sent that starts at `start`.
    pub fn serve(&mut self, work: Work, start: Instant) -> Instant {
        self.advance(start);
        self.sending = (work, start, self.buckets);
        let (sustained, peak) = &mut self.buckets;
        let slowest = peak.iter().map(|peak| peak.time_for(work)).max().unwrap_or_default();
        let time = sustained.time_for(work).max(slowest);
        sustained.pass(work, time);
        peak.iter_mut().for_each(|peak| peak.pass(work, time));
        self.at = start + time;
        self.at
    }

    /// Takes what is being sent off the wire: how much of it is left at `now`.
    pub fn interrupt(&mut self, now: Instant) -> Work {
        let (work, start, (mut sustained, mut peak)) = self.sending;
        let time = now - start;
        let allowed = |bucket: &Bucket| bucket.level + bucket.rate * Work::from(time.as_nanos());
        let sent = peak.iter().map(allowed).fold(allowed(&sustained), Work::min).min(work);
        sustained.pass(sent, time);
        peak.iter_mut().for_each(|peak| peak.pass(sent, time));
        (self.buckets, self.at) = ((sustained, peak), now);
        work - sent
    }

    /// Nothing more is to be sent: the next frame starts on a whole nanosecond.
    pub fn rest(&mut self) {
        let (sustained, peak) = &mut self.buckets;
        for bucket in std::iter::once(sustained).chain(peak) {
            bucket.level = bucket.level.min(bucket.depth);
        }
    }

    fn advance(&mut self, now: Instant) {
        let time = now - self.at;
        self.buckets.0.fill(time);
        self.buckets.1.iter_mut().for_each(|peak| peak.fill(time));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use proptest::prelude::*;
    use serde_json::json;

    fn spec(rate: &str, burst: &str, peak: Option<&str>) -> TokenBucketSpec {
        TokenBucketSpec {
            rate: rate.parse().unwrap(),
            burst: burst.parse().unwrap(),
            peak: peak.map(|p| p.parse().unwrap()),
        }
    }

    /// When each of a train of frames leaves that starts at `start`, in ns.
    fn train(bucket: &mut TokenBucket, start: u64, bytes: &[u64]) -> Vec<u64> {
        let mut at = Instant::from_nanos(start);
        let done = bytes.iter().map(|bytes| {
            at = bucket.serve(work(bytes * 8), at);
            at.as_nanos()
        });
        let done = done.collect();
        bucket.rest();
        done
    }

    #[test]
    fn a_burst_passes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = TokenBucket::new(spec("8Mbit", "3000B", None), Instant::ZERO); // a byte a microsecond
        assert_eq!(train(&mut bucket, 0, &[1000; 5]), [0, 0, 0, 1_000_000, 2_000_000]);
        // half full after 1.5 ms
        assert_eq!(train(&mut bucket, 3_500_000, &[1000; 3]), [3_500_000, 4_000_000, 5_000_000]);
        // full and no fuller after an hour
        assert_eq!(train(&mut bucket, 3_600_000_000_000, &[1500, 1500, 1]).last(), Some(&3_600_000_001_000));
    }

    #[test]
    fn with_a_peak_the_burst_takes_its_time() {
        let mut bucket = TokenBucket::new(spec("8Mbit", "3000B", Some("80Mbit")), Instant::ZERO);
        // 100 µs each while there are tokens: 3,000 and what comes meanwhile
        assert_eq!(train(&mut bucket, 0, &[1000; 5]), [100_000, 200_000, 300_000, 1_000_000, 2_000_000]);
    }

    #[test]
    fn an_empty_bucket_is_a_constant_rate() {
        let rate: Rate = "7Mbit".parse().unwrap();
        let mut bucket = TokenBucket::new(spec("7Mbit", "0B", None), Instant::ZERO);
        let (mut sum, mut at) = (0u128, Instant::ZERO);
        for bytes in [1514u64, 60, 1, 999, 1514] {
            at = bucket.serve(work(bytes * 8), at);
            sum += u128::from(bytes) * 8 * 1_000_000_000;
            assert_eq!(u128::from(at.as_nanos()), sum.div_ceil(u128::from(rate.as_bps())));
        }
    }

    #[test]
    fn what_is_left_is_what_neither_bucket_let_pass() {
        let mut bucket = TokenBucket::new(spec("8Mbit", "1000B", None), Instant::ZERO);
        assert_eq!(bucket.serve(work(16_000), Instant::ZERO).as_nanos(), 1_000_000);
        assert_eq!(bucket.interrupt(Instant::from_nanos(400_000)), work(8 * 600));
        // the tokens are spent
        bucket.rest();
        assert_eq!(train(&mut bucket, 400_000, &[100]), [500_000]);

        let mut bucket = TokenBucket::new(spec("8Mbit", "1000B", Some("16Mbit")), Instant::ZERO);
        assert_eq!(bucket.serve(work(8000), Instant::ZERO).as_nanos(), 500_000);
        assert_eq!(bucket.interrupt(Instant::from_nanos(200_000)), work(8 * 600));
        // 1,000 + 200 came, 400 went
        assert_eq!(bucket.buckets.0.level, work(8 * 800));
    }

    #[test]
    fn a_change_keeps_the_tokens_that_fit() {
        let mut bucket = TokenBucket::new(spec("8Mbit", "3000B", None), Instant::ZERO);
        bucket.set(spec("8Mbit", "2000B", None), Instant::ZERO);
        assert_eq!(train(&mut bucket, 0, &[1000; 3]), [0, 0, 1_000_000]);
        bucket.set(spec("80Mbit", "9000B", None), Instant::from_nanos(1_000_000));
        assert_eq!(train(&mut bucket, 1_000_000, &[1000]), [1_100_000]);
    }

    proptest! {
        /// tbf's own definition: frames served at moments tᵢ conform if for any i ≤ k their sum is at most B + R (tₖ − tᵢ).
        /// At a peak, tᵢ is when a frame begins.
        #[test]
        fn every_interval_conforms_and_none_is_served_late(
            frames in prop::collection::vec((60u64..1600, prop_oneof![3 => Just(0u64), 1 => 0u64..5_000_000]), 1..60),
            bps in 1_000_000u64..100_000_000,
            burst in 1600u64..20_000,
            peak in prop::option::of(2u64..20),
        ) {
            let rate = Rate::from_bps(bps).unwrap();
            let peak = peak.map(|times| Rate::from_bps(bps * times).unwrap());
            let spec = TokenBucketSpec { rate, burst: ByteSize::from_bytes(burst), peak };
            let mut bucket = TokenBucket::new(spec, Instant::ZERO);
            let mut served: Vec<(u128, u128)> = Vec::new();
            let mut free = 0;
            let mut earliest = 0u64; // when a frame might have started
            for (bytes, gap) in frames {
                earliest = earliest.max(free) + if gap > 0 { gap } else { 0 };
                let start = Instant::from_nanos(earliest);
                if gap > 0 { bucket.rest(); }
                let done = bucket.serve(work(bytes * 8), start);
                free = done.as_nanos();
                // one nanosecond earlier some interval would not conform
                let mut tight = done == start;
                served.push((u128::from(free), work(bytes * 8)));
                let mut sum = 0;
                for i in (0..served.len()).rev() {
                    sum += served[i].1;
                    let time = u128::from(free) - served[i].0;
                    // the interval begins when the first of them does, which at the peak takes time
                    let own = peak.map_or(0, |peak| served[i].1.div_ceil(u128::from(peak.as_bps())));
                    let allowed = work(burst * 8) + u128::from(bps) * (time + own);
                    prop_assert!(sum <= allowed, "frame {} in {} ns", i, time);
                    tight |= sum + 2 * u128::from(bps) > allowed;
                    // those behind the first, which may have started before, at the peak; the first was done within the
                    // nanosecond before its instant
                    if let Some(peak) = peak {
                        let sent = sum - served[i].1;
                        prop_assert!(sent < u128::from(peak.as_bps()) * (time + 1), "peak from frame {}", i);
                    }
                }
                if let Some(peak) = peak {
                    let alone = work(bytes * 8).div_ceil(u128::from(peak.as_bps()));
                    tight |= u128::from(free - start.as_nanos()) <= alone;
                }
                // a full bucket at the start conforms too: nothing was served before time 0
                tight |= sum + u128::from(bps) > work(burst * 8) + u128::from(bps) * u128::from(free);
                prop_assert!(tight, "served later than it had to be");
            }
        }

        #[test]
        fn interrupting_and_going_on_is_no_change(
            bytes in 1u64..5000, burst in 0u64..4000, peak in prop::option::of(9u64..50), share in 0u64..1000,
        ) {
            let rate = |mega: u64| Rate::from_bps(mega * 1_000_000).unwrap();
            let spec = TokenBucketSpec { rate: rate(8), burst: ByteSize::from_bytes(burst), peak: peak.map(rate) };
            let mut whole = TokenBucket::new(spec, Instant::ZERO);
            let mut parts = whole.clone();
            let done = whole.serve(work(bytes * 8), Instant::ZERO);
            parts.serve(work(bytes * 8), Instant::ZERO);
            let now = Instant::from_nanos(done.as_nanos() * share / 1000);
            let left = parts.interrupt(now);
            prop_assert_eq!(parts.serve(left, now), done);
        }
    }

    #[test]
    fn scenario_forms() {
        let form = json!({"rate": "8Mbit", "burst": "3kB"});
        assert_eq!(from_json(form), Ok(spec("8Mbit", "3kB", None)));
        let with_peak = spec("8Mbit", "3kB", Some("9Mbit"));
        assert_eq!(from_json(serde_json::to_value(with_peak).unwrap()), Ok(with_peak));
        for (wrong, words) in [
            (json!({"rate": "8Mbit", "burst": "3kB", "peak": "8Mbit"}), "not above the `rate`"),
            (json!({"rate": "8Mbit"}), "missing field `burst`"),
            (json!({"rate": "8Mbit", "burst": 3000}), "write `3000B`"),
            (json!({"rate": "8Mbit", "burst": "2000GB"}), "too large"),
        ] {
            let error = from_json::<TokenBucketSpec>(wrong).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }
}
