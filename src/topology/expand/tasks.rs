//! Groups of services and workloads: a host's place that names a group makes one of them for each member.

use super::{Expansion, GroupKind, renamed, split, spoiled, with_text};
use crate::diag::Span;
use crate::language::read::read;
use crate::language::tree::{Entry, Node, Origin, Value};
use crate::units::Duration;

/// Where a service or workload names a host.
const PLACES: [&[&str]; 7] =
    [&["in"], &["ping", "from"], &["ping", "to"], &["udp", "from"], &["udp", "to"], &["tcp", "from"], &["tcp", "to"]];

/// The most pairs of one that waits (`after`) and one that it waits for.
const MOST_WAITS: usize = 1_000_000;

/// Spells out the groups among services or workloads.
pub(super) fn expand(entries: Vec<Entry>, kind: GroupKind, to: &mut Expansion<'_>) -> Vec<Entry> {
    let mut all = Vec::with_capacity(entries.len());
    for mut entry in entries {
        let stagger = if kind == GroupKind::Workloads { entry.value.remove("stagger") } else { None };
        let named = named(&entry.value, to);
        match (named.is_empty(), stagger) {
            (true, None) => all.push(entry),
            (true, Some(stagger)) => {
                if !entry.value.pruned && !stagger.value.pruned {
                    let message = format!("`stagger` is for groups, and `{}` is one workload", entry.key);
                    to.tell(stagger.key_span, message, "name a group where it runs, or take `stagger` away");
                }
                all.push(entry);
            }
            (false, stagger) => match members(&entry, &named, stagger, kind, to) {
                Some(members) => all.extend(members),
                None => all.push(spoiled(entry)),
            },
        }
    }
    if kind == GroupKind::Workloads {
        wait_for_members(&mut all, to);
    }
    all
}

/// A place of a host that names a group.
struct Named {
    path: &'static [&'static str],
    group: String,
    count: usize,
    span: Span,
}

fn named(task: &Node, to: &Expansion<'_>) -> Vec<Named> {
    let at = |path: &'static [&'static str]| {
        let node = path.iter().try_fold(task, |node, key| node.get(key))?;
        let (group, _) = split(node.as_text()?);
        let count = to.groups.members(GroupKind::Nodes, group)?.len();
        Some(Named { path, group: group.to_owned(), count, span: node.span })
    };
    PLACES.into_iter().filter_map(at).collect()
}

fn members(
    entry: &Entry,
    named: &[Named],
    stagger: Option<Entry>,
    kind: GroupKind,
    to: &mut Expansion<'_>,
) -> Option<Vec<Entry>> {
    let (first, others) = named.split_first()?;
    for other in others {
        if other.group == first.group {
            let message = format!("from each member of `{}` to itself: nothing of it would cross a link", first.group);
            to.tell(other.span, message, "name one host, or another group");
            return None;
        }
        if other.count != first.count {
            let message =
                format!("`{}` has {} members, `{}` has {}", first.group, first.count, other.group, other.count);
            to.tell(other.span, message, "groups of one size are paired by number; otherwise one of the two is a host");
            return None;
        }
    }
    let starts = match stagger {
        Some(stagger) => Some(starts(entry, &stagger, to)?),
        None => None,
    };
    if !to.room(kind, first.count as u128 - 1, entry.key_span) {
        return None;
    }
    let names: Vec<String> = (1..=first.count).map(|k| format!("{}-{k}", entry.key)).collect();
    if !to.claim(&entry.key, entry.key_span, names.iter().map(String::as_str)) {
        return None;
    }
    let mut made = Vec::with_capacity(names.len());
    for (at, name) in names.iter().enumerate() {
        let mut value = entry.value.clone();
        for place in named {
            if let Some(members) = to.groups.members(GroupKind::Nodes, &place.group) {
                put(&mut value, place.path, &members[at]);
            }
        }
        if let Some((start, step, place)) = &starts {
            let text = (*start + *step * at as u64).to_string();
            value.set(Entry { key: "at".into(), key_span: place.span, value: with_text(place, text) });
        }
        made.push(Entry { key: name.clone(), key_span: entry.key_span, value });
    }
    to.groups.add(&entry.key, kind, names);
    Some(made)
}

/// When the first member starts, how much later each next one does, and the place that says so.
fn starts(entry: &Entry, stagger: &Entry, to: &mut Expansion<'_>) -> Option<(Duration, Duration, Node)> {
    if entry.value.get("after").is_some() {
        let message = "`stagger` counts from `at`, not from the end of another workload";
        to.tell(stagger.key_span, message, "start the group `at` a time, or all of its members at once");
        return None;
    }
    let step = read::<Duration>(&mut stagger.value.clone(), to.diagnostics)?;
    let start = match entry.value.get("at") {
        Some(at) => read::<Duration>(&mut at.clone(), to.diagnostics)?,
        None => Duration::ZERO,
    };
    let place = entry.value.get("at").unwrap_or(&stagger.value);
    Some((start, step, place.clone()))
}

/// Puts a member's name at a place of a host.
fn put(task: &mut Node, path: &[&str], member: &str) {
    let Some((last, rest)) = path.split_last() else { return };
    let mut node = task;
    for key in rest {
        let Value::Map(entries) = &mut node.value else { return };
        let Some(entry) = entries.iter_mut().find(|entry| entry.key == *key) else { return };
        node = &mut entry.value;
    }
    let Some(entry) = node.entry(last) else { return };
    let Some(text) = entry.value.as_text() else { return };
    let value = with_text(&entry.value, renamed(text, member));
    let entry = Entry { value, ..entry.clone() };
    node.set(entry);
}

/// `after: GROUP` is after all of its members.
fn wait_for_members(all: &mut [Entry], to: &mut Expansion<'_>) {
    let mut waits = 0usize;
    for entry in all {
        let Some(after) = entry.value.entry("after") else { continue };
        let list = match &after.value.value {
            Value::Seq(list) => list.clone(),
            _ => vec![after.value.clone()],
        };
        let members = |node: &Node| to.groups.members(GroupKind::Workloads, node.as_text()?).map(<[String]>::len);
        let more: usize = list.iter().filter_map(members).sum();
        if more == 0 {
            continue;
        }
        waits += more;
        let mut after = after.clone();
        if waits > MOST_WAITS {
            let message = "too many workloads of one group wait for too many of another";
            let help = format!("at most {MOST_WAITS} pairs: start the later group `at` a time");
            to.tell(after.key_span, message, help);
            after.value.pruned = true;
            entry.value.set(after);
            continue;
        }
        let mut names = Vec::with_capacity(list.len() + more);
        for node in list {
            match node.as_text().and_then(|name| to.groups.members(GroupKind::Workloads, name)) {
                Some(members) => names.extend(members.iter().map(|name| with_text(&node, name.clone()))),
                None => names.push(node),
            }
        }
        after.value = Node::new(Value::Seq(names), after.value.span, Origin::File);
        entry.value.set(after);
    }
}
