//! Live changes as people write them: `wifi.loss=10%`, `wifi.toward.ap.rate=5Mbit`, `wifi=down`, `wifi=reset`,
//! `block=db1->db2`, `phone.route=wwan0`.

use super::node_set;
use crate::diag::{Diagnostic, Diagnostics};
use crate::engine::Command;
use crate::language::files::Files;
use crate::tasks::resolved::Resolved;
use crate::tasks::set::LiveLinks;
use crate::tasks::timeline;
use crate::tasks::timeline::{Directory, RouteMove};

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
    resolved: &Resolved,
    changes: &[String],
    files: &dyn Files,
) -> Result<Wanted, String> {
    let directory = Directory::new(resolved, links);
    let mut wanted = Wanted { commands: Vec::new(), links: links.clone(), routes: Vec::new() };
    for text in changes {
        if let Some(route) = timeline::parse_route(&resolved.network, text) {
            wanted.routes.push(route?);
        } else if let Some(command) = node_set::read(&resolved.plan, text)? {
            wanted.commands.push(command);
        } else if let Some(action) = timeline::parse_action(&directory, text) {
            let commands = action?.commands(&mut wanted.links, files).map_err(|wrong| told(text, &wrong))?;
            wanted.commands.extend(commands);
        } else {
            let set = wanted.links.set(text, files).map_err(|(wrong, _)| told(text, &wrong))?;
            wanted.commands.extend(set.into_iter().map(|(direction, change)| Command::Set(direction, change)));
        }
    }
    Ok(wanted)
}

/// What is wrong with a change. Its line and column mean nothing to whoever wrote it on a command line; the change does.
fn told(text: &str, wrong: &Diagnostics) -> String {
    let one = |diagnostic: &Diagnostic| {
        let help = diagnostic.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
        format!("`{text}`: {}{help}", diagnostic.message)
    };
    wrong.iter().map(one).collect::<Vec<_>>().join("\n")
}
