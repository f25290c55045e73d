//! Link presets as trees.

use super::parse::parse;
use super::tree::{Node, Origin};
use crate::diag::{Diagnostics, SourceId, Sources};
use crate::profile;

/// A preset's values, each with the preset as its origin.
#[derive(Clone, Debug)]
pub(super) struct PresetTree {
    /// Of both directions.
    pub link: Node,
    /// Toward the end that downloads.
    pub down: Option<Node>,
    /// From it.
    pub up: Option<Node>,
}

impl PresetTree {
    /// Whether its directions differ, so that it must be said which end downloads.
    pub(super) fn is_asymmetric(&self) -> bool {
        self.down.is_some() || self.up.is_some()
    }
}

/// Reads presets when the first is asked for.
#[derive(Default)]
pub(super) struct Presets {
    all: Option<(SourceId, Node)>,
}

impl Presets {
    /// The preset of a name. Its text is added to `sources`, so that its spans point somewhere.
    pub(super) fn get(&mut self, name: &str, sources: &mut Sources) -> Option<PresetTree> {
        let (_, all) = self.all.get_or_insert_with(|| {
            let source = sources.add("presets of longwire", profile::TEXT);
            let origin = Origin::Profile(String::new());
            let tree = parse(sources, source, &origin, &mut Diagnostics::default());
            (source, tree.expect("the presets are valid YAML, which a test holds"))
        });
        let preset = all.get(name)?;
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DelaySpec, LossSpec, RateSpec};
    use crate::scenario::link::Layers;
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
                assert_ne!(direction.spec.rate, RateSpec::Unlimited, "{name}");
                assert_ne!(direction.spec.delay, DelaySpec::constant(Duration::ZERO), "{name}");
                assert_eq!(
                    direction.spec.loss == LossSpec::default(),
                    !profile::get(name).unwrap().text.contains("loss:")
                );
            }
        }
    }

    #[test]
    fn an_unknown_name_is_none() {
        assert!(Presets::default().get("carrier-pigeon", &mut Sources::default()).is_none());
    }
}
