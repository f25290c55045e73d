//! Where the standard streams of programs in hosts lead.

use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};

use super::{Error, ErrorKind};

/// Where a standard stream of a program leads, as in [`std::process::Stdio`].
#[derive(Debug)]
pub enum Stdio {
    /// To /dev/null.
    Null,
    /// To where this process's own leads.
    Inherit,
    /// To a pipe whose other end is in the [`Child`](crate::Child).
    Piped,
    /// To an open file, pipe or socket. It is used up by the program that is started next; after that, [`Stdio::Null`].
    To(OwnedFd),
}

/// Which of the three streams.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    In,
    Out,
    Err,
}

/// The program's end, and this process's end of a pipe.
pub(super) enum Ends {
    None(OwnedFd),
    Reads(OwnedFd, PipeReader),
    Writes(OwnedFd, PipeWriter),
}

impl Stdio {
    /// Opens both ends.
    pub(super) fn open(&mut self, stream: Stream) -> Result<Ends, Error> {
        let failed =
            |error| Error::new(ErrorKind::Machine, format!("cannot open a program's standard streams: {error}"));
        let null = || File::options().read(true).write(true).open("/dev/null").map(OwnedFd::from);
        match std::mem::replace(self, Stdio::Null) {
            Stdio::Null => null().map(Ends::None).map_err(failed),
            Stdio::To(fd) => Ok(Ends::None(fd)),
            Stdio::Inherit => {
                *self = Stdio::Inherit;
                let own = match stream {
                    Stream::In => std::io::stdin().as_fd().try_clone_to_owned(),
                    Stream::Out => std::io::stdout().as_fd().try_clone_to_owned(),
                    Stream::Err => std::io::stderr().as_fd().try_clone_to_owned(),
                };
                own.map(Ends::None).map_err(failed)
            }
            Stdio::Piped => {
                *self = Stdio::Piped;
                let (reader, writer) = std::io::pipe().map_err(failed)?;
                Ok(match stream {
                    Stream::In => Ends::Writes(reader.into(), writer),
                    Stream::Out | Stream::Err => Ends::Reads(writer.into(), reader),
                })
            }
        }
    }
}

impl From<File> for Stdio {
    fn from(file: File) -> Stdio {
        Stdio::To(file.into())
    }
}

impl From<OwnedFd> for Stdio {
    fn from(fd: OwnedFd) -> Stdio {
        Stdio::To(fd)
    }
}

impl From<PipeReader> for Stdio {
    fn from(pipe: PipeReader) -> Stdio {
        Stdio::To(pipe.into())
    }
}

impl From<PipeWriter> for Stdio {
    fn from(pipe: PipeWriter) -> Stdio {
        Stdio::To(pipe.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn a_pipe_leads_the_right_way_and_may_be_opened_again() {
        let mut piped = Stdio::Piped;
        for _ in 0..2 {
            let Ok(Ends::Reads(theirs, mut ours)) = piped.open(Stream::Out) else { panic!("a reader") };
            File::from(theirs).write_all(b"said").unwrap();
            let mut text = String::new();
            ours.read_to_string(&mut text).unwrap();
            assert_eq!(text, "said");
        }
        assert!(matches!(piped.open(Stream::In), Ok(Ends::Writes(..))));
    }

    #[test]
    fn a_descriptor_is_used_up() {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut to = Stdio::from(writer);
        let Ok(Ends::None(theirs)) = to.open(Stream::Out) else { panic!("no end here") };
        drop(theirs);
        let mut text = Vec::new();
        File::from(OwnedFd::from(reader)).read_to_end(&mut text).unwrap();
        assert!(text.is_empty());
        assert!(matches!(to, Stdio::Null));
    }
}
