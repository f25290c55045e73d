//! What runs inside a guest, in virtual time: `longwire run`, for the launcher outside.

use std::time::Duration;

use clap::Parser as _;

use super::{Cli, Command, Exit, paint, run};
use crate::host::{Identity, Program, join_and_run};
use crate::language::files::MemoryFiles;
use crate::run::Inside;
use crate::run::control::{self, Door, Entrance};
use crate::sim::{Job, Shell, User};

/// Runs a job, and returns the exit code of the run.
pub(super) fn run(job: &Job) -> i32 {
    if job.colour {
        anstream::ColorChoice::Always.write_global();
    }
    let words = ["longwire", "run"].into_iter().chain(job.arguments.iter().map(String::as_str));
    let args = match Cli::try_parse_from(words) {
        Ok(Cli { command: Some(Command::Run(args)) }) => args,
        Ok(_) => return Exit::Machine as i32,
        Err(error) => {
            let _ = error.print();
            return Exit::Machine as i32;
        }
    };
    let inside = Inside { user: identity(job), environment: job.environment.clone(), out: job.out.clone() };
    run::inside_guest(&args.run, &MemoryFiles(job.files.clone()), inside) as i32
}

fn identity(job: &Job) -> Identity {
    let User { uid, gid, groups } = job.user.clone();
    Identity { uid, gid, groups, nested: false }
}

/// A shell in a host, on this process's standard streams, as soon as the run is up. The guest ends with the run, and with it this.
pub(super) fn shell(job: &Job, wanted: &Shell) -> i32 {
    let (namespaces, environment) = loop {
        match control::find(None).and_then(|run| run.enter(&wanted.host)) {
            Ok(Entrance { door: Door::Host(namespaces), environment, .. }) => break (namespaces, environment),
            // no other kind is there in a guest
            Ok(_) => return Exit::Machine as i32,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let added = environment.into_iter().filter(|(name, _)| name.starts_with("LONGWIRE_"));
    let mut env: Vec<(String, String)> = job.environment.iter().cloned().chain(added).collect();
    env.push(("PS1".into(), format!("{} $ ", wanted.host)));
    // an interactive shell without job control: this terminal has none
    let options = if wanted.prompts { &["-i", "+m"][..] } else { &[] };
    let argv = ["/bin/sh"].iter().chain(options).map(|word| (*word).to_owned()).collect();
    let cwd = Some(job.directory.display().to_string());
    match join_and_run(&namespaces, &Program { argv, env, cwd, root: false }, &identity(job)) {
        Ok(code) => code,
        Err(error) => {
            paint::complain(&error.to_string());
            Exit::Machine as i32
        }
    }
}
