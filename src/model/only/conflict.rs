//! Rules that no frame can match, or of which a part never can: mistakes, each with its cure.

use super::rule::Rule;
use super::value::{Carried, Many, Ports, Prefix, Protocol, Term, Written, flow};
use crate::wire::ethernet::EtherType;

/// Kinds of frames, a bit each.
type Kinds = u8;

const V4: Kinds = 1;
const V6: Kinds = 2;
const ARP: Kinds = 4;
const OTHER: Kinds = 8;

/// A key of a rule, and in which frames each of its values is found.
struct Key {
    name: &'static str,
    values: Vec<(Written, Kinds)>,
}

impl Key {
    fn new<T: Term>(name: &'static str, many: &Many<T>, kinds: impl Fn(&T) -> Kinds) -> Key {
        Key { name, values: many.iter().map(|value| (value.written(), kinds(value))).collect() }
    }

    /// In which frames any of its values is found.
    fn kinds(&self) -> Kinds {
        self.values.iter().fold(0, |all, (_, kinds)| all | kinds)
    }

    fn written(&self) -> String {
        let values: Vec<_> = self.values.iter().map(|(value, _)| value.clone()).collect();
        format!("{}: {}", self.name, flow(&values))
    }
}

/// What cannot hold in a rule, and what to write instead.
pub(super) fn find(rule: &Rule) -> Option<String> {
    kinds(rule)
        .or_else(|| flags(rule))
        .or_else(|| portless(rule))
        .or_else(|| both_ports(rule))
        .or_else(|| both_addresses(rule))
}

/// A value that is found in no frame in which another key is found.
///
/// Two keys at a time are enough: three that exclude each other only together would need a value that is found in ARP and
/// in IPv6, but not in IPv4, and there is none.
fn kinds(rule: &Rule) -> Option<String> {
    let ip = |_: &Ports| V4 | V6;
    let net = |net: &Prefix| if net.0.addr().is_ipv4() { V4 | ARP } else { V6 };
    let keys = [
        Key::new("ethertype", &rule.ethertype, |carried| match *carried {
            Carried::Ip => V4 | V6,
            Carried::Type(EtherType::IPV4) => V4,
            Carried::Type(EtherType::IPV6) => V6,
            Carried::Type(EtherType::ARP) => ARP,
            Carried::Type(_) => OTHER,
        }),
        Key::new("protocol", &rule.protocol, |protocol| match *protocol {
            Protocol::ICMP => V4,
            Protocol::ICMPV6 => V6,
            _ => V4 | V6,
        }),
        Key::new("port", &rule.port, ip),
        Key::new("source_port", &rule.source_port, ip),
        Key::new("destination_port", &rule.destination_port, ip),
        Key::new("tcp_flags", &rule.tcp_flags, |_| V4 | V6),
        Key::new("dscp", &rule.dscp, |_| V4 | V6),
        Key::new("src", &rule.src, net),
        Key::new("dst", &rule.dst, net),
        Key::new("address", &rule.address, net),
    ];
    for (at, key) in keys.iter().enumerate() {
        for (value, kinds) in &key.values {
            let others = keys.iter().enumerate().filter(|(other, key)| *other != at && !key.values.is_empty());
            if let Some((_, other)) = others.into_iter().find(|(_, other)| other.kinds() & kinds == 0) {
                return Some(format!(
                    "`{}: {value}` and `{}` cannot both hold: the first is found in {}, the second in {}; {}",
                    key.name,
                    other.written(),
                    describe(*kinds),
                    describe(other.kinds()),
                    cure(key, value, other)
                ));
            }
        }
    }
    None
}

fn cure(key: &Key, value: &Written, other: &Key) -> &'static str {
    let name =
        |key: &Key, value: &Written| key.name == "protocol" && matches!(value, Written::Text(text) if text == "icmp");
    match name(key, value) || other.values.iter().any(|(value, _)| name(other, value)) {
        true if (key.kinds() | other.kinds()) & V6 != 0 => "the protocol for IPv6 is `icmpv6`",
        _ => "take one of them away, or make two maps of them in a list",
    }
}

fn describe(kinds: Kinds) -> String {
    let names = [(V4, "IPv4"), (V6, "IPv6"), (ARP, "ARP")];
    let names: Vec<_> = names.iter().filter(|(kind, _)| kinds & kind != 0).map(|(_, name)| *name).collect();
    match (names.is_empty(), kinds & OTHER != 0) {
        (true, _) => "frames that are neither IP nor ARP".into(),
        (false, true) => format!("{} and other frames", names.join(", ")),
        (false, false) => format!("{} frames", names.join(" and ")),
    }
}

