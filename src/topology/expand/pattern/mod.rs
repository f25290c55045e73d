//! Link patterns: an entry of `links` that has a pattern in place of `ends` makes many links, and the nodes between them.

mod drawing;
mod dumbbell;
mod fat_tree;
mod full;
mod members;
mod mesh;
mod ring;
mod star;
mod tree;

use super::{Entry, Expansion, Node, spoiled};
use crate::diag::Diagnostic;
use crate::language::tree::{Kind, Value};
use drawing::Drawing;

pub(crate) use dumbbell::DumbbellSpec;
pub(crate) use fat_tree::FatTreeSpec;
pub(crate) use full::FullSpec;
pub(crate) use mesh::MeshSpec;
pub(crate) use ring::RingSpec;
pub(crate) use star::StarSpec;
pub(crate) use tree::TreeSpec;

/// What may stand in place of a link's `ends`.
pub(crate) const PATTERNS: [&str; 7] = ["star", "ring", "full", "mesh", "tree", "fat_tree", "dumbbell"];

/// Spells out the patterns among links; what nodes they make stands behind the others.
pub(super) fn expand(entries: Vec<Entry>, nodes: &mut Vec<Entry>, to: &mut Expansion<'_>) -> Vec<Entry> {
    let mut all = Vec::with_capacity(entries.len());
    for entry in entries {
        let said: Vec<&Entry> = entry.value.entries().unwrap_or_default().iter().filter(|e| shapes(&e.key)).collect();
        let Some(pattern) = said.iter().find(|said| said.key != "ends").map(|said| said.key.clone()) else {
            all.push(entry);
            continue;
        };
        if let [first, second, ..] = said[..] {
            to.told.push(
                Diagnostic::error(
                    second.key_span,
                    format!("`{}` has both `{}` and `{}`", entry.key, first.key, second.key),
                )
                .related(first.key_span, "the other")
                .help("make two entries of it"),
            );
            all.push(spoiled(entry));
            continue;
        }
        match draw(&entry, &pattern, to) {
            Some(made) => {
                nodes.extend(made.0);
                all.extend(made.1);
            }
            None => all.push(spoiled(entry)),
        }
    }
    all
}

fn shapes(key: &str) -> bool {
    key == "ends" || PATTERNS.contains(&key)
}

/// The nodes and links of a pattern; `None` after a mistake.
fn draw(entry: &Entry, pattern: &str, to: &mut Expansion<'_>) -> Option<(Vec<Entry>, Vec<Entry>)> {
    let mut fields = entry.value.clone();
    let spec = spelled_out(fields.remove(pattern)?.value, pattern);
    if spec.pruned || fields.pruned {
        return None;
    }
    let mut drawing = Drawing::new(entry, fields, spec, to);
    match pattern {
        "star" => star::draw(&mut drawing),
        "ring" => ring::draw(&mut drawing),
        "full" => full::draw(&mut drawing),
        "mesh" => mesh::draw(&mut drawing),
        "tree" => tree::draw(&mut drawing),
        "fat_tree" => fat_tree::draw(&mut drawing),
        _ => dumbbell::draw(&mut drawing),
    }?;
    drawing.finish()
}

/// The short forms: `ring: 6`, `full: [a, b, c]`, `star: clients`, `fat_tree: 4`.
fn spelled_out(spec: Node, pattern: &str) -> Node {
    let key = match (&spec.value, pattern) {
        (Value::Scalar(_), "fat_tree") => "k",
        (Value::Scalar(scalar), "star" | "ring" | "full") => match scalar.kind {
            Kind::Int(_) => "count",
            _ => "of",
        },
        (Value::Seq(_), "star" | "ring" | "full") => "of",
        _ => return spec,
    };
    let mut map = Node::empty_map(spec.span, spec.origin.clone());
    map.set(Entry { key: key.to_owned(), key_span: spec.span, value: spec });
    map
}
