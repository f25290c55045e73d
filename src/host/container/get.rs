//! One question over HTTP to a Unix socket. In HTTP/1.0, where an answer is never cut into chunks and ends with its connection
//! (RFC 9112 §6.1, §6.3).

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::super::peer::Credentials;
use super::invalid;

/// The longest answer. That about a container has 10 to 50 kB.
const MOST: usize = 16 << 20;

/// Asks for `target`; the status and the body. Every byte has come before `within` is over.
///
/// # Errors
/// Those of connecting; `TimedOut`; `InvalidData` for what is no answer, or is too long.
pub(super) fn get(path: &Path, target: &str, within: Duration) -> io::Result<(u16, Vec<u8>)> {
    let end = Instant::now() + within;
    let late = || io::Error::new(ErrorKind::TimedOut, format!("it has not answered within {} s", within.as_secs()));
    let left = || {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(late()) } else { Ok(left) }
    };
    let mut stream =
        connected(path).map_err(|error| if error.kind() == ErrorKind::WouldBlock { late() } else { error })?;
    let engine = Credentials::of(&stream)?;
    // What it says decides which process is entered, and which file is written.
    if !engine.are_trusted() {
        return Err(invalid(format!(
            "it is one of user {}, so only that user can use it: run longwire as that user",
            engine.uid
        )));
    }
    // Numbers of processes mean something in one PID namespace alone.
    if engine.pid == 0 {
        return Err(invalid(
            "it runs where longwire does not see its processes: run longwire on the machine itself".into(),
        ));
    }
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(format!("GET {target} HTTP/1.0\r\nHost: longwire\r\n\r\n").as_bytes())?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 65_536]);
    loop {
        stream.set_read_timeout(Some(left()?))?;
        match stream.read(&mut buffer) {
            Ok(0) => return parse(&answer),
            Ok(n) if answer.len() + n > MOST => {
                return Err(invalid(format!("expected an answer of at most {} MiB, found more", MOST >> 20)));
            }
            Ok(n) => answer.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(late()),
            Err(error) => return Err(error),
        }
    }
}

/// A connection; `WouldBlock` where so many wait there already that this one would have to.
fn connected(path: &Path) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

fn parse(answer: &[u8]) -> io::Result<(u16, Vec<u8>)> {
    let wrong = || invalid("what it answers is no HTTP: is it a container engine?".into());
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").ok_or_else(wrong)?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|_| wrong())?;
    let mut lines = head.split("\r\n");
    let (version, rest) = lines.next().and_then(|line| line.split_once(' ')).ok_or_else(wrong)?;
    let status = rest.get(..3).and_then(|status| status.parse().ok());
    let status = status.filter(|_| version.starts_with("HTTP/1.")).ok_or_else(wrong)?;
    let body = &answer[end + 4..];
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        match (name.trim().to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", length) if length.parse() != Ok(body.len()) => {
                return Err(invalid(format!("expected an answer of {length} bytes, found {}", body.len())));
            }
            ("transfer-encoding", coding) => {
                return Err(invalid(format!("expected an answer of HTTP/1.0, found it in `{coding}`")));
            }
            _ => {}
        }
    }
    Ok((status, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn an_answer_is_taken_apart() {
        let plain = parse(b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\n{}").unwrap();
        assert_eq!(plain, (200, b"{}".to_vec()));
        assert_eq!(parse(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}").unwrap().0, 404);
        for (answer, told) in [
            (&b""[..], "no HTTP"),
            (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
            (b"HTTP/1.0 2", "no HTTP"),
            (b"HTTP/1.0 2\r\n\r\n", "no HTTP"),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n{}", "expected an answer of 3 bytes, found 2"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", "found it in `chunked`"),
            (b"\xff\xfe\r\n\r\n", "no HTTP"),
        ] {
            let error = parse(answer).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn whoever_says_nothing_or_too_much_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let error = get(&path, "/", Duration::from_millis(50)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let floods = std::thread::spawn(move || {
            // the one that gave up, and the one that is to come
            let _first = listener.accept().unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            let block = vec![b' '; 1 << 20];
            (0..=20).take_while(|_| stream.write_all(&block).is_ok()).count()
        });
        let error = get(&path, "/", Duration::from_secs(60)).unwrap_err();
        assert!(error.to_string().contains("at most 16 MiB"), "{error}");
        assert!(floods.join().unwrap() <= 20);
    }
}
