//! `longwire profiles [NAME]`.

use super::{Exit, paint};
use crate::diag::{self, printable::Printable};
use crate::profile;

/// List the link profiles, or print one as a scenario to start from, with the source of each number
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A profile
    name: Option<String>,
}

pub(super) fn main(args: &Args) -> Exit {
    let Some(name) = &args.name else {
        let list = profile::list() + "\n`longwire profiles NAME` prints one as a scenario to start from.\n";
        paint::print(&Printable::lines(&list));
        return Exit::Pass;
    };
    match profile::get(name) {
        Some(preset) => {
            paint::print(&Printable::lines(&preset.scenario()));
            Exit::Pass
        }
        None => {
            let help = match diag::nearest(name, profile::names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`longwire profiles` lists them".into(),
            };
            paint::complain(&format!("no profile `{name}`: {help}"));
            Exit::Input
        }
    }
}
