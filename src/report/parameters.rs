//! What a scenario asks of a direction in one form, whatever the scenario's own: every effect is a map with the name of its
//! `model`, loss a list of such, and every parameter is there, given or by default.
//!
//! Numbers are in one unit each: `…_ns`, `…_bps`, `…_bytes`; probabilities, correlations and shares are of one.

use serde_json::{Map, Value, json};

use crate::engine::DirectionSpec;
use crate::model::loss::LossModel;
use crate::model::loss::outage::Durations;
use crate::model::over_time::{Course, Level};
use crate::model::rate::slots::{Distance, SlotDistribution, SlotsSpec};
use crate::model::table::{FileOf, Interpolate, NamedFile as _, Repeat};
use crate::model::{DelaySpec, Distribution, Framing, LossSpec, Only, Order, RateSpec};
use crate::queue::{FifoSpec, QueueSpec};
use crate::units::{ByteSize, Duration, Rate};

/// Of one direction. What was not asked for is left out.
pub fn parameters(spec: &DirectionSpec) -> Value {
    let mut all = Map::new();
    let mut add = |name: &str, value: Value| all.insert(name.to_owned(), value);
    if let Some(mtu) = spec.mtu {
        add("mtu_bytes", mtu.into());
    }
    if spec.rate != RateSpec::Unlimited {
        add("rate", rate(&spec.rate));
        add("framing", framing(spec.framing));
        add("half_duplex", spec.half_duplex.into());
    }
    if let Some(queue) = &spec.queue {
        add("queue", self::queue(queue));
    }
    if !spec.loss.is_none() {
        add("loss", loss(&spec.loss));
    }
    for (name, impairment) in spec.impairments.active() {
        let share = impairment.share();
        let first = json!({ "probability": share.probability.0.as_f64(), "correlation": share.correlation.as_f64() });
        let more = impairment.parameters().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        add(name, joined(first, [Value::Object(more), of(share.only)]));
    }
    if !spec.delay.is_constant() || spec.delay.mean > Duration::ZERO {
        add("delay", delay(&spec.delay));
    }
    Value::Object(all)
}

/// One map of several.
fn joined<const N: usize>(mut first: Value, more: [Value; N]) -> Value {
    for other in more {
        if let (Value::Object(first), Value::Object(other)) = (&mut first, other) {
            first.extend(other);
        }
    }
    first
}

fn of(only: Option<&Only>) -> Value {
    only.map_or_else(|| json!({}), |only| json!({ "only": only.to_string() }))
}

fn ns(time: Duration) -> u64 {
    time.as_nanos()
}

fn bytes(size: Option<ByteSize>) -> Option<u64> {
    size.map(ByteSize::as_bytes)
}

fn bps(rate: Option<Rate>) -> Option<u64> {
    rate.map(Rate::as_bps)
}

fn rate(spec: &RateSpec) -> Value {
    match spec {
        RateSpec::Unlimited => Value::Null,
        RateSpec::Constant(rate) => json!({ "model": "constant", "rate_bps": rate.as_bps() }),
        RateSpec::TokenBucket(spec) => json!({
            "model": "token_bucket", "rate_bps": spec.rate.as_bps(), "burst_bytes": spec.burst.as_bytes(), "peak_bps": bps(spec.peak),
        }),
        RateSpec::Trace(file) => json!({ "model": "trace", "file": file.path(), "mean_bps": bps(spec.nominal()) }),
        RateSpec::Schedule(schedule) => {
            let (repeat, every) = match schedule.repeat() {
                Repeat::Never => ("never", None),
                Repeat::AtEnd => ("at_end", None),
                Repeat::Every(time) => ("every", Some(ns(time))),
            };
            json!({
                "model": "schedule", "file": schedule.source(), "steps": schedule.count(), "repeat": repeat,
                "repeat_ns": every, "mean_bps": bps(spec.nominal()),
            })
        }
        RateSpec::Slots(spec) => slots(spec),
    }
}

/// After how long the rows of a file begin anew.
fn round<T: Level>(file: &FileOf<Course<T>>) -> Option<u64> {
    file.table().and_then(|course| course.round()).map(ns)
}

fn slots(spec: &SlotsSpec) -> Value {
    let distance = match spec.distance {
        Distance::Between(min, max) => {
            json!({ "distribution": "uniform", "min_ns": ns(min), "max_ns": ns(max) })
        }
        Distance::Around { mean, jitter, distribution } => {
            let word = match distribution {
                SlotDistribution::Uniform => "uniform",
                SlotDistribution::Normal => "normal",
            };
            json!({ "distribution": word, "mean_ns": ns(mean), "jitter_ns": ns(jitter) })
        }
    };
    let limits = json!({ "packets": spec.packets, "bytes": bytes(spec.bytes), "rate_bps": bps(spec.rate) });
    joined(json!({ "model": "slots" }), [distance, limits])
}

