//! What a scenario asks of a direction, in a few words: every parameter that decides is there.

use std::fmt::Write;

use serde_json::Value;

use super::requested::Requested;
use super::terminal::grouped;
use crate::engine::DirectionSpec;
use crate::model::share::Share;
use crate::model::table::{Interpolate, NamedFile as _};
use crate::model::{Chance, Correlation, DelaySpec, Distribution, Only, Order, RateSpec};
use crate::queue::{CodelSpec, FifoSpec, FqCodelSpec, PieSpec, QueueSpec, RedSpec};
use crate::units::{ByteSize, Duration};

/// The largest L3 packet where a link has no MTU of its own.
const ETHERNET_MTU: u32 = 1500;
/// Destination, source, EtherType.
const ETHERNET_HEADER: u64 = 14;

/// What a scenario asked of a direction, in a few words.
pub fn requested(requested: &Requested) -> String {
    match requested {
        Requested::Spec(spec) => spec_words(spec),
        // A report that was read back has it as it is written.
        Requested::Json(value) => value.to_string(),
    }
}

/// The same of a spec.
pub fn spec_words(spec: &DirectionSpec) -> String {
    let words = spec_parts(spec);
    if words.is_empty() { "nothing".into() } else { words.join(", ") }
}

/// A few words for each effect that is asked for.
pub(crate) fn spec_parts(spec: &DirectionSpec) -> Vec<String> {
    let mut words = Vec::new();
    words.extend(delay(&spec.delay));
    if spec.rate != RateSpec::Unlimited {
        words.push(format!("{} {}", spec.rate.words(), spec.framing.words()).trim_end().to_owned());
        if spec.half_duplex {
            words.push("half-duplex".into());
        }
    }
    if !spec.loss.is_none() {
        words.push(format!("loss {}", spec.loss));
    }
    for (name, impairment) in spec.impairments.active() {
        let Share { probability, correlation, only: of } = impairment.share();
        let more = impairment.words().map(|words| format!(" {words}")).unwrap_or_default();
        words.push(format!("{name} {}{more}{}", share(probability, correlation), only(of)));
    }
    words.extend(spec.queue.map(|queue| format!("{}{}", queue_words(&queue), at_least(spec, &queue))));
    if let Some(mtu) = spec.mtu {
        words.push(format!("mtu {mtu}"));
    }
    words
}

/// A probability, and how much a frame says of the next.
fn share(probability: Chance, correlation: Correlation) -> String {
    match correlation.is_none() {
        true => probability.0.to_string(),
        false => format!("{} correlated {correlation}", probability.0),
    }
}

/// What `min_packets` adds to a queue: on a slow wire full frames take longer than its `time`.
fn at_least(spec: &DirectionSpec, queue: &QueueSpec) -> String {
    let (QueueSpec::Fifo(fifo) | QueueSpec::DropHead(fifo)) = queue else { return String::new() };
    let (Some(time), 1..) = (fifo.time, fifo.min_packets) else { return String::new() };
    let packets = fifo.min_packets;
    let Some(rate) = spec.rate.nominal() else { return format!(" at least {packets} packets") };
    let frame = u64::from(spec.largest().unwrap_or(ETHERNET_MTU)) + ETHERNET_HEADER;
    let takes = rate.time_for(ByteSize::from_bytes(spec.framing.on_wire(frame) * u64::from(packets)));
    match takes > time {
        true => {
            let takes = Duration::from_millis(takes.as_nanos().div_ceil(1_000_000));
            format!(" at least {packets} packets (up to {takes} of {} bytes)", grouped(frame))
        }
        false => String::new(),
    }
}

/// The frames that a model is for, if not all.
fn only(only: Option<&Only>) -> String {
    only.map(|only| format!(" only {only}")).unwrap_or_default()
}

/// `None` where frames travel no time.
pub(crate) fn delay(spec: &DelaySpec) -> Option<String> {
    let mut words = match (&spec.samples, &spec.trace) {
        (Some(samples), _) => format!("delays of {}", samples.path()),
        (None, Some(trace)) => {
            let (repeat, interpolate) = (trace.spec().repeat, trace.spec().interpolate);
            let between = if interpolate == Interpolate::Linear { " linear" } else { "" };
            format!("delay over time of {}{repeat}{between}", trace.path())
        }
        (None, None) if spec.is_constant() && spec.mean == Duration::ZERO => return None,
        (None, None) => spec.mean.to_string(),
    };
    if spec.jitter > Duration::ZERO {
        let _ = write!(words, " ±{}", spec.jitter);
        match &spec.distribution {
            Distribution::Uniform => {}
            Distribution::Normal => words.push_str(" σ"),
            other => {
                let _ = write!(words, " {other}");
            }
        }
    }
    if !spec.is_constant() {
        if !spec.correlation.is_none() {
            let _ = write!(words, " correlated {}", spec.correlation);
        }
        if spec.order == Order::Free {
            words.push_str(" free");
        }
    }
    words.push_str(&only(spec.only.as_ref()));
    Some(words)
}

