//! Clauses about stanzas, with their grammar.

use crate::rules::iqs::{
    BLOCK, BLOCKLIST, DELETION, DELETION_OLD, DEVICES, FOREIGN, PASSIVE, PING, PONG, PREKEY_COUNT,
    PREKEY_DIGEST, PREKEY_FETCH, PREKEY_UPLOAD, REACH, REPORT, ROTATION,
};
use crate::rules::stanzas::{ACK, CHATSTATE, IB, MESSAGE, PRESENCE, RECEIPT, RETRY};
use crate::rules::{Clause, Place, Rule};

const BAD_REQUEST: &str = "iq error 400 bad-request";
const NACK: &str = "ack with error 479";
const ENDED: &str = "stream error xml-not-well-formed, closed";

/// Every clause of this file.
pub(super) const STANZA: &[&Clause] = &[
    &MESSAGES,
    &RECEIPTS,
    &RETRIES,
    &ACKS,
    &ACK_TO,
    &CHATSTATES,
    &IBS,
    &PRESENCES,
    &STREAM_END,
    &UNKNOWN_STANZA,
    &PINGS,
    &PONGS,
    &KEY_FETCHES,
    &KEY_COUNTS,
    &KEY_DIGESTS,
    &KEY_UPLOADS,
    &UPLOAD_IDENTITY,
    &UPLOAD_REGISTRATION,
    &PREKEY_SIGNATURE,
    &TOO_MANY_PREKEYS,
    &ROTATIONS,
    &DEVICE_LISTS,
    &BLOCKLISTS,
    &BLOCKS,
    &REPORTS,
    &DELETIONS,
    &DELETIONS_OLD,
    &REACHES,
    &PASSIVES,
    &FOREIGN_REQUESTS,
    &UNKNOWN_REQUEST,
];

const fn stanza(
    id: &'static str,
    grammar: &'static Rule,
    says: &'static str,
    source: &'static str,
    answer: &'static str,
) -> Clause {
    Clause::new(id, Place::Stanza, says, source).answer(answer).grammar(grammar)
}

/// `<message>`.
pub const MESSAGES: Clause = stanza(
    "message",
    &MESSAGE,
    "a message goes to a WhatsApp user, with one <enc> for one device or <participants> for several",
    "overview §2.1.1, §3.1; the form is observed",
    NACK,
);

/// `<receipt>`.
pub const RECEIPTS: Clause = stanza(
    "receipt",
    &RECEIPT,
    "a receipt says of one or more messages that they were delivered, read or played",
    "overview §2.1.1; RO 1.0.3 §1.1; the form is observed",
    NACK,
);

/// `<receipt type="retry">`.
pub const RETRIES: Clause = stanza(
    "receipt-retry",
    &RETRY,
    "a retry receipt asks for a message again; from the second on with keys for a new session",
    "overview §2.1.1; RO 1.0.3 §1.1; the form is observed",
    NACK,
);

/// `<ack>`.
pub const ACKS: Clause = stanza(
    "ack",
    &ACK,
    "an ack names what it is for: class, id, and in to whom it came from",
    "observed",
    ENDED,
);

/// The ack's address.
pub const ACK_TO: Clause = Clause::new(
    "ack-to",
    Place::Stanza,
    "an ack's to is the from of the stanza that has this class and id",
    "observed",
)
.mend("give in to what the stanza has in from, with its device")
.answer("nothing: the stanza stays in the mailbox");

/// `<chatstate>`.
pub const CHATSTATES: Clause = stanza(
    "chatstate",
    &CHATSTATE,
    "a user types, records, or has stopped",
    "RO 1.0.3 §1.1; the form is observed",
    ENDED,
);

/// `<ib>`.
pub const IBS: Clause = stanza(
    "ib",
    &IB,
    "a client fetches the next stanzas of its mailbox",
    "overview §2.1.1; the form is observed",
    ENDED,
);

/// `<presence>`.
pub const PRESENCES: Clause = stanza(
    "presence",
    &PRESENCE,
    "public clients say that they are there; nothing comes of it",
    "observed",
    ENDED,
)
.noted();

/// The client ends the stream.
pub const STREAM_END: Clause = Clause::new(
    "stream-end",
    Place::Stanza,
    "a client may end the stream before it closes the connection",
    "observed",
)
.mend("nothing is to be mended")
.note();

/// Stanzas that nobody knows.
pub const UNKNOWN_STANZA: Clause = Clause::new(
    "stanza-unknown",
    Place::Stanza,
    "a stanza is a message, receipt, ack, iq, ib, chatstate or presence",
    "overview §2.1.1",
)
.mend("see the table of stanzas")
.answer(ENDED);

/// The iq that pings the server.
pub const PINGS: Clause =
    stanza("ping", &PING, "a client asks whether the server is there", "overview §1; observed", BAD_REQUEST);

/// The answer to a ping.
pub const PONGS: Clause =
    stanza("pong", &PONG, "a client answers the server's ping by its id", "observed", BAD_REQUEST);

/// The iq that fetches prekeys.
pub const KEY_FETCHES: Clause = stanza(
    "prekey-fetch",
    &PREKEY_FETCH,
    "a client fetches the keys of users or of their devices",
    "overview §1, §3; the form is observed",
    BAD_REQUEST,
);

