//! `longwire man DIR`, for packages: not in the help.

use std::path::PathBuf;

use super::{Exit, output};

/// Write the manual pages, one for each subcommand
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to; it must exist
    dir: PathBuf,
}

pub(super) fn main(args: &Args, command: clap::Command) -> Exit {
    match clap_mangen::generate_to(command, &args.dir) {
        Ok(()) => Exit::Pass,
        Err(error) => output::refuse("DIR", &args.dir, &error),
    }
}
