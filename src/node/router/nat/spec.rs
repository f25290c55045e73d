//! `nat:` as it stands in a scenario: what a router does to addresses and ports, in the words of RFC 4787.

use core::fmt;
use core::net::Ipv4Addr;
use core::str::FromStr;

use ipnet::Ipv4Net;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::form::forms;
use crate::units::Duration;

/// Network address and port translation of IPv4 (NAPT, RFC 3022) by a router. IPv6 is not translated. Short form: the name
/// of the outside interface.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NatSpec {
    /// The router's interface toward the outside, whose IPv4 addresses are the outside addresses.
    pub outside: String,
    /// When flows of one inside endpoint share an outside endpoint (RFC 4787 §4.1).
    pub mapping: Dependence,
    /// Who may send to an outside endpoint (RFC 4787 §5).
    pub filtering: Dependence,
    /// How flows get one of several outside addresses (RFC 4787 §4.1, REQ-2).
    pub pooling: Pooling,
    /// How an outside port is chosen (RFC 4787 §4.2.1).
    pub port_assignment: PortAssignment,
    /// Whether UDP ports stay even or odd, where there are ports left for it (RFC 4787 §4.2.2).
    pub parity: bool,
    /// Outside ports to choose from.
    pub ports: PortRange,
    /// Whether inside hosts reach each other by their outside endpoints (RFC 4787 §6).
    pub hairpinning: Hairpinning,
    /// Whether packets from outside, too, keep a mapping alive (RFC 4787 §4.3, REQ-6).
    pub inbound_refresh: bool,
    /// After how much silence mappings are forgotten.
    pub timeouts: Timeouts,
    /// Static port forwards.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<Forward>,
    /// Networks whose hosts are translated. Empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inside: Vec<InsideNet>,
    /// Sessions that it keeps at most. A mapping has at least one.
    pub limit: u32,
    /// Mappings that one inside host may have at a time (RFC 6888 REQ-4).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_limit: Option<u32>,
    /// What becomes of IPv6 from outside.
    pub ipv6: Ipv6,
    /// A run in which nothing was translated has failed, and no workload may go around it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
}

impl NatSpec {
    /// What applies where a scenario says only which interface is outside: endpoint-independent mapping with
    /// address-and-port-dependent filtering, the `port_restricted_cone` of most home routers.
    pub fn new(outside: impl Into<String>) -> NatSpec {
        NatSpec {
            outside: outside.into(),
            mapping: Dependence::EndpointIndependent,
            filtering: Dependence::AddressAndPortDependent,
            pooling: Pooling::default(),
            port_assignment: PortAssignment::default(),
            parity: true,
            ports: PortRange::default(),
            hairpinning: Hairpinning::default(),
            inbound_refresh: false,
            timeouts: Timeouts::default(),
            forward: Vec::new(),
            inside: Vec::new(),
            limit: 65_536,
            host_limit: None,
            ipv6: Ipv6::default(),
            required: false,
        }
    }

    /// The name of RFC 3489 for its mapping and filtering, if there is one.
    pub fn kind(&self) -> Option<NatType> {
        NatType::ALL.into_iter().find(|kind| kind.behaviour() == (self.mapping, self.filtering))
    }
}

