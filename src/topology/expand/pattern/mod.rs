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

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::{Entry, Expansion, Node, spoiled};
use crate::language::keys::keys_of;
use crate::language::spanned::Names;
use crate::language::tree::{Kind, Value};
use drawing::Drawing;

use dumbbell::DumbbellSpec;
use fat_tree::FatTreeSpec;
use full::FullSpec;
use mesh::MeshSpec;
use ring::RingSpec;
use star::StarSpec;
use tree::TreeSpec;

/// What may stand in place of a link's `ends`.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "its keys and its shape are all that is used")]
pub(crate) struct Patterns {
    /// In place of `ends`: each leaf is joined with the centre.
    #[schemars(with = "Option<Short<StarSpec>>")]
    star: Option<IgnoredAny>,
    /// In place of `ends`: each node is joined with the next, the last with the first.
    #[schemars(with = "Option<Short<RingSpec>>")]
    ring: Option<IgnoredAny>,
    /// In place of `ends`: each node is joined with each other.
    #[schemars(with = "Option<Short<FullSpec>>")]
    full: Option<IgnoredAny>,
    /// In place of `ends`: a grid, each node joined with its neighbours.
    #[schemars(with = "Option<MeshSpec>")]
    mesh: Option<IgnoredAny>,
    /// In place of `ends`: nodes in levels, hosts as leaves.
    #[schemars(with = "Option<TreeSpec>")]
    tree: Option<IgnoredAny>,
    /// In place of `ends`: a fat tree, or its k.
    #[schemars(with = "Option<Number<FatTreeSpec>>")]
    fat_tree: Option<IgnoredAny>,
    /// In place of `ends`: hosts left and right, and one link that they share.
    #[schemars(with = "Option<DumbbellSpec>")]
    dumbbell: Option<IgnoredAny>,
}

/// A spec, or for short its one number.
struct Number<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Number<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Number{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, generator.subschema_for::<T>()] })
    }
}

/// A spec, or for short how many nodes there are, or which.
struct Short<T>(PhantomData<T>);

impl<T: JsonSchema> JsonSchema for Short<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Short{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let members = generator.subschema_for::<Names>();
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, members, generator.subschema_for::<T>()] })
    }
}

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
            to.diagnostics
                .error(second.key_span, format!("`{}` has both `{}` and `{}`", entry.key, first.key, second.key))
                .related(first.key_span, "the other")
                .help("make two entries of it");
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
    key == "ends" || keys_of::<Patterns>().contains(&key)
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
