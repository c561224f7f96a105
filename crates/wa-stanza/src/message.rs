//! Overview §2.1.1: `<message>`, with its encrypted content (attributes and types: public clients).

use bytes::Bytes;
use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;

/// The attributes that name the sender's other address (public clients).
const OTHER_FROM: [&str; 2] = ["sender_lid", "sender_pn"];

/// A message, as sent or as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Chosen by the sender; ties receipts, acks and retries to it.
    pub id: Str,
    /// Whom it is for; present on what a client sends.
    pub to: Option<Jid>,
    /// Who sent it, or the group; stamped by the server.
    pub from: Option<Jid>,
    /// The sender's other address, where the server tells: of a phone number the internal one (`sender_lid`), of that the
    /// phone number (`sender_pn`).
    pub other_from: Option<Jid>,
    /// Who sent it, if `from` is a group.
    pub participant: Option<Jid>,
    /// Whom it was for, if one's own other device sent it.
    pub recipient: Option<Jid>,
    /// What kind of content it has.
    pub kind: MessageKind,
    /// When the server received it, seconds since 1970.
    pub t: Option<u64>,
    /// The sender's name for themself.
    pub notify: Option<Str>,
    /// Present if it waited in the mailbox; a number without known meaning.
    pub offline: Option<u32>,
    /// Which earlier message's content it changes, and how.
    pub edit: Option<Edit>,
    /// The content, encrypted for the reader. Interop messages have one; a group's may have two.
    pub encs: Vec<Enc>,
    /// The content encrypted for each device by itself, where the sender does so (`<participants>`).
    pub participants: Vec<(Jid, Enc)>,
    /// Children that are not modelled.
    pub children: Vec<Node>,
}

/// `<enc>`: content encrypted with the Signal protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enc {
    /// The version: 2; 3 has no padding inside.
    pub v: u8,
    /// The type of Signal message.
    pub kind: EncKind,
    /// The kind of media inside, such as `image`, `ptt` or `document`.
    pub media_type: Option<Str>,
    /// How often it has been sent again after a retry receipt.
    pub count: Option<u32>,
    /// Whether nothing is to be shown if it cannot be decrypted (`decrypt-fail="hide"`).
    pub hide_failure: bool,
    /// The Signal message.
    pub ciphertext: Bytes,
}

/// The types of Signal message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncKind {
    /// Starts a session.
    PkMsg,
    /// In a session.
    Msg,
    /// In a group, with a sender key.
    SkMsg,
    /// A type that is not modelled.
    Other(Str),
}

/// The types of message.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MessageKind {
    /// A text message.
    Text,
    /// Everything else: media, and what has no type of its own.
    Media,
    /// A reaction to a message.
    Reaction,
    /// A poll or a vote.
    Poll,
    /// A type that is not modelled.
    Other(Str),
}

/// What a message does to an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edit {
    /// 1: new content.
    Message,
    /// 2: pinned or unpinned.
    Pin,
    /// 3: new content by an admin.
    Admin,
    /// 7: revoked by its sender.
    SenderRevoke,
    /// 8: revoked by an admin.
    AdminRevoke,
    /// A number that is not modelled.
    Other(Str),
}

impl Message {
    /// A message with one encrypted content, as a client sends it.
    #[must_use]
    pub fn new(to: Jid, id: impl Into<Str>, kind: MessageKind, enc: Enc) -> Self {
        Self {
            id: id.into(),
            to: Some(to),
            from: None,
            other_from: None,
            participant: None,
            recipient: None,
            kind,
            t: None,
            notify: None,
            offline: None,
            edit: None,
            encs: vec![enc],
            participants: Vec::new(),
            children: Vec::new(),
        }
    }

    /// With an edit.
    #[must_use]
    pub fn with_edit(mut self, edit: Edit) -> Self {
        self.edit = Some(edit);
        self
    }

    /// Who wrote it: the participant of a group, else the sender.
    #[must_use]
    pub fn author(&self) -> Option<&Jid> {
        self.participant.as_ref().or(self.from.as_ref())
    }
}

impl Enc {
    /// Content in version 2.
    #[must_use]
    pub fn new(kind: EncKind, ciphertext: impl Into<Bytes>) -> Self {
        Self { v: 2, kind, media_type: None, count: None, hide_failure: false, ciphertext: ciphertext.into() }
    }

