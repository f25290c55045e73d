//! `longwire profiles [NAME]`.

use super::{Exit, paint};
use crate::diag;
use crate::profile;

/// List the link profiles, or print one as YAML to start from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A profile
    name: Option<String>,
}

pub(super) fn main(args: &Args) -> Exit {
    let Some(name) = &args.name else {
        paint::print(&profile::list());
        return Exit::Pass;
    };
    match profile::text(name) {
        Some(text) => {
            paint::print(&text);
            Exit::Pass
        }
        None => {
            paint::complain(&format!("no profile `{name}`: {}", diag::suggestion(name, profile::names())));
            Exit::Input
        }
    }
}
