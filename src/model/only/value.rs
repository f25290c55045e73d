//! What stands behind the keys of a rule: protocols, prefixes, ports, codepoints, types, VLAN ids; each by number or by
//! the name that its RFC gives it, one or a list.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::diag::suggestion;
use crate::wire::ethernet::EtherType;

/// A value as people write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum Written {
    /// A number alone.
    Number(u64),
    /// Anything else.
    Text(Cow<'static, str>),
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Written::Number(number) => number.fmt(f),
            Written::Text(text) => f.write_str(text),
        }
    }
}

/// Values as they stand behind a key.
pub(crate) fn flow(values: &[Written]) -> String {
    match values {
        [one] => one.to_string(),
        many => format!("[{}]", many.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// One value of a key.
pub(crate) trait Term: Sized {
    /// What to write, for error messages.
    const EXPECTED: &'static str;
    /// Reads a name, or whatever is not a number alone.
    fn from_text(text: &str) -> Result<Self, String>;
    /// Reads a number.
    fn from_number(number: u64) -> Result<Self, String>;
    /// Writes what these read.
    fn written(&self) -> Written;
    /// The schema of one value.
    fn schema() -> Schema;
}

/// One value or a list of them, any of which may hold. Empty where the key is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Many<T>(Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Many<T> {
        Many(Vec::new())
    }
}

impl<T> Many<T> {
    pub(crate) fn one(value: T) -> Many<T> {
        Many(vec![value])
    }

    /// Whether the key is given.
    pub(crate) fn of<const N: usize>(values: [T; N]) -> Many<T> {
        Many(values.into())
    }

    pub(crate) fn is_given(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Whether the key is not given, or one of its values holds.
    #[inline]
    pub(crate) fn admits(&self, holds: impl Fn(&T) -> bool) -> bool {
        self.0.is_empty() || self.0.iter().any(holds)
    }
}

impl<T: Term> Many<T> {
    pub(crate) fn written(&self) -> Vec<Written> {
        self.0.iter().map(Term::written).collect()
    }
}

struct TermVisitor<T>(PhantomData<T>);

impl<T: Term> Visitor<'_> for TermVisitor<T> {
    type Value = T;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        match text.parse() {
            Ok(number) => T::from_number(number),
            Err(_) => T::from_text(text),
        }
        .map_err(E::custom)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        T::from_number(number).map_err(E::custom)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        T::from_text(&number.to_string()).map_err(E::custom)
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        T::from_text(&number.to_string()).map_err(E::custom)
    }
}

/// An element of a list.
struct One<T>(T);

impl<'de, T: Term> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<One<T>, D::Error> {
        deserializer.deserialize_any(TermVisitor(PhantomData)).map(One)
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Term> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a list of such", T::EXPECTED)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Many<T>, E> {
        TermVisitor(PhantomData).visit_str(text).map(Many::one)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Many<T>, E> {
        TermVisitor(PhantomData).visit_u64(number).map(Many::one)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Many<T>, E> {
        TermVisitor(PhantomData).visit_i64(number).map(Many::one)
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Many<T>, E> {
        TermVisitor(PhantomData).visit_f64(number).map(Many::one)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(One(value)) = list.next_element()? {
            values.push(value);
        }
        match values.is_empty() {
            true => Err(de::Error::custom(format!("an empty list matches nothing: write {}", T::EXPECTED))),
            false => Ok(Many(values)),
        }
    }
}

impl<'de, T: Term> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Many<T>, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

impl<T: Term> JsonSchema for Many<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "OneOrMore".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [T::schema(), { "type": "array", "items": T::schema(), "minItems": 1 }] })
    }
}

/// An IP protocol (the next header behind IPv6's extension headers), by IANA's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Protocol(pub(crate) u8);

