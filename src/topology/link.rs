//! `links:` as it stands in a file, and how the layers of a link become its two directions.

use core::fmt;

use schemars::JsonSchema;
use serde::de::{self, Deserializer, IgnoredAny, Visitor};
use serde::{Deserialize, Serialize};

use super::ends::End;
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::engine::DirectionSpec;
use crate::language::merge;
use crate::language::presets::PresetTree;
use crate::language::read::read;
use crate::language::spanned::Spanned;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::model::{
    CorruptSpec, DelaySpec, DuplicateSpec, Framing, Impairments, LossSpec, RateSpec, ReorderSpec, ResetSpec,
};
use crate::queue::QueueSpec;
use crate::rng::Way;
use crate::units::Duration;

/// What may be said of a link, and of one of its directions.
pub(crate) const FIELDS: [&str; 10] =
    ["delay", "loss", "reset", "corrupt", "duplicate", "reorder", "rate", "framing", "queue", "mtu"];

/// A link while it is being checked.
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) ends: Option<[End; 2]>,
    pub(crate) directions: [Direction; 2],
}

/// A link with what its values came from.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedLink {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    /// Its ends as they are shown: `alice.wlan0`, `ap`.
    pub ends: [String; 2],
    /// All layers of each direction merged: from the first end to the second, and back.
    pub directions: [Node; 2],
}

/// The ends of a link and what is not a field of a direction. The fields are read after the layers are merged, because
/// one layer need not be whole.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkHead {
    /// Two nodes: `HOST`, `HOST.INTERFACE`, or a switch.
    pub ends: Spanned<Vec<Spanned<String>>>,
    /// A preset.
    pub profile: Option<Spanned<String>>,
    /// The end that downloads.
    pub user: Option<Spanned<String>>,
    /// Both directions share the medium.
    #[serde(rename = "half_duplex")]
    _half_duplex: Option<bool>,
    #[serde(rename = "rtt")]
    _rtt: Option<Duration>,
    #[serde(rename = "toward")]
    _toward: Option<IgnoredAny>,
    #[serde(rename = "delay")]
    _delay: Option<IgnoredAny>,
    #[serde(rename = "loss")]
    _loss: Option<IgnoredAny>,
    #[serde(rename = "reset")]
    _reset: Option<IgnoredAny>,
    #[serde(rename = "corrupt")]
    _corrupt: Option<IgnoredAny>,
    #[serde(rename = "duplicate")]
    _duplicate: Option<IgnoredAny>,
    #[serde(rename = "reorder")]
    _reorder: Option<IgnoredAny>,
    #[serde(rename = "rate")]
    _rate: Option<IgnoredAny>,
    #[serde(rename = "framing")]
    _framing: Option<IgnoredAny>,
    #[serde(rename = "queue")]
    _queue: Option<IgnoredAny>,
    #[serde(rename = "mtu")]
    _mtu: Option<IgnoredAny>,
}

/// A link, or with `toward`'s END as its key one of its directions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    /// Propagation delay, one way.
    pub delay: Option<DelaySpec>,
    /// Loss on the wire.
    pub loss: Option<LossSpec>,
    /// TCP segments in place of which both ends get a reset.
    pub reset: Option<ResetSpec>,
    /// Bits that flip on the wire.
    pub corrupt: Option<CorruptSpec>,
    /// Frames that arrive twice.
    pub duplicate: Option<DuplicateSpec>,
    /// Frames that run ahead of the delay.
    pub reorder: Option<ReorderSpec>,
    /// How fast the wire serializes.
    pub rate: Option<RateSpec>,
    /// What a frame costs on the wire beyond its own bytes.
    pub framing: Option<Framing>,
    /// The wire is one for both directions. Said of a link, never of one direction.
    #[schemars(skip)]
    pub half_duplex: Option<bool>,
    /// What holds frames while the wire is busy. It goes with `rate`.
    pub queue: Option<QueueSpec>,
    /// Largest L3 packet that passes, in bytes.
    pub mtu: Option<Mtu>,
}

/// An MTU in L3 bytes, 68 (RFC 791) to 65535.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mtu(pub u32);

