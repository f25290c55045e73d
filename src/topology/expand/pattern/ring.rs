//! A ring: each node is joined with the next, the last with the first.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::drawing::Drawing;
use super::members::{Member, Who, who};
use crate::language::spanned::{Names, Spanned};
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;

/// A ring: each node is joined with the next, the last with the first. A number, a group's name or a list alone says who
/// is joined.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RingSpec {
    /// So many nodes are made, 3 or more: `NAME-node-1`, ….
    #[schemars(range(min = 3))]
    pub(super) count: Option<Spanned<u64>>,
    /// The nodes, if they are there: a group, or a list of nodes and groups.
    pub(super) of: Option<Spanned<Names>>,
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
    let spec: RingSpec = drawing.spec()?;
    let who = who(drawing, spec.count.as_ref(), spec.of.as_ref(), 3)?;
    let nodes = nodes(drawing, who, spec.nodes.as_ref(), spec.hosts, |count| count)?;
    let fields = drawing.fields.clone();
    for (at, node) in nodes.iter().enumerate() {
        let next = &nodes[(at + 1) % nodes.len()];
        drawing.link(None, &format!("link-{}", at + 1), [node, next], &fields);
    }
    drawing.hosts_at(&nodes, spec.hosts)
}

/// The nodes of a ring or a full mesh, made if they are to be. `links` of so many nodes says how many links they have.
pub(super) fn nodes(
    drawing: &mut Drawing<'_, '_>,
    who: Who,
    kind: Option<&Spanned<IgnoredAny>>,
    hosts: u64,
    links: impl Fn(u128) -> u128,
) -> Option<Vec<Member>> {
    let (count, hosts) = (u128::from(who.len()), u128::from(who.len()) * u128::from(hosts));
    drawing.room(u128::from(who.made()).saturating_add(hosts), links(count).saturating_add(hosts))?;
    match (who, kind) {
        (Who::Made(count), _) => {
            let kind = drawing.kind("router")?;
            Some((1..=count).map(|k| drawing.node("node", &format!("node-{k}"), &kind)).collect())
        }
        (Who::Named(members), None) => Some(members),
        (Who::Named(_), Some(kind)) => {
            let message = "`nodes` says what nodes are that are made, and `of` names some that are there";
            drawing.wrong(kind.span, message, "take `nodes` away")
        }
    }
}
