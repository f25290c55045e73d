//! `only:`: which frames an impairment applies to.
//!
//! A rule is a map of keys that must all hold (`{ udp: 53, dst: 10.0.0.0/8 }`), or a word (`arp`); a list of rules means
//! any of them. What a frame's head does not tell, matches nothing: a rule with ports never matches the later fragments
//! of a datagram (they have no ports), nor a frame whose transport header is cut off.

mod conflict;
pub(crate) mod flags;
mod rule;
pub(crate) mod value;

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use self::rule::{Long, Rule};
use self::value::{Carried, Protocol};
use crate::wire::summary::FrameSummary;

/// Which frames an impairment applies to. Written as a word (`arp`, `ip`, `ipv4`, `ipv6`, `lldp`, `tcp`, `udp`, `icmp`,
/// `icmpv6`, `sctp`), as a map (`{ udp: 53 }`), or as a list of either, of which any may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Only {
    /// Never empty.
    any: Box<[Rule]>,
}

impl Only {
    /// Whether a frame is one of those meant. Of a super-frame, wire frames with the same TCP flags are all meant or none:
    /// what else rules look at is the same in each.
    #[inline]
    pub fn matches(&self, frame: &FrameSummary) -> bool {
        self.any.iter().any(|rule| rule.matches(frame))
    }

    /// As [`Only::matches`], of a frame of `frame_len` bytes of which `head` holds the first.
    pub fn matches_frame(&self, head: &[u8], frame_len: usize) -> bool {
        self.matches(&FrameSummary::new(head, frame_len))
    }
}

