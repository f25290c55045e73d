//! A host of a network that is up.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ffi::OsStr;
use std::sync::Arc;

use super::Command;
use super::command::InHost;

/// A host of a network that is up: where programs run.
#[derive(Clone, Debug)]
pub struct Host {
    inner: Arc<InHost>,
    addresses: Vec<IpAddr>,
}

impl Host {
    pub(super) fn new(inner: InHost, addresses: Vec<IpAddr>) -> Host {
        Host { inner: Arc::new(inner), addresses }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// A program to be run in this host: a name to be looked for in `PATH`, or a path.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        Command::new(Arc::clone(&self.inner), program.as_ref().into())
    }

    /// A line for `sh -c`.
    pub fn shell(&self, line: &str) -> Command {
        let mut command = self.command("sh");
        command.args(["-c", line]);
        command
    }

    /// Its first address: IPv4 where it has one. A host without a link has loopback alone.
    pub fn address(&self) -> IpAddr {
        let v6 = || self.addresses.first().copied();
        self.ipv4().map(IpAddr::V4).or_else(v6).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// Its first IPv4 address.
    pub fn ipv4(&self) -> Option<Ipv4Addr> {
        self.addresses.iter().find_map(|address| if let IpAddr::V4(v4) = address { Some(*v4) } else { None })
    }

    /// Its first IPv6 address, link-local ones left out.
    pub fn ipv6(&self) -> Option<Ipv6Addr> {
        self.addresses.iter().find_map(|address| if let IpAddr::V6(v6) = address { Some(*v6) } else { None })
    }

    /// All its addresses, interface by interface, link-local ones left out.
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }
}
