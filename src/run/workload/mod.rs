//! Workloads: programs and built-in traffic, run inside the hosts.
