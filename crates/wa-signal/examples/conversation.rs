//! Two devices write to each other: a session begins, an answer turns the ratchet, and messages that overtake each other
//! are read all the same.
//!
//! ```sh
//! cargo run -p wa-signal --example conversation
//! ```

use std::error::Error;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use wa_keys::PrivateKey;
use wa_signal::{
    Bundle, LocalIdentity, PreKeyMessage, Prekeys, SessionRecord, SignalMessage, SignedPrekey, Trust,
};

/// The date of the conversation, in Unix seconds.
const NOW: u64 = 1_800_000_000;

#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = UnwrapErr(SysRng);
    let alice = LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id: 1001 };
    let bob = LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id: 1002 };

    // What Bob has uploaded, and Alice fetched.
    let signed_prekey = PrivateKey::generate(&mut rng);
    let bundle = Bundle {
        registration_id: bob.registration_id,
        identity: bob.key.public_key(),
        signed_prekey: SignedPrekey::sign(22, &signed_prekey, &bob.key, &mut rng),
        one_time_prekey: None,
    };
    let mut to_bob = SessionRecord::default();
    to_bob.establish(&alice.key, &bundle, &Trust::Any, NOW, &mut rng)?;
    let first = to_bob.encrypt(&alice, b"hello", NOW, &mut rng)?;

    let mut to_alice = SessionRecord::default();
    let message = PreKeyMessage::decode(first.bytes)?;
    let prekeys = Prekeys { signed: &signed_prekey, one_time: None };
    let read = to_alice.decrypt_prekey(&bob.key, prekeys, &message, &Trust::Any)?;
    println!("Bob reads {:?}", String::from_utf8_lossy(&read.plaintext));

    // Three answers, of which the last arrives first. The keys of those that it overtook wait in a block, which a store
    // keeps as a row of its own: `take_block_changes` says what to write, `blocks_for` what to load.
    let mut answers = Vec::new();
    for text in ["one", "two", "three"] {
        answers.push(to_alice.encrypt(&bob, text.as_bytes(), NOW, &mut rng)?.bytes);
    }
    for bytes in answers.into_iter().rev() {
        let message = SignalMessage::decode(bytes)?;
        let read = to_bob.decrypt(&message, &Trust::Any)?;
        println!("Alice reads {:?}", String::from_utf8_lossy(&read.plaintext));
    }
    Ok(())
}
