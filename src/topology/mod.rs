//! Nodes and links as a file declares them: a spec each, what groups and patterns stand for, and who is joined to whom.
//!
//! In: trees of `language`. Out: `NodeSpec`, the two `Direction`s of each link, its `ends`. Begin with `declared`, which reads both
//! sections; `node` and `link` have what may stand in them.

pub(crate) mod cloud;
pub(crate) mod compact;
pub(crate) mod declared;
pub(crate) mod ends;
pub mod expand;
pub(crate) mod external;
pub(crate) mod firewall;
pub(crate) mod link;
pub(crate) mod mac;
pub(crate) mod members;
pub(crate) mod node;
pub(crate) mod preset;
pub(crate) mod router;
pub(crate) mod segments;
pub(crate) mod site;
pub(crate) mod switch;
pub(crate) mod sysctl;
pub(crate) mod tables;
pub(crate) mod uplink;
