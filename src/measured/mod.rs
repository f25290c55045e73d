//! What can be measured, and what was: typed from the process that measures to expectation, text, page and JSON.
//!
//! | file | what |
//! |---|---|
//! | `percentile` `times` | names of percentiles; a distribution of times by its parts |
//! | `ping` `udp` `tcp` `program` | what each kind of workload measures |
//! | `intervals` `losses` `gap` | the same over time; what was lost when; the longest silence |
//! | `histogram` | distributions in a few bins |
//! | `unit` | what measures are measured in |
//! | `catalogue` | the table of all measures: name, unit, where it is, how lateness of the machine changes it |
//!
//! Fields stand in the order of their names, which is the order that reports have had from the first version on. Times are in
//! nanoseconds; those called `…_at_ns` and `started_ns` are points on `CLOCK_MONOTONIC`, which all processes of a machine
//! share, so that reports can be laid side by side. `began_ns` is `started_ns` in the run's own time, from t = 0.

pub mod catalogue;
pub mod gap;
pub mod histogram;
pub mod intervals;
pub(crate) mod losses;
mod percentile;
mod ping;
mod program;
mod tcp;
mod times;
mod udp;
pub mod unit;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use gap::{Gap, Heard};
pub use histogram::Histogram;
pub use intervals::{Interval, Intervals};
pub use percentile::Percentile;
pub use ping::Ping;
pub use program::{ProgramValues, ValueUnit};
pub use tcp::{Ended, TcpInfo, TcpReceive, TcpSend};
pub use times::{Part, Times};
pub use udp::{Corrected, UdpReceive, UdpSend};
pub use unit::Unit;

/// What one process of a built-in workload measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessReport {
    /// `ping`
    Ping(Box<Ping>),
    /// `udp-send`
    UdpSend(Box<UdpSend>),
    /// `udp-receive`
    UdpReceive(Box<UdpReceive>),
    /// `tcp-send`
    TcpSend(Box<TcpSend>),
    /// `tcp-receive`
    TcpReceive(Box<TcpReceive>),
}

/// What a workload measured. Nothing where it never came to report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Measured {
    /// Numbers in a program's output.
    Program(ProgramValues),
    /// Round trips.
    Ping(Option<Box<Ping>>),
    /// A stream of datagrams.
    Udp(Box<Transfer<UdpSend, UdpReceive>>),
    /// The bytes of a connection.
    Tcp(Box<Transfer<TcpSend, TcpReceive>>),
}

/// What both ends of a stream measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transfer<S, R> {
    /// The sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<S>,
    /// The receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receiver: Option<R>,
    /// The longest time in which nothing arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
}

impl<S, R> Default for Transfer<S, R> {
    fn default() -> Transfer<S, R> {
        Transfer { sender: None, receiver: None, gap: None }
    }
}

impl Default for Measured {
    fn default() -> Measured {
        Measured::Program(ProgramValues::default())
    }
}

impl Measured {
    /// What a report has of a workload of this kind.
    ///
    /// # Errors
    /// A field has another type.
    pub fn read(kind: &str, fields: serde_json::Map<String, Value>) -> serde_json::Result<Measured> {
        let nothing = fields.is_empty();
        let fields = Value::Object(fields);
        Ok(match kind {
            "ping" if nothing => Measured::Ping(None),
            "ping" => Measured::Ping(Some(serde_json::from_value(fields)?)),
            "udp" => Measured::Udp(serde_json::from_value(fields)?),
            "tcp" => Measured::Tcp(serde_json::from_value(fields)?),
            _ => Measured::Program(serde_json::from_value(fields)?),
        })
    }

