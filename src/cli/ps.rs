//! `longwire ps`.

use super::{Exit, paint};
use crate::diag::printable::Printable;
use crate::host::user_name;
use crate::report::status::{FORM, List, Listed, list};
use crate::run::control;

/// List the networks that are up
///
/// Those of this user, and as root those of root. In a host, the network that it is part of.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Exit {
    let runs = match control::runs() {
        Ok(runs) => runs,
        Err(error) => {
            paint::complain(&error.to_string());
            return Exit::Machine;
        }
    };
    let listed = runs.into_iter().map(|run| {
        let (name, user) = (run.name.clone(), user_name(run.server.uid));
        run.info().map_or_else(|error| Listed::Silent { name, user, error: error.to_string() }, Listed::Run)
    });
    let runs: Vec<Listed> = listed.collect();
    if args.json {
        let json = serde_json::to_string_pretty(&List { longwire: FORM, runs }).expect("a list is plain data");
        paint::print(&Printable::json(&format!("{json}\n")));
    } else if runs.is_empty() {
        paint::note("no run of yours is up\n");
    } else {
        paint::print(&list(&runs));
    }
    Exit::Pass
}
