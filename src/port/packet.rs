//! A packet socket on a network interface: its frames come here and nowhere else but the kernel's own stack, and frames from here leave by
//! it.
//!
//! Both ways a virtio-net header stands before each frame (`PACKET_VNET_HDR`), so super-frames pass whole. The kernel takes the outer
//! VLAN tag off what it receives and tells it beside the frame (`PACKET_AUXDATA`); it is put back here.
//!
//! Sources: packet(7); Linux `net/packet/af_packet.c`, `include/uapi/linux/if_packet.h`.
#![allow(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::frames::{Abilities, LONGEST_FRAME, LONGEST_PREFIX, Output, Received};
use super::options::{get, set, set_buffer};
use crate::frame::{FramePool, PARTS};
use crate::wire::vnet::{self, Endian, VnetHeader};

/// What waits unread at most: as many of the longest super-frames as a TAP's ring has places.
const RECEIVE_BUFFER: libc::c_int = 256 << 20;
/// What waits to be sent at most.
const SEND_BUFFER: libc::c_int = 16 << 20;
/// Where a VLAN tag stands: after both MAC addresses (IEEE 802.1Q).
const TAG_AT: usize = 12;
const TAG_LEN: usize = 4;
const TP_STATUS_VLAN_TPID_VALID: u32 = 1 << 6;
/// IEEE 802.1Q, where the kernel does not say which.
const TPID: u16 = 0x8100;

/// An open packet socket: non-blocking, close-on-exec, closed on drop. Promiscuous as long as it is open.
#[derive(Debug)]
pub struct PacketPort {
    fd: OwnedFd,
    name: String,
}