impl Protocol {
    pub(crate) const ICMP: Protocol = Protocol(1);
    pub(crate) const TCP: Protocol = Protocol(6);
    pub(crate) const UDP: Protocol = Protocol(17);
    pub(crate) const ICMPV6: Protocol = Protocol(58);
    const NAMES: [(&'static str, Protocol); 5] = [
        ("tcp", Protocol::TCP),
        ("udp", Protocol::UDP),
        ("icmp", Protocol::ICMP),
        ("icmpv6", Protocol::ICMPV6),
        ("sctp", Protocol(132)),
    ];

    pub(crate) fn named(name: &str) -> Option<Protocol> {
        Protocol::NAMES.iter().find(|(known, _)| *known == name).map(|(_, protocol)| *protocol)
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
        Protocol::NAMES.iter().map(|(name, _)| *name)
    }

    /// Whether its header begins with two ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
    pub(crate) const fn has_ports(self) -> bool {
        matches!(self.0, 6 | 17 | 33 | 132 | 136)
    }
}

impl Term for Protocol {
    const EXPECTED: &'static str = "a protocol: `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or its number";
    fn from_text(text: &str) -> Result<Protocol, String> {
        Protocol::named(text).ok_or_else(|| {
            let help = suggestion(text, Protocol::names());
            format!("`{text}` is no protocol with a name here: {help}; any other goes by its number, 0 to 255")
        })
    }
    fn from_number(number: u64) -> Result<Protocol, String> {
        u8::try_from(number).map(Protocol).map_err(|_| format!("{number} is no protocol: they go from 0 to 255"))
    }
    fn written(&self) -> Written {
        match Protocol::NAMES.iter().find(|(_, known)| known == self) {
            Some((name, _)) => Written::Text((*name).into()),
            None => Written::Number(self.0.into()),
        }
    }
    fn schema() -> Schema {
        let names: Vec<_> = Protocol::names().collect();
        json_schema!({ "anyOf": [{ "enum": names }, { "type": "integer", "minimum": 0, "maximum": 255 }] })
    }
}

/// A network, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(pub(crate) IpNet);

impl Term for Prefix {
    const EXPECTED: &'static str = "an address or a network, as in `10.0.0.2`, `10.0.0.0/8` or `fd00::/64`";
    fn from_text(text: &str) -> Result<Prefix, String> {
        if let Ok(address) = text.parse::<core::net::IpAddr>() {
            return Ok(Prefix(address.into()));
        }
        let Ok(net) = text.parse::<IpNet>() else {
            return Err(match text.contains('/') || text.contains(':') || text.parse::<f64>().is_ok() {
                true => format!("`{text}` is no address and no network: write one as in `10.0.0.2` or `fd00::/64`"),
                false => format!(
                    "`{text}` is no address: rules know no names of hosts, write the host's address, as in \
                     `10.0.0.2`, or its network, as in `10.0.0.0/24`"
                ),
            });
        };
        if net != net.trunc() {
            return Err(format!(
                "`{net}` names a host and its network: write `{}` for the host alone, `{}` for all of the network",
                net.addr(),
                net.trunc()
            ));
        }
        Ok(Prefix(net))
    }
    fn from_number(number: u64) -> Result<Prefix, String> {
        Err(format!("{number} is no address: write one as in `10.0.0.2` or `fd00::/64`"))
    }
    fn written(&self) -> Written {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => Written::Text(self.0.addr().to_string().into()),
            false => Written::Text(self.0.to_string().into()),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-fA-F.:]+(/[0-9]{1,3})?$" })
    }
}

/// Numbers from a first to a last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range<const MAX: u16> {
    first: u16,
    last: u16,
}

/// Ports.
pub(crate) type Ports = Range<65_535>;
/// VLAN ids. 0 is a tag that carries a priority alone; 4095 is reserved (IEEE 802.1Q, table 9-2).
pub(crate) type Vlans = Range<4_094>;

impl<const MAX: u16> Range<MAX> {
    /// What its numbers are.
    const WHAT: &'static str = if MAX == u16::MAX { "port" } else { "VLAN id" };

    #[inline]
    pub(crate) fn contains(self, number: u16) -> bool {
        (self.first..=self.last).contains(&number)
    }

