//! `links:` as it stands in a file, and how the layers of a link become its two directions.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ends::End;
use super::expand::Patterns;
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::engine::{Change, DirectionSpec, FIELDS};
use crate::language::keys::{check_keys, keys_of};
use crate::language::merge;
use crate::language::presets::{PresetName, PresetTree};
use crate::language::read::{read, read_at};
use crate::language::spanned::Spanned;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::model::{ImpairmentChanges, Impairments, RateSpec};
use crate::rng::Way;
use crate::units::Duration;

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
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct LinkHead {
    /// Two nodes: `HOST`, `HOST.INTERFACE`, or a switch.
    #[schemars(with = "Option<[String; 2]>")]
    pub ends: Spanned<Vec<Spanned<String>>>,
    /// A preset; the fields here go over it, key by key.
    #[schemars(with = "Option<PresetName>")]
    pub profile: Option<Spanned<String>>,
    /// The end that downloads, for a profile that is faster one way.
    pub user: Option<Spanned<String>>,
    /// Both directions share the medium: one frame at a time is on it, and the directions take turns.
    #[serde(rename = "half_duplex")]
    _half_duplex: Option<bool>,
    /// Propagation delay there and back; half goes to each direction.
    #[serde(rename = "rtt")]
    _rtt: Option<Duration>,
    /// What differs for frames that go toward an end.
    #[serde(rename = "toward")]
    #[schemars(with = "Option<IndexMap<String, Fields>>")]
    _toward: Option<IgnoredAny>,
}

/// What may be said of a direction.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "direction")]
#[expect(dead_code, reason = "its shape is all that is used")]
pub(crate) struct Fields {
    #[serde(flatten)]
    own: Change,
    #[serde(flatten)]
    impairments: ImpairmentChanges,
}

/// A link: two nodes, and what it does to frames in each direction.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, rename = "link")]
#[expect(dead_code, reason = "its shape is all that is used")]
pub(crate) struct LinkSpec {
    #[serde(flatten)]
    head: LinkHead,
    #[serde(flatten)]
    pattern: Patterns,
    #[serde(flatten)]
    fields: Fields,
}

