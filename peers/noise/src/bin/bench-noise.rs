//! `bench-noise [--json]`: sealing and opening beside the bare cipher and beside wacore-noise 0.7.0, and the handshake
//! beside the operations on the curve that it cannot do without.

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use bytes::BytesMut;
use measure::{Prepared, Report, Row, Unit, interleaved, interleaved_prepared};
use peers_noise::channel::Channel;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::{PrivateKey, PublicKey, Signature};
use wa_noise::TAG;
use wacore_noise::NoiseCipher;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut bare = Report::new("aes-gcm 0.11");
    SIZES.iter().for_each(|size| bare.push(seal_beside_cipher(size)));
    SIZES.iter().for_each(|size| bare.push(open_beside_cipher(size)));
    let mut peer = Report::new("wacore-noise 0.7.0");
    SIZES.iter().for_each(|size| peer.push(seal_beside_peer(size)));
    SIZES.iter().for_each(|size| peer.push(open_beside_peer(size)));
    let mut curve = Report::new("own X25519 + XEdDSA");
    let channel = Channel::open();
    curve.push(client(&channel));
    curve.push(server(&channel));
    for report in [bare, peer, curve] {
        report.print(json);
    }
}

const SIZES: [(&str, usize); 4] =
    [("100 B", 100), ("1 KiB", 1 << 10), ("16 KiB", 16 << 10), ("1 MiB", 1 << 20)];

fn seal_beside_cipher((name, size): &(&str, usize)) -> Row {
    let mut cipher = Bare::new();
    let mut theirs = buffer(*size);
    let (ours, reference) = interleaved(sealing(*size), || {
        theirs.truncate(*size);
        cipher.seal(&mut theirs);
        last(&theirs)
    });
    Row::new(format!("seal/{name}"), Unit::Nanoseconds, ours, reference)
}

fn seal_beside_peer((name, size): &(&str, usize)) -> Row {
    let cipher = NoiseCipher::new(&KEY).expect("a key");
    let (mut theirs, mut counter) = (buffer(*size), 0);
    let (ours, reference) = interleaved(sealing(*size), || {
        theirs.truncate(*size);
        cipher.encrypt_in_place_with_counter(counter, &mut theirs).expect("seals");
        counter += 1;
        last(&theirs)
    });
    Row::new(format!("wacore/seal {name}"), Unit::Nanoseconds, ours, reference)
}

/// Seals in the same buffer again and again.
fn sealing(size: usize) -> impl FnMut() -> u64 {
    let (mut sealer, mut message) = (Channel::open().client_end.sealer, buffer(size));
    move || {
        message.truncate(size);
        sealer.seal(&mut message).expect("seals");
        last(&message)
    }
}

fn open_beside_cipher((name, size): &(&str, usize)) -> Row {
    let (mut one, mut two) = (Bare::new(), Bare::new());
    let reference = Prepared {
        make: || {
            let mut message = buffer(*size);
            one.seal(&mut message);
            message
        },
        work: |message: &mut BytesMut| {
            two.open(message);
            last(message)
        },
    };
    let (ours, reference) = interleaved_prepared(opening(*size), reference);
    Row::new(format!("open/{name}"), Unit::Nanoseconds, ours, reference)
}

fn open_beside_peer((name, size): &(&str, usize)) -> Row {
    let cipher = NoiseCipher::new(&KEY).expect("a key");
    let (mut sealed, mut opened) = (0, 0);
    let reference = Prepared {
        make: || {
            let mut message = buffer(*size);
            cipher.encrypt_in_place_with_counter(sealed, &mut message).expect("seals");
            sealed += 1;
            message
        },
        work: |message: &mut BytesMut| {
            cipher.decrypt_in_place_with_counter(opened, message).expect("opens");
            opened += 1;
            last(message)
        },
    };
    let (ours, reference) = interleaved_prepared(opening(*size), reference);
    Row::new(format!("wacore/open {name}"), Unit::Nanoseconds, ours, reference)
}

