//! Safety numbers: what two people compare to know that nobody stands between them (form observed; what enters it assumed).

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_profile::{Profile, SafetyNumber};
use wa_signal::{Fingerprint, Party};

use crate::DeviceIdentity;

/// The version of the form that is made from addresses.
const VERSION: u32 = 1;

/// The safety number of the account with a user, as far as the user's identities are known: none before the first contact.
///
/// `login` and `identity` are the account's own. A user is named by the address without its server.
pub fn safety_number(
    profile: &Profile,
    (login, identity): (&Jid, PublicKey),
    (user, identities): (&Jid, &[DeviceIdentity]),
) -> Option<Fingerprint> {
    let enters = |device: &&DeviceIdentity| match profile.encryption.safety_number {
        SafetyNumber::FirstDevice => device.device == 0,
        _ => true,
    };
    let keys: Vec<PublicKey> = identities.iter().filter(enters).map(|device| device.key).collect();
    let (own, peer) = (login.user_bytes()?, user.user_bytes()?);
    let local = Party { identifier: &own, identities: &[identity] };
    let remote = Party { identifier: &peer, identities: &keys };
    (!keys.is_empty()).then(|| Fingerprint::new(VERSION, local, remote))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_see_the_same_and_the_profile_says_which_devices_enter() {
        let key = |byte| PublicKey::from_bytes([byte; 32]);
        let device = |device, byte| DeviceIdentity { device, key: key(byte), is_accepted: true };
        let (login, user) = (Jid::interop(7, 25).unwrap(), Jid::phone("14155551001").unwrap());
        let mut profile = Profile::reference_offer_1_0_3();
        let number = |profile: &Profile, devices: &[DeviceIdentity]| {
            safety_number(profile, (&login, key(1)), (&user, devices))
        };
        assert_eq!(number(&profile, &[]), None);
        let (one, two) = (number(&profile, &[device(0, 2)]).unwrap(), [device(0, 2), device(3, 4)]);
        // The other side, of whom we are the only device.
        let theirs = safety_number(&profile, (&user, key(2)), (&login, &[device(0, 1)])).unwrap();
        assert!(one.to_string() == theirs.to_string() && one.matches(&theirs.scannable()));
        assert_ne!(number(&profile, &two).unwrap(), one);
        profile.encryption.safety_number = SafetyNumber::FirstDevice;
        assert_eq!(number(&profile, &two).unwrap(), one);
    }
}
