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
        let width = profile::names().iter().map(|name| name.len()).max().unwrap_or(0);
        let lines = profile::all().map(|preset| format!("{:width$}  {}\n", preset.name, preset.title));
        paint::print(&(lines.collect::<String>() + "\n`longwire profiles NAME` prints one as YAML to start from.\n"));
        return Exit::Pass;
    };
    match profile::get(name) {
        Some(preset) => {
            paint::print(&format!("{}\n", preset.text));
            Exit::Pass
        }
        None => {
            paint::complain(&format!("no profile `{name}`: {}", diag::suggestion(name, profile::names())));
            Exit::Input
        }
    }
}