    /// Takes in what one of its processes measured.
    pub fn take(&mut self, report: ProcessReport) {
        match (self, report) {
            (Measured::Ping(ping), ProcessReport::Ping(report)) => *ping = Some(report),
            (Measured::Udp(udp), ProcessReport::UdpSend(report)) => udp.sender = Some(*report),
            (Measured::Udp(udp), ProcessReport::UdpReceive(report)) => udp.receiver = Some(*report),
            (Measured::Tcp(tcp), ProcessReport::TcpSend(report)) => tcp.sender = Some(*report),
            (Measured::Tcp(tcp), ProcessReport::TcpReceive(report)) => tcp.receiver = Some(*report),
            // a process of another workload's kind
            _ => {}
        }
    }

    /// Of a ping.
    pub fn ping(&self) -> Option<&Ping> {
        if let Measured::Ping(ping) = self { ping.as_deref() } else { None }
    }

    /// Of a stream of datagrams.
    pub fn udp(&self) -> Option<&Transfer<UdpSend, UdpReceive>> {
        if let Measured::Udp(udp) = self { Some(udp) } else { None }
    }

    /// Of a connection.
    pub fn tcp(&self) -> Option<&Transfer<TcpSend, TcpReceive>> {
        if let Measured::Tcp(tcp) = self { Some(tcp) } else { None }
    }

    /// The sender's of a stream of datagrams.
    pub fn udp_sender(&self) -> Option<&UdpSend> {
        self.udp()?.sender.as_ref()
    }

    /// The receiver's of a stream of datagrams.
    pub fn udp_receiver(&self) -> Option<&UdpReceive> {
        self.udp()?.receiver.as_ref()
    }

    /// The sender's of a connection.
    pub fn tcp_sender(&self) -> Option<&TcpSend> {
        self.tcp()?.sender.as_ref()
    }

    /// What the sender's kernel says of a connection.
    pub fn tcp_info(&self) -> Option<&TcpInfo> {
        self.tcp_sender()?.tcp.as_ref()
    }

    /// The receiver's of a connection.
    pub fn tcp_receiver(&self) -> Option<&TcpReceive> {
        self.tcp()?.receiver.as_ref()
    }

    /// Numbers in a program's output.
    pub fn values(&self) -> Option<&ProgramValues> {
        if let Measured::Program(values) = self { Some(values) } else { None }
    }

    /// The longest silence.
    pub fn gap(&self) -> Option<Gap> {
        match self {
            Measured::Program(_) => None,
            Measured::Ping(ping) => ping.as_ref()?.gap,
            Measured::Udp(udp) => udp.gap,
            Measured::Tcp(tcp) => tcp.gap,
        }
    }

    /// When what arrived, as a receiver of a stream remembers it.
    pub fn heard(&self) -> Option<&Heard> {
        match self {
            Measured::Program(_) | Measured::Ping(_) => None,
            Measured::Udp(udp) => udp.receiver.as_ref()?.heard.as_ref(),
            Measured::Tcp(tcp) => tcp.receiver.as_ref()?.heard.as_ref(),
        }
    }

    /// Takes that away, and the datagrams that a receiver kept one by one: reports do not have them.
    pub fn forget_arrivals(&mut self) {
        match self {
            Measured::Program(_) | Measured::Ping(_) => {}
            Measured::Udp(udp) => {
                udp.receiver.iter_mut().for_each(|receiver| (receiver.heard, receiver.samples) = (None, Vec::new()));
            }
            Measured::Tcp(tcp) => tcp.receiver.iter_mut().for_each(|receiver| receiver.heard = None),
        }
    }

    /// Whether a sender reacts to what arrives.
    pub fn reacts(&self) -> bool {
        matches!(self, Measured::Program(_) | Measured::Tcp(_))
    }

