//! The Internet checksum: ones' complement sums of 16-bit words (RFC 1071), updated in place (RFC 1624), and the pseudo
//! headers of TCP, UDP and ICMPv6 (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1).
//!
//! A *sum* is not yet complemented, as the kernel leaves it in a frame whose checksum it expects the device to
//! complete; a *checksum* is. Neither tells +0 from −0 (0x0000 from 0xffff), except that UDP gives 0x0000 a meaning:
//! no checksum. So a computed UDP checksum of 0 goes out as 0xffff: [`never_zero`].

use core::net::{Ipv4Addr, Ipv6Addr};
use core::ops::Add;

/// A ones' complement sum in the making. Sums add in any order; bytes at an odd offset are swapped first.
///
/// Holds up to 2⁴⁸ additions without loss.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Sum = Sum(0);

    /// The sum of `bytes` from an even offset. An odd byte at the end counts as if a zero byte followed.
    pub fn of(bytes: &[u8]) -> Sum {
        // RFC 1071 §2 (B): a sum of words in the machine's order, folded and then swapped, is the sum in network order.
        Sum(u64::from(u16::from_be(fold(native(bytes)))))
    }

    /// The sum of `first` and `second`, one behind the other, `first` from an even offset.
    pub fn of_both(first: &[u8], second: &[u8]) -> Sum {
        Sum::of(first) + Sum::of(second).at(first.len())
    }

    /// The same bytes behind `offset` others.
    #[must_use]
    pub fn at(self, offset: usize) -> Sum {
        if offset.is_multiple_of(2) { self } else { self.swapped() }
    }

    /// The same bytes, one place later (RFC 1071 §2 (B)).
    #[must_use]
    pub fn swapped(self) -> Sum {
        Sum(u64::from(self.fold().swap_bytes()))
    }

    /// Adds a word.
    #[must_use]
    pub const fn word(self, word: u16) -> Sum {
        Sum(self.0 + word as u64)
    }

    /// Takes a word away, by adding its complement.
    #[must_use]
    pub const fn less(self, word: u16) -> Sum {
        Sum(self.0 + !word as u64)
    }

    /// The sum in 16 bits. 0 only for the sum of zeros alone.
    pub const fn fold(self) -> u16 {
        fold(self.0)
    }

    /// The checksum: the complement of the sum.
    pub const fn checksum(self) -> u16 {
        !self.fold()
    }
}

impl Add for Sum {
    type Output = Sum;
    fn add(self, rhs: Sum) -> Sum {
        Sum(self.0 + rhs.0)
    }
}

/// Folds carries back into 16 bits.
const fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    ((sum & 0xffff) + (sum >> 16)) as u16
}

/// The sum in the machine's byte order. 2¹⁶ is 1 modulo 2¹⁶−1, so words of any width may be added; accumulators of 64 bits
/// for words of 32 let compilers use vectors, and never overflow (two to three times as fast as one
/// with carries).
fn native(bytes: &[u8]) -> u64 {
    const LOW: u64 = 0xffff_ffff;
    let (mut low, mut high) = ([0u64; 4], [0u64; 4]);
    let (blocks, rest) = bytes.as_chunks::<32>();
    for block in blocks {
        let words = block.as_chunks::<8>().0;
        for i in 0..4 {
            let word = u64::from_ne_bytes(words[i]);
            low[i] += word & LOW;
            high[i] += word >> 32;
        }
    }
    // each below 2^33, so that the few of them cannot overflow
    let mut sum: u64 = low.iter().chain(&high).map(|s| (s & LOW) + (s >> 32)).sum();
    let (words, rest) = rest.as_chunks::<4>();
    for word in words {
        sum += u64::from(u32::from_ne_bytes(*word));
    }
    let (words, rest) = rest.as_chunks::<2>();
    for word in words {
        sum += u64::from(u16::from_ne_bytes(*word));
    }
    if let [last] = rest {
        sum += u64::from(u16::from_ne_bytes([*last, 0]));
    }
    sum
}

/// The checksum of `bytes`: of an IPv4 header or an ICMPv4 message whose own field is 0.
pub fn checksum(bytes: &[u8]) -> u16 {
    Sum::of(bytes).checksum()
}

/// The pseudo header of a transport over IPv4; `len` is the length of transport header and payload.
pub fn pseudo_v4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: u32) -> Sum {
    Sum::of(&src.octets()) + Sum::of(&dst.octets()) + pseudo_tail(protocol, len)
}

/// The pseudo header of a transport over IPv6; `dst` is the final destination, `len` as for [`pseudo_v4`].
pub fn pseudo_v6(src: Ipv6Addr, dst: Ipv6Addr, protocol: u8, len: u32) -> Sum {
    Sum::of(&src.octets()) + Sum::of(&dst.octets()) + pseudo_tail(protocol, len)
}

fn pseudo_tail(protocol: u8, len: u32) -> Sum {
    Sum(u64::from(protocol) + u64::from(len >> 16) + u64::from(len & 0xffff))
}

