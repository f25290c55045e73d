//! One rule of a firewall: what becomes of packets, and of which.

use std::fmt;

use schemars::JsonSchema;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::diag::suggestion;
use crate::language::spanned::Spanned;
use crate::model::form::forms;
use crate::model::only::flags::FlagTest;
use crate::model::only::value::{Dscp, Many, Ports, Protocol, flow};
use crate::node::router::firewall::value::IcmpType;
use crate::node::router::firewall::{Policy, State};

/// A rule: `allow`, `drop` or `reject` with the packets that are meant, and perhaps a name.
#[derive(Clone, Debug)]
pub(crate) struct RuleSpec {
    pub name: Option<Spanned<String>>,
    pub action: Policy,
    pub of: Spanned<MatchSpec>,
}

/// The keys of a rule as they stand in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "FirewallRule")]
struct Long {
    /// What the report calls it; otherwise the rule as it is written.
    name: Option<Spanned<String>>,
    /// Packets that pass.
    allow: Option<Spanned<MatchSpec>>,
    /// Packets that end here, without a word.
    drop: Option<Spanned<MatchSpec>>,
    /// Packets that end here, and whose sender is told: by a reset of TCP, else by an ICMP error.
    reject: Option<Spanned<MatchSpec>>,
}

impl TryFrom<Long> for RuleSpec {
    type Error = String;
    fn try_from(Long { name, allow, drop, reject }: Long) -> Result<RuleSpec, String> {
        let given = [(Policy::Allow, allow), (Policy::Drop, drop), (Policy::Reject, reject)];
        let mut given = given.into_iter().filter_map(|(action, of)| of.map(|of| (action, of)));
        match (given.next(), given.next()) {
            (Some((action, of)), None) => Ok(RuleSpec { name, action, of }),
            (Some((first, _)), Some((second, _))) => Err(format!(
                "a rule cannot both {} and {}: make two rules of it, of which the first that matches decides",
                first.word(),
                second.word()
            )),
            (None, _) => Err("a rule says `allow`, `drop` or `reject`, as in `- allow: { tcp: 443 }`".into()),
        }
    }
}

forms! {
    RuleSpec, "OneFirewallRule", "a rule, as in `allow: { tcp: 443 }`,";
    map Long => RuleSpec::try_from;
}

/// Which packets a rule is for: a word, or a map whose keys must all hold.
#[derive(Clone, Debug, Default)]
pub(crate) struct MatchSpec(pub MatchLong);

/// The keys of a match as they stand in a file. All that are given must hold; of a list, any value.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "FirewallMatch")]
pub(crate) struct MatchLong {
    /// The router's interface that it came in at, by its name or its link's.
    #[serde(rename = "in")]
    pub inward: Option<Spanned<Names>>,
    /// The router's interface that it leaves by, by its name or its link's.
    #[serde(rename = "out")]
    pub outward: Option<Spanned<Names>>,
    /// Where it comes from: addresses, networks, or names of hosts, interfaces, groups, switches or links.
    pub from: Option<Spanned<Names>>,
    /// Where it goes: as `from`, and `router` for the router itself.
    pub to: Option<Spanned<Names>>,
    /// The IP version.
    pub family: Option<Version>,
    /// The IP protocol; of IPv6 what follows the extension headers.
    pub protocol: Many<Protocol>,
    /// Short for `protocol: tcp` with `port`.
    pub tcp: Many<Ports>,
    /// Short for `protocol: udp` with `port`.
    pub udp: Many<Ports>,
    /// The destination port.
    pub port: Many<Ports>,
    /// The source port.
    pub source_port: Many<Ports>,
    /// The type of an ICMP message, by a name that means both versions, or by its number.
    pub icmp_type: Many<IcmpType>,
    /// What it is to the connections that have been let through.
    pub state: Many<State>,
    /// Flags of TCP that are set, and with `!` those that are not.
    pub tcp_flags: Many<FlagTest>,
    /// Whether it is a fragment.
    pub fragment: Option<bool>,
    /// The differentiated-services codepoint.
    pub dscp: Many<Dscp>,
    /// What `only` calls `from`.
    #[schemars(skip)]
    src: Option<IgnoredAny>,
    /// What `only` calls `to`.
    #[schemars(skip)]
    dst: Option<IgnoredAny>,
    /// What `only` has for either.
    #[schemars(skip)]
    address: Option<IgnoredAny>,
    /// What `only` calls `port`.
    #[schemars(skip)]
    destination_port: Option<IgnoredAny>,
}

