//! The rule table: which stanzas a third party's client may send, attribute by attribute (seed §2.1.1; observed).
//!
//! A stanza is judged as the raw node that came over the wire. What no rule allows is a violation: an attribute that
//! only servers write, a JID written as text, a child too many.

use wa_binary::{Jid, Node, Value};

mod iqs;

pub use self::iqs::{
    BLOCK, BLOCKLIST, DELETION, DEVICES, PING, PONG, PREKEY_COUNT, PREKEY_FETCH, PREKEY_UPLOAD, REACH,
    REPORT, ROTATION,
};

/// What one kind of stanza must look like.
#[derive(Debug)]
pub struct Rule {
    /// Attributes that must be there.
    pub required: &'static [(&'static str, Kind)],
    /// Attributes that may be there.
    pub optional: &'static [(&'static str, Kind)],
    /// What stands inside.
    pub content: Inside,
}

/// What an attribute holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text that names a stanza: 1 to 64 characters.
    Id,
    /// WhatsApp's server, as a JID.
    Server,
    /// A WhatsApp user without device, as a JID.
    User,
    /// A WhatsApp user, or one device of theirs, as a JID.
    Device,
    /// Any text.
    Text,
    /// WhatsApp's server or a user.
    Sender,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A decimal number.
    Number,
}

/// What stands inside a node.
#[derive(Clone, Copy, Debug)]
pub enum Inside {
    /// Nothing.
    Nothing,
    /// So many bytes.
    Bytes(usize, usize),
    /// Exactly these children, in any order.
    Children(&'static [(&'static str, &'static Rule)]),
    /// Nothing, or this one child.
    Maybe(&'static str, &'static Rule),
    /// Between 1 and so many children of one kind.
    Many(&'static str, &'static Rule, usize),
    /// These children, and perhaps one of each of those, in any order.
    Parts(&'static [(&'static str, &'static Rule)], &'static [(&'static str, &'static Rule)]),
    /// One of these.
    OneOf(&'static [Inside]),
    /// One child whose tag the profile names: the caller compares it.
    Named(&'static Rule),
}

/// Why a stanza was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The tag of the node at fault.
    pub tag: String,
    /// What is wrong with it.
    pub what: String,
}

impl Rule {
    /// Judges a node.
    pub fn check(&self, node: &Node) -> Result<(), Violation> {
        let violation = |what: String| Violation { tag: node.tag().to_owned(), what };
        for (name, kind) in self.required {
            let value = node.attr(name).ok_or_else(|| violation(format!("lacks {name}")))?;
            if !kind.allows(value) {
                return Err(violation(format!("has a bad {name}")));
            }
        }
        for (index, (name, value)) in node.attrs().iter().enumerate() {
            if node.attrs().iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err(violation(format!("has {name} twice")));
            }
            let mut allowed = self.required.iter().chain(self.optional);
            match allowed.find(|(allowed, _)| *name == **allowed) {
                None => return Err(violation(format!("has an unknown {name}"))),
                Some((_, kind)) if !kind.allows(value) => {
                    return Err(violation(format!("has a bad {name}")));
                }
                Some(_) => {}
            }
        }
        self.content.check(node, &violation)
    }
}

impl Inside {
    fn check(self, node: &Node, violation: &dyn Fn(String) -> Violation) -> Result<(), Violation> {
        let children = node.children();
        match self {
            Self::Nothing if *node.content() == wa_binary::Content::Empty => Ok(()),
            Self::Bytes(least, most) if node.bytes().is_some_and(|b| (least..=most).contains(&b.len())) => {
                Ok(())
            }
            Self::Maybe(..) if *node.content() == wa_binary::Content::Empty => Ok(()),
            Self::Maybe(tag, rule) => match children {
                [child] if child.is(tag) => rule.check(child),
                _ => Err(violation(format!("may hold one {tag} only"))),
            },
            Self::Children(expected) if children.len() == expected.len() => {
                expected.iter().try_for_each(|(tag, rule)| {
                    let child = node.child(tag).ok_or_else(|| violation(format!("holds no {tag}")))?;
                    rule.check(child)
                })
            }
            Self::Named(rule) if children.len() == 1 => {
                children.iter().try_for_each(|child| rule.check(child))
            }
            Self::Many(tag, rule, most) if (1..=most).contains(&children.len()) => {
                children.iter().try_for_each(|child| match child.is(tag) {
                    true => rule.check(child),
                    false => Err(violation(format!("holds something that is no {tag}"))),
                })
            }
            Self::Parts(required, optional) => {
                required.iter().try_for_each(|(tag, rule)| {
                    rule.check(node.child(tag).ok_or_else(|| violation(format!("holds no {tag}")))?)
                })?;
                let known = |child: &&Node| required.iter().chain(optional).find(|(tag, _)| child.is(tag));
                children.iter().enumerate().try_for_each(|(index, child)| {
                    let is_double = children.iter().take(index).any(|earlier| earlier.is(child.tag()));
                    match known(&child).filter(|_| !is_double) {
                        Some((_, rule)) => rule.check(child),
                        None => Err(violation(format!("may not hold this {}", child.tag()))),
                    }
                })
            }
            Self::OneOf(choices) => {
                let mut verdicts = choices.iter().map(|choice| choice.check(node, violation));
                let first = verdicts.next().unwrap_or(Ok(()));
                if first.is_ok() || verdicts.any(|verdict| verdict.is_ok()) { Ok(()) } else { first }
            }
            _ => Err(violation("has other content than it must".to_owned())),
        }
    }
}

impl Kind {
    fn allows(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Id, Value::Text(text)) => (1..=64).contains(&text.chars().count()),
            (Self::OneOf(words), Value::Text(text)) => words.iter().any(|word| *text == **word),
            (Self::Number, Value::Text(text)) => text.parse::<u64>().is_ok(),
            (Self::Server, Value::Jid(jid)) => is_server(jid),
            (Self::User, Value::Jid(jid)) => is_user(jid) && jid.device() == 0,
            (Self::Device, Value::Jid(jid)) => is_user(jid),
            (Self::Text, Value::Text(_)) => true,
            (Self::Sender, Value::Jid(jid)) => is_server(jid) || is_user(jid),
            // The server's name is a token, and some writers write it as text.
            (Self::Server | Self::Sender, Value::Text(text)) => *text == *"s.whatsapp.net",
            _ => false,
        }
    }
}

