//! The compact description of big networks, spelled out: groups, link patterns and imported graphs become nodes, links,
//! services and workloads like any other, before anything else is read. What is made of an entry stands at that entry's
//! place, so that a mistake in it is told there; once, not once for each member.

mod fold;
mod import;
mod links;
mod names;
mod nodes;
mod pattern;
mod table;
mod tasks;
mod uplink;

use std::collections::BTreeSet;

use crate::diag::{Diagnostics, Sources, Span};
use crate::language::files::Files;
use crate::language::tree::{Entry, Node, Origin, Value};

pub(crate) use fold::fold;
pub(crate) use import::ImportsSpec;
use names::Names;
pub(crate) use pattern::Patterns;
pub(crate) use table::Members;
pub use table::{Group, GroupKind, Groups};

/// The most nodes, links, services or workloads that a scenario may have: what a machine holds, with room to spare.
pub(crate) const MOST: usize = 100_000;

/// What all steps share.
struct Expansion<'a> {
    groups: Groups,
    names: Names,
    diagnostics: &'a mut Diagnostics,
    /// How many nodes, links, services and workloads there are so far, in this order.
    made: [usize; 4],
}

/// Spells out what stands for several in a scenario. The groups by name.
pub(crate) fn expand(
    root: &mut Node,
    files: &dyn Files,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Groups {
    let names = Names::of(root);
    let mut to = Expansion { groups: Groups::default(), names, diagnostics, made: [0; 4] };
    let import = root.remove("import");
    let [mut nodes, mut links, services, workloads] =
        ["nodes", "links", "services", "workloads"].map(|section| take(root, section));
    to.made = [nodes.len(), links.len(), services.len(), workloads.len()];

    nodes = nodes::expand(nodes, &mut to);
    let mut imported = import::Imported::default();
    if let Some(entry) = import {
        if entry.value.pruned {
            root.set(entry);
        } else {
            imported = import::import(&entry, files, sources, &mut to);
        }
    }
    nodes.append(&mut imported.nodes);
    links = pattern::expand(links, &mut nodes, &mut to);
    links = links::expand(links, &mut to);
    let known: BTreeSet<&str> = nodes.iter().map(|node| node.key.as_str()).collect();
    imported.limit_access(&mut links, |name| known.contains(name));
    links.append(&mut imported.links);
    nodes = uplink::expand(nodes, &mut links, sources, &mut to);
    let services = tasks::expand(services, GroupKind::Services, &mut to);
    let workloads = tasks::expand(workloads, GroupKind::Workloads, &mut to);

    let groups = to.groups;
    for (section, entries) in [("nodes", nodes), ("links", links), ("services", services), ("workloads", workloads)] {
        put(root, section, entries);
    }
    groups
}

/// The entries of a section, taken out; none if it is not a map.
fn take(root: &mut Node, section: &str) -> Vec<Entry> {
    let Value::Map(sections) = &mut root.value else { return Vec::new() };
    match sections.iter_mut().find(|entry| entry.key == section).map(|entry| &mut entry.value.value) {
        Some(Value::Map(entries)) => std::mem::take(entries),
        _ => Vec::new(),
    }
}

/// Puts entries back. A section that is not a map is left as it is: that is told when it is read.
fn put(root: &mut Node, section: &str, made: Vec<Entry>) {
    if made.is_empty() {
        return;
    }
    let span = root.span;
    let Value::Map(sections) = &mut root.value else { return };
    match sections.iter_mut().find(|entry| entry.key == section) {
        Some(entry) if matches!(entry.value.value, Value::Map(_) | Value::Null) => entry.value.value = Value::Map(made),
        Some(_) => {}
        None => {
            let value = Node::new(Value::Map(made), span, Origin::File);
            sections.push(Entry { key: section.to_owned(), key_span: span, value });
        }
    }
}

impl Expansion<'_> {
    /// Whether there is room for so many more of a kind; told at `span` where there is not.
    fn room(&mut self, kind: GroupKind, more: u128, span: Span) -> bool {
        let made = &mut self.made[kind as usize];
        let sum = (*made as u128).saturating_add(more);
        if sum <= MOST as u128 {
            *made = sum as usize;
            return true;
        }
        let what = ["nodes", "links", "services", "workloads"][kind as usize];
        self.diagnostics
            .error(span, format!("{more} more {what} make {sum}, which is too many"))
            .help(format!("a scenario has at most {MOST} {what}"));
        false
    }

    /// Tells a mistake.
    fn tell(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.error(span, message).help(help);
    }
}

/// `NAME` and `INTERFACE` of `NAME.INTERFACE`.
fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((name, interface)) => (name, Some(interface)),
        None => (text, None),
    }
}

/// A text with the name in front exchanged, an interface behind it kept.
fn renamed(text: &str, name: &str) -> String {
    match split(text).1 {
        Some(interface) => format!("{name}.{interface}"),
        None => name.to_owned(),
    }
}

/// The node's place with another text in it.
fn with_text(node: &Node, text: String) -> Node {
    Node { via: node.via, ..Node::text(text, node.span, node.origin.clone()) }
}

/// An entry without anything under its key: it was wrong, and that was told.
fn spoiled(mut entry: Entry) -> Entry {
    entry.value.pruned = true;
    entry
}
