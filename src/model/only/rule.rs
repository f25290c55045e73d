//! One rule: a map of keys, all of which must hold.

use std::fmt;

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use super::conflict;
use super::flags::FlagTest;
use super::value::{Carried, Dscp, Many, Ports, Prefix, Protocol, Term, Vlans, Written, flow};
use crate::diag::suggestion;
use crate::model::form::forms;
use crate::wire::summary::FrameSummary;

/// The keys of a rule, as they stand in a file. All that are given must hold; of a list, any value.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Long {
    /// Short for `protocol: tcp` with `port`.
    tcp: Many<Ports>,
    /// Short for `protocol: udp` with `port`.
    udp: Many<Ports>,
    /// The IP protocol; of IPv6 what follows the extension headers.
    protocol: Many<Protocol>,
    /// The source address; of ARP the sender's.
    src: Many<Prefix>,
    /// The destination address; of ARP the target's.
    dst: Many<Prefix>,
    /// The source or the destination address.
    address: Many<Prefix>,
    /// The source port. Later fragments have no ports, so they never match.
    source_port: Many<Ports>,
    /// The destination port.
    destination_port: Many<Ports>,
    /// The source or the destination port.
    port: Many<Ports>,
    /// Flags of TCP that are set, and with `!` those that are not: `syn+!ack`. Of a list any may hold.
    tcp_flags: Many<FlagTest>,
    /// The differentiated-services codepoint of an IP packet.
    dscp: Many<Dscp>,
    /// What the frame carries behind its VLAN tags. `ip` is IPv4 and IPv6.
    ethertype: Many<Carried>,
    /// The id of the outermost VLAN tag.
    vlan: Many<Vlans>,
}

/// What a frame must be for an impairment to apply to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) ethertype: Many<Carried>,
    pub(super) vlan: Many<Vlans>,
    pub(super) protocol: Many<Protocol>,
    pub(super) src: Many<Prefix>,
    pub(super) dst: Many<Prefix>,
    pub(super) address: Many<Prefix>,
    pub(super) source_port: Many<Ports>,
    pub(super) destination_port: Many<Ports>,
    pub(super) port: Many<Ports>,
    pub(super) tcp_flags: Many<FlagTest>,
    pub(super) dscp: Many<Dscp>,
}

impl TryFrom<Long> for Rule {
    type Error = String;

    fn try_from(long: Long) -> Result<Rule, String> {
        let Long { tcp, udp, mut protocol, mut port, .. } = long;
        if tcp.is_given() && udp.is_given() {
            return Err(
                "no frame is both TCP and UDP: write a list for either, as in `[{ tcp: 53 }, { udp: 53 }]`, or \
                        `{ protocol: [tcp, udp], port: 53 }`"
                    .into(),
            );
        }
        for (name, short, full) in [("tcp", tcp, Protocol::TCP), ("udp", udp, Protocol::UDP)] {
            if !short.is_given() {
                continue;
            }
            for (key, given) in [("protocol", protocol.is_given()), ("port", port.is_given())] {
                if given {
                    return Err(format!(
                        "`{key}` cannot stand beside `{name}`, which is short for `protocol: {name}` with `port`"
                    ));
                }
            }
            (protocol, port) = (Many::one(full), short);
        }
        let rule = Rule {
            ethertype: long.ethertype,
            vlan: long.vlan,
            protocol,
            src: long.src,
            dst: long.dst,
            address: long.address,
            source_port: long.source_port,
            destination_port: long.destination_port,
            port,
            tcp_flags: long.tcp_flags,
            dscp: long.dscp,
        };
        if rule == Rule::default() {
            return Err(
                "a rule without keys matches everything: leave `only` out, or write what it must match, as in \
                        `{ udp: 53 }`"
                    .into(),
            );
        }
        conflict::find(&rule).map_or(Ok(rule), Err)
    }
}

impl Rule {
    /// The rule that a word alone stands for.
    pub(super) fn from_word(word: &str) -> Result<Rule, String> {
        if let Some(protocol) = Protocol::named(word) {
            return Ok(Rule { protocol: Many::one(protocol), ..Rule::default() });
        }
        if let Some(carried) = Carried::named(word) {
            return Ok(Rule { ethertype: Many::one(carried), ..Rule::default() });
        }
        let help = match (word.parse::<u16>(), Prefix::from_text(word), Dscp::from_text(word)) {
            (Ok(_), ..) => format!("write `{{ port: {word} }}`, `{{ udp: {word} }}` or `{{ tcp: {word} }}`"),
            (_, Ok(_), _) => format!("write `{{ address: {word} }}`, or `src` or `dst`"),
            (.., Ok(_)) => format!("write `{{ dscp: {word} }}`"),
            _ => {
                let known: Vec<_> = Carried::names().chain(Protocol::names()).collect();
                format!("{}; or a map, as in `{{ udp: 53 }}`", suggestion(word, known))
            }
        };
        Err(format!("`{word}` alone names no frames: {help}"))
    }

