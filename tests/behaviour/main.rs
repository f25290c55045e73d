//! What real programs meet on emulated networks, by what their kernels and the report say. In virtual time where there is a kernel for
//! it: no machine is too slow there, so PASS is demanded.

#[path = "../support/mod.rs"]
mod support;

mod aqm;
mod demo;
mod endings;
mod expect;
mod firewall;
mod hosts;
mod html;
mod isolation;
mod nat;
mod network;
mod programs;
mod reset;
mod routing;
mod timeline;
mod traceroute;
mod vlan;
mod with;
mod workloads;