/// Opens messages in the order in which they were sealed.
fn opening(size: usize) -> Prepared<impl FnMut() -> BytesMut, impl FnMut(&mut BytesMut) -> u64> {
    let Channel { client_end, server_end, .. } = Channel::open();
    let (mut sealer, mut opener) = (client_end.sealer, server_end.opener);
    Prepared {
        make: move || {
            let mut message = buffer(size);
            sealer.seal(&mut message).expect("seals");
            message
        },
        work: move |message: &mut BytesMut| {
            opener.open(message).expect("opens");
            last(message)
        },
    }
}

/// The cipher without anything around it but the nonce that counts.
struct Bare {
    cipher: Aes256Gcm,
    counter: u64,
}

impl Bare {
    fn new() -> Self {
        Self { cipher: Aes256Gcm::new(&KEY.into()), counter: 0 }
    }

    fn seal(&mut self, message: &mut BytesMut) {
        let nonce = self.nonce();
        let tag =
            self.cipher.encrypt_inout_detached(&nonce.into(), &[], message.as_mut().into()).expect("seals");
        message.extend_from_slice(&tag);
    }

    fn open(&mut self, message: &mut BytesMut) {
        let nonce = self.nonce();
        let length = message.len() - TAG;
        let (body, tag) = message.split_at_mut(length);
        let tag = (&*tag).try_into().expect("a tag");
        self.cipher.decrypt_inout_detached(&nonce.into(), &[], body.into(), tag).expect("opens");
        message.truncate(length);
    }

    fn nonce(&mut self) -> [u8; 12] {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.counter.to_be_bytes());
        self.counter += 1;
        nonce
    }
}

/// The client's part: one key pair, three agreements, two signatures to verify.
fn client(channel: &Channel) -> Row {
    let alone = Curve::new();
    let handshake = || channel.client_part().expect("shakes hands").sealer.count();
    let (ours, reference) = interleaved(handshake, || {
        (0..2).map(|_| alone.verify()).sum::<u64>()
            + alone.generate()
            + (0..3).map(|_| alone.agree()).sum::<u64>()
    });
    Row::new("handshake/client", Unit::Nanoseconds, ours, reference)
}

/// The server's part: one key pair, three agreements.
fn server(channel: &Channel) -> Row {
    let alone = Curve::new();
    let handshake = || channel.server_part().expect("shakes hands").sealer.count();
    let (ours, reference) =
        interleaved(handshake, || alone.generate() + (0..3).map(|_| alone.agree()).sum::<u64>());
    Row::new("handshake/server", Unit::Nanoseconds, ours, reference)
}

/// The operations on the curve, alone.
struct Curve {
    ours: PrivateKey,
    theirs: PublicKey,
    certificate: Vec<u8>,
    signature: Signature,
}

impl Curve {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(17);
        let (ours, theirs) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
        let certificate = vec![7; 50];
        let signature = theirs.sign(&certificate, &mut rng);
        Self { ours, theirs: theirs.public_key(), certificate, signature }
    }

    fn generate(&self) -> u64 {
        // A new key each time: a key keeps its public half.
        PrivateKey::from_bytes(*self.ours.as_bytes()).public_key().as_bytes()[0].into()
    }

    fn agree(&self) -> u64 {
        self.ours.agree(&self.theirs).expect("agrees").as_bytes()[0].into()
    }

    fn verify(&self) -> u64 {
        self.theirs.verify(&self.certificate, &self.signature).is_ok().into()
    }
}

const KEY: [u8; 32] = [0x5A; 32];

/// A message with room for its tag.
fn buffer(size: usize) -> BytesMut {
    let mut message = BytesMut::with_capacity(size + TAG);
    message.resize(size, 0x42);
    message
}

fn last(message: &[u8]) -> u64 {
    message.last().copied().unwrap_or_default().into()
}
