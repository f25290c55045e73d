//! Rules in order, state, counts, answers; and that no bytes do harm.

use proptest::prelude::*;
use serde_json::json;

use super::testing::{error, icmp_v4, tcp, udp, with_packet};
use super::*;
use crate::frame::FramePool;
use crate::model::form::from_json;
use crate::units::Duration;
use crate::wire::gso::GsoKind;
use crate::wire::testing::{Train, real_frames};
use crate::wire::vnet::{Endian, VnetHeader};

const A: [u8; 4] = [10, 0, 0, 1];
const B: [u8; 4] = [10, 0, 1, 1];
const SYN_ACK: Flags = Flags(0x12);

fn rule(name: &str, action: Policy, matches: Match) -> RulePlan {
    RulePlan { name: name.into(), action, matches }
}

fn port(protocol: &str, port: u16) -> Match {
    Match { protocol: from_json(json!(protocol)).unwrap(), port: from_json(json!(port)).unwrap(), ..Match::default() }
}

fn firewall(default: Policy, rules: Vec<RulePlan>) -> Firewall {
    Firewall::new(&FirewallPlan { default, rules, timeouts: Timeouts::default(), limit: 100 })
}

fn at(firewall: &mut Firewall, ns: u64, frame: &[u8]) -> Action {
    with_packet(frame, |packet| firewall.check(Instant::from_nanos(ns), packet))
}

fn check(firewall: &mut Firewall, frame: &[u8]) -> Action {
    at(firewall, 0, frame)
}

fn frames(firewall: &Firewall) -> Vec<(String, u64)> {
    firewall.counts().map(|count| (count.rule.to_owned(), count.counted.frames)).collect()
}

#[test]
fn the_first_rule_that_matches_decides() {
    let narrow = || rule("web", Policy::Allow, port("tcp", 80));
    let wide = || rule("all", Policy::Drop, Match::default());
    let web = tcp(A, 4000, B, 80, Flags::SYN);
    assert_eq!(check(&mut firewall(Policy::Drop, vec![narrow(), wide()]), &web), Action::Allow);
    assert_eq!(check(&mut firewall(Policy::Allow, vec![wide(), narrow()]), &web), Action::Drop);
    assert_eq!(check(&mut firewall(Policy::Drop, vec![]), &web), Action::Drop);
    assert_eq!(check(&mut firewall(Policy::Allow, vec![]), &web), Action::Allow);
}

#[test]
fn replies_to_what_was_allowed_pass_and_nothing_else_does() {
    let mut wall = firewall(Policy::Drop, vec![rule("web", Policy::Allow, port("tcp", 80))]);
    assert_eq!(check(&mut wall, &tcp(B, 80, A, 4000, SYN_ACK)), Action::Drop);
    assert_eq!(check(&mut wall, &tcp(A, 4000, B, 80, Flags::SYN)), Action::Allow);
    assert_eq!(check(&mut wall, &tcp(B, 80, A, 4000, SYN_ACK)), Action::Allow);
    assert_eq!(check(&mut wall, &tcp(B, 80, A, 4001, SYN_ACK)), Action::Drop);
    assert_eq!(check(&mut wall, &tcp(B, 4000, A, 4000, Flags::SYN)), Action::Drop);
    let quoted = tcp(A, 4000, B, 80, Flags::ACK);
    assert_eq!(check(&mut wall, &error([10, 0, 9, 9], A, 11, 0, &quoted)), Action::Allow);
    assert_eq!(check(&mut wall, &icmp_v4(A, B, 8, 1)), Action::Drop);
    let counted = |name: &str, n| (name.to_owned(), n);
    assert_eq!(frames(&wall), [counted("web", 1), counted("replies", 2), counted("default", 4)]);
}

#[test]
fn rules_about_replies_come_before_that() {
    let state = |names| Match { state: from_json(names).unwrap(), ..Match::default() };
    let rules = vec![
        rule("deaf", Policy::Drop, state(json!(["established", "related"]))),
        rule("open", Policy::Allow, state(json!("new"))),
    ];
    let mut wall = firewall(Policy::Drop, rules);
    assert_eq!(check(&mut wall, &udp(A, 4000, B, 53)), Action::Allow);
    assert_eq!(check(&mut wall, &udp(B, 53, A, 4000)), Action::Drop);
    assert_eq!(
        check(&mut wall, &udp(A, 4000, B, 53)),
        Action::Allow,
        "still unanswered: what is dropped leaves no trace"
    );
}

