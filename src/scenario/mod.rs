//! YAML text → spec (spans kept) → check (all errors at once) → plan.

pub mod de;
pub mod files;
pub mod network;
pub mod parse;
pub mod read;
pub mod spec;
pub mod tree;
pub mod validity;

use serde::Serialize;

use crate::diag::{Diagnostics, Sources};
use crate::engine::Plan;

pub use files::{Files, MemoryFiles};
pub use network::NetworkPlan;
pub use spec::Scenario;
pub use validity::ValiditySpec;

/// What the command line says beside the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--param NAME=TEXT`, in order; the last of a name counts.
    pub params: Vec<(String, String)>,
    /// `--seed N`.
    pub seed: Option<u64>,
}

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
    /// Worth knowing; none of them stops a run.
    pub warnings: Diagnostics,
    /// The texts that spans point into.
    pub sources: Sources,
}

/// The engine's side and the kernel's side of one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PortPlan {
    /// Position in `Plan::nodes`.
    pub node: usize,
    /// Position in `NetworkPlan::hosts`.
    pub host: usize,
    /// Position in `HostPlan::interfaces`.
    pub interface: usize,
}
