//! `timeline:`: what changes at which time. Read and checked here, carried out by a run.
//!
//! | file | idea |
//! |---|---|
//! | `at` `spec` | how steps stand in a file |
//! | `check` `changes` | from there to [`Step`]s: times, names, and what goes together |
//! | `directory` | what names stand for |
//! | `repeat` `ramp` `profile` `apart` `route` `rebind` `run` | one kind of step each |
//! | `text` | the same as `longwire set` takes it |
//! | `useless` | steps that no traffic can meet |
//!
//! A new kind of step is one more [`Action`], with a file of its own where it has substance.

mod apart;
mod at;
mod changes;
mod check;
mod directory;
mod profile;
mod ramp;
mod rebind;
mod repeat;
mod route;
mod run;
mod spec;
mod text;
mod useless;

use std::sync::Arc;

use indexmap::IndexMap;

use super::set::LiveLinks;
use crate::diag::Diagnostics;
use crate::engine::{Command, LinkId, NodeId};
use crate::language::files::Files;
use crate::language::tree::Node;
use crate::node::NodeCommand;
use crate::units::Duration;
pub(crate) use check::{Surroundings, plan};
pub(crate) use spec::StepSpec;
pub(crate) use useless::Traffic;

pub use at::{Happening, Phase};
pub use directory::{Directory, Target};
pub use profile::Profile;
pub use ramp::Ramp;
pub use rebind::find as find_translator;
pub use route::{RouteMove, parse as parse_route};
pub use run::Run;
pub use text::parse_action;

/// What happens at one instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it comes after, at a time that only the run knows; `None`: t = 0.
    pub after: Option<Happening>,
    /// When, from there.
    pub at: Duration,
    /// What. Changes inside the network take effect together: no frame meets one without the others.
    pub actions: Vec<Action>,
}

/// One thing that a step does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Fields of links change, on top of what each link does then.
    Set {
        /// The links: one, or those of a group.
        links: Vec<LinkId>,
        /// The fields, `toward` and `rtt` among them, as the file has them.
        fields: Node,
        /// A preset that takes the place of what they do before.
        profile: Option<Box<Profile>>,
        /// As people write it, field by field: `wifi.loss=10%`.
        words: Vec<String>,
    },
    /// Fields of links go back to what the file says.
    Reset {
        /// The links: one, or those of a group.
        links: Vec<LinkId>,
        /// The name of the link, or of the group.
        name: String,
    },
    /// Links go over to something else.
    Ramp {
        /// All of it.
        ramp: Arc<Ramp>,
        /// The step that it comes to here: 0 is its beginning, [`Ramp::steps`] its end.
        part: u32,
    },
    /// Links or nodes go down.
    Down {
        /// What.
        target: Target,
        /// Its name.
        name: String,
        /// Ports whose hosts lose their carrier.
        dark: Vec<NodeId>,
    },
    /// Links or nodes come up.
    Up {
        /// What.
        target: Target,
        /// Its name.
        name: String,
        /// Ports whose hosts have their carrier again, if they had lost it.
        ports: Vec<NodeId>,
    },
    /// Hosts on different sides hear nothing from each other.
    Partition {
        /// The ports of each side.
        sides: Vec<Vec<NodeId>>,
        /// As people write it: `partition=a,b|c`.
        words: String,
    },
    /// No partition and no block any more.
    Heal,
    /// Hosts hear nothing from others.
    Block {
        /// From, to.
        pairs: Vec<(NodeId, NodeId)>,
        /// As people write it: `db1->db2`.
        arrow: String,
    },
    /// They hear them again.
    Unblock {
        /// From, to.
        pairs: Vec<(NodeId, NodeId)>,
        /// As people write it: `db1->db2`.
        arrow: String,
    },
    /// A router's address translation forgets its mappings.
    Rebind {
        /// The router.
        node: NodeId,
        /// Its name.
        name: String,
    },
    /// A host's default routes move.
    Route(RouteMove),
    /// A program is started in a host.
    Run(Box<Run>),
    /// The instant gets a name.
    Mark(String),
}

