//! Live changes as people write them: `wifi.loss=10%`, `wifi.toward.ap.rate=5Mbit`, `wifi=down`, `wifi=up`.

use super::live::Live;
use crate::engine::{Command, LinkId};
use crate::model::RateSpec;
use crate::scenario::{Resolved, set};

/// Applies changes at one instant; none if one is wrong. Returns what was done, in words.
pub(super) fn apply(resolved: &Resolved, live: &Live, changes: &[String]) -> Result<Vec<String>, String> {
    let specs = live.specs().map_err(|e| e.to_string())?;
    let mut commands = Vec::new();
    for text in changes {
        if let Some(command) = up_or_down(resolved, text)? {
            commands.push(command);
            continue;
        }
        let changes = set::parse(resolved, text)
            .map_err(|(wrong, _)| wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        for (direction, change) in changes {
            let rate = change.rate.unwrap_or(specs[direction.0 as usize].rate);
            if change.queue.is_some() && rate == RateSpec::Unlimited {
                return Err(format!("`{text}`: a queue needs a rate: set the rate first, as in `rate=20Mbit`"));
            }
            commands.push(Command::Set(direction, change));
        }
    }
    live.apply(commands, changes.join(" ")).map_err(|e| e.to_string())?;
    Ok(changes.to_vec())
}

/// `LINK=down` and `LINK=up`.
fn up_or_down(resolved: &Resolved, text: &str) -> Result<Option<Command>, String> {
    let Some((name, state @ ("down" | "up"))) = text.split_once('=').map(|(n, s)| (n.trim(), s.trim())) else {
        return Ok(None);
    };
    let link = resolved.links.iter().position(|link| link.name == name).ok_or_else(|| {
        let known = resolved.links.iter().map(|link| link.name.as_str());
        format!("`{text}`: no link `{name}`: {}", crate::diag::suggestion(name, known))
    })?;
    let link = LinkId(link as u32);
    Ok(Some(if state == "down" { Command::Down(link) } else { Command::Up(link) }))
}
