//! `set: { wifi: { profile: lte, user: phone } }`: a preset in place of what a link does.

use crate::diag::{Diagnostics, Sources};
use crate::engine::LinkId;
use crate::language::presets::{PresetTree, Presets};
use crate::language::read::read;
use crate::language::spanned::Spanned;
use crate::language::tree::Node;
use crate::tasks::set::LiveLinks;
use crate::topology::ends::End;
use crate::topology::preset;

/// A preset that a link is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    pub(crate) preset: PresetTree,
    /// The end that downloads.
    pub(crate) user: Option<String>,
}

/// The preset that the fields of a change name, if they name one. `Err` where it was told that something is wrong with it.
pub(super) fn find(
    fields: &Node,
    links: &[LinkId],
    standing: &LiveLinks,
    known: (&mut Presets, &mut Sources),
    diagnostics: &mut Diagnostics,
) -> Result<Option<Profile>, ()> {
    let mut own = Diagnostics::default();
    let mut read_text =
        |key: &str| fields.get(key).and_then(|node| read::<Spanned<String>>(&mut node.clone(), &mut own));
    let (name, user) = (read_text("profile"), read_text("user"));
    let ends: Vec<[End; 2]> = links
        .iter()
        .filter_map(|link| standing.ends_of(*link).map(|ends| ends.each_ref().map(|end| End::of(end))))
        .collect();
    let ends: Vec<&[End; 2]> = ends.iter().collect();
    let preset = preset::find(name.as_ref(), user.as_ref(), &ends, known, &mut own);
    let wrong = own.has_errors();
    diagnostics.append(own);
    match wrong {
        true => Err(()),
        false => Ok(preset.map(|preset| Profile { preset, user: user.map(|user| user.value) })),
    }
}
