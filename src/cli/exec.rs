//! `longwire exec [RUN/]HOST -- CMD`.

use super::{Exit, paint, which};
use crate::host::{Cause, Identity, Interior, Program, SpawnError, join_and_run, join_container_and_run};
use crate::run::control::{Door, Entrance};

/// Run a program in a host of a network that is up
///
/// The program gets this terminal, the caller's user and the current directory, and ends with the run at the latest. Its exit
/// code is this command's. In a container it gets the container's own user, environment and directory, and ends with the container.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The host; RUN/HOST where several networks are up
    #[arg(value_name = "[RUN/]HOST")]
    host: String,
    /// Run it as the run's root, or the container's, instead of as the caller
    #[arg(long)]
    root: bool,
    /// The program and its arguments; a shell where there is none
    #[arg(last = true)]
    command: Vec<String>,
}

pub(super) fn main(args: &Args) -> i32 {
    let (run, host) = match args.host.rsplit_once('/') {
        Some((run, host)) => (Some(run), host),
        None => (None, args.host.as_str()),
    };
    match which::find_and_say(run).and_then(|run| run.enter(host)) {
        Ok(entrance) => enter(entrance, &args.command, args.root),
        Err(error) => {
            paint::complain(&error.to_string());
            Exit::Input as i32
        }
    }
}

/// Runs a program in a host on this terminal; a shell where there is none. Its exit code, or why there is none.
pub(super) fn enter(Entrance { door, environment, nested }: Entrance, command: &[String], root: bool) -> i32 {
    // This terminal's own environment, and what the run adds.
    let own =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let added: Vec<_> = environment.into_iter().filter(|(name, _)| name.starts_with("LONGWIRE_")).collect();
    let mut own = own.filter(|(name, _)| !name.starts_with("LONGWIRE_"));
    let (env, cwd): (Vec<(String, String)>, _) = match &door {
        Door::Host(_) => {
            (own.chain(added).collect(), std::env::current_dir().ok().map(|path| path.display().to_string()))
        }
        Door::Container(Interior { facts, .. }) => {
            // the run's directory is not in there
            let added = added.into_iter().filter(|(name, _)| name != "LONGWIRE_DIR");
            let env = own.find(|(name, _)| name == "TERM").into_iter().chain(added).collect();
            let Program { env, cwd, .. } = facts.complete(&Program { argv: Vec::new(), env, cwd: None, root });
            (env, cwd)
        }
    };
    let shell =
        || env.iter().find(|(name, _)| name == "SHELL").map_or_else(|| "/bin/sh".into(), |(_, value)| value.clone());
    let argv = if command.is_empty() { vec![shell()] } else { command.to_vec() };
    let program = Program { argv, env, cwd, root };
    let ended = match &door {
        // Who the program runs as is this process's own matter, whatever the run says.
        Door::Host(namespaces) => Identity::caller(nested)
            .map_err(SpawnError::from)
            .and_then(|identity| join_and_run(namespaces, &program, &identity)),
        Door::Container(interior) => join_container_and_run(interior, &program),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            paint::complain(&error.to_string());
            match error {
                // as shells have it: found but not executable, not found
                SpawnError::Program { errno: nix::libc::ENOENT, .. } => 127,
                SpawnError::Program { .. } => 126,
                SpawnError::Hosts(error) if error.cause == Cause::Input => Exit::Input as i32,
                SpawnError::Hosts(_) | SpawnError::Prepare { .. } => Exit::Machine as i32,
                _ => Exit::Input as i32,
            }
        }
    }
}
