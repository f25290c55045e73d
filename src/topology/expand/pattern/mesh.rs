//! A mesh: a grid of nodes, each joined with its neighbours to the right and below.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::drawing::Drawing;
use super::members::Member;
use crate::language::spanned::Spanned;
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;

/// A mesh: a grid of nodes `NAME-node-X-Y`, each joined with its neighbours to the right and below.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeshSpec {
    /// Columns.
    #[schemars(range(min = 1))]
    width: Spanned<u64>,
    /// Rows.
    #[schemars(range(min = 1))]
    height: Spanned<u64>,
    /// Whether the last of each row and column is joined with the first: a torus. Rows and columns of one or two are not.
    #[serde(default)]
    wrap: bool,
    /// What the nodes are. By default routers.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    _nodes: Option<IgnoredAny>,
    /// So many hosts are made at each node: `NAME-host-1`, …. By default none.
    #[serde(default)]
    hosts: u64,
    /// What differs on the hosts' links.
    #[serde(rename = "host_links")]
    #[schemars(with = "Option<Fields>")]
    _host_links: Option<IgnoredAny>,
}

pub(super) fn draw(drawing: &mut Drawing<'_, '_>) -> Option<()> {
    let spec: MeshSpec = drawing.spec()?;
    for (key, side) in [("width", &spec.width), ("height", &spec.height)] {
        if side.value == 0 {
            return drawing.wrong(side.span, format!("a `{key}` of 0 leaves nothing"), "write 1 or more");
        }
    }
    let (width, height) = (u128::from(spec.width.value), u128::from(spec.height.value));
    let nodes = width * height;
    let wraps = |side: u128| spec.wrap && side > 2;
    let right = (width - u128::from(!wraps(width))) * height;
    let down = width * (height - u128::from(!wraps(height)));
    let hosts = nodes.saturating_mul(u128::from(spec.hosts));
    drawing.room(nodes.saturating_add(hosts), right.saturating_add(down).saturating_add(hosts))?;
    let kind = drawing.kind("router")?;
    let (width, height) = (width as usize, height as usize);
    let mut grid: Vec<Member> = Vec::with_capacity(width * height);
    for y in 1..=height {
        for x in 1..=width {
            grid.push(drawing.node("node", &format!("node-{x}-{y}"), &kind));
        }
    }
    let at = |x: usize, y: usize| &grid[(y % height) * width + x % width];
    let fields = drawing.fields.clone();
    for y in 0..height {
        for x in 0..width {
            if x + 1 < width || wraps(width as u128) {
                drawing.link(None, &format!("link-{}-{}-right", x + 1, y + 1), [at(x, y), at(x + 1, y)], &fields);
            }
            if y + 1 < height || wraps(height as u128) {
                drawing.link(None, &format!("link-{}-{}-down", x + 1, y + 1), [at(x, y), at(x, y + 1)], &fields);
            }
        }
    }
    drawing.hosts_at(&grid, spec.hosts)
}
