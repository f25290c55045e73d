//! Groups of nodes: `clients: { host: { count: 50 } }` is clients-1 … clients-50.

use super::{Expansion, GroupKind, MOST, spoiled, with_text};
use crate::language::read::read;
use crate::language::tree::{Entry, Node, Value};

/// What of an external machine is there once for each member.
const NUMBERED: [&str; 3] = ["tap", "netns", "container"];

/// Spells out the groups among nodes.
pub(super) fn expand(entries: Vec<Entry>, to: &mut Expansion<'_>) -> Vec<Entry> {
    let mut all = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let Some(count) = take_count(&mut entry.value) else {
            all.push(entry);
            continue;
        };
        match members(&entry, count, to) {
            Some(members) => all.extend(members),
            None => all.push(spoiled(entry)),
        }
    }
    all
}

/// `count`, taken out of what stands under a node's kind.
fn take_count(node: &mut Node) -> Option<Node> {
    let Value::Map(kinds) = &mut node.value else { return None };
    kinds.iter_mut().find_map(|kind| kind.value.remove("count")).map(|entry| entry.value)
}

fn members(entry: &Entry, mut count: Node, to: &mut Expansion<'_>) -> Option<Vec<Entry>> {
    let span = count.via.unwrap_or(count.span);
    let count = read::<u64>(&mut count, to.diagnostics)?;
    if count == 0 {
        to.tell(span, format!("`{}` has no members: its `count` is 0", entry.key), format!("write 1 to {MOST}"));
        return None;
    }
    if !to.room(GroupKind::Nodes, u128::from(count) - 1, span) || !may_be_many(entry, to) {
        return None;
    }
    let names: Vec<String> = (1..=count).map(|k| format!("{}-{k}", entry.key)).collect();
    if !to.claim(&entry.key, entry.key_span, names.iter().map(String::as_str)) {
        return None;
    }
    let member = |(at, name): (usize, &String)| {
        let mut value = entry.value.clone();
        number(&mut value, at + 1);
        Entry { key: name.clone(), key_span: entry.key_span, value }
    };
    let made = names.iter().enumerate().map(member).collect();
    to.groups.add(&entry.key, GroupKind::Nodes, names);
    Some(made)
}

/// What belongs to one machine cannot be said of several.
fn may_be_many(entry: &Entry, to: &mut Expansion<'_>) -> bool {
    let kinds = entry.value.entries().unwrap_or_default();
    let mut fine = true;
    for said in kinds.iter().flat_map(|kind| kind.value.entries().unwrap_or_default()) {
        let some = match &said.value.value {
            Value::Seq(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Scalar(_) => true,
            Value::Null => false,
        };
        if said.key == "addresses" && some {
            let help = "leave `addresses` out: each member gets its own, from the subnet that others on its segment name, \
                        else from the pool under `addressing`";
            to.tell(said.key_span, format!("the members of `{}` cannot share addresses", entry.key), help);
            fine = false;
        }
        let pid = said.value.as_text().is_some_and(|text| text.bytes().all(|b| b.is_ascii_digit()));
        if said.key == "netns" && pid {
            let help = "write a path: member 1 is in PATH-1, member 2 in PATH-2";
            to.tell(said.value.span, format!("the members of `{}` cannot be in one process", entry.key), help);
            fine = false;
        }
    }
    fine
}

/// Gives what exists outside once for each member its number: the TAP `lw` of member 3 is `lw-3`.
fn number(value: &mut Node, k: usize) {
    let Value::Map(kinds) = &mut value.value else { return };
    for kind in kinds.iter_mut().filter(|kind| kind.key == "external") {
        let Value::Map(said) = &mut kind.value.value else { continue };
        for entry in said.iter_mut().filter(|entry| NUMBERED.contains(&entry.key.as_str())) {
            if let Some(text) = entry.value.as_text() {
                entry.value = with_text(&entry.value, format!("{text}-{k}"));
            }
        }
    }
}
