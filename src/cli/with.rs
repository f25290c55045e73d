//! `longwire with PROFILE -- CMD`: a program behind an impaired link, in one line. No scenario file.
//!
//! The run is a child of this process, in a process group of its own, so that keys of the terminal reach the program alone. This
//! process enters the program's host, as `longwire exec` does, and tells the run to end when the program has.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid, setpgid};

use super::link::{LinkArgs, ReportArgs, given, quoted};
use super::run::Args as RunArgs;
use super::{Exit, exec, paint, run, sim};
use crate::host::{self, message};
use crate::profile;
use crate::run::control;
use crate::run::owner::{Ask, Owner, Question, Told};

/// What the scenario is called in messages.
const NAME: &str = "<with>";
/// The program's host.
const CLIENT: &str = "client";
/// In virtual time, the program.
const PROGRAM: &str = "program";

/// Run a program behind an impaired link, in one line
///
/// At the other end of the link is the Internet, or what else this machine reaches, by way of passt; with `--between` it is a host, and
/// nothing outside is reached. The program runs in a host called `client`, on this terminal, as you and in the current directory; without one, a shell. Its exit
/// code is this command's. The link is called `link`, so `longwire set link.loss=5%` changes it meanwhile. Values are written as in a
/// scenario's link.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A preset of `longwire profiles`, as in `lte`: the program's side is the one that downloads. The other options change it
    #[arg(value_parser = given)]
    profile: Option<String>,
    #[command(flatten)]
    link: LinkArgs,
    /// A host at the other end of the link instead of the Internet, and what runs there, as in `server: python3 -m http.server 80`; without a command, the host
    /// alone. The program starts when something waits at a port there. May be given several times: these hosts share the link
    #[arg(long, value_name = "NAME[: COMMAND]", value_parser = between)]
    between: Vec<Between>,
    /// Run it in virtual time (see `longwire sim`). The program's output, standard error included and at most 128 MiB, is printed to standard output when it has ended; its input is empty
    #[arg(long, requires = "between")]
    sim: bool,
    #[command(flatten)]
    report: ReportArgs,
    /// Print the report for people to standard error
    #[arg(long, short)]
    verbose: bool,
    /// The program and its arguments; a shell where there is none
    #[arg(last = true)]
    command: Vec<String>,
}

/// A host at the other end.
#[derive(Clone, Debug)]
struct Between {
    host: String,
    /// A line for `sh -c`.
    command: Option<String>,
}

fn between(text: &str) -> Result<Between, String> {
    let (host, command) = text.split_once(':').map_or((text, ""), |(host, command)| (host.trim(), command.trim()));
    let usual = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if host.is_empty() || !host.bytes().all(usual) {
        return Err(format!("expected NAME: COMMAND, found `{text}`: as in `server: python3 -m http.server 80`"));
    }
    Ok(Between { host: host.to_owned(), command: Some(command).filter(|c| !c.is_empty()).map(str::to_owned) })
}

/// Returns the exit code.
pub(super) fn main(args: &Args) -> i32 {
    let run = RunArgs { verbose: args.verbose, quiet: true, ..args.report.run(NAME) };
    if !args.sim {
        return live(args, &run);
    }
    if args.command.is_empty() {
        paint::complain("--sim needs a program: write it behind `--`");
        return Exit::Input as i32;
    }
    sim::run_program(NAME, scenario(args), run, PROGRAM)
}

fn scenario(args: &Args) -> String {
    let mut text = format!("longwire: 1\nname: with\nnodes:\n  {CLIENT}: host\n");
    let hosts: Vec<String> = args.between.iter().map(|between| quoted(&between.host)).collect();
    text.extend(hosts.iter().map(|host| format!("  {host}: host\n")));
    let far = match &hosts[..] {
        [] => {
            text += "  internet: uplink\n";
            "internet"
        }
        [host] => host,
        _ => {
            text += "  far: switch\n";
            "far"
        }
    };
    text += &format!("links:\n  link:\n    ends: [{CLIENT}, {far}]\n");
    let asymmetric = args.profile.as_deref().and_then(profile::get).is_some_and(|preset| preset.down().is_some());
    text += &args.link.lines(args.profile.as_deref(), asymmetric.then_some(CLIENT));
    if hosts.len() > 1 {
        text.extend(args.between.iter().map(|far| format!("  {0}-link: {{ ends: [far, {0}] }}\n", far.host)));
    }
    if args.between.iter().any(|between| between.command.is_some()) {
        text += "services:\n";
    }
    for Between { host, command } in &args.between {
        if let Some(command) = command {
            let command = quoted(command);
            text += &format!("  {host}-command: {{ in: {host}, shell: {command}, ready: {{ port: any }} }}\n");
        }
    }
    if args.sim {
        let words: Vec<String> = args.command.iter().map(|word| quoted(word)).collect();
        text += &format!("workloads:\n  {PROGRAM}: {{ in: {CLIENT}, command: [{}] }}\n", words.join(", "));
    }
    text
}