fn framing(framing: Framing) -> Value {
    match framing {
        Framing::None => json!({ "model": "none" }),
        Framing::Ethernet => json!({ "model": "ethernet" }),
        Framing::Overhead(more) => json!({ "model": "overhead", "overhead_bytes": more }),
        Framing::Atm(encapsulation) => json!({ "model": "atm", "encapsulation": encapsulation }),
        Framing::Own(own) => json!({
            "model": "own", "overhead_bytes": own.overhead, "minimum_bytes": own.minimum, "cell_bytes": own.cell_size,
            "cell_overhead_bytes": own.cell_overhead,
        }),
    }
}

fn queue(queue: &QueueSpec) -> Value {
    let limits = |model: &str, FifoSpec { packets, bytes: size, time, min_packets }: &FifoSpec| {
        json!({
            "model": model, "packets": packets, "bytes": bytes(*size), "time_ns": time.map(ns), "min_packets": min_packets,
        })
    };
    match queue {
        QueueSpec::Fifo(spec) => limits("fifo", spec),
        QueueSpec::DropHead(spec) => limits("drop_head", spec),
        QueueSpec::Red(spec) => json!({
            "model": "red", "limit_bytes": spec.limit.as_bytes(), "min_bytes": spec.min_bytes(), "max_bytes": spec.max_bytes(),
            "probability": spec.probability.as_f64(), "avpkt_bytes": spec.avpkt.as_bytes(), "weight": spec.weight.as_f64(),
            "adaptive": spec.adaptive, "ecn": spec.ecn,
        }),
        QueueSpec::Codel(spec) => json!({
            "model": "codel", "target_ns": ns(spec.target), "interval_ns": ns(spec.interval), "packets": spec.limit,
            "ecn": spec.ecn,
        }),
        QueueSpec::FqCodel(spec) => json!({
            "model": "fq_codel", "flows": spec.flows, "quantum_bytes": spec.quantum.as_bytes(),
            "target_ns": ns(spec.target), "interval_ns": ns(spec.interval), "packets": spec.limit,
            "memory_bytes": spec.memory.as_bytes(), "ecn": spec.ecn,
        }),
        QueueSpec::Pie(spec) => {
            // gains are numbers in the scenario's own form too; what a queue has more of is in there
            let mut own = serde_json::to_value(spec).unwrap_or(Value::Null);
            let times = [("target", spec.target), ("tupdate", spec.tupdate), ("burst", spec.burst)];
            if let Value::Object(fields) = &mut own {
                for (name, time) in times {
                    fields.remove(name);
                    fields.insert(format!("{name}_ns"), ns(time).into());
                }
                fields.remove("limit");
                fields.insert("packets".into(), spec.limit.into());
                fields.insert("ecn_threshold".into(), spec.ecn_threshold.as_f64().into());
            }
            joined(json!({ "model": "pie" }), [own])
        }
    }
}

fn loss(spec: &LossSpec) -> Value {
    let rule = |rule: &crate::model::loss::LossRule| joined(loss_model(&rule.model), [of(rule.only.as_ref())]);
    spec.0.iter().map(rule).collect()
}

fn loss_model(model: &LossModel) -> Value {
    match model {
        LossModel::Random(spec) => {
            json!({ "model": "random", "rate": spec.rate.as_f64(), "correlation": spec.correlation.as_f64() })
        }
        LossModel::Burst(spec) => {
            json!({ "model": "burst", "rate": spec.rate.as_f64(), "mean_length": spec.mean_length })
        }
        LossModel::GilbertElliott(spec) => json!({
            "model": "gilbert_elliott", "p": spec.p.as_f64(), "r": spec.r.as_f64(), "bad_loss": spec.bad_loss.as_f64(),
            "good_loss": spec.good_loss.as_f64(),
        }),
        LossModel::Markov4(spec) => json!({
            "model": "markov4", "p13": spec.p13.as_f64(), "p31": spec.p31.as_f64(), "p32": spec.p32.as_f64(),
            "p23": spec.p23.as_f64(), "p14": spec.p14.as_f64(),
        }),
        LossModel::BitErrorRate(rate) => json!({ "model": "bit_error_rate", "rate": rate.as_f64() }),
        LossModel::Every(every) => json!({ "model": "every", "every": every.0 }),
        LossModel::Frames(frames) => {
            let ranges: Vec<[u64; 2]> = frames.ranges().iter().map(|range| [*range.start(), *range.end()]).collect();
            json!({ "model": "frames", "frames": ranges })
        }
        LossModel::Outage(spec) => {
            let word = match spec.distribution {
                Durations::Constant => "constant",
                Durations::Exponential => "exponential",
            };
            json!({ "model": "outage", "up_ns": ns(spec.up), "down_ns": ns(spec.down), "distribution": word })
        }
        LossModel::Trace(spec) => {
            json!({ "model": "trace", "file": spec.path(), "repeat_ns": round(spec) })
        }
    }
}