    /// Whether all numbers of `other` are among these.
    pub(crate) fn includes(self, other: Range<MAX>) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    pub(crate) fn overlaps(self, other: Range<MAX>) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl<const MAX: u16> Term for Range<MAX> {
    const EXPECTED: &'static str = if MAX == u16::MAX {
        "a port or a range of ports, as in `53` or `8000-8010`"
    } else {
        "a VLAN id or a range of such, as in `100` or `100-110`"
    };
    fn from_text(text: &str) -> Result<Range<MAX>, String> {
        let what = Self::WHAT;
        let Some((first, last)) = text.split_once('-').filter(|(first, _)| !first.is_empty()) else {
            return Err(format!("`{text}` is no {what}: write a number from 0 to {MAX}, or a range as in `80-90`"));
        };
        let side = |text: &str| {
            let number = text.trim().parse().map_err(|_| format!("`{text}` is no {what}: they go from 0 to {MAX}"))?;
            Self::from_number(number).map(|range| range.first)
        };
        let (first, last) = (side(first)?, side(last)?);
        match first <= last {
            true => Ok(Range { first, last }),
            false => Err(format!("the range `{text}` is empty: write `{last}-{first}`")),
        }
    }
    fn from_number(number: u64) -> Result<Range<MAX>, String> {
        match u16::try_from(number) {
            Ok(number) if number <= MAX => Ok(Range { first: number, last: number }),
            _ => Err(format!("{number} is no {}: they go from 0 to {MAX}", Self::WHAT)),
        }
    }
    fn written(&self) -> Written {
        match self.first == self.last {
            true => Written::Number(self.first.into()),
            false => Written::Text(format!("{}-{}", self.first, self.last).into()),
        }
    }
    fn schema() -> Schema {
        json_schema!({ "anyOf": [
            { "type": "integer", "minimum": 0, "maximum": MAX },
            { "type": "string", "pattern": "^[0-9]+( *- *[0-9]+)?$" },
        ] })
    }
}

/// A differentiated-services codepoint: the upper six bits of TOS or traffic class (RFC 2474).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dscp(pub(crate) u8);

impl Dscp {
    /// Class selectors of RFC 2474, assured forwarding of RFC 2597, expedited forwarding of RFC 3246, voice admit of RFC
    /// 5865, lower effort of RFC 8622.
    const NAMES: [(&'static str, u8); 23] = [
        ("CS0", 0),
        ("CS1", 8),
        ("CS2", 16),
        ("CS3", 24),
        ("CS4", 32),
        ("CS5", 40),
        ("CS6", 48),
        ("CS7", 56),
        ("AF11", 10),
        ("AF12", 12),
        ("AF13", 14),
        ("AF21", 18),
        ("AF22", 20),
        ("AF23", 22),
        ("AF31", 26),
        ("AF32", 28),
        ("AF33", 30),
        ("AF41", 34),
        ("AF42", 36),
        ("AF43", 38),
        ("EF", 46),
        ("VA", 44),
        ("LE", 1),
    ];
}

impl Term for Dscp {
    const EXPECTED: &'static str = "a DSCP: its name, as in `EF`, `AF41` or `CS1`, or a number from 0 to 63";
    fn from_text(text: &str) -> Result<Dscp, String> {
        let known = Dscp::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, number)| Dscp(*number)).ok_or_else(|| {
            let help = suggestion(&text.to_uppercase(), Dscp::NAMES.iter().map(|(name, _)| *name));
            format!("`{text}` is no DSCP: {help}; or a number from 0 to 63")
        })
    }
    fn from_number(number: u64) -> Result<Dscp, String> {
        match u8::try_from(number) {
            Ok(number) if number < 64 => Ok(Dscp(number)),
            Ok(tos) if tos & 3 == 0 => {
                Err(format!("{tos} is no DSCP: they go from 0 to 63; as a TOS byte it holds DSCP {}", tos >> 2))
            }
            _ => Err(format!("{number} is no DSCP: they go from 0 to 63")),
        }
    }
    fn written(&self) -> Written {
        match Dscp::NAMES.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => Written::Text((*name).into()),
            None => Written::Number(self.0.into()),
        }
    }
    fn schema() -> Schema {
        let names: Vec<_> = Dscp::NAMES.iter().map(|(name, _)| *name).collect();
        json_schema!({ "anyOf": [{ "enum": names }, { "type": "integer", "minimum": 0, "maximum": 63 }] })
    }
}