/// Flags of what is no TCP; or a list that was meant to hold as a whole: of `[syn, "!ack"]` one or the other does for nearly
/// every segment.
fn flags(rule: &Rule) -> Option<String> {
    let tests = rule.tcp_flags.written();
    if let Some(other) = rule.protocol.iter().find(|protocol| !tests.is_empty() && **protocol != Protocol::TCP) {
        return Some(format!(
            "`tcp_flags` are of TCP, so they never hold with protocol `{}`: take one of them away, or make two maps of them \
             in a list",
            other.written()
        ));
    }
    (tests.len() > 1 && rule.tcp_flags.iter().any(|test| test.is_negative())).then(|| {
        let all: Vec<_> = tests.iter().map(ToString::to_string).collect();
        format!("any of a list may hold, and without a flag that is set `{}` holds for nearly all: for all of them at once write `{}`", flow(&tests), all.join("+"))
    })
}

/// A port of what has none.
fn portless(rule: &Rule) -> Option<String> {
    let key = [
        ("port", rule.port.is_given()),
        ("source_port", rule.source_port.is_given()),
        ("destination_port", rule.destination_port.is_given()),
    ];
    let (key, _) = key.into_iter().find(|(_, given)| *given)?;
    let protocol = rule.protocol.iter().find(|protocol| !protocol.has_ports())?;
    let name = protocol.written();
    Some(format!(
        "protocol `{name}` has no ports: take `{key}` away, or write a protocol that has, as in `{{ udp: 53 }}`; for \
         either write a list, as in `[{{ udp: 53 }}, {{ protocol: {name} }}]`"
    ))
}

/// `port` is the source's or the destination's; with both of those given it must be one of them.
fn both_ports(rule: &Rule) -> Option<String> {
    let Rule { source_port, destination_port, port, .. } = rule;
    if !(source_port.is_given() && destination_port.is_given() && port.is_given()) {
        return None;
    }
    let ends = || source_port.iter().chain(destination_port.iter());
    let alone = port.iter().find(|port| !ends().any(|end| end.overlaps(**port)))?;
    Some(format!(
        "`port: {}` is neither in `source_port` nor in `destination_port`, so no frame has all three: take one of them \
         away",
        alone.written()
    ))
}