/// The map form, as it stands in a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NatMap")]
pub struct Long {
    /// The router's interface toward the outside, by name. Its IPv4 addresses are the outside addresses.
    outside: String,
    /// Mapping and filtering by a common name (RFC 3489 §5). Not beside `mapping` or `filtering`.
    #[serde(rename = "type")]
    kind: Option<NatType>,
    /// When flows of one inside endpoint share an outside endpoint (RFC 4787 §4.1). By default
    /// `endpoint_independent`.
    mapping: Option<Dependence>,
    /// Who may send to an outside endpoint (RFC 4787 §5). By default `address_and_port_dependent`.
    filtering: Option<Dependence>,
    /// How flows get one of several outside addresses (RFC 4787 §4.1, REQ-2).
    #[serde(default)]
    pooling: Pooling,
    /// How an outside port is chosen (RFC 4787 §4.2.1). Ports are never shared (no overloading, REQ-3).
    #[serde(default)]
    port_assignment: PortAssignment,
    /// Whether UDP ports stay even or odd, where there are ports left for it (RFC 4787 §4.2.2, REQ-4). By default `true`.
    #[serde(default = "yes")]
    parity: bool,
    /// Outside ports to choose from, as in `1024-65535`, which is the default. ICMP identifiers are not bound by it.
    #[serde(default)]
    ports: PortRange,
    /// Whether inside hosts reach each other by their outside endpoints (RFC 4787 §6, REQ-9).
    #[serde(default)]
    hairpinning: Hairpinning,
    /// Whether packets from outside, too, keep a mapping of UDP or ICMP alive (RFC 4787 §4.3, REQ-6). By default `false`.
    #[serde(default)]
    inbound_refresh: bool,
    /// After how much silence mappings are forgotten.
    #[serde(default)]
    timeouts: Timeouts,
    /// Static port forwards, open to everybody outside.
    #[serde(default)]
    forward: Vec<Forward>,
    /// Networks whose hosts are translated, as in `[10.0.0.0/24]`. By default all; others are routed as they are.
    #[serde(default)]
    inside: Vec<InsideNet>,
    /// Sessions (pairs of an inside and an outside endpoint) that it keeps at most: 1 to 1,048,576, by default 65,536. A mapping
    /// has at least one.
    #[serde(default = "sessions")]
    #[schemars(range(min = 1, max = 1_048_576))]
    limit: u32,
    /// Mappings that one inside host may have at a time, as carriers set it (RFC 6888 REQ-4). 1 or more; by default no limit.
    #[schemars(range(min = 1))]
    host_limit: Option<u32>,
    /// What becomes of IPv6 from outside, which is not translated: `filtered`, the default, or `routed`.
    #[serde(default)]
    ipv6: Ipv6,
    /// Whether a run in which nothing was translated has failed, and a workload that goes around it by IPv6 is an error. By
    /// default `false`: a warning.
    #[serde(default)]
    required: bool,
}

fn yes() -> bool {
    true
}

fn sessions() -> u32 {
    65_536
}

impl TryFrom<Long> for NatSpec {
    type Error = String;
    fn try_from(long: Long) -> Result<NatSpec, String> {
        let defaults = NatSpec::new(long.outside);
        let (mapping, filtering) = match (long.kind, long.mapping, long.filtering) {
            (Some(kind), None, None) => kind.behaviour(),
            (None, mapping, filtering) => {
                (mapping.unwrap_or(defaults.mapping), filtering.unwrap_or(defaults.filtering))
            }
            (Some(_), ..) => {
                return Err("`type` says both `mapping` and `filtering`: write `type` alone, or the other two".into());
            }
        };
        if !(1..=1 << 20).contains(&long.limit) {
            return Err(format!("`limit` is {}, and goes from 1 to 1,048,576 sessions", long.limit));
        }
        if long.host_limit == Some(0) {
            return Err("`host_limit: 0` lets nobody out: leave it out for no limit, or write 1 or more".into());
        }
        for (n, one) in long.forward.iter().enumerate() {
            if long.forward[..n].iter().any(|other| (other.port, other.protocol) == (one.port, one.protocol)) {
                return Err(format!("{} port {} is forwarded twice: leave one of them", one.protocol.name(), one.port));
            }
        }
        Ok(NatSpec {
            mapping,
            filtering,
            pooling: long.pooling,
            port_assignment: long.port_assignment,
            parity: long.parity,
            ports: long.ports,
            hairpinning: long.hairpinning,
            inbound_refresh: long.inbound_refresh,
            timeouts: long.timeouts,
            forward: long.forward,
            inside: long.inside,
            limit: long.limit,
            host_limit: long.host_limit,
            ipv6: long.ipv6,
            required: long.required,
            ..defaults
        })
    }
}

