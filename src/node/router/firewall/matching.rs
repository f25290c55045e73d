//! Which packets a rule is for: keys that must all hold, in the words of `only:` where both have them.

use core::net::IpAddr;

use super::networks::Networks;
use super::plan::State;
use super::value::IcmpType;
use crate::model::only::flags::FlagTest;
use crate::model::only::value::{Dscp, Many, Ports, Protocol, Term, flow};
use crate::wire::summary::{Detail, FrameSummary};
use crate::wire::tcp::Flags;

/// Which packets a rule is for. The default is all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Match {
    /// Ports of the router that it may come in at; empty for any.
    pub(crate) inward: Vec<u32>,
    /// Ports of the router that it may leave by; empty for any. A packet to the router itself leaves by none.
    pub(crate) outward: Vec<u32>,
    pub(crate) from: Option<Networks>,
    pub(crate) to: Option<Destination>,
    /// 4 or 6.
    pub(crate) version: Option<u8>,
    pub(crate) protocol: Many<Protocol>,
    /// Of the destination.
    pub(crate) port: Many<Ports>,
    pub(crate) source_port: Many<Ports>,
    pub(crate) icmp_type: Many<IcmpType>,
    pub(crate) state: Many<State>,
    pub(crate) tcp_flags: Many<FlagTest>,
    pub(crate) fragment: Option<bool>,
    pub(crate) dscp: Many<Dscp>,
}

/// Where a packet is going.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Destination {
    /// To the router itself, by whichever of its addresses.
    pub(crate) router: bool,
    pub(crate) networks: Networks,
}

/// What a rule looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight<'a> {
    pub(super) packet: &'a FrameSummary,
    pub(super) flags: Flags,
    pub(super) state: State,
    pub(super) came_in: u32,
    /// `None`: to the router itself.
    pub(super) leaves_by: Option<u32>,
}

impl Match {
    /// Whether a packet has all that the rule names. The cheap and telling keys come first.
    pub(super) fn holds(&self, sight: &Sight<'_>) -> bool {
        let Sight { packet, flags, state, came_in, leaves_by } = *sight;
        let is = |ports: &Ports, port: Option<u16>| port.is_some_and(|port| ports.contains(port));
        let is_tcp = matches!(packet.detail, Detail::Tcp { .. });
        self.state.admits(|wanted| *wanted == state)
            && (self.inward.is_empty() || self.inward.contains(&came_in))
            && (self.outward.is_empty() || leaves_by.is_some_and(|port| self.outward.contains(&port)))
            && self.version.is_none_or(|version| packet.ip_version() == Some(version))
            && self.protocol.admits(|protocol| packet.protocol == Some(protocol.0))
            && self.port.admits(|ports| is(ports, packet.dst_port()))
            && self.source_port.admits(|ports| is(ports, packet.src_port()))
            && self.icmp_type.admits(|wanted| match packet.detail {
                Detail::Icmp { kind, code, .. } => wanted.is(packet.ip_version() == Some(4), kind, code),
                _ => false,
            })
            && self.tcp_flags.admits(|test| is_tcp && test.holds(flags))
            && self.fragment.is_none_or(|wanted| packet.fragment == wanted)
            && self.dscp.admits(|dscp| packet.dscp == dscp.0)
            && self.holds_addresses(packet.src(), packet.dst(), leaves_by.is_none())
    }

    fn holds_addresses(&self, src: Option<IpAddr>, dst: Option<IpAddr>, to_router: bool) -> bool {
        self.from.as_ref().is_none_or(|from| src.is_some_and(|src| from.contains(src)))
            && self
                .to
                .as_ref()
                .is_none_or(|to| to.router && to_router || dst.is_some_and(|dst| to.networks.contains(dst)))
    }

