//! `longwire check FILE…`.

use std::path::PathBuf;

use super::input::{self, OverrideArgs};
use super::{Exit, paint};
use crate::run::Disk;
use crate::scenario::listing;
use crate::suite;

/// Check scenarios without running anything
///
/// Prints each scenario's resolved plan with the origin of every value (file and line, profile, default), or all that is
/// wrong with it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scenarios
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Print nothing but errors and warnings
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn main(args: &Args) -> Exit {
    let overrides = args.overrides.overrides();
    let mut exit = Exit::Pass;
    for file in &args.files {
        match input::read(file, &Disk, &overrides) {
            Ok(resolved) => match suite::check_combinations(file, &Disk, &overrides, &resolved.scenario.matrix) {
                Ok(()) if args.quiet => {}
                Ok(()) => paint::print(&listing(&resolved)),
                Err(wrong) => {
                    wrong.iter().for_each(|(told, sources)| paint::diagnose(told, sources));
                    exit = Exit::Input;
                }
            },
            Err(wrong) => exit = wrong,
        }
    }
    exit
}
