//! A resolved scenario as text: every value, with what it came from. YAML in form, for people; not a scenario again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::computed::Computed;
use crate::addressing::network::{HostPlan, Limits, Place};
use crate::diag::printable::{printable, yaml};
use crate::diag::{Diagnostics, Sources, Span};
use crate::engine::{DirectionSpec, NodeKind, NodePlan, Plan, Spanning};
use crate::language::parse::parse;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::node::{DhcpPlan, DhcpReservation, NatSpec, PortVlans, RouterPlan, SwitchSpec};
use crate::tasks::resolved::Resolved;
use crate::tasks::series::SeriesSpec;
use crate::tasks::spec::{Awaited, AwaitedCheck};
use crate::tasks::timeline::Action;
use crate::tasks::words;
use crate::topology::compact::{Line, compact};
use crate::topology::link::ResolvedLink;
use crate::topology::link::lookup;
use crate::units::ByteSize;
use crate::wire::ethernet::MacAddr;

/// Comments stand in this column, or one space after a longer line.
const COMMENT_COLUMN: usize = 48;

/// What a run of this scenario would set up, and where each value came from.
pub fn listing(resolved: &Resolved) -> String {
    let mut out = Lines(Vec::new());
    let scenario = &resolved.scenario;
    out.line(0, format!("name: {}", yaml(&scenario.name)));
    out.line(0, format!("seed: {}", scenario.seed));
    match scenario.duration {
        Some(duration) => out.line(0, format!("duration: {duration}")),
        None if scenario.workloads.is_empty() => out.noted(0, "duration: none".into(), "until Ctrl-C"),
        None => out.noted(0, "duration: none".into(), "until all workloads are done"),
    }
    if scenario.series != SeriesSpec::default() {
        out.line(0, format!("series: {}", scenario.series));
    }
    if let Some(capture) = &scenario.capture {
        out.line(0, format!("capture: {}", capture.words(|link| &resolved.links[link].name)));
    }
    for (name, text) in &scenario.params {
        out.line(0, format!("param {name}: {}", yaml(text)));
    }
    if !scenario.matrix.is_empty() {
        out.noted(0, "matrix:".into(), "`longwire test` runs each of them");
        for n in 0..scenario.matrix.combinations() {
            out.line(1, format!("- {{ {} }}", scenario.matrix.words(n)));
        }
    }
    nodes(resolved, &mut out);
    out.section("links", resolved.links.is_empty());
    let spanning = resolved.plan.spanning();
    for (at, (link, plan)) in resolved.links.iter().zip(&resolved.plan.links).enumerate() {
        let blocked = spanning.blocked(at).contains(&true);
        directions(link, &plan.directions, blocked, &resolved.sources, &mut out);
    }
    tasks(resolved, &mut out);
    timeline(resolved, &mut out);
    out.section("expect", resolved.expectations.is_empty());
    for expectation in &resolved.expectations {
        out.noted(1, format!("- {}", yaml(&expectation.text)), expectation.name.as_deref().unwrap_or_default());
    }
    Lines(compact(out.0, &scenario.groups)).text()
}

/// Lines with their comments.
struct Lines(Vec<Line>);

impl Lines {
    fn line(&mut self, depth: usize, text: String) {
        self.noted(depth, text, "");
    }

    fn noted(&mut self, depth: usize, text: String, note: &str) {
        self.0.push((format!("{:1$}{text}", "", 2 * depth), note.to_owned()));
    }

    fn section(&mut self, name: &str, empty: bool) {
        if !empty {
            self.line(0, String::new());
            self.line(0, format!("{name}:"));
        }
    }

    fn text(self) -> String {
        let mut text = String::new();
        for (line, note) in self.0 {
            // whatever stands in it: a line is a line
            let (line, note) = (printable(&line), printable(&note));
            let width = line.chars().count();
            let gap = COMMENT_COLUMN.saturating_sub(width).max(1);
            let written =
                if note.is_empty() { writeln!(text, "{line}") } else { writeln!(text, "{line}{:gap$}# {note}", "") };
            written.expect("writing to a String does not fail");
        }
        text
    }
}