/// A version of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "FirewallFamily")]
pub(crate) enum Version {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Version {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Version::Ipv4 => 4,
            Version::Ipv6 => 6,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Version::Ipv4 => "ipv4",
            Version::Ipv6 => "ipv6",
        }
    }
}

impl MatchLong {
    /// Keys that are `only`'s, or exclude each other.
    fn check(&self) -> Result<(), String> {
        for (given, key, instead) in [
            (&self.src, "src", "write `from`, which also takes names of hosts"),
            (&self.dst, "dst", "write `to`, which also takes names of hosts"),
            (&self.address, "address", "packets have a direction here: write `from` or `to`"),
            (&self.destination_port, "destination_port", "write `port`, which is the destination's here"),
        ] {
            if given.is_some() {
                return Err(format!("`{key}` is not a key of a firewall's rule: {instead}"));
            }
        }
        if self.tcp.is_given() && self.udp.is_given() {
            return Err("no packet is both TCP and UDP: write `protocol: [tcp, udp]` with `port`, or two rules".into());
        }
        for (short, given) in [("tcp", self.tcp.is_given()), ("udp", self.udp.is_given())] {
            for (key, beside) in [("protocol", self.protocol.is_given()), ("port", self.port.is_given())] {
                if given && beside {
                    return Err(format!(
                        "`{key}` cannot stand beside `{short}`, which is short for `protocol: {short}` with `port`"
                    ));
                }
            }
        }
        Ok(())
    }

    /// The match that a word alone stands for.
    fn from_word(word: &str) -> Result<MatchLong, String> {
        let none = MatchLong::default();
        if word == "any" {
            Ok(none)
        } else if let Some(protocol) = Protocol::named(word) {
            Ok(MatchLong { protocol: Many::one(protocol), ..none })
        } else if let Some(state) = State::named(word) {
            Ok(MatchLong { state: Many::one(state), ..none })
        } else if let Some(version) = [Version::Ipv4, Version::Ipv6].into_iter().find(|v| v.word() == word) {
            Ok(MatchLong { family: Some(version), ..none })
        } else {
            let help = match word.parse::<u16>() {
                Ok(_) => format!("write `{{ tcp: {word} }}`, `{{ udp: {word} }}` or `{{ port: {word} }}`"),
                Err(_) => format!("{}; or a map, as in `{{ from: {word} }}`", suggestion(word, words())),
            };
            Err(format!("`{word}` alone names no packets: {help}"))
        }
    }

    /// The keys that are given, with their values, as people write them.
    fn entries(&self) -> Vec<(&'static str, String)> {
        let names = |names: &Option<Spanned<Names>>| names.as_ref().map(|names| names.words());
        let many = |written: Vec<crate::model::only::value::Written>| (!written.is_empty()).then(|| flow(&written));
        let entries = [
            ("in", names(&self.inward)),
            ("out", names(&self.outward)),
            ("from", names(&self.from)),
            ("to", names(&self.to)),
            ("family", self.family.map(|version| version.word().to_owned())),
            ("protocol", many(self.protocol.written())),
            ("tcp", many(self.tcp.written())),
            ("udp", many(self.udp.written())),
            ("port", many(self.port.written())),
            ("source_port", many(self.source_port.written())),
            ("icmp_type", many(self.icmp_type.written())),
            ("state", many(self.state.written())),
            ("tcp_flags", many(self.tcp_flags.written())),
            ("fragment", self.fragment.map(|wanted| wanted.to_string())),
            ("dscp", many(self.dscp.written())),
        ];
        entries.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }
}

fn words() -> impl Iterator<Item = &'static str> + Clone {
    ["any", "ipv4", "ipv6"].into_iter().chain(Protocol::names()).chain(State::names())
}

impl fmt::Display for MatchSpec {
    /// As people write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.0.entries();
        match &entries[..] {
            [] => f.write_str("any"),
            [("family" | "protocol" | "state", value)] if words().any(|word| word == value) => f.write_str(value),
            _ => {
                let keys: Vec<_> = entries.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                write!(f, "{{ {} }}", keys.join(", "))
            }
        }
    }
}

forms! {
    MatchSpec, "FirewallPackets", "packets: a word, as in `any` or `icmp`, or a map, as in `{ from: alice, tcp: 443 }`,";
    text { "enum": words().collect::<Vec<_>>() } => |word| MatchLong::from_word(word).map(MatchSpec);
    map MatchLong => |long| long.check().map(|()| MatchSpec(long));
}

/// A name or an address, or a list of such.
#[derive(Clone, Debug)]
pub(crate) struct Names(Vec<Spanned<String>>);