fn is_server(jid: &Jid) -> bool {
    *jid == Jid::whatsapp()
}

fn is_user(jid: &Jid) -> bool {
    jid.server() == "s.whatsapp.net" && jid.user().is_some()
}

const EMPTY: Rule = Rule { required: &[], optional: &[], content: Inside::Nothing };

const fn bytes(least: usize, most: usize) -> Rule {
    Rule { required: &[], optional: &[], content: Inside::Bytes(least, most) }
}

const KEY_ID: Rule = bytes(3, 3);
const KEY_VALUE: Rule = bytes(32, 32);
const SIGNATURE: Rule = bytes(64, 64);

/// `<message to id type><enc v type>…</enc></message>`: one `<enc>` for one device, `<participants>` for several.
pub const MESSAGE: Rule = Rule {
    required: &[
        ("to", Kind::Device),
        ("id", Kind::Id),
        ("type", Kind::OneOf(&["text", "media", "reaction"])),
    ],
    optional: &[("edit", Kind::OneOf(&["1", "7"]))],
    content: Inside::OneOf(&[
        Inside::Children(&[("enc", &ENC)]),
        Inside::Children(&[("participants", &PARTICIPANTS)]),
    ]),
};

const PARTICIPANTS: Rule =
    Rule { required: &[], optional: &[], content: Inside::Many("to", &PARTICIPANT, 64) };

const PARTICIPANT: Rule =
    Rule { required: &[("jid", Kind::Device)], optional: &[], content: Inside::Children(&[("enc", &ENC)]) };

const ENC: Rule = Rule {
    required: &[("v", Kind::OneOf(&["2"])), ("type", Kind::OneOf(&["msg", "pkmsg"]))],
    optional: &[("mediatype", Kind::Id), ("count", Kind::Number), ("decrypt-fail", Kind::OneOf(&["hide"]))],
    content: Inside::Bytes(1, 1 << 18),
};

/// `<receipt to id [type]>`, with a `<list>` of more ids if it is for several messages.
pub const RECEIPT: Rule = Rule {
    required: &[("to", Kind::Device), ("id", Kind::Id)],
    optional: &[("type", Kind::OneOf(&["read", "played"])), ("t", Kind::Number)],
    content: Inside::Maybe("list", &RECEIPT_LIST),
};

const RECEIPT_LIST: Rule = Rule { required: &[], optional: &[], content: Inside::Many("item", &ITEM, 1000) };

const ITEM: Rule = Rule { required: &[("id", Kind::Id)], optional: &[], content: Inside::Nothing };

/// `<receipt type="retry">` with `<retry>`, `<registration>` and perhaps `<keys>`.
pub const RETRY: Rule = Rule {
    required: &[("to", Kind::Device), ("id", Kind::Id), ("type", Kind::OneOf(&["retry"]))],
    optional: &[],
    content: Inside::Parts(
        &[("retry", &RETRY_COUNT), ("registration", &bytes(4, 4))],
        &[("keys", &RETRY_KEYS)],
    ),
};

const RETRY_COUNT: Rule = Rule {
    required: &[("count", Kind::Number), ("id", Kind::Id), ("t", Kind::Number), ("v", Kind::OneOf(&["1"]))],
    optional: &[("error", Kind::Number)],
    content: Inside::Nothing,
};

const RETRY_KEYS: Rule = Rule {
    required: &[],
    optional: &[],
    content: Inside::Parts(
        &[("type", &bytes(1, 1)), ("identity", &KEY_VALUE), ("skey", &iqs::SIGNED_PREKEY)],
        &[("key", &iqs::PREKEY)],
    ),
};