    /// Says in the run's own time when each part began, and when the longest silence was. `own`: from the clock that all
    /// processes share.
    pub fn tell_own_times(&mut self, own: impl Fn(u64) -> i64) {
        let gap = match self {
            Measured::Program(_) | Measured::Ping(None) => return,
            Measured::Ping(Some(ping)) => {
                ping.began_ns = ping.started_ns.take().map(&own);
                &mut ping.gap
            }
            Measured::Udp(udp) => {
                udp.sender.iter_mut().for_each(|sender| sender.began_ns = Some(own(sender.started_ns)));
                if let Some(receiver) = &mut udp.receiver {
                    receiver.began_ns = Some(own(receiver.started_ns));
                    receiver.heard.iter_mut().for_each(|heard| heard.tell_own_times(&own));
                }
                &mut udp.gap
            }
            Measured::Tcp(tcp) => {
                tcp.sender.iter_mut().for_each(|sender| sender.began_ns = Some(own(sender.started_ns)));
                if let Some(receiver) = &mut tcp.receiver {
                    receiver.began_ns = Some(own(receiver.started_ns));
                    receiver.heard.iter_mut().for_each(|heard| heard.tell_own_times(&own));
                }
                &mut tcp.gap
            }
        };
        if let Some(gap) = gap {
            [gap.from_ns, gap.to_ns] = [gap.from_ns, gap.to_ns].map(|at| own(at.unsigned_abs()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reports_read_back_as_they_were_written() {
        let interval = Interval { frames: 1, mean_ns: Some(2), ..Interval::default() };
        let udp = UdpReceive {
            sent: Some(u64::MAX),
            missing: vec![(3, 5)],
            jitter_ns: Some([(Part::Last, 1), (Part::Mean, 2)].into_iter().collect()),
            intervals: Intervals { list: vec![interval], width_ns: 1 },
            ..UdpReceive::default()
        };
        let tcp = TcpReceive { ended: Ended::Broken("reset".into()), ..TcpReceive::default() };
        for report in [ProcessReport::UdpReceive(Box::new(udp)), ProcessReport::TcpReceive(Box::new(tcp))] {
            let json = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<ProcessReport>(&json).unwrap(), report);
        }
    }

    #[test]
    fn what_was_measured_reads_back_by_its_kind() {
        let fields = |value: Value| value.as_object().unwrap().clone();
        for (kind, value) in [
            ("shell", json!({ "values": { "took": 12.5 }, "value_units": { "took": "ms" } })),
            ("shell", json!({})),
            ("ping", json!({})),
            ("udp", json!({})),
        ] {
            let measured = Measured::read(kind, fields(value.clone())).unwrap();
            let written = serde_json::to_value(&measured).unwrap();
            assert_eq!(if written.is_null() { json!({}) } else { written }, value, "{kind}");
        }
        let ping = Measured::read("ping", fields(json!({ "sent": 3, "began_ns": 5 }))).unwrap();
        assert_eq!(ping.ping().map(|ping| (ping.sent, ping.began_ns, ping.gap)), Some((3, Some(5), None)));
        assert!(Measured::read("tcp", fields(json!({ "sender": { "bytes": "many" } }))).is_err());
    }

    #[test]
    fn instants_are_told_in_the_time_of_the_run() {
        let gap = Some(Gap { from_ns: 1_050, max_ns: 20, to_ns: 1_070 });
        let mut ping = Measured::Ping(Some(Box::new(Ping { started_ns: Some(1_007), gap, ..Ping::default() })));
        ping.tell_own_times(|at| at as i64 - 1_000);
        let json = serde_json::to_value(&ping).unwrap();
        assert_eq!(
            (&json["began_ns"], &json["gap"]["from_ns"], &json["gap"]["to_ns"]),
            (&json!(7), &json!(50), &json!(70))
        );
        assert!(json.get("started_ns").is_none());
        let sender = UdpSend { started_ns: 1_003, ..UdpSend::default() };
        let mut udp = Measured::Udp(Box::new(Transfer { sender: Some(sender), receiver: None, gap: None }));
        udp.tell_own_times(|at| at as i64 - 1_000);
        assert_eq!(udp.udp_sender().map(|sender| (sender.began_ns, sender.started_ns)), Some((Some(3), 1_003)));
    }
}