    /// Whether certainly all packets that `later` matches are matched by this. So a rule behind it never is.
    pub(crate) fn covers(&self, later: &Match) -> bool {
        fn all<T>(own: &Many<T>, later: &Many<T>, includes: impl Fn(&T, &T) -> bool) -> bool {
            !own.is_given()
                || later.is_given() && later.iter().all(|value| own.iter().any(|wider| includes(wider, value)))
        }
        fn ports(own: &[u32], later: &[u32]) -> bool {
            own.is_empty() || !later.is_empty() && later.iter().all(|port| own.contains(port))
        }
        fn given<T>(own: Option<&T>, later: Option<&T>, includes: impl Fn(&T, &T) -> bool) -> bool {
            own.is_none_or(|own| later.is_some_and(|later| includes(own, later)))
        }
        ports(&self.inward, &later.inward)
            && ports(&self.outward, &later.outward)
            && given(self.from.as_ref(), later.from.as_ref(), Networks::includes)
            && given(self.to.as_ref(), later.to.as_ref(), |own, later| {
                (own.router || !later.router) && own.networks.includes(&later.networks)
            })
            && given(self.version.as_ref(), later.version.as_ref(), PartialEq::eq)
            && given(self.fragment.as_ref(), later.fragment.as_ref(), PartialEq::eq)
            && all(&self.protocol, &later.protocol, PartialEq::eq)
            && all(&self.port, &later.port, |own, later| own.includes(*later))
            && all(&self.source_port, &later.source_port, |own, later| own.includes(*later))
            && all(&self.icmp_type, &later.icmp_type, PartialEq::eq)
            && all(&self.state, &later.state, PartialEq::eq)
            && all(&self.tcp_flags, &later.tcp_flags, PartialEq::eq)
            && all(&self.dscp, &later.dscp, PartialEq::eq)
    }

    /// What no packet has together, and what to write instead. Addresses are for who knows their names.
    pub(crate) fn conflict(&self) -> Option<String> {
        let portless = self.protocol.iter().find(|protocol| !protocol.has_ports());
        for (key, given) in [("port", self.port.is_given()), ("source_port", self.source_port.is_given())] {
            if let Some(protocol) = portless.filter(|_| given) {
                return Some(format!(
                    "protocol `{}` has no ports: take `{key}` away, or write a protocol that has, as in `tcp: 443`",
                    protocol.written()
                ));
            }
        }
        let other = |known: &[Protocol]| self.protocol.iter().find(|protocol| !known.contains(protocol));
        if self.icmp_type.is_given() {
            if let Some(protocol) = other(&[Protocol::ICMP, Protocol::ICMPV6]) {
                return Some(format!(
                    "`icmp_type` is of ICMP, and `protocol` is `{}`: take one of them away",
                    protocol.written()
                ));
            }
            if self.port.is_given() || self.source_port.is_given() {
                return Some("ICMP has no ports: take them away, or `icmp_type`".into());
            }
            let number = self.icmp_type.iter().find(|kind| kind.is_number());
            if let Some(number) = number.filter(|_| self.protocol.iter().count() != 1) {
                return Some(format!(
                    "{} is another type of ICMP in IPv4 than in IPv6: write `protocol: icmp` or `protocol: icmpv6` beside \
                     it, or the type by its name",
                    number.written()
                ));
            }
        }
        if self.tcp_flags.is_given()
            && let Some(protocol) = other(&[Protocol::TCP])
        {
            return Some(format!("`tcp_flags` are of TCP, and `protocol` is `{}`", protocol.written()));
        }
        if self.tcp_flags.is_given() && self.icmp_type.is_given() {
            return Some("no packet is both TCP and ICMP: take `tcp_flags` or `icmp_type` away".into());
        }
        for (version, protocol, cure) in [(6, Protocol::ICMP, "icmpv6"), (4, Protocol::ICMPV6, "icmp")] {
            if self.version == Some(version) && self.protocol.iter().any(|given| *given == protocol) {
                return Some(format!(
                    "protocol `{}` is not of IPv{version}: there it is `{cure}`",
                    flow(&Many::one(protocol).written())
                ));
            }
        }
        if !self.outward.is_empty()
            && self.to.as_ref().is_some_and(|to| to.router && to.networks == Networks::default())
        {
            return Some("what goes to the router itself leaves by no interface: take `out` away".into());
        }
        None
    }

