//! A full mesh: each node is joined with each other.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::drawing::Drawing;
use super::members::who;
use super::ring::nodes;
use crate::language::spanned::{Names, Spanned};
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;

/// A full mesh: each node is joined with each other. A number, a group's name or a list alone says who is joined.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FullSpec {
    /// So many nodes are made, 2 or more: `NAME-node-1`, ….
    #[schemars(range(min = 2))]
    count: Option<Spanned<u64>>,
    /// The nodes, if they are there: a group, or a list of nodes and groups.
    of: Option<Spanned<Names>>,
    /// What the nodes are, if they are made. By default routers.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    nodes: Option<Spanned<IgnoredAny>>,
    /// So many hosts are made at each node: `NAME-host-1`, …. By default none.
    #[serde(default)]
    hosts: u64,
    /// What differs on the hosts' links.
    #[serde(rename = "host_links")]
    #[schemars(with = "Option<Fields>")]
    _host_links: Option<IgnoredAny>,
}

pub(super) fn draw(drawing: &mut Drawing<'_, '_>) -> Option<()> {
    let spec: FullSpec = drawing.spec()?;
    let who = who(drawing, spec.count.as_ref(), spec.of.as_ref(), 2)?;
    let nodes = nodes(drawing, who, spec.nodes.as_ref(), spec.hosts, |count| count * (count - 1) / 2)?;
    let fields = drawing.fields.clone();
    for (i, one) in nodes.iter().enumerate() {
        for (j, other) in nodes.iter().enumerate().skip(i + 1) {
            drawing.link(None, &format!("link-{}-{}", i + 1, j + 1), [one, other], &fields);
        }
    }
    drawing.hosts_at(&nodes, spec.hosts)
}