#[test]
fn what_was_silent_too_long_is_no_reply() {
    let mut wall = firewall(Policy::Drop, vec![rule("dns", Policy::Allow, port("udp", 53))]);
    assert_eq!(at(&mut wall, 5, &udp(A, 4000, B, 53)), Action::Allow);
    let timeout = Timeouts::default().udp.as_nanos();
    assert_eq!(at(&mut wall, 5 + timeout, &udp(B, 53, A, 4000)), Action::Drop);
    assert_eq!(at(&mut wall, 5 + timeout, &udp(A, 4000, B, 53)), Action::Allow);
    assert_eq!(at(&mut wall, 5 + 2 * timeout - 1, &udp(B, 53, A, 4000)), Action::Allow);
}

#[test]
fn rejected_packets_are_answered_where_answers_are_due() {
    let mut wall = firewall(Policy::Reject, vec![]);
    assert_eq!(check(&mut wall, &tcp(A, 1, B, 80, Flags::SYN)), Action::Reset);
    assert_eq!(check(&mut wall, &tcp(A, 1, B, 80, Flags::RST)), Action::Drop);
    assert_eq!(check(&mut wall, &udp(A, 1, B, 53)), Action::Prohibited);
    assert_eq!(check(&mut wall, &icmp_v4(A, B, 8, 1)), Action::Prohibited);
    assert_eq!(check(&mut wall, &error([10, 0, 9, 9], A, 3, 1, &udp(A, 1, B, 53))), Action::Drop);
    assert_eq!(wall.counts().last().unwrap().counted.frames, 5);
}

/// A fragment of a UDP datagram to port 53.
fn fragment(offset: u16, more: bool) -> Vec<u8> {
    let mut frame = udp(A, 4000, B, 53);
    frame[20..22].copy_from_slice(&((offset / 8) | (u16::from(more) << 13)).to_be_bytes());
    frame
}

#[test]
fn later_fragments_fare_as_the_first() {
    let mut wall = firewall(Policy::Drop, vec![rule("dns", Policy::Allow, port("udp", 53))]);
    assert_eq!(check(&mut wall, &fragment(1480, false)), Action::Drop, "its first has not passed");
    assert_eq!(check(&mut wall, &fragment(0, true)), Action::Allow);
    assert_eq!(check(&mut wall, &fragment(1480, true)), Action::Allow);
    assert_eq!(check(&mut wall, &fragment(2960, false)), Action::Allow);
    let mut wall = firewall(Policy::Allow, vec![rule("dns", Policy::Reject, port("udp", 53))]);
    assert_eq!(check(&mut wall, &fragment(0, true)), Action::Prohibited);
    assert_eq!(check(&mut wall, &fragment(1480, false)), Action::Drop, "one answer a packet");
    assert_eq!(frames(&wall)[0].1, 2);
}

#[test]
fn a_train_counts_as_its_wire_frames_and_its_last_one_has_the_fin() {
    let mut train = Train::plain(GsoKind::Tcp4, 1448, 4000);
    train.frame[train.l4 + 13] = 0x11; // FIN, ACK
    let header = VnetHeader::new(Some(train.gso), train.partial, train.header).encode(Endian::Native);
    let offload = VnetHeader::decode(&header, Endian::Native).unwrap().check(&train.frame, train.frame.len()).unwrap();
    let mut pool = FramePool::default();
    let mut frame = pool.store(&train.frame).unwrap();
    pool.set_offload(&mut frame, offload);
    let fin = Match { tcp_flags: from_json(json!("fin")).unwrap(), ..Match::default() };
    let mut wall = firewall(Policy::Allow, vec![rule("fin", Policy::Drop, fin)]);
    let mut run = |frame: &crate::frame::Frame, pool: &FramePool| {
        let view = pool.view(frame);
        let packet = Packet { summary: &view.summary(), view: &view, bytes: pool.bytes(frame), from: 0, to: Some(1) };
        wall.check(Instant::ZERO, &packet)
    };
    assert_eq!(run(&frame, &pool), Action::Drop);
    let front = pool.split_front(&mut frame, 2);
    assert_eq!(run(&front, &pool), Action::Allow, "the first two have none");
    assert_eq!(run(&frame, &pool), Action::Drop);
    pool.release(front);
    pool.release(frame);
    let counted: Vec<Counted> = wall.counts().map(|count| count.counted).collect();
    let whole = 3 * 54 + 4000;
    assert_eq!(counted[0], Counted { frames: 4, bytes: whole + 54 + 4000 - 2 * 1448 });
    assert_eq!(counted[2], Counted { frames: 2, bytes: 2 * 1502 });
}

