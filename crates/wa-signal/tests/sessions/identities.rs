//! Whom a record believes, and whom it goes on with.

use wa_keys::PrivateKey;
use wa_signal::{DecryptError, EstablishError, Trust};

use crate::side::{NOW, Side, acquainted, pair, rng};

#[test]
fn an_untrusted_identity_is_refused_everywhere() {
    let mut rng = rng();
    let (mut alice, mut bob) = acquainted(&mut rng);
    let stranger = Trust::Only(PrivateKey::generate(&mut rng).public_key());
    let bundle = bob.bundle(&mut rng);
    let before = alice.record.encode();
    let established = alice.record.establish(&alice.local.key, &bundle, &stranger, NOW, &mut rng);
    assert_eq!(established, Err(EstablishError::Untrusted));
    assert_eq!(alice.record.encode(), before);
    let sent = alice.send(b"text");
    let received = bob.receive_trusting(&sent, &stranger);
    assert_eq!(received, Err(DecryptError::Untrusted));
    let known = Trust::Only(alice.local.key.public_key());
    assert_eq!(bob.receive_trusting(&sent, &known).unwrap().plaintext, b"text");

    let (mut carol, mut dave) = pair(&mut rng);
    let first = carol.send(b"first");
    // Before any work: not even the missing prekey is noticed.
    let prekey = dave.one_time.take();
    assert_eq!(dave.receive_trusting(&first, &stranger), Err(DecryptError::Untrusted));
    assert_eq!(dave.receive(&first), Err(DecryptError::NoOneTimePrekey(9)));
    dave.one_time = prekey;
    assert_eq!(dave.receive_trusting(&first, &stranger), Err(DecryptError::Untrusted));
    assert!(dave.receive(&first).is_ok());
}

#[test]
fn what_an_older_identity_has_under_way_does_not_take_the_conversation_back() {
    let mut rng = rng();
    let (older, mut bob) = acquainted(&mut rng);
    let mut newer = Side::new(&mut rng);
    newer.establish(&bob.bundle(&mut rng), &mut rng).unwrap();
    bob.receive(&newer.send(b"a new device")).unwrap();
    let (old, new) = (older.local.key.public_key(), newer.local.key.public_key());
    assert_eq!(bob.record.current_identity(), Some(new));
    // Messages of the older one are bare, those of the newer one name their session: both ways of reading do the same.
    let (mut writers, [is_old, is_new]) = ([older, newer], [0, 1]);
    for (writer, trust, sent_with) in [
        (is_old, Trust::Newest(new), new),
        (is_old, Trust::Newest(old), old),
        (is_new, Trust::Newest(old), old),
        (is_new, Trust::Newest(new), new),
        (is_old, Trust::Only(old), old),
        (is_new, Trust::Only(new), new),
        (is_old, Trust::Any, old),
        (is_new, Trust::Any, new),
    ] {
        let sent = writers[writer].send(b"text");
        assert_eq!(bob.receive_trusting(&sent, &trust).unwrap().plaintext, b"text", "{trust:?}");
        assert_eq!(bob.record.current_identity(), Some(sent_with), "{trust:?}");
    }
}
