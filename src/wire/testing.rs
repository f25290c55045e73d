//! Frames for the tests of this layer, put together byte by byte, with nothing from the code under test but the names of
//! what they are.

/// The ones' complement sum, word by word as RFC 1071 defines it.
pub(super) fn naive_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    sum as u16
}