impl Names {
    fn words(&self) -> String {
        match &self.0[..] {
            [one] => one.value.clone(),
            many => format!("[{}]", many.iter().map(|name| name.value.as_str()).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl Spanned<Names> {
    /// Each with its place: a name alone stands where the whole stands.
    pub(crate) fn each(&self) -> impl Iterator<Item = Spanned<&str>> {
        self.0.iter().map(|name| {
            let span = if name.span.line == 0 { self.span } else { name.span };
            Spanned { value: name.value.as_str(), span }
        })
    }
}

forms! {
    Names, "NameOrMore", "a name or an address, or a list of such,";
    text { "type": "string" } => |text| Ok(Names(vec![Spanned { value: text.to_owned(), span: Default::default() }]));
    list Vec<Spanned<String>> => |names| match names.is_empty() {
        true => Err("an empty list matches nothing: name something".into()),
        false => Ok(Names(names)),
    };
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::form::from_json;

    fn written(value: Value) -> String {
        from_json::<MatchSpec>(value).unwrap().to_string()
    }

    fn wrong(value: Value) -> String {
        from_json::<RuleSpec>(value.clone()).expect_err(&value.to_string())
    }

    #[test]
    fn packets_are_written_as_people_write_them() {
        for word in ["any", "tcp", "icmpv6", "ipv6", "established"] {
            assert_eq!(written(json!(word)), word);
        }
        assert_eq!(written(json!({})), "any");
        assert_eq!(written(json!({ "protocol": 1 })), "icmp");
        assert_eq!(written(json!({ "protocol": [47, "tcp"] })), "{ protocol: [47, tcp] }");
        let all = json!({ "in": "lan", "out": ["wan", "dmz"], "from": "10.0.0.0/8", "to": "web", "tcp": [80, "8000-8010"],
            "state": ["new"], "tcp_flags": "syn+!ack", "fragment": false, "dscp": "EF", "source_port": 5, "family": "ipv4" });
        assert_eq!(
            written(all),
            "{ in: lan, out: [wan, dmz], from: 10.0.0.0/8, to: web, family: ipv4, tcp: [80, 8000-8010], source_port: 5, \
             state: new, tcp_flags: syn+!ack, fragment: false, dscp: EF }"
        );
    }

    #[test]
    fn a_rule_has_one_action() {
        let rule: RuleSpec = from_json(json!({ "name": "web", "allow": { "tcp": 80 } })).unwrap();
        assert_eq!((rule.name.unwrap().value.as_str(), rule.action), ("web", Policy::Allow));
        assert_eq!(from_json::<RuleSpec>(json!({ "reject": "any" })).unwrap().action, Policy::Reject);
        assert!(wrong(json!({ "name": "web" })).contains("says `allow`, `drop` or `reject`"));
        assert!(wrong(json!({ "allow": "any", "drop": "any" })).contains("cannot both allow and drop"));
        assert!(wrong(json!({ "deny": "any" })).contains("unknown field `deny`"));
        assert!(wrong(json!("allow")).contains("a rule, as in `allow: { tcp: 443 }`"));
    }

    #[test]
    fn mistakes_say_what_to_write() {
        let wrong = |of: Value| wrong(json!({ "allow": of }));
        assert!(wrong(json!("established ")).contains("did you mean `established`?"));
        assert!(wrong(json!("alice")).contains("as in `{ from: alice }`"));
        assert!(wrong(json!(443)).contains("write `{ tcp: 443 }`"));
        assert!(wrong(json!({ "src": "10.0.0.1" })).contains("write `from`"));
        assert!(wrong(json!({ "dst": "10.0.0.1" })).contains("write `to`"));
        assert!(wrong(json!({ "address": "10.0.0.1" })).contains("write `from` or `to`"));
        assert!(wrong(json!({ "destination_port": 80 })).contains("write `port`"));
        assert!(wrong(json!({ "tcp": 80, "udp": 53 })).contains("`protocol: [tcp, udp]`"));
        assert!(wrong(json!({ "tcp": 80, "protocol": "tcp" })).contains("`protocol` cannot stand beside `tcp`"));
        assert!(wrong(json!({ "udp": 80, "port": 80 })).contains("`port` cannot stand beside `udp`"));
        assert!(wrong(json!({ "tcp": "90-80" })).contains("write `80-90`"));
        assert!(wrong(json!({ "from": [] })).contains("an empty list"));
        assert!(wrong(json!({ "from": true })).contains("a name or an address"));
        assert!(wrong(json!(true)).contains("packets: a word"));
    }
}
