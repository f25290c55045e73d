//! Which sockets wait for peers in a network namespace, without connecting to any.
//!
//! Source: proc_net_tcp (Linux `Documentation/networking/proc_net_tcp.rst`): column 2 is `address:port` in hexadecimal,
//! column 4 the state, 0A for listening; a UDP socket without a peer is in state 07.

use std::fmt::Display;
use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

/// The transports whose sockets can be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP: a listening socket.
    Tcp,
    /// UDP: a bound socket.
    Udp,
}

/// Whether a socket waits at `port`, or at any, on any local address, IPv4 or IPv6. `process`: in whose network namespace, as /proc
/// names it.
pub(crate) fn listening(process: impl Display, transport: Transport, port: Option<u16>) -> io::Result<bool> {
    let (files, state) = match transport {
        Transport::Tcp => (["tcp", "tcp6"], "0A"),
        Transport::Udp => (["udp", "udp6"], "07"),
    };
    for file in files {
        match fs::read_to_string(format!("/proc/{process}/net/{file}")) {
            Ok(table) if has_socket(&table, port, state) => return Ok(true),
            Ok(_) => {}
            // A kernel without IPv6 has no table of it.
            Err(error) if error.kind() == io::ErrorKind::NotFound && file.ends_with('6') => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn has_socket(table: &str, port: Option<u16>, state: &str) -> bool {
    table.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let local = fields.next().and_then(|address| address.rsplit(':').next());
        let local = local.and_then(|text| u16::from_str_radix(text, 16).ok());
        local.is_some_and(|local| port.is_none_or(|port| port == local)) && fields.nth(1) == Some(state)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18 1
   1: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 19 1
";

    #[test]
    fn only_listening_sockets_count() {
        assert!(has_socket(TCP, Some(80), "0A"));
        assert!(!has_socket(TCP, Some(8080), "0A"), "an established connection does not listen");
        assert!(!has_socket(TCP, Some(0), "0A"), "the heading is no socket");
        assert!(!has_socket("", Some(80), "0A"));
        assert!(has_socket(TCP, None, "0A") && !has_socket(TCP, None, "07"), "any port, of the state alone");
        assert!(!has_socket(TCP.lines().next().unwrap_or(""), None, "0A"), "the heading has none");
    }

    #[test]
    fn a_listener_of_this_process_is_seen() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        assert!(listening("self", Transport::Tcp, Some(port)).expect("readable"));
        let socket = std::net::UdpSocket::bind("[::1]:0").or_else(|_| std::net::UdpSocket::bind("127.0.0.1:0"));
        let socket = socket.expect("loopback");
        let port = socket.local_addr().expect("bound").port();
        assert!(listening("self", Transport::Udp, Some(port)).expect("readable"));
        drop(socket);
        assert!(!listening("self", Transport::Udp, Some(port)).expect("readable"));
    }
}