fn nodes(resolved: &Resolved, out: &mut Lines) {
    // a host without a link is no node of the plan
    out.section("nodes", resolved.plan.nodes.is_empty() && resolved.network.hosts.is_empty());
    let mut computed = Computed::of(&resolved.plan);
    let host_at: BTreeMap<usize, usize> = resolved.ports.iter().map(|port| (port.node, port.host)).collect();
    let mut told = vec![false; resolved.network.hosts.len()];
    let served: Vec<_> = resolved.plan.nodes.iter().filter_map(NodePlan::router).flat_map(leased).collect();
    let spanning = resolved.plan.spanning();
    for (at, node) in resolved.plan.nodes.iter().enumerate() {
        match &node.kind {
            NodeKind::Switch(spec) => switch(&resolved.plan, at, spec, &spanning, out),
            NodeKind::Hub => out.line(1, format!("{}: hub", node.name)),
            NodeKind::Edge(_) => out.line(1, format!("{}: region of a cloud", node.name)),
            NodeKind::Router(router) => {
                self::router(&node.name, router, out);
                computed.routes(at, router).into_iter().for_each(|(line, note)| out.noted(2, line, note));
            }
            NodeKind::Port => {
                let Some(host) = host_at.get(&at).copied().filter(|host| !told[*host]) else { continue };
                told[host] = true;
                self::host(&resolved.network.hosts[host], &served, out);
            }
        }
    }
    for (host, _) in resolved.network.hosts.iter().zip(told).filter(|(_, told)| !told) {
        self::host(host, &served, out);
    }
}

fn switch(plan: &Plan, at: usize, spec: &SwitchSpec, spanning: &Spanning, out: &mut Lines) {
    let name = &plan.nodes[at].name;
    let tree = spec.priority.map_or("spanning_tree: off".to_owned(), |priority| format!("priority: {priority}"));
    let storm = spec.storm_control.map_or("off".to_owned(), |rate| rate.to_string());
    let is_root = spanning.has_neighbours(at) && spanning.root(at) == Some(at);
    let note = if is_root { "root of the spanning tree" } else { "" };
    let words = format!("ageing: {}, {tree}, storm_control: {storm}", spec.ageing);
    out.noted(1, format!("{name}: {{ switch: {{ {words} }} }}"), note);
    let links = plan.links.iter().flat_map(|link| link.ends.iter().filter(|end| **end == at).map(|_| &link.name));
    for (link, port) in links.zip(spec.vlans.iter().flatten()) {
        let words = match port {
            PortVlans::Access(vlan) => format!("access {}", vlan.get()),
            PortVlans::Trunk { allowed, native } => {
                let native = native.map_or("none".to_owned(), |vlan| vlan.get().to_string());
                format!("trunk {{ allowed: {allowed}, native: {native} }}")
            }
        };
        out.noted(2, format!("{link}: {words}"), "VLANs");
    }
}

fn router(name: &str, router: &RouterPlan, out: &mut Lines) {
    out.noted(1, format!("{name}:"), "router");
    for (port, interface) in router.interfaces.iter().enumerate() {
        let outside = if router.border == Some(port as u32) { "outside" } else { "" };
        out.noted(2, format!("{}:", interface.name), outside);
        out.line(3, format!("mac: {}", interface.mac));
        let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
        out.line(3, format!("addresses: [{}]", addresses.join(", ")));
        router.dhcp.iter().filter(|dhcp| dhcp.port == port as u32).for_each(|dhcp| self::dhcp(dhcp, out));
        for advert in router.advertises.iter().filter(|advert| advert.port == port as u32) {
            let prefixes: Vec<_> = advert.prefixes.iter().map(ToString::to_string).collect();
            out.noted(3, format!("ra: [{}]", prefixes.join(", ")), "networks that it advertises");
        }
    }
    if let Some(nat) = &router.nat {
        self::nat(&nat.spec, out);
    }
}

/// The MAC addresses of the machines that get their own addresses from a router.
fn leased(router: &RouterPlan) -> impl Iterator<Item = MacAddr> {
    router.dhcp.iter().flat_map(|dhcp| &dhcp.reserved).map(|reserved| reserved.mac)
}

