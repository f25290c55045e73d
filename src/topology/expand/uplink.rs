//! A node that leads out: `internet: { uplink: {} }` is a router with NAT and a firewall, and behind it what stands for the machine,
//! where frames are handed to passt.

use ipnet::IpNet;

use super::{Expansion, split, spoiled};
use crate::diag::{Diagnostics, Sources, Span};
use crate::language::parse::parse;
use crate::language::read::read;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::topology::uplink::{
    DENIED, GATEWAY, GUEST, INTERFACE, MACHINE, PREFIXES, RESOLVER, RULE, UplinkSpec, by_nat64,
};

/// Spells out the nodes that lead out.
pub(super) fn expand(
    mut nodes: Vec<Entry>,
    links: &mut Vec<Entry>,
    sources: &mut Sources,
    to: &mut Expansion<'_>,
) -> Vec<Entry> {
    // what stands for the machine is made here alone, behind a firewall
    for entry in &mut nodes {
        if let Some(own) = entry.value.get("external").and_then(|external| external.entry("passt")) {
            to.tell(own.key_span, "unknown field `passt`", "for a way out write `internet: { uplink: {} }`");
            entry.value.pruned = true;
        }
    }
    let Some(at) = nodes.iter().position(is_uplink) else { return nodes };
    for other in nodes[at + 1..].iter_mut().filter(|other| is_uplink(other)) {
        let message = format!("`{}` is a second way out of the network", other.key);
        to.tell(other.key_span, message, "a scenario has one `uplink`: end several links at it");
        other.value.pruned = true;
    }
    let entry = &mut nodes[at];
    let name = entry.key.clone();
    let made = [format!("{name}-machine"), format!("{name}-uplink")];
    let spec = match &mut entry.value.value {
        // `internet: uplink`
        Value::Scalar(_) => Some(UplinkSpec::default()),
        Value::Map(kinds) => match &mut kinds[0].value {
            Node { value: Value::Null, pruned: false, .. } => Some(UplinkSpec::default()),
            spec => read::<UplinkSpec>(spec, to.diagnostics),
        },
        _ => None,
    };
    let Some(spec) = spec.filter(|_| to.claim(&name, entry.key_span, made.iter().map(String::as_str))) else {
        nodes[at] = spoiled(entry.clone());
        return nodes;
    };
    let several = addresses(&nodes, links) > 1;
    let text = text(&name, &made, &spec, several);
    let source = sources.add(&format!("the uplink {name}"), &text);
    let tree = parse(sources, source, &Origin::File, &mut Diagnostics::default()).expect("it is valid YAML");
    let place = nodes[at].key_span;
    let section = |section: &str| -> Vec<Entry> {
        let Some(entries) = tree.get(section).and_then(Node::entries) else { return Vec::new() };
        entries.iter().cloned().map(|entry| placed(entry, place)).collect()
    };
    nodes.splice(at..=at, section("nodes"));
    links.extend(section("links"));
    nodes
}

fn is_uplink(entry: &Entry) -> bool {
    is_of(entry, &["uplink"]) && !entry.value.pruned
}

/// Whether a node is of one of these kinds.
fn is_of(entry: &Entry, kinds: &[&str]) -> bool {
    match &entry.value.value {
        Value::Scalar(kind) => kinds.contains(&kind.text.as_str()),
        Value::Map(map) => matches!(&map[..], [kind] if kinds.contains(&kind.key.as_str())),
        _ => false,
    }
}

/// How many IPv6 addresses hosts and machines behind them have, or more: one for each link that ends at one, as many as are written, and
/// one for each host at least.
fn addresses(nodes: &[Entry], links: &[Entry]) -> usize {
    let hosts = nodes.iter().filter(|node| is_of(node, &["host", "external"]));
    let written = |node: &Entry| -> usize {
        let Value::Map(kind) = &node.value.value else { return 0 };
        let keys = kind.iter().flat_map(|kind| ["addresses", "names"].map(|key| kind.value.get(key)));
        keys.flatten().map(addresses_v6).sum()
    };
    let ends = links.iter().filter_map(|link| match &link.value.get("ends")?.value {
        Value::Seq(ends) => Some(ends),
        _ => None,
    });
    let at: Vec<&str> = ends.flatten().filter_map(|end| Some(split(end.as_text()?).0)).collect();
    let of = |host: &Entry| at.iter().filter(|name| **name == host.key).count().max(written(host)).max(1);
    hosts.map(of).sum()
}

/// How many IPv6 addresses are written in a list, or in a map of lists.
fn addresses_v6(node: &Node) -> usize {
    match &node.value {
        Value::Seq(list) => list.iter().map(addresses_v6).sum(),
        Value::Map(map) => map.iter().map(|entry| addresses_v6(&entry.value)).sum(),
        _ => usize::from(node.as_text().is_some_and(|text| text.contains(':'))),
    }
}