/// A queue by its name, with its limits or with what differs from its defaults.
fn queue_words(queue: &QueueSpec) -> String {
    let limits = |name: &str, limits: &FifoSpec| {
        if *limits == FifoSpec::UNLIMITED {
            return format!("{name} unlimited");
        }
        let FifoSpec { packets, bytes, time, .. } = limits;
        let packets = packets.map(|n| format!(" {n} packets")).unwrap_or_default();
        let bytes = bytes.map(|n| format!(" {n}")).unwrap_or_default();
        let time = time.map(|t| format!(" {t}")).unwrap_or_default();
        format!("{name}{packets}{bytes}{time}")
    };
    match queue {
        QueueSpec::Fifo(spec) => limits("fifo", spec),
        QueueSpec::DropHead(spec) => limits("drop_head", spec),
        QueueSpec::Red(spec) => {
            let defaults = RedSpec { limit: ByteSize::default(), ..RedSpec::within(spec.limit) };
            // what follows from the limit decides as much
            let bytes = |bytes| Some(ByteSize::from_bytes(bytes));
            let whole = RedSpec { min: bytes(spec.min_bytes()), max: bytes(spec.max_bytes()), ..*spec };
            format!("red{}", differences(&whole, &defaults))
        }
        QueueSpec::Codel(spec) => format!("codel{}", differences(spec, &CodelSpec::default())),
        QueueSpec::FqCodel(spec) => format!("fq_codel{}", differences(spec, &FqCodelSpec::default())),
        QueueSpec::Pie(spec) => format!("pie{}", differences(spec, &PieSpec::default())),
    }
}

/// The fields of `spec` that are others than in `defaults`: ` target 10ms ecn`.
fn differences<T: serde::Serialize>(spec: &T, defaults: &T) -> String {
    let fields = |spec: &T| match serde_json::to_value(spec) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let defaults = fields(defaults);
    let mut words = String::new();
    for (name, value) in fields(spec).iter().filter(|(name, value)| defaults.get(*name) != Some(value)) {
        let _ = match value {
            Value::Bool(true) => write!(words, " {name}"),
            Value::Bool(false) => write!(words, " no {name}"),
            Value::String(text) => write!(words, " {name} {text}"),
            other => write!(words, " {name} {other}"),
        };
    }
    words
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

    fn words(fields: &str) -> String {
        let text = format!(
            "longwire: 1\nduration: 1s\nnodes: {{ a: host, b: host }}\nlinks: {{ l: {{ ends: [a, b], {fields} }} }}\n"
        );
        let resolved = load(Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default());
        let resolved = resolved.unwrap_or_else(|(wrong, _)| panic!("{fields}: {wrong:?}"));
        spec_words(&resolved.plan.links[0].directions[0])
    }

    #[test]
    fn every_parameter_that_decides_is_there() {
        let all = [
            "loss: { gilbert_elliott: { p: 2%, r: 20%, good_loss: 0.1% } }",
            "loss: { markov4: { p13: 1%, p31: 30%, p32: 5% } }",
            "loss: { random: { rate: 5%, correlation: 30% } }",
            "loss: { frames: [3, 7-9, 20, 30, 40, 50] }",
            "loss: { outage: { up: 10s, down: 500ms, distribution: exponential } }",
            "delay: 5ms, reorder: { probability: 1%, gap: 5, correlation: 10% }",
            "corrupt: { probability: 1%, bits: 3 }, duplicate: { probability: 1%, correlation: 50% }",
            "delay: { mean: 5ms, jitter: 1ms, distribution: pareto }",
            "delay: { mean: 5ms, jitter: 1ms, distribution: { gamma: { min: 2ms } } }",
            "rate: 365kbit",
            "rate: 20Mbit",
            "rate: 365kbit, mtu: 1280",
            "rate: 1Mbit, queue: { red: { limit: 120kB } }",
            "rate: 1Mbit, queue: codel",
            "rate: 1Mbit, queue: { codel: { target: 10ms, ecn: true } }",
            "rate: 1Mbit, framing: { atm: pppoa_vc_mux }",
            "rate: 1Mbit, framing: { overhead: 8B, cell_size: 48B, cell_overhead: 5B }",
            "rate: { schedule: { steps: [{ at: 0s, rate: 1Mbit }, { at: 1s, rate: 2Mbit }], repeat: 4s } }",
        ];
        let told: Vec<String> = all.iter().map(|fields| format!("{fields}\n  {}", words(fields))).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
