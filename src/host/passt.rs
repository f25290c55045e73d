//! passt, which connects to the machine's own network for a simulated one: user-space NAT over a Unix socket, without any right.
//!
//! It is started with one end of a pair of sockets (`--fd`), so there is no name in the file system that another program could find,
//! and it ends when the run's end is closed, however the run ends. Source: passt(1), of March 2023.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv6Net};
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::error::HostError;
use super::identity::Identity;
use super::sys;
use crate::topology::uplink::{GATEWAY, GUEST, PREFIXES, RESOLVER};

const DOING: &str = "reach the Internet";
/// The number that its end of the sockets has in it.
const FD: i32 = 3;
/// Who it runs as where root runs longwire: nobody, of whom nothing is (the kernel's overflow id).
const NOBODY: u32 = 65_534;
/// How long it may take until it reads what it is sent: before a run, and in the middle of one, which waits meanwhile.
pub(crate) const STARTS_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const STARTS_AGAIN_WITHIN: Duration = Duration::from_secs(1);

/// A running passt. Dropping this does not stop it; closing its socket does.
#[derive(Debug)]
pub(crate) struct Passt(Child);

impl Drop for Passt {
    fn drop(&mut self) {
        // one that has ended leaves no zombie
        let _ = self.0.try_wait();
    }
}

/// Starts it, and returns the socket to it once it reads from that. `mac`: its own address. It dies with this process.
///
/// # Errors
/// It is not installed, or cannot start here, and what it says about that.
pub(crate) fn start(mac: [u8; 6], mtu: u32, user: &Identity, within: Duration) -> Result<(OwnedFd, Passt), HostError> {
    let os = |error: io::Error| HostError::os(DOING, error);
    let (ours, theirs) = UnixStream::pair().map_err(os)?;
    let theirs = OwnedFd::from(theirs);
    let mut said = tempfile::tempfile().map_err(os)?;
    let spawn = |uid: Option<(u32, u32)>| {
        let mut command = command(mac, mtu, said.try_clone()?);
        if let Some((uid, gid)) = uid {
            command.uid(uid).gid(gid);
        }
        let (theirs, parent) = (theirs.try_clone()?, nix::unistd::getpid());
        sys::before_exec(&mut command, move || {
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            if nix::unistd::getppid() != parent {
                return Err(ErrorKind::BrokenPipe.into());
            }
            sys::pass_on(theirs.as_fd(), FD)
        });
        command.spawn()
    };
    let child = match nobody(user) {
        None => spawn(None),
        // in a user namespace with one user it stays that one, who is nobody to the machine
        Some(nobody) => match spawn(Some(nobody)) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EPERM)) => spawn(None),
            other => other,
        },
    };
    let mut child = child.map_err(|error| match error.kind() {
        ErrorKind::NotFound => HostError::lacking(DOING, "there is no `passt` in the PATH")
            .cure("install it: the package `passt` of Debian, Ubuntu, Fedora, Alpine and others"),
        _ => os(error),
    })?;
    drop(theirs);
    match reads(&ours, within) {
        Ok(true) => Ok((ours.into(), Passt(child))),
        ended => {
            let _ = child.kill();
            let _ = child.wait();
            let reason = match (ended, words(&mut said)) {
                (Err(error), _) => return Err(os(error)),
                (Ok(_), words) if words.is_empty() => "passt ended without a word".to_owned(),
                (Ok(_), words) => format!("passt says: {words}"),
            };
            Err(HostError::lacking(DOING, reason)
                .cure("it needs a default route of this machine, and to be allowed to make a user namespace"))
        }
    }
}

fn command(mac: [u8; 6], mtu: u32, stderr: File) -> Command {
    let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
    let mut command = Command::new("passt");
    command.args(["--foreground", "--stderr", "--quiet", "--fd", &FD.to_string()]);
    // what it may do: nothing but what the simulated network begins
    command.args(["--tcp-ports", "none", "--udp-ports", "none", "--no-map-gw"]);
    command.args(["--no-dhcp", "--no-dhcpv6", "--no-ra", "--mac-addr", &mac, "--mtu", &mtu.to_string()]);
    for ((guest, gateway), prefix) in GUEST.iter().zip(GATEWAY).zip(PREFIXES) {
        command.args(["--address", &guest.to_string(), "--gateway", &gateway.to_string()]);
        if guest.is_ipv4() {
            command.args(["--netmask", &prefix.to_string()]);
        }
    }
    command.args(["--dns-forward", &RESOLVER.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    command
}

/// Whom it becomes; `None` where it stays who this process is.
fn nobody(user: &Identity) -> Option<(u32, u32)> {
    match (nix::unistd::geteuid().is_root(), user.uid) {
        (false, _) => None,
        (true, 0) => Some((NOBODY, NOBODY)),
        (true, uid) => Some((uid, user.gid)),
    }
}

/// Sends a frame that means nothing, and waits until it is read, which is when all is set up. `false` where it never is.
fn reads(mut socket: &UnixStream, within: Duration) -> io::Result<bool> {
    // to nobody, of the type that IEEE 802 sets aside for experiments
    let mut frame = [0; 60];
    frame[12..14].copy_from_slice(&0x88b5_u16.to_be_bytes());
    let begin = Instant::now();
    match socket.write_all(&[&(frame.len() as u32).to_be_bytes()[..], &frame].concat()) {
        Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => return Ok(false),
        other => other?,
    }
    while begin.elapsed() < within {
        let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, PollTimeout::from(2_u8))?;
        if polled[0].revents().is_some_and(|seen| seen.intersects(PollFlags::POLLHUP | PollFlags::POLLERR)) {
            return Ok(false);
        }
        let mut unread: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (unix(7)) writes one int, which `unread` is.
        nix::errno::Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &mut unread) })?;
        if unread == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What it has said, in one line.
fn words(said: &mut File) -> String {
    let mut text = String::new();
    if said.rewind().is_err() || said.take(4_096).read_to_string(&mut text).is_err() {
        return String::new();
    }
    // it complains of each line that no system log takes
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.contains("to syslog"));
    lines.collect::<Vec<_>>().join("; ")
}

/// The machine's own addresses, as networks: of IPv6 with their neighbours, among whom its next temporary address is (RFC 8981).
///
/// # Errors
/// They cannot be read.
pub(crate) fn own_networks() -> io::Result<Vec<IpNet>> {
    let addresses = getifaddrs()?.filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
    });
    let network = |address| match address {
        IpAddr::V4(_) => IpNet::from(address),
        IpAddr::V6(v6) => Ipv6Net::new(v6, 64).expect("a prefix of at most 128").trunc().into(),
    };
    Ok(addresses.map(network).collect())
}