#[test]
fn neighbour_discovery_of_the_routers_own_links_is_not_asked_about() {
    let solicitation = &real_frames()[5];
    let mut wall = firewall(Policy::Drop, vec![]);
    let mut own = |frame: &[u8], to| with_packet(frame, |packet| wall.check(Instant::ZERO, &Packet { to, ..*packet }));
    assert_eq!(own(solicitation, None), Action::Allow);
    assert_eq!(own(solicitation, Some(1)), Action::Drop, "nobody forwards it");
    let mut far = solicitation.clone();
    far[21] = 254;
    assert_eq!(own(&far, None), Action::Drop, "it does not come from the link");
    assert_eq!(own(&real_frames()[6], None), Action::Drop, "a ping");
    assert_eq!(wall.counts().last().unwrap().counted.frames, 3);
}

/// Rules that look at everything that there is to look at.
fn curious() -> Firewall {
    let all = || Match {
        inward: vec![0, 1],
        outward: vec![1],
        from: Some(["0.0.0.0/1", "::/1"].iter().map(|net| net.parse::<ipnet::IpNet>().unwrap()).collect()),
        ..Match::default()
    };
    let rules = vec![
        rule("tcp", Policy::Reject, Match { tcp_flags: from_json(json!(["syn+!ack", "rst"])).unwrap(), ..all() }),
        rule(
            "icmp",
            Policy::Allow,
            Match { icmp_type: from_json(json!(["redirect", 8, "echo_reply"])).unwrap(), ..all() },
        ),
        rule("part", Policy::Allow, Match { fragment: Some(true), ..all() }),
        rule("bad", Policy::Reject, Match { state: from_json(json!("invalid")).unwrap(), ..all() }),
        rule("port", Policy::Allow, Match { port: from_json(json!("0-30000")).unwrap(), ..all() }),
    ];
    Firewall::new(&FirewallPlan { default: Policy::Reject, rules, timeouts: Timeouts::default(), limit: 16 })
}

proptest! {
    #[test]
    fn no_bytes_panic_and_all_are_counted(
        frames in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..200), any::<bool>()), 1..40),
    ) {
        let mut wall = curious();
        for (n, (frame, forwarded)) in frames.iter().enumerate() {
            with_packet(frame, |packet| {
                wall.check(Instant::from_nanos(n as u64), &Packet { to: forwarded.then_some(1), ..*packet })
            });
        }
        prop_assert_eq!(wall.counts().map(|count| count.counted.frames).sum::<u64>(), frames.len() as u64);
    }

    #[test]
    fn no_mutated_frame_panics_and_the_state_is_bounded(
        frames in proptest::collection::vec(
            (prop::sample::select(real_frames()), proptest::collection::vec((12usize..90, any::<u8>()), 0..5), 0usize..120),
            1..60,
        ),
    ) {
        let mut wall = curious();
        for (n, (frame, flips, cut)) in frames.iter().enumerate() {
            let mut frame = frame.clone();
            for (at, to) in flips {
                if let Some(byte) = frame.get_mut(*at) {
                    *byte = *to;
                }
            }
            frame.truncate(*cut);
            at(&mut wall, n as u64 * Duration::from_secs(1).as_nanos(), &frame);
            prop_assert!(wall.conntrack.len() <= 16);
        }
    }
}
