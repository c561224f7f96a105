//! What each request of a client must look like (overview §3, §4.2, §5; observed).

use crate::rules::stanzas::MAX_CIPHERTEXT;
use crate::rules::{EMPTY, Inside, KEY_ID, KEY_VALUE, Kind, Rule, SIGNATURE, bytes};

const IQ_GET: &[(&str, Kind)] =
    &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["get"])), ("xmlns", Kind::Id)];
const IQ_SET: &[(&str, Kind)] =
    &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["set"])), ("xmlns", Kind::Id)];

/// `<iq type="get" xmlns="w:p"/>`, with or without a `<ping/>`.
pub(super) const PING: Rule = Rule::new(IQ_GET, Inside::Maybe("ping", &EMPTY));

/// `<iq type="result"/>`: the answer to a ping of the server.
pub(super) const PONG: Rule =
    Rule::new(&[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["result"]))], Inside::Nothing)
        .noted(&[("xmlns", Kind::Id), ("from", Kind::Address)]);

/// `<iq type="get" xmlns="encrypt"><count/></iq>`.
pub(super) const PREKEY_COUNT: Rule = Rule::new(IQ_GET, Inside::Children(&[("count", &EMPTY)]));

/// `<iq type="get" xmlns="encrypt"><digest/></iq>`: no document has it, public clients ask at each login.
pub(super) const PREKEY_DIGEST: Rule = Rule::new(IQ_GET, Inside::Children(&[("digest", &EMPTY)]));

/// `<iq type="get" xmlns="encrypt"><key><user jid/>…</key></iq>`.
pub(super) const PREKEY_FETCH: Rule = Rule::new(IQ_GET, Inside::Children(&[("key", &FETCHED)]));

const FETCHED: Rule = Rule::new(&[], Inside::Many("user", &FETCHED_USER, 256));

const FETCHED_USER: Rule =
    Rule::new(&[("jid", Kind::Device)], Inside::Nothing).optional(&[("reason", Kind::OneOf(&["identity"]))]);

/// `<iq type="set" xmlns="encrypt">` with registration, type, identity, list and signed prekey.
pub(super) const PREKEY_UPLOAD: Rule = Rule::new(
    IQ_SET,
    Inside::Children(&[
        ("registration", &bytes(4, 4)),
        ("type", &bytes(1, 1)),
        ("identity", &KEY_VALUE),
        ("list", &PREKEYS),
        ("skey", &SIGNED_PREKEY),
    ]),
)
.beside(&["op", "pq_list", "pq_last_resort_key"]);

const PREKEYS: Rule = Rule::new(&[], Inside::Many("key", &PREKEY, 1000));

pub(super) const PREKEY: Rule = Rule::new(&[], Inside::Children(&[("id", &KEY_ID), ("value", &KEY_VALUE)]));

pub(super) const SIGNED_PREKEY: Rule =
    Rule::new(&[], Inside::Children(&[("id", &KEY_ID), ("value", &KEY_VALUE), ("signature", &SIGNATURE)]));

/// `<iq type="set" xmlns="encrypt"><rotate><skey>…</skey></rotate></iq>`.
pub(super) const ROTATION: Rule = Rule::new(IQ_SET, Inside::Children(&[("rotate", &ROTATE)]));

const ROTATE: Rule =
    Rule::new(&[], Inside::Children(&[("skey", &SIGNED_PREKEY)])).beside(&["pq_last_resort_key"]);

/// `<iq type="get" xmlns="blocklist"/>`.
pub(super) const BLOCKLIST: Rule = Rule::new(IQ_GET, Inside::Nothing);

/// `<iq type="set" xmlns="blocklist"><item action jid/></iq>`.
pub(super) const BLOCK: Rule = Rule::new(IQ_SET, Inside::Children(&[("item", &BLOCK_ITEM)]));

const BLOCK_ITEM: Rule =
    Rule::new(&[("action", Kind::OneOf(&["block", "unblock"])), ("jid", Kind::User)], Inside::Nothing)
        .optional(&[("dhash", Kind::Text)]);

/// `<iq type="set"><remove/></iq>` in the profile's namespace and with its child.
pub(super) const DELETION: Rule = Rule::new(IQ_SET, Inside::Named(&EMPTY));

