//! Live runs: real hosts and TAPs by the machine's own clock. They take turns, see `support`.

#[path = "../support/mod.rs"]
mod support;

mod capture;
mod cli;
mod compose;
mod confined;
mod containers;
mod control;
mod documents;
mod endings;
mod fat_tree;
mod hostile;
mod hosts;
mod kills;
mod leftovers;
mod machine;
mod memory;
mod network;
mod offload;
mod on_up;
mod path;
mod pcapng;
mod ports;
mod report;
mod sites;
mod soak;
mod stops;
mod suite;
mod timeline;
mod uplink;
mod vm;
mod wire;
mod with;
