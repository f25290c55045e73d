//! The routes of routers as lines for people: those that were given, and those that are computed, by next hop.

use core::net::IpAddr;

use indexmap::IndexMap;
use ipnet::IpNet;

use crate::engine::{self, Plan};
use crate::node::RouterPlan;
use crate::node::routing::Routes;

/// With more routers than this, what they compute is not shown: it would be a page for each.
const ROUTES_OF: usize = 50;

/// So many prefixes of one next hop are named.
const PREFIXES: usize = 4;

/// What routers compute while all links are up.
pub(crate) struct Computed(Option<Routes>);

impl Computed {
    pub(crate) fn of(plan: &Plan) -> Computed {
        let routers = plan.nodes.iter().filter(|node| node.router().is_some()).count();
        Computed((1..=ROUTES_OF).contains(&routers).then(|| engine::routes(plan)))
    }

    /// Lines with what they came from. What a router's own addresses say is not worth one.
    pub(crate) fn routes(&mut self, node: usize, router: &RouterPlan) -> Vec<(String, &'static str)> {
        let device = |port: u32| router.interfaces.get(port as usize).map_or("", |interface| interface.name.as_str());
        let given = router.routes.iter().map(|route| {
            let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
            (format!("route: {}{via} dev {}", route.to, device(route.port)), "given")
        });
        let mut lines: Vec<_> = given.collect();
        let computed = self.0.as_mut().map(|routes| routes.of(node as u32)).unwrap_or_default();
        let mut by_hop: IndexMap<(u32, IpAddr), Vec<IpNet>> = IndexMap::new();
        for (net, port, via) in computed.into_iter().filter_map(|(net, hop)| Some((net, hop.port, hop.via?))) {
            by_hop.entry((port, via)).or_default().push(net);
        }
        lines.extend(by_hop.into_iter().map(|((port, via), nets)| {
            let named: Vec<_> = nets.iter().take(PREFIXES).map(ToString::to_string).collect();
            let more = nets.len().saturating_sub(PREFIXES);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            (format!("route: {}{more} via {via} dev {}", named.join(", "), device(port)), "computed")
        }));
        lines
    }
}