/// All of it stands at the place of what it was made of.
fn placed(mut entry: Entry, place: Span) -> Entry {
    fn put(node: &mut Node, place: Span) {
        node.span = place;
        match &mut node.value {
            Value::Seq(list) => list.iter_mut().for_each(|node| put(node, place)),
            Value::Map(map) => map.iter_mut().for_each(|entry| {
                entry.key_span = place;
                put(&mut entry.value, place);
            }),
            Value::Null | Value::Scalar(_) => {}
        }
    }
    entry.key_span = place;
    put(&mut entry.value, place);
    entry
}

/// What it stands for.
fn text(name: &str, [machine, link]: &[String; 2], spec: &UplinkSpec, several: bool) -> String {
    let on_segment = |addresses: [core::net::IpAddr; 2]| {
        let nets = addresses.iter().zip(PREFIXES).map(|(address, prefix)| format!("\"{address}/{prefix}\""));
        nets.collect::<Vec<_>>().join(", ")
    };
    let [via4, via6] = GATEWAY;
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let end = quoted(&format!("{name}.{INTERFACE}"));
    let [name, machine, link] = [name, machine, link].map(quoted);
    let rules: String = rules(spec, several).into_iter().map(|rule| format!("          - {rule}\n")).collect();
    format!(
        "nodes:
  {name}:
    router:
      addresses: {{ {INTERFACE}: [{}] }}
      routes: [{{ to: default, via: \"{via4}\" }}, {{ to: default, via: \"{via6}\" }}]
      nat: {{ outside: {INTERFACE} }}
      firewall:
        default: allow
        rules:
{rules}  {machine}: {{ external: {{ passt: {name}, addresses: [{}] }} }}
links:
  {link}: {{ ends: [{end}, {machine}] }}
",
        on_segment(GUEST),
        on_segment(GATEWAY)
    )
}

/// The rules of its firewall, in their order.
fn rules(spec: &UplinkSpec, several: bool) -> Vec<String> {
    let to = |nets: &[IpNet]| nets.iter().map(|net| format!("\"{net}\"")).collect::<Vec<_>>().join(", ");
    let rule = |name: &str, action: &str, nets: &[IpNet]| {
        format!("{{ name: \"{RULE}{name}\", {action}: {{ to: [{}], out: {INTERFACE} }} }}", to(nets))
    };
    let mut rules = Vec::new();
    if several {
        rules.push(format!(
            "{{ name: \"{RULE}IPv6 of several addresses\", reject: {{ family: ipv6, out: {INTERFACE} }} }}"
        ));
    }
    rules.push(format!("{{ name: \"{RULE}names\", allow: {{ to: \"{RESOLVER}\", udp: 53, out: {INTERFACE} }} }}"));
    let allowed: Vec<IpNet> = spec.allow.iter().map(|net| net.0).collect();
    if !allowed.is_empty() {
        rules.push(rule("allow", "allow", &allowed));
    }
    rules.push(rule(MACHINE, "reject", &GATEWAY.map(IpNet::from)));
    for (name, nets) in DENIED {
        let nets: Vec<IpNet> = nets.iter().map(|net| net.parse().expect("each is a network")).collect();
        let nat64: Vec<IpNet> = nets.iter().filter_map(|net| by_nat64(*net)).collect();
        rules.push(rule(name, "reject", &[nets, nat64].concat()));
    }
    rules
}

#[cfg(test)]
mod tests {
    use crate::engine::NodeKind;
    use crate::language::files::MemoryFiles;
    use crate::scenario::tests::{bad, good, warnings};
    use crate::scenario::{Overrides, load};
    use crate::tasks::resolved::Resolved;

    fn text(uplink: &str, more: &str) -> String {
        format!("longwire: 1\nnodes: {{ a: host, out: {uplink}{more} }}\nlinks: {{ l: {{ ends: [a, out] }} }}\n")
    }

    /// The names of its firewall's rules, and whether what they deny or allow has an address.
    fn rules(resolved: &Resolved, address: &str) -> Vec<(String, bool)> {
        let router = resolved.plan.nodes.iter().find_map(|node| match &node.kind {
            NodeKind::Router(router) => router.firewall.as_ref(),
            _ => None,
        });
        let address = address.parse().unwrap();
        let has = |to: &crate::node::router::firewall::matching::Destination| to.networks.contains(address);
        let rules = router.unwrap().rules.iter();
        rules.map(|rule| (rule.name.clone(), rule.matches.to.as_ref().is_some_and(has))).collect()
    }

    #[test]
    fn it_is_a_router_and_this_machine_behind_it() {
        for uplink in ["uplink", "{ uplink: {} }", "{ uplink: }"] {
            let resolved = good(&text(uplink, ""));
            assert_eq!(warnings(&resolved), [""; 0], "{uplink}");
            let hosts = resolved.network.hosts.iter();
            let places: Vec<_> = hosts.map(|host| format!("{}: {:?}", host.name, host.place)).collect();
            assert_eq!(places, ["a: Namespace", "out-machine: Uplink"]);
            let a = &resolved.network.hosts[0];
            assert_eq!((a.routes.len(), a.dns.len()), (4, 1), "default routes, multicast; the resolver: {a:#?}");
            assert_eq!(resolved.links[1].name, "out-uplink");
        }
        let own = good(
            "longwire: 1\nnodes: { a: { host: { dns: [192.0.2.1] } }, 1: uplink }\nlinks: { l: { ends: [a, 1] } }\n",
        );
        assert_eq!(own.network.hosts[0].dns, ["192.0.2.1".parse::<core::net::IpAddr>().unwrap()]);
    }

    /// The first rule that has an address decides.
    #[test]
    fn what_is_private_is_denied_unless_it_is_allowed() {
        let decided = |resolved: &Resolved, address: &str| {
            rules(resolved, address).into_iter().find(|(_, has)| *has).map(|(name, _)| name)
        };
        let closed = good(&text("uplink", ""));
        for (address, name) in [
            ("192.0.0.1", "the machine itself"),
            ("127.0.0.1", "loopback"),
            ("::1", "loopback"),
            ("169.254.169.254", "link-local"),
            ("168.63.129.16", "cloud metadata"),
            ("10.9.9.9", "private"),
            ("100.64.0.1", "private"),
            ("fd00:ec2::254", "private"),
            ("0.0.0.0", "special"),
            ("255.255.255.255", "special"),
            ("::ffff:10.0.0.1", "special"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::169.254.169.254", "link-local"),
        ] {
            assert_eq!(decided(&closed, address), Some(format!("uplink: {name}")), "{address}");
        }
        for address in ["192.0.2.1", "9.255.255.255", "172.32.0.1", "2001:db8::1", "64:ff9b::192.0.2.1"] {
            assert_eq!(decided(&closed, address), None, "{address}");
        }
        let open = good(&text("{ uplink: { allow: [10.9.0.0/16, 127.0.0.1] } }", ""));
        assert_eq!(decided(&open, "10.9.9.9").as_deref(), Some("uplink: allow"));
        assert_eq!(decided(&open, "10.8.9.9").as_deref(), Some("uplink: private"));
    }

    #[test]
    fn of_several_addresses_only_ipv4_leads_out() {
        let refuses =
            |resolved: &Resolved| rules(resolved, "::").iter().any(|(name, _)| name.ends_with("several addresses"));
        assert!(!refuses(&good(&text("uplink", ""))));
        assert!(refuses(&good(&text("uplink", ", b: host"))));
        assert!(refuses(&good(&text("uplink", "").replace("} }\n", "}, m: { ends: [a, out] } }\n"))));
        let written = |host: &str| refuses(&good(&text("uplink", "").replace("a: host", &format!("a: {host}"))));
        let (one, two) = ("10.0.0.2/24, \"2001:db8::2/64\"", "\"2001:db8::2/64\", \"2001:db8::3/64\"");
        assert!(!written(&format!("{{ host: {{ addresses: [{one}] }} }}")));
        assert!(written(&format!("{{ host: {{ addresses: [{two}] }} }}")));
        assert!(written(&format!("{{ host: {{ addresses: {{ eth0: [{two}] }} }} }}")));
        let names = "names: { b: [\"2001:db8::3/64\"] }";
        assert!(written(&format!("{{ external: {{ tap: t, addresses: [{one}], {names} }} }}")));
    }

    #[test]
    fn mistakes_are_told() {
        let told = |text: &str| bad(text).join("\n");
        assert!(told(&text("uplink", ", out2: uplink")).contains("`out2` is a second way out"));
        assert!(told(&text("{ uplink: { allow: [10.0.0.1/8] } }", "")).contains("write `10.0.0.0/8`"));
        assert!(told(&text("{ uplink: { alow: [] } }", "")).contains("did you mean `allow`"));
        assert!(told(&text("uplink", ", out-machine: host")).contains("a name that is taken"));
        assert!(told(&text("{ external: { passt: x } }", "")).contains("unknown field `passt`"));
        let (files, sim) =
            (MemoryFiles::one("t", &text("uplink", "")), Overrides { virtual_time: true, ..Overrides::default() });
        let (told, _) = load(std::path::Path::new("t"), &files, &sim).unwrap_err();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        assert!(told.iter().any(|told| told.contains("`out` is an uplink, and nothing outside")), "{told:?}");
    }
}