impl<'de> Deserialize<'de> for Mtu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Mtu, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Mtu;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an mtu in bytes, as in `1500`,")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Mtu, E> {
                match u32::try_from(number) {
                    Ok(mtu @ 68..=65_535) => Ok(Mtu(mtu)),
                    _ => Err(E::custom(format!("an mtu of {number} is out of range: 68 to 65535 bytes"))),
                }
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Mtu, E> {
                match text.parse::<crate::units::ByteSize>() {
                    Ok(size) => self.visit_u64(size.as_bytes()),
                    Err(_) => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

impl JsonSchema for Mtu {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Mtu".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An MTU in L3 bytes, as `ip link` shows it.",
            "type": "integer", "minimum": 68, "maximum": 65535,
        })
    }
}

/// One direction of a link, with what each value came from.
#[derive(Clone, Debug)]
pub(crate) struct Direction {
    /// All layers merged.
    pub tree: Node,
    /// What they come to.
    pub spec: DirectionSpec,
}

/// The layers of one link.
pub(crate) struct Layers<'a> {
    /// The link as it stands in the file.
    pub link: &'a Node,
    /// Its ends, if they could be read.
    pub ends: Option<&'a [End; 2]>,
    /// Its preset, and the position of the end that downloads.
    pub preset: Option<(&'a PresetTree, Option<usize>)>,
}

/// The way of the direction toward an end.
pub(crate) fn way_toward(end: usize) -> Way {
    if end == 0 { Way::Backward } else { Way::Forward }
}

impl Layers<'_> {
    /// Both directions, `[Forward, Backward]`. Mistakes are told; what remains stands on defaults.
    pub(crate) fn directions(&self, diagnostics: &mut Diagnostics) -> [Direction; 2] {
        let mut own = only_fields(self.link, true);
        forbid_two_means(&mut own, diagnostics);
        let toward = self.toward(diagnostics);
        [Way::Forward, Way::Backward].map(|way| {
            let mut tree = self.over_preset(Node::empty_map(self.link.span, Origin::File), way);
            tree = merge::link(tree, spell_out(own.clone(), way));
            // Read by itself too: a mistake that `toward` happens to cover is a mistake.
            read::<Fields>(&mut tree.clone(), diagnostics);
            if let Some(over) = &toward[way_index(way)] {
                tree = merge::link(tree, over.clone());
            }
            finish(tree, diagnostics)
        })
    }

    /// Both directions when this goes over what they do now, `[Forward, Backward]`: a live change. A preset takes the place
    /// of all fields but `mtu` first, which is the wire's rather than the path's.
    pub(crate) fn over(&self, now: &[Node; 2], diagnostics: &mut Diagnostics) -> [Direction; 2] {
        for entry in self.link.entries().unwrap_or_default() {
            let key = entry.key.as_str();
            let error = Diagnostic::error(entry.key_span, format!("unknown field `{key}`"));
            match key {
                "ends" | "half_duplex" => {
                    let error = format!("`{key}` does not change while a run is up");
                    diagnostics.push(Diagnostic::error(entry.key_span, error).help("say it under `links`"));
                }
                // looked up by whoever calls this
                "profile" | "user" => {}
                "rtt" => drop(read::<Duration>(&mut entry.value.clone(), diagnostics)),
                "toward" => {}
                key if FIELDS.contains(&key) => {}
                key => {
                    let known: Vec<&str> = FIELDS.into_iter().chain(["rtt", "toward"]).collect();
                    diagnostics.push(error.help(suggestion(key, known)));
                }
            }
        }
        let mut own = only_fields(self.link, true);
        own.remove("half_duplex");
        forbid_two_means(&mut own, diagnostics);
        let toward = self.toward(diagnostics);
        [Way::Forward, Way::Backward].map(|way| {
            let mut tree = now[way_index(way)].clone();
            if self.preset.is_some() {
                FIELDS.iter().filter(|field| **field != "mtu").for_each(|field| drop(tree.remove(field)));
                tree = self.over_preset(tree, way);
            }
            for layer in [Some(&spell_out(own.clone(), way)), toward[way_index(way)].as_ref()].into_iter().flatten() {
                // A wire that no longer takes time has no queue, whoever asked for it.
                if layer.get("rate").and_then(Node::as_text) == Some("none") {
                    tree.remove("queue");
                }
                tree = merge::link(tree, layer.clone());
                // Each by itself: a mistake that `toward` happens to cover is a mistake.
                read::<Fields>(&mut tree.clone(), diagnostics);
            }
            finish(tree, diagnostics)
        })
    }

    /// The preset, if there is one, over a direction's fields.
    fn over_preset(&self, mut tree: Node, way: Way) -> Node {
        let Some((preset, user)) = self.preset else { return tree };
        let side = user.map(|user| if way == way_toward(user) { &preset.down } else { &preset.up });
        for layer in [Some(&preset.link), side.and_then(Option::as_ref)].into_iter().flatten() {
            tree = merge::link(tree, spell_out(layer.clone(), way));
        }
        tree
    }

    fn toward(&self, diagnostics: &mut Diagnostics) -> [Option<Node>; 2] {
        let mut found = [None, None];
        let Some(toward) = self.link.get("toward").filter(|node| !node.pruned) else { return found };
        let Some(entries) = toward.entries() else {
            let message = format!("expected a map from end to fields, found {}", toward.describe());
            let help = "as in `toward: { ap: { rate: 5Mbit } }`";
            diagnostics.push(Diagnostic::error(toward.span, message).help(help));
            return found;
        };
        for entry in entries.iter().filter(|entry| !entry.value.pruned) {
            let end = self.ends.map(|ends| position_of_end(ends, &entry.key));
            if let (Some(None), Some(ends)) = (end, self.ends) {
                diagnostics.push(no_such_end(ends, entry));
            }
            if entry.value.entries().is_none() {
                let message = format!("expected the fields of a direction, found {}", entry.value.describe());
                diagnostics.push(Diagnostic::error(entry.value.span, message));
                continue;
            }
            unknown_fields(&entry.value, diagnostics);
            let fields = only_fields(&entry.value, false);
            match end.flatten() {
                Some(end) => found[way_index(way_toward(end))] = Some(fields),
                // It goes nowhere, but its values may be wrong too.
                None => drop(read::<Fields>(&mut fields.clone(), diagnostics)),
            }
        }
        found
    }
}