fn live(args: &Args, run: &RunArgs) -> i32 {
    let begun = message::pair().map_err(|error| error.to_string()).and_then(|(ours, theirs)| {
        let child = begin(scenario(args), run, &ours, theirs).map_err(|error| error.to_string())?;
        Ok((ours, child))
    });
    let (socket, child) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            paint::complain(&error);
            return Exit::Machine as i32;
        }
    };
    let code = inside(&socket, &args.command);
    // The end of the run, and of its report. One that is over already does not mind.
    let _ = message::send(&socket, &Question { number: 0, ask: Ask::Stop }, &[]);
    let ended = loop {
        match waitpid(child, None) {
            Err(nix::errno::Errno::EINTR) => {}
            Ok(WaitStatus::Exited(_, code)) => break code,
            _ => break Exit::Machine as i32,
        }
    };
    match code {
        // what went wrong has been told by the run
        None => ended,
        Some(_) if ended == Exit::Machine as i32 || ended == Exit::Fail as i32 => ended,
        Some(code) => code,
    }
}

/// Starts the run, as a child in the background that ends with this process. `ours` and `theirs`: this process's end of a socket, and
/// the run's.
fn begin(text: String, run: &RunArgs, ours: &OwnedFd, theirs: OwnedFd) -> Result<Pid, host::HostError> {
    let parent = getpid();
    host::fork_child("start the run", || {
        let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
        let _ = prctl::set_pdeathsig(Signal::SIGTERM);
        // a group in the background may write to its terminal all the same
        let _ = SigSet::from_iter([Signal::SIGTTOU]).thread_block();
        // held here too, the end of the parent would never be seen
        let _ = nix::unistd::close(ours.as_raw_fd());
        match getppid() == parent {
            true => run::made(NAME, text, run, Some(&mut Owner::new(theirs))),
            false => Exit::Interrupted as i32,
        }
    })
}

/// Runs the program once the run is up; its exit code. `None` where the run did not come so far.
fn inside(socket: &OwnedFd, command: &[String]) -> Option<i32> {
    let environment = loop {
        match message::receive::<Told>(socket) {
            Ok(Some((Told::Began { environment }, _))) => break environment,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return None,
        }
    };
    let name = environment.into_iter().find(|(name, _)| name == "LONGWIRE_RUN").map(|(_, value)| value);
    match control::find(name.as_deref()).and_then(|run| run.enter(CLIENT)) {
        Ok(entrance) => Some(exec::enter(entrance, command, false)),
        Err(error) => {
            paint::complain(&error.to_string());
            Some(Exit::Machine as i32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn of(words: &[&str]) -> String {
        scenario(&Line::try_parse_from([&["with"], words].concat()).unwrap().args)
    }

    fn load(text: &str) -> Result<(), String> {
        let files = crate::language::files::MemoryFiles::one("with.yaml", text);
        let read = crate::scenario::load(std::path::Path::new("with.yaml"), &files, &Default::default());
        read.map(|_| ()).map_err(|(told, _)| format!("{told:?}\n{text}"))
    }

    #[test]
    fn a_line_becomes_a_scenario() {
        let text =
            of(&["lte", "--loss", "1%", "--between", "server: python3 -m http.server 80", "--", "curl", "server"]);
        assert_eq!(
            text,
            "longwire: 1\nname: with\nnodes:\n  client: host\n  \"server\": host\nlinks:\n  link:\n    ends: [client, \"server\"]\n    \
             profile: lte\n    user: client\n    loss: 1%\nservices:\n  server-command: { in: server, shell: \"python3 -m http.server \
             80\", ready: { port: any } }\n"
        );
        load(&text).unwrap();
        let out = of(&["lte", "--", "curl", "http://example.org/"]);
        assert!(out.contains("  internet: uplink\nlinks:\n  link:\n    ends: [client, internet]\n"), "{out}");
        load(&out).unwrap();
        load(&of(&["--delay", "50ms", "--between", "a: sleep 9", "--between", "b", "--set", "toward.far.rate=1Mbit"]))
            .unwrap();
        for profile in profile::names() {
            load(&of(&[profile, "--between", "server"])).unwrap();
        }
        let sim = of(&["--sim", "--between", "s", "--", "echo", "a, b"]);
        assert!(sim.ends_with("workloads:\n  program: { in: client, command: [\"echo\", \"a, b\"] }\n"), "{sim}");
        load(&sim).unwrap();
    }

    #[test]
    fn a_host_has_a_name() {
        assert!(["", ": cmd", "a b: cmd"].into_iter().all(|text| between(text).is_err()));
        let told = between("web:  nc -l 80 ").unwrap();
        assert_eq!((told.host.as_str(), told.command.as_deref()), ("web", Some("nc -l 80")));
    }
}
