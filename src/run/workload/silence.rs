//! The longest time in which nothing of a stream arrived, while its sender was active.

use crate::measured::{Measured, TcpReceive, TcpSend, Transfer, UdpReceive, UdpSend};

/// Says how long it was, from what the receiver of a stream remembers of its arrivals.
pub(super) fn reckon(measured: &mut Measured) {
    match measured {
        Measured::Program(_) | Measured::Ping(_) => {}
        Measured::Udp(udp) => {
            let heard = udp.receiver.as_ref().and_then(|receiver| receiver.heard.as_ref());
            udp.gap = heard.zip(datagrams(udp)).map(|(heard, (from, to))| heard.longest(from, to));
        }
        Measured::Tcp(tcp) => {
            let heard = tcp.receiver.as_ref().and_then(|receiver| receiver.heard.as_ref());
            tcp.gap = heard.zip(connection(tcp)).map(|(heard, (from, to))| heard.longest(from, to));
        }
    }
}

/// From the first datagram to the last as they were sent, later by the quickest transit.
fn datagrams(udp: &Transfer<UdpSend, UdpReceive>) -> Option<(u64, u64)> {
    let sender = udp.sender.as_ref().filter(|sender| sender.sent > 0)?;
    let delay = udp.receiver.as_ref().and_then(|receiver| receiver.delay_ns.as_ref());
    let from = sender.started_ns.saturating_add(delay.map_or(0, |delay| delay.min()));
    Some((from, from.saturating_add(sender.duration_ns)))
}

/// From the accepted connection to the last byte; where not all arrived, until the sender gave up.
fn connection(tcp: &Transfer<TcpSend, TcpReceive>) -> Option<(u64, u64)> {
    let (sender, receiver) = (tcp.sender.as_ref()?, tcp.receiver.as_ref()?);
    let gave_up = sender.started_ns + sender.connect_ns + sender.duration_ns;
    Some((receiver.accepted_at_ns?, receiver.last_at_ns.filter(|_| sender.complete).unwrap_or(gave_up)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::measured::Gap;

    fn gap(kind: &str, sender: Value, receiver: Value) -> Option<Gap> {
        let fields = json!({ "sender": sender, "receiver": receiver });
        let mut measured = Measured::read(kind, fields.as_object().expect("a map").clone()).expect("fields");
        reckon(&mut measured);
        measured.gap()
    }

    fn found(max_ns: u64, from_ns: i64) -> Option<Gap> {
        Some(Gap { from_ns, max_ns, to_ns: from_ns + max_ns as i64 })
    }

    #[test]
    fn a_stream_is_heard_later_by_its_quickest_transit() {
        let sender = json!({ "started_ns": 1000, "duration_ns": 500, "sent": 6 });
        let receiver = json!({ "delay_ns": { "min": 50 }, "heard": { "first": 1050, "last": 1350,
            "silences": [[1050, 1150], [1150, 1350]] } });
        assert_eq!(gap("udp", sender.clone(), receiver), found(200, 1150));
        let nothing = json!({ "heard": { "first": null, "last": null, "silences": [] } });
        assert_eq!(gap("udp", sender, nothing.clone()), found(500, 1000));
        assert_eq!(gap("udp", json!({ "started_ns": 1000, "duration_ns": 0, "sent": 0 }), nothing), None);
    }

    #[test]
    fn a_connection_is_active_until_its_last_byte_or_until_the_sender_gave_up() {
        let receiver = json!({ "accepted_at_ns": 100, "last_at_ns": 300, "heard": { "first": 110, "last": 300,
            "silences": [[110, 300]] } });
        let sender =
            |complete: bool| json!({ "started_ns": 50, "connect_ns": 40, "duration_ns": 900, "complete": complete });
        assert_eq!(gap("tcp", sender(true), receiver.clone()), found(190, 110));
        assert_eq!(gap("tcp", sender(false), receiver), found(690, 300));
        let none = json!({ "accepted_at_ns": null, "heard": { "first": null, "last": null, "silences": [] } });
        assert_eq!(gap("tcp", sender(false), none), None);
    }
}