    /// Whether the frame has all that the rule names. The cheap and telling keys come first.
    #[inline]
    pub(super) fn matches(&self, frame: &FrameSummary) -> bool {
        self.ethertype.admits(|carried| carried.is(frame.ethertype))
            && self.vlan.admits(|ids| frame.vlan.is_some_and(|id| ids.contains(id)))
            && self.protocol.admits(|protocol| frame.protocol == Some(protocol.0))
            && self.matches_ports(frame)
            && self.tcp_flags.admits(|test| frame.tcp_flags().is_some_and(|flags| test.holds(flags)))
            && self.dscp.admits(|dscp| frame.ip_version().is_some() && frame.dscp == dscp.0)
            && self.matches_addresses(frame)
    }

    fn matches_ports(&self, frame: &FrameSummary) -> bool {
        let (src, dst) = (frame.src_port(), frame.dst_port());
        let is = |ports: &Ports, port: Option<u16>| port.is_some_and(|port| ports.contains(port));
        self.source_port.admits(|ports| is(ports, src))
            && self.destination_port.admits(|ports| is(ports, dst))
            && self.port.admits(|ports| is(ports, src) || is(ports, dst))
    }

    fn matches_addresses(&self, frame: &FrameSummary) -> bool {
        if !(self.src.is_given() || self.dst.is_given() || self.address.is_given()) {
            return true;
        }
        let (Some(src), Some(dst)) = (frame.src(), frame.dst()) else { return false };
        self.src.admits(|net| net.0.contains(&src))
            && self.dst.admits(|net| net.0.contains(&dst))
            && self.address.admits(|net| net.0.contains(&src) || net.0.contains(&dst))
    }

    /// The keys that are given, with their values, as short as people write them.
    pub(super) fn entries(&self) -> Vec<(&'static str, Vec<Written>)> {
        let short = match (&self.protocol, self.port.is_given()) {
            (protocol, true) if *protocol == Many::one(Protocol::TCP) => Some("tcp"),
            (protocol, true) if *protocol == Many::one(Protocol::UDP) => Some("udp"),
            _ => None,
        };
        let mut entries = vec![("ethertype", self.ethertype.written()), ("vlan", self.vlan.written())];
        match short {
            Some(key) => entries.push((key, self.port.written())),
            None => entries.extend([("protocol", self.protocol.written()), ("port", self.port.written())]),
        }
        entries.extend([
            ("source_port", self.source_port.written()),
            ("destination_port", self.destination_port.written()),
            ("tcp_flags", self.tcp_flags.written()),
            ("dscp", self.dscp.written()),
            ("src", self.src.written()),
            ("dst", self.dst.written()),
            ("address", self.address.written()),
        ]);
        entries.retain(|(_, values)| !values.is_empty());
        entries
    }

    /// The word that says it all, if there is one.
    fn word(&self) -> Option<Written> {
        let mut entries = self.entries();
        match (entries.pop(), entries.is_empty()) {
            (Some(("protocol" | "ethertype", mut values)), true) if values.len() == 1 => {
                values.pop().filter(|value| Rule::from_word(&value.to_string()).is_ok())
            }
            _ => None,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(word) = self.word() {
            return word.fmt(f);
        }
        let entries = self.entries();
        let keys: Vec<_> = entries.iter().map(|(key, values)| format!("{key}: {}", flow(values))).collect();
        write!(f, "{{ {} }}", keys.join(", "))
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(word) = self.word() {
            return word.serialize(serializer);
        }
        let entries = self.entries();
        let mut map = serializer.serialize_map(Some(entries.len()))?;
        for (key, values) in &entries {
            match values.as_slice() {
                [one] => map.serialize_entry(key, one)?,
                many => map.serialize_entry(key, many)?,
            }
        }
        map.end()
    }
}

forms! {
    Rule, "OnlyRule", "a word, as in `arp` or `tcp`, or a map, as in `{ udp: 53 }`";
    text { "type": "string" } => Rule::from_word;
    map Long => Rule::try_from;
}
