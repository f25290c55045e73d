//! Why a built-in workload could not do its job, and what to do about it.

use nix::errno::Errno;

/// What ends a built-in workload without a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no workload of that name.
    #[error(
        "there is no built-in workload `{0}`: the built-in ones are ping, udp-send, udp-receive, tcp-send, tcp-receive"
    )]
    Unknown(String),
    /// The job's JSON does not read.
    #[error("the job of `{workload}` does not read: {reason}")]
    Job {
        /// The workload's name.
        workload: String,
        /// What the reader says, with the place in the JSON.
        reason: String,
    },
    /// A field of the job has a value that cannot be carried out.
    #[error("`{field}`: {reason}")]
    Value {
        /// The field.
        field: &'static str,
        /// What is wrong with it and what to write instead.
        reason: String,
    },
    /// The kernel refused something that the job needs.
    #[error("{what}: {}: {cure}", .errno.desc())]
    System {
        /// What was tried.
        what: String,
        /// What the kernel said.
        errno: Errno,
        /// What to do about it.
        cure: String,
    },
    /// Standard input carried a line that is no control line.
    #[error("unknown control line `{0}`: write `finish` or `sent N`")]
    Control(String),
    /// Nobody reads standard output any more, or it cannot be written.
    #[error("standard output is gone: {}", .0.desc())]
    Output(Errno),
}

impl Error {
    /// An error of a field's value.
    pub(super) fn value(field: &'static str, reason: impl Into<String>) -> Error {
        Error::Value { field, reason: reason.into() }
    }

    /// For `map_err`: what was tried, and the cure.
    pub(super) fn system(what: impl Into<String>, cure: impl Into<String>) -> impl FnOnce(Errno) -> Error {
        let (what, cure) = (what.into(), cure.into());
        move |errno| Error::System { what, errno, cure }
    }

    /// For `map_err` where only a lack of resources, or a kernel without the call, makes it fail.
    pub(super) fn resources(what: impl Into<String>) -> impl FnOnce(Errno) -> Error {
        Error::system(what, "free descriptors or memory, or raise their limits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_was_tried_what_failed_and_what_to_do() {
        let error = Error::system("binding to interface `eth9`", "name an interface of this host")(Errno::ENODEV);
        assert_eq!(error.to_string(), "binding to interface `eth9`: No such device: name an interface of this host");
        assert_eq!(Error::value("size", "10 bytes is too small").to_string(), "`size`: 10 bytes is too small");
    }
}
