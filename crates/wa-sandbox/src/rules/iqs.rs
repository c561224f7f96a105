//! What each request of a client must look like (seed §3, §5; observed).

use crate::rules::{EMPTY, Inside, KEY_ID, KEY_VALUE, Kind, Rule, SIGNATURE, bytes};

const IQ_GET: &[(&str, Kind)] =
    &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["get"])), ("xmlns", Kind::Id)];
const IQ_SET: &[(&str, Kind)] =
    &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["set"])), ("xmlns", Kind::Id)];

/// `<iq type="get" xmlns="w:p"/>`, with or without a `<ping/>`.
pub const PING: Rule = Rule { required: IQ_GET, optional: &[], content: Inside::Maybe("ping", &EMPTY) };

/// `<iq type="result"/>`: the answer to a ping of the server.
pub const PONG: Rule = Rule {
    required: &[("id", Kind::Id), ("to", Kind::Server), ("type", Kind::OneOf(&["result"]))],
    optional: &[],
    content: Inside::Nothing,
};

/// `<iq type="get" xmlns="encrypt"><count/></iq>`.
pub const PREKEY_COUNT: Rule =
    Rule { required: IQ_GET, optional: &[], content: Inside::Children(&[("count", &EMPTY)]) };

/// `<iq type="get" xmlns="encrypt"><key><user jid/>…</key></iq>`.
pub const PREKEY_FETCH: Rule =
    Rule { required: IQ_GET, optional: &[], content: Inside::Children(&[("key", &FETCHED)]) };

const FETCHED: Rule =
    Rule { required: &[], optional: &[], content: Inside::Many("user", &FETCHED_USER, 256) };

const FETCHED_USER: Rule = Rule {
    required: &[("jid", Kind::Device)],
    optional: &[("reason", Kind::OneOf(&["identity"]))],
    content: Inside::Nothing,
};

/// `<iq type="set" xmlns="encrypt">` with registration, type, identity, list and signed prekey.
pub const PREKEY_UPLOAD: Rule = Rule {
    required: IQ_SET,
    optional: &[],
    content: Inside::Children(&[
        ("registration", &bytes(4, 4)),
        ("type", &bytes(1, 1)),
        ("identity", &KEY_VALUE),
        ("list", &PREKEYS),
        ("skey", &SIGNED_PREKEY),
    ]),
};

const PREKEYS: Rule = Rule { required: &[], optional: &[], content: Inside::Many("key", &PREKEY, 1000) };

pub(super) const PREKEY: Rule = Rule {
    required: &[],
    optional: &[],
    content: Inside::Children(&[("id", &KEY_ID), ("value", &KEY_VALUE)]),
};

pub(super) const SIGNED_PREKEY: Rule = Rule {
    required: &[],
    optional: &[],
    content: Inside::Children(&[("id", &KEY_ID), ("value", &KEY_VALUE), ("signature", &SIGNATURE)]),
};

/// `<iq type="set" xmlns="encrypt"><rotate><skey>…</skey></rotate></iq>`.
pub const ROTATION: Rule =
    Rule { required: IQ_SET, optional: &[], content: Inside::Children(&[("rotate", &ROTATE)]) };

const ROTATE: Rule =
    Rule { required: &[], optional: &[], content: Inside::Children(&[("skey", &SIGNED_PREKEY)]) };

/// `<iq type="get" xmlns="blocklist"/>`.
pub const BLOCKLIST: Rule = Rule { required: IQ_GET, optional: &[], content: Inside::Nothing };

/// `<iq type="set" xmlns="blocklist"><item action jid/></iq>`.
pub const BLOCK: Rule =
    Rule { required: IQ_SET, optional: &[], content: Inside::Children(&[("item", &BLOCK_ITEM)]) };

const BLOCK_ITEM: Rule = Rule {
    required: &[("action", Kind::OneOf(&["block", "unblock"])), ("jid", Kind::User)],
    optional: &[("dhash", Kind::Text)],
    content: Inside::Nothing,
};

/// `<iq type="set"><remove/></iq>` in the profile's namespace and with its child.
pub const DELETION: Rule = Rule { required: IQ_SET, optional: &[], content: Inside::Named(&EMPTY) };

/// `<iq type="set" xmlns="spam"><spam_list spam_flow jid>…</spam_list></iq>`.
pub const REPORT: Rule =
    Rule { required: IQ_SET, optional: &[], content: Inside::Children(&[("spam_list", &SPAM_LIST)]) };

const SPAM_LIST: Rule = Rule {
    required: &[("spam_flow", Kind::Text), ("jid", Kind::User)],
    optional: &[],
    content: Inside::OneOf(&[Inside::Many("message", &SPAM, 100), Inside::Nothing]),
};

const SPAM: Rule = Rule {
    required: &[("id", Kind::Id), ("t", Kind::Number), ("from", Kind::User)],
    optional: &[],
    content: Inside::Children(&[("raw", &SPAM_RAW)]),
};

const SPAM_RAW: Rule = Rule {
    required: &[("v", Kind::OneOf(&["3"]))],
    optional: &[("mediatype", Kind::Id)],
    content: Inside::Bytes(1, 1 << 18),
};

/// `<iq type="set"><reachability><user jid/></reachability></iq>` in the profile's namespace and with its child.
pub const REACH: Rule = Rule { required: IQ_SET, optional: &[], content: Inside::Named(&REACHED) };

const REACHED: Rule = Rule { required: &[], optional: &[], content: Inside::Children(&[("user", &USER)]) };

const USER: Rule = Rule { required: &[("jid", Kind::User)], optional: &[], content: Inside::Nothing };

/// `<iq type="get" xmlns="usync">` for the devices of users.
pub const DEVICES: Rule =
    Rule { required: IQ_GET, optional: &[], content: Inside::Children(&[("usync", &USYNC)]) };

const USYNC: Rule = Rule {
    required: &[
        ("sid", Kind::Id),
        ("mode", Kind::OneOf(&["query"])),
        ("last", Kind::OneOf(&["true"])),
        ("index", Kind::OneOf(&["0"])),
        ("context", Kind::OneOf(&["message"])),
    ],
    optional: &[],
    content: Inside::Children(&[("query", &USYNC_QUERY), ("list", &USYNC_LIST)]),
};

const USYNC_QUERY: Rule =
    Rule { required: &[], optional: &[], content: Inside::Children(&[("devices", &USYNC_DEVICES)]) };

const USYNC_DEVICES: Rule =
    Rule { required: &[("version", Kind::OneOf(&["2"]))], optional: &[], content: Inside::Nothing };

const USYNC_LIST: Rule = Rule { required: &[], optional: &[], content: Inside::Many("user", &USER, 256) };
