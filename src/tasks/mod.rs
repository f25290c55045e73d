//! What a file asks to be done: services, workloads, timeline, expectations, live changes. Checked whole, every name resolved.
//!
//! Out: [`resolved::Resolved`], a scenario that may run. Begin with `asked`, which reads all sections in their order.

pub(crate) mod asked;
pub(crate) mod awaited;
pub mod capture;
pub(crate) mod check;
pub(crate) mod detour;
pub mod expect;
pub mod forward;
pub(crate) mod patience;
pub(crate) mod reach;
pub mod resolved;
pub mod route;
pub mod series;
pub mod set;
pub mod sim;
pub mod spec;
pub mod timeline;
pub mod timing;
pub(crate) mod transit;
pub mod validity;
pub(crate) mod waits;
pub(crate) mod ways;
pub(crate) mod words;
pub(crate) mod workload;