/// A UDP checksum: 0 says that there is none, so a computed 0 becomes 0xffff, which is the same number (RFC 768).
pub const fn never_zero(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}

/// A checksum after a word under it changed from `old` to `new`: equation 3 of RFC 1624, which unlike equation 4 of RFC
/// 1141 never turns a right checksum into −0.
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    !update_sum(!checksum, old, new)
}

/// [`update`] for two words, as of an IPv4 address.
#[must_use]
pub const fn update_u32(checksum: u16, old: u32, new: u32) -> u16 {
    update(update(checksum, (old >> 16) as u16, (new >> 16) as u16), old as u16, new as u16)
}

/// A *partial* checksum (a sum that is still to be completed) after a word of the pseudo header changed.
#[must_use]
pub const fn update_sum(sum: u16, old: u16, new: u16) -> u16 {
    Sum::ZERO.word(sum).less(old).word(new).fold()
}

/// A UDP checksum after a word under it changed: 0 stays 0, and no other becomes 0.
#[must_use]
pub const fn update_udp(checksum: u16, old: u16, new: u16) -> u16 {
    if checksum == 0 { 0 } else { never_zero(update(checksum, old, new)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::naive_sum;
    use super::*;

    #[test]
    fn rfc_1071_section_3() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(Sum::of(&bytes).fold(), 0xddf2);
        assert_eq!(checksum(&bytes), 0x220d);
        // the same in two groups that break at an odd byte
        assert_eq!(Sum::of_both(&bytes[..3], &bytes[3..]).fold(), 0xddf2);
    }

    #[test]
    fn rfc_1624_section_4() {
        // a word changes from 0x5555 to 0x3285: RFC 1141 would give 0xffff
        assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
        assert_eq!(update_udp(0xdd2f, 0x5555, 0x3285), 0xffff);
        assert_eq!(update_udp(0, 0x5555, 0x3285), 0);
    }

    #[test]
    fn an_ipv4_header_of_a_textbook() {
        let header = [
            0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00,
            0xc7,
        ];
        assert_eq!(checksum(&header), 0xb861);
    }

    #[test]
    fn pseudo_headers_are_their_bytes() {
        let (a, b) = (Ipv4Addr::new(192, 0, 2, 255), Ipv4Addr::new(198, 51, 100, 7));
        let bytes = [&a.octets()[..], &b.octets(), &[0, 17, 0x05, 0xdc]].concat();
        assert_eq!(pseudo_v4(a, b, 17, 1500).fold(), naive_sum(&bytes));
        let (a, b): (Ipv6Addr, Ipv6Addr) = ("2001:db8::ffff:1".parse().unwrap(), "fe80::1".parse().unwrap());
        let bytes = [&a.octets()[..], &b.octets(), &[0, 1, 0, 2, 0, 0, 0, 6]].concat();
        assert_eq!(pseudo_v6(a, b, 6, 65_538).fold(), naive_sum(&bytes));
    }

    #[test]
    fn folding_keeps_the_largest_sums() {
        assert_eq!(fold(u64::MAX), 0xffff);
        assert_eq!(fold(0), 0);
        assert_eq!(fold(0x1_ffff_ffff), 1);
        let ones = vec![0xff; 65_536];
        assert_eq!(Sum::of(&ones).fold(), 0xffff);
    }

    proptest! {
        #[test]
        fn fast_and_naive_sums_agree(bytes in proptest::collection::vec(any::<u8>(), 0..700), cut in 0usize..700) {
            let cut = cut.min(bytes.len());
            prop_assert_eq!(Sum::of(&bytes).fold(), naive_sum(&bytes));
            prop_assert_eq!(Sum::of_both(&bytes[..cut], &bytes[cut..]).fold(), naive_sum(&bytes));
        }

        #[test]
        fn fold_is_modulo_ffff(sum: u64) {
            prop_assert_eq!(u64::from(fold(sum)) % 0xffff, sum % 0xffff);
            prop_assert_eq!(fold(sum) == 0, sum == 0);
        }

        #[test]
        fn updates_match_a_new_checksum(mut words in proptest::collection::vec(any::<u16>(), 2..12), new: u32) {
            // a header is never all zeros, which is where +0 and -0 part
            words.push(0x4500);
            let bytes = |words: &[u16]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
            let before = checksum(&bytes(&words));
            let old = u32::from(words[0]) << 16 | u32::from(words[1]);
            let partial = Sum::of(&bytes(&words)).fold();
            words[1] = new as u16;
            prop_assert_eq!(update(before, old as u16, new as u16), checksum(&bytes(&words)));
            prop_assert_eq!(update_sum(partial, old as u16, new as u16), Sum::of(&bytes(&words)).fold());
            words[0] = (new >> 16) as u16;
            prop_assert_eq!(update_u32(before, old, new), checksum(&bytes(&words)));
        }
    }
}