forms! {
    NatSpec, "Nat": "Network address and port translation of IPv4 (NAPT, RFC 3022), in the words of RFC 4787. Short form: the name of the outside interface.",
    "the name of the outside interface, or a map with `outside`, `type`, `ports`, …";
    text { "type": "string" } => |name| Ok(NatSpec::new(name));
    map Long => NatSpec::try_from;
}

/// On how much of the outside endpoint something depends (RFC 4787 §4.1, §5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dependence {
    /// On nothing of it.
    EndpointIndependent,
    /// On its address.
    AddressDependent,
    /// On its address and port.
    AddressAndPortDependent,
}

/// Mapping and filtering together, by the names of RFC 3489 §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatType {
    /// Endpoint-independent mapping and filtering: whoever knows the outside endpoint may send to it.
    FullCone,
    /// Endpoint-independent mapping, address-dependent filtering: who was sent to may answer from any port.
    RestrictedCone,
    /// Endpoint-independent mapping, address-and-port-dependent filtering: who was sent to may answer.
    PortRestrictedCone,
    /// Address-and-port-dependent mapping and filtering: each destination sees another port, and alone may answer to it.
    Symmetric,
}

impl NatType {
    const ALL: [NatType; 4] =
        [NatType::FullCone, NatType::RestrictedCone, NatType::PortRestrictedCone, NatType::Symmetric];

    /// Mapping and filtering.
    pub const fn behaviour(self) -> (Dependence, Dependence) {
        use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        match self {
            NatType::FullCone => (EndpointIndependent, EndpointIndependent),
            NatType::RestrictedCone => (EndpointIndependent, AddressDependent),
            NatType::PortRestrictedCone => (EndpointIndependent, AddressAndPortDependent),
            NatType::Symmetric => (AddressAndPortDependent, AddressAndPortDependent),
        }
    }
}

/// What becomes of IPv6 from outside, which is not translated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ipv6 {
    /// What nobody inside has asked for is dropped, as home routers do (RFC 6092).
    #[default]
    Filtered,
    /// It is routed as by any router: nothing keeps it out.
    Routed,
}

/// How flows get one of several outside addresses (RFC 4787 §4.1, REQ-2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// All of one inside host get the same, hosts in turn.
    #[default]
    Paired,
    /// Each mapping gets the next.
    Arbitrary,
}

/// How an outside port is chosen (RFC 4787 §4.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortAssignment {
    /// The inside port where it is free and in the range, else the next free one above it.
    #[default]
    Preserve,
    /// The next free one behind that given out last.
    Sequential,
    /// The first free one from a random start (RFC 6056 §3.3.1), drawn by the scenario's seed.
    Random,
}

/// Whether inside hosts reach each other by their outside endpoints (RFC 4787 §6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hairpinning {
    /// They do, and each sees the other's outside endpoint as the source (REQ-9 a).
    #[default]
    On,
    /// Such packets are dropped (`nat_filtered`).
    Off,
}

/// After how much silence a mapping or session is forgotten. Values below an RFC's minimum are allowed: devices have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "NatTimeouts")]
pub struct Timeouts {
    /// Of UDP, UDP-Lite, DCCP and protocols without ports: 2 min, the least that RFC 4787 REQ-5 allows. Many devices have 30 s.
    #[serde(deserialize_with = "positive")]
    pub udp: Duration,
    /// Of established TCP connections: 2 h 4 min (RFC 5382 REQ-5).
    #[serde(deserialize_with = "positive")]
    pub tcp_established: Duration,
    /// Of TCP connections that are opening or closing: 4 min (RFC 5382 REQ-5).
    #[serde(deserialize_with = "positive")]
    pub tcp_transitory: Duration,
    /// Of ICMP queries: 60 s (RFC 5508 REQ-2).
    #[serde(deserialize_with = "positive")]
    pub icmp: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            udp: Duration::from_secs(120),
            tcp_established: Duration::from_secs(7440),
            tcp_transitory: Duration::from_secs(240),
            icmp: Duration::from_secs(60),
        }
    }
}

