//! The first line of both sides: `longwire VERSION`. Its form never changes, so that every version understands it, whatever
//! comes behind it.

use std::io::{self, Read, Write};

/// This version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

const WORD: &str = "longwire ";
/// A version is shorter.
const LONGEST: usize = 128;

/// What the other side greeted with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Nothing: it closed the connection.
    Closed,
    /// A version.
    Version(String),
    /// Something else, as from before there were greetings.
    Other,
}

/// Greets.
pub(super) fn send(mut stream: impl Write) -> io::Result<()> {
    stream.write_all(format!("{WORD}{VERSION}\n").as_bytes())
}

/// What has come of the other side's greeting.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    line: Vec<u8>,
}

impl Incoming {
    /// Takes in the greeting, and not a byte more.
    ///
    /// # Errors
    /// Those of reading. Where no more can be read for now, what came is kept for the next call.
    pub(super) fn receive(&mut self, mut stream: impl Read) -> io::Result<Greeting> {
        let line = &mut self.line;
        loop {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(0) if line.is_empty() => return Ok(Greeting::Closed),
                Ok(0) => return Ok(Greeting::Other),
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => line.extend(byte),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset && line.is_empty() => {
                    return Ok(Greeting::Closed);
                }
                Err(error) => return Err(error),
            }
            if line.len() > LONGEST || !WORD.as_bytes().starts_with(&line[..line.len().min(WORD.len())]) {
                return Ok(Greeting::Other);
            }
        }
        let version = std::str::from_utf8(line).ok().and_then(|line| line.strip_prefix(WORD));
        let is_plain = |version: &&str| !version.is_empty() && version.chars().all(|c| c.is_ascii_graphic());
        Ok(version.filter(is_plain).map_or(Greeting::Other, |version| Greeting::Version(version.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(stream: impl Read) -> io::Result<Greeting> {
        Incoming::default().receive(stream)
    }

    #[test]
    fn a_greeting_in_pieces_is_kept_until_it_is_whole() {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut incoming = Incoming::default();
        for piece in ["longw", "ire 1.2"] {
            theirs.write_all(piece.as_bytes()).unwrap();
            assert_eq!(incoming.receive(&ours).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
        theirs.write_all(b".3\n").unwrap();
        assert_eq!(incoming.receive(&ours).unwrap(), Greeting::Version("1.2.3".into()));
    }

    #[test]
    fn the_first_line_is_the_version_and_its_form_stays() {
        let mut line = Vec::new();
        send(&mut line).unwrap();
        // the form that versions to come understand: it never changes
        assert_eq!(String::from_utf8(line.clone()).unwrap(), format!("longwire {}\n", env!("CARGO_PKG_VERSION")));
        let mut rest = &[&line[..], b"more"].concat()[..];
        assert_eq!(receive(&mut rest).unwrap(), Greeting::Version(VERSION.into()));
        assert_eq!(rest, b"more", "not a byte is taken of what follows");
        assert_eq!(receive(&b"longwire 99.0.0-rc.1+x\n"[..]).unwrap(), Greeting::Version("99.0.0-rc.1+x".into()));
    }

    #[test]
    fn everything_else_is_no_version() {
        // a message of the time before greetings: two lengths first
        let old = [&20_u32.to_ne_bytes()[..], &0_u32.to_ne_bytes(), b"{\"refused\":\"because\"}"].concat();
        let long = [b"longwire ", &[b'1'; 1000][..]].concat();
        for other in [&old[..], &long, b"longwire", b"longwire \n", b"longwire 1 2\n", b"longwire \x1b[2J\n", b"x"] {
            assert_eq!(receive(other).unwrap(), Greeting::Other, "{other:?}");
        }
        assert_eq!(receive(&b""[..]).unwrap(), Greeting::Closed);
    }
}
