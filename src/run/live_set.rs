//! Live changes as people write them: `wifi.loss=10%`, `wifi.toward.ap.rate=5Mbit`, `wifi=down`, `wifi=up`.

use super::disk::Disk;
use super::live::Live;
use crate::diag::{Diagnostic, Diagnostics};
use crate::engine::Command;
use crate::scenario::set::LiveLinks;

/// Applies changes at one instant; none if one is wrong. Returns what was done, in words.
pub(super) fn apply(links: &mut LiveLinks, live: &Live, changes: &[String]) -> Result<Vec<String>, String> {
    let mut changed = links.clone();
    let mut commands = Vec::new();
    for text in changes {
        match up_or_down(&changed, text)? {
            Some(several) => commands.extend(several),
            None => {
                let set = changed.set(text, &Disk).map_err(|(wrong, _)| told(text, &wrong))?;
                commands.extend(set.into_iter().map(|(direction, change)| Command::Set(direction, change)));
            }
        }
    }
    live.apply(commands, changes.join(" ")).map_err(|e| e.to_string())?;
    *links = changed;
    Ok(changes.to_vec())
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