impl Timeouts {
    /// The longest of them.
    pub(super) fn longest(&self) -> Duration {
        self.udp.max(self.tcp_established).max(self.tcp_transitory).max(self.icmp)
    }
}

fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match Duration::deserialize(deserializer)? {
        Duration::ZERO => {
            Err(serde::de::Error::custom("a timeout of 0 forgets what it has just made: write `1ms` or more"))
        }
        duration => Ok(duration),
    }
}

/// A static port forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// The outside port, 1 to 65,535, at every outside address.
    #[serde(deserialize_with = "port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// Where it leads: an inside address and port, as in `10.0.0.2:80`; the address alone for the same port.
    pub to: Target,
    /// Of which protocol. By default `tcp`.
    #[serde(default)]
    pub protocol: ForwardProtocol,
}

impl Forward {
    /// Inside address and port.
    pub fn target(&self) -> (Ipv4Addr, u16) {
        (self.to.address, self.to.port.unwrap_or(self.port))
    }
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    match u16::deserialize(deserializer)? {
        0 => Err(serde::de::Error::custom("there is no port 0: they go from 1 to 65535")),
        port => Ok(port),
    }
}

/// Protocols that are forwarded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ForwardProtocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl ForwardProtocol {
    /// Its protocol number.
    pub const fn number(self) -> u8 {
        match self {
            ForwardProtocol::Tcp => crate::wire::tcp::PROTOCOL,
            ForwardProtocol::Udp => crate::wire::udp::PROTOCOL,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            ForwardProtocol::Tcp => "TCP",
            ForwardProtocol::Udp => "UDP",
        }
    }
}

