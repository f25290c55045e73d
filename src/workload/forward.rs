//! Relays TCP connections of the machine, inside a host: its standard input is a socket that listens outside.
//!
//! A socket stays in the network namespace in which it was made, so this process takes connections there and makes others here.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};

/// How long it waits when the machine has run out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a connection inside may take to stand: the kernel would try for two minutes over a link that is down.
const STANDS_WITHIN: Duration = Duration::from_secs(10);
/// Connections at a time. Whoever comes then is sent away.
const MOST: usize = 1_024;

/// Relays connections to the address that is the job, for as long as the run lasts; returns an exit code if it cannot.
pub(super) fn main(job: &str, input: BorrowedFd<'_>) -> i32 {
    let Ok(to) = serde_json::from_str::<SocketAddr>(job) else { return 1 };
    let Ok(listener) = input.try_clone_to_owned().map(TcpListener::from) else { return 1 };
    let open = Arc::new(());
    loop {
        match listener.accept() {
            // each connection holds one of these
            Ok(_) if Arc::strong_count(&open) > MOST => {}
            Ok((outside, _)) => {
                let held = Arc::clone(&open);
                // one that cannot be relayed is closed, as if nobody listened
                let _ = thread::Builder::new().spawn(move || {
                    let _ = relay(outside, to);
                    drop(held);
                });
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn relay(outside: TcpStream, to: SocketAddr) -> io::Result<()> {
    let inside = TcpStream::connect_timeout(&to, STANDS_WITHIN)?;
    inside.set_nodelay(true)?;
    outside.set_nodelay(true)?;
    let (from, into) = (outside.try_clone()?, inside.try_clone()?);
    let cut = Arc::new(AtomicBool::new(false));
    let other = Arc::clone(&cut);
    let there = thread::Builder::new().spawn(move || one_way(&from, &into, &other))?;
    one_way(&inside, &outside, &cut);
    // it ends when its side does
    let _ = there.join();
    Ok(())
}

/// To the end of one direction, which the other side is told; the other direction goes on. A connection that is reset on one side is
/// reset on both: what was cut off must not look complete.
fn one_way(mut from: &TcpStream, mut to: &TcpStream, cut: &AtomicBool) {
    if io::copy(&mut from, &mut to).is_err() {
        cut.store(true, Ordering::SeqCst);
        for side in [from, to] {
            // the close that follows resets it
            let _ = setsockopt(side, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 });
            // and the other direction stops reading
            let _ = side.shutdown(Shutdown::Read);
        }
    } else if !cut.load(Ordering::SeqCst) {
        let _ = to.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn both_directions_and_their_ends_are_carried_on() {
        let (outside, inside) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
        let (port, job) =
            (outside.local_addr().unwrap(), serde_json::to_string(&inside.local_addr().unwrap()).unwrap());
        thread::spawn(move || main(&job, outside.as_fd()));
        let mut client = TcpStream::connect(port).unwrap();
        client.write_all(b"question").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let (mut server, _) = inside.accept().unwrap();
        let mut text = String::new();
        server.read_to_string(&mut text).unwrap();
        server.write_all(b"answer").unwrap();
        drop(server);
        text.push(' ');
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "question answer");
        // a transfer that is cut off is no whole one
        let mut client = TcpStream::connect(port).unwrap();
        client.write_all(b"question").unwrap();
        let (mut server, _) = inside.accept().unwrap();
        server.read_exact(&mut [0; 8]).unwrap();
        setsockopt(&server, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 }).unwrap();
        drop(server);
        assert_eq!(client.read(&mut [0]).map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionReset));
        // nobody listens inside: whoever comes is sent away
        drop(inside);
        let mut late = TcpStream::connect(port).unwrap();
        assert!(late.read(&mut [0]).is_ok_and(|n| n == 0) || late.read(&mut [0]).is_err());
    }
}
