//! Pings that a run sends by itself for `alice reaches bob within 2s after heal`: workloads like others, and in the report.

use indexmap::IndexMap;

use super::syntax::{Base, Time};
use super::token::Fault;
use crate::diag::{Diagnostics, Span};
use crate::language::spanned::Spanned;
use crate::tasks::reach::Hosts;
use crate::tasks::spec::{Amount, Ping, Start, Workload, WorkloadKind};
use crate::units::{ByteSize, Duration};

/// Requests that a probe sends in its time, if those are no closer and no further apart than these.
const REQUESTS: u64 = 40;
const CLOSEST: Duration = Duration::from_millis(10);
const FURTHEST: Duration = Duration::from_millis(100);
/// A probe waits so long for an answer at most; what comes later was not in time in any case.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a probe is for.
pub(super) struct Probe<'a> {
    /// When it begins and ends, as far as that is known beforehand.
    pub(super) bounds: (Option<Duration>, Option<Duration>),
    /// From when on an answer counts.
    pub(super) start: &'a Time,
    /// How long after that.
    pub(super) within: Option<Duration>,
    /// How long the run lasts, if the scenario says.
    pub(super) duration: Option<Duration>,
}

/// All probes of a scenario. Their names have a point, which no other name has.
#[derive(Default)]
pub(super) struct Probes {
    pub(super) workloads: IndexMap<String, Workload>,
}

impl Probes {
    /// Adds a probe from one host to another; its name. `None` where it cannot be, which has been told.
    pub(super) fn add(
        &mut self,
        probe: &Probe<'_>,
        [from, to]: [&String; 2],
        places: [Span; 2],
        hosts: &Hosts<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<String>, Fault> {
        let (start, length) = probe.plan()?;
        let [from, to] = [(from, places[0]), (to, places[1])].map(|(text, span)| Spanned { value: text.clone(), span });
        let Some(path) = hosts.path(&from, &to, None, false, diagnostics) else { return Ok(None) };
        let every = length.map_or(Duration::from_millis(50), |length| (length / REQUESTS).clamp(CLOSEST, FURTHEST));
        let timeout = length.map_or(PATIENCE, |length| length.clamp(CLOSEST, PATIENCE));
        let amount = match (length, &start, probe.duration) {
            (Some(length), Start::At(at), Some(duration)) if *at + length + timeout < duration => Amount::For(length),
            (Some(length), _, None) => Amount::For(length),
            // to the end of the run, which would cut it short
            _ => Amount::Whole,
        };
        let ping = Ping { path, every, amount, size: ByteSize::from_bytes(56), timeout };
        let name = format!("reach.{}", self.workloads.len() + 1);
        let kind = WorkloadKind::Ping(ping);
        let workload = Workload { start, timeout: None, kind, values: IndexMap::new(), percentiles: Vec::new() };
        self.workloads.insert(name.clone(), workload);
        Ok(Some(name))
    }
}

impl Probe<'_> {
    /// When it starts, and how long it sends; `None`: to the end of the run.
    fn plan(&self) -> Result<(Start, Option<Duration>), Fault> {
        let endless = |what: &str| {
            let fault = Fault::new(self.start.place, format!("nothing says when the run ends, and {what}"));
            Err(fault.help("write `within 2s`, or `duration:` at the top"))
        };
        match (self.bounds, &self.start.base) {
            ((Some(from), Some(to)), _) => Ok((Start::At(from), Some(to.saturating_sub(from)))),
            ((Some(from), None), _) if self.duration.is_some() => Ok((Start::At(from), None)),
            ((Some(_), None), _) => endless("nothing how long to ask"),
            // asked from that end on; of what is asked before the offset is over, the answers do not count
            ((None, _), Base::Ended(workload)) => {
                let length = self.within.map(|within| self.start.offset + within);
                if length.is_none() && self.duration.is_none() {
                    return endless("nothing how long to ask");
                }
                Ok((Start::After(vec![workload.clone()]), length))
            }
            // nobody knows when that will be, so it is asked all the time
            ((None, _), _) if self.duration.is_some() => Ok((Start::At(Duration::ZERO), None)),
            ((None, _), _) => endless("that time is known only when it comes"),
        }
    }
}
