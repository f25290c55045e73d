//! The only users of a clock: the live loop, virtual time, workloads.

pub mod workload;
