//! How a later layer of values goes over an earlier one: key by key, so that what it does not mention stays.
//!
//! Layers of a link's direction, from the bottom: profile, the profile's side (`down`, `up`), the link's own fields, the
//! link's `toward`. What the user wrote for both directions stands above what a preset says of one: a field in the file
//! is never ignored in favour of a preset.

use super::tree::{Entry, Node, Value};
use crate::model::Impairments;

/// Fields whose map form names a choice: another choice replaces, the same merges inside.
const TAGGED: [&str; 3] = ["loss", "rate", "queue"];

/// `top` over `base`: maps key by key, all else replaced.
pub(crate) fn over(base: Node, top: Node) -> Node {
    merge_entries(base, top, |_, below, above| over(below, above))
}

/// The fields of one link, or of one of its directions, over others.
pub(crate) fn link(mut base: Node, top: Node) -> Node {
    // `rtt` and `delay.mean` are two spellings of one thing: the later layer's stands.
    if top.get("rtt").is_some() {
        displace_mean(&mut base);
    }
    if top.get("delay").is_some_and(|delay| mean_of(delay).is_some()) {
        base.remove("rtt");
    }
    merge_entries(base, top, |key, below, above| match key {
        "delay" => delay(below, above),
        _ if Impairments::NAMES.contains(&key) => {
            over_beside_only(as_map(below, "probability"), as_map(above, "probability"))
        }
        "toward" => merge_entries(below, above, |_, below, above| link(below, above)),
        "rate" => choice(without_rivals(below, &above), above),
        _ if TAGGED.contains(&key) => choice(below, above),
        _ => above,
    })
}

/// A whole file over another that it uses.
pub(crate) fn file(base: Node, top: Node) -> Node {
    merge_entries(base, top, |section, below, above| match section {
        "links" => merge_entries(below, above, |_, below, above| link(below, above)),
        "nodes" => merge_entries(below, above, |_, below, above| choice(below, above)),
        "services" | "workloads" | "params" | "matrix" | "validity" | "addressing" => over(below, above),
        _ => above,
    })
}

/// Which keys of a delay below give way to which above: there are three ways to say how long a frame travels.
const DISPLACED: [(&str, &[&str]); 5] = [
    ("mean", &["trace", "samples"]),
    ("trace", &["mean", "samples"]),
    ("samples", &["mean", "trace", "jitter", "distribution"]),
    ("jitter", &["samples"]),
    ("distribution", &["samples"]),
];

/// A delay over another.
fn delay(below: Node, above: Node) -> Node {
    let (mut below, above) = (as_delay_map(below), as_delay_map(above));
    for (_, displaced) in DISPLACED.iter().filter(|(key, _)| above.get(key).is_some()) {
        for key in *displaced {
            below.remove(key);
        }
    }
    merge_entries(below, above, |key, below, above| match key {
        "trace" => over(as_map(below, "file"), as_map(above, "file")),
        "distribution" => choice(below, above),
        _ => above,
    })
}

/// The node that says how long a frame travels, if a delay does: its mean, or what stands in its place.
pub(crate) fn mean_of(delay: &Node) -> Option<&Node> {
    match &delay.value {
        Value::Scalar(_) => Some(delay),
        Value::Map(_) => ["mean", "trace", "samples"].iter().find_map(|key| delay.get(key)),
        _ => None,
    }
}

/// `5ms` as `{ mean: 5ms }`. `none` stays: it takes a lower layer's jitter away too.
pub(crate) fn as_delay_map(delay: Node) -> Node {
    as_map(delay, "mean")
}

/// A short form as the map in which it says `key`. `none` stays.
fn as_map(node: Node, key: &str) -> Node {
    if node.as_text().is_none_or(|text| text == "none") {
        return node;
    }
    if node.entries().is_some() || node.pruned {
        return node;
    }
    let mut map = Node::empty_map(node.span, node.origin.clone());
    map.set(Entry { key: key.into(), key_span: node.span, value: node });
    map
}

fn displace_mean(fields: &mut Node) {
    fields.remove("rtt");
    let Some(Entry { key, key_span, value }) = fields.remove("delay") else { return };
    let mut delay = as_delay_map(value);
    for key in ["mean", "trace", "samples"] {
        delay.remove(key);
    }
    if delay.entries().is_some_and(|entries| !entries.is_empty()) {
        fields.set(Entry { key, key_span, value: delay });
    }
}

/// Keys of a rate that say the same in two ways, by the kind of rate: the later layer's stand.
const RIVALS: [(&str, [&[&str]; 2]); 2] =
    [("slots", [&["min", "max"], &["mean", "jitter", "distribution"]]), ("schedule", [&["steps"], &["file"]])];

