//! longwire: a network emulator and simulator linked through TAP.
//!
//! Real hosts (network namespaces, containers, machines) connect through TAP devices into a simulated topology, which
//! applies latency, loss and bandwidth models from scenario files before it delivers their frames.
//!
//! # Layers
//!
//! Arrows run downwards only: a layer uses those above it in this list, never those below. `tests/layering.rs` holds it.
//!
//! | layer | what lives there |
//! |---|---|
//! | [`units`] [`diag`] | quantities and their text; what a user did wrong, and where |
//! | [`rng`] | random streams: one generator a frame and model |
//! | [`frame`] | frames as trains of wire frames, and the pool that holds their bytes |
//! | [`wire`] | the formats on the wire: slices in, no I/O |
//! | [`model`] [`queue`] [`node`] | one impairment, queue discipline or node kind a file |
//! | [`engine`] | the simulated network: no clock, no OS, no I/O |
//! | [`profile`] | named link presets, each number with its source |
//! | [`scenario`] | YAML text → spec → check → plan |
//! | [`port`] [`host`] | how frames enter and leave; namespaces, addresses, processes (homes of `unsafe`) |
//! | [`record`] | what a run leaves behind: report, event log; what `show` draws |
//! | [`run`] | the only users of a clock: the live loop, workloads, control socket |
//! | [`api`] | networks from Rust: what this page begins with |
//! | [`cli`] | the command line, one file a subcommand; the only place that prints |

pub mod api;
pub mod cli;
pub mod diag;
pub mod engine;
pub mod frame;
pub mod host;
pub mod model;
pub mod node;
pub mod port;
pub mod profile;
pub mod queue;
pub mod record;
pub mod rng;
pub mod run;
pub mod scenario;
pub mod units;
pub mod wire;

pub use api::{Child, Command, Error, ErrorKind, Host, Network, Setup, Stdio, scenario, skip, unsupported, up};
pub use record::Report;
