//! The engine by its public interface, from frames in to frames out. Time is an argument: no test here needs an operating system.

#[path = "../support/conservation.rs"]
mod conservation;

mod cloud;
mod compare;
mod large_networks;
mod overload;
mod properties;
mod replay;
mod routers;
mod routing;
mod timeline;