/// The iq that asks how many prekeys there are.
pub const KEY_COUNTS: Clause = stanza(
    "prekey-count",
    &PREKEY_COUNT,
    "a client asks how many of its one-time prekeys are left",
    "observed",
    BAD_REQUEST,
);

/// The iq that compares prekeys.
pub const KEY_DIGESTS: Clause = stanza(
    "prekey-digest",
    &PREKEY_DIGEST,
    "public clients ask which of their keys the server has",
    "observed",
    BAD_REQUEST,
)
.noted();

/// The iq that uploads prekeys.
pub const KEY_UPLOADS: Clause = stanza(
    "prekey-upload",
    &PREKEY_UPLOAD,
    "a client uploads up to 1,000 one-time prekeys with its identity and signed prekey",
    "overview §3; the form is observed",
    BAD_REQUEST,
);

/// Its own identity.
pub const UPLOAD_IDENTITY: Clause = Clause::new(
    "prekey-identity",
    Place::Stanza,
    "what is uploaded is of key type 5 and of the identity that was enlisted",
    "overview §3, note: one identity",
)
.mend("upload with e_ident of the enlistment; another identity needs another enlistment")
.answer(BAD_REQUEST);

/// Its own registration id.
pub const UPLOAD_REGISTRATION: Clause = Clause::new(
    "prekey-registration",
    Place::Stanza,
    "the registration id is the enlisted one, 4 bytes, big-endian",
    "overview §1.2.2",
)
.mend("upload with e_regid of the enlistment")
.answer(BAD_REQUEST);

/// The signed prekey's signature.
pub const PREKEY_SIGNATURE: Clause = Clause::new(
    "prekey-signature",
    Place::Stanza,
    "the signed prekey is signed by the identity, over the byte 5 and the key",
    "overview §1.2.2; the 33 bytes: observed",
)
.mend("sign 0x05 || value, 33 bytes, with XEdDSA")
.answer(BAD_REQUEST);

/// Not more than are kept.
pub const TOO_MANY_PREKEYS: Clause = Clause::new(
    "prekey-too-many",
    Place::Stanza,
    "an account has at most 10,000 one-time prekeys at the server",
    "limit of the sandbox",
)
.mend("upload fewer")
.answer(BAD_REQUEST);

/// Rotating the signed prekey.
pub const ROTATIONS: Clause =
    stanza("prekey-rotate", &ROTATION, "a client replaces its signed prekey", "observed", BAD_REQUEST);

/// The iq that asks for device lists.
pub const DEVICE_LISTS: Clause = stanza(
    "devices",
    &DEVICES,
    "a client asks for the devices of users",
    "observed; whether a third party does is assumed",
    BAD_REQUEST,
);

/// Reading the blocklist.
pub const BLOCKLISTS: Clause = stanza(
    "blocklist",
    &BLOCKLIST,
    "a client reads its blocklist",
    "overview §4.2; the form is observed",
    BAD_REQUEST,
);

/// Changing the blocklist.
pub const BLOCKS: Clause = stanza(
    "block",
    &BLOCK,
    "a client blocks or unblocks one WhatsApp user",
    "overview §4.2; the form is observed",
    BAD_REQUEST,
);

/// The iq that reports a user.
pub const REPORTS: Clause = stanza(
    "report",
    &REPORT,
    "a client reports a WhatsApp user",
    "overview §4.2; the form is observed",
    BAD_REQUEST,
);

/// The iq that deletes the account.
pub const DELETIONS: Clause = stanza(
    "deletion",
    &DELETION,
    "a client asks that its user is removed",
    "overview §5; the form is assumed (chat.deletion)",
    BAD_REQUEST,
);

/// The older form of it.
pub const DELETIONS_OLD: Clause = stanza(
    "deletion-old",
    &DELETION_OLD,
    "older clients ask it with the namespace on the child",
    "observed",
    BAD_REQUEST,
)
.noted();

/// The iq that makes a user known to a third party.
pub const REACHES: Clause = stanza(
    "reachability",
    &REACH,
    "a user pings a WhatsApp user",
    "RO 1.0.3; the form is assumed (chat.reachability)",
    BAD_REQUEST,
);

/// Leaving passive mode.
pub const PASSIVES: Clause = stanza(
    "passive",
    &PASSIVE,
    "public clients say that they are ready; everything that waits is sent",
    "observed",
    BAD_REQUEST,
)
.noted();

/// Requests that only WhatsApp's own users have to make.
pub const FOREIGN_REQUESTS: Clause = stanza(
    "iq-foreign",
    &FOREIGN,
    "public clients also ask for what a third party's user has no part in; the answer is 501, or an empty result",
    "observed",
    BAD_REQUEST,
)
.noted();

/// Requests that nobody knows.
pub const UNKNOWN_REQUEST: Clause = Clause::new(
    "iq-unknown",
    Place::Stanza,
    "a request is in one of the namespaces of the table",
    "overview §2.1.1",
)
.mend("see the table of requests; xmlns is an attribute of the iq")
.answer("iq error 501 feature-not-implemented");

impl Clause {
    /// A stanza that fits its grammar is taken with a note.
    const fn noted(mut self) -> Self {
        self.class = crate::rules::Class::Note;
        self
    }
}