/// A rate without what `above` says in another way.
fn without_rivals(mut below: Node, above: &Node) -> Node {
    for (kind, [one, other]) in RIVALS {
        let (Some(new), Some(mut entry)) = (above.get(kind), below.entry(kind).cloned()) else { continue };
        for (said, rivals) in [(one, other), (other, one)] {
            if said.iter().any(|key| new.get(key).is_some()) {
                rivals.iter().for_each(|rival| drop(entry.value.remove(rival)));
            }
        }
        below.set(entry);
    }
    below
}

/// Of two choices the later; if both are the same one, its fields over the earlier's. `only` stands beside a choice, and
/// goes with it.
fn choice(below: Node, above: Node) -> Node {
    fn chosen(node: &Node) -> Option<&str> {
        let mut keys = node.entries()?.iter().map(|entry| entry.key.as_str()).filter(|key| *key != "only");
        keys.next().filter(|_| keys.next().is_none())
    }
    match (chosen(&below), chosen(&above)) {
        (Some(b), Some(a)) if b == a => over_beside_only(below, above),
        _ => above,
    }
}

/// One model over another of its kind. `only` is one thing: what stands above replaces it.
fn over_beside_only(below: Node, above: Node) -> Node {
    merge_entries(below, above, |key, below, above| match key {
        "only" => above,
        _ => over(below, above),
    })
}