impl LinkHead {
    /// Reads it from an entry of `links`.
    pub(crate) fn read(entry: &mut Entry, diagnostics: &mut Diagnostics) -> Option<LinkHead> {
        let known: Vec<&str> = keys_of::<LinkHead>().iter().chain(FIELDS).copied().collect();
        check_keys(&entry.value, &known, |_| None, diagnostics);
        read_at(&mut entry.value, Some(entry.key_span), diagnostics)
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

impl Draft {
    /// The link with what its values came from; `None` without ends.
    pub(crate) fn resolved(&self) -> Option<ResolvedLink> {
        let ends = self.ends.as_ref()?.each_ref().map(ToString::to_string);
        let directions = self.directions.each_ref().map(|direction| direction.tree.clone());
        Some(ResolvedLink { name: self.name.clone(), span: self.span, ends, directions })
    }

    /// What each direction does.
    pub(crate) fn specs(&self) -> [DirectionSpec; 2] {
        self.directions.each_ref().map(|direction| direction.spec.clone())
    }
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
            read_fields(&mut tree.clone(), diagnostics);
            if let Some(over) = &toward[way_index(way)] {
                tree = merge::link(tree, over.clone());
            }
            finish(tree, diagnostics)
        })
    }

    /// Both directions when this goes over what they do now, `[Forward, Backward]`: a live change. A preset takes the place
    /// of all fields but `mtu` first, which is the wire's rather than the path's.
    pub(crate) fn over(&self, now: &[Node; 2], diagnostics: &mut Diagnostics) -> [Direction; 2] {
        for key in ["ends", "half_duplex"] {
            if let Some(entry) = self.link.entry(key) {
                let error = format!("`{key}` does not change while a run is up");
                diagnostics.error(entry.key_span, error).help("say it under `links`");
            }
        }
        // a mistake in `profile` or `user` is told by whoever looks them up
        let known: Vec<&str> = FIELDS.iter().chain(keys_of::<LinkHead>()).copied().collect();
        check_keys(self.link, &known, |_| None, diagnostics);
        if let Some(rtt) = self.link.get("rtt") {
            read::<Duration>(&mut rtt.clone(), diagnostics);
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
                read_fields(&mut tree.clone(), diagnostics);
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
            diagnostics.error(toward.span, message).help(help);
            return found;
        };
        for entry in entries.iter().filter(|entry| !entry.value.pruned) {
            let end = self.ends.map(|ends| position_of_end(ends, &entry.key));
            if let (Some(None), Some(ends)) = (end, self.ends) {
                diagnostics.push(no_such_end(ends, entry));
            }
            if entry.value.entries().is_none() {
                let message = format!("expected the fields of a direction, found {}", entry.value.describe());
                diagnostics.error(entry.value.span, message);
                continue;
            }
            check_keys(&entry.value, FIELDS, of_both, diagnostics);
            let fields = only_fields(&entry.value, false);
            match end.flatten() {
                Some(end) => found[way_index(way_toward(end))] = Some(fields),
                // It goes nowhere, but its values may be wrong too.
                None => drop(read_fields(&mut fields.clone(), diagnostics)),
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

/// What to write in place of a field that is not of one direction.
fn of_both(key: &str) -> Option<&'static str> {
    match key {
        "rtt" => Some("`rtt` is of both directions: write `delay`, one way"),
        "half_duplex" => Some("`half_duplex` is of both directions: it stands beside `ends`"),
        _ => None,
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
        diagnostics
            .error(rtt.key_span, "`rtt` and `delay` both say how long a frame travels")
            .related(mean.span, "one way, here")
            .help("keep one: `rtt` is there and back, half for each direction; `delay` is one way");
        fields.remove("rtt");
    }
}

/// `rtt` as the delay of one direction: half of it, an odd nanosecond goes forward.
pub(crate) fn spell_out(mut fields: Node, way: Way) -> Node {
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

/// Reads the fields of a direction. Whether the link is half-duplex stands among them, and is read with the link's head.
fn read_fields(tree: &mut Node, diagnostics: &mut Diagnostics) -> Change {
    let half_duplex = tree.remove("half_duplex");
    let mut shares = Node::empty_map(tree.span, tree.origin.clone());
    Impairments::NAMES.iter().filter_map(|name| tree.remove(name)).for_each(|entry| shares.set(entry));
    let fields = Change {
        impairments: read(&mut shares, diagnostics).unwrap_or_default(),
        ..read(tree, diagnostics).unwrap_or_default()
    };
    let shares = shares.entries().unwrap_or_default().iter().cloned();
    shares.chain(half_duplex).for_each(|entry| tree.set(entry));
    fields
}

/// Reads a direction's merged fields, and checks what they say together.
pub(crate) fn finish(mut tree: Node, diagnostics: &mut Diagnostics) -> Direction {
    if let Some(entry) = tree.remove("delay") {
        tree.set(Entry { value: merge::as_delay_map(entry.value), ..entry });
    }
    let fields = read_fields(&mut tree, diagnostics);
    let half_duplex = tree.entry("half_duplex").filter(|entry| entry.value.as_text() == Some("true"));
    let mut spec = DirectionSpec { half_duplex: half_duplex.is_some(), ..DirectionSpec::default() };
    fields.apply_to(&mut spec);
    spec.framing = fields.framing.unwrap_or_else(|| spec.rate.default_framing());
    let rate_is_wrong = tree.get("rate").is_some_and(Node::has_pruned);
    if spec.rate != RateSpec::Unlimited || rate_is_wrong {
        return Direction { tree, spec };
    }
    if let Some(entry) = half_duplex {
        diagnostics
            .error(
                entry.key_span,
                "`half_duplex` without a `rate` in each direction: what takes no time never waits for its turn",
            )
            .help("name a `rate`, or take `half_duplex` away");
    }
    let asked = |entry: &&Entry| !entry.value.pruned && !matches!(entry.value.origin, Origin::Profile(_));
    if let Some(entry) = tree.entry("queue").filter(asked) {
        diagnostics
            .error(entry.key_span, "`queue` without `rate`: a wire that takes no time has no queue")
            .help("name a `rate`, or take `queue` away");
    }
    spec.queue = None;
    tree.remove("queue");
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
