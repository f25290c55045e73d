//! Carries connections from the machine on, inside a host: its standard input is a socket that listens outside.
//!
//! A socket stays in the network namespace in which it was made, so this process takes connections there and makes others here.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::BorrowedFd;
use std::thread;
use std::time::Duration;

/// How long it waits when the machine has run out of something.
const PAUSE: Duration = Duration::from_millis(100);

/// Carries connections on to the address that is the job, for as long as the run lasts; returns an exit code if it cannot.
pub(super) fn main(job: &str, input: BorrowedFd<'_>) -> i32 {
    let Ok(to) = serde_json::from_str::<SocketAddr>(job) else { return 1 };
    let Ok(listener) = input.try_clone_to_owned().map(TcpListener::from) else { return 1 };
    loop {
        match listener.accept() {
            Ok((outside, _)) => {
                // one that cannot be carried on is closed, as if nobody listened
                let _ = thread::Builder::new().spawn(move || carry(outside, to));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn carry(outside: TcpStream, to: SocketAddr) -> io::Result<()> {
    let inside = TcpStream::connect(to)?;
    inside.set_nodelay(true)?;
    outside.set_nodelay(true)?;
    let (from, into) = (outside.try_clone()?, inside.try_clone()?);
    let there = thread::Builder::new().spawn(move || one_way(&from, &into))?;
    one_way(&inside, &outside);
    // it ends when its side does
    let _ = there.join();
    Ok(())
}

/// To the end of one direction, which the other side is told; the other direction goes on.
fn one_way(mut from: &TcpStream, mut to: &TcpStream) {
    if io::copy(&mut from, &mut to).is_err() {
        let _ = from.shutdown(Shutdown::Both);
    }
    let _ = to.shutdown(Shutdown::Write);
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
        // nobody listens inside: whoever comes is sent away
        drop(inside);
        let mut late = TcpStream::connect(port).unwrap();
        assert!(late.read(&mut [0]).is_ok_and(|n| n == 0) || late.read(&mut [0]).is_err());
    }
}