fn way_index(way: Way) -> usize {
    match way {
        Way::Forward => 0,
        Way::Backward => 1,
    }
}

/// Which end of a link a text names: `NODE` or `NODE.INTERFACE`.
pub(crate) fn position_of_end(ends: &[End; 2], text: &str) -> Option<usize> {
    ends.iter().position(|end| end.name == text || end.to_string() == text)
}

fn no_such_end(ends: &[End; 2], entry: &Entry) -> Diagnostic {
    let names = [ends[0].name.as_str(), ends[1].name.as_str()];
    Diagnostic::error(entry.key_span, format!("`{}` is not an end of this link", entry.key))
        .help(suggestion(&entry.key, names))
}

fn unknown_fields(fields: &Node, diagnostics: &mut Diagnostics) {
    for entry in fields.entries().unwrap_or_default().iter().filter(|e| !FIELDS.contains(&e.key.as_str())) {
        let help = match entry.key.as_str() {
            "rtt" => "`rtt` is of both directions: write `delay`, one way".to_owned(),
            "half_duplex" => "`half_duplex` is of both directions: it stands beside `ends`".to_owned(),
            other => suggestion(other, FIELDS),
        };
        diagnostics.push(Diagnostic::error(entry.key_span, format!("unknown field `{}`", entry.key)).help(help));
    }
}

/// The fields of a direction that a map holds; of a link's map also those of both directions, `rtt` and `half_duplex`.
fn only_fields(map: &Node, link: bool) -> Node {
    let mut fields = Node::empty_map(map.span, map.origin.clone());
    for entry in map.entries().unwrap_or_default() {
        let both = link && ["rtt", "half_duplex"].contains(&entry.key.as_str()) && !entry.value.pruned;
        if FIELDS.contains(&entry.key.as_str()) || both {
            fields.set(entry.clone());
        }
    }
    fields
}

