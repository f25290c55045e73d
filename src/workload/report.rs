//! What the built-in workloads answer: lines of JSON on standard output, the last one with the result.

use serde::{Deserialize, Serialize};

use crate::measured::ProcessReport;

/// One line of standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A receiver is bound or listens; what is sent from now on is heard.
    Ready {
        /// The port, also where the job left it to the kernel.
        port: u16,
    },
    /// How far it is, about once a second. Left out where nobody reads fast enough.
    Progress(Progress),
    /// The result; the last line of a workload that did its job.
    Result(ProcessReport),
    /// Why there is no result, in one sentence with what to do about it; the last line, with exit code 1.
    Error(String),
}

/// How far a workload is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// When this was so.
    pub at_ns: u64,
    /// Requests or datagrams sent so far; 0 for receivers.
    pub sent: u64,
    /// Replies or datagrams received so far, each once; 0 for senders.
    pub received: u64,
    /// Bytes of payload sent or received so far.
    pub bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::Ping;

    #[test]
    fn lines_look_as_documented() {
        assert_eq!(serde_json::to_string(&Line::Ready { port: 80 }).unwrap(), r#"{"ready":{"port":80}}"#);
        assert_eq!(serde_json::to_string(&Line::Error("no".into())).unwrap(), r#"{"error":"no"}"#);
        let read: Line = serde_json::from_str(r#"{"result":{"ping":{"sent":3}}}"#).unwrap();
        assert_eq!(read, Line::Result(ProcessReport::Ping(Box::new(Ping { sent: 3, ..Ping::default() }))));
    }
}
