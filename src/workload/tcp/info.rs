//! `TCP_INFO` in the units of the report.

use std::os::fd::AsFd;

use crate::host::sys;
use crate::measured::TcpInfo;

/// What the kernel says about a connection; `None` if it does not.
pub(super) fn read(socket: &impl AsFd) -> Option<TcpInfo> {
    let mut bytes = [0; 256];
    let length = sys::tcp_info(socket, &mut bytes).ok()?;
    parse(&bytes[..length])
}

/// Reads `struct tcp_info` of linux/tcp.h at its offsets, which no release moves. Fields that an older kernel lacks read
/// as zero; `None` if not even those of Linux 2.6 are there.
fn parse(bytes: &[u8]) -> Option<TcpInfo> {
    let word = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u64::from(u32::from_ne_bytes(*b)));
    let long = |at: usize| bytes.get(at..)?.first_chunk().map(|b| u64::from_ne_bytes(*b));
    let micros = |value: u64| value.saturating_mul(1000);
    let (word_or_0, long_or_0) = (|at| word(at).unwrap_or(0), |at| long(at).unwrap_or(0));
    Some(TcpInfo {
        retransmits: word(100)?,
        bytes_retransmitted: long_or_0(208),
        bytes_sent: long_or_0(200),
        bytes_acked: long_or_0(120),
        lost: word_or_0(32),
        delivered: word_or_0(192),
        delivered_ce: word_or_0(196),
        reordering_seen: word_or_0(220),
        reordering: word_or_0(88),
        dsack_duplicates: word_or_0(216),
        rtt_ns: micros(word_or_0(68)),
        rtt_variation_ns: micros(word_or_0(72)),
        // !0 says that there has been no sample.
        min_rtt_ns: word(148).filter(|v| *v != u64::from(u32::MAX)).map(micros),
        congestion_window: word_or_0(80),
        // TCP_INFINITE_SSTHRESH of net/tcp.h
        slow_start_threshold: word(76).filter(|v| *v < 0x7fff_ffff),
        receiver_window: word(228),
        segment_bytes: word_or_0(16),
        delivery_rate_bps: long_or_0(160).saturating_mul(8),
        busy_ns: micros(long_or_0(168)),
        receive_window_limited_ns: micros(long_or_0(176)),
        send_buffer_limited_ns: micros(long_or_0(184)),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_connection_over_loopback_reads_sensibly() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut out = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        out.write_all(&[1; 100_000]).unwrap();
        peer.read_exact(&mut vec![0; 100_000]).unwrap();
        peer.write_all(b"done").unwrap();
        out.read_exact(&mut [0; 4]).unwrap();
        let info = read(&out).unwrap();
        // Linux counts the SYN among the bytes acknowledged.
        assert!((100_000..=100_001).contains(&info.bytes_acked), "{info:?}");
        assert!(info.bytes_sent - info.bytes_retransmitted == 100_000, "{info:?}");
        assert!(info.rtt_ns > 0 && info.min_rtt_ns.is_some() && info.min_rtt_ns <= Some(info.rtt_ns), "{info:?}");
        assert!(info.congestion_window >= 1 && info.delivered >= 1 && info.segment_bytes >= 500, "{info:?}");
    }

    #[test]
    fn older_kernels_and_no_samples() {
        assert_eq!(parse(&[0; 103]), None);
        let mut old = [0; 104];
        old[100..104].copy_from_slice(&7u32.to_ne_bytes());
        let info = parse(&old).unwrap();
        assert_eq!((info.retransmits, info.min_rtt_ns, info.delivered), (7, None, 0));
        let mut new = [0; 232];
        new[148..152].fill(0xff);
        assert_eq!(parse(&new).unwrap().min_rtt_ns, None);
    }
}
