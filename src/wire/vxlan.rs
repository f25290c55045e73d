//! VXLAN: the 8-byte header between a UDP header and an Ethernet frame (RFC 7348 §5).
//!
//! It neither authenticates nor encrypts anything: whoever can send datagrams to the port can send frames.

use super::{Malformed, need};

/// Bytes of the header.
pub const HEADER_LEN: usize = 8;
/// The UDP port that IANA assigned (RFC 7348 §5).
pub const PORT: u16 = 4789;
/// The largest network identifier: 24 bits.
pub const LARGEST_VNI: u32 = (1 << 24) - 1;
/// The flags of a header whose network identifier is valid: I alone.
const VALID: u8 = 0x08;

/// The header of a frame of this network, of whose identifier 24 bits count.
pub const fn header(vni: u32) -> [u8; HEADER_LEN] {
    let [_, a, b, c] = vni.to_be_bytes();
    [VALID, 0, 0, 0, a, b, c, 0]
}

/// The network identifier of a header. Reserved bytes are ignored, as RFC 7348 asks; reserved flags are not. They are those of
/// extensions (group policy, VXLAN-GPE), which a receiver has to know to tell what follows; Linux drops what has one too
/// (`vxlan_rcv` in drivers/net/vxlan).
///
/// # Errors
/// The header is cut short, the identifier is not valid, or a reserved flag is set.
pub fn vni(bytes: &[u8]) -> Result<u32, Malformed> {
    need("VXLAN", HEADER_LEN, bytes.len())?;
    match bytes[0] {
        VALID => Ok(u32::from_be_bytes([0, bytes[4], bytes[5], bytes[6]])),
        flags => Err(Malformed::Field { header: "VXLAN", field: "flags", value: flags.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_header_is_that_of_rfc_7348() {
        // §5: |R|R|R|R|I|R|R|R| Reserved (24) | VXLAN Network Identifier (24) | Reserved (8)
        assert_eq!(header(42), [0x08, 0, 0, 0, 0, 0, 42, 0]);
        assert_eq!(header(0x0012_3456), [0x08, 0, 0, 0, 0x12, 0x34, 0x56, 0]);
        assert_eq!(vni(&[0x08, 1, 2, 3, 0x12, 0x34, 0x56, 4]), Ok(0x0012_3456), "reserved bytes are ignored");
        assert_eq!(vni(&header(LARGEST_VNI)), Ok(LARGEST_VNI));
    }

    #[test]
    fn what_is_short_or_has_other_flags_is_malformed() {
        for len in 0..HEADER_LEN {
            assert!(vni(&header(7)[..len]).is_err(), "{len}");
        }
        for flags in (0..=255).filter(|flags| *flags != VALID) {
            assert!(vni(&[flags, 0, 0, 0, 0, 0, 7, 0]).is_err(), "{flags:#x}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(id in 0..=LARGEST_VNI, payload in proptest::collection::vec(any::<u8>(), 0..64)) {
            let datagram = [&header(id)[..], &payload].concat();
            prop_assert_eq!(vni(&datagram), Ok(id));
        }

        #[test]
        fn no_bytes_are_read_as_a_network_that_they_do_not_name(bytes in proptest::collection::vec(any::<u8>(), 0..16)) {
            if let Ok(id) = vni(&bytes) {
                prop_assert_eq!(&bytes[4..7], &header(id)[4..7]);
                prop_assert_eq!(bytes[0], VALID);
            }
        }
    }
}
