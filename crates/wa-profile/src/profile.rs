//! The one profile value and its named constructors, one per document version.

use crate::{
    Chat, Encryption, Enlistment, EnlistmentSpelling, IntegratorOfLogin, MediaRules, ProtocolVersion, Push,
    Reachability, Receipts, RecipientDevices, TokenRules,
};

/// Everything that is assumed, or that differs between the document versions.
///
/// Start from a named constructor and assign the fields that the partner documentation settles, or read them from a file:
/// with the feature `file` there are `from_toml`, `to_toml` and `open`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Profile {
    /// The protocol version a client states (RO 1.0.3 lists them; the overview is 1.0.0).
    pub version: ProtocolVersion,
    /// Enlisting a user (overview §1.2; RO 1.0.3).
    pub enlistment: Enlistment,
    /// Identity tokens the third party issues (overview §1.3; claims assumed).
    pub token: TokenRules,
    /// The chat channel: endpoint, handshake, login, keepalive and account stanzas (overview part 2).
    pub chat: Chat,
    /// End-to-end encryption: prekeys, padding, whom to encrypt to (overview part 3).
    pub encryption: Encryption,
    /// Media in both directions (overview §4.1; RO 1.0.3).
    pub media: MediaRules,
    /// Push notifications and WhatsApp's own keys (overview §3.2.1; RO 1.0.3).
    pub push: Push,
    /// Who writes the server part after an interop JID in the binary codec, tag 245.
    ///
    /// Observed: WhatsApp's own server writes it and its client omits it; other clients differ. A decoder
    /// accepts both.
    pub interop_suffix: InteropSuffixRules,
}

/// Which side writes the trailing server string of a binary interop JID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct InteropSuffixRules {
    /// Whether a client writes it.
    pub client_writes: bool,
    /// Whether the server writes it.
    pub server_writes: bool,
}

impl Profile {
    /// The published overview document, version 1.0.0.
    ///
    /// Differs from the reference offer in the enlistment's arguments and spelling, in asking for delivery
    /// receipts only, and in having no reachability.
    #[must_use]
    pub fn overview() -> Self {
        let mut profile = Self::reference_offer_1_0_3();
        profile.version = ProtocolVersion::new(1, 0, 0);
        profile.enlistment.spelling = EnlistmentSpelling::OverviewTable;
        profile.enlistment.identity_arguments = true;
        profile.enlistment.integrator_of_login = IntegratorOfLogin::Argument;
        profile.chat.login.enable_read_receipts = false;
        profile.chat.receipts = Receipts::Delivery;
        profile.chat.reachability = None;
        profile.encryption.recipient_devices = RecipientDevices::PrimaryOnly;
        profile
    }

    /// The reference offer's specification, version 1.0.3; the default.
    #[must_use]
    pub fn reference_offer_1_0_3() -> Self {
        Self {
            version: ProtocolVersion::new(1, 0, 3),
            enlistment: Enlistment::default(),
            token: TokenRules::default(),
            chat: Chat::default(),
            encryption: Encryption::default(),
            media: MediaRules::default(),
            push: Push::default(),
            interop_suffix: InteropSuffixRules::default(),
        }
    }

    /// The profile of a document by its name, `overview` or `1.0.3`.
    #[must_use]
    pub fn from_document(name: &str) -> Option<Self> {
        match name {
            "overview" => Some(Self::overview()),
            "1.0.3" => Some(Self::reference_offer_1_0_3()),
            _ => None,
        }
    }

    /// This profile with another protocol version.
    #[must_use]
    pub fn with_version(mut self, version: ProtocolVersion) -> Self {
        self.version = version;
        self
    }

    /// This profile with reachability on or off (see [`Chat::reachability`]).
    #[must_use]
    pub fn with_reachability(mut self, reachability: Option<Reachability>) -> Self {
        self.chat.reachability = reachability;
        self
    }
}

impl Default for InteropSuffixRules {
    fn default() -> Self {
        Self { client_writes: false, server_writes: true }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self::reference_offer_1_0_3()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_reference_offer() {
        assert_eq!(Profile::default(), Profile::reference_offer_1_0_3());
    }

    #[test]
    fn the_two_documents_differ_in_exactly_these_fields() {
        let mut overview = Profile::overview();
        let offer = Profile::reference_offer_1_0_3();
        assert_eq!(overview.version.to_string(), "1.0.0");
        assert_eq!(offer.version.to_string(), "1.0.3");
        assert_eq!(overview.chat.receipts, Receipts::Delivery);
        assert_eq!(overview.chat.reachability, None);
        assert!(overview.enlistment.identity_arguments && !offer.enlistment.identity_arguments);

        overview.version = offer.version;
        overview.enlistment = offer.enlistment.clone();
        overview.chat.login.enable_read_receipts = offer.chat.login.enable_read_receipts;
        overview.chat.receipts = offer.chat.receipts;
        overview.chat.reachability.clone_from(&offer.chat.reachability);
        overview.encryption.recipient_devices = offer.encryption.recipient_devices;
        assert_eq!(overview, offer);
    }

    #[test]
    fn a_field_is_overridable_alone() {
        let changed = Profile::overview().with_version(ProtocolVersion::new(9, 8, 7)).with_reachability(None);
        let mut expected = Profile::overview();
        expected.version = ProtocolVersion { primary: 9, secondary: 8, tertiary: 7 };
        assert_eq!(changed, expected);
        assert_ne!(changed, Profile::overview());
    }
}
