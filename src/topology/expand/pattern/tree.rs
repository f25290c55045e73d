//! A tree: switches or routers in levels, hosts as its leaves.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::MOST;
use super::drawing::Drawing;
use super::members::Member;
use crate::language::spanned::Spanned;
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;

/// A tree: `depth` levels of nodes `NAME-node-LEVEL-K`, each with `fan_out` below it; below the last level hosts,
/// `NAME-host-1`, ….
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TreeSpec {
    /// Levels of nodes above the hosts, 1 or more. Level 1 is the root.
    #[schemars(range(min = 1))]
    depth: Spanned<u64>,
    /// How many are below each.
    #[schemars(range(min = 1))]
    fan_out: Spanned<u64>,
    /// What the nodes above the hosts are. By default switches.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    _nodes: Option<IgnoredAny>,
    /// What differs on the hosts' links.
    #[serde(rename = "host_links")]
    #[schemars(with = "Option<Fields>")]
    _host_links: Option<IgnoredAny>,
}

pub(super) fn draw(drawing: &mut Drawing<'_, '_>) -> Option<()> {
    let spec: TreeSpec = drawing.spec()?;
    for (key, number) in [("depth", &spec.depth), ("fan_out", &spec.fan_out)] {
        if number.value == 0 || number.value > MOST as u64 {
            let message = format!("a `{key}` of {} is out of range", number.value);
            return drawing.wrong(number.span, message, format!("write 1 to {MOST}"));
        }
    }
    let (depth, fan_out) = (spec.depth.value, spec.fan_out.value);
    let (mut nodes, mut level) = (0u128, 1u128);
    for _ in 0..depth {
        nodes = nodes.saturating_add(level);
        level = level.saturating_mul(u128::from(fan_out));
    }
    drawing.room(nodes.saturating_add(level), nodes.saturating_add(level) - 1)?;
    let kind = drawing.kind("switch")?;
    let fields = drawing.fields.clone();
    let mut above: Vec<Member> = vec![drawing.node("node", "node-1-1", &kind)];
    for level in 2..=depth {
        let mut below = Vec::new();
        for parent in &above {
            for _ in 0..fan_out {
                let tail = format!("{level}-{}", below.len() + 1);
                let child = drawing.node("node", &format!("node-{tail}"), &kind);
                drawing.link(None, &format!("link-{tail}"), [parent, &child], &fields);
                below.push(child);
            }
        }
        above = below;
    }
    drawing.hosts_at(&above, fan_out)
}