/// `<iq type="get"><remove xmlns/></iq>`: the older form of WhatsApp's own clients.
pub(super) const DELETION_OLD: Rule = Rule::new(
    &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["get", "set"]))],
    Inside::Children(&[("remove", &REMOVED)]),
);

const REMOVED: Rule = Rule::new(&[("xmlns", Kind::Id)], Inside::Nothing);

/// `<iq type="set" xmlns="spam"><spam_list spam_flow jid>…</spam_list></iq>`.
pub(super) const REPORT: Rule = Rule::new(IQ_SET, Inside::Children(&[("spam_list", &SPAM_LIST)]));

const SPAM_LIST: Rule = Rule::new(
    &[("spam_flow", Kind::Text), ("jid", Kind::User)],
    Inside::OneOf(&[Inside::Many("message", &SPAM, 100), Inside::Nothing]),
);

const SPAM: Rule = Rule::new(
    &[("id", Kind::Id), ("t", Kind::Number), ("from", Kind::User)],
    Inside::Children(&[("raw", &SPAM_RAW)]),
);

const SPAM_RAW: Rule = Rule::new(&[("v", Kind::OneOf(&["3"]))], Inside::Bytes(1, MAX_CIPHERTEXT))
    .optional(&[("mediatype", Kind::Id)]);

/// `<iq type="set"><reachability><user jid/></reachability></iq>` in the profile's namespace and with its child.
pub(super) const REACH: Rule = Rule::new(IQ_SET, Inside::Named(&REACHED));

const REACHED: Rule = Rule::new(&[], Inside::Children(&[("user", &USER)]));

const USER: Rule = Rule::new(&[("jid", Kind::User)], Inside::Nothing);

/// `<iq type="get" xmlns="usync">` for the devices of users.
pub(super) const DEVICES: Rule = Rule::new(IQ_GET, Inside::Children(&[("usync", &USYNC)]));

const USYNC: Rule = Rule::new(
    &[
        ("sid", Kind::Id),
        ("mode", Kind::OneOf(&["query"])),
        ("last", Kind::OneOf(&["true"])),
        ("index", Kind::OneOf(&["0"])),
        ("context", Kind::OneOf(&["message"])),
    ],
    Inside::Children(&[("query", &USYNC_QUERY), ("list", &USYNC_LIST)]),
)
.noted(&[
    ("mode", Kind::OneOf(&["full", "delta"])),
    ("context", Kind::OneOf(&["background", "interactive", "notification", "registration", "add"])),
])
.beside(&["side_list"]);

const USYNC_QUERY: Rule = Rule::new(&[], Inside::Children(&[("devices", &USYNC_DEVICES)])).beside(&[
    "lid",
    "contact",
    "status",
    "picture",
    "disappearing_mode",
    "business",
    "username",
    "bot",
]);

const USYNC_DEVICES: Rule = Rule::new(&[("version", Kind::OneOf(&["2"]))], Inside::Nothing);

const USYNC_LIST: Rule = Rule::new(&[], Inside::Many("user", &USYNC_USER, 256));

const USYNC_USER: Rule = Rule::new(&[("jid", Kind::User)], Inside::Nothing)
    .beside(&["contact", "lid", "devices", "status", "picture"]);

/// `<iq type="set" xmlns="passive"><active/></iq>`: no document has it, public clients send it after each login.
pub(super) const PASSIVE: Rule = Rule::new(
    IQ_SET,
    Inside::OneOf(&[Inside::Children(&[("active", &EMPTY)]), Inside::Children(&[("passive", &EMPTY)])]),
);

/// A request in a namespace that only WhatsApp's own users need; public clients make it all the same.
pub(super) const FOREIGN: Rule = Rule::new(
    &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["get", "set"])), ("xmlns", Kind::Id)],
    Inside::Anything,
)
.optional(&[("target", Kind::Text), ("smax_id", Kind::Text), ("from", Kind::Address)]);

/// The namespaces of [`FOREIGN`].
pub(crate) const FOREIGN_NAMESPACES: [&str; 9] =
    ["abt", "w:m", "w", "privacy", "tos", "w:profile:picture", "w:stats", "urn:xmpp:whatsapp:push", "status"];