fn delay(spec: &DelaySpec) -> Value {
    let order = match spec.order {
        Order::Keep => "keep",
        Order::Free => "free",
    };
    let common = joined(json!({ "correlation": spec.correlation.as_f64(), "order": order }), [of(spec.only.as_ref())]);
    if let Some(samples) = &spec.samples {
        let own = json!({ "model": "samples", "file": samples.path(), "mean_ns": ns(spec.average()) });
        return joined(own, [common]);
    }
    let around = joined(json!({ "jitter_ns": ns(spec.jitter) }), [distribution(&spec.distribution)]);
    let own = match &spec.trace {
        Some(trace) => {
            let between = match trace.spec().interpolate {
                Interpolate::Step => "step",
                Interpolate::Linear => "linear",
            };
            json!({ "model": "trace", "file": trace.path(), "repeat_ns": round(trace), "interpolate": between })
        }
        None => json!({ "model": "mean", "mean_ns": ns(spec.mean) }),
    };
    joined(own, [around, common])
}

fn distribution(distribution: &Distribution) -> Value {
    let more = match distribution {
        Distribution::Pareto(spec) => json!({ "shape": spec.shape.as_f64() }),
        Distribution::Lognormal(spec) | Distribution::Gamma(spec) | Distribution::Weibull(spec) => {
            json!({ "min_ns": ns(spec.min) })
        }
        Distribution::Table(file) => json!({ "table": file.path() }),
        _ => json!({}),
    };
    joined(json!({ "distribution": distribution.word() }), [more])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

    fn of(fields: &str) -> Value {
        let text = format!(
            "longwire: 1\nduration: 1s\nnodes: {{ a: host, b: host }}\nlinks: {{ l: {{ ends: [a, b], {fields} }} }}\n"
        );
        let resolved = load(Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default());
        let resolved = resolved.unwrap_or_else(|(wrong, _)| panic!("{fields}: {wrong:?}"));
        parameters(&resolved.plan.links[0].directions[0])
    }

    #[test]
    fn a_short_form_and_its_long_form_are_the_same() {
        for (short, long) in [
            ("loss: 5%", "loss: [{ random: { rate: 5% } }]"),
            ("delay: 20ms", "delay: { mean: 20ms }"),
            ("rate: 1Mbit", "rate: { constant: 1Mbit }, queue: { fifo: { time: 200ms, min_packets: 10 } }"),
            ("rate: 1Mbit, queue: codel", "rate: 1Mbit, queue: { codel: { target: 5ms, interval: 100ms } }"),
            ("reorder: 25%, delay: 1ms", "reorder: { probability: 25%, gap: 1 }, delay: 1ms"),
        ] {
            assert_eq!(of(short), of(long), "{short}");
        }
        assert_eq!(of("delay: 0ms"), json!({}));
    }

    #[test]
    fn parameters_that_nobody_gave_are_there() {
        let ge = of("loss: { gilbert_elliott: { p: 2%, r: 20% } }");
        let expected = json!([{ "model": "gilbert_elliott", "p": 0.02, "r": 0.2, "bad_loss": 1.0, "good_loss": 0.0 }]);
        assert_eq!(ge["loss"], expected);
        let markov = of("loss: { markov4: { p13: 1%, p31: 30%, p32: 5% } }");
        assert_eq!((&markov["loss"][0]["p32"], &markov["loss"][0]["p23"]), (&json!(0.05), &json!(1.0)));
        assert_eq!(of("delay: 5ms, reorder: { probability: 1%, gap: 5 }")["reorder"]["gap"], 5);
        let shaped = of("rate: 1Mbit");
        assert_eq!(shaped["queue"]["min_packets"], 10);
        assert_eq!(shaped["queue"]["time_ns"], 200_000_000);
        assert_eq!(shaped["rate"], json!({ "model": "constant", "rate_bps": 1_000_000 }));
        let red = of("rate: 1Mbit, queue: { red: { limit: 120kB } }");
        assert_eq!((&red["queue"]["max_bytes"], &red["queue"]["min_bytes"]), (&json!(30_000), &json!(10_000)));
        let pie = of("rate: 1Mbit, queue: pie");
        assert_eq!((&pie["queue"]["tupdate_ns"], &pie["queue"]["alpha"]), (&json!(15_000_000), &json!(0.125)));
        let delay = of("delay: { mean: 5ms, jitter: 1ms, distribution: pareto }");
        assert_eq!((&delay["delay"]["shape"], &delay["delay"]["order"]), (&json!(3.0), &json!("keep")));
    }

    /// Every number says its unit, or is a count or a share.
    #[test]
    fn no_text_is_a_quantity() {
        let all =
            of("delay: { mean: 5ms, jitter: 1ms }, loss: 1%, rate: { token_bucket: { rate: 1Mbit, burst: 4kB } }, \
                      queue: fq_codel, corrupt: 1%, duplicate: 1%, mtu: 1400, framing: ethernet");
        let mut texts = Vec::new();
        fn gather(value: &Value, texts: &mut Vec<String>) {
            match value {
                Value::String(text) => texts.push(text.clone()),
                Value::Array(list) => list.iter().for_each(|one| gather(one, texts)),
                Value::Object(map) => map.values().for_each(|one| gather(one, texts)),
                _ => {}
            }
        }
        gather(&all, &mut texts);
        texts.sort();
        assert_eq!(texts, ["ethernet", "fq_codel", "keep", "mean", "random", "token_bucket", "uniform"]);
    }
}