    /// The IP versions of packets that may match, as far as protocol and version tell: of IPv4, of IPv6.
    pub(crate) fn families(&self) -> [bool; 2] {
        let spoken = |version: u8, foreign: Protocol| {
            self.version.is_none_or(|wanted| wanted == version) && self.protocol.admits(|given| *given != foreign)
        };
        [spoken(4, Protocol::ICMPV6), spoken(6, Protocol::ICMP)]
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use serde_json::{Value, json};

    use super::super::testing::{icmp_v4, packet, tcp, udp};
    use super::*;
    use crate::model::form::from_json;
    use crate::wire::testing::real_frames;

    fn many<T: Term>(value: Value) -> Many<T> {
        from_json(value).unwrap()
    }

    fn networks(texts: &[&str]) -> Networks {
        texts.iter().map(|text| text.parse::<IpNet>().unwrap()).collect()
    }

    fn to(texts: &[&str], router: bool) -> Option<Destination> {
        Some(Destination { router, networks: networks(texts) })
    }

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [10, 0, 1, 1];

    /// New, from port 0 to port 1.
    fn holds(rule: &Match, frame: &[u8]) -> bool {
        holds_when(rule, frame, State::New, Some(1))
    }

    fn holds_when(rule: &Match, frame: &[u8], state: State, leaves_by: Option<u32>) -> bool {
        let packet = &FrameSummary::new(frame, frame.len());
        let flags = if let Detail::Tcp { flags, .. } = packet.detail { flags } else { Flags::default() };
        rule.holds(&Sight { packet, flags, state, came_in: 0, leaves_by })
    }

    #[test]
    fn each_key_alone() {
        let syn = tcp(A, 4000, B, 443, Flags::SYN);
        let rst = tcp(A, 4000, B, 443, Flags::RST);
        let dns = udp(A, 4000, B, 53);
        let ping = icmp_v4(A, B, 8, 1);
        let gre = packet(A, B, 47, &[0; 4]);
        let fragment = &real_frames()[8];
        let ping6 = &real_frames()[6];
        let frames: [&[u8]; 7] = [&syn, &rst, &dns, &ping, &gre, fragment, ping6];
        let any = Match::default();
        let cases = [
            (any.clone(), [true; 7]),
            (Match { protocol: many(json!("tcp")), ..any.clone() }, [true, true, false, false, false, false, false]),
            (Match { protocol: many(json!([17, 47])), ..any.clone() }, [false, false, true, false, true, true, false]),
            (Match { port: many(json!("50-443")), ..any.clone() }, [true, true, true, false, false, false, false]),
            (Match { port: many(json!(4000)), ..any.clone() }, [false; 7]),
            (Match { source_port: many(json!(4000)), ..any.clone() }, [true, true, true, false, false, false, false]),
            (
                Match { icmp_type: many(json!("echo_request")), ..any.clone() },
                [false, false, false, true, false, false, true],
            ),
            (
                Match { tcp_flags: many(json!(["rst", "fin"])), ..any.clone() },
                [false, true, false, false, false, false, false],
            ),
            (Match { fragment: Some(true), ..any.clone() }, [false, false, false, false, false, true, false]),
            (Match { fragment: Some(false), ..any.clone() }, [true, true, true, true, true, false, true]),
            (Match { version: Some(6), ..any.clone() }, [false, false, false, false, false, false, true]),
            (Match { dscp: many(json!("EF")), ..any.clone() }, [false; 7]),
            (Match { dscp: many(json!([0, "EF"])), ..any.clone() }, [true; 7]),
            (Match { from: Some(networks(&["10.0.0.1/32", "fd00::1/128"])), ..any.clone() }, [true; 7]),
            (Match { from: Some(networks(&["10.0.1.0/24"])), ..any.clone() }, [false; 7]),
            (Match { to: to(&["10.0.1.0/24"], true), ..any.clone() }, [true, true, true, true, true, false, false]),
            (Match { to: to(&[], true), ..any.clone() }, [false; 7]),
            (Match { inward: vec![2, 0], ..any.clone() }, [true; 7]),
            (Match { inward: vec![1], ..any.clone() }, [false; 7]),
            (Match { outward: vec![1], ..any.clone() }, [true; 7]),
            (Match { outward: vec![0], ..any.clone() }, [false; 7]),
            (Match { state: many(json!(["new", "related"])), ..any.clone() }, [true; 7]),
            (Match { state: many(json!("established")), ..any }, [false; 7]),
        ];
        for (rule, expected) in cases {
            assert_eq!(frames.map(|frame| holds(&rule, frame)), expected, "{rule:?}");
        }
    }

    #[test]
    fn all_keys_must_hold() {
        let rule = Match { protocol: many(json!("tcp")), port: many(json!(443)), inward: vec![0], ..Match::default() };
        assert!(holds(&rule, &tcp(A, 1, B, 443, Flags::SYN)));
        assert!(!holds(&rule, &tcp(A, 1, B, 80, Flags::SYN)) && !holds(&rule, &udp(A, 1, B, 443)));
    }

    #[test]
    fn what_is_for_the_router_itself_leaves_by_no_interface() {
        let ping = icmp_v4(A, B, 8, 1);
        let own = |rule: &Match| holds_when(rule, &ping, State::New, None);
        assert!(own(&Match { to: to(&[], true), ..Match::default() }));
        assert!(!own(&Match { outward: vec![0, 1], ..Match::default() }));
        assert!(own(&Match { to: to(&["10.0.1.1/32"], false), ..Match::default() }));
    }

    #[test]
    fn a_rule_covers_what_is_narrower_and_nothing_that_is_not() {
        let any = Match::default();
        let web = Match { protocol: many(json!("tcp")), port: many(json!("80-443")), ..any.clone() };
        let https =
            Match { port: many(json!([443, "100-200"])), from: Some(networks(&["10.0.0.0/24"])), ..web.clone() };
        assert!(any.covers(&web) && any.covers(&any) && web.covers(&web) && web.covers(&https));
        assert!(!web.covers(&any) && !https.covers(&web));
        let wider = Match { port: many(json!([443, 444])), ..web.clone() };
        assert!(!web.covers(&wider));
        let router = Match { to: to(&[], true), ..any.clone() };
        let network = Match { to: to(&["10.0.0.0/8"], false), ..any.clone() };
        assert!(!network.covers(&router) && !router.covers(&network), "it depends on the router's addresses");
        let both = Match { to: to(&["10.0.0.0/8"], true), ..any.clone() };
        assert!(both.covers(&router) && both.covers(&network) && !network.covers(&both));
        let (first, second) = (Match { inward: vec![0], ..any.clone() }, Match { inward: vec![1], ..any.clone() });
        assert!(!first.covers(&second) && Match { inward: vec![0, 1], ..any }.covers(&second));
    }

    #[test]
    fn what_no_packet_has_together_is_told_with_a_cure() {
        let wrong = |rule: Match| rule.conflict().unwrap();
        let any = Match::default();
        let icmp = Match { protocol: many(json!("icmp")), ..any.clone() };
        assert!(
            wrong(Match { port: many(json!(53)), ..icmp.clone() })
                .starts_with("protocol `icmp` has no ports: take `port`")
        );
        assert!(wrong(Match { source_port: many(json!(53)), ..icmp.clone() }).contains("`source_port`"));
        let ping = Match { icmp_type: many(json!("echo_request")), ..any.clone() };
        assert!(
            wrong(Match { protocol: many(json!(["icmp", "tcp"])), ..ping.clone() }).contains("`protocol` is `tcp`")
        );
        assert!(wrong(Match { port: many(json!(1)), ..ping.clone() }).contains("ICMP has no ports"));
        assert!(wrong(Match { tcp_flags: many(json!("rst")), ..ping.clone() }).contains("both TCP and ICMP"));
        assert!(wrong(Match { tcp_flags: many(json!("rst")), ..icmp.clone() }).contains("of TCP"));
        let number = Match { icmp_type: many(json!(13)), ..any.clone() };
        assert!(wrong(number.clone()).contains("write `protocol: icmp`"));
        assert_eq!(Match { protocol: many(json!("icmp")), ..number }.conflict(), None);
        assert!(wrong(Match { version: Some(6), ..icmp.clone() }).ends_with("there it is `icmpv6`"));
        assert!(wrong(Match { outward: vec![0], to: to(&[], true), ..any.clone() }).contains("take `out` away"));
        assert_eq!(any.conflict(), None);
        assert_eq!(
            Match { protocol: many(json!(["tcp", "sctp"])), port: many(json!(1)), ..any.clone() }.conflict(),
            None
        );
        assert_eq!((icmp.families(), any.families()), ([true, false], [true, true]));
    }
}