impl fmt::Display for Only {
    /// As it would be written on one line of a scenario.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.any {
            [one] => one.fmt(f),
            many => write!(f, "[{}]", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl Serialize for Only {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &*self.any {
            [one] => one.serialize(serializer),
            many => {
                let mut list = serializer.serialize_seq(Some(many.len()))?;
                many.iter().try_for_each(|rule| list.serialize_element(rule))?;
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Only {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Only, D::Error> {
        struct RuleOrList;
        impl<'de> Visitor<'de> for RuleOrList {
            type Value = Only;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("frames: a word, as in `arp` or `tcp`, a map, as in `{ udp: 53 }`, or a list of such")
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<Only, E> {
                Rule::from_word(word).map(|rule| Only { any: [rule].into() }).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Only, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Only, A::Error> {
                let rule = Rule::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Only { any: [rule].into() })
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Only, A::Error> {
                let mut any = Vec::new();
                while let Some(rule) = list.next_element::<Rule>()? {
                    any.push(rule);
                }
                match any.is_empty() {
                    true => Err(de::Error::custom(
                        "an empty list matches no frame: leave `only` out, or write what it must match, as in \
                         `[arp, { udp: 53 }]`",
                    )),
                    false => Ok(Only { any: any.into() }),
                }
            }
        }
        deserializer.deserialize_any(RuleOrList)
    }
}

impl JsonSchema for Only {
    fn schema_name() -> Cow<'static, str> {
        "Only".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let words: Vec<_> = Carried::names().chain(Protocol::names()).collect();
        let rule = json_schema!({ "anyOf": [{ "enum": words }, Long::json_schema(generator)] });
        json_schema!({
            "description": "Which frames are meant: a word, a map whose keys must all hold, or a list of which any may.",
            "anyOf": [rule, { "type": "array", "items": rule, "minItems": 1 }],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::form::from_json;
    use crate::wire::gso::GsoKind;
    use crate::wire::testing::{Train, real_frames, train};

    fn only(value: Value) -> Only {
        from_json(value.clone()).unwrap_or_else(|error| panic!("{value}: {error}"))
    }

    fn wrong(value: Value) -> String {
        from_json::<Only>(value.clone()).expect_err(&value.to_string())
    }

    const ARP: [usize; 2] = [0, 1];
    const TCP: usize = 2;
    const DNS: usize = 3;
    const PING: usize = 4;
    const SOLICITATION: usize = 5;
    /// Behind a hop-by-hop header.
    const PING6: usize = 6;
    /// Over IPv6, in VLAN 100.
    const DNS6: usize = 7;
    /// A later fragment of UDP.
    const FRAGMENT: usize = 8;
    const LLDP: usize = 9;

    #[test]
    fn real_frames_are_told_apart() {
        let frames = real_frames();
        let [request, reply] = ARP;
        let cases: &[(Value, &[usize])] = &[
            (json!("arp"), &ARP),
            (json!("ip"), &[TCP, DNS, PING, SOLICITATION, PING6, DNS6, FRAGMENT]),
            (json!("ipv4"), &[TCP, DNS, PING, FRAGMENT]),
            (json!("ipv6"), &[SOLICITATION, PING6, DNS6]),
            (json!("lldp"), &[LLDP]),
            (json!({"ethertype": 0x88cc}), &[LLDP]),
            (json!({"ethertype": ["arp", "0x88cc"]}), &[request, reply, LLDP]),
            (json!("tcp"), &[TCP]),
            (json!("udp"), &[DNS, DNS6, FRAGMENT]),
            (json!("icmp"), &[PING]),
            (json!("icmpv6"), &[SOLICITATION, PING6]),
            (json!({"protocol": [1, "icmpv6"]}), &[PING, SOLICITATION, PING6]),
            (json!({"udp": 53}), &[DNS, DNS6]),
            (json!({"udp": 5000}), &[DNS, DNS6]),
            (json!({"tcp": [443, "80-81"]}), &[TCP]),
            (json!({"tcp": 53}), &[]),
            (json!({"tcp_flags": "syn"}), &[TCP]),
            (json!({"tcp_flags": ["fin", "syn+!ack"], "tcp": 80}), &[TCP]),
            (json!({"tcp_flags": ["syn+ack", "rst"]}), &[]),
            (json!({"tcp_flags": "!ack"}), &[TCP]),
            (json!({"source_port": 53}), &[]),
            (json!({"destination_port": [53, 80]}), &[TCP, DNS, DNS6]),
            (json!({"source_port": "5000-40000", "port": 80}), &[TCP]),
            (json!({"port": "0-65535"}), &[TCP, DNS, DNS6]),
            (json!({"src": "10.0.0.1"}), &[request, TCP, DNS, PING, FRAGMENT]),
            (json!({"dst": "10.0.0.0/31"}), &[reply]),
            (json!({"address": "10.0.0.2"}), &[request, reply, TCP, DNS, PING, FRAGMENT]),
            (json!({"address": "10.0.0.2", "ethertype": "arp"}), &ARP),
            (json!({"src": "fd00::/16", "dst": "fd00::2"}), &[PING6, DNS6]),
            (json!({"src": ["fd00::1", "10.0.0.2"], "dst": ["fd00::2", "10.0.0.1"]}), &[reply, PING6, DNS6]),
            (json!({"dst": "ff00::/8"}), &[SOLICITATION]),
            (json!({"address": ["::/0", "10.0.0.9"]}), &[SOLICITATION, PING6, DNS6]),
            (json!({"dscp": 0}), &[TCP, DNS, PING, SOLICITATION, PING6, DNS6, FRAGMENT]),
            (json!({"dscp": ["EF", "AF41"]}), &[]),
            (json!({"vlan": 100}), &[DNS6]),
            (json!({"vlan": "90-99"}), &[]),
            (json!({"vlan": [1, "99-101"], "udp": 53}), &[DNS6]),
            (json!([{"udp": 53}, "arp", {"vlan": 7}]), &[request, reply, DNS, DNS6]),
        ];
        for (value, expected) in cases {
            let only = only(value.clone());
            let matched: Vec<_> =
                (0..frames.len()).filter(|i| only.matches_frame(&frames[*i], frames[*i].len())).collect();
            assert_eq!(matched, *expected, "{value}");
        }
    }

    #[test]
    fn codepoints_are_read_in_both_families_and_never_of_arp() {
        let rule = only(json!({"dscp": "EF"}));
        for (kind, at) in [(GsoKind::Tcp4, 15), (GsoKind::Udp6, 14)] {
            let mut frame = Train::plain(kind, 1000, 100).frame;
            assert!(!rule.matches_frame(&frame, frame.len()));
            match kind {
                GsoKind::Tcp4 => frame[at] = 46 << 2 | 1,
                _ => frame[at..at + 2].copy_from_slice(&(0x6000u16 | 46 << 6 | 0x10).to_be_bytes()),
            }
            assert!(rule.matches_frame(&frame, frame.len()), "{kind:?}");
        }
        let arp = &real_frames()[0];
        assert!(!only(json!({"dscp": "CS0"})).matches_frame(arp, arp.len()));
    }

    #[test]
    fn of_two_tags_the_outer_is_meant() {
        let inner = &real_frames()[DNS6];
        let mut frame = inner[..12].to_vec();
        frame.extend([0x88, 0xa8, 0x60, 9]);
        frame.extend(&inner[12..]);
        let matches = |value| only(value).matches_frame(&frame, frame.len());
        assert!(matches(json!({"vlan": 9})) && !matches(json!({"vlan": 100})));
        assert!(matches(json!({"udp": 53})) && matches(json!("ipv6")), "what is behind both tags is read");
    }

    #[test]
    fn a_first_fragment_has_ports_and_a_later_one_has_none() {
        let mut frame = Train::plain(GsoKind::Udp4, 1000, 100).frame;
        let rules = [only(json!({"udp": 5201})), only(json!("udp")), only(json!({"src": "10.0.0.1"}))];
        let matched = |frame: &[u8]| rules.each_ref().map(|rule| rule.matches_frame(frame, frame.len()));
        frame[20] = 0x20;
        assert_eq!(matched(&frame), [true, true, true]);
        frame[21] = 1;
        assert_eq!(matched(&frame), [false, true, true]);
    }

    #[test]
    fn what_is_cut_off_matches_nothing() {
        let t = Train::plain(GsoKind::Tcp6, 1448, 2000);
        let at = |value: Value, len: usize| only(value).matches_frame(&t.frame[..len], t.frame.len());
        assert_eq!((at(json!({"tcp": 5201}), 62), at(json!({"tcp": 5201}), 61)), (true, false));
        assert_eq!((at(json!({"tcp_flags": "ack"}), 74), at(json!({"tcp_flags": "ack"}), 73)), (true, false));
        assert_eq!((at(json!("tcp"), 54), at(json!("tcp"), 53)), (true, false));
        assert_eq!((at(json!({"src": "fd00::/8"}), 54), at(json!({"src": "fd00::/8"}), 53)), (true, false));
        assert_eq!((at(json!("ipv6"), 14), at(json!("ipv6"), 13)), (true, false));
        assert!(!only(json!("ip")).matches_frame(&[], 0));
    }

    #[test]
    fn it_is_written_as_people_write_it() {
        let again = |value: Value| {
            let rule = only(value);
            let written = serde_json::to_value(&rule).unwrap();
            assert_eq!(only(written.clone()), rule, "{written}");
            written
        };
        for value in [
            json!("arp"),
            json!("icmpv6"),
            json!({"udp": 53}),
            json!({"tcp": [80, "8000-8010"], "dst": "10.0.0.0/8"}),
            json!({"protocol": ["tcp", "udp"], "port": 53}),
            json!({"ethertype": "0x88b5", "vlan": ["10-20", 30]}),
            json!({"tcp_flags": ["syn+!ack", "rst"], "dst": "10.0.0.0/8"}),
            json!([{"src": "fd00::1"}, "arp"]),
        ] {
            assert_eq!(again(value.clone()), value);
        }
        assert_eq!(again(json!({"protocol": 17})), "udp");
        assert_eq!(again(json!([{"protocol": "tcp", "port": ["80"]}])), json!({"tcp": 80}));
        assert_eq!(again(json!({"protocol": 47})), json!({"protocol": 47}));
        let list = only(json!(["arp", {"dst": ["10.0.0.0/8", "fd00::1"], "udp": 53, "dscp": 46}]));
        assert_eq!(list.to_string(), "[arp, { udp: 53, dscp: EF, dst: [10.0.0.0/8, fd00::1] }]");
    }

    #[test]
    fn mistakes_say_what_to_write() {
        assert!(wrong(json!("apr")).contains("did you mean `arp`?"));
        assert!(wrong(json!("dns")).contains("as in `{ udp: 53 }`"));
        assert!(wrong(json!(53)).contains("write `{ port: 53 }`"));
        assert!(wrong(json!("10.0.0.0/8")).contains("write `{ address: 10.0.0.0/8 }`"));
        assert!(wrong(json!("EF")).contains("write `{ dscp: EF }`"));
        assert!(wrong(json!({})).contains("leave `only` out"));
        assert!(wrong(json!([])).contains("an empty list"));
        assert!(wrong(json!([["arp"]])).contains("a word"));
        assert!(wrong(json!(true)).contains("frames: a word"));
        assert!(wrong(json!({"prot": "tcp"})).contains("unknown field `prot`"));
        assert!(wrong(json!({"src": "bob"})).contains("names of hosts"));
        assert!(wrong(json!({"udp": 53, "tcp": 53})).contains("[{ tcp: 53 }, { udp: 53 }]"));
        assert!(wrong(json!({"udp": 53, "protocol": "udp"})).contains("`protocol` cannot stand beside `udp`"));
        assert!(wrong(json!({"tcp": 53, "port": 80})).contains("`port` cannot stand beside `tcp`"));
    }

    /// Any rule that can be written, from values that frames of the tests have.
    fn any_rule() -> impl Strategy<Value = Only> {
        let rules = [
            json!("arp"),
            json!("ip"),
            json!("tcp"),
            json!({"udp": [53, "5000-5300"]}),
            json!({"port": 40_000, "vlan": "0-4094"}),
            json!({"src": ["10.0.0.0/8", "fd00::/8"], "dscp": ["EF", 0, 63]}),
            json!({"address": "::/0", "protocol": [6, 17, 58, 255]}),
            json!({"tcp_flags": ["fin", "psh+!cwr"]}),
            json!([{"ethertype": "0xffff"}, {"destination_port": 0}, "icmp"]),
        ];
        prop::sample::select(rules.to_vec()).prop_map(only)
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), len in 0usize..70_000, rule in any_rule()) {
            rule.matches_frame(&bytes, len);
        }

        #[test]
        fn no_mutated_frame_panics(
            mut frame in prop::sample::select(real_frames()),
            at in 0usize..90,
            to: u8,
            cut in 0usize..90,
            rule in any_rule(),
        ) {
            if let Some(byte) = frame.get_mut(at) {
                *byte = to;
            }
            frame.truncate(cut);
            rule.matches_frame(&frame, frame.len());
        }

        #[test]
        fn trains_match_by_what_was_put_into_them(t in train()) {
            let (tcp, v4) = (t.gso.kind.is_tcp(), t.gso.kind.is_v4());
            let matches = |value| only(value).matches_frame(&t.frame[..t.header], t.frame.len());
            prop_assert_eq!((matches(json!({"tcp": 5201})), matches(json!({"udp": 40_000}))), (tcp, !tcp));
            prop_assert_eq!((matches(json!("ipv4")), matches(json!("ipv6"))), (v4, !v4));
            prop_assert_eq!(matches(json!({"src": "10.0.0.1", "dst": "10.9.8.0/24"})), v4);
            prop_assert_eq!(matches(json!({"vlan": 10})), t.l3 == 22);
            prop_assert_eq!(matches(json!({"vlan": 20})), t.l3 == 18);
        }
    }
}
