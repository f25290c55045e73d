//! What no safe wrapper offers: socket options (`TCP_INFO` in its full length, `SO_MEMINFO`), real-time priority, short turns, entropy, descriptors by number.

#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// `SO_MEMINFO` of asm-generic/socket.h, which libc does not carry.
const SO_MEMINFO: libc::c_int = 55;
/// Number of words of `SO_MEMINFO` (`SK_MEMINFO_VARS` of linux/sock_diag.h).
const MEMINFO_WORDS: usize = 9;

/// Reads a socket option as bytes and returns how many the kernel wrote.
fn get_option(socket: &impl AsFd, level: libc::c_int, name: libc::c_int, into: &mut [u8]) -> Result<usize, Errno> {
    let mut len = libc::socklen_t::try_from(into.len()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `into` is writable for `len` bytes, the kernel writes at most `len` and stores the number in `len`; the
    // descriptor is open for the length of the borrow.
    let rc =
        unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), level, name, into.as_mut_ptr().cast(), &raw mut len) };
    Errno::result(rc)?;
    Ok((len as usize).min(into.len()))
}

/// Gives the calling thread a real-time priority (SCHED_FIFO, sched(7)). Programs that it starts do not inherit it.
///
/// # Errors
/// `EPERM` without CAP_SYS_NICE and beyond RLIMIT_RTPRIO.
pub fn set_fifo_priority(priority: u8) -> Result<(), Errno> {
    set_scheduler(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, priority)
}

/// Gives up what [`set_fifo_priority`] gave to the calling thread.
///
/// # Errors
/// That of sched_setscheduler(2).
pub fn set_no_priority() -> Result<(), Errno> {
    set_scheduler(libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, 0)
}

/// Gives the calling thread a real-time priority that threads which it starts inherit, to have without the right to take one.
///
/// # Errors
/// As [`set_fifo_priority`].
pub fn set_inherited_fifo_priority(priority: u8) -> Result<(), Errno> {
    set_scheduler(libc::SCHED_FIFO, priority)
}

/// Of the calling thread. By the number of the call: musl's function only fails, since POSIX means the whole process by it.
fn set_scheduler(policy: libc::c_int, priority: u8) -> Result<(), Errno> {
    // `struct sched_param` of the kernel: one number, where musl's has more
    let priority = libc::c_int::from(priority);
    // SAFETY: pid 0 is the calling thread, and the kernel reads one int, which lives for the call.
    let rc = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) };
    Errno::result(rc).map(drop)
}

/// Asks for short turns on a processor: a thread that woke runs sooner then, ahead of those with longer ones, and for no larger a share.
/// Linux takes it from 6.12 on, between 0.1 ms and 100 ms, and needs no privilege for it (sched(7), EEVDF); older ones ignore it.
///
/// # Errors
/// That of sched_setattr(2).
pub fn set_slice(slice: std::time::Duration) -> Result<(), Errno> {
    let mut attributes = std::mem::MaybeUninit::<libc::sched_attr>::zeroed();
    let size = size_of::<libc::sched_attr>() as u32;
    // SAFETY: both are writable for `size` bytes, of which the kernel writes or reads no more; 0 is the calling thread.
    unsafe {
        Errno::result(libc::syscall(libc::SYS_sched_getattr, 0, attributes.as_mut_ptr(), size, 0))?;
        let attributes = attributes.assume_init_mut();
        attributes.sched_runtime = u64::try_from(slice.as_nanos()).unwrap_or(u64::MAX);
        Errno::result(libc::syscall(libc::SYS_sched_setattr, 0, &raw const *attributes, 0)).map(drop)
    }
}

/// Has `work` done in the child that a command starts, between fork and exec. This process must have one thread, so that the
/// child may do anything.
pub fn before_exec(command: &mut Command, work: impl FnMut() -> std::io::Result<()> + Send + Sync + 'static) {
    // SAFETY: the process has one thread, so no lock is held by a thread that the child lacks.
    unsafe { command.pre_exec(work) };
}

/// Gives the child that a command starts a descriptor by this number; for [`before_exec`].
///
/// # Errors
/// That of dup2(2).
pub fn pass_on(fd: BorrowedFd<'_>, number: i32) -> std::io::Result<()> {
    // dup2 of a descriptor to itself would leave it closed at exec
    if fd.as_raw_fd() == number {
        return Ok(fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty())).map(drop)?);
    }
    // SAFETY: no Rust object of the child owns the number: what does is gone with the exec that follows.
    Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop).map_err(Into::into)
}

