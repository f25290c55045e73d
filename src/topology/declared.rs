//! `nodes` and `links` of a scenario, read and checked: what a file declares before addresses are given out.

use std::collections::BTreeSet;
use std::path::Path;

use indexmap::IndexMap;

use super::cloud;
use super::ends::{self, End, NodeEntry, Trunk};
use super::external::ExternalSpec;
use super::link::{Draft, Layers, LinkHead, position_of_end};
use super::node::NodeSpec;
use super::preset;
use super::tables::Tables;
use crate::diag::{Diagnostic, Diagnostics, Sources, Span};
use crate::language::files::Files;
use crate::language::presets::Presets;
use crate::language::section::{Named, check_section, is_empty, section};
use crate::language::spanned::Spanned;
use crate::language::tree::{Entry, Node};

/// The nodes and links of a scenario.
pub(crate) struct Declared {
    /// Nodes by name, in file order.
    pub nodes: IndexMap<String, NodeEntry>,
    /// Links in file order, then those between the regions of clouds.
    pub links: Vec<Draft>,
    /// Names of links that could not be read.
    pub unread_links: Vec<String>,
    /// Nodes of which nothing more is told: they, or a link that may be theirs, could not be read.
    pub silent_nodes: Vec<String>,
}

/// What nodes and links are read with.
pub(crate) struct Reader<'a> {
    /// Where tables are read from.
    pub files: &'a dyn Files,
    /// The scenario's file.
    pub path: &'a Path,
    /// The texts that places point into, to which presets are added.
    pub sources: &'a mut Sources,
    /// Where mistakes go.
    pub diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// Reads nodes and links. In virtual time no machine outside can be reached.
    pub(crate) fn declared(&mut self, root: &mut Node, virtual_time: bool) -> Declared {
        let nodes = self.nodes(root);
        if virtual_time {
            self.forbid_external(&nodes);
        }
        let mut links = self.links(root, &nodes);
        let (unread_links, silent_nodes) = unread(root, &nodes, &links);
        self.load_tables(&mut links);
        let mut ends: Vec<&mut [End; 2]> = links.iter_mut().filter_map(|link| link.ends.as_mut()).collect();
        ends::name_interfaces(&mut ends, &nodes, self.diagnostics);
        self.forbid_loops(&links, &nodes);
        if unread_links.is_empty() {
            self.warn_of_lone_hosts(&links, &nodes);
        }
        let tables = Tables { files: self.files, scenario: self.path, sources: self.sources, change: false };
        let mut paths = cloud::paths(root, &nodes, &tables, self.diagnostics);
        self.load_tables(&mut paths);
        links.extend(paths);
        Declared { nodes, links, unread_links, silent_nodes }
    }

    fn nodes(&mut self, root: &mut Node) -> IndexMap<String, NodeEntry> {
        let nodes = section::<NodeSpec>(root, "nodes", self.diagnostics).into_iter();
        nodes
            .map(|Named { name, span, spec, clean }| {
                let spec = spec.filter(|spec| match spec {
                    NodeSpec::External(external) => self.external_is_whole(&name, external, clean),
                    _ => true,
                });
                (name, NodeEntry { span, spec })
            })
            .collect()
    }

    /// The machine's interfaces are not there inside a guest.
    fn forbid_external(&mut self, nodes: &IndexMap<String, NodeEntry>) {
        for (name, entry) in nodes {
            let Some(NodeSpec::External(external)) = &entry.spec else { continue };
            let (message, help) = match &external.passt {
                Some(uplink) => (
                    format!("`{uplink}` is an uplink, and nothing outside can be reached in virtual time"),
                    "take it away, or use `longwire run`",
                ),
                None => (
                    format!("`{name}` is an external machine, and none can be reached in virtual time"),
                    "make it a host, or use `longwire run`",
                ),
            };
            self.diagnostics.error(external.span, message).help(help);
        }
    }

    fn external_is_whole(&mut self, name: &str, external: &Spanned<ExternalSpec>, clean: bool) -> bool {
        let Spanned { value: ExternalSpec { tap, qemu, udp, container, netns, interface, .. }, span } = external;
        let before = self.diagnostics.iter().count();
        if external.passt.is_some() {
            return true;
        }
        let is_one_machine = qemu.is_some() || netns.is_some() || container.is_some();
        if let Some((first, _)) = external.names.first().filter(|_| is_one_machine) {
            self.diagnostics
                .error(first.span, format!("there is nothing behind `{name}` that could be called `{}`", first.value))
                .help("`names` goes with `tap`, `interface` and `udp`, which may lead to several machines");
        }
        let default_route = external.default_route.as_ref().map(|key| (key.span, "default_route"));
        let engine_network = external.engine_network.as_ref().map(|key| (key.span, "engine_network"));
        for (place, key) in default_route.into_iter().chain(engine_network).filter(|_| container.is_none()) {
            self.diagnostics
                .error(place, format!("`{key}` goes with `container`"))
                .help("take it away: routes of other machines are their own");
        }
        let names =
            |keys: &[&Option<Spanned<String>>]| keys.iter().filter_map(|key| Some(key.as_ref()?.span)).collect();
        if let Some(qemu) = qemu {
            let mut others: Vec<Span> = names(&[tap, netns, interface, container]);
            others.extend(udp.as_ref().map(|udp| udp.span));
            self.is_alone((qemu.span, "`qemu` is the socket of a virtual machine"), &others);
            return self.diagnostics.iter().count() == before;
        }
        if let Some(udp) = udp {
            self.is_alone((udp.span, "`udp` is another site"), &names(&[tap, netns, interface, container]));
            udp.check(self.diagnostics);
            return self.diagnostics.iter().count() == before;
        }
        if let Some(container) = container {
            self.is_alone((container.span, "`container` is one by its name"), &names(&[tap, netns]));
            self.container_is_whole(container, external);
            return self.diagnostics.iter().count() == before;
        }
        match (tap, netns) {
            (None, None) | (None, Some(_)) if !clean => return false,
            // one of the machine's own
            (None, None) if interface.is_some() => {}
            (None, None) => self.diagnostics.push(
                Diagnostic::error(*span, format!("the external machine `{name}` does not say where it is"))
                    .help("write `tap: NAME`, `qemu: PATH`, `udp: { peer: ADDRESS, vni: NUMBER }`, `container: NAME`, `interface: NAME`, or `netns: PATH` and `interface: NAME`"),
            ),
            (Some(tap), Some(netns)) => self.diagnostics.push(
                Diagnostic::error(netns.span, "`tap` and `netns` both say where the machine is")
                    .related(tap.span, "the other")
                    .help("keep one: a TAP in the caller's namespace, or an interface in one that exists"),
            ),
            (Some(_), None) => {
                if let Some(interface) = interface {
                    self.diagnostics
                        .error(interface.span, "`interface` goes with `netns`")
                        .help("`tap` names the interface already");
                }
            }
            (None, Some(netns)) if interface.is_none() => self.diagnostics.push(
                Diagnostic::error(netns.span, format!("`{name}` does not say what its interface is called"))
                    .help("write `interface: NAME` beside `netns`"),
            ),
            (None, Some(_)) => {}
        }
        for name in [tap, interface].into_iter().flatten() {
            if let Err(reason) = ends::interface_name(name) {
                self.diagnostics.error(name.span, reason);
            }
        }
        self.diagnostics.iter().count() == before
    }

    /// `what` says where the machine is, and none of the others does.
    fn is_alone(&mut self, (place, what): (Span, &str), others: &[Span]) {
        if let Some(other) = others.first() {
            self.diagnostics
                .error(*other, "two keys say where the machine is")
                .related(place, "the other")
                .help(format!("keep one: {what}, and none of the others goes with it"));
        }
    }

    fn container_is_whole(&mut self, container: &Spanned<String>, external: &ExternalSpec) {
        // what Docker and Podman take for a name
        let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let begins = container.value.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        if !begins || !container.value.bytes().all(usual) {
            self.diagnostics
                .error(container.span, format!("`{}` cannot name a container", container.value))
                .help("expected letters, digits, `-`, `_` and `.`, as `docker ps` and `podman ps` show names and ids");
        }
        if let Some(interface) = &external.interface
            && let Err(reason) = ends::interface_name(interface)
        {
            self.diagnostics.error(interface.span, reason);
        }
        let asked = [
            external.dhcp.as_ref().map(|dhcp| (dhcp.span, "dhcp")),
            external.ra.as_ref().map(|ra| (ra.span, "ra")),
            external.dns.first().map(|dns| (dns.span, "dns")),
        ];
        for (place, key) in asked.into_iter().flatten() {
            self.diagnostics
                .error(place, format!("`{key}` does not go with `container`"))
                .help("take it away: a container is given its addresses, as a host is, and keeps its name servers");
        }
    }

    fn links(&mut self, root: &Node, nodes: &IndexMap<String, NodeEntry>) -> Vec<Draft> {
        check_section(root, "links", self.diagnostics);
        let mut presets = Presets::default();
        let entries = root.get("links").and_then(Node::entries).unwrap_or_default();
        let entries = entries.iter().filter(|entry| !entry.value.pruned);
        entries.filter_map(|entry| self.link(entry, nodes, &mut presets)).collect()
    }

    fn link(&mut self, entry: &Entry, nodes: &IndexMap<String, NodeEntry>, presets: &mut Presets) -> Option<Draft> {
        if is_empty(entry, "a link needs at least `ends: [alice, bob]`", self.diagnostics) {
            return None;
        }
        let mut read = entry.clone();
        let head = LinkHead::read(&mut read, self.diagnostics);
        let mut node = read.value;
        node.entries()?;
        // Without ends the rest is read all the same: it may hold more mistakes.
        node.pruned = false;
        let ends = head.as_ref().and_then(|head| ends::ends(&head.ends, nodes, self.diagnostics));
        let (name, user) = head.as_ref().map_or((None, None), |head| (head.profile.as_ref(), head.user.as_ref()));
        let both: Vec<&[End; 2]> = ends.iter().collect();
        let preset = preset::find(name, user, &both, (presets, self.sources), self.diagnostics);
        let user = user.and_then(|user| position_of_end(ends.as_ref()?, user));
        let layers = Layers { link: &node, ends: ends.as_ref(), preset: preset.as_ref().map(|preset| (preset, user)) };
        let directions = layers.directions(self.diagnostics);
        Some(Draft { name: entry.key.clone(), span: entry.key_span, ends, directions })
    }

    /// Reads the files that models of links name.
    fn load_tables(&mut self, links: &mut [Draft]) {
        let tables = Tables { files: self.files, scenario: self.path, sources: self.sources, change: false };
        for direction in links.iter_mut().flat_map(|link| &mut link.directions) {
            tables.load(&mut direction.spec, &direction.tree, self.diagnostics);
        }
    }

    fn forbid_loops(&mut self, links: &[Draft], nodes: &IndexMap<String, NodeEntry>) {
        let cannot = |end: &End| nodes[end.node].spec.as_ref().is_some_and(NodeSpec::cannot_break_loops);
        let trunks: Vec<Trunk<'_>> = links
            .iter()
            .filter_map(|link| link.ends.as_ref().map(|ends| (link, ends)))
            .filter(|(_, ends)| ends.iter().all(cannot))
            .map(|(link, ends)| Trunk { link: &link.name, span: link.span, ends })
            .collect();
        ends::forbid_loops(&trunks, self.diagnostics);
    }

    fn warn_of_lone_hosts(&mut self, links: &[Draft], nodes: &IndexMap<String, NodeEntry>) {
        let joined: BTreeSet<usize> =
            links.iter().filter_map(|link| link.ends.as_ref()).flatten().map(|end| end.node).collect();
        for (at, (name, node)) in nodes.iter().enumerate() {
            if let Some(spec) = node.spec.as_ref().filter(|_| !joined.contains(&at)) {
                let message = format!("`{name}` is {} without a link", spec.describe());
                self.diagnostics.warning(node.span, message);
            }
        }
    }
}

/// Names of links that could not be read, and of nodes that could not, or that such a link may have joined.
fn unread(root: &Node, nodes: &IndexMap<String, NodeEntry>, links: &[Draft]) -> (Vec<String>, Vec<String>) {
    let entries = root.get("links").and_then(Node::entries).unwrap_or_default().iter();
    let read: BTreeSet<&str> = links.iter().filter(|link| link.ends.is_some()).map(|link| link.name.as_str()).collect();
    let unread: Vec<String> =
        entries.map(|entry| &entry.key).filter(|name| !read.contains(name.as_str())).cloned().collect();
    let unsure =
        !unread.is_empty() || root.get("nodes").is_some_and(|section| section.entries().is_none() && section.pruned);
    let silent = nodes.iter().filter(|(_, node)| unsure || node.spec.is_none()).map(|(name, _)| name.clone());
    (unread, silent.collect())
}