impl Action {
    /// What it does, as people write it; one text a change. None for the steps of a ramp between its ends.
    pub fn words(&self) -> Vec<String> {
        match self {
            Action::Set { words, .. } => words.clone(),
            Action::Reset { name, .. } => vec![format!("{name}=reset")],
            Action::Ramp { ramp, part } => ramp.words(*part),
            Action::Down { name, dark, .. } if dark.is_empty() => vec![format!("{name}=down")],
            Action::Down { name, .. } => vec![format!("{name}=no-carrier")],
            Action::Up { name, .. } => vec![format!("{name}=up")],
            Action::Partition { words, .. } => vec![words.clone()],
            Action::Heal => vec!["heal=all".into()],
            Action::Block { arrow, .. } => vec![format!("block={arrow}")],
            Action::Unblock { arrow, .. } => vec![format!("unblock={arrow}")],
            Action::Rebind { name, .. } => vec![format!("{name}.nat=rebind")],
            Action::Route(to) => vec![to.words.clone()],
            Action::Run(run) => vec![run.words.clone()],
            Action::Mark(label) => vec![format!("mark {label}")],
        }
    }

    /// Whether it is a matter of the simulated network alone, and so happens at its model time; what is not happens in
    /// the hosts, by the clock.
    pub const fn is_inside(&self) -> bool {
        !matches!(self, Action::Route(_) | Action::Run(_))
    }

    /// What the engine is told, given how the links stand then; `links` stand changed afterwards.
    ///
    /// # Errors
    /// What is wrong with a change of a link. `links` may have changed in part.
    pub fn commands(&self, links: &mut LiveLinks, files: &dyn Files) -> Result<Vec<Command>, Diagnostics> {
        let mut commands = Vec::new();
        match self {
            Action::Set { links: those, fields, profile, .. } => {
                for link in those {
                    let changes = links.change(link.0 as usize, fields, profile.as_deref(), files)?;
                    commands.extend(changes.into_iter().map(|(direction, change)| Command::Set(direction, change)));
                }
            }
            Action::Reset { links: those, .. } => {
                let changes = those.iter().flat_map(|link| links.reset(link.0 as usize));
                commands.extend(changes.map(|(direction, change)| Command::Set(direction, change)));
            }
            Action::Ramp { ramp, part } => commands = ramp.commands(*part, links, files)?,
            Action::Down { target, dark, .. } => {
                match target {
                    Target::Links(those) => commands.extend(those.iter().copied().map(Command::Down)),
                    Target::Nodes(those) => commands.extend(those.iter().copied().map(Command::NodeDown)),
                }
                commands.extend(links.darken(dark).map(|port| Command::Carrier(port, false)));
            }
            Action::Up { target, ports, .. } => {
                match target {
                    Target::Links(those) => commands.extend(those.iter().copied().map(Command::Up)),
                    Target::Nodes(those) => commands.extend(those.iter().copied().map(Command::NodeUp)),
                }
                commands.extend(links.lighten(ports).map(|port| Command::Carrier(port, true)));
            }
            Action::Partition { sides, .. } => commands.push(Command::Partition(sides.clone())),
            Action::Heal => commands.push(Command::Heal),
            Action::Block { pairs, .. } => commands.extend(pairs.iter().map(|(from, to)| Command::Block(*from, *to))),
            Action::Unblock { pairs, .. } => {
                commands.extend(pairs.iter().map(|(from, to)| Command::Unblock(*from, *to)));
            }
            Action::Rebind { node, .. } => commands.push(Command::Node(*node, NodeCommand::Rebind)),
            Action::Route(_) | Action::Run(_) | Action::Mark(_) => {}
        }
        Ok(commands)
    }
}

impl Step {
    /// What the engine is told, given how the links stand then; `links` stand changed afterwards.
    ///
    /// # Errors
    /// What is wrong with a change of a link. `links` may have changed in part.
    pub fn commands(&self, links: &mut LiveLinks, files: &dyn Files) -> Result<Vec<Command>, Diagnostics> {
        let mut commands = Vec::new();
        for action in &self.actions {
            commands.extend(action.commands(links, files)?);
        }
        Ok(commands)
    }

    /// When it happens, as people write it: `10s`, `fetch.started + 2s`.
    pub fn when(&self) -> String {
        match &self.after {
            None => self.at.to_string(),
            Some(after) if self.at == Duration::ZERO => after.to_string(),
            Some(after) => format!("{after} + {}", self.at),
        }
    }
}

/// The marks of a timeline, with their times where those are known beforehand.
pub(crate) fn marks(steps: &[Step]) -> IndexMap<String, Option<Duration>> {
    let mut marks = IndexMap::new();
    for step in steps {
        let at = step.after.is_none().then_some(step.at);
        let names =
            step.actions.iter().filter_map(|action| if let Action::Mark(name) = action { Some(name) } else { None });
        marks.extend(names.map(|name| (name.clone(), at)));
    }
    marks
}

#[cfg(test)]
mod step_tests;
#[cfg(test)]
mod tests;