/// Whom a router leases which addresses.
fn dhcp(dhcp: &DhcpPlan, out: &mut Lines) {
    out.line(3, "dhcp:".to_owned());
    for DhcpReservation { mac, address, options } in &dhcp.reserved {
        let name = options.name.as_deref().unwrap_or_default();
        out.noted(4, format!("- {address}"), &format!("for {name} at {mac}, lease {}", options.lease));
    }
    if let Some(options) = &dhcp.open {
        let other = if dhcp.foreign { ", unless another DHCP server answers" } else { "" };
        let note = format!("for whoever asks, lease {}{other}", options.lease);
        out.noted(4, format!("- {} free addresses of {}", dhcp.free(), dhcp.net), &note);
    }
}

fn nat(spec: &NatSpec, out: &mut Lines) {
    out.line(2, "nat:".to_owned());
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(spec) {
        fields.iter().for_each(|(key, value)| out.line(3, format!("{key}: {}", flow(value))));
    }
}

/// A value as YAML in one line. Texts of a translation need no quotes but where they have a colon.
fn flow(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) if text.contains(':') => format!("\"{text}\""),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(all) => format!("[{}]", all.iter().map(flow).collect::<Vec<_>>().join(", ")),
        serde_json::Value::Object(fields) => {
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key}: {}", flow(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

fn host(host: &HostPlan, served: &[MacAddr], out: &mut Lines) {
    out.noted(1, format!("{}:", host.name), &host.place.words());
    if !host.offloads {
        out.line(2, "offloads: off".into());
    }
    for interface in &host.interfaces {
        out.noted(2, format!("{}:", interface.name), &format!("link {}", interface.link));
        out.line(3, format!("mac: {}", MacAddr(interface.mac)));
        let mtu = format!("mtu: {}", interface.mtu);
        match host.place {
            Place::ExternalUdp { peer, encapsulation, .. } => {
                let on_the_way = interface.mtu + encapsulation.overhead(peer.ip());
                out.noted(
                    3,
                    mtu,
                    &format!("{on_the_way} on the way there, with the headers of {}", encapsulation.words()),
                );
            }
            _ => out.line(3, mtu),
        }
        if let Some(options) = host.place.qemu_options(interface) {
            out.noted(3, format!("qemu: {}", flow(&options.into())), "for the command line of the virtual machine");
        }
        let addresses: Vec<_> = interface.addresses.iter().map(ToString::to_string).collect();
        out.line(3, format!("addresses: [{}]", addresses.join(", ")));
        if host.place.is_beyond_a_wire() && !interface.gateways.is_empty() {
            let gateways: Vec<_> = interface.gateways.iter().map(ToString::to_string).collect();
            let told = served.contains(&interface.mac.into());
            let how =
                if told { "by DHCP and router advertisements" } else { "for the machine to set: longwire cannot" };
            out.noted(3, format!("gateways: [{}]", gateways.join(", ")), how);
        }
        if host.place == Place::Namespace {
            let neighbours = match &interface.neighbours {
                table if table.is_empty() => "dynamic".to_owned(),
                table if table.is_on_demand() => format!("{} permanent, on demand", table.len()),
                table => format!("{} permanent", table.len()),
            };
            out.line(3, format!("neighbours: {neighbours}"));
        }
    }
    // The main table has no others without a gateway but those for multicast: shown where it is not the only interface.
    let several = host.interfaces.len() > 1;
    for route in host.routes.iter().filter(|route| route.via.is_some() || several && route.table == 254) {
        let via = route.via.map(|via| format!(" via {via}")).unwrap_or_default();
        let interface = route.interface.as_ref().map(|name| format!(" dev {name}")).unwrap_or_default();
        let table = if route.table == 254 { String::new() } else { format!(" table {}", route.table) };
        out.line(2, format!("route: {}{via}{interface}{table}", route.to));
    }
    for (from, table) in &host.rules {
        out.line(2, format!("rule: from {from} lookup {table}"));
    }
    if host.place == Place::Namespace && !host.restores_routes {
        out.line(2, "routes: manual".into());
    }
    if !host.dns.is_empty() {
        let servers: Vec<_> = host.dns.iter().map(ToString::to_string).collect();
        out.line(2, format!("dns: [{}]", servers.join(", ")));
    }
    if !host.private.is_empty() {
        out.line(2, format!("private: [{}]", host.private.join(", ")));
    }
    let Limits { processes, memory, open_files } = host.limits;
    let limits = [
        processes.map(|n| format!("processes: {n}")),
        memory.map(|bytes| format!("memory: {}", ByteSize::from_bytes(bytes))),
        open_files.map(|n| format!("open_files: {n}")),
    ];
    let limits: Vec<String> = limits.into_iter().flatten().collect();
    if !limits.is_empty() {
        out.line(2, format!("limits: {{ {} }}", limits.join(", ")));
    }
    if host.privileged {
        out.noted(2, "privileged: true".into(), "its programs keep root's rights on the machine");
    }
    for (path, value) in &host.sysctl {
        out.line(2, format!("sysctl: {path} = {value}"));
    }
}

