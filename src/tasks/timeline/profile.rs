//! `set: { wifi: { profile: lte, user: phone } }`: a preset in place of what a link does.

use crate::diag::{Diagnostic, Diagnostics, Sources, suggestion};
use crate::engine::LinkId;
use crate::language::presets::{PresetTree, Presets};
use crate::language::tree::Node;
use crate::profile;
use crate::tasks::set::LiveLinks;

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
    (presets, sources): (&mut Presets, &mut Sources),
    told: &mut Diagnostics,
) -> Result<Option<Profile>, ()> {
    let user = fields.get("user").filter(|user| !user.pruned);
    let Some(name) = fields.get("profile").filter(|name| !name.pruned) else {
        if let Some(user) = user {
            let error = Diagnostic::error(user.span, "`user` goes with `profile`: it says which end downloads");
            told.push(error.help("name a profile, or take `user` away"));
            return Err(());
        }
        return Ok(None);
    };
    let Some(preset) = name.as_text().and_then(|name| presets.get(name, sources)) else {
        let text = name.as_text().unwrap_or_default();
        let error = Diagnostic::error(name.span, format!("unknown profile {}", name.describe()));
        told.push(error.help(suggestion(text, profile::names())));
        return Err(());
    };
    let asymmetric = preset.is_asymmetric();
    let ends = links.first().map(|link| standing.ends_of(*link)).unwrap_or_default();
    match user {
        None if asymmetric => {
            let message = format!("the profile {} is faster one way than the other", name.describe());
            let example = ends.first().map_or("END", |end| end.split('.').next().unwrap_or(end));
            let help = format!("say which end downloads, as in `user: {example}`");
            told.push(Diagnostic::error(name.span, message).help(help));
            return Err(());
        }
        Some(user) if !asymmetric => {
            let message = format!("`user` changes nothing: the profile {} is the same both ways", name.describe());
            told.push(Diagnostic::warning(user.span, message));
        }
        Some(user) => {
            let text = user.as_text().unwrap_or_default();
            let is_end = |end: &String| end == text || end.split('.').next() == Some(text);
            if let Some(link) = links.iter().find(|link| !standing.ends_of(**link).iter().any(is_end)) {
                let ends = standing.ends_of(*link);
                let nodes: Vec<&str> = ends.iter().map(|end| end.split('.').next().unwrap_or(end)).collect();
                let error = Diagnostic::error(user.span, format!("{} is not an end of this link", user.describe()));
                told.push(error.help(suggestion(text, nodes)));
                return Err(());
            }
        }
        None => {}
    }
    Ok(Some(Profile { preset, user: user.and_then(Node::as_text).map(str::to_owned) }))
}
