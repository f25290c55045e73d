//! TAP devices: how a host's frames reach this process, and how the engine's frames reach the host.
//!
//! A TAP is made in the network namespace of the thread that opens it and stays there, whoever holds the descriptor. It
//! vanishes with its last descriptor. Everything but opening (MAC, MTU, ring, addresses) is done over netlink, by `host`.
//!
//! Sources: Linux `Documentation/networking/tuntap.rst`, `drivers/net/tun.c`; virtio 1.2 §5.1.6 for the header.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use serde::{Deserialize, Serialize};
use tun_rs::{DeviceBuilder, Layer};

use super::frames::{Abilities, LONGEST_PREFIX, Output};
use crate::wire::vnet::{self, Endian, VnetHeader};

/// Frames that a TAP's ring holds at least between two drains. A stall of tens of milliseconds at 100,000 frames/s fits; a full
/// ring drops without telling the sender.
pub const RING_FRAMES: u32 = 4_096;

/// The queue length to ask for. The ring frees its places in batches of two cache lines of pointers (ptr_ring.h), 16 places
/// with lines of 64 bytes and 64 with 256, so that many may be taken by frames that have been read.
pub const QUEUE_LENGTH: u32 = RING_FRAMES + 64;

/// What stands before each frame on the descriptor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framing {
    /// Nothing: one read or write is one wire frame, with finished checksums.
    #[default]
    Plain,
    /// The 10-byte `virtio_net_hdr`: a read may be a super-frame of up to 64 KiB, a checksum may be left to finish.
    VirtioNet,
}

impl Framing {
    /// Bytes before the Ethernet header on every read and write.
    pub const fn header_len(self) -> usize {
        match self {
            Framing::Plain => 0,
            Framing::VirtioNet => 10,
        }
    }
}

/// Work that the host's kernel may leave to this side of the TAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offload {
    /// Checksums are left unfinished.
    Checksum,
    /// TCP over IPv4 comes as super-frames.
    Tso4,
    /// TCP over IPv6 comes as super-frames.
    Tso6,
    /// TCP super-frames may carry CWR.
    TsoEcn,
    /// UDP over IPv4 and IPv6 comes as super-frames (Linux 6.2). The kernel takes both or none.
    Uso,
}

impl Offload {
    /// All of them, in the order in which the ladder gives them up last.
    pub const ALL: [Offload; 5] = [Offload::Checksum, Offload::Tso4, Offload::Tso6, Offload::TsoEcn, Offload::Uso];

    /// The name that reports use.
    pub const fn name(self) -> &'static str {
        match self {
            Offload::Checksum => "checksum",
            Offload::Tso4 => "TSO4",
            Offload::Tso6 => "TSO6",
            Offload::TsoEcn => "TSO_ECN",
            Offload::Uso => "USO",
        }
    }

    const fn flags(self) -> libc::c_uint {
        match self {
            Offload::Checksum => libc::TUN_F_CSUM,
            Offload::Tso4 => libc::TUN_F_TSO4,
            Offload::Tso6 => libc::TUN_F_TSO6,
            Offload::TsoEcn => libc::TUN_F_TSO_ECN,
            Offload::Uso => libc::TUN_F_USO4 | libc::TUN_F_USO6,
        }
    }
}

/// The ladder of offloads, best first: each rung is one kind less than the one above.
const LADDER: [&[Offload]; 5] = [
    &Offload::ALL,
    &[Offload::Checksum, Offload::Tso4, Offload::Tso6, Offload::TsoEcn],
    &[Offload::Checksum, Offload::Tso4, Offload::Tso6],
    &[Offload::Checksum],
    &[],
];

/// What is known about an open TAP besides its descriptor; it travels beside the descriptor between processes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TapInfo {
    /// The interface's name inside its namespace.
    pub name: String,
    /// What stands before each frame.
    pub framing: Framing,
    /// The offloads that the kernel granted.
    pub offloads: Vec<Offload>,
}

/// An open TAP: non-blocking, close-on-exec, closed on drop.
#[derive(Debug)]
pub struct TapPort {
    fd: OwnedFd,
    info: TapInfo,
    abilities: Abilities,
}

