//! `longwire completions SHELL`.

use clap_complete::Shell;

use super::{Exit, paint};
use crate::diag::printable::Printable;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

pub(super) fn main(args: &Args, mut command: clap::Command) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "longwire", &mut script);
    paint::print(&Printable::lines(&String::from_utf8_lossy(&script)));
    Exit::Pass
}
