//! End-to-end encryption: prekeys, padding and whom to encrypt to (overview part 3).

use std::ops::RangeInclusive;
use std::time::Duration;

/// A day in seconds.
const DAY: u64 = 24 * 60 * 60;

/// The numbers and choices around Signal sessions that the documents leave open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Encryption {
    /// How many one-time prekeys lie at the server.
    pub one_time_prekeys: OneTimePrekeys,
    /// How the signed prekey is rotated.
    pub signed_prekey: SignedPrekeyRules,
    /// How many bytes of padding a sender adds, each of that value.
    ///
    /// Observed: one client pads 1 to 15, another 1 to 16. A receiver accepts 1 to 255.
    #[cfg_attr(feature = "file", serde(with = "crate::file::numbers"))]
    pub padding: RangeInclusive<u8>,
    /// How many messages of a chain may be missing before one that arrives; later ones are refused.
    ///
    /// Observed: WhatsApp's own clients take 20,000, a number that their server may change.
    pub forward_jump: u32,
    /// The address of a WhatsApp user that stanzas name, where two are known.
    pub user_address: UserAddress,
    /// The devices of a WhatsApp user that a message is encrypted to.
    pub recipient_devices: RecipientDevices,
    /// The identities of a WhatsApp user that enter a safety number.
    pub safety_number: SafetyNumber,
}

/// One-time prekey counts.
///
/// Assumed: WhatsApp's own clients upload 812 first and 50 more when 5 are left, but nothing is said about a
/// third party's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct OneTimePrekeys {
    /// How many are uploaded first.
    pub first_upload: u16,
    /// How many lie at the server after a refill.
    pub refill_to: u16,
    /// At how many left a refill is due.
    pub refill_at: u16,
}

/// Signed prekey times. Assumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct SignedPrekeyRules {
    /// How old the current one may become.
    #[cfg_attr(feature = "file", serde(with = "crate::file::duration"))]
    pub rotate_after: Duration,
    /// How long an old one is kept; assumed equal to the offline mailbox's 30 days (overview §3.2.1).
    #[cfg_attr(feature = "file", serde(with = "crate::file::duration"))]
    pub keep: Duration,
}

/// The two addresses of a WhatsApp user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum UserAddress {
    /// The phone number at `s.whatsapp.net` (overview; assumed for both documents).
    PhoneNumber,
    /// The internal identifier at `lid` (the other reading of RO 1.0.3 §1.1).
    Internal,
}

/// The devices of a WhatsApp user that a third party encrypts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum RecipientDevices {
    /// Device 0 only (overview; assumed).
    PrimaryOnly,
    /// Device 0 and those the server lists (1.0.3; assumed: WhatsApp's users have several devices).
    PrimaryAndListed,
}

/// The identities of a user that enter a safety number. Assumed: no document says how a third party's is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum SafetyNumber {
    /// Those of all devices that messages go to, sorted: what WhatsApp's own clients are said to show.
    AllDevices,
    /// That of device 0 alone.
    FirstDevice,
}

impl Default for Encryption {
    fn default() -> Self {
        Self {
            one_time_prekeys: OneTimePrekeys::default(),
            signed_prekey: SignedPrekeyRules::default(),
            padding: 1..=15,
            forward_jump: 20_000,
            user_address: UserAddress::PhoneNumber,
            recipient_devices: RecipientDevices::PrimaryAndListed,
            safety_number: SafetyNumber::AllDevices,
        }
    }
}

impl Default for OneTimePrekeys {
    fn default() -> Self {
        Self { first_upload: 100, refill_to: 100, refill_at: 20 }
    }
}

impl Default for SignedPrekeyRules {
    fn default() -> Self {
        Self { rotate_after: Duration::from_secs(7 * DAY), keep: Duration::from_secs(30 * DAY) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_consistent() {
        let encryption = Encryption::default();
        let prekeys = encryption.one_time_prekeys;
        assert!(prekeys.refill_at < prekeys.refill_to);
        assert!(encryption.signed_prekey.rotate_after < encryption.signed_prekey.keep);
        assert!(!encryption.padding.contains(&0), "padding of nothing cannot be stripped");
    }
}
