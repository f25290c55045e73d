//! YAML text → spec (spans kept) → check (all errors at once) → plan.

mod address;
mod address_text;
mod argv;
mod build;
pub mod capture;
mod cloud;
mod compact;
mod computed;
mod de;
mod detour;
pub mod expand;
pub mod expect;
pub mod files;
mod firewall;
mod gateways;
mod gather;
mod hosts;
mod hosts_file;
mod link;
mod listing;
mod load;
mod mac;
pub mod matrix;
mod merge;
mod mtus;
mod names;
pub mod neighbour_table;
mod neighbours;
pub mod network;
mod node;
mod own;
mod params;
mod parse;
mod patience;
mod presets;
mod reach;
mod read;
mod realm;
mod router;
#[cfg(test)]
mod router_tests;
mod schema;
mod segments;
pub mod series;
pub mod set;
pub mod sim;
mod spanned;
pub mod spec;
mod switch;
mod sysctl;
mod tables;
mod tasks;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod timing;
mod topology;
mod transit;
pub mod tree;
pub mod validity;
mod waits;
mod ways;
mod workload;

use serde::Serialize;

use crate::diag::{Diagnostics, Sources, Span};
use crate::engine::Plan;

pub use detour::Detour;
pub use expand::{Group, GroupKind, Groups};
pub use files::{FileKind, Files, MemoryFiles, Once};
pub use listing::listing;
pub use load::{load, load_combination};
pub use matrix::Matrix;
pub use network::NetworkPlan;
pub use schema::schema;
pub use spec::Scenario;
pub use validity::ValiditySpec;

/// What the command line says beside the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--param NAME=TEXT`, in order; the last of a name counts.
    pub params: Vec<(String, String)>,
    /// `--seed N`.
    pub seed: Option<u64>,
    /// It is to run in virtual time: what cannot is an error, and trains are not held together.
    pub virtual_time: bool,
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
    /// What the values of each link came from, in the order of `plan.links`.
    pub links: Vec<ResolvedLink>,
    /// What changes at which time, in the order of time.
    pub timeline: Vec<timeline::Step>,
    /// What should hold.
    pub expectations: Vec<expect::Expectation>,
    /// Workloads that pass a router with NAT over IPv6, which is not translated.
    pub detours: Vec<Detour>,
    /// The files that it was read from, tables among them, as they were then.
    pub files: MemoryFiles,
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

/// A link with what its values came from.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedLink {
    /// Its name.
    pub name: String,
    /// Where its name stands.
    pub span: Span,
    /// Its ends as they are shown: `alice.wlan0`, `ap`.
    pub ends: [String; 2],
    /// All layers of each direction merged: from the first end to the second, and back.
    pub directions: [tree::Node; 2],
}
