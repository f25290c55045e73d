//! A scenario that may run.

use std::collections::{BTreeMap, BTreeSet};

use super::detour::Detour;
use super::expect::Expectation;
use super::route::Route;
use super::spec::Scenario;
use super::timeline::{Action, Step};
use crate::addressing::network::{NetworkPlan, PortPlan};
use crate::diag::{Diagnostics, Sources};
use crate::engine::Plan;
use crate::language::files::MemoryFiles;
use crate::topology::link::ResolvedLink;

/// A scenario that may run: checked, every name resolved, every default filled in.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Services, workloads and all that is neither of the two plans.
    pub scenario: Scenario,
    /// What the engine is built from.
    pub plan: Plan,
    /// What is set up in the kernel.
    pub network: NetworkPlan,
    /// How the two belong together: one for each [`crate::engine::NodeKind::Port`], in the order of `plan.nodes`.
    pub ports: Vec<PortPlan>,
    /// What the values of each link came from, in the order of `plan.links`.
    pub links: Vec<ResolvedLink>,
    /// What changes at which time, in the order of time.
    pub timeline: Vec<Step>,
    /// What should hold.
    pub expectations: Vec<Expectation>,
    /// Workloads that pass a router with NAT over IPv6, which is not translated.
    pub detours: Vec<Detour>,
    /// The routes of workloads between hosts, by name, while all links are up: those that are known.
    pub routes: BTreeMap<String, Route>,
    /// The files that it was read from, tables among them, as they were then.
    pub files: MemoryFiles,
    /// Worth knowing; none of them stops a run.
    pub warnings: Diagnostics,
    /// The texts that spans point into.
    pub sources: Sources,
}

impl Resolved {
    /// The hosts in which the scenario starts anything: positions in `network.hosts`.
    pub fn inhabited(&self) -> BTreeSet<usize> {
        let Scenario { services, workloads, awaited, forward, .. } = &self.scenario;
        let runs = self.timeline.iter().flat_map(|step| &step.actions).filter_map(|action| match action {
            Action::Run(run) => Some(&run.workload),
            _ => None,
        });
        let working = workloads.values().chain(runs).flat_map(|workload| workload.hosts());
        let others = services.values().map(|service| service.program.host);
        let others = others.chain(awaited.values().map(|awaited| awaited.path.from));
        working.chain(others).chain(forward.iter().map(|forward| forward.host)).collect()
    }
}
