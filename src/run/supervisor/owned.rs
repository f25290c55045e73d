//! What a run does for its owner, where it has one.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::Signal;

use super::{Run, RunError};
use crate::report::json::EventKind;
use crate::run::happened::Happened;
use crate::run::owner::{Answer, Ask, Owner, Question, Told};
use crate::units::Instant;

impl Run<'_> {
    /// Becomes readable when the owner asks something, or is gone.
    pub(super) fn owner_fd(&self) -> Option<BorrowedFd<'_>> {
        self.owner.as_ref().map(|owner| owner.as_fd())
    }

    /// Whether the run may end when its workloads are done. An owner may have more to do in the hosts.
    pub(super) fn may_end(&self) -> bool {
        self.owner.as_ref().is_none_or(|owner| owner.waits)
    }

    /// Whether the owner wants the run to end.
    pub(super) fn is_stopped(&self) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.stops)
    }

    pub(super) fn tell_owner_of_begin(&self) -> Result<(), RunError> {
        let Some(owner) = &self.owner else { return Ok(()) };
        let added = self.around.environment.iter().filter(|(name, _)| name.starts_with("LONGWIRE_"));
        owner.tell(&Told::Began { environment: added.cloned().collect() })
    }

    /// Does what the owner has asked for, and tells it which of its programs have ended.
    pub(super) fn serve_owner(&mut self, now: Instant) -> Result<(), RunError> {
        let ended = self.processes.take_others();
        let Some(owner) = &mut self.owner else { return Ok(()) };
        for (id, status) in ended {
            if let Some(number) = owner.tell_end(id, status)? {
                let code = status.shell_code();
                let what = format!("command {number} ended with {code}");
                self.events.push(Happened::new(now, EventKind::Work, what));
            }
        }
        while let Some((question, fds)) = self.owner_mut().map_or(Ok(None), Owner::next)? {
            let Question { number, ask } = question;
            let answer = match ask {
                Ask::Set { changes, files } => match self.set_with(&changes, files) {
                    Ok(()) => Answer::Done(true),
                    Err((_, Some(needed))) => Answer::Needs(needed),
                    Err((reason, None)) => Answer::Refused(reason),
                },
                Ask::Spawn { host, program } => {
                    let what = format!("command {number} started in {host}: {}", program.argv.join(" "));
                    let Some(owner) = &mut self.owner else { return Ok(()) };
                    let answer = owner.spawn(number, (host, program), fds, &mut self.processes.init);
                    if let Answer::Done(_) = answer {
                        self.events.push(Happened::new(now, EventKind::Work, what));
                    }
                    answer
                }
                Ask::Signal { program, signal } => {
                    let Some(owner) = &self.owner else { return Ok(()) };
                    owner.signal(program, signal, &mut self.processes.init)
                }
                Ask::Wait => self.note(|owner| owner.waits = true),
                Ask::Stop => self.note(|owner| owner.stops = true),
            };
            if let Some(owner) = &self.owner {
                owner.tell(&Told::Answer { number, answer })?;
            }
        }
        Ok(())
    }

    fn owner_mut(&mut self) -> Option<&mut Owner> {
        self.owner.as_deref_mut()
    }

    fn note(&mut self, what: impl FnOnce(&mut Owner)) -> Answer {
        if let Some(owner) = self.owner_mut() {
            what(owner);
        }
        Answer::Done(true)
    }

    /// The run is over: what the owner still has in the hosts gets a signal to end.
    pub(super) fn end_owners_programs(&mut self, signal: Signal) {
        if let Some(owner) = &mut self.owner {
            owner.over = true;
            owner.signal_all(signal, &mut self.processes.init);
        }
    }

    /// Whether none of the owner's programs is left.
    pub(super) fn owners_programs_are_gone(&self) -> bool {
        self.owner.as_ref().is_none_or(|owner| owner.is_idle())
    }
}