impl PacketPort {
    /// Opens the interface `name`, whose index is `index`, in the calling thread's network namespace.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_RAW over the namespace, `ENODEV` where the interface is gone; `EINVAL` where it is not Ethernet.
    pub fn open(name: &str, index: u32) -> io::Result<PacketPort> {
        let flags = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // Protocol 0: nothing comes before it is bound, and so nothing from another interface.
        // SAFETY: plain integers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, flags, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        let on: libc::c_int = 1;
        set(&fd, libc::SOL_PACKET, libc::PACKET_VNET_HDR, &on)?;
        set(&fd, libc::SOL_PACKET, libc::PACKET_AUXDATA, &on)?;
        set(&fd, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &on)?;
        set_buffer(&fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, RECEIVE_BUFFER)?;
        set_buffer(&fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, SEND_BUFFER)?;
        // SAFETY: both are plain bytes.
        let (mut address, mut member): (libc::sockaddr_ll, libc::packet_mreq) = unsafe { (zeroed(), zeroed()) };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
        address.sll_ifindex = index as i32;
        // SAFETY: the pointer and the length are those of a live address.
        let bound =
            unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size_of::<libc::sockaddr_ll>() as u32) };
        if bound != 0 {
            return Err(io::Error::last_os_error());
        }
        member.mr_ifindex = index as i32;
        member.mr_type = libc::PACKET_MR_PROMISC as u16;
        set(&fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &member)?;
        Ok(PacketPort { fd, name: name.into() })
    }

    /// Puts one together again from a descriptor that came from another process.
    pub fn from_parts(fd: OwnedFd, name: String) -> PacketPort {
        PacketPort { fd, name }
    }

    /// The descriptor and the interface's name, to send them to another process.
    pub fn into_parts(self) -> (OwnedFd, String) {
        (self.fd, self.name)
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What an interface does with what this side does not finish. The kernel refuses super-frames with a VLAN tag
    /// (`virtio_net_hdr_match_proto`), so those are cut here.
    pub const fn abilities() -> Abilities {
        Abilities { checksum: true, tso4: true, tso6: true, tso_ecn: true, uso: false, tagged: false }
    }

    /// Reads one frame into the pool.
    ///
    /// # Errors
    /// `WouldBlock` where none waits; `ENETDOWN` once when the interface goes down or away.
    pub fn receive(&self, pool: &mut FramePool) -> io::Result<Received> {
        let mut header = [0; vnet::HEADER_LEN];
        let mut tag = None;
        let mut cut = false;
        let mut frame = pool.read_into(LONGEST_FRAME, |[head, first], more| {
            let mut parts: [IoSliceMut<'_>; 1 + PARTS] = std::array::from_fn(|_| IoSliceMut::new(&mut []));
            let mut count = 0;
            let all = [&mut header[..], &mut *head, &mut *first].into_iter().chain(more.iter_mut().map(|p| &mut p[..]));
            for (part, slice) in parts.iter_mut().zip(all) {
                *part = IoSliceMut::new(slice);
                count += 1;
            }
            let got = receive(&self.fd, &mut parts[..count])?;
            let len = got.len.saturating_sub(vnet::HEADER_LEN);
            (tag, cut) = (got.tag, got.cut);
            if let Some(tag) = got.tag.filter(|_| len >= TAG_AT) {
                insert([head, first].into_iter().chain(more.iter_mut().map(|p| &mut p[..])), tag);
                return Ok(len + TAG_LEN);
            }
            Ok::<_, io::Error>(len)
        })?;
        let mut said = VnetHeader::decode(&header, Endian::Native).map_err(io::Error::other)?;
        if tag.is_some() {
            said.moved_by(TAG_LEN as u16);
        }
        let view = pool.view(&frame);
        match said.check(view.head, view.total()) {
            Ok(offload) if !cut => pool.set_offload(&mut frame, offload),
            _ => {
                pool.release(frame);
                return Ok(Received::Malformed);
            }
        }
        Ok(Received::Frame(frame))
    }

    /// Whether its interface has been deleted: the kernel unbinds the socket then (`packet_notifier`). One that is down only has not.
    pub fn is_deleted(&self) -> bool {
        // SAFETY: a sockaddr_ll is plain bytes.
        let mut address: libc::sockaddr_ll = unsafe { zeroed() };
        let mut len = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: the pointers are those of a live address and its length.
        let told = unsafe { libc::getsockname(self.fd.as_raw_fd(), (&raw mut address).cast(), &raw mut len) };
        told == 0 && address.sll_ifindex <= 0
    }

    /// Frames that found no room in the socket since this was last asked (`PACKET_STATISTICS`).
    pub fn take_dropped(&self) -> u64 {
        // struct tpacket_stats: packets, drops
        get::<2>(&self.fd, libc::SOL_PACKET, libc::PACKET_STATISTICS).map_or(0, |[_, drops]| u64::from(drops))
    }
}

impl Output for PacketPort {
    fn prefix(&mut self, vnet: VnetHeader, _: usize, prefix: &mut [u8; LONGEST_PREFIX]) -> usize {
        prefix[..vnet::HEADER_LEN].copy_from_slice(&vnet.encode(Endian::Native)[..vnet::HEADER_LEN]);
        vnet::HEADER_LEN
    }

    /// `ENETDOWN`, `ENXIO` while the interface is down or gone; `EMSGSIZE` of a frame longer than its MTU; `ENOBUFS`, `EAGAIN` where it does
    /// not send as fast.
    fn write(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let count = libc::c_int::try_from(parts.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
        // SAFETY: IoSlice has the layout of iovec (std promises it), and the slices live for the call.
        let n = unsafe { libc::writev(self.fd.as_raw_fd(), parts.as_ptr().cast(), count) };
        if n < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsFd for PacketPort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What recvmsg(2) told.
struct Got {
    len: usize,
    tag: Option<[u8; TAG_LEN]>,
    /// The frame was longer than the buffers.
    cut: bool,
}

fn receive(fd: &OwnedFd, parts: &mut [IoSliceMut<'_>]) -> io::Result<Got> {
    // Room for one `tpacket_auxdata`, aligned as a `cmsghdr` is.
    let mut control = [0_u64; 8];
    // SAFETY: a msghdr is plain integers and pointers that may be null.
    let mut message: libc::msghdr = unsafe { zeroed() };
    // IoSliceMut has the layout of iovec (std promises it).
    message.msg_iov = parts.as_mut_ptr().cast();
    // the types of the two lengths depend on the C library
    message.msg_iovlen = parts.len() as _;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: all that the header points to lives for the call.
    let len = unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, 0) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    let mut tag = None;
    // SAFETY: the kernel has filled in the control messages of this header, within `control`.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    while !next.is_null() {
        // SAFETY: a control message of this type holds a `tpacket_auxdata`, which need not be aligned.
        unsafe {
            if ((*next).cmsg_level, (*next).cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA) {
                let told: libc::tpacket_auxdata = std::ptr::read_unaligned(libc::CMSG_DATA(next).cast());
                if told.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
                    let kind = if told.tp_status & TP_STATUS_VLAN_TPID_VALID != 0 { told.tp_vlan_tpid } else { TPID };
                    let ([a, b], [c, d]) = (kind.to_be_bytes(), told.tp_vlan_tci.to_be_bytes());
                    tag = Some([a, b, c, d]);
                }
            }
            next = libc::CMSG_NXTHDR(&raw const message, next);
        }
    }
    Ok(Got { len, tag, cut: message.msg_flags & libc::MSG_TRUNC != 0 })
}

/// Puts a tag after both MAC addresses of a frame that lies in these parts, one behind the other. What follows moves by its length; the
/// last part has room for that.
fn insert<'a>(parts: impl Iterator<Item = &'a mut [u8]>, mut tag: [u8; TAG_LEN]) {
    let mut at = TAG_AT;
    for part in parts.filter(|part| part.len() >= TAG_LEN) {
        let room = part.len();
        let mut last = [0; TAG_LEN];
        last.copy_from_slice(&part[room - TAG_LEN..]);
        part.copy_within(at..room - TAG_LEN, at + TAG_LEN);
        part[at..at + TAG_LEN].copy_from_slice(&tag);
        (tag, at) = (last, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_moves_all_that_follows_it_over_the_borders_of_parts() {
        let frame: Vec<u8> = (0..60).collect();
        for border in [16, 20, 40, 56, 60] {
            let mut whole = [&frame[..], &[0; TAG_LEN]].concat();
            let (head, rest) = whole.split_at_mut(border);
            insert([head, rest].into_iter(), [0x81, 0, 0, 7]);
            assert_eq!(whole, [&frame[..TAG_AT], &[0x81, 0, 0, 7], &frame[TAG_AT..]].concat(), "{border}");
        }
    }
}