    /// With a kind of media.
    #[must_use]
    pub fn with_media_type(mut self, media_type: impl Into<Str>) -> Self {
        self.media_type = Some(media_type.into());
        self
    }

    /// With the number of times it has been sent again.
    #[must_use]
    pub fn with_count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    fn from_fields(enc: Fields<'_>) -> Result<Self, StanzaError> {
        Ok(Self {
            v: enc.number("v")?,
            kind: enc.text("type")?.into(),
            media_type: enc.text_opt("mediatype"),
            count: enc.number_opt("count")?,
            hide_failure: enc.text_opt("decrypt-fail").is_some_and(|fail| fail == *"hide"),
            ciphertext: enc.bytes()?,
        })
    }
}

impl From<Enc> for Node {
    fn from(enc: Enc) -> Self {
        Self::new("enc")
            .with_attr("v", enc.v)
            .with_attr("type", enc.kind.as_str())
            .with_attr_opt("mediatype", enc.media_type)
            .with_attr_opt("count", enc.count)
            .with_attr_opt("decrypt-fail", enc.hide_failure.then_some("hide"))
            .with_bytes(enc.ciphertext)
    }
}

impl TryFrom<&Node> for Message {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "message")?;
        let fan_out = fields.child_opt("participants");
        let device = |to: Fields<'_>| Ok((to.jid("jid")?, Enc::from_fields(to.child("enc")?)?));
        Ok(Self {
            id: fields.id()?,
            to: fields.jid_opt("to")?,
            from: fields.jid_opt("from")?,
            other_from: match fields.jid_opt(OTHER_FROM[0])? {
                None => fields.jid_opt(OTHER_FROM[1])?,
                internal => internal,
            },
            participant: fields.jid_opt("participant")?,
            recipient: fields.jid_opt("recipient")?,
            kind: fields.text("type")?.into(),
            t: fields.number_opt("t")?,
            notify: fields.text_opt("notify"),
            offline: fields.number_opt("offline")?,
            edit: fields.text_opt("edit").map(Edit::from),
            encs: fields.children("enc").map(Enc::from_fields).collect::<Result<_, _>>()?,
            participants: match fan_out {
                Some(fan_out) => fan_out.children("to").map(device).collect::<Result<_, _>>()?,
                None => Vec::new(),
            },
            children: fields.others(&["enc", "participants"]),
        })
    }
}

impl From<Message> for Node {
    fn from(message: Message) -> Self {
        let [internal, phone] = OTHER_FROM;
        let is_internal = message.other_from.as_ref().is_some_and(|other| other.server() == "lid");
        let node = Self::new("message")
            .with_attr_opt("to", message.to)
            .with_attr_opt("from", message.from)
            .with_attr_opt(if is_internal { internal } else { phone }, message.other_from)
            .with_attr_opt("participant", message.participant)
            .with_attr_opt("recipient", message.recipient)
            .with_attr("id", message.id)
            .with_attr("type", message.kind.as_str())
            .with_attr_opt("t", message.t)
            .with_attr_opt("notify", message.notify)
            .with_attr_opt("offline", message.offline)
            .with_attr_opt("edit", message.edit.as_ref().map(Edit::as_str));
        let fan_out = message
            .participants
            .into_iter()
            .map(|(jid, enc)| Self::new("to").with_attr("jid", jid).with_child(enc.into()));
        let fan_out: Vec<_> = fan_out.collect();
        let encs = message.encs.into_iter().map(Self::from);
        let fan_out = (!fan_out.is_empty()).then(|| Self::new("participants").with_children(fan_out));
        let children: Vec<_> = encs.chain(fan_out).chain(message.children).collect();
        if children.is_empty() { node } else { node.with_children(children) }
    }
}

impl EncKind {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::PkMsg => "pkmsg",
            Self::Msg => "msg",
            Self::SkMsg => "skmsg",
            Self::Other(word) => word,
        }
    }
}

impl From<Str> for EncKind {
    fn from(word: Str) -> Self {
        match &*word {
            "pkmsg" => Self::PkMsg,
            "msg" => Self::Msg,
            "skmsg" => Self::SkMsg,
            _ => Self::Other(word),
        }
    }
}

impl MessageKind {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text => "text",
            Self::Media => "media",
            Self::Reaction => "reaction",
            Self::Poll => "poll",
            Self::Other(word) => word,
        }
    }
}

