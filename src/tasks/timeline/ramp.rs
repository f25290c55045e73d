//! `ramp: { wifi: { rate: 1Mbit } }`: a link goes over to something else, linearly, in equal steps.
//!
//! After step k of n, at k/n of the time, each value is at k/n of its way, from what it is when the ramp begins. So between
//! steps it is never further from the line than one step: the n-th part of the whole way.

use super::Action;
use crate::diag::Diagnostics;
use crate::engine::{Command, LinkId};
use crate::language::files::Files;
use crate::language::tree::{Entry, Node};
use crate::tasks::set::LiveLinks;
use crate::units::Duration;

/// The most steps of one ramp.
pub(super) const MOST: u32 = 10_000;
/// How many steps a ramp has, unless it says.
const USUAL: u64 = 100;
/// How close together these are at the least.
const CLOSEST: Duration = Duration::from_millis(10);
/// What can go over gradually.
const FIELDS: [&str; 4] = ["rate", "delay", "rtt", "loss"];

/// A link, or a group of them, that goes over to something else.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    /// Its number on the timeline.
    pub number: usize,
    /// The links.
    pub links: Vec<LinkId>,
    /// Where they go to, as the file has it.
    pub fields: Node,
    /// Where they go to, as people write it, field by field: `wifi.rate=1Mbit`.
    pub words: Vec<String>,
    /// How long it takes.
    pub takes: Duration,
    /// In how many steps.
    pub steps: u32,
}

/// How many steps a ramp has that does not say.
pub(super) fn usual_steps(takes: Duration) -> u32 {
    (takes.as_nanos() / CLOSEST.as_nanos()).clamp(1, USUAL) as u32
}

/// Whether all fields of a link can go over gradually. Which value they have by then is another matter.
pub(super) fn check(fields: &Node, diagnostics: &mut Diagnostics) -> bool {
    let mut fine = true;
    let mut check = |entry: &Entry, known: &[&str]| {
        if !known.contains(&entry.key.as_str()) && !entry.value.pruned {
            diagnostics
                .error(entry.key_span, format!("`{}` cannot go over gradually", entry.key))
                .help(format!("{} can; set others at one instant, with `set`", known.join(", ")));
            fine = false;
        }
    };
    for entry in fields.entries().unwrap_or_default() {
        if entry.key == "toward" {
            let ends = entry.value.entries().unwrap_or_default();
            ends.iter()
                .flat_map(|end| end.value.entries().unwrap_or_default())
                .for_each(|field| check(field, &["rate", "delay", "loss"]));
        } else {
            check(entry, &FIELDS);
        }
    }
    fine
}

impl Ramp {
    /// When step `part` is, from its beginning.
    pub(super) fn at(&self, part: u32) -> Duration {
        let ns = u128::from(self.takes.as_nanos()) * u128::from(part) / u128::from(self.steps.max(1));
        Duration::from_nanos(ns as u64)
    }

    /// All of it: the beginning, and each step.
    pub(super) fn parts(ramp: Ramp) -> impl Iterator<Item = (Duration, Action)> {
        let ramp = std::sync::Arc::new(ramp);
        (0..=ramp.steps).map(move |part| (ramp.at(part), Action::Ramp { ramp: ramp.clone(), part }))
    }

    /// What the beginning and the end are called; steps in between have no words.
    pub(super) fn words(&self, part: u32) -> Vec<String> {
        match part {
            0 => {
                let what = self.words.join(", ");
                let steps = if self.steps == 1 { "1 step".to_owned() } else { format!("{} steps", self.steps) };
                vec![format!("ramp to {what} in {}, {steps}", self.takes)]
            }
            part if part == self.steps => self.words.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn commands(
        &self,
        part: u32,
        links: &mut LiveLinks,
        files: &dyn Files,
    ) -> Result<Vec<Command>, Diagnostics> {
        let mut commands = Vec::new();
        for link in &self.links {
            let link = link.0 as usize;
            let changes = match part {
                0 => {
                    links.begin_ramp(self.number, link, &self.fields, files)?;
                    continue;
                }
                part if part == self.steps => links.end_ramp(self.number, link, &self.fields, files)?,
                part => links.follow_ramp(self.number, link, (part, self.steps), files)?,
            };
            commands.extend(changes.into_iter().map(|(direction, change)| Command::Set(direction, change)));
        }
        Ok(commands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_a_hundred_but_no_closer_than_ten_milliseconds() {
        let steps = |ms| usual_steps(Duration::from_millis(ms));
        assert_eq!([steps(1), steps(10), steps(305), steps(1_000), steps(60_000)], [1, 1, 30, 100, 100]);
    }
}