impl TapPort {
    /// Makes the TAP `name` in the calling thread's network namespace, or takes it where it exists and is free.
    ///
    /// # Errors
    /// `ENOENT` without /dev/net/tun, `EACCES` where the device or a persistent TAP belongs to somebody else, `EPERM`
    /// without CAP_NET_ADMIN over the namespace, `EBUSY` where another process holds that TAP, `EINVAL` where the name
    /// belongs to an interface of another kind or is not an interface's name.
    pub fn open(name: &str, framing: Framing) -> io::Result<TapPort> {
        // tun-rs would try to make the device node; nothing may be left behind in the file system.
        if !std::fs::exists("/dev/net/tun")? {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        }
        // The kernel would read '%d' as a template.
        if !is_interface_name(name) {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let device = DeviceBuilder::new()
            .name(name)
            .layer(Layer::L2)
            .packet_information(false)
            .offload(framing == Framing::VirtioNet)
            .inherit_enable_state()
            .build_sync()?;
        device.set_nonblocking(true)?;
        // SAFETY: the descriptor was just given up by `device`, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(device.into_raw_fd()) };
        let offloads = match framing {
            Framing::Plain => Vec::new(),
            Framing::VirtioNet => climb_down(&fd)?,
        };
        Ok(TapPort::from_parts(fd, TapInfo { name: name.into(), framing, offloads }))
    }

    /// Puts a TAP together again from a descriptor that came from another process.
    pub fn from_parts(fd: OwnedFd, info: TapInfo) -> TapPort {
        let has = |offload| info.offloads.contains(&offload);
        let abilities = Abilities {
            checksum: has(Offload::Checksum),
            tso4: has(Offload::Tso4),
            tso6: has(Offload::Tso6),
            tso_ecn: has(Offload::TsoEcn),
            uso: has(Offload::Uso),
            tagged: true,
        };
        TapPort { fd, info, abilities }
    }

    /// The descriptor and what is known about it, to send them to another process.
    pub fn into_parts(self) -> (OwnedFd, TapInfo) {
        (self.fd, self.info)
    }

    /// What is known about it.
    pub fn info(&self) -> &TapInfo {
        &self.info
    }

    /// How long the header is that stands before each frame.
    pub fn header_len(&self) -> usize {
        self.info.framing.header_len()
    }

    /// What its host can finish by itself.
    pub fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Reads one frame, header first where there is one.
    ///
    /// # Errors
    /// `WouldBlock` where none waits; `EBADFD` when the interface has been deleted.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the pointer and the length are those of one live, writable slice.
        let n = unsafe { libc::read(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// Reads one frame into several buffers, each taking what those before it have no room for.
    ///
    /// # Errors
    /// Those of [`TapPort::read`].
    pub fn read_parts(&self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let count = libc::c_int::try_from(parts.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: IoSliceMut has the layout of iovec (std promises it), and the slices live for the call.
        let n = unsafe { libc::readv(self.fd.as_raw_fd(), parts.as_mut_ptr().cast(), count) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// Writes one frame from its parts, header first where there is one.
    ///
    /// # Errors
    /// `EIO` while the interface is down; `EINVAL` for a frame shorter than an Ethernet header.
    pub fn write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let count = libc::c_int::try_from(parts.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: IoSlice has the layout of iovec (std promises it), and the slices live for the call.
        let n = unsafe { libc::writev(self.fd.as_raw_fd(), parts.as_ptr().cast(), count) };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    /// Shows the host a carrier, or none: `NO-CARRIER` in `ip link`. Its addresses and routes stay.
    ///
    /// # Errors
    /// `EINVAL` before Linux 5.0, which has no `TUNSETCARRIER`.
    pub fn set_carrier(&self, on: bool) -> io::Result<()> {
        let on = libc::c_int::from(on);
        // SAFETY: TUNSETCARRIER reads one int through the pointer, which is that of a live one; the descriptor is open.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETCARRIER, &raw const on) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Whether its interface has been deleted. One that was moved to another network namespace has not.
    pub fn is_deleted(&self) -> bool {
        self.flags().is_err_and(|error| is_deleted(&error))
    }

    /// Whether somebody has made its interface to stay: `ip tuntap add`. One that was made by being opened vanishes with its last
    /// descriptor.
    pub fn is_persistent(&self) -> bool {
        self.flags().is_ok_and(|flags| flags & libc::IFF_PERSIST != 0)
    }

    /// What the kernel says of its interface (`tun_flags` in drivers/net/tun.c).
    fn flags(&self) -> io::Result<libc::c_int> {
        // SAFETY: an ifreq is plain bytes.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        // SAFETY: TUNGETIFF writes one ifreq through the pointer, which is that of a live one; the descriptor is open.
        if unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNGETIFF, &raw mut request) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has written the flags, and any bytes are some.
        Ok(libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags }))
    }

    /// Which offloads the kernel knows, asked one by one; leaves none switched on.
    ///
    /// # Errors
    /// Those of `TUNSETOFFLOAD` other than "not known".
    pub fn known_offloads(&self) -> io::Result<Vec<Offload>> {
        let mut known = Vec::new();
        for offload in Offload::ALL {
            // Segmentation is only accepted with checksums, TSO_ECN only with TSO (tun.c, set_offload).
            let mut flags = offload.flags() | libc::TUN_F_CSUM;
            if offload == Offload::TsoEcn {
                flags |= libc::TUN_F_TSO4 | libc::TUN_F_TSO6;
            }
            if set_offload(&self.fd, flags)? {
                known.push(offload);
            }
        }
        set_offload(&self.fd, 0)?;
        Ok(known)
    }
}

impl Output for TapPort {
    fn prefix(&mut self, vnet: VnetHeader, _: usize, prefix: &mut [u8; LONGEST_PREFIX]) -> usize {
        if self.header_len() > 0 {
            prefix[..vnet::HEADER_LEN].copy_from_slice(&vnet.encode(Endian::Native)[..vnet::HEADER_LEN]);
        }
        self.header_len()
    }

    /// EIO: the host took its interface down; EINVAL: shorter than an Ethernet header. Both are the host's own doing.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        TapPort::write(self, parts).map(drop)
    }
}

impl AsFd for TapPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether the kernel takes `name` literally as an interface's name: 1 to 15 bytes, no '/', ':', '%' or white space
/// (net/core/dev.c, dev_valid_name), and neither "." nor "..".
pub fn is_interface_name(name: &str) -> bool {
    (1..16).contains(&name.len())
        && name != "."
        && name != ".."
        && !name.bytes().any(|b| matches!(b, b'/' | b':' | b'%' | 0) || b.is_ascii_whitespace())
}

/// Whether a TAP answers so because its interface was deleted: the descriptor will never do anything any more (`tun_get`
/// in drivers/net/tun.c). One that was moved to another network namespace goes on as ever.
pub fn is_deleted(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBADFD)
}

/// Takes the highest rung of the ladder that the kernel grants.
fn climb_down(fd: &OwnedFd) -> io::Result<Vec<Offload>> {
    for rung in LADDER {
        let flags = rung.iter().fold(0, |flags, offload| flags | offload.flags());
        if set_offload(fd, flags)? {
            return Ok(rung.to_vec());
        }
    }
    Err(io::Error::from_raw_os_error(libc::EINVAL))
}

/// Sets the offload mask; `false` where the kernel does not know one of the flags.
fn set_offload(fd: &OwnedFd, flags: libc::c_uint) -> io::Result<bool> {
    // SAFETY: TUNSETOFFLOAD takes its argument by value; the descriptor is open.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(flags)) };
    if result == 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::EINVAL) { Ok(false) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rung_of_the_ladder_is_a_smaller_set_and_the_last_is_empty() {
        for pair in LADDER.windows(2) {
            assert!(pair[1].len() < pair[0].len());
            assert!(pair[1].iter().all(|offload| pair[0].contains(offload)));
        }
        assert!(LADDER[LADDER.len() - 1].is_empty());
    }

    #[test]
    fn names_that_the_kernel_would_not_take_literally_are_refused() {
        for good in ["eth0", "a", "wlan0.100", "fifteen-bytes-x"] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in ["", "tap%d", "a/b", "a b", "a:1", "sixteen-bytes-xx", ".", "..", "a\n"] {
            assert!(!is_interface_name(bad), "{bad:?}");
            let error = TapPort::open(bad, Framing::Plain).expect_err("refused");
            assert!(matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOENT)), "{error}");
        }
    }
}
