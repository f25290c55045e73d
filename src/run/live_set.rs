//! Live changes as people write them: `wifi.loss=10%`, `wifi.toward.ap.rate=5Mbit`, `wifi=down`, `wifi=up`,
//! `phone.route=wwan0`.

use super::disk::Disk;
use super::node_set;
use crate::diag::{Diagnostic, Diagnostics};
use crate::engine::{Command, Plan};
use crate::scenario::network::NetworkPlan;
use crate::scenario::set::LiveLinks;
use crate::scenario::timeline::{self, RouteMove};

/// What a call of `set` comes to.
pub(super) struct Wanted {
    /// What the engine is told.
    pub(super) commands: Vec<Command>,
    /// The links as they stand afterwards.
    pub(super) links: LiveLinks,
    /// Default routes that move.
    pub(super) routes: Vec<RouteMove>,
}

/// Reads changes, on top of how the links stand.
///
/// # Errors
/// What is wrong with the first that is.
pub(super) fn read(
    links: &LiveLinks,
    (plan, network): (&Plan, &NetworkPlan),
    changes: &[String],
) -> Result<Wanted, String> {
    let mut wanted = Wanted { commands: Vec::new(), links: links.clone(), routes: Vec::new() };
    for text in changes {
        if let Some(route) = timeline::parse_route(network, text) {
            wanted.routes.push(route?);
        } else if let Some(command) = node_set::read(plan, text)? {
            wanted.commands.push(command);
        } else if let Some(several) = up_or_down(links, text)? {
            wanted.commands.extend(several);
        } else {
            let set = wanted.links.set(text, &Disk).map_err(|(wrong, _)| told(text, &wrong))?;
            wanted.commands.extend(set.into_iter().map(|(direction, change)| Command::Set(direction, change)));
        }
    }
    Ok(wanted)
}

/// `LINK=down` and `LINK=up`; a group of links stands for all of them.
fn up_or_down(links: &LiveLinks, text: &str) -> Result<Option<Vec<Command>>, String> {
    let Some((name, state @ ("down" | "up"))) = text.split_once('=').map(|(n, s)| (n.trim(), s.trim())) else {
        return Ok(None);
    };
    let several = links
        .links_of(name)
        .ok_or_else(|| format!("`{text}`: no link `{name}`: {}", crate::diag::suggestion(name, links.known())))?;
    let command = if state == "down" { Command::Down } else { Command::Up };
    Ok(Some(several.into_iter().map(command).collect()))
}

/// What is wrong with a change. Its line and column mean nothing to whoever wrote it on a command line; the change does.
fn told(text: &str, wrong: &Diagnostics) -> String {
    let one = |diagnostic: &Diagnostic| {
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("`{text}`: {}{help}", diagnostic.message)
    };
    wrong.iter().map(one).collect::<Vec<_>>().join("\n")
}
