//! Sockets of the workloads: addresses, devices, and what the kernel's refusals mean.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SetSockOpt, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, SockaddrLike,
    SockaddrStorage, bind, connect, getsockname, getsockopt, send, setsockopt, socket, sockopt,
};

use super::error::Error;

/// The family of an address.
pub(super) fn family(ip: IpAddr) -> AddressFamily {
    if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// Opens a socket that never blocks.
pub(super) fn open(family: AddressFamily, kind: SockType, protocol: Option<SockProtocol>) -> Result<OwnedFd, Errno> {
    socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, protocol)
}

/// Sets an option; `what` and `cure` are for the error.
pub(super) fn set<O: SetSockOpt>(fd: &OwnedFd, option: O, value: &O::Val, what: &str, cure: &str) -> Result<(), Error> {
    setsockopt(fd, option, value).map_err(Error::system(what, cure))
}

/// The full address of `ip` and `port`; a link-local one gets the scope of `interface`.
pub(super) fn address(ip: IpAddr, port: u16, interface: Option<&str>) -> Result<SocketAddr, Error> {
    match ip {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => {
            let Some(name) = interface else {
                return Err(Error::value("interface", format!("{v6} is link-local: name the interface that it is on")));
            };
            let scope = if_nametoindex(name).map_err(no_interface(name))?;
            Ok(SocketAddrV6::new(v6, port, 0, scope).into())
        }
        _ => Ok(SocketAddr::new(ip, port)),
    }
}

fn no_interface(name: &str) -> impl FnOnce(Errno) -> Error {
    Error::system(format!("using interface `{name}`"), "name an interface of this host, as `ip link` shows them there")
}

/// Ties a socket to an interface, if one is named.
pub(super) fn bind_to_interface(fd: &OwnedFd, interface: Option<&str>) -> Result<(), Error> {
    let Some(name) = interface else { return Ok(()) };
    setsockopt(fd, sockopt::BindToDevice, &OsString::from(name)).map_err(no_interface(name))
}

/// Binds a socket that sends to `to`: to the interface and the source address that were asked for.
pub(super) fn bind_sender(
    fd: &OwnedFd,
    to: IpAddr,
    interface: Option<&str>,
    source: Option<IpAddr>,
) -> Result<(), Error> {
    bind_to_interface(fd, interface)?;
    let Some(source) = source else { return Ok(()) };
    if source.is_ipv4() != to.is_ipv4() {
        return Err(Error::value(
            "source",
            format!("{source} and {to} are not of one family: give addresses that are"),
        ));
    }
    let local = SockaddrStorage::from(address(source, 0, interface)?);
    bind(fd.as_raw_fd(), &local).map_err(Error::system(
        format!("using source address {source}"),
        "give an address of this host, as `ip address` shows them there",
    ))
}

/// Opens and binds a receiver's socket: on one address, or on all of IPv6 and IPv4 (of IPv4 where there is no IPv6).
pub(super) fn open_receiver(
    kind: SockType,
    at: Option<IpAddr>,
    port: u16,
    interface: Option<&str>,
) -> Result<OwnedFd, Error> {
    let try_at = |ip: IpAddr| -> Result<OwnedFd, Error> {
        let fd = open(family(ip), kind, None).map_err(Error::resources("opening a socket"))?;
        bind_to_interface(&fd, interface)?;
        if kind == SockType::Stream {
            set(&fd, sockopt::ReuseAddr, &true, "setting SO_REUSEADDR", "report this")?;
        }
        if ip == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            set(&fd, sockopt::Ipv6V6Only, &false, "clearing IPV6_V6ONLY", "give the address to `bind` to")?;
        }
        let local = SockaddrStorage::from(address(ip, port, interface)?);
        bind(fd.as_raw_fd(), &local).map_err(Error::system(
            format!("binding to {}", SocketAddr::new(ip, port)),
            "give an address of this host and a port that is free there",
        ))?;
        Ok(fd)
    };
    match at {
        Some(ip) => try_at(ip),
        None => try_at(Ipv6Addr::UNSPECIFIED.into()).or_else(|_| try_at(Ipv4Addr::UNSPECIFIED.into())),
    }
}

/// The port that a socket is bound to.
pub(super) fn port(fd: &OwnedFd) -> Result<u16, Error> {
    let local: SockaddrStorage = getsockname(fd.as_raw_fd()).map_err(Error::resources("asking for the port"))?;
    let port = match local.family() {
        Some(AddressFamily::Inet) => local.as_sockaddr_in().map(SockaddrIn::port),
        _ => local.as_sockaddr_in6().map(SockaddrIn6::port),
    };
    Ok(port.unwrap_or(0))
}