fn merge_entries(mut base: Node, top: Node, merge: impl Fn(&str, Node, Node) -> Node) -> Node {
    if !matches!((&base.value, &top.value), (Value::Map(_), Value::Map(_))) {
        return top;
    }
    base.span = top.span;
    base.origin = top.origin;
    let Value::Map(entries) = top.value else { return base };
    for Entry { key, key_span, value } in entries {
        let value = match base.get(&key) {
            Some(below) => merge(&key, below.clone(), value),
            None => value,
        };
        base.set(Entry { key, key_span, value });
    }
    base
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Diagnostics, Sources};
    use crate::language::parse::parse;
    use crate::language::tree::Origin;

    fn tree(text: &str) -> Node {
        let mut sources = Sources::default();
        let source = sources.add("test.yaml", text);
        parse(&sources, source, &Origin::File, &mut Diagnostics::default()).unwrap()
    }

    fn show(node: &Node) -> String {
        match &node.value {
            Value::Null => "null".into(),
            Value::Scalar(scalar) => scalar.text.clone(),
            Value::Seq(nodes) => format!("[{}]", nodes.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(entries) => {
                let entries: Vec<_> = entries.iter().map(|e| format!("{}: {}", e.key, show(&e.value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    fn merged(base: &str, top: &str) -> String {
        show(&link(tree(base), tree(top)))
    }

    #[test]
    fn a_short_delay_leaves_the_jitter_below() {
        assert_eq!(merged("delay: { mean: 30ms, jitter: 8ms }", "delay: 5ms"), "{delay: {mean: 5ms, jitter: 8ms}}");
        assert_eq!(merged("delay: 30ms", "delay: { jitter: 1ms }"), "{delay: {mean: 30ms, jitter: 1ms}}");
        assert_eq!(merged("delay: { mean: 30ms, jitter: 8ms }", "delay: none"), "{delay: none}");
        assert_eq!(merged("delay: none", "delay: { jitter: 1ms }"), "{delay: {jitter: 1ms}}");
    }

    #[test]
    fn of_three_ways_to_say_how_long_the_later_stands() {
        assert_eq!(merged("delay: { samples: a.csv, order: free }", "delay: 5ms"), "{delay: {order: free, mean: 5ms}}");
        assert_eq!(
            merged("delay: { mean: 9ms, jitter: 1ms, correlation: 5% }", "delay: { samples: a.csv }"),
            "{delay: {correlation: 5%, samples: a.csv}}"
        );
        assert_eq!(
            merged("delay: { mean: 9ms, jitter: 1ms }", "delay: { trace: a.csv }"),
            "{delay: {jitter: 1ms, trace: a.csv}}"
        );
        assert_eq!(merged("delay: { samples: a.csv }", "delay: { jitter: 1ms }"), "{delay: {jitter: 1ms}}");
        assert_eq!(merged("delay: { trace: a.csv, jitter: 1ms }", "rtt: 10ms"), "{delay: {jitter: 1ms}, rtt: 10ms}");
        assert_eq!(merged("rtt: 10ms", "delay: { trace: a.csv }"), "{delay: {trace: a.csv}}");
        assert_eq!(merged("delay: { samples: a.csv }", "delay: none"), "{delay: none}");
        assert_eq!(merged("delay: none", "delay: { samples: a.csv }"), "{delay: {samples: a.csv}}");
    }

    #[test]
    fn a_delays_trace_and_distribution_merge_inside() {
        assert_eq!(
            merged("delay: { trace: a.csv }", "delay: { trace: { repeat: 9s } }"),
            "{delay: {trace: {file: a.csv, repeat: 9s}}}"
        );
        assert_eq!(
            merged("delay: { trace: { file: a.csv, repeat: 9s } }", "delay: { trace: b.csv }"),
            "{delay: {trace: {file: b.csv, repeat: 9s}}}"
        );
        assert_eq!(
            merged("delay: { distribution: { pareto: { shape: 4 } } }", "delay: { distribution: { gamma: {} } }"),
            "{delay: {distribution: {gamma: {}}}}"
        );
    }

    #[test]
    fn another_choice_replaces_and_the_same_merges() {
        assert_eq!(merged("loss: { burst: { rate: 1%, length: 4 } }", "loss: 2%"), "{loss: 2%}");
        assert_eq!(merged("loss: { burst: { rate: 1% } }", "loss: none"), "{loss: none}");
        assert_eq!(
            merged("loss: { burst: { rate: 1%, length: 4 } }", "loss: { burst: { rate: 2% } }"),
            "{loss: {burst: {rate: 2%, length: 4}}}"
        );
        assert_eq!(
            merged("loss: { random: 1%, only: { udp: 53 } }", "loss: { random: 2% }"),
            "{loss: {random: 2%, only: {udp: 53}}}"
        );
        assert_eq!(
            merged("loss: { random: 1%, only: { udp: 53 } }", "loss: { random: 1%, only: { tcp: 80 } }"),
            "{loss: {random: 1%, only: {tcp: 80}}}"
        );
        assert_eq!(merged("loss: { random: 1%, only: arp }", "loss: { every: 5 }"), "{loss: {every: 5}}");
        assert_eq!(
            merged("corrupt: { probability: 1%, only: { udp: 53 } }", "corrupt: { only: { tcp: 80 } }"),
            "{corrupt: {probability: 1%, only: {tcp: 80}}}"
        );
        assert_eq!(
            merged("duplicate: { probability: 1%, only: arp }", "duplicate: 2%"),
            "{duplicate: {probability: 2%, only: arp}}"
        );
        assert_eq!(
            merged("queue: { fifo: { time: 1s } }", "queue: { codel: { target: 5ms } }"),
            "{queue: {codel: {target: 5ms}}}"
        );
    }

    #[test]
    fn of_two_ways_to_say_a_rate_the_later_stands() {
        let slots = "rate: { slots: { min: 1ms, max: 2ms, packets: 3 } }";
        assert_eq!(merged(slots, "rate: { slots: { mean: 5ms } }"), "{rate: {slots: {packets: 3, mean: 5ms}}}");
        assert_eq!(merged(slots, "rate: { slots: { max: 5ms } }"), "{rate: {slots: {min: 1ms, max: 5ms, packets: 3}}}");
        assert_eq!(
            merged("rate: { schedule: { file: a.csv, repeat: 5s } }", "rate: { schedule: { steps: [] } }"),
            "{rate: {schedule: {repeat: 5s, steps: []}}}"
        );
        assert_eq!(
            merged("rate: { schedule: a.csv }", "rate: { schedule: { file: b.csv } }"),
            "{rate: {schedule: {file: b.csv}}}"
        );
    }

    #[test]
    fn rtt_displaces_the_mean_below_and_nothing_else() {
        assert_eq!(merged("delay: { mean: 30ms, jitter: 8ms }", "rtt: 10ms"), "{delay: {jitter: 8ms}, rtt: 10ms}");
        assert_eq!(merged("delay: 30ms", "rtt: 10ms"), "{rtt: 10ms}");
        assert_eq!(merged("rtt: 10ms", "delay: 3ms"), "{delay: 3ms}");
        assert_eq!(merged("rtt: 10ms", "delay: { jitter: 3ms }"), "{rtt: 10ms, delay: {jitter: 3ms}}");
    }

    #[test]
    fn files_merge_by_entry() {
        let base = "nodes: { a: { host: { mtu: 1400 } }, b: host }\nlinks: { l: { ends: [a, b], delay: 5ms } }";
        let top = "nodes: { b: switch, c: host }\nlinks: { l: { loss: 1%, toward: { a: { rate: 1Mbit } } } }";
        assert_eq!(
            show(&file(tree(base), tree(top))),
            "{nodes: {a: {host: {mtu: 1400}}, b: switch, c: host}, \
             links: {l: {ends: [a, b], delay: 5ms, loss: 1%, toward: {a: {rate: 1Mbit}}}}}"
        );
    }
}
