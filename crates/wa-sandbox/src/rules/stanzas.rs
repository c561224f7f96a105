//! Messages, receipts, acks and what else is no request (overview §2.1.1, §3; observed).

use crate::rules::iqs::{PREKEY, SIGNED_PREKEY};
use crate::rules::{EMPTY, Inside, KEY_VALUE, Kind, Rule, bytes};

/// Most bytes of a ciphertext: what a frame can carry.
pub(crate) const MAX_CIPHERTEXT: usize = (1 << 24) - 1;

/// `<message to id type><enc v type>…</enc></message>`: one `<enc>` for one device, `<participants>` for several.
pub(super) const MESSAGE: Rule = Rule::new(
    &[("to", Kind::Device), ("id", Kind::Id), ("type", Kind::OneOf(&["text", "media", "reaction"]))],
    Inside::OneOf(&[
        Inside::Children(&[("enc", &ENC)]),
        Inside::Children(&[("participants", &PARTICIPANTS)]),
        Inside::Noted(&Inside::Children(&[("body", &BODY)])),
    ]),
)
.optional(&[("edit", Kind::OneOf(&["1", "7"]))])
.noted(&[
    ("type", Kind::OneOf(&["poll"])),
    ("device_fanout", Kind::OneOf(&["false", "true"])),
    ("t", Kind::Number),
    ("from", Kind::Address),
    ("notify", Kind::Text),
    ("participant", Kind::Address),
    ("recipient", Kind::Address),
    ("phash", Kind::Text),
])
.beside(&["reporting", "tctoken", "device-identity"]);

/// The overview's printed message has this in place of a ciphertext.
const BODY: Rule = Rule::new(&[], Inside::Text);

const PARTICIPANTS: Rule = Rule::new(&[], Inside::Many("to", &PARTICIPANT, 64));

const PARTICIPANT: Rule = Rule::new(&[("jid", Kind::Device)], Inside::Children(&[("enc", &ENC)]));

const ENC: Rule = Rule::new(
    &[("v", Kind::OneOf(&["2"])), ("type", Kind::OneOf(&["msg", "pkmsg"]))],
    Inside::Bytes(1, MAX_CIPHERTEXT),
)
.optional(&[("mediatype", Kind::Id), ("count", Kind::Number), ("decrypt-fail", Kind::OneOf(&["hide"]))]);

/// `<receipt to id [type]>`, with a `<list>` of more ids if it is for several messages.
pub(super) const RECEIPT: Rule =
    Rule::new(&[("to", Kind::Device), ("id", Kind::Id)], Inside::Maybe("list", &RECEIPT_LIST))
        .optional(&[("type", Kind::OneOf(&["read", "played"])), ("t", Kind::Number)])
        .noted(&[
            ("type", Kind::OneOf(&["inactive"])),
            ("participant", Kind::Address),
            ("recipient", Kind::Address),
        ]);

const RECEIPT_LIST: Rule = Rule::new(&[], Inside::Many("item", &ITEM, 1000));

const ITEM: Rule = Rule::new(&[("id", Kind::Id)], Inside::Nothing);

/// `<receipt type="retry">` with `<retry>`, `<registration>` and perhaps `<keys>`.
pub(super) const RETRY: Rule = Rule::new(
    &[("to", Kind::Device), ("id", Kind::Id), ("type", Kind::OneOf(&["retry"]))],
    Inside::Parts(&[("retry", &RETRY_COUNT), ("registration", &bytes(4, 4))], &[("keys", &RETRY_KEYS)]),
)
.noted(&[("t", Kind::Number), ("participant", Kind::Address), ("recipient", Kind::Address)]);

const RETRY_COUNT: Rule = Rule::new(
    &[("count", Kind::Number), ("id", Kind::Id), ("t", Kind::Number), ("v", Kind::OneOf(&["1"]))],
    Inside::Nothing,
)
.optional(&[("error", Kind::Number)]);

const RETRY_KEYS: Rule = Rule::new(
    &[],
    Inside::Parts(
        &[("type", &bytes(1, 1)), ("identity", &KEY_VALUE), ("skey", &SIGNED_PREKEY)],
        &[("key", &PREKEY)],
    ),
)
.beside(&["device-identity"]);

/// `<chatstate to>` with `<composing>` or `<paused>`.
pub(super) const CHATSTATE: Rule = Rule::new(
    &[("to", Kind::User)],
    Inside::OneOf(&[Inside::Children(&[("composing", &COMPOSING)]), Inside::Children(&[("paused", &EMPTY)])]),
)
.noted(&[("from", Kind::Address)]);

const COMPOSING: Rule = Rule::new(&[], Inside::Nothing).optional(&[("media", Kind::OneOf(&["audio"]))]);

/// `<ack class id to [type]/>` for what the server sent.
pub(super) const ACK: Rule = Rule::new(
    &[
        ("class", Kind::OneOf(&["message", "receipt", "notification"])),
        ("id", Kind::Id),
        ("to", Kind::Sender),
    ],
    Inside::Nothing,
)
.optional(&[("type", Kind::Id), ("error", Kind::Number)])
.noted(&[("from", Kind::Address), ("participant", Kind::Address), ("recipient", Kind::Address)]);

/// `<ib><offline_batch count/></ib>`.
pub(super) const IB: Rule = Rule::new(
    &[],
    Inside::OneOf(&[
        Inside::Children(&[("offline_batch", &OFFLINE_BATCH)]),
        Inside::Noted(&Inside::Children(&[("unified_session", &SESSION)])),
    ]),
)
.noted(&[("to", Kind::Server)]);

const OFFLINE_BATCH: Rule = Rule::new(&[("count", Kind::Number)], Inside::Nothing);

const SESSION: Rule = Rule::new(&[("id", Kind::Text)], Inside::Nothing);

/// `<presence name type/>`: no document has it, public clients send it at each login.
pub(super) const PRESENCE: Rule = Rule::new(
    &[("type", Kind::OneOf(&["available", "unavailable", "subscribe", "unsubscribe"]))],
    Inside::Anything,
)
.optional(&[("name", Kind::Text), ("to", Kind::User), ("id", Kind::Id)]);
