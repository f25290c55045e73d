//! A router's advertisements (RFC 4861 §6.2): machines that longwire does not make get their IPv6 addresses by them
//! (RFC 4862), and the way out.
//!
//! All go to every node of the link, also those that answer a solicitation, as §6.2.6 allows: so a flood of solicitations
//! gets one answer every three seconds.

use ipnet::Ipv6Net;
use rand_xoshiro::rand_core::Rng as _;

use super::discovery::Around;
use super::{Router, Work};
use crate::rng::StreamKey;
use crate::units::{Duration, Instant};
use crate::wire::nd::{self, RouterAdvertisement};

use core::net::Ipv6Addr;

/// Between two advertisements at least (RFC 4861 §10, MIN_DELAY_BETWEEN_RAS).
const APART: Duration = Duration::from_secs(3);
/// A solicitation is answered so late at the most (MAX_RA_DELAY_TIME).
const ANSWER: Duration = Duration::from_millis(500);
/// The first ones come so soon one after the other (MAX_INITIAL_RTR_ADVERT_INTERVAL), and there are so many of them
/// (MAX_INITIAL_RTR_ADVERTISEMENTS).
const FIRST: (Duration, u64) = (Duration::from_secs(16), 3);
/// The later ones: a third of MaxRtrAdvInterval to the whole of it, as §6.2.1 has them by default.
const LATER: (Duration, Duration) = (Duration::from_secs(200), Duration::from_secs(600));

/// What a router advertises at one of its interfaces.
#[derive(Clone, Debug, PartialEq)]
pub struct AdvertPlan {
    /// The port: a position in [`super::RouterPlan::interfaces`].
    pub port: u32,
    /// The networks of the link. Out of those of 64 bits machines make addresses.
    pub prefixes: Vec<Ipv6Net>,
    /// Largest packet of the link.
    pub mtu: u32,
    /// Name servers.
    pub dns: Vec<Ipv6Addr>,
    /// What intervals are drawn from.
    pub random: StreamKey,
}

/// One interface that advertises.
#[derive(Debug)]
pub(super) struct Advertiser {
    plan: AdvertPlan,
    sent: u64,
    drawn: u64,
    last: Option<Instant>,
    next: Instant,
}

impl Advertiser {
    pub(super) fn new(plan: &AdvertPlan) -> Advertiser {
        Advertiser { plan: plan.clone(), sent: 0, drawn: 0, last: None, next: Instant::ZERO }
    }

    pub(super) fn port(&self) -> u32 {
        self.plan.port
    }

    pub(super) fn deadline(&self) -> Instant {
        self.next
    }

    /// A machine asks: the next one comes soon (RFC 4861 §6.2.6).
    pub(super) fn solicited(&mut self, now: Instant) {
        let soon = now + self.draw(Duration::default(), ANSWER);
        let earliest = self.last.map_or(Instant::ZERO, |last| last + APART);
        self.next = self.next.min(soon.max(earliest));
    }

    /// One has been sent: when the next one is due (RFC 4861 §6.2.4).
    fn sent(&mut self, now: Instant) {
        self.sent += 1;
        self.last = Some(now);
        let (first, count) = FIRST;
        self.next = now + if self.sent < count { first } else { self.draw(LATER.0, LATER.1) };
    }

    /// A duration from `least` to `most`, each as likely as any other.
    fn draw(&mut self, least: Duration, most: Duration) -> Duration {
        let word = self.plan.random.frame(self.drawn, 0).next_u64();
        self.drawn += 1;
        let span = most.saturating_sub(least).as_nanos() + 1;
        // the upper half of the product: a word is a fraction of 2^64
        let part = ((u128::from(word) * u128::from(span)) >> 64) as u64;
        least + Duration::from_nanos(part)
    }
}

impl Router {
    /// Interfaces at which an advertisement is due.
    pub(super) fn wake_advertisers(&mut self, work: &mut Work<'_>) {
        for at in 0..self.serving.advertisers.len() {
            if self.serving.advertisers[at].next <= work.now {
                self.advertise(work, at);
                self.serving.advertisers[at].sent(work.now);
            }
        }
    }