/// Takes over a descriptor that this program was started with, by its number. To be called before the program has opened
/// anything; programs that it starts do not get the descriptor.
///
/// # Errors
/// It is standard input, output or error, it is not open, or it is not open for writing: what was expected, and what to do.
pub fn take_inherited(fd: i32) -> Result<std::fs::File, String> {
    if fd < 3 {
        return Err(format!("expected a descriptor of its own, from 3 on, found {fd}: `--ready-fd 3 3>FILE`"));
    }
    // SAFETY: F_GETFL takes no pointer; a number that is no descriptor is an error.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        return Err(format!("descriptor {fd} is not open: open it for longwire, as a shell does by `{fd}>FILE`"));
    }
    if flags & libc::O_ACCMODE == libc::O_RDONLY {
        return Err(format!(
            "descriptor {fd} is open for reading only: open it for writing, as a shell does by `{fd}>FILE`"
        ));
    }
    // SAFETY: it is open and, since this program has opened nothing yet, nothing else here owns it.
    let file = unsafe { std::fs::File::from_raw_fd(fd) };
    // SAFETY: F_SETFD takes no pointer, and the descriptor is open.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Ok(file)
}

/// Puts bytes into the kernel's entropy pool and counts every bit of them (RNDADDENTROPY, random(4)).
///
/// # Errors
/// Only root may, and 2 KiB is the most at once.
pub fn add_entropy(bytes: &[u8; 64]) -> Result<(), Errno> {
    /// `struct rand_pool_info` of linux/random.h, with its bytes.
    #[repr(C)]
    struct Pool {
        entropy_count: libc::c_int,
        buf_size: libc::c_int,
        buf: [u8; 64],
    }
    /// `_IOW('R', 0x03, int[2])`.
    const RNDADDENTROPY: libc::Ioctl = 0x4008_5203;
    let device = std::fs::File::options().write(true).open("/dev/urandom");
    let device = device.map_err(|error| error.raw_os_error().map_or(Errno::EIO, Errno::from_raw))?;
    let pool = Pool { entropy_count: 512, buf_size: 64, buf: *bytes };
    // SAFETY: the kernel reads a rand_pool_info with `buf_size` bytes behind it, which `pool` is; the descriptor is open.
    let rc = unsafe { libc::ioctl(device.as_raw_fd(), RNDADDENTROPY, &raw const pool) };
    Errno::result(rc).map(drop)
}

/// The kernel's `struct tcp_info` (linux/tcp.h) of a TCP socket as bytes, as long as this kernel makes it, and never
/// longer than `into`. Later kernels append fields; offsets never move.
pub fn tcp_info(socket: &impl AsFd, into: &mut [u8]) -> Result<usize, Errno> {
    get_option(socket, libc::IPPROTO_TCP, libc::TCP_INFO, into)
}

/// Datagrams that this socket itself has dropped since it was made: its receive buffer was full, or their checksum was
/// wrong. The value is current, where `SO_RXQ_OVFL` only tells it with the next datagram that gets in.
pub fn socket_drops(socket: &impl AsFd) -> Result<u32, Errno> {
    let mut bytes = [0; MEMINFO_WORDS * 4];
    let len = get_option(socket, libc::SOL_SOCKET, SO_MEMINFO, &mut bytes)?;
    let at = libc::SK_MEMINFO_DROPS as usize * 4;
    match bytes.get(at..at + 4) {
        Some(word) if len >= at + 4 => Ok(u32::from_ne_bytes([word[0], word[1], word[2], word[3]])),
        _ => Err(Errno::ENOPROTOOPT),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn tcp_info_has_the_bytes_that_were_acknowledged() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut out = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_peer, _) = listener.accept().unwrap();
        out.write_all(&[7; 1000]).unwrap();
        let mut info = [0; 256];
        let len = tcp_info(&out, &mut info).unwrap();
        assert!(len >= 232, "{len}");
        let sent = u64::from_ne_bytes(info[200..208].try_into().unwrap());
        assert!(sent >= 1000 && sent.is_multiple_of(1000), "tcpi_bytes_sent, repetitions included: {sent}");
        assert_eq!(tcp_info(&out, &mut info[..8]), Ok(8), "never more than asked for");
        assert!(tcp_info(&UdpSocket::bind("127.0.0.1:0").unwrap(), &mut info).is_err());
    }

    #[test]
    fn a_full_receive_buffer_counts_its_drops() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::RcvBuf, &1).unwrap();
        assert_eq!(socket_drops(&socket), Ok(0));
        let out = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            out.send_to(&[0; 1000], socket.local_addr().unwrap()).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 2000];
        let mut received = 0;
        // A busy kernel may hand datagrams over a little later.
        while received + socket_drops(&socket).unwrap() < 100 {
            received += u32::from(socket.recv(&mut buffer).is_ok());
        }
        assert!(received > 0 && received < 100);
        assert_eq!(socket_drops(&socket), Ok(100 - received));
    }
}