fn forbid_two_means(fields: &mut Node, diagnostics: &mut Diagnostics) {
    if let (Some(rtt), Some(mean)) = (fields.entry("rtt"), fields.get("delay").and_then(merge::mean_of)) {
        diagnostics.push(
            Diagnostic::error(rtt.key_span, "`rtt` and `delay` both say how long a frame travels")
                .related(mean.span, "one way, here")
                .help("keep one: `rtt` is there and back, half for each direction; `delay` is one way"),
        );
        fields.remove("rtt");
    }
}

/// `rtt` as the delay of one direction: half of it, an odd nanosecond goes forward.
fn spell_out(mut fields: Node, way: Way) -> Node {
    let Some(Entry { key_span, value: rtt, .. }) = fields.remove("rtt") else { return fields };
    let Some(whole) = rtt.as_text().and_then(|text| text.parse::<Duration>().ok()) else { return fields };
    let back = whole / 2;
    let mean = if way == Way::Forward { whole.saturating_sub(back) } else { back };
    let mut delay = match fields.remove("delay") {
        Some(entry) if entry.value.entries().is_some() => entry.value,
        _ => Node::empty_map(rtt.span, rtt.origin.clone()),
    };
    let mean = Node { via: rtt.via, ..Node::text(mean.to_string(), rtt.span, rtt.origin) };
    delay.set(Entry { key: "mean".into(), key_span, value: mean });
    fields.set(Entry { key: "delay".into(), key_span, value: delay });
    fields
}

/// Reads a direction's merged fields, and checks what they say together.
pub(crate) fn finish(mut tree: Node, diagnostics: &mut Diagnostics) -> Direction {
    if let Some(entry) = tree.remove("delay") {
        tree.set(Entry { value: merge::as_delay_map(entry.value), ..entry });
    }
    let fields = read::<Fields>(&mut tree, diagnostics).unwrap_or_default();
    let rate = fields.rate.unwrap_or_default();
    let unlimited = rate == RateSpec::Unlimited;
    let half_duplex = fields.half_duplex.unwrap_or_default();
    let told = |key: &str| tree.get(key).is_some_and(Node::has_pruned);
    let mut queue = fields.queue;
    if unlimited && !told("rate") {
        if let Some(entry) = tree.entry("half_duplex").filter(|_| half_duplex) {
            diagnostics.push(
                Diagnostic::error(
                    entry.key_span,
                    "`half_duplex` without a `rate` in each direction: what takes no time never waits for its turn",
                )
                .help("name a `rate`, or take `half_duplex` away"),
            );
        }
        if let Some(entry) = tree.entry("queue")
            && !entry.value.pruned
            && !matches!(entry.value.origin, Origin::Profile(_))
        {
            diagnostics.push(
                Diagnostic::error(entry.key_span, "`queue` without `rate`: a wire that takes no time has no queue")
                    .help("name a `rate`, or take `queue` away"),
            );
        }
        queue = None;
        tree.remove("queue");
    }
    if !unlimited && queue.is_none() {
        queue = Some(QueueSpec::DEFAULT);
    }
    let spec = DirectionSpec {
        mtu: fields.mtu.map(|Mtu(mtu)| mtu),
        // hosts' interfaces are planned later
        port_mtu: None,
        queue,
        half_duplex,
        framing: fields.framing.unwrap_or_else(|| rate.default_framing()),
        rate,
        loss: fields.loss.unwrap_or_default(),
        impairments: Impairments {
            reset: fields.reset.unwrap_or_default(),
            corrupt: fields.corrupt.unwrap_or_default(),
            duplicate: fields.duplicate.unwrap_or_default(),
            reorder: fields.reorder.unwrap_or_default(),
        },
        delay: fields.delay.unwrap_or_default(),
    };
    Direction { tree, spec }
}

/// The value that a direction's tree holds at a way of keys; a scalar or a list on the way stands for all below it.
pub(crate) fn lookup<'a>(tree: &'a Node, path: &[&str]) -> Option<&'a Node> {
    let Some((first, rest)) = path.split_first() else { return Some(tree) };
    match &tree.value {
        Value::Map(_) => tree.get(first).and_then(|node| lookup(node, rest)),
        Value::Scalar(_) | Value::Seq(_) => Some(tree),
        Value::Null => None,
    }
}
