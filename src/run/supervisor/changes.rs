//! Changes to a run that is up.

use super::Run;
use crate::host::RouteBefore;
use crate::report::json::EventKind;
use crate::run::given::{Needed, Texts};
use crate::run::happened::Happened;
use crate::run::live::{LiveError, Refusal, Rest};
use crate::run::{live_set, timeline};

/// So many live changes are kept for the report. Whoever makes one a second for hours knows what they were.
const CHANGES: usize = 2_000;

impl Run<'_> {
    /// The same as [`Run::set`], with files that came along. `Err` with files that it needs besides; or with why it is not done.
    pub(super) fn set_with(&mut self, changes: &[String], came: Texts) -> Result<(), (String, Option<Needed>)> {
        let files = self.files;
        files.with(came, || self.set(changes))
    }

    /// Makes live changes at one instant; none if one is wrong, in hosts neither.
    pub(super) fn set(&mut self, changes: &[String]) -> Result<(), String> {
        let mut moved = None;
        self.try_set(changes, &mut moved).map_err(|reason| {
            match self.processes.init.put_back(moved.unwrap_or_default()) {
                Ok(()) => reason,
                Err(stuck) => format!("{reason}; and longwire {stuck}"),
            }
        })
    }

    /// The same; where it fails, `moved` puts routes back.
    fn try_set(&mut self, changes: &[String], moved: &mut Option<Vec<RouteBefore>>) -> Result<(), String> {
        loop {
            self.timeline.take_in(&mut self.links, &mut self.events);
            let wanted = live_set::read(&self.links, self.resolved, changes, self.files)?;
            let steps = self.timeline.schedule(&wanted.links).map_err(|impossible| impossible.reason)?;
            let rest = Rest { after: self.timeline.inside(), steps };
            // First what the kernel may refuse.
            if moved.is_none() {
                let routes = timeline::move_routes(&mut self.processes.init, &self.resolved.network, &wanted.routes);
                *moved = Some(routes.map_err(|e| e.to_string())?);
            }
            let rest = self.zero.is_some().then_some(rest);
            let at = match self.live.apply(wanted.commands.clone(), changes.join(" "), rest) {
                Err(LiveError::Refused(Refusal::Overtaken)) => continue,
                result => result.map_err(|e| e.to_string())?,
            };
            self.links = wanted.links;
            self.timeline.course.note(at, &wanted.commands, &self.links);
            let kept = self.events.iter().filter(|event| event.kind == EventKind::Set).count();
            let more = changes.iter().take(CHANGES.saturating_sub(kept));
            self.events_omitted += (changes.len() - more.len()) as u64;
            self.events.extend(more.map(|what| Happened::new(at, EventKind::Set, what)));
            return Ok(());
        }
    }
}
