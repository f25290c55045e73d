//! Link presets as trees.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::parse::parse;
use super::tree::{Node, Origin};
use crate::diag::{Diagnostics, Sources};
use crate::profile;

/// A preset's name, for the schema.
pub(crate) struct PresetName;

impl JsonSchema for PresetName {
    fn schema_name() -> Cow<'static, str> {
        "Profile".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let presets: Vec<Value> =
            profile::all().map(|preset| json!({ "const": preset.name, "description": preset.title })).collect();
        json_schema!({ "oneOf": presets })
    }
}

/// A preset's values, each with the preset as its origin.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PresetTree {
    /// Of both directions.
    pub link: Node,
    /// Toward the end that downloads.
    pub down: Option<Node>,
    /// From it.
    pub up: Option<Node>,
}

impl PresetTree {
    /// Whether its directions differ, so that it must be said which end downloads.
    pub(crate) fn is_asymmetric(&self) -> bool {
        self.down.is_some() || self.up.is_some()
    }
}

/// Reads presets when they are asked for, each once.
#[derive(Default)]
pub(crate) struct Presets {
    read: Vec<(&'static str, Node)>,
}

impl Presets {
    /// The preset of a name. Its text is added to `sources`, so that its spans point somewhere.
    pub(crate) fn get(&mut self, name: &str, sources: &mut Sources) -> Option<PresetTree> {
        let preset = self.node(name, sources)?;
        let origin = Origin::Profile(name.to_owned());
        let part = |key: &str| {
            preset.get(key).cloned().map(|mut node| {
                node.set_origin(&origin);
                node
            })
        };
        let link = part("link").unwrap_or_else(|| Node::empty_map(preset.span, origin.clone()));
        Some(PresetTree { link, down: part("down"), up: part("up") })
    }

    fn node(&mut self, name: &str, sources: &mut Sources) -> Option<&Node> {
        let at = match self.read.iter().position(|(read, _)| *read == name) {
            Some(at) => at,
            None => {
                let preset = profile::get(name)?;
                let source = sources.add(&format!("the profile {name}"), preset.text);
                let tree = parse(sources, source, &Origin::Profile(String::new()), &mut Diagnostics::default());
                let node = tree.and_then(|tree| tree.get(name).cloned());
                self.read.push((preset.name, node.expect("the presets are valid YAML, which a test holds")));
                self.read.len() - 1
            }
        };
        self.read.get(at).map(|(_, node)| node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DelaySpec, RateSpec};
    use crate::topology::link::Layers;
    use crate::units::Duration;

    #[test]
    fn every_preset_reads_clean_and_does_something() {
        let (mut sources, mut presets) = (Sources::default(), Presets::default());
        for name in profile::names() {
            let preset = presets.get(name, &mut sources).unwrap();
            assert_eq!(preset.down.is_some(), preset.up.is_some(), "{name}: one side alone");
            let user = preset.is_asymmetric().then_some(0);
            let link = Node::empty_map(preset.link.span, Origin::File);
            let mut diagnostics = Diagnostics::default();
            let layers = Layers { link: &link, ends: None, preset: Some((&preset, user)) };
            let directions = layers.directions(&mut diagnostics);
            assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
            for direction in directions {
                let sets = |field: &str| direction.tree.get(field).is_some();
                assert_eq!(direction.spec.rate != RateSpec::Unlimited, sets("rate"), "{name}");
                assert_eq!(direction.spec.delay != DelaySpec::constant(Duration::ZERO), sets("delay"), "{name}");
                assert_eq!(!direction.spec.loss.is_none(), sets("loss"), "{name}");
                assert!(sets("rate") && sets("delay") || name == "apple-100-loss", "{name}");
            }
        }
    }

    #[test]
    fn the_plain_text_is_cut_where_yaml_cuts_it() {
        let (mut sources, mut presets) = (Sources::default(), Presets::default());
        for preset in profile::all() {
            let tree = presets.get(preset.name, &mut sources).unwrap();
            let keys = |node: &Node| node.entries().unwrap().iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
            let lines = preset.link().map(|line| line.split(':').next().unwrap().to_owned()).collect::<Vec<_>>();
            assert_eq!(keys(&tree.link), lines, "{}", preset.name);
            assert_eq!(tree.down.is_some(), preset.down().is_some(), "{}", preset.name);
            let told = presets.node(preset.name, &mut sources).and_then(|node| node.get("source")).unwrap();
            for (entry, (field, source)) in told.entries().unwrap().iter().zip(preset.sources()) {
                assert_eq!((entry.key.as_str(), entry.value.as_text()), (field, Some(source.as_str())));
            }
        }
    }

    #[test]
    fn an_unknown_name_is_none() {
        assert!(Presets::default().get("carrier-pigeon", &mut Sources::default()).is_none());
    }
}
