//! `longwire demo`: a network that shows off, without a file.

use super::link::ReportArgs;
use super::{run, sim};

/// What the scenario is called in messages.
const NAME: &str = "<demo>";
/// It stands among the scenarios, for people who want to read it.
const SCENARIO: &str = include_str!("../../scenarios/demo.yaml");

/// Run a network that shows off: ten seconds, no file
///
/// A call and a ping from behind a NAT: an upload fills a queue, the Wi-Fi gets worse, fails and comes back. What happened is printed at
/// the end; `--html FILE` writes it as a page.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run it in virtual time (see `longwire sim`)
    #[arg(long)]
    sim: bool,
    /// Print the scenario instead of running it
    #[arg(long, conflicts_with_all = ["sim", "seed", "json", "out", "capture", "html"])]
    print: bool,
    #[command(flatten)]
    report: ReportArgs,
}

/// Returns the exit code.
pub(super) fn main(args: &Args) -> i32 {
    let run = args.report.run(NAME);
    match (args.print, args.sim) {
        (true, _) => {
            super::paint::print(&crate::diag::printable::Printable::lines(SCENARIO));
            super::Exit::Pass as i32
        }
        (_, true) => sim::run_made(NAME, SCENARIO, run) as i32,
        _ => run::made(NAME, SCENARIO.to_owned(), &run, None),
    }
}
