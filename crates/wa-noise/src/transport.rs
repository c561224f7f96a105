//! The transport after the handshake: AES-256-GCM, one key and one counter for each direction (overview §2).

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::array::Array;
use aes_gcm::aead::consts::U12;
use aes_gcm::{Aes256Gcm, KeyInit};
use bytes::BytesMut;
use zeroize::{Zeroize, Zeroizing};

use crate::TransportError;

/// Bytes that sealing adds.
pub const TAG: usize = 16;

/// Messages that one direction carries before it must be renewed: far below 2^32, where clients' counters end.
pub const MAX_MESSAGES: u64 = 1 << 30;

/// Both directions of a finished handshake.
#[derive(Debug)]
#[non_exhaustive]
pub struct Transport {
    /// What we send.
    pub sealer: Sealer,
    /// What we receive.
    pub opener: Opener,
}

impl Transport {
    pub(crate) fn new(send: &Zeroizing<[u8; 32]>, receive: &Zeroizing<[u8; 32]>) -> Self {
        Self { sealer: Sealer(Direction::new(send)), opener: Opener(Direction::new(receive)) }
    }

    /// The same transport with a lower limit of messages in each direction.
    #[must_use]
    pub fn with_limit(mut self, messages: u64) -> Self {
        self.sealer.0.limit = messages.min(MAX_MESSAGES);
        self.opener.0.limit = messages.min(MAX_MESSAGES);
        self
    }
}

/// The sending direction.
#[derive(Debug)]
pub struct Sealer(Direction);

impl Sealer {
    /// Encrypts the whole of `message` in place and appends the tag.
    ///
    /// The counter has advanced when this returns, also on error: no counter is ever used twice.
    pub fn seal(&mut self, message: &mut BytesMut) -> Result<(), TransportError> {
        message.reserve(TAG);
        let tag = self.seal_detached(message)?;
        message.extend_from_slice(&tag);
        Ok(())
    }

    /// Encrypts `message` in place and returns the tag that must follow it.
    pub fn seal_detached(&mut self, message: &mut [u8]) -> Result<[u8; TAG], TransportError> {
        let (cipher, counter) = self.0.advance()?;
        match cipher.encrypt_inout_detached(&nonce(counter), &[], message.into()) {
            Ok(tag) => Ok(tag.into()),
            Err(_) => Err(self.0.close(TransportError::Closed)),
        }
    }

    /// Messages sealed so far.
    pub fn count(&self) -> u64 {
        self.0.counter
    }
}

/// The receiving direction.
#[derive(Debug)]
pub struct Opener(Direction);

impl Opener {
    /// Opens one direction of a recorded connection whose key is known, from its `count`-th message on.
    #[must_use]
    pub fn from_recording(key: [u8; 32], count: u64) -> Self {
        let direction = Direction::new(&Zeroizing::new(key));
        Self(Direction { counter: count, ..direction })
    }

    /// Decrypts the whole of `message` in place and cuts the tag off.
    ///
    /// On failure the message is wiped, and so are the keys: a stream that lost its place never recovers.
    pub fn open(&mut self, message: &mut BytesMut) -> Result<(), TransportError> {
        let (cipher, counter) = self.0.advance()?;
        let opened = message.len().checked_sub(TAG).and_then(|length| {
            let (body, tag) = message.split_at_mut_checked(length)?;
            let tag = (&*tag).try_into().ok()?;
            cipher.decrypt_inout_detached(&nonce(counter), &[], body.into(), tag).ok()?;
            Some(length)
        });
        match opened {
            Some(length) => message.truncate(length),
            None => {
                message.as_mut().zeroize();
                message.clear();
                return Err(self.0.close(TransportError::Open));
            }
        }
        Ok(())
    }

    /// Messages opened so far, and the one that could not be, after which it is closed.
    pub fn count(&self) -> u64 {
        self.0.counter
    }
}

/// A key (wiped on drop), its counter, and the limit; without a key once closed.
struct Direction {
    cipher: Option<Box<Aes256Gcm>>,
    counter: u64,
    limit: u64,
}

impl Direction {
    fn new(key: &Zeroizing<[u8; 32]>) -> Self {
        let cipher = Aes256Gcm::new((&**key).into());
        Self { cipher: Some(Box::new(cipher)), counter: 0, limit: MAX_MESSAGES }
    }

    fn advance(&mut self) -> Result<(&Aes256Gcm, u64), TransportError> {
        let cipher = self.cipher.as_deref().ok_or(TransportError::Closed)?;
        if self.counter >= self.limit {
            return Err(TransportError::Exhausted);
        }
        self.counter += 1;
        Ok((cipher, self.counter - 1))
    }

    fn close(&mut self, error: TransportError) -> TransportError {
        self.cipher = None;
        error
    }
}

