//! What a run is to be told beside its verdict: what stands in the scenario and did nothing, and what went around it.

use super::json::{Dhcp, Direction, Node, Port, Report, Tunnel};
use crate::engine::Plan;
use crate::node::router::firewall::UNSOLICITED_IPV6;
use crate::tasks::detour::Detour;
use crate::topology::uplink;

/// All warnings about a finished run.
pub fn of(detours: &[Detour], report: &Report) -> Vec<String> {
    let ran = |detour: &&Detour| report.workloads.get(&detour.workload).is_some_and(|work| work.started_ns.is_some());
    let rights = |host| format!("programs in `{host}` kept root's rights on the machine: it is `privileged`");
    let mut warnings: Vec<String> = report.privileged.iter().map(rights).collect();
    warnings.extend(detours.iter().filter(ran).map(Detour::words));
    for node in &report.nodes {
        warnings.extend(nat(node));
        warnings.extend(rules(node));
        warnings.extend(node.dhcp.iter().filter_map(|dhcp| leases(&node.name, dhcp)));
    }
    warnings.extend(report.ports.iter().flat_map(tunnel));
    // a rule for both ways of a link is not idle if it matched one way
    let alike = |a: &Direction, b: &Direction| a.link == b.link && a.requested.json() == b.requested.json();
    for direction in &report.directions {
        let same = || report.directions.iter().filter(|other| alike(direction, other));
        let idle = direction.unmatched.iter().filter(|model| same().all(|other| other.unmatched.contains(model)));
        let Direction { link, from, to, .. } = direction;
        warnings.extend(idle.map(|model| format!("no frame matched {model}, on `{link}` from {from} to {to}")));
    }
    warnings
}

/// Routers whose NAT is `required`, and translated nothing.
pub fn unused_nats(plan: &Plan, report: &Report) -> Vec<String> {
    let required = plan.nodes.iter().filter(|node| {
        let nat = node.router().and_then(|router| router.nat.as_ref());
        nat.is_some_and(|nat| nat.spec.required)
    });
    let idle = |name: &str| {
        let node = report.nodes.iter().find(|node| node.name == name);
        node.and_then(|node| node.nat).is_some_and(|nat| nat.translated == 0)
    };
    let unused = required.filter(|node| idle(&node.name));
    unused.map(|node| format!("`{}` translated nothing, and its NAT is `required`", node.name)).collect()
}

fn nat(node: &Node) -> Option<String> {
    // of an uplink, hosts may use either family or none
    let nat = node.nat.filter(|_| node.firewall.iter().all(|rule| !rule.rule.starts_with(uplink::RULE)))?;
    let (name, frames) = (&node.name, nat.ipv6);
    match (nat.translated, nat.ipv6) {
        (0, 0) => Some(format!("the NAT of `{name}` translated nothing")),
        (0, _) => Some(format!("the NAT of `{name}` translated nothing: {frames} IPv6 frames passed around it")),
        (_, 0) => None,
        _ => Some(format!("{frames} IPv6 frames passed `{name}` around its NAT")),
    }
}

/// A DHCP server that served nobody, or not all.
fn leases(router: &str, dhcp: &Dhcp) -> Option<String> {
    let Dhcp { interface, exhausted, other_server, .. } = dhcp;
    match (other_server, exhausted) {
        (Some(other), _) => {
            Some(format!("`{router}.{interface}` leased no addresses once the DHCP server {other} had answered there"))
        }
        (None, 0) => None,
        (None, _) => {
            Some(format!("`{router}.{interface}` had no free address {exhausted} times that a machine asked for one"))
        }
    }
}

/// What did not get through a tunnel to another site.
fn tunnel(port: &Port) -> Vec<String> {
    let Some(tunnel) = &port.tunnel else { return Vec::new() };
    let Tunnel { encapsulation, peer, vni, wrong_peer, wrong_vni, too_long, unreachable, reason, path } = tunnel;
    let name = format!("`{}.{}`", port.host, port.interface);
    let reason = reason.as_deref().unwrap_or("no reason known");
    let lost = path.as_ref().map_or(0, |path| path.lost);
    let all = [
        (*wrong_peer, format!("{name} dropped {wrong_peer} datagrams from addresses other than {peer}")),
        (*wrong_vni, format!("{name} dropped {wrong_vni} datagrams of {peer} for networks other than VNI {vni}")),
        (
            *too_long,
            format!("{too_long} frames of {name} were too long for the way to {peer}: give its links a smaller `mtu`"),
        ),
        (*unreachable, format!("{unreachable} frames of {name} did not reach {peer}: {reason}")),
        (
            port.malformed,
            format!(
                "{name} dropped {} datagrams from {peer} that have no valid `{encapsulation}` header: write the same `encapsulation` at both ends",
                port.malformed
            ),
        ),
        (lost, format!("the path from {peer} to {name} lost {lost} datagrams: they are in no link's loss")),
    ];
    all.into_iter().filter(|(count, _)| *count > 0).map(|(_, words)| words).collect()
}

/// Whether a rule is none of the file's: then it is nobody's mistake that nothing matched it.
pub(super) fn is_made(rule: &str) -> bool {
    rule == UNSOLICITED_IPV6 || rule.starts_with(uplink::RULE)
}

