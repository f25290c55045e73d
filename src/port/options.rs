//! Options of sockets that no library names.
#![allow(unsafe_code)]

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

/// Sets an option whose value the kernel reads as it lies in memory: an integer, or a structure of C.
pub(super) fn set<T>(socket: impl AsFd, level: libc::c_int, option: libc::c_int, value: &T) -> io::Result<()> {
    let (fd, len) = (socket.as_fd().as_raw_fd(), size_of::<T>() as u32);
    // SAFETY: the pointer and the length are those of a live value.
    let result = unsafe { libc::setsockopt(fd, level, option, std::ptr::from_ref(value).cast(), len) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the size of a buffer. More than the machine's limit takes CAP_NET_ADMIN over the machine; otherwise it is that limit.
pub(super) fn set_buffer(
    socket: impl AsFd,
    forced: libc::c_int,
    usual: libc::c_int,
    size: libc::c_int,
) -> io::Result<()> {
    let socket = socket.as_fd();
    set(socket, libc::SOL_SOCKET, forced, &size).or_else(|_| set(socket, libc::SOL_SOCKET, usual, &size))
}

/// Reads an option of plain integers; what the kernel does not fill in stays zero.
pub(super) fn get<const N: usize>(socket: impl AsFd, level: libc::c_int, option: libc::c_int) -> io::Result<[u32; N]> {
    let mut value = [0; N];
    let mut len = size_of::<[u32; N]>() as u32;
    // SAFETY: the kernel writes at most `len` bytes through the pointer, which is that of a live array; any bytes are integers.
    let result =
        unsafe { libc::getsockopt(socket.as_fd().as_raw_fd(), level, option, value.as_mut_ptr().cast(), &raw mut len) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}