fn directions(link: &ResolvedLink, specs: &[DirectionSpec; 2], blocked: bool, sources: &Sources, out: &mut Lines) {
    let blocked = if blocked { ", blocked by the spanning tree" } else { "" };
    out.noted(1, format!("{}:", link.name), &format!("{}{blocked}", place(link.span, sources)));
    for (way, spec) in specs.iter().enumerate() {
        let [from, to] = if way == 0 { [0, 1] } else { [1, 0] }.map(|end| &link.ends[end]);
        out.line(2, format!("{from} → {to}:"));
        let values = spec_tree(spec);
        for Entry { key, value, .. } in values.entries().unwrap_or_default() {
            leaves(key, value, &link.directions[way], &mut vec![key], sources, out);
        }
    }
}

/// A spec as the tree that its own YAML text reads as, so that what is shown is what a file would say.
fn spec_tree(spec: &DirectionSpec) -> Node {
    let mut sources = Sources::default();
    let text = serde_saphyr::to_string(spec).expect("plain data has a text");
    let source = sources.add("", &text);
    let tree = parse(&sources, source, &Origin::File, &mut Diagnostics::default());
    tree.expect("the text of plain data is YAML")
}

fn leaves<'a>(key: &str, value: &'a Node, given: &Node, path: &mut Vec<&'a str>, sources: &Sources, out: &mut Lines) {
    let depth = path.len() + 2;
    let from = lookup(given, path);
    match &value.value {
        Value::Map(entries) => {
            out.line(depth, format!("{key}:"));
            for entry in entries {
                path.push(&entry.key);
                // A default inside a map that says something else is not worth a line.
                let shown = lookup(given, path).is_some() || lookup(given, &path[..1]).is_none();
                if shown || matches!(entry.value.value, Value::Map(_)) || entry.key == "mean" {
                    leaves(&entry.key, &entry.value, given, path, sources, out);
                }
                path.pop();
            }
        }
        _ => {
            let note = from.map_or_else(|| "default".to_owned(), |node| origin(node, sources));
            out.noted(depth, format!("{key}: {}", value.inline()), &note);
        }
    }
}

/// What a value came from, in a few words.
fn origin(node: &Node, sources: &Sources) -> String {
    match &node.origin {
        Origin::File => place(node.span, sources),
        Origin::Profile(name) => format!("profile {name}"),
        Origin::Param(name) => match node.via {
            Some(via) => format!("${name}, {}", place(via, sources)),
            None => format!("${name}"),
        },
        Origin::CommandLine => "command line".to_owned(),
    }
}

fn place(span: Span, sources: &Sources) -> String {
    format!("{}:{}", sources.name(span.source), span.line)
}

