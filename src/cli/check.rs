//! `longwire check FILE…`.

use std::path::PathBuf;

use super::input::{self, OverrideArgs, Source};
use super::{Exit, paint};
use crate::diag::printable::Printable;
use crate::scenario::listing;
use crate::suite;

/// Check scenarios without running anything
///
/// Prints each scenario's resolved plan with the origin of every value (file and line, profile, default), or all that is
/// wrong with it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scenarios; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Print nothing but errors and warnings
    #[arg(long, short)]
    quiet: bool,
}

pub(super) fn main(args: &Args) -> Exit {
    let overrides = match args.overrides.overrides() {
        Ok(overrides) => overrides,
        Err(exit) => return exit,
    };
    let mut exit = Exit::Pass;
    for file in &args.files {
        let source = match Source::open(file) {
            Ok(source) => source,
            Err(wrong) => {
                exit = wrong;
                continue;
            }
        };
        let (file, files) = (source.path(), source.files());
        match input::read(file, &files, &overrides) {
            Ok(resolved) => match suite::check_combinations(file, &files, &overrides, &resolved.scenario.matrix) {
                Ok(()) if args.quiet => {}
                Ok(()) => paint::print(&Printable::lines(&listing(&resolved))),
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