/// `<chatstate to>` with `<composing>` or `<paused>`.
pub const CHATSTATE: Rule = Rule {
    required: &[("to", Kind::User)],
    optional: &[],
    content: Inside::OneOf(&[
        Inside::Children(&[("composing", &COMPOSING)]),
        Inside::Children(&[("paused", &EMPTY)]),
    ]),
};

const COMPOSING: Rule =
    Rule { required: &[], optional: &[("media", Kind::OneOf(&["audio"]))], content: Inside::Nothing };

/// `<ack class id to [type]/>` for what the server sent.
pub const ACK: Rule = Rule {
    required: &[
        ("class", Kind::OneOf(&["message", "receipt", "notification"])),
        ("id", Kind::Id),
        ("to", Kind::Sender),
    ],
    optional: &[("type", Kind::Id), ("error", Kind::Number)],
    content: Inside::Nothing,
};

/// `<ib><offline_batch count/></ib>`.
pub const IB: Rule =
    Rule { required: &[], optional: &[], content: Inside::Children(&[("offline_batch", &OFFLINE_BATCH)]) };

const OFFLINE_BATCH: Rule =
    Rule { required: &[("count", Kind::Number)], optional: &[], content: Inside::Nothing };

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: &Rule, xml: &str) -> Result<(), String> {
        let node: Node = xml.parse().unwrap();
        rule.check(&node).map_err(|violation| format!("{} {}", violation.tag, violation.what))
    }

    #[test]
    fn what_clients_send_passes() {
        let cases = [
            (&PING, r#"<iq id="1" type="get" xmlns="w:p" to="s.whatsapp.net"/>"#),
            (&PING, r#"<iq id="1" type="get" xmlns="w:p" to="s.whatsapp.net"><ping/></iq>"#),
            (&RECEIPT, r#"<receipt to="14155551001@s.whatsapp.net" id="A"/>"#),
            (
                &MESSAGE,
                r#"<message to="1415@s.whatsapp.net" id="1" type="text"><participants>
                <to jid="1415:3@s.whatsapp.net"><enc v="2" type="msg" wa:bytes="00"/></to>
                </participants></message>"#,
            ),
            (
                &RECEIPT,
                r#"<receipt to="1415@s.whatsapp.net" id="A" type="read"><list><item id="B"/></list></receipt>"#,
            ),
            (
                &RETRY,
                r#"<receipt to="1415@s.whatsapp.net" id="A" type="retry">
                <retry count="1" id="A" t="2" v="1" error="7"/><registration wa:bytes="00000001"/></receipt>"#,
            ),
            (&CHATSTATE, r#"<chatstate to="1415@s.whatsapp.net"><composing media="audio"/></chatstate>"#),
            (&CHATSTATE, r#"<chatstate to="1415@s.whatsapp.net"><paused/></chatstate>"#),
            (
                &BLOCK,
                r#"<iq id="1" type="set" xmlns="blocklist" to="s.whatsapp.net">
                <item action="block" jid="1415@s.whatsapp.net"/></iq>"#,
            ),
            (&ACK, r#"<ack class="message" id="A" to="14155551001@s.whatsapp.net"/>"#),
            (&IB, r#"<ib><offline_batch count="200"/></ib>"#),
        ];
        for (rule, xml) in cases {
            assert_eq!(check(rule, xml), Ok(()), "{xml}");
        }
    }

    #[test]
    fn violations_name_what_is_wrong() {
        let message = |attrs: &str, inside: &str| format!("<message {attrs}>{inside}</message>");
        let enc = r#"<enc v="2" type="msg" wa:bytes="00"/>"#;
        let good = r#"to="1415@s.whatsapp.net" id="1" type="text""#;
        assert_eq!(check(&MESSAGE, &message(good, enc)), Ok(()));
        for (xml, error) in [
            (message(r#"to="1415@s.whatsapp.net" id="1""#, enc), "message lacks type"),
            (message(&format!(r#"{good} from="1-2@interop""#), enc), "message has an unknown from"),
            (message(&good.replace("s.whatsapp.net", "g.us"), enc), "message has a bad to"),
            (message(&format!(r#"{good} edit="2""#), enc), "message has a bad edit"),
            (message(good, "<participants/>"), "message holds no enc"),
            (message(&good.replace("text", "song"), enc), "message has a bad type"),
            (message(&format!(r#"wa:text="to" {good}"#), enc), "message has a bad to"),
            (message(good, ""), "message has other content than it must"),
            (message(good, &format!("{enc}{enc}")), "message has other content than it must"),
            (message(good, "<body/>"), "message holds no enc"),
            (message(good, &enc.replace('2', "1")), "enc has a bad v"),
            (message(good, r#"<enc v="2" type="msg"/>"#), "enc has other content than it must"),
        ] {
            assert_eq!(check(&MESSAGE, &xml), Err(error.to_owned()), "{xml}");
        }
    }
}