fn tasks(resolved: &Resolved, out: &mut Lines) {
    let scenario = &resolved.scenario;
    let host = |at: usize| resolved.network.hosts[at].name.as_str();
    out.section("ready", scenario.awaited.is_empty());
    for (name, Awaited { path, check, within }) in &scenario.awaited {
        let what = match check {
            AwaitedCheck::Ping => "ping".to_owned(),
            AwaitedCheck::Tcp(port) => format!("a connection to TCP port {port}"),
            AwaitedCheck::Arp => "ARP".to_owned(),
        };
        let line = format!("{name}: when it answers {what} from {}, within {within}", host(path.from));
        out.noted(1, line, "t = 0 waits for it");
    }
    if !scenario.forward.is_empty() {
        out.section("forward", false);
        for forward in &scenario.forward {
            out.line(1, format!("{} → {} from {}", forward.listen, forward.to, host(forward.host)));
        }
    }
    out.section("services", scenario.services.is_empty());
    for (name, service) in &scenario.services {
        let ready = words::ready(service.ready.as_ref());
        out.noted(1, format!("{name}: {}", yaml(&words::program(&service.program, host))), &ready);
    }
    out.section("workloads", scenario.workloads.is_empty());
    for (name, workload) in &scenario.workloads {
        let what = words::workload(&workload.kind, host);
        out.noted(1, format!("{name}: {}", yaml(&what)), &words::start(workload));
    }
}

fn timeline(resolved: &Resolved, out: &mut Lines) {
    out.section("timeline", resolved.timeline.is_empty());
    for step in &resolved.timeline {
        let words: Vec<_> = step.actions.iter().flat_map(Action::words).collect();
        // those of a ramp between its ends have none
        if !words.is_empty() {
            out.line(1, format!("{}: {}", step.when(), yaml(&words.join(", "))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_models_stands_on_one_line() {
        let loss = r#"[{"random": "0.5%"}, {"frames": [3, "7-9"], "only": {"udp": 53}}]"#;
        let spec = DirectionSpec { loss: serde_json::from_str(loss).unwrap(), ..DirectionSpec::default() };
        let tree = spec_tree(&spec);
        let shown = tree.get("loss").unwrap().inline();
        assert!(shown.starts_with("[{ random: 0.5% }, { frames: [3, 7-9], only: { "), "{shown}");
    }

    /// The listing of a small scenario with these texts, as the tree that it reads as.
    fn read_back(name: &str, value: &str, command: &str) -> Option<Node> {
        use crate::language::files::MemoryFiles;
        use crate::scenario::{Overrides, load};
        let text = format!(
            "longwire: 1\nname: {}\nparams: {{ p: {} }}\nnodes: {{ a: host, b: host }}\nlinks: {{ l: {{ ends: [a, b] }} }}\n\
             workloads:\n  w: {{ in: a, shell: {} }}\nexpect: [ w.exit == 0 ]\n",
            yaml(name),
            serde_json::Value::from(value),
            serde_json::Value::from(command),
        );
        let file = std::path::Path::new("s.yaml");
        let resolved = load(file, &MemoryFiles::one("s.yaml", &text), &Overrides::default()).ok()?;
        assert_eq!(resolved.scenario.name, name);
        let listing = listing(&resolved);
        assert!(listing.chars().all(|c| c == '\n' || crate::diag::printable::is_printable(c)), "{listing:?}");
        let mut sources = Sources::default();
        let source = sources.add("plan.yaml", &listing);
        let mut told = Diagnostics::default();
        let tree = parse(&sources, source, &Origin::File, &mut told);
        assert!(told.iter().next().is_none(), "{listing}\n{:?}", told.iter().next());
        tree
    }

    #[test]
    fn a_name_cannot_forge_a_line() {
        let tree = read_back("Chat\nPASS\u{202e}\x1b[2J: x #", "a: b", "echo \"a: b # c\"").unwrap();
        assert_eq!(tree.get("name").unwrap().as_text(), Some("Chat\nPASS\u{202e}\x1b[2J: x #"));
        assert_eq!(tree.get("param p").unwrap().as_text(), Some("a: b"));
        let run = tree.get("workloads").and_then(|works| works.get("w")).unwrap();
        assert_eq!(run.as_text(), Some("in a: sh -c \"echo \\\"a: b # c\\\"\""));
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_listed_reads_the_same(name in "(\\PC|\n|\r|\t|\x1b|\u{202e}|\u{85}|: |#|'|\"|-)*") {
            if let Some(tree) = read_back(&name, "v", "true") {
                let read = tree.get("name").and_then(|read| read.as_text());
                proptest::prop_assert_eq!(read, Some(name.as_str()));
            }
        }
    }
}