/// As [`both_ports`], of addresses.
fn both_addresses(rule: &Rule) -> Option<String> {
    let Rule { src, dst, address, .. } = rule;
    if !(src.is_given() && dst.is_given() && address.is_given()) {
        return None;
    }
    let overlap = |a: &Prefix, b: &Prefix| a.0.contains(&b.0) || b.0.contains(&a.0);
    let ends = || src.iter().chain(dst.iter());
    let alone = address.iter().find(|net| !ends().any(|end| overlap(end, net)))?;
    Some(format!(
        "`address: {}` is neither in `src` nor in `dst`, so no frame has all three: take one of them away",
        alone.written()
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::form::from_json;

    fn wrong(value: serde_json::Value) -> String {
        from_json::<Rule>(value.clone()).expect_err(&value.to_string())
    }

    #[test]
    fn keys_that_no_frame_has_together_are_mistakes_with_a_cure() {
        assert_eq!(
            wrong(json!({"ethertype": "arp", "port": 80})),
            "`ethertype: arp` and `port: 80` cannot both hold: the first is found in ARP frames, the second in IPv4 and \
             IPv6 frames; take one of them away, or make two maps of them in a list"
        );
        assert_eq!(
            wrong(json!({"src": "10.0.0.1", "dst": "fd00::2"})),
            "`src: 10.0.0.1` and `dst: fd00::2` cannot both hold: the first is found in IPv4 and ARP frames, the second \
             in IPv6 frames; take one of them away, or make two maps of them in a list"
        );
        assert!(wrong(json!({"ethertype": "arp", "dscp": "EF"})).contains("`dscp: EF`"));
        assert!(wrong(json!({"ethertype": "arp", "protocol": "tcp"})).contains("`protocol: tcp`"));
        assert!(wrong(json!({"ethertype": "arp", "address": "fd00::/8"})).contains("ARP frames, the second in IPv6"));
        assert!(wrong(json!({"ethertype": "lldp", "src": "10.0.0.1"})).contains("neither IP nor ARP"));
        assert!(wrong(json!({"ethertype": "ipv6", "src": "10.0.0.1"})).contains("IPv6 frames"));
        assert!(
            wrong(json!({"ethertype": ["ip", "lldp"], "udp": 53})).contains("`ethertype: lldp` and `protocol: udp`")
        );
    }

    #[test]
    fn a_value_that_never_matches_is_a_mistake_even_beside_one_that_does() {
        let error = wrong(json!({"src": ["10.0.0.1", "fd00::1"], "dst": "fd00::2"}));
        assert!(error.starts_with("`src: 10.0.0.1` and `dst: fd00::2`"), "{error}");
        assert!(wrong(json!({"protocol": ["udp", "icmp"], "port": 53})).contains("protocol `icmp` has no ports"));
    }

    #[test]
    fn icmp_is_of_ipv4_and_has_no_ports() {
        assert!(wrong(json!({"protocol": "icmp", "dst": "fd00::/8"})).ends_with("the protocol for IPv6 is `icmpv6`"));
        assert!(wrong(json!({"ethertype": "ipv6", "protocol": "icmp"})).ends_with("is `icmpv6`"));
        assert!(wrong(json!({"ethertype": "arp", "protocol": "icmp"})).ends_with("in a list"));
        assert!(wrong(json!({"protocol": "icmpv6", "src": "10.0.0.0/8"})).contains("IPv4 and ARP"));
        assert!(wrong(json!({"protocol": 47, "source_port": 1})).contains("protocol `47` has no ports"));
        assert!(wrong(json!({"protocol": "icmp", "destination_port": 1})).contains("take `destination_port` away"));
    }

    #[test]
    fn flags_are_of_tcp_and_a_list_of_them_means_any() {
        assert!(
            wrong(json!({"protocol": ["tcp", "udp"], "tcp_flags": "syn"})).contains("never hold with protocol `udp`")
        );
        assert!(wrong(json!({"udp": 53, "tcp_flags": "syn"})).contains("`tcp_flags` are of TCP"));
        assert!(wrong(json!({"ethertype": "arp", "tcp_flags": "syn"})).contains("found in ARP frames"));
        assert!(wrong(json!({"tcp_flags": ["syn", "!ack"]})).ends_with("write `syn+!ack`"));
        assert!(wrong(json!({"tcp_flags": "syn,ack"})).contains("as in `syn+ack`"));
    }

    #[test]
    fn either_of_two_that_are_both_given_must_be_one_of_them() {
        let error = wrong(json!({"source_port": 1000, "destination_port": "80-90", "port": [85, 91]}));
        assert!(error.starts_with("`port: 91` is neither in"), "{error}");
        let error = wrong(json!({"src": "10.0.0.0/8", "dst": "192.0.2.1", "address": "172.16.0.0/12"}));
        assert!(error.starts_with("`address: 172.16.0.0/12` is neither in"), "{error}");
    }

    #[test]
    fn what_a_frame_can_have_together_is_right() {
        for value in [
            json!({"ethertype": "arp", "src": "10.0.0.1", "vlan": 5}),
            json!({"ethertype": "ip", "udp": 53, "dscp": "EF", "vlan": 5}),
            json!({"src": ["10.0.0.1", "fd00::1"], "dst": ["10.0.0.2", "fd00::2"], "protocol": 47}),
            json!({"source_port": 1000, "destination_port": "80-90", "port": [85, 1000]}),
            json!({"src": "10.0.0.0/8", "dst": "192.0.2.1", "address": "10.1.0.0/16"}),
            json!({"src": "10.0.0.1", "address": "192.0.2.1"}),
            json!({"protocol": ["sctp", 33, 136], "port": 1}),
            json!({"protocol": "tcp", "tcp_flags": ["syn+!ack", "rst"], "ethertype": "ipv6"}),
            json!({"tcp_flags": "!ack"}),
            json!({"ethertype": "0x88cc", "vlan": [1, "2-3"]}),
        ] {
            assert!(from_json::<Rule>(value.clone()).is_ok(), "{value}");
        }
    }

    /// The argument of [`kinds`], by trying every set of keys out of every set of values.
    #[test]
    fn keys_that_agree_two_at_a_time_agree_all_together() {
        let values: [&[Kinds]; 4] = [
            &[V4 | V6, V4, V6, ARP, OTHER], // ethertype
            &[V4, V6, V4 | V6],             // protocol
            &[V4 | V6],                     // ports, dscp
            &[V4 | ARP, V6],                // addresses
        ];
        let sets = |values: &[Kinds]| -> Vec<Vec<Kinds>> {
            let chosen = |mask: usize| (0..values.len()).filter(move |i| mask >> i & 1 == 1);
            (0..1 << values.len()).map(|mask| chosen(mask).map(|i| values[i]).collect()).collect()
        };
        let union = |set: &[Kinds]| set.iter().fold(0, |all, kinds| all | kinds);
        for e in sets(values[0]) {
            for p in sets(values[1]) {
                for q in sets(values[2]) {
                    for (a, b) in
                        sets(values[3]).iter().flat_map(|a| sets(values[3]).into_iter().map(move |b| (a.clone(), b)))
                    {
                        let keys: Vec<_> = [&e, &p, &q, &a, &b].into_iter().filter(|set| !set.is_empty()).collect();
                        let pairwise = keys.iter().enumerate().all(|(i, key)| {
                            let others = || keys.iter().enumerate().filter(|(j, _)| *j != i);
                            key.iter().all(|kinds| others().all(|(_, other)| union(other) & kinds != 0))
                        });
                        let all = keys.iter().fold(V4 | V6 | ARP | OTHER, |all, key| all & union(key));
                        assert!(!pairwise || all != 0, "{keys:?}");
                    }
                }
            }
        }
    }
}
