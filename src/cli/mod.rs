//! The command line: one file a subcommand. The only place that prints.

mod again;
mod check;
mod compare;
mod completions;
mod compose;
mod demo;
mod doctor;
mod exec;
mod guest;
mod html;
mod input;
mod link;
mod man;
mod output;
mod paint;
mod plot;
mod profiles;
mod ps;
mod run;
mod schema;
mod set;
mod show;
mod sim;
mod status;
mod test;
mod which;
mod wire;
mod with;

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use crate::diag::printable::{Printable, is_printable, printable};

/// Ends with this: see docs/report.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All that was expected holds.
    Pass = 0,
    /// An expectation, workload or service failed.
    Fail = 1,
    /// The input is wrong; nothing ran.
    Input = 2,
    /// The machine could not keep up, so neither pass nor fail is claimed.
    Invalid = 3,
    /// This machine lacks something.
    Machine = 4,
    /// Interrupted, torn down cleanly.
    Interrupted = 130,
}

/// What the program says to those who call it without a word.
const FIRST: &str = "\
longwire: real hosts, simulated network. Three things to try:

  longwire demo
      ten seconds of a call over Wi-Fi that gets worse, fails and comes back
  longwire with lte --between 'server: python3 -m http.server 80' -- curl -s http://server/
      one command behind a mobile network
  longwire doctor
      what this machine can do, and what is missing

`longwire --help` lists all commands. Scenario files: `longwire demo --print` is one, `longwire check FILE` explains it.
";

/// Network emulator: real hosts, simulated network.
///
/// A scenario file describes hosts, links and what runs in the hosts. longwire makes the hosts as network namespaces,
/// carries their frames through the links, and reports what was asked beside what was delivered.
#[derive(Debug, Parser)]
#[command(name = "longwire", version = env!("LONGWIRE_VERSION"), propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 pass, 1 something failed, 2 wrong input, 3 INVALID (the machine could not keep \
    up), 4 this machine lacks something, 130 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Run(run::LiveArgs),
    Sim(sim::Args),
    With(with::Args),
    Wire(wire::Args),
    Compose(compose::Args),
    Test(test::Args),
    Check(check::Args),
    Compare(compare::Args),
    Plot(plot::Args),
    Show(show::Args),
    Exec(exec::Args),
    Set(set::Args),
    Ps(ps::Args),
    Status(status::Args),
    Profiles(profiles::Args),
    Schema(schema::Args),
    Doctor(doctor::Args),
    Completions(completions::Args),
    #[command(hide = true)]
    Man(man::Args),
}

/// Is the first process of a guest, in virtual time.
pub(crate) fn be_guest() -> ! {
    crate::sim::guest::main(guest::run, guest::shell)
}

/// Reads the command line, does what it says, and returns the exit code.
pub fn main() -> i32 {
    if crate::sim::is_first_process() {
        be_guest();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // help and version are no errors, and clap knows where each belongs
            let code = if error.use_stderr() { Exit::Input } else { Exit::Pass };
            match quoted(&error.to_string(), std::env::args_os()) {
                Some(text) => paint::aside(&text),
                None => drop(error.print()),
            }
            return code as i32;
        }
    };
    match cli.command {
        Some(command) => exit_code(carry_out(command)),
        None => {
            paint::print(&Printable::lines(FIRST));
            exit_code(Exit::Pass as i32)
        }
    }
}

/// Whether these words are a command line of this program, the program's name among them.
///
/// # Errors
/// What the program would say of them.
#[doc(hidden)]
pub fn understands(words: &[String]) -> Result<(), String> {
    Cli::try_parse_from(words).map(drop).map_err(|error| error.to_string())
}

/// Of a process that comes to this code: what was asked for may not have got out.
fn exit_code(code: i32) -> i32 {
    if code == 0 && paint::has_failed() { Exit::Machine as i32 } else { code }
}

/// An error that quotes arguments, with escapes in them; `None` where there is nothing to escape.
fn quoted(error: &str, arguments: impl Iterator<Item = OsString>) -> Option<Printable> {
    let words = arguments.map(|word| word.to_string_lossy().into_owned());
    let words: Vec<String> = words.filter(|word| !word.chars().all(is_printable)).collect();
    // an option's value may stand there alone
    let parts = words.iter().flat_map(|word| [Some(word.as_str()), word.split_once('=').map(|(_, value)| value)]);
    // clap leaves escape sequences out
    let quotes = parts.flatten().map(|part| (anstream::adapter::strip_str(part).to_string(), printable(part)));
    let quotes = quotes.filter(|(quote, _)| !quote.is_empty());
    let text = quotes.fold(error.to_owned(), |text, (quote, shown)| text.replace(&quote, &shown));
    (!words.is_empty()).then(|| Printable::lines(&text))
}

fn carry_out(command: Command) -> i32 {
    match command {
        Command::Demo(args) => demo::main(&args),
        Command::Run(args) => run::main(&args),
        Command::Sim(args) => sim::main(&args) as i32,
        Command::With(args) => with::main(&args),
        Command::Wire(args) => wire::main(&args),
        Command::Compose(args) => compose::main(&args),
        Command::Test(args) => test::main(&args),
        Command::Check(args) => check::main(&args) as i32,
        Command::Compare(args) => compare::main(&args) as i32,
        Command::Plot(args) => plot::main(&args) as i32,
        Command::Show(args) => show::main(&args) as i32,
        Command::Exec(args) => exec::main(&args),
        Command::Set(args) => set::main(&args) as i32,
        Command::Ps(args) => ps::main(&args) as i32,
        Command::Status(args) => status::main(&args) as i32,
        Command::Profiles(args) => profiles::main(&args) as i32,
        Command::Schema(args) => schema::main(&args) as i32,
        Command::Doctor(args) => doctor::main(&args) as i32,
        Command::Completions(args) => completions::main(&args, Cli::command()) as i32,
        Command::Man(args) => man::main(&args, Cli::command()) as i32,
    }
}
