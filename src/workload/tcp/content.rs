//! The contents of a TCP stream, and the hash that both ends compare.
//!
//! The stream is a pseudo-random block of 1 MiB over and over, the first eight bytes of each copy being its number
//! (big-endian), so that a shift by whole blocks shows too. Neither end hashes every byte that it moves: the hash runs
//! over each block's number and the hash of the rest, and a rest that is byte for byte the block's has the block's hash.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// Bytes of a block.
pub(super) const BLOCK: usize = 1 << 20;
/// Bytes of a block's number.
const NUMBER: usize = 8;

/// The block that a seed stands for; its number is left to whoever uses it.
fn block(seed: u64) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    Xoshiro256PlusPlus::seed_from_u64(seed).fill_bytes(&mut block);
    block
}

/// The hash of a stream in the making.
struct StreamHash {
    hash: Xxh3,
    whole: u64,
}

impl StreamHash {
    fn new(block: &[u8]) -> StreamHash {
        StreamHash { hash: Xxh3::new(), whole: xxh3_64(&block[NUMBER..]) }
    }

    /// Takes in a block. `right` says that a whole block's rest is known to be what it should be.
    fn add(&mut self, content: &[u8], right: bool) {
        let (number, rest) = content.split_at(content.len().min(NUMBER));
        self.hash.update(number);
        if !rest.is_empty() {
            let rest = if right && content.len() == BLOCK { self.whole } else { xxh3_64(rest) };
            self.hash.update(&rest.to_le_bytes());
        }
    }

    fn finish(&self) -> String {
        format!("{:016x}", self.hash.digest())
    }
}

/// The sender's side: what comes next.
pub(super) struct Source {
    block: Vec<u8>,
    at: usize,
    number: u64,
    hash: StreamHash,
}

impl Source {
    /// The stream of a seed, at its start.
    pub(super) fn new(seed: u64) -> Source {
        let mut block = block(seed);
        block[..NUMBER].fill(0);
        let hash = StreamHash::new(&block);
        Source { block, at: 0, number: 0, hash }
    }

    /// The next bytes, at most `most` and at most to the end of a block.
    pub(super) fn next(&self, most: usize) -> &[u8] {
        &self.block[self.at..BLOCK.min(self.at.saturating_add(most))]
    }

    /// So many of them have been sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.at += bytes;
        if self.at == BLOCK {
            self.hash.add(&self.block, true);
            self.at = 0;
            self.number += 1;
            self.block[..NUMBER].copy_from_slice(&self.number.to_be_bytes());
        }
    }

    /// The hash of all that was sent.
    pub(super) fn hash(mut self) -> String {
        if self.at > 0 {
            self.hash.add(&self.block[..self.at], false);
        }
        self.hash.finish()
    }
}

/// The receiver's side: holds what comes against what should.
pub(super) struct Sink {
    expected: Vec<u8>,
    /// The block that is being received.
    buffer: Vec<u8>,
    at: usize,
    number: u64,
    hash: StreamHash,
    first_difference: Option<u64>,
}

impl Sink {
    /// Expects the stream of a seed.
    pub(super) fn new(seed: u64) -> Sink {
        let mut expected = block(seed);
        expected[..NUMBER].fill(0);
        let hash = StreamHash::new(&expected);
        Sink { expected, buffer: vec![0; BLOCK], at: 0, number: 0, hash, first_difference: None }
    }

    /// Where the next bytes go.
    pub(super) fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.at..]
    }

    /// So many have come.
    pub(super) fn received(&mut self, bytes: usize) {
        self.at += bytes;
        if self.at == BLOCK {
            self.check();
        }
    }

    fn check(&mut self) {
        let (got, expected) = (&self.buffer[..self.at], &self.expected[..self.at]);
        let right = got == expected;
        self.hash.add(got, right);
        if !right && self.first_difference.is_none() {
            let at = got.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(0);
            self.first_difference = Some(self.number * BLOCK as u64 + at as u64);
        }
        self.at = 0;
        self.number += 1;
        self.expected[..NUMBER].copy_from_slice(&self.number.to_be_bytes());
    }

    /// The hash of all that has come, and where it first was not what it should be.
    pub(super) fn finish(mut self) -> (String, Option<u64>) {
        if self.at > 0 {
            self.check();
        }
        (self.hash.finish(), self.first_difference)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first `length` bytes of a stream, taken in writes of `write` bytes, and its hash.
    fn stream(seed: u64, length: usize, write: usize) -> (Vec<u8>, String) {
        let mut source = Source::new(seed);
        let mut all = Vec::new();
        while all.len() < length {
            let next = source.next(write.min(length - all.len())).to_vec();
            source.sent(next.len());
            all.extend(next);
        }
        (all, source.hash())
    }

    fn check(seed: u64, bytes: &[u8], read: usize) -> (String, Option<u64>) {
        let mut sink = Sink::new(seed);
        let mut rest = bytes;
        while !rest.is_empty() {
            let space = sink.space();
            let n = rest.len().min(space.len()).min(read);
            space[..n].copy_from_slice(&rest[..n]);
            sink.received(n);
            rest = &rest[n..];
        }
        sink.finish()
    }

    #[test]
    fn both_ends_agree_at_every_length_and_cut() {
        for length in [0, 1, 7, 8, 9, 1000, BLOCK - 1, BLOCK, BLOCK + 1, BLOCK + 8, 3 * BLOCK + 4711] {
            let (bytes, hash) = stream(9, length, 131_072);
            assert_eq!(bytes.len(), length);
            assert_eq!(check(9, &bytes, 70_000), (hash.clone(), None), "{length}");
            assert_eq!(stream(9, length, 99_991), (bytes, hash), "{length}");
        }
    }

    #[test]
    fn one_wrong_bit_is_found_where_it_is() {
        let (bytes, hash) = stream(1, 2 * BLOCK + 100, BLOCK);
        for at in [0, 7, 8, BLOCK - 1, BLOCK, BLOCK + 3, 2 * BLOCK + 99] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 0x10;
            let (got, difference) = check(1, &wrong, BLOCK);
            assert_eq!(difference, Some(at as u64));
            assert_ne!(got, hash);
        }
    }

    #[test]
    fn missing_ends_repeated_blocks_and_other_seeds_show() {
        let (bytes, hash) = stream(1, 2 * BLOCK, BLOCK);
        assert_ne!(check(1, &bytes[..2 * BLOCK - 1], BLOCK).0, hash);
        let twice = [&bytes[..BLOCK], &bytes[..BLOCK]].concat();
        assert_eq!(check(1, &twice, BLOCK).1, Some(BLOCK as u64 + 7), "the second block has the first one's number");
        assert_ne!(stream(2, 100, 100), stream(1, 100, 100));
        assert!(check(2, &bytes, BLOCK).1.is_some());
    }
}
