//! Ends → interfaces and ports, and loops that nobody breaks: who is joined to whom.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::fmt;

use indexmap::IndexMap;

use super::node::NodeSpec;
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::language::spanned::Spanned;

/// The kernel's IFNAMSIZ less the terminating zero.
const INTERFACE_NAME_MAX: usize = 15;

/// One node of the file.
#[derive(Debug)]
pub(crate) struct NodeEntry {
    /// Where its name stands.
    pub span: Span,
    /// What it is; `None` if it could not be read, which has been told.
    pub spec: Option<NodeSpec>,
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Position of the node in the file.
    pub node: usize,
    /// The node's name.
    pub name: String,
    /// The interface, of a host or a router; the region, of a cloud; of a switch, and until names are given out, `None`.
    pub interface: Option<String>,
    /// Where the end stands.
    pub span: Span,
}

impl End {
    /// An end from how it is shown: `alice.wlan0`, `ap`. It knows no place.
    pub(crate) fn of(shown: &str) -> End {
        let (name, interface) = match shown.split_once('.') {
            Some((name, interface)) => (name, Some(interface.to_owned())),
            None => (shown, None),
        };
        End { node: usize::MAX, name: name.to_owned(), interface, span: Span::default() }
    }

    /// The region, of an end at a cloud: `internet.tokyo` of what is attached, and `tokyo` of a path inside.
    pub(crate) fn region(&self) -> &str {
        self.interface.as_deref().unwrap_or(&self.name)
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{}.{interface}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// Reads the two ends of a link. `None` if one of them cannot be told, or leads to a node that could not be read.
pub(crate) fn ends(
    texts: &Spanned<Vec<Spanned<String>>>,
    nodes: &IndexMap<String, NodeEntry>,
    diagnostics: &mut Diagnostics,
) -> Option<[End; 2]> {
    if texts.len() != 2 {
        diagnostics
            .error(texts.span, format!("a link has two ends, not {}", texts.len()))
            .help("as in `ends: [alice, bob]`; more than two meet at a switch");
        return None;
    }
    let both: Vec<Option<End>> = texts.iter().map(|text| end(text, nodes, diagnostics)).collect();
    let [Some(a), Some(b)] = &both[..] else { return None };
    if a.node == b.node {
        diagnostics.error(b.span, format!("both ends are `{}`", a.name)).help("a link joins two different nodes");
        return None;
    }
    Some([a.clone(), b.clone()])
}

fn end(text: &Spanned<String>, nodes: &IndexMap<String, NodeEntry>, diagnostics: &mut Diagnostics) -> Option<End> {
    let (name, interface) = match text.split_once('.') {
        Some((name, interface)) => (name, Some(interface)),
        None => (text.as_str(), None),
    };
    let Some((position, _, entry)) = nodes.get_full(name) else {
        diagnostics
            .error(text.span, format!("unknown node `{name}`"))
            .help(suggestion(name, nodes.keys().map(String::as_str)));
        return None;
    };
    let spec = entry.spec.as_ref()?;
    let mut mistake = |message: String, help: &str| {
        diagnostics.error(text.span, message).help(help);
        None
    };
    let interface = match (spec, interface) {
        (NodeSpec::Switch(_) | NodeSpec::Hub(_), Some(_)) => {
            return mistake(format!("`{name}` is {}: its ports have no names", spec.describe()), "write it alone");
        }
        (NodeSpec::Cloud(cloud), region) => match cloud.regions().find(|known| Some(*known) == region) {
            Some(region) => Some(region.to_owned()),
            None => {
                let message = match region {
                    Some(region) => format!("`{name}` has no region `{region}`"),
                    None => format!("`{name}` is a cloud: say at which of its regions the link ends"),
                };
                let regions: Vec<_> = cloud.regions().map(|region| format!("{name}.{region}")).collect();
                return mistake(message, &suggestion(text, regions.iter().map(String::as_str)));
            }
        },
        (NodeSpec::External(_), Some(_)) => {
            return mistake(
                format!("`{name}` is an external machine: its interface is named under `nodes`"),
                "write the machine alone",
            );
        }
        // what the machine calls it, nobody here knows
        (NodeSpec::External(external), None) if external.qemu.is_some() || external.passt.is_some() => {
            Some("eth0".to_owned())
        }
        (NodeSpec::External(external), None) => {
            let site = external.udp.as_ref().map(|site| site.interface().to_owned());
            let in_container = external.container().map(|(_, interface)| interface.to_owned());
            let named = || external.tap.as_ref().or(external.interface.as_ref()).map(|name| name.value.clone());
            site.or(in_container).or_else(named)
        }
        (NodeSpec::Host(_) | NodeSpec::Router(_), Some(interface)) => {
            if let Err(reason) = interface_name(interface) {
                return mistake(reason, "as in `alice.wlan0`");
            }
            Some(interface.to_owned())
        }
        // it has been spelled out as a router, unless it could not be read
        (NodeSpec::Uplink(_), _) => return None,
        (_, None) => None,
    };
    Some(End { node: position, name: name.to_owned(), interface, span: text.span })
}

/// Whether the kernel takes a name for an interface (`dev_valid_name`), and we do.
pub(crate) fn interface_name(name: &str) -> Result<(), String> {
    if name.len() > INTERFACE_NAME_MAX {
        return Err(format!("`{name}` is too long for an interface: at most {INTERFACE_NAME_MAX} bytes"));
    }
    let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if name.is_empty() || !name.bytes().all(usual) {
        return Err(format!("`{name}` cannot name an interface: letters, digits, `-` and `_`"));
    }
    if name == "lo" {
        return Err("`lo` is every host's own loopback".into());
    }
    Ok(())
}

/// Gives names to the interfaces that have none, and checks that those given are not taken twice.
pub(crate) fn name_interfaces(
    links: &mut [&mut [End; 2]],
    nodes: &IndexMap<String, NodeEntry>,
    diagnostics: &mut Diagnostics,
) {
    let mut taken: BTreeMap<(usize, String), Span> = BTreeMap::new();
    for end in links.iter().flat_map(|ends| ends.iter()) {
        // any number of links may end at a region
        let cloud = nodes[end.node].spec.as_ref().is_some_and(|spec| matches!(spec, NodeSpec::Cloud(_)));
        let Some(interface) = end.interface.as_ref().filter(|_| !cloud) else { continue };
        if let Some(first) = taken.insert((end.node, interface.clone()), end.span) {
            let external = nodes[end.node].spec.as_ref().is_some_and(|spec| matches!(spec, NodeSpec::External(_)));
            let (message, help) = if external {
                (format!("the external machine `{}` has one link", end.name), "join more at a switch")
            } else {
                (format!("`{end}` is the end of two links"), "give one of them another interface")
            };
            diagnostics.error(end.span, message).related(first, "the first").help(help);
        }
    }
    // The first number of each node that may be free.
    let mut numbers: BTreeMap<usize, u64> = BTreeMap::new();
    for end in links.iter_mut().flat_map(|ends| ends.iter_mut()) {
        let named = nodes[end.node].spec.as_ref().is_some_and(NodeSpec::has_interfaces);
        if named && end.interface.is_none() {
            let next = numbers.entry(end.node).or_default();
            let name = loop {
                let name = format!("eth{next}");
                *next += 1;
                if let Entry::Vacant(free) = taken.entry((end.node, name.clone())) {
                    free.insert(end.span);
                    break name;
                }
            };
            end.interface = Some(name);
        }
    }
}

/// A link between two nodes that break no loop, hubs and switches without a spanning tree, for the search for loops.
pub(crate) struct Trunk<'a> {
    /// The link's name.
    pub link: &'a str,
    /// Where its name stands.
    pub span: Span,
    /// Its ends.
    pub ends: &'a [End; 2],
}

/// Frames would go round a loop for ever that no spanning tree breaks: tells each link that closes one.
pub(crate) fn forbid_loops(trunks: &[Trunk<'_>], diagnostics: &mut Diagnostics) {
    let mut tree: BTreeMap<usize, Vec<(usize, &Trunk<'_>)>> = BTreeMap::new();
    for trunk in trunks {
        let [a, b] = [trunk.ends[0].node, trunk.ends[1].node];
        if let Some(way) = path(&tree, b, a) {
            let mut names = vec![trunk.ends[0].name.clone(), format!("({})", trunk.link), trunk.ends[1].name.clone()];
            let mut at = b;
            for step in &way {
                let next = step.ends.iter().find(|end| end.node != at).expect("a trunk joins two nodes");
                names.push(format!("({})", step.link));
                names.push(next.name.clone());
                at = next.node;
            }
            let mut error = Diagnostic::error(
                trunk.span,
                format!("`{}` closes a loop that no spanning tree breaks: {}", trunk.link, names.join(" ")),
            )
            .help("frames would go round it for ever: take one of its links away, or let a switch in it take part in the spanning tree");
            for step in way {
                error = error.related(step.span, "part of the loop");
            }
            diagnostics.push(error);
        } else {
            tree.entry(a).or_default().push((b, trunk));
            tree.entry(b).or_default().push((a, trunk));
        }
    }
}

/// The links of the shortest way from one node to another.
fn path<'a, 't>(
    tree: &BTreeMap<usize, Vec<(usize, &'t Trunk<'a>)>>,
    from: usize,
    to: usize,
) -> Option<Vec<&'t Trunk<'a>>> {
    let mut came_by: BTreeMap<usize, (usize, &Trunk<'_>)> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        if at == to {
            let mut way = Vec::new();
            let mut at = to;
            while at != from {
                let (before, trunk) = came_by[&at];
                way.push(trunk);
                at = before;
            }
            way.reverse();
            return Some(way);
        }
        for (next, trunk) in tree.get(&at).into_iter().flatten() {
            if *next != from && !came_by.contains_key(next) {
                came_by.insert(*next, (at, trunk));
                queue.push_back(*next);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_are_the_kernels() {
        assert!(interface_name("wlan0").is_ok());
        assert!(interface_name("a23456789012345").is_ok());
        assert!(interface_name("a234567890123456").unwrap_err().contains("at most 15"));
        for bad in ["", "a b", "a/b", "lo", "ä", "a.b"] {
            assert!(interface_name(bad).is_err(), "{bad}");
        }
    }

    fn at(node: usize) -> End {
        End { node, name: format!("s{node}"), interface: None, span: Span::default() }
    }

    #[test]
    fn a_loop_is_named_by_its_links() {
        let joined = [[at(0), at(1)], [at(1), at(2)], [at(3), at(0)], [at(2), at(0)], [at(0), at(3)]];
        let names = ["a", "b", "c", "d", "e"];
        let trunks: Vec<_> =
            joined.iter().zip(names).map(|(ends, link)| Trunk { link, span: Span::default(), ends }).collect();
        let mut diagnostics = Diagnostics::default();
        forbid_loops(&trunks, &mut diagnostics);
        let told: Vec<_> = diagnostics.iter().map(|d| (d.message.as_str(), d.related.len())).collect();
        assert_eq!(
            told,
            [
                ("`d` closes a loop that no spanning tree breaks: s2 (d) s0 (a) s1 (b) s2", 2),
                ("`e` closes a loop that no spanning tree breaks: s0 (e) s3 (c) s0", 1)
            ]
        );
    }
}