/// What an Ethernet frame carries behind its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried {
    /// IPv4 or IPv6.
    Ip,
    /// This type.
    Type(EtherType),
}

impl Carried {
    const NAMES: [(&'static str, Carried); 5] = [
        ("ip", Carried::Ip),
        ("ipv4", Carried::Type(EtherType::IPV4)),
        ("ipv6", Carried::Type(EtherType::IPV6)),
        ("arp", Carried::Type(EtherType::ARP)),
        ("lldp", Carried::Type(EtherType::LLDP)),
    ];

    pub(crate) fn named(name: &str) -> Option<Carried> {
        Carried::NAMES.iter().find(|(known, _)| *known == name).map(|(_, carried)| *carried)
    }

    pub(crate) fn names() -> impl Iterator<Item = &'static str> + Clone {
        Carried::NAMES.iter().map(|(name, _)| *name)
    }

    #[inline]
    pub(crate) fn is(self, ethertype: EtherType) -> bool {
        match self {
            Carried::Ip => matches!(ethertype, EtherType::IPV4 | EtherType::IPV6),
            Carried::Type(wanted) => wanted == ethertype,
        }
    }
}

impl Term for Carried {
    const EXPECTED: &'static str = "an EtherType: `ip`, `ipv4`, `ipv6`, `arp`, `lldp`, or its number, as in `0x88cc`";
    fn from_text(text: &str) -> Result<Carried, String> {
        if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
            && let Ok(number) = u64::from_str_radix(digits, 16)
        {
            return Carried::from_number(number);
        }
        Carried::named(text).ok_or_else(|| {
            let help = suggestion(text, Carried::names());
            format!("`{text}` is no EtherType with a name here: {help}; any other goes by its number, as in `0x88cc`")
        })
    }
    fn from_number(number: u64) -> Result<Carried, String> {
        match u16::try_from(number).map(EtherType) {
            Ok(tag) if tag.is_vlan() => {
                Err(format!("0x{number:04x} is the type of a VLAN tag, and types behind tags are meant: write `vlan`"))
            }
            Ok(known) if !known.is_length() => Ok(Carried::Type(known)),
            _ => Err(format!("0x{number:04x} is no EtherType: they go from 0x0600 to 0xffff")),
        }
    }
    fn written(&self) -> Written {
        match (Carried::NAMES.iter().find(|(_, known)| known == self), self) {
            (None, Carried::Type(EtherType(number))) => Written::Text(format!("0x{number:04x}").into()),
            (name, _) => Written::Text(name.map_or("ip", |(name, _)| *name).into()),
        }
    }
    fn schema() -> Schema {
        let names: Vec<_> = Carried::names().collect();
        json_schema!({ "anyOf": [
            { "enum": names },
            { "type": "integer", "minimum": 0x0600, "maximum": 0xffff },
            { "type": "string", "pattern": "^0[xX][0-9a-fA-F]{1,4}$" },
        ] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::form::from_json;

    /// What is read from a value, as it is written again; or the error.
    fn again<T: Term>(value: serde_json::Value) -> Result<String, String> {
        from_json::<Many<T>>(value).map(|many| {
            let written = many.written();
            let json = serde_json::to_value(&written).unwrap();
            assert_eq!(from_json::<Many<T>>(json).unwrap().written(), written);
            written.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        })
    }

    fn wrong<T: Term>(value: serde_json::Value) -> String {
        again::<T>(value).expect_err("it is wrong")
    }

    #[test]
    fn protocols() {
        assert_eq!(again::<Protocol>(json!(["tcp", 17, "1", 47])).unwrap(), "tcp udp icmp 47");
        assert!(wrong::<Protocol>(json!("tpc")).contains("did you mean `tcp`?"));
        assert!(wrong::<Protocol>(json!(256)).contains("0 to 255"));
        assert!(wrong::<Protocol>(json!(-1)).contains("0 to 255"));
        assert!(wrong::<Protocol>(json!([])).contains("an empty list matches nothing"));
        assert!(wrong::<Protocol>(json!(null)).contains("expected a protocol"));
    }

    #[test]
    fn prefixes() {
        assert_eq!(
            again::<Prefix>(json!(["10.0.0.0/8", "10.0.0.1", "fd00::1", "fd00::/64", "0.0.0.0/0"])).unwrap(),
            "10.0.0.0/8 10.0.0.1 fd00::1 fd00::/64 0.0.0.0/0"
        );
        let error = wrong::<Prefix>(json!("10.0.0.2/24"));
        assert!(error.contains("`10.0.0.2` for the host alone, `10.0.0.0/24` for all"), "{error}");
        assert!(wrong::<Prefix>(json!("bob")).contains("names of hosts"));
        assert!(wrong::<Prefix>(json!("10.0.0.0/33")).contains("no network"));
        assert!(wrong::<Prefix>(json!(10.5)).contains("no network"));
        assert!(wrong::<Prefix>(json!(10)).contains("10 is no address"));
    }

    #[test]
    fn ports_and_vlans() {
        assert_eq!(
            again::<Ports>(json!([0, "53", "8000-8010", "1 - 2", "7-7", 65_535])).unwrap(),
            "0 53 8000-8010 1-2 7 65535"
        );
        assert!(wrong::<Ports>(json!(65_536)).contains("65536 is no port: they go from 0 to 65535"));
        assert!(wrong::<Ports>(json!("90-80")).contains("write `80-90`"));
        assert!(wrong::<Ports>(json!("http")).contains("`http` is no port"));
        assert!(wrong::<Ports>(json!("1-70000")).contains("70000 is no port"));
        assert!(wrong::<Ports>(json!("1-2-3")).contains("`2-3` is no port"));
        assert!(wrong::<Ports>(json!(-1)).contains("`-1` is no port"));
        assert_eq!(again::<Vlans>(json!(["0-4094", 100])).unwrap(), "0-4094 100");
        assert!(wrong::<Vlans>(json!(4095)).contains("4095 is no VLAN id: they go from 0 to 4094"));
        let range = |text| Ports::from_text(text).unwrap();
        assert!(range("80-90").contains(80) && range("80-90").contains(90));
        assert!(!range("80-90").contains(79) && !range("80-90").contains(91));
        assert!(range("80-90").includes(range("80-90")) && !range("80-90").includes(range("80-91")));
        assert!(range("80-90").overlaps(range("90-95")) && !range("80-90").overlaps(range("91-95")));
    }

    #[test]
    fn codepoints() {
        assert_eq!(again::<Dscp>(json!(["EF", "af41", "cs1", 0, 63, 44, 1])).unwrap(), "EF AF41 CS1 CS0 63 VA LE");
        assert_eq!(Dscp::from_text("AF23").unwrap(), Dscp(22));
        assert!(wrong::<Dscp>(json!("AF44")).contains("no DSCP: did you mean `AF4"));
        assert!(wrong::<Dscp>(json!(184)).contains("as a TOS byte it holds DSCP 46"));
        assert!(wrong::<Dscp>(json!(65)).ends_with("from 0 to 63"));
    }

    #[test]
    fn ethertypes() {
        assert_eq!(
            again::<Carried>(json!(["ip", "ipv6", "arp", "0x88CC", 0x0800, "0x88a9"])).unwrap(),
            "ip ipv6 arp lldp ipv4 0x88a9"
        );
        assert!(wrong::<Carried>(json!("0x8100")).contains("write `vlan`"));
        assert!(wrong::<Carried>(json!(0x88a8)).contains("write `vlan`"));
        assert!(wrong::<Carried>(json!(0x05ff)).contains("0x0600 to 0xffff"));
        assert!(wrong::<Carried>(json!("0x10000")).contains("0x0600 to 0xffff"));
        assert!(wrong::<Carried>(json!("ip6")).contains("did you mean"));
    }
}