fn rules(node: &Node) -> impl Iterator<Item = String> {
    // replies and the default come last: that nothing was left for them is nobody's mistake
    let own = node.firewall.len().saturating_sub(2);
    let idle = node.firewall[..own].iter().filter(|rule| rule.decided.frames == 0 && !is_made(&rule.rule));
    idle.map(|rule| format!("no packet matched the rule `{} {}` of `{}`", rule.action.word(), rule.rule, node.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::NodeCounters;
    use crate::node::router::firewall::Policy;
    use crate::node::{DhcpCounters, NatCounters};
    use crate::report::json::{Count, Rule};
    use crate::report::testing;

    fn report(nat: NatCounters, rules: &[(&str, u64)]) -> Report {
        let rule = |(rule, frames): &(&str, u64)| Rule {
            rule: (*rule).into(),
            action: Policy::Drop,
            decided: Count { frames: *frames, bytes: 0 },
        };
        let mut report = testing::report();
        let firewall = rules.iter().map(rule).collect();
        report.nodes = vec![Node { nat: Some(nat), firewall, ..Node::new("home".into(), &NodeCounters::default(), 0) }];
        report.directions.iter_mut().for_each(|direction| direction.unmatched.clear());
        report
    }

    #[test]
    fn what_did_nothing_is_named_and_what_worked_is_not() {
        let used = NatCounters { translated: 3, ..NatCounters::default() };
        let rules =
            [("web", 0), ("ssh", 4), (UNSOLICITED_IPV6, 0), ("uplink: private", 0), ("replies", 0), ("default", 0)];
        assert_eq!(of(&[], &report(used, &rules)), ["no packet matched the rule `drop web` of `home`"]);
        assert_eq!(of(&[], &report(NatCounters::default(), &[])), ["the NAT of `home` translated nothing"]);
        let around = NatCounters { ipv6: 9, ..NatCounters::default() };
        assert_eq!(
            of(&[], &report(around, &[])),
            ["the NAT of `home` translated nothing: 9 IPv6 frames passed around it"]
        );
        let both = NatCounters { ipv6: 9, ..used };
        assert_eq!(of(&[], &report(both, &[])), ["9 IPv6 frames passed `home` around its NAT"]);
    }

    #[test]
    fn a_dhcp_server_that_gave_nothing_says_why() {
        let mut run = report(NatCounters { translated: 1, ..NatCounters::default() }, &[]);
        let mut told = |counters: DhcpCounters| {
            run.nodes[0].dhcp = vec![("eth1", counters).into()];
            of(&[], &run)
        };
        assert_eq!(told(DhcpCounters { acks: 7, naks: 2, ..DhcpCounters::default() }), [""; 0]);
        let full = DhcpCounters { exhausted: 3, ..DhcpCounters::default() };
        assert_eq!(told(full), ["`home.eth1` had no free address 3 times that a machine asked for one"]);
        let other = DhcpCounters { other_server: Some([10, 0, 1, 254].into()), ..full };
        let why = "`home.eth1` leased no addresses once the DHCP server 10.0.1.254 had answered there";
        assert_eq!(told(other), [why]);
    }

    #[test]
    fn a_tunnel_says_what_did_not_get_through_and_why() {
        let mut run = report(NatCounters { translated: 1, ..NatCounters::default() }, &[]);
        let quiet = testing::tunnel(None);
        let mut told = |tunnel: Tunnel| {
            run.ports[0].tunnel = Some(tunnel);
            of(&[], &run)
        };
        assert_eq!(told(quiet.clone()), [""; 0]);
        let all = Tunnel { wrong_peer: 1, wrong_vni: 2, too_long: 3, unreachable: 4, ..quiet };
        let words = told(Tunnel { reason: Some("Connection refused".into()), ..all });
        assert_eq!(words.len(), 4, "{words:?}");
        assert!(words[0].contains("1 datagrams from addresses other than 192.0.2.7:4789"), "{words:?}");
        assert!(words[3].starts_with("4 frames of") && words[3].ends_with("Connection refused"), "{words:?}");
    }

    #[test]
    fn a_privileged_host_is_named_first() {
        let mut run = report(NatCounters::default(), &[]);
        run.privileged.push("probe".into());
        let told = of(&[], &run);
        assert_eq!(told[0], "programs in `probe` kept root's rights on the machine: it is `privileged`");
    }

    #[test]
    fn a_model_for_frames_that_never_came_and_a_workload_on_a_detour() {
        let mut run = report(NatCounters { translated: 1, ..NatCounters::default() }, &[]);
        run.directions.truncate(1);
        run.directions[0].unmatched.push("loss with only: lldp".into());
        let name = run.workloads.keys().next().unwrap().clone();
        let detour = |workload: &str| Detour { workload: workload.into(), router: "home".into() };
        let warnings = of(&[detour(&name), detour("never run")], &run);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert_eq!(warnings[0], format!("`{name}` passes `home` over IPv6, around its NAT"));
        assert!(warnings[1].starts_with("no frame matched loss with only: lldp, on `"), "{warnings:?}");
        // it is for both ways, and matched the other way
        let other = Direction { unmatched: Vec::new(), ..run.directions[0].clone() };
        run.directions.push(other);
        assert_eq!(of(&[], &run), [""; 0]);
    }
}