impl fmt::Debug for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direction").field("counter", &self.counter).finish_non_exhaustive()
    }
}

/// Four zero bytes and the counter, big-endian (Noise §12.4): WhatsApp's counter has 32 bits, and below 2^32 the two are one.
pub(crate) fn nonce(counter: u64) -> Array<u8, U12> {
    let mut nonce = Array::default();
    if let Some(tail) = nonce.get_mut(4..) {
        tail.copy_from_slice(&counter.to_be_bytes());
    }
    nonce
}

#[cfg(test)]
mod tests {
    use zeroize::ZeroizeOnDrop;

    use super::*;

    fn pair() -> (Transport, Transport) {
        let (one, two) = (Zeroizing::new([1; 32]), Zeroizing::new([2; 32]));
        (Transport::new(&one, &two), Transport::new(&two, &one))
    }

    #[test]
    fn a_failed_open_wipes_the_message_and_closes() {
        let (mut ours, mut theirs) = pair();
        let mut message = BytesMut::from(&b"hello"[..]);
        ours.sealer.seal(&mut message).unwrap();
        let good = message.clone();
        message[0] ^= 1;
        assert_eq!(theirs.opener.open(&mut message), Err(TransportError::Open));
        assert!(message.is_empty());
        assert_eq!(theirs.opener.open(&mut good.clone()), Err(TransportError::Closed));
    }

    #[test]
    fn both_ends_count() {
        let (mut ours, mut theirs) = pair();
        for count in 1..=3 {
            let mut message = BytesMut::new();
            ours.sealer.seal(&mut message).unwrap();
            theirs.opener.open(&mut message).unwrap();
            assert_eq!((ours.sealer.count(), theirs.opener.count()), (count, count));
        }
    }

    #[test]
    fn a_recording_is_opened_from_anywhere() {
        let (mut ours, _) = pair();
        let sealed: Vec<BytesMut> = [&b"one"[..], b"two", b"three"]
            .map(|text| {
                let mut message = BytesMut::from(text);
                ours.sealer.seal(&mut message).unwrap();
                message
            })
            .into();
        for from in 0..3 {
            let mut opener = Opener::from_recording([1; 32], from);
            for (message, text) in
                sealed.iter().zip(["one", "two", "three"]).skip(usize::try_from(from).unwrap())
            {
                let mut message = message.clone();
                opener.open(&mut message).unwrap();
                assert_eq!(message, text);
            }
        }
        assert_eq!(
            Opener::from_recording([1; 32], 1).open(&mut sealed[0].clone()),
            Err(TransportError::Open)
        );
    }

    #[test]
    fn shorter_than_a_tag_is_refused() {
        let (_, mut theirs) = pair();
        assert_eq!(theirs.opener.open(&mut BytesMut::from(&[0; 15][..])), Err(TransportError::Open));
    }

    #[test]
    fn a_repeated_or_lost_message_is_refused() {
        let (mut ours, mut theirs) = pair();
        let mut first = BytesMut::from(&b"one"[..]);
        ours.sealer.seal(&mut first).unwrap();
        theirs.opener.open(&mut first.clone()).unwrap();
        assert_eq!(theirs.opener.open(&mut first), Err(TransportError::Open));
        let (mut ours, mut theirs) = pair();
        ours.sealer.seal(&mut BytesMut::new()).unwrap();
        let mut second = BytesMut::from(&b"two"[..]);
        ours.sealer.seal(&mut second).unwrap();
        assert_eq!(theirs.opener.open(&mut second), Err(TransportError::Open));
    }

    #[test]
    fn the_counter_ends_at_its_limit() {
        let (ours, _) = pair();
        let mut ours = ours.with_limit(2);
        for _ in 0..2 {
            ours.sealer.seal(&mut BytesMut::new()).unwrap();
        }
        assert_eq!(ours.sealer.seal(&mut BytesMut::new()), Err(TransportError::Exhausted));
        assert_eq!(ours.sealer.count(), 2);
    }

    #[test]
    fn the_largest_frame_seals_and_opens() {
        let (mut ours, mut theirs) = pair();
        let mut message = BytesMut::zeroed(crate::MAX_FRAME - TAG);
        ours.sealer.seal(&mut message).unwrap();
        assert_eq!(message.len(), crate::MAX_FRAME);
        theirs.opener.open(&mut message).unwrap();
        assert!(message.iter().all(|&byte| byte == 0));
    }

    #[test]
    fn keys_are_wiped_and_not_shown() {
        fn wiped<T: ZeroizeOnDrop>() {}
        wiped::<Aes256Gcm>();
        let shown = format!("{:?}", pair().0);
        assert_eq!(
            shown,
            "Transport { sealer: Sealer(Direction { counter: 0, .. }), opener: Opener(Direction { counter: 0, .. }) }"
        );
    }
}