    fn advertise(&mut self, work: &mut Work<'_>, at: usize) {
        let Advertiser { plan, .. } = &self.serving.advertisers[at];
        let (port, interface) = (plan.port, &self.interfaces[plan.port as usize]);
        let mut message = std::mem::take(&mut self.message);
        message.clear();
        let mtu = plan.mtu.min(interface.mtu.unwrap_or(u32::MAX));
        RouterAdvertisement { mac: interface.mac, mtu, prefixes: &plan.prefixes, dns: &plan.dns }.write(&mut message);
        let dst = nd::ALL_NODES;
        let around = Around { mac: nd::group_mac(dst), src: interface.link_local, dst };
        self.send_message(work, port, around, &message);
        self.message = message;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::frame::DropCause;
    use crate::rng::Way;

    fn plan() -> AdvertPlan {
        AdvertPlan {
            port: 1,
            prefixes: vec!["fd00:0:0:1::/64".parse().unwrap()],
            mtu: 1400,
            dns: vec!["fd00::53".parse().unwrap()],
            random: StreamKey::new(7, "r.eth1", Way::Forward, "ra"),
        }
    }

    fn bench() -> Bench {
        let mut plan = Bench::plan();
        plan.advertises = vec![self::plan()];
        Bench::with(&plan)
    }

    /// A solicitation from the host 7, or from one that has no address.
    fn solicitation(src: &str, hop_limit: u8, options: &[u8]) -> Vec<u8> {
        let message = [&[133, 0, 0, 0, 0, 0, 0, 0], options].concat();
        let mut frame = with_ttl(ip_summed(src, "ff02::2", 58, &message, 2), hop_limit);
        frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 2]);
        frame[6..12].copy_from_slice(&host_mac(7).0);
        frame
    }

    fn seconds(bench: &Bench) -> f64 {
        bench.now.as_nanos() as f64 / 1e9
    }

    #[test]
    fn an_advertisement_tells_prefix_mtu_router_and_name_server() {
        let mut bench = bench();
        let (port, frame) = the_frame(&bench.wake());
        assert_eq!((port, &frame[..6], frame[21]), (1, &[0x33, 0x33, 0, 0, 0, 1][..], 255));
        assert_eq!(frame[22..38], "fe80::ff:fe00:101".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(transport_sum(&frame), 0xffff);
        let mut expected = vec![134, 0, frame[56], frame[57], 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0];
        expected.extend([1, 1, 2, 0, 0, 0, 1, 1, 5, 1, 0, 0, 0, 0, 5, 0x78]);
        expected.extend([3, 4, 64, 0xc0, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0]);
        expected.extend("fd00:0:0:1::".parse::<Ipv6Addr>().unwrap().octets());
        expected.extend([25, 3, 0, 0, 0, 0, 7, 8]);
        expected.extend("fd00::53".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(frame[54..], expected);
        // a link that carries less says so, and one too small for IPv6 nothing at all
        bench.router.set_mtu(1, Some(1300));
        let (_, frame) = the_frame(&bench.wake());
        assert_eq!(frame[54 + 24..54 + 32], [5, 1, 0, 0, 0, 0, 5, 0x14]);
        bench.router.set_mtu(1, Some(1279));
        let (_, frame) = the_frame(&bench.wake());
        assert_eq!(frame[54 + 24], 3);
    }

    #[test]
    fn the_first_come_soon_and_the_others_at_random_times() {
        let mut bench = bench();
        let mut times = Vec::new();
        for _ in 0..40 {
            let _ = the_frame(&bench.wake());
            times.push(seconds(&bench));
        }
        let gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert_eq!(gaps[..2], [16.0, 16.0]);
        assert!(gaps[2..].iter().all(|gap| (200.0..=600.0).contains(gap)), "{gaps:?}");
        let mean = gaps[2..].iter().sum::<f64>() / (gaps.len() - 2) as f64;
        // of 38 draws the mean is 400 ± 19
        assert!((330.0..470.0).contains(&mean), "{mean}");
    }

    #[test]
    fn who_asks_gets_one_soon_and_a_flood_gets_one_every_three_seconds() {
        let mut bench = bench();
        for _ in 0..3 {
            let _ = bench.wake();
        }
        bench.now += Duration::from_secs(10);
        let asked = seconds(&bench);
        for _ in 0..100 {
            let option = [1, 1, 2, 0, 0, 0, 2, 7];
            let out = bench.receive(1, &solicitation("fe80::ff:fe00:207", 255, &option));
            assert_eq!((out, bench.consumed()), (vec![], 1));
        }
        let _ = the_frame(&bench.wake());
        assert!((0.0..=0.5).contains(&(seconds(&bench) - asked)));
        let answered = seconds(&bench);
        let _ = bench.receive(1, &solicitation("::", 255, &[]));
        let _ = the_frame(&bench.wake());
        assert!((3.0..=3.5).contains(&(seconds(&bench) - answered)));
    }

    #[test]
    fn what_is_no_solicitation_gets_none() {
        let mut bench = bench();
        for (what, frame) in [
            ("a router has passed it on", solicitation("fe80::1:7", 254, &[])),
            ("an option without a length", solicitation("fe80::1:7", 255, &[1, 0, 2, 0, 0, 0, 2, 7])),
            ("who has no address says where it is", solicitation("::", 255, &[1, 1, 2, 0, 0, 0, 2, 7])),
        ] {
            assert_eq!(bench.receive(1, &frame), [Out::Dropped(DropCause::Malformed)], "{what}");
        }
        assert_eq!(
            bench.receive(0, &solicitation("fe80::1:7", 255, &[])),
            [Out::Dropped(DropCause::Unsupported)],
            "nothing is advertised there"
        );
    }
}
