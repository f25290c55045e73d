//! What keeps IPv6 from outside away from the inside of a router with NAT, as home routers do (RFC 6092): what nobody inside
//! has asked for is dropped.
//!
//! Deviations: nothing is let in unasked, not even IPsec (REC-22 to REC-26) or Mobile IPv6; the sender of what is dropped is not
//! told (REC-48 leaves that open).

use super::firewall::{Action, Firewall, FirewallPlan, Packet, Policy, RulePlan, Timeouts};
use super::nat::Ipv6;
use super::{NatPlan, RouterPlan};
use crate::frame::{DropCause, Frame};
use crate::node::Work;
use crate::wire::summary::FrameSummary;

/// Connections that it remembers at once: as many as the translation's sessions by default.
const LIMIT: u32 = 65_536;

/// The guard of one router.
#[derive(Debug)]
pub(super) struct Guard {
    /// `None` where IPv6 is routed as by any router, and where the router's own firewall has the rule.
    connections: Option<Box<Firewall>>,
    passed: u64,
}

impl Guard {
    pub(super) fn new(plan: &RouterPlan, nat: &NatPlan) -> Guard {
        let on = nat.spec.ipv6 == Ipv6::Filtered && plan.firewall.is_none();
        let connections = on.then(|| {
            let rules = vec![RulePlan::unsolicited_ipv6(nat.port, plan.interfaces.len() as u32)];
            let (default, timeouts) = (Policy::Allow, Timeouts::default());
            Box::new(Firewall::new(&FirewallPlan { default, rules, timeouts, limit: LIMIT }))
        });
        Guard { connections, passed: 0 }
    }

    /// A packet that goes from the inside to the outside, or back: `None` where it was dropped.
    pub(super) fn pass(&mut self, work: &mut Work<'_>, from: u32, to: u32, frame: Frame) -> Option<Frame> {
        if let Some(connections) = &mut self.connections {
            let view = work.pool.view(&frame);
            let summary = FrameSummary::new(view.head, view.wire_len());
            let bytes = work.pool.bytes(&frame);
            let packet = Packet { summary: &summary, view: &view, bytes, from, to: Some(to) };
            if connections.check(work.now, &packet) != Action::Allow {
                work.drop(frame, DropCause::NatUnsolicited);
                return None;
            }
        }
        self.passed += frame.count();
        Some(frame)
    }

    /// Frames that passed.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }
}

#[cfg(test)]
mod tests {
    use super::super::nat::NatSpec;
    use super::super::testing::*;
    use super::*;
    use crate::rng::{StreamKey, Way};

    const IN: &str = "fd00::9";
    const OUT: &str = "fd00:0:0:1::9";

    /// Port 1 is the outside.
    fn bench(change: impl FnOnce(&mut RouterPlan, &mut NatSpec)) -> Bench {
        let (mut plan, mut spec) = (Bench::plan(), NatSpec::new("eth1"));
        change(&mut plan, &mut spec);
        plan.border = Some(1);
        plan.nat = Some(NatPlan { spec, port: 1, random: StreamKey::new(1, "home", Way::Forward, "nat") });
        Bench::with(&plan)
    }

    /// A datagram from an address to another by these ports, on the segment of the sender.
    fn ports(src: &str, dst: &str, from: u16, to: u16) -> Vec<u8> {
        let message = [&from.to_be_bytes()[..], &to.to_be_bytes(), &[0, 12, 0, 0], b"data"].concat();
        let mut frame = ip_summed(src, dst, 17, &message, 6);
        let port = match src {
            IN => 0,
            OUT => 1,
            _ => 2,
        };
        frame[..6].copy_from_slice(&router_mac(port).0);
        frame
    }

    #[test]
    fn what_is_asked_for_inside_comes_in_and_nothing_else() {
        let mut bench = bench(|_, _| {});
        let unsolicited = [Out::Dropped(DropCause::NatUnsolicited)];
        assert_eq!(bench.receive(1, &ports(OUT, IN, 53, 4000)), unsolicited);
        assert_eq!(the_frame(&bench.receive(0, &ports(IN, OUT, 4000, 53))).0, 1);
        assert_eq!(the_frame(&bench.receive(1, &ports(OUT, IN, 53, 4000))).0, 0);
        assert_eq!(bench.receive(1, &ports(OUT, IN, 54, 4000)), unsolicited, "another port");
        let counters = bench.router.nat_counters(bench.now).unwrap();
        assert_eq!((counters.ipv6, counters.translated, counters.made), (2, 0, 0));
    }

    #[test]
    fn inside_networks_are_not_kept_apart_and_routed_ipv6_is_routed() {
        let mut kept = bench(|plan, _| {
            plan.interfaces[2].neighbours = vec![("fd00:0:0:2::9".parse().unwrap(), host_mac(29))];
        });
        assert_eq!(the_frame(&kept.receive(2, &ports("fd00:0:0:2::9", IN, 1, 2))).0, 0);
        assert_eq!(kept.router.nat_counters(kept.now).unwrap().ipv6, 0, "it does not pass the NAT's border");
        let mut routed = bench(|_, spec| spec.ipv6 = Ipv6::Routed);
        assert_eq!(the_frame(&routed.receive(1, &ports(OUT, IN, 53, 4000))).0, 0);
        assert_eq!(routed.router.nat_counters(routed.now).unwrap().ipv6, 1);
    }

    #[test]
    fn a_firewall_has_the_rule_behind_its_own() {
        let mut bench = bench(|plan, _| {
            let dns = RulePlan {
                name: "dns".into(),
                action: Policy::Allow,
                matches: crate::node::router::firewall::Match {
                    source_port: crate::model::form::from_json(53.into()).unwrap(),
                    ..Default::default()
                },
            };
            let rules = vec![dns, RulePlan::unsolicited_ipv6(1, 3)];
            let (default, timeouts) = (Policy::Allow, Timeouts::default());
            plan.firewall = Some(FirewallPlan { default, rules, timeouts, limit: 10 });
        });
        assert_eq!(the_frame(&bench.receive(1, &ports(OUT, IN, 53, 4000))).0, 0, "an explicit rule comes first");
        assert_eq!(bench.receive(1, &ports(OUT, IN, 54, 4000)), [Out::Dropped(DropCause::Firewall)]);
    }
}
