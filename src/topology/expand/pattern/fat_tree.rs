//! A fat tree of k-port switches (Al-Fares, Loukissas and Vahdat, "A Scalable, Commodity Data Center Network
//! Architecture", SIGCOMM 2008): (k/2)² core nodes, k pods of k/2 aggregation and k/2 edge nodes, k/2 hosts at each edge
//! node.

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::drawing::Drawing;
use super::members::Member;
use crate::language::spanned::Spanned;
use crate::topology::link::Fields;
use crate::topology::node::NodeSpec;

/// The largest that stays below the most links of a scenario.
const LARGEST: u64 = 50;

/// A fat tree of k-port nodes. A number alone is its `k`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FatTreeSpec {
    /// Ports of each node, even, 2 to 50: 5k²/4 nodes `NAME-core-C`, `NAME-pod-P-aggregation-A`, `NAME-pod-P-edge-E`,
    /// and k³/4 hosts `NAME-host-1`, ….
    #[schemars(range(min = 2, max = 50))]
    k: Spanned<u64>,
    /// What the nodes are. By default routers.
    #[serde(rename = "nodes")]
    #[schemars(with = "Option<NodeSpec>")]
    _nodes: Option<IgnoredAny>,
    /// What differs on the hosts' links.
    #[serde(rename = "host_links")]
    #[schemars(with = "Option<Fields>")]
    _host_links: Option<IgnoredAny>,
}

pub(super) fn draw(drawing: &mut Drawing<'_, '_>) -> Option<()> {
    let spec: FatTreeSpec = drawing.spec()?;
    let k = spec.k.value;
    if !(2..=LARGEST).contains(&k) || !k.is_multiple_of(2) {
        let message = format!("a fat tree cannot have a `k` of {k}");
        return drawing.wrong(spec.k.span, message, format!("write an even number from 2 to {LARGEST}"));
    }
    let half = k / 2;
    let hosts = u128::from(k * half * half);
    drawing.room(u128::from(half * half + k * k) + hosts, hosts * 3)?;
    let kind = drawing.kind("router")?;
    let tier = |drawing: &mut Drawing<'_, '_>, tier: &str| -> Vec<Vec<Member>> {
        let one = |drawing: &mut Drawing<'_, '_>, pod, at| drawing.node(tier, &format!("pod-{pod}-{tier}-{at}"), &kind);
        (1..=k).map(|pod| (1..=half).map(|at| one(drawing, pod, at)).collect()).collect()
    };
    let cores: Vec<Member> = (1..=half * half).map(|at| drawing.node("core", &format!("core-{at}"), &kind)).collect();
    let aggregations = tier(drawing, "aggregation");
    let edges = tier(drawing, "edge");
    let fields = drawing.fields.clone();
    for (pod, nodes) in aggregations.iter().enumerate() {
        for (a, aggregation) in nodes.iter().enumerate() {
            // Aggregation node a of each pod has the a-th k/2 core nodes above it.
            for (c, core) in cores.iter().enumerate().skip(a * nodes.len()).take(nodes.len()) {
                let tail = format!("link-pod-{}-aggregation-{}-core-{}", pod + 1, a + 1, c + 1);
                drawing.link(Some("link-core"), &tail, [core, aggregation], &fields);
            }
        }
    }
    for (pod, (above, below)) in aggregations.iter().zip(&edges).enumerate() {
        for (e, edge) in below.iter().enumerate() {
            for (a, aggregation) in above.iter().enumerate() {
                let tail = format!("link-pod-{}-edge-{}-aggregation-{}", pod + 1, e + 1, a + 1);
                drawing.link(Some("link-edge"), &tail, [aggregation, edge], &fields);
            }
        }
    }
    drawing.hosts_at(&edges.concat(), half)
}
