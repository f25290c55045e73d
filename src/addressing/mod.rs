//! Segments, addresses, gateways and routes: from declared nodes and links to the plan of the engine and the plan of the hosts.
//!
//! In: what `topology` declares. Out: [`network::NetworkPlan`] and the plan of the engine. Begin with `build`.

pub(crate) mod address;
pub(crate) mod build;
pub(crate) mod firewall;
pub(crate) mod gateways;
pub(crate) mod hosts;
pub(crate) mod hosts_file;
pub(crate) mod mtus;
pub(crate) mod names;
pub mod neighbour_table;
pub(crate) mod neighbours;
pub mod network;
pub(crate) mod own;
pub(crate) mod realm;
pub(crate) mod serving;
pub(crate) mod sites;
