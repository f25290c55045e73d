//! Groups of links: an end that names a group of nodes makes a link for each member.

use super::{Expansion, GroupKind, renamed, split, spoiled, with_text};
use crate::language::tree::{Entry, Node, Value};

/// Spells out the links whose ends are groups.
pub(super) fn expand(entries: Vec<Entry>, to: &mut Expansion<'_>) -> Vec<Entry> {
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        let ends = ends(&entry.value);
        if ends.iter().all(|end| to.groups.members(GroupKind::Nodes, split(end).0).is_none()) {
            all.push(entry);
            continue;
        }
        match members(&entry, &ends, to) {
            Some(members) => all.extend(members),
            None => all.push(spoiled(entry)),
        }
    }
    all
}

/// The texts of a link's two ends; none if that is not what stands there.
pub(super) fn ends(link: &Node) -> Vec<String> {
    match link.get("ends").map(|ends| &ends.value) {
        Some(Value::Seq(ends)) if ends.len() == 2 => ends.iter().filter_map(Node::as_text).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn members(entry: &Entry, ends: &[String], to: &mut Expansion<'_>) -> Option<Vec<Entry>> {
    let [a, b] = ends else { return None };
    let span = entry.value.get("ends").map_or(entry.key_span, |ends| ends.span);
    let [one, other] = [a, b].map(|end| split(end).0);
    if one == other {
        let help = "a pattern joins the members of a group with each other, as in `full: GROUP` or `ring: GROUP`";
        to.tell(span, format!("both ends are `{one}`"), help);
        return None;
    }
    let group = |end: &str| to.groups.members(GroupKind::Nodes, end).map(<[String]>::to_vec);
    let (left, right) = (group(one), group(other));
    if let (Some(left), Some(right)) = (&left, &right)
        && left.len() != right.len()
    {
        let message = format!("`{one}` has {} members, `{other}` has {}", left.len(), right.len());
        let help = "groups of one size are joined by number; others meet at a switch, a link from each to it";
        to.tell(span, message, help);
        return None;
    }
    let count = left.as_ref().or(right.as_ref())?.len();
    if !to.room(GroupKind::Links, count as u128 - 1, entry.key_span) {
        return None;
    }
    let names: Vec<String> = (1..=count).map(|k| format!("{}-{k}", entry.key)).collect();
    if !to.claim(&entry.key, entry.key_span, names.iter().map(String::as_str)) {
        return None;
    }
    let member = |(at, name): (usize, &String)| {
        let mut value = entry.value.clone();
        for (group, members) in [(one, &left), (other, &right)] {
            if let Some(members) = members {
                rename_end(&mut value, group, &members[at]);
            }
        }
        Entry { key: name.clone(), key_span: entry.key_span, value }
    };
    let made = names.iter().enumerate().map(member).collect();
    to.groups.add(&entry.key, GroupKind::Links, names);
    Some(made)
}

/// Puts a member in the group's place wherever a link names its end.
fn rename_end(link: &mut Node, group: &str, member: &str) {
    let rename = |node: &mut Node| {
        if let Some(text) = node.as_text().filter(|text| split(text).0 == group) {
            *node = with_text(node, renamed(text, member));
        }
    };
    let Value::Map(entries) = &mut link.value else { return };
    for entry in entries {
        match (entry.key.as_str(), &mut entry.value.value) {
            ("ends", Value::Seq(ends)) => ends.iter_mut().for_each(rename),
            ("user", _) => rename(&mut entry.value),
            ("toward", Value::Map(toward)) => {
                for side in toward.iter_mut().filter(|side| split(&side.key).0 == group) {
                    side.key = renamed(&side.key, member);
                }
            }
            _ => {}
        }
    }
}