/// A type that stands in a file as one text.
macro_rules! text_in_files {
    ($type:ident, $pattern:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

text_in_files!(PortRange, r"^[0-9]+ *- *[0-9]+$");
text_in_files!(Target, r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(:[0-9]+)?$");
text_in_files!(InsideNet, r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+(/[0-9]+)?$");

/// Ports from a first to a last, both included: two at least, so that `rebind` has another to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// The first.
    pub first: u16,
    /// The last.
    pub last: u16,
}

impl Default for PortRange {
    /// All but the well-known ones.
    fn default() -> PortRange {
        PortRange { first: 1024, last: u16::MAX }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl FromStr for PortRange {
    type Err = String;
    fn from_str(text: &str) -> Result<PortRange, String> {
        let number = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        match text.split_once('-').map(|(first, last)| (number(first), number(last))) {
            Some((Some(first), Some(last))) if first < last => Ok(PortRange { first, last }),
            Some((Some(_), Some(_))) => Err(format!("`{text}` holds fewer than two ports: write as in `1024-65535`")),
            _ => Err(format!("`{text}` is no range of ports: write as in `1024-65535`; they go from 1 to 65535")),
        }
    }
}

/// An inside address, perhaps with a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    address: Ipv4Addr,
    port: Option<u16>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.address),
            None => self.address.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = String;
    fn from_str(text: &str) -> Result<Target, String> {
        let wrong = || format!("`{text}` is no IPv4 address with a port: write as in `10.0.0.2:80`");
        let (address, port) = match text.split_once(':') {
            Some((address, port)) => (address, Some(port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?)),
            None => (text, None),
        };
        Ok(Target { address: address.parse().map_err(|_| wrong())?, port })
    }
}

/// A network whose hosts are translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsideNet(pub Ipv4Net);

impl fmt::Display for InsideNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for InsideNet {
    type Err = String;
    fn from_str(text: &str) -> Result<InsideNet, String> {
        let address = text.parse::<Ipv4Addr>().map(Ipv4Net::from);
        let net = address.ok().or_else(|| text.parse().ok());
        let net = net.ok_or_else(|| format!("`{text}` is no IPv4 network: write as in `10.0.0.0/24`"))?;
        match net == net.trunc() {
            true => Ok(InsideNet(net)),
            false => Err(format!("`{net}` is a host in its network: write `{}`", net.trunc())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::form::from_json;

    #[test]
    fn the_interface_alone_is_a_home_router() {
        let spec: NatSpec = from_json(json!("wan")).unwrap();
        assert_eq!(spec, NatSpec::new("wan"));
        assert_eq!(spec, from_json(json!({ "outside": "wan" })).unwrap());
        assert_eq!(spec.kind(), Some(NatType::PortRestrictedCone));
        assert_eq!(spec.ports.to_string(), "1024-65535");
        assert_eq!(spec.timeouts.tcp_established.to_string(), "124m");
    }

    #[test]
    fn a_type_is_a_mapping_and_a_filtering() {
        for (kind, mapping, filtering) in [
            ("full_cone", "endpoint_independent", "endpoint_independent"),
            ("restricted_cone", "endpoint_independent", "address_dependent"),
            ("port_restricted_cone", "endpoint_independent", "address_and_port_dependent"),
            ("symmetric", "address_and_port_dependent", "address_and_port_dependent"),
        ] {
            let by_name: NatSpec = from_json(json!({ "outside": "w", "type": kind })).unwrap();
            assert_eq!(
                by_name,
                from_json(json!({ "outside": "w", "mapping": mapping, "filtering": filtering })).unwrap()
            );
        }
        let odd: NatSpec = from_json(json!({ "outside": "w", "mapping": "address_dependent" })).unwrap();
        assert_eq!((odd.kind(), odd.filtering), (None, Dependence::AddressAndPortDependent));
    }

    #[test]
    fn what_is_written_reads_back() {
        let spec: NatSpec = from_json(json!({
            "outside": "wan", "type": "symmetric", "pooling": "arbitrary", "port_assignment": "random", "parity": false,
            "ports": "5000-5999", "hairpinning": "off", "inbound_refresh": true, "timeouts": { "udp": "30s" },
            "forward": [{ "port": 8080, "to": "10.0.0.2:80" }, { "port": 53, "to": "10.0.0.3", "protocol": "udp" }],
            "inside": ["10.0.0.0/24"], "limit": 100, "host_limit": 10,
        }))
        .unwrap();
        assert_eq!(spec.forward[0].target(), (Ipv4Addr::new(10, 0, 0, 2), 80));
        assert_eq!(spec.forward[1].target(), (Ipv4Addr::new(10, 0, 0, 3), 53));
        assert_eq!(spec.timeouts.icmp, Duration::from_secs(60));
        assert_eq!(from_json::<NatSpec>(serde_json::to_value(&spec).unwrap()).unwrap(), spec);
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let says = |value: serde_json::Value, part: &str| {
            let error = from_json::<NatSpec>(value).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        says(json!({ "outside": "w", "type": "symmetric", "mapping": "address_dependent" }), "write `type` alone");
        says(json!({ "outside": "w", "ports": "80" }), "as in `1024-65535`");
        says(json!({ "outside": "w", "ports": "90-80" }), "fewer than two ports");
        says(json!({ "outside": "w", "timeouts": { "udp": "0s" } }), "forgets what it has just made");
        says(json!({ "outside": "w", "forward": [{ "port": 80, "to": "bob:80" }] }), "as in `10.0.0.2:80`");
        says(json!({ "outside": "w", "forward": [{ "port": 0, "to": "10.0.0.2" }] }), "no port 0");
        says(
            json!({ "outside": "w", "forward": [{ "port": 8, "to": "10.0.0.2" }, { "port": 8, "to": "10.0.0.3" }] }),
            "TCP port 8 is forwarded twice",
        );
        says(json!({ "outside": "w", "inside": ["10.0.0.1/24"] }), "write `10.0.0.0/24`");
        says(json!({ "outside": "w", "limit": 0 }), "from 1 to 1,048,576");
        says(json!({ "outside": "w", "host_limit": 0 }), "lets nobody out");
        says(json!({ "type": "symmetric" }), "outside");
    }
}
