//! The chat channel: endpoint, handshake, login, keepalive and account stanzas (seed part 2).

use std::{ops::RangeInclusive, time::Duration};

/// How a client reaches chatd and what it says there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chat {
    /// The host of the chat service. Observed in ordinary clients; the partner endpoint is not public.
    pub host: String,
    /// Its TCP port (observed).
    pub port: u16,
    /// The bytes sent once before the first frame and mixed into the handshake: `WA`, the wire version, the
    /// dictionary version (observed).
    pub prologue: [u8; 4],
    /// Which Noise is spoken (seed part 2: "slightly modified"; the modification is observed).
    pub dialect: NoiseDialect,
    /// What the login says.
    pub login: Login,
    /// The reasons with which a login fails.
    pub failures: Failures,
    /// Keepalive in both directions.
    pub ping: Ping,
    /// How many stored stanzas a client asks for at once (observed).
    pub offline_batch: u32,
    /// Which receipts a client must send (seed; RO 1.0.3 adds read receipts).
    pub receipts: Receipts,
    /// How a user deletes the account.
    pub deletion: Deletion,
    /// How a user pings a WhatsApp user, or `None` where the document has no reachability.
    pub reachability: Option<Reachability>,
    /// The `xmlns` of a report (observed).
    pub report_xmlns: String,
    /// The attribute that carries a proxied client's IP address, or `None` without proxies.
    ///
    /// That a proxy must pass it on is RO 1.0.3; the attribute's name and place are assumed.
    pub client_ip_attribute: Option<String>,
}

/// The handshake's variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoiseDialect {
    /// WhatsApp's: the first message's empty payload is not hashed (observed).
    WhatsApp,
    /// The Noise specification to the letter.
    Strict,
}

/// What the login's client payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Login {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VersionAtLogin {
    /// In `userAgent.appVersion` {primary, secondary, tertiary}.
    AppVersion,
    /// Nowhere.
    Omitted,
}

/// The `reason` numbers of `<failure/>` that have a meaning here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ping {
    /// The `xmlns` of the client's ping.
    pub client_xmlns: String,
    /// Between which pauses a client draws the next one.
    pub interval: RangeInclusive<Duration>,
    /// The `xmlns` of the server's ping.
    pub server_xmlns: String,
}

/// The receipts a client must send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reachability {
    /// The iq's `xmlns`.
    pub xmlns: String,
    /// The tag of its child.
    pub child: String,
}

impl Chat {
    pub(crate) fn reference_offer_1_0_3() -> Self {
        Self {
            host: "g.whatsapp.net".to_owned(),
            port: 443,
            prologue: [0x57, 0x41, 6, 3],
            dialect: NoiseDialect::WhatsApp,
            login: Login {
                product: 2,
                username: false,
                passive: false,
                enable_read_receipts: true,
                version: VersionAtLogin::AppVersion,
            },
            failures: Failures { token_refused: 401, unenlisted: 415, version_too_old: 405 },
            ping: Ping {
                client_xmlns: "w:p".to_owned(),
                interval: Duration::from_secs(20)..=Duration::from_secs(30),
                server_xmlns: "urn:xmpp:ping".to_owned(),
            },
            offline_batch: 200,
            receipts: Receipts::DeliveryAndRead,
            deletion: Deletion { xmlns: "urn:xmpp:whatsapp:account".to_owned(), child: "remove".to_owned() },
            reachability: Some(Reachability::assumed()),
            report_xmlns: "spam".to_owned(),
            client_ip_attribute: Some("client_ip".to_owned()),
        }
    }
}

impl Reachability {
    /// The form assumed for RO 1.0.3: xmlns `w:interop`, child `<reachability>`.
    #[must_use]
    pub fn assumed() -> Self {
        Self { xmlns: "w:interop".to_owned(), child: "reachability".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prologue_spells_the_wire_and_dictionary_versions() {
        assert_eq!(&Chat::reference_offer_1_0_3().prologue, b"WA\x06\x03");
    }

    #[test]
    fn failure_reasons_are_distinct() {
        let failures = Chat::reference_offer_1_0_3().failures;
        assert_ne!(failures.token_refused, failures.unenlisted);
        assert_ne!(failures.token_refused, failures.version_too_old);
        assert_ne!(failures.unenlisted, failures.version_too_old);
    }
}
