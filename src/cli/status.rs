//! `longwire status [RUN]`.

use super::{Exit, paint, which};
use crate::diag::printable::Printable;
use crate::run::control::Found;

/// Show what each link of a network that is up does now
///
/// Of each direction: whether it is up, its delay, loss, rate and queue as they are after all changes, and what went through
/// it so far.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run, where several are up: its name as `longwire ps` shows it, or its process id
    run: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn main(args: &Args) -> Exit {
    match which::find(args.run.as_deref()).and_then(Found::status) {
        Ok(status) if args.json => {
            let json = serde_json::to_string_pretty(&status).expect("a status is plain data");
            paint::print(&Printable::json(&format!("{json}\n")));
            Exit::Pass
        }
        Ok(status) => {
            paint::print(&status.text());
            Exit::Pass
        }
        Err(error) => {
            paint::complain(&error.to_string());
            Exit::Input
        }
    }
}
