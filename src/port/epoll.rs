//! Waiting with nanoseconds: epoll_pwait2 (Linux 5.11), else epoll_wait with its milliseconds.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::epoll::{Epoll, EpollEvent, EpollTimeout};

use crate::units::Duration;

/// Set once the kernel has said that it does not know epoll_pwait2.
static ONLY_MILLISECONDS: AtomicBool = AtomicBool::new(false);

/// Waits until a descriptor is ready or `timeout` is over, and returns how many are.
///
/// # Errors
/// Those of epoll_wait(2), `Interrupted` among them.
pub fn wait(epoll: &Epoll, ready: &mut [EpollEvent], timeout: Duration) -> io::Result<usize> {
    if !ONLY_MILLISECONDS.load(Ordering::Relaxed) {
        match wait_nanoseconds(epoll, ready, timeout) {
            // Seccomp filters answer EPERM for calls that they do not know.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => {
                ONLY_MILLISECONDS.store(true, Ordering::Relaxed);
            }
            other => return other,
        }
    }
    // Rounded down: the caller waits again rather than being late.
    let ms = u16::try_from(timeout.as_nanos() / 1_000_000).unwrap_or(u16::MAX);
    Ok(epoll.wait(ready, EpollTimeout::from(ms))?)
}

fn wait_nanoseconds(epoll: &Epoll, ready: &mut [EpollEvent], timeout: Duration) -> io::Result<usize> {
    let timeout = nix::sys::time::TimeSpec::from_duration(std::time::Duration::from_nanos(timeout.as_nanos()));
    let room = libc::c_int::try_from(ready.len()).unwrap_or(libc::c_int::MAX);
    // SAFETY: EpollEvent is a transparent wrapper of epoll_event, `ready` has room for `room` of them, and `timeout` lives
    // for the call. No signal mask is given, so its size does not matter.
    let n = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.0.as_raw_fd(),
            ready.as_mut_ptr().cast::<libc::epoll_event>(),
            room,
            &timeout,
            std::ptr::null::<libc::sigset_t>(),
            8usize,
        )
    };
    usize::try_from(n).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::epoll::{EpollCreateFlags, EpollFlags};
    use nix::sys::eventfd::EventFd;

    #[test]
    fn it_waits_at_least_as_long_as_asked_and_wakes_when_something_is_ready() {
        let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
        let mut ready = [EpollEvent::empty(); 4];
        let start = std::time::Instant::now();
        assert_eq!(wait(&epoll, &mut ready, Duration::from_micros(300)).unwrap(), 0);
        if !ONLY_MILLISECONDS.load(Ordering::Relaxed) {
            assert!(start.elapsed() >= std::time::Duration::from_micros(300));
        }
        let event = EventFd::from_value(1).unwrap();
        epoll.add(&event, EpollEvent::new(EpollFlags::EPOLLIN, 7)).unwrap();
        assert_eq!(wait(&epoll, &mut ready, Duration::from_secs(3600)).unwrap(), 1);
        assert_eq!(ready[0].data(), 7);
    }
}
