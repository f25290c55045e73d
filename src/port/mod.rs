//! How frames enter and leave the engine: one kind of port a file.
//!
//! Begin with [`Port`], which all kinds have in common. `frames` carries frames between a port and the pool.

pub mod clock_offset;
pub mod datagram;
pub mod epoll;
pub mod frames;
mod options;
pub mod packet;
pub mod path;
pub mod site;
pub mod stream;
pub mod tap;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::frame::{FramePool, FrameView};
use datagram::DatagramPort;
use frames::{Received, Sent};
use packet::PacketPort;
use site::SitePort;
use stream::StreamPort;
use tap::TapPort;

/// An open port of a host.
#[derive(Debug)]
pub enum Port {
    /// A TAP.
    Tap(TapPort),
    /// A network interface.
    Packet(PacketPort),
    /// A connection to a virtual machine.
    Stream(StreamPort),
    /// Datagrams to a virtual machine.
    Datagram(DatagramPort),
    /// A socket to another site.
    Site(SitePort),
}

impl Port {
    /// Reads one frame into the pool.
    ///
    /// # Errors
    /// `WouldBlock` where none waits; one for which [`Port::is_end`] holds when there will be no more.
    pub fn receive(&mut self, pool: &mut FramePool) -> io::Result<Received> {
        match self {
            Port::Tap(tap) => frames::receive(tap, pool),
            Port::Packet(packet) => packet.receive(pool),
            Port::Stream(stream) => stream.receive(pool),
            Port::Datagram(socket) => socket.receive(pool),
            Port::Site(site) => site.receive(pool),
        }
    }

    /// Writes a run of wire frames.
    pub fn send(&mut self, view: FrameView<'_>) -> Sent {
        match self {
            Port::Tap(tap) => frames::send(tap, tap.abilities(), view),
            Port::Packet(packet) => frames::send(packet, PacketPort::abilities(), view),
            Port::Stream(stream) => frames::send(stream, frames::Abilities::default(), view),
            Port::Datagram(socket) => frames::send(socket, frames::Abilities::default(), view),
            Port::Site(site) => frames::send(site, frames::Abilities::default(), view),
        }
    }

    /// Whether an error of [`Port::receive`] means that this port is of no use any more.
    pub fn is_end(&self, error: &io::Error) -> bool {
        match self {
            Port::Tap(_) => tap::is_deleted(error),
            Port::Packet(packet) => packet.is_deleted(),
            Port::Stream(_) => true,
            Port::Datagram(_) | Port::Site(_) => false,
        }
    }

    /// Why there will be no more frames, once [`Port::is_end`] has said so.
    pub fn ended(&self) -> String {
        match self {
            Port::Tap(tap) => format!("`{}` was deleted", tap.info().name),
            Port::Packet(packet) => format!("`{}` was deleted", packet.name()),
            Port::Stream(_) => "the other side has closed the connection".into(),
            Port::Datagram(_) => "the virtual machine has closed its socket".into(),
            Port::Site(site) => format!("the socket to {} was closed", site.peer()),
        }
    }

    /// Whether a whole frame has been read from the kernel and not been taken by [`Port::receive`]: the descriptor does not become
    /// readable for it.
    pub fn has_frame(&self) -> bool {
        matches!(self, Port::Stream(stream) if stream.has_frame())
    }

    /// Whether frames, or a part of one, wait for room in the kernel: the descriptor should be watched for being writable.
    pub fn has_rest(&self) -> bool {
        match self {
            Port::Stream(stream) => stream.has_rest(),
            Port::Datagram(socket) => socket.has_rest(),
            Port::Tap(_) | Port::Packet(_) | Port::Site(_) => false,
        }
    }

    /// Writes what waits for room, as far as there is any.
    pub fn flush(&mut self) {
        match self {
            Port::Stream(stream) => stream.flush(),
            Port::Datagram(socket) => socket.flush(),
            Port::Tap(_) | Port::Packet(_) | Port::Site(_) => {}
        }
    }

    /// Frames that found no room on their way in since this was last asked, where the port itself knows that.
    pub fn take_dropped(&mut self) -> u64 {
        match self {
            Port::Packet(packet) => packet.take_dropped(),
            Port::Site(site) => site.take_dropped(),
            Port::Tap(_) | Port::Stream(_) | Port::Datagram(_) => 0,
        }
    }

    /// What the port of another site has counted by itself.
    pub fn tunnel(&self) -> Option<&site::Counted> {
        if let Port::Site(site) = self { Some(site.counted()) } else { None }
    }

    /// What the port of another site has measured of the path there.
    pub fn measured_path(&self) -> Option<path::Measured> {
        if let Port::Site(site) = self { site.measured() } else { None }
    }

    /// Whether [`Port::tick`] has something to do.
    pub fn has_ticks(&self) -> bool {
        matches!(self, Port::Site(site) if site.is_measuring())
    }

    /// Whether the delay of its link includes the path that its frames took to it.
    pub fn includes_path(&self) -> bool {
        matches!(self, Port::Site(site) if site.includes_path())
    }

    /// Does what is to be done every few milliseconds, whether frames come or not.
    pub fn tick(&mut self) {
        if let Port::Site(site) = self {
            site.tick();
        }
    }

    /// Shows the host a carrier, or none. What is behind a socket cannot be shown one.
    ///
    /// # Errors
    /// `EINVAL` of a TAP before Linux 5.0; `EOPNOTSUPP` of a socket.
    pub fn set_carrier(&self, on: bool) -> io::Result<()> {
        match self {
            Port::Tap(tap) => tap.set_carrier(on),
            Port::Packet(_) | Port::Stream(_) | Port::Datagram(_) | Port::Site(_) => {
                Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
            }
        }
    }

    /// The TAP, if it is one.
    pub fn into_tap(self) -> Option<TapPort> {
        if let Port::Tap(tap) = self { Some(tap) } else { None }
    }

    /// The offloads that its host may use, by their names in the report.
    pub fn offloads(&self) -> Vec<&'static str> {
        match self {
            Port::Tap(tap) => tap.info().offloads.iter().map(|offload| offload.name()).collect(),
            Port::Packet(_) | Port::Stream(_) | Port::Datagram(_) | Port::Site(_) => Vec::new(),
        }
    }
}

impl AsFd for Port {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Port::Tap(tap) => tap.as_fd(),
            Port::Packet(packet) => packet.as_fd(),
            Port::Stream(stream) => stream.as_fd(),
            Port::Datagram(socket) => socket.as_fd(),
            Port::Site(site) => site.as_fd(),
        }
    }
}