/// Gives a receiver the largest buffer there is up to `bytes`, above the host's limit if it may. Returns what it got.
pub(super) fn receive_buffer(fd: &OwnedFd, bytes: usize) -> usize {
    // Neither may fail the workload: what was got is in the report, and drops are counted.
    if setsockopt(fd, sockopt::RcvBufForce, &bytes).is_err() {
        let _ = setsockopt(fd, sockopt::RcvBuf, &bytes);
    }
    getsockopt(fd, sockopt::RcvBuf).unwrap_or(0)
}

/// A socket for datagrams to one peer. It connects when it can, so that it hears what ICMP has to say, and keeps trying
/// as long as there is no route: a link that is down now may come up.
#[derive(Debug)]
pub(super) struct Peer {
    fd: OwnedFd,
    to: SockaddrStorage,
    connected: bool,
    /// Errors by their text.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Peer {
    pub(super) fn new(fd: OwnedFd, to: SocketAddr) -> Peer {
        Peer { fd, to: to.into(), connected: false, errors: BTreeMap::new() }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.fd.as_fd()
    }

    /// Counts an error.
    pub(super) fn note(&mut self, errno: Errno) {
        *self.errors.entry(errno.desc().to_owned()).or_default() += 1;
    }

    /// Sends one datagram. An error that an earlier one left behind (ICMP) is counted and does not cost this one its
    /// turn. `stamp` writes the send time, right before each try.
    pub(super) fn send(&mut self, datagram: &mut [u8], mut stamp: impl FnMut(&mut [u8])) -> Result<(), Errno> {
        if !self.connected {
            match connect(self.fd.as_raw_fd(), &self.to) {
                Ok(()) => self.connected = true,
                Err(errno) => {
                    stamp(datagram);
                    self.note(errno);
                    return Err(errno);
                }
            }
        }
        let mut retried = false;
        loop {
            stamp(datagram);
            match send(self.fd.as_raw_fd(), datagram, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(errno @ (Errno::EAGAIN | Errno::ENOBUFS)) => return Err(errno),
                Err(errno) => {
                    self.note(errno);
                    if retried {
                        return Err(errno);
                    }
                    retried = true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_without_an_address_hears_both_families() {
        let fd = open_receiver(SockType::Datagram, None, 0, None).unwrap();
        let port = port(&fd).unwrap();
        assert_ne!(port, 0);
        let out = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        out.send_to(b"x", ("127.0.0.1", port)).unwrap();
        let mut fds = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&fd), nix::poll::PollFlags::POLLIN)];
        assert_eq!(nix::poll::poll(&mut fds, 5000u16), Ok(1));
    }

    #[test]
    fn refusals_name_the_field_and_the_cure() {
        let fd = open(AddressFamily::Inet, SockType::Datagram, None).unwrap();
        let to = IpAddr::from([127, 0, 0, 1]);
        let error = bind_sender(&fd, to, Some("nosuchif0"), None).unwrap_err().to_string();
        assert!(error.contains("`nosuchif0`") && error.contains("ip link"), "{error}");
        let error = bind_sender(&fd, to, None, Some(IpAddr::from([192, 0, 2, 1]))).unwrap_err().to_string();
        assert!(error.contains("192.0.2.1") && error.contains("ip address"), "{error}");
        let error = bind_sender(&fd, to, None, Some("::1".parse().unwrap())).unwrap_err().to_string();
        assert!(error.contains("family"), "{error}");
        let error = address("fe80::1".parse().unwrap(), 1, None).unwrap_err().to_string();
        assert!(error.contains("link-local"), "{error}");
        assert_eq!(address("fe80::1".parse().unwrap(), 1, Some("lo")).unwrap().to_string(), "[fe80::1%1]:1");
    }

    #[test]
    fn a_port_in_use_is_told() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        let error = open_receiver(SockType::Stream, Some(IpAddr::from([127, 0, 0, 1])), port, None);
        assert!(error.unwrap_err().to_string().contains(&format!("127.0.0.1:{port}")));
    }

    #[test]
    fn an_error_of_an_earlier_datagram_does_not_cost_the_next() {
        let closed = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = closed.local_addr().unwrap();
        drop(closed);
        let mut peer = Peer::new(open(AddressFamily::Inet, SockType::Datagram, None).unwrap(), to);
        let mut stamps = 0;
        for _ in 0..3 {
            peer.send(&mut [0; 10], |_| stamps += 1).unwrap();
        }
        assert_eq!(peer.errors.get("Connection refused"), Some(&2));
        assert_eq!(stamps, 5, "a repeated try is stamped anew");
    }
}
