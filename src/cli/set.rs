//! `longwire set [RUN] wifi.loss=10%`.

use super::{Exit, paint, which};
use crate::diag::printable::{Page, putln};

/// Change a network that is up
///
/// LINK.FIELD=VALUE changes both directions, LINK.toward.END.FIELD=VALUE one; LINK=reset brings back what the scenario
/// says. LINK=down and LINK=up take it down and up, and NODE=down and NODE=up a node; with LINK=no-carrier hosts see it.
/// 'block=HOST->HOST' lets the second hear nothing from the first, 'unblock=HOST->HOST' ends that; 'partition=A,B|C' keeps
/// sides of hosts apart; heal=all ends all of it. ROUTER.nat=rebind makes a router's NAT forget its mappings.
/// Fields and values are those of a scenario: wifi.loss=10%, wifi.delay.jitter=3ms, dsl.toward.isp.rate=1Mbit. Several
/// changes take effect at the same instant. HOST.route=INTERFACE moves a host's default routes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run, where several are up, then the changes
    #[arg(required = true, value_name = "[RUN] LINK.FIELD=VALUE")]
    words: Vec<String>,
}

pub(super) fn main(args: &Args) -> Exit {
    let (run, changes) = match args.words.split_first() {
        Some((first, rest)) if !first.contains('=') => (Some(first.as_str()), rest),
        _ => (None, args.words.as_slice()),
    };
    if changes.is_empty() {
        paint::complain("nothing to set: write LINK.FIELD=VALUE, as in wifi.loss=10%");
        return Exit::Input;
    }
    match which::find_and_say(run).and_then(|run| run.set(changes.to_vec())) {
        Ok(done) => {
            let mut out = Page::new();
            // writing into a page cannot fail
            let _ = done.iter().try_for_each(|what| putln!(out, "{what}"));
            paint::print(&out.finish());
            Exit::Pass
        }
        Err(error) => {
            paint::complain(&error.to_string());
            Exit::Input
        }
    }
}
