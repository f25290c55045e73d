//! What runs inside a guest, in virtual time: `longwire run`, for the launcher outside.

use clap::Parser as _;

use super::{Cli, Command, Exit, run};
use crate::host::Identity;
use crate::run::Inside;
use crate::scenario::MemoryFiles;
use crate::sim::{Job, User};

/// Runs a job, and returns the exit code of the run.
pub(super) fn run(job: &Job) -> i32 {
    if job.colour {
        anstream::ColorChoice::Always.write_global();
    }
    let words = ["longwire", "run"].into_iter().chain(job.arguments.iter().map(String::as_str));
    let args = match Cli::try_parse_from(words) {
        Ok(Cli { command: Command::Run(args) }) => args,
        Ok(_) => return Exit::Machine as i32,
        Err(error) => {
            let _ = error.print();
            return Exit::Machine as i32;
        }
    };
    let User { uid, gid, groups } = job.user.clone();
    let inside = Inside { user: Identity { uid, gid, groups, nested: false }, environment: job.environment.clone() };
    run::inside_guest(&args, &MemoryFiles(job.files.clone()), inside) as i32
}
