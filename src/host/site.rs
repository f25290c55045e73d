//! Sockets to other sites: opened before a run gives up its rights, in the network namespace that it was started in.

use std::io;
use std::net::SocketAddr;

use super::error::{Cause, HostError};
use crate::port::site::{SitePort, way};
use crate::topology::site::Encapsulation;

/// Opens one, if the way to `peer` carries packets of `mtu` bytes with what stands before them. It takes no right.
pub(crate) fn open(
    listen: SocketAddr,
    peer: SocketAddr,
    vni: u32,
    encapsulation: Encapsulation,
    mtu: u32,
) -> Result<SitePort, HostError> {
    let doing = || format!("reach the site at {peer}");
    let way = way(listen.ip(), peer).map_err(|error| refused(doing(), listen, peer, error))?;
    if way.from == peer.ip() && listen.port() == peer.port() {
        return Err(HostError::input(doing(), "that is this very socket").cure("name the other site in `peer`"));
    }
    let overhead = encapsulation.overhead(peer.ip());
    let longest = mtu + overhead;
    if longest > way.mtu {
        let reason = format!(
            "packets of {mtu} bytes become {longest} bytes with {}, and the path there carries at most {}",
            encapsulation.words(),
            way.mtu
        );
        let fits = way.mtu.saturating_sub(overhead);
        return Err(HostError::input(doing(), reason).cure(format!(
            "write `mtu: {fits}` at the links of its network, or raise the MTU of the interface that leads there"
        )));
    }
    SitePort::open(listen, peer, vni, encapsulation).map_err(|error| refused(doing(), listen, peer, error))
}

fn refused(doing: String, listen: SocketAddr, peer: SocketAddr, error: io::Error) -> HostError {
    let error = HostError::os(doing, error);
    match error.errno {
        Some(libc::EADDRINUSE) => error.cure(format!(
            "another program has UDP port {}, such as a `vxlan` interface of this machine: name another port in `listen`, and at the other end",
            listen.port()
        )),
        Some(libc::EADDRNOTAVAIL) => HostError { cause: Cause::Input, ..error }
            .cure(format!("{} is no address of this machine: name one in `listen`", listen.ip())),
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => {
            error.cure(format!("this machine has no route there: `ip route get {}`", peer.ip()))
        }
        Some(libc::EACCES) => error.cure("run with sudo, or name a port above 1023 in `listen`"),
        _ => error,
    }
}
