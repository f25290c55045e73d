//! What needs no network: scenario files, documentation, the CI kit, and commands that only read and print.

#[path = "../support/mod.rs"]
mod support;

mod architecture;
mod ci_kit;
mod compare;
mod dependencies;
mod documents;
mod packaging;
mod scenarios;
mod show;
mod show_topology;
mod version;
