//! `profile` and `user`: the preset that a link stands on, and which of its ends downloads.

use super::ends::End;
use super::link::position_of_end;
use crate::diag::{Diagnostics, Sources, suggestion};
use crate::language::presets::{PresetTree, Presets};
use crate::language::spanned::Spanned;
use crate::profile;

/// The preset that is named, if one is. `links`: the ends of all links that it is for; none where they could not be read.
pub(crate) fn find(
    name: Option<&Spanned<String>>,
    user: Option<&Spanned<String>>,
    links: &[&[End; 2]],
    (presets, sources): (&mut Presets, &mut Sources),
    diagnostics: &mut Diagnostics,
) -> Option<PresetTree> {
    let Some(name) = name else {
        if let Some(user) = user {
            diagnostics
                .error(user.span, "`user` goes with `profile`: it says which end downloads")
                .help("name a profile, or take `user` away");
        }
        return None;
    };
    let Some(preset) = presets.get(name, sources) else {
        diagnostics
            .error(name.span, format!("unknown profile `{}`", name.value))
            .help(suggestion(name, profile::names()));
        return None;
    };
    match user {
        None if preset.is_asymmetric() => {
            let example = links.first().map_or("END", |ends| ends[0].name.as_str());
            diagnostics
                .error(name.span, format!("the profile `{}` is faster one way than the other", name.value))
                .help(format!("say which end downloads, as in `user: {example}`"));
        }
        None => {}
        Some(user) => {
            if let Some(ends) = links.iter().find(|ends| position_of_end(ends, user).is_none()) {
                diagnostics
                    .error(user.span, format!("`{}` is not an end of this link", user.value))
                    .help(suggestion(user, [ends[0].name.as_str(), ends[1].name.as_str()]));
            }
            if !preset.is_asymmetric() {
                let message = format!("`user` changes nothing: the profile `{}` is the same both ways", name.value);
                diagnostics.warning(user.span, message);
            }
        }
    }
    Some(preset)
}
