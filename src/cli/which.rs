//! Which run a command is about.

use super::paint;
use crate::run::control::{self, ControlError, Found};

/// The run that `name` means. Without one the run that this program is part of, or the only one that is up.
pub(super) fn find(name: Option<&str>) -> Result<Found, ControlError> {
    // Set in programs of a run, as in a shell of `exec`.
    let part_of = std::env::var("LONGWIRE_RUN").ok().filter(|run| !run.is_empty());
    control::find(name.or(part_of.as_deref()))
}

/// The same, for what does not tell its run otherwise: where none was named, it is said on standard error.
pub(super) fn find_and_say(name: Option<&str>) -> Result<Found, ControlError> {
    let found = find(name)?;
    if name.is_none() {
        paint::note(&format!("run {}\n", found.name));
    }
    Ok(found)
}