impl From<Str> for MessageKind {
    fn from(word: Str) -> Self {
        match &*word {
            "text" => Self::Text,
            "media" => Self::Media,
            "reaction" => Self::Reaction,
            "poll" => Self::Poll,
            _ => Self::Other(word),
        }
    }
}

impl Edit {
    /// The number on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Message => "1",
            Self::Pin => "2",
            Self::Admin => "3",
            Self::SenderRevoke => "7",
            Self::AdminRevoke => "8",
            Self::Other(number) => number,
        }
    }
}

impl From<Str> for Edit {
    fn from(number: Str) -> Self {
        match &*number {
            "1" => Self::Message,
            "2" => Self::Pin,
            "3" => Self::Admin,
            "7" => Self::SenderRevoke,
            "8" => Self::AdminRevoke,
            _ => Self::Other(number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |xml: &str| Message::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        let missing = |element, attr| StanzaError::MissingAttr { element, attr };
        let invalid = |element, attr| StanzaError::InvalidAttr { element, attr };
        for (xml, expected) in [
            ("<receipt/>", StanzaError::WrongTag { expected: "message" }),
            ("<message type='text'/>", missing("message", "id")),
            ("<message id='1'/>", missing("message", "type")),
            ("<message id='1' type='text' from='@a'/>", invalid("message", "from")),
            ("<message id='1' type='text' t='-1'/>", invalid("message", "t")),
            ("<message id='1' type='text' t=''/>", invalid("message", "t")),
            ("<message id='1' type='text' offline='x'/>", invalid("message", "offline")),
            ("<message id='1' type='text'><enc type='msg'>a</enc></message>", missing("enc", "v")),
            ("<message id='1' type='text'><enc v='256' type='msg'>a</enc></message>", invalid("enc", "v")),
            ("<message id='1' type='text'><enc v='2'>a</enc></message>", missing("enc", "type")),
            (
                "<message id='1' type='text'><enc v='2' type='msg' count='x'>a</enc></message>",
                invalid("enc", "count"),
            ),
            (
                "<message id='1' type='text'><enc v='2' type='msg'/></message>",
                StanzaError::NotBytes { element: "enc" },
            ),
            (
                "<message id='1' type='text'><enc v='2' type='msg'><a/></enc></message>",
                StanzaError::NotBytes { element: "enc" },
            ),
            (
                "<message id='1' type='text'><participants><to/></participants></message>",
                missing("to", "jid"),
            ),
            (
                "<message id='1' type='text'><participants><to jid='1@lid'/></participants></message>",
                StanzaError::MissingChild { element: "to", child: "enc" },
            ),
        ] {
            assert_eq!(error(xml), expected, "{xml}");
        }
    }

    #[test]
    fn words() {
        for word in ["text", "media", "reaction", "poll", "event"] {
            assert_eq!(MessageKind::from(Str::from(word)).as_str(), word);
        }
        for word in ["pkmsg", "msg", "skmsg", "msmsg"] {
            assert_eq!(EncKind::from(Str::from(word)).as_str(), word);
        }
        for word in ["1", "2", "3", "7", "8", "9"] {
            assert_eq!(Edit::from(Str::from(word)).as_str(), word);
        }
        assert_eq!(Edit::from(Str::from("7")), Edit::SenderRevoke);
    }

    #[test]
    fn only_hide_hides() {
        let hidden = |fail: &str| {
            let xml = format!("<message id='1' type='text'><enc v='2' type='msg' {fail}>a</enc></message>");
            Message::try_from(&xml.parse::<Node>().unwrap()).unwrap().encs[0].hide_failure
        };
        assert!(hidden("decrypt-fail='hide'"));
        assert!(!hidden("decrypt-fail='show'"));
        assert!(!hidden(""));
    }

    #[test]
    fn author_is_the_participant_of_a_group() {
        let read = |xml: &str| Message::try_from(&xml.parse::<Node>().unwrap()).unwrap();
        let group = read("<message id='1' type='text' from='1-2@g.us' participant='55@lid'/>");
        assert_eq!(group.author(), Some(&"55@lid".parse().unwrap()));
        let direct = read("<message id='1' type='text' from='1-5:0@interop'/>");
        assert_eq!(direct.author(), Some(&Jid::interop(1, 5).unwrap()));
    }
}
