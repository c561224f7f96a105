//! The chat channel: endpoint, handshake, login, keepalive and account stanzas (overview part 2).

use std::ops::RangeInclusive;
use std::time::Duration;

/// How a client reaches chatd and what it says there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Chat {
    /// The host of the chat service. Observed in ordinary clients; the partner endpoint is not public.
    pub host: String,
    /// Its TCP port (observed).
    pub port: u16,
    /// The bytes sent once before the first frame and mixed into the handshake: `WA`, the wire version, the
    /// dictionary version (observed).
    pub prologue: [u8; 4],
    /// The variant of Noise that is spoken (overview part 2: "slightly modified"; the modification is observed).
    pub dialect: NoiseDialect,
    /// What the login says.
    pub login: LoginRules,
    /// The reasons with which a login fails.
    pub failures: Failures,
    /// Keepalive in both directions.
    pub ping: Ping,
    /// How many stored stanzas a client asks for at once (observed).
    pub offline_batch: u32,
    /// The receipts that a client must send (overview; RO 1.0.3 adds read receipts).
    pub receipts: Receipts,
    /// How a user deletes the account.
    pub deletion: Deletion,
    /// How a user pings a WhatsApp user, or `None` where the document has no reachability.
    #[cfg_attr(feature = "file", serde(with = "crate::file::optional"))]
    pub reachability: Option<Reachability>,
    /// The `xmlns` of a report (observed).
    pub report_xmlns: String,
}

/// The handshake's variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum NoiseDialect {
    /// WhatsApp's: the first message's empty payload is not hashed (observed).
    #[cfg_attr(feature = "file", serde(rename = "whatsapp"))]
    WhatsApp,
    /// The Noise specification to the letter.
    Strict,
}

/// What the login's client payload says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct LoginRules {
    /// The `product` number: 2, interop (observed field and value; its use here assumed).
    pub product: u32,
    /// Whether `username` carries the login's digits beside `interopData.accountID`. Assumed: no.
    pub username: bool,
    /// The `passive` flag (assumed).
    pub passive: bool,
    /// `interopData.enableReadReceipts`. Assumed: on since the document that requires read receipts.
    pub enable_read_receipts: bool,
    /// Where the protocol version travels.
    pub version: VersionAtLogin,
}

/// Where the login carries the protocol version.
///
/// Assumed: RO 1.0.3 requires a client to state it when connecting and does not say where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum VersionAtLogin {
    /// In `userAgent.appVersion` {primary, secondary, tertiary}.
    AppVersion,
    /// The version is not sent.
    Omitted,
}

/// The `reason` numbers of `<failure/>` that have a meaning here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Failures {
    /// The token was refused: fetch one new token, retry once, then give up (assumed).
    pub token_refused: u16,
    /// Un-enlisted after 30 days away, or deleted: enlist again (assumed).
    pub unenlisted: u16,
    /// The protocol version is too old (observed as "client outdated").
    pub version_too_old: u16,
}

/// Keepalive in both directions (observed).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Ping {
    /// The `xmlns` of the client's ping.
    pub client_xmlns: String,
    /// Between which pauses a client draws the next one.
    #[cfg_attr(feature = "file", serde(with = "crate::file::durations"))]
    pub interval: RangeInclusive<Duration>,
    /// The `xmlns` of the server's ping.
    pub server_xmlns: String,
}

/// The receipts a client must send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Receipts {
    /// Delivery receipts (overview).
    Delivery,
    /// Delivery and read receipts (RO 1.0.3).
    DeliveryAndRead,
}

/// The iq that deletes the account: `set` to `s.whatsapp.net`, answered by a result and the stream's end.
///
/// Observed as a legacy form of ordinary clients, assumed for interoperability.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Deletion {
    /// The iq's `xmlns`.
    pub xmlns: String,
    /// The tag of its empty child.
    pub child: String,
}

/// The iq of user reachability: `set`, one child with one `<user jid="…"/>` per user.
///
/// Assumed: only its existence is public (RO 1.0.3).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Reachability {
    /// The iq's `xmlns`.
    pub xmlns: String,
    /// The tag of its child.
    pub child: String,
    /// The code of the error that says that nobody at WhatsApp has this number. Assumed: 404.
    pub nobody: u16,
}

impl Default for Chat {
    fn default() -> Self {
        Self {
            host: "g.whatsapp.net".to_owned(),
            port: 443,
            prologue: [0x57, 0x41, 6, 3],
            dialect: NoiseDialect::WhatsApp,
            login: LoginRules::default(),
            failures: Failures::default(),
            ping: Ping::default(),
            offline_batch: 200,
            receipts: Receipts::DeliveryAndRead,
            deletion: Deletion::default(),
            reachability: Some(Reachability::default()),
            report_xmlns: "spam".to_owned(),
        }
    }
}

impl Default for LoginRules {
    fn default() -> Self {
        Self {
            product: 2,
            username: false,
            passive: false,
            enable_read_receipts: true,
            version: VersionAtLogin::AppVersion,
        }
    }
}

impl Default for Failures {
    fn default() -> Self {
        Self { token_refused: 401, unenlisted: 415, version_too_old: 405 }
    }
}

impl Default for Ping {
    fn default() -> Self {
        Self {
            client_xmlns: "w:p".to_owned(),
            interval: Duration::from_secs(20)..=Duration::from_secs(30),
            server_xmlns: "urn:xmpp:ping".to_owned(),
        }
    }
}

impl Default for Deletion {
    fn default() -> Self {
        Self { xmlns: "urn:xmpp:whatsapp:account".to_owned(), child: "remove".to_owned() }
    }
}

impl Default for Reachability {
    /// The form assumed for RO 1.0.3: xmlns `w:interop`, child `<reachability>`.
    fn default() -> Self {
        Self { xmlns: "w:interop".to_owned(), child: "reachability".to_owned(), nobody: 404 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prologue_spells_the_wire_and_dictionary_versions() {
        assert_eq!(&Chat::default().prologue, b"WA\x06\x03");
    }

    #[test]
    fn failure_reasons_are_distinct() {
        let failures = Chat::default().failures;
        assert_ne!(failures.token_refused, failures.unenlisted);
        assert_ne!(failures.token_refused, failures.version_too_old);
        assert_ne!(failures.unenlisted, failures.version_too_old);
    }
}
