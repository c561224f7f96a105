//! Overview §2.1: the answers to a login, and the errors that end a stream (codes: public clients).

use wa_binary::{Jid, Node, Str};

use crate::error::StanzaError;
use crate::fields::Fields;

/// `<success>`: the login was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Success {
    /// The server's time, seconds since 1970.
    pub t: u64,
    /// The server's location, such as `frc`.
    pub location: Option<Str>,
    /// When the account was made, seconds since 1970.
    pub creation: Option<u64>,
    /// The account's opaque address.
    pub lid: Option<Jid>,
    /// The account's name.
    pub display_name: Option<Str>,
    /// The server's key for handshakes to come that are safe from quantum computers; not used yet (observed).
    pub static_pq_key: Option<Str>,
}

/// `<failure>`: the login was refused, and the connection ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why the server refuses the login.
    pub reason: FailureReason,
    /// The server's location.
    pub location: Option<Str>,
    /// A finer reason, with 402 and 406.
    pub code: Option<u32>,
    /// How long it lasts, in seconds, with 402.
    pub expire: Option<u64>,
    /// When to try again, in seconds.
    pub retry: Option<u64>,
    /// Until when this version of the client is refused, in seconds since 1970, with 405 (observed).
    pub t: Option<u64>,
    /// What an appeal against a ban begins with, with 402 (observed).
    pub appeal_token: Option<Str>,
    /// The kind of violation, with 403 (observed).
    pub vt: Option<Str>,
    /// What was violated, with 403 (observed).
    pub violation_reason: Option<Str>,
    /// Whether the account is in the European Union, which has rules of its own for bans, with 403 (observed).
    pub is_eu: Option<Str>,
    /// Words for a person.
    pub message: Option<Str>,
}

/// Why a login was refused. Which code means a refused token is the profile's business, not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureReason {
    /// 400: a refusal without a reason of its own.
    Generic,
    /// 401: not authorised, logged out.
    NotAuthorized,
    /// 402: banned for a time.
    TemporaryBan,
    /// 403: locked, or the main device is gone.
    Locked,
    /// 405: the client's version is too old.
    ClientOutdated,
    /// 406: the account is banned.
    Banned,
    /// 409: the client's description of itself is not accepted.
    BadUserAgent,
    /// 413: the access token is too old.
    CatExpired,
    /// 414: the access token is not valid.
    CatInvalid,
    /// 415: no such account.
    NotFound,
    /// 416: the account that this one came from violated the rules.
    SourceViolation,
    /// 418: the client is not known.
    ClientUnknown,
    /// 500: the server failed.
    Internal,
    /// 501: an experiment.
    Experimental,
    /// 503: not available now.
    Unavailable,
    /// Any other code.
    Other(u16),
}

/// `<stream:error>`: the stream is about to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// 515 restart, 516 device removed, 401, 409 replaced, 429 too many, 503 unavailable.
    pub code: Option<u16>,
    /// The element inside, if any.
    pub condition: Option<StreamCondition>,
}

/// What is said inside a `<stream:error>`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamCondition {
    /// Another login is in the way, or this one was withdrawn.
    Conflict(Conflict),
    /// A stanza was not acked; its class and id where given.
    Ack {
        /// The stanza's tag.
        class: Option<Str>,
        /// The stanza's id.
        id: Option<Str>,
    },
    /// What was sent could not be read.
    XmlNotWellFormed,
    /// Another element, by its tag.
    Other(Str),
}

/// The kinds of `<conflict>`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// Another login replaced this one.
    Replaced,
    /// The device was removed from its account.
    DeviceRemoved,
    /// Another kind, empty if none is given.
    Other(Str),
}

impl Failure {
    /// A refusal that says nothing but its reason.
    #[must_use]
    pub fn new(reason: impl Into<FailureReason>) -> Self {
        Self {
            reason: reason.into(),
            location: None,
            code: None,
            expire: None,
            retry: None,
            t: None,
            appeal_token: None,
            vt: None,
            violation_reason: None,
            is_eu: None,
            message: None,
        }
    }
}

impl FailureReason {
    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Other(code) => code,
            known => REASONS.iter().find(|(_, reason)| *reason == known).map_or(0, |(code, _)| *code),
        }
    }

    /// Whether trying again without a person's help is useless or harmful (401, 402, 403, 405, 406, 409, 416).
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self.code(), 401 | 402 | 403 | 405 | 406 | 409 | 416)
    }
}

impl From<u16> for FailureReason {
    fn from(code: u16) -> Self {
        REASONS.iter().find(|(known, _)| *known == code).map_or(Self::Other(code), |(_, reason)| *reason)
    }
}

const REASONS: &[(u16, FailureReason)] = &[
    (400, FailureReason::Generic),
    (401, FailureReason::NotAuthorized),
    (402, FailureReason::TemporaryBan),
    (403, FailureReason::Locked),
    (405, FailureReason::ClientOutdated),
    (406, FailureReason::Banned),
    (409, FailureReason::BadUserAgent),
    (413, FailureReason::CatExpired),
    (414, FailureReason::CatInvalid),
    (415, FailureReason::NotFound),
    (416, FailureReason::SourceViolation),
    (418, FailureReason::ClientUnknown),
    (500, FailureReason::Internal),
    (501, FailureReason::Experimental),
    (503, FailureReason::Unavailable),
];

impl TryFrom<&Node> for Success {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "success")?;
        Ok(Self {
            t: fields.number("t")?,
            location: fields.text_opt("location"),
            creation: fields.number_opt("creation")?,
            lid: fields.jid_opt("lid")?,
            display_name: fields.text_opt("display_name"),
            static_pq_key: fields.text_opt("static_pq_key"),
        })
    }
}

impl From<Success> for Node {
    fn from(success: Success) -> Self {
        Self::new("success")
            .with_attr("t", success.t)
            .with_attr_opt("location", success.location)
            .with_attr_opt("creation", success.creation)
            .with_attr_opt("lid", success.lid)
            .with_attr_opt("display_name", success.display_name)
            .with_attr_opt("static_pq_key", success.static_pq_key)
    }
}

impl TryFrom<&Node> for Failure {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "failure")?;
        Ok(Self {
            reason: fields.number::<u16>("reason")?.into(),
            location: fields.text_opt("location"),
            code: fields.number_opt("code")?,
            expire: fields.number_opt("expire")?,
            retry: fields.number_opt("retry")?,
            t: fields.number_opt("t")?,
            appeal_token: fields.text_opt("appeal_token"),
            vt: fields.text_opt("vt"),
            violation_reason: fields.text_opt("violation_reason"),
            is_eu: fields.text_opt("is_eu"),
            message: fields.text_opt("message"),
        })
    }
}

impl From<Failure> for Node {
    fn from(failure: Failure) -> Self {
        Self::new("failure")
            .with_attr("reason", failure.reason.code())
            .with_attr_opt("location", failure.location)
            .with_attr_opt("code", failure.code)
            .with_attr_opt("expire", failure.expire)
            .with_attr_opt("retry", failure.retry)
            .with_attr_opt("t", failure.t)
            .with_attr_opt("appeal_token", failure.appeal_token)
            .with_attr_opt("vt", failure.vt)
            .with_attr_opt("violation_reason", failure.violation_reason)
            .with_attr_opt("is_eu", failure.is_eu)
            .with_attr_opt("message", failure.message)
    }
}

impl TryFrom<&Node> for StreamError {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "stream:error")?;
        Ok(Self {
            code: fields.number_opt("code")?,
            condition: node.children().first().map(StreamCondition::from_node),
        })
    }
}

impl From<StreamError> for Node {
    fn from(error: StreamError) -> Self {
        let node = Self::new("stream:error").with_attr_opt("code", error.code);
        match error.condition {
            None => node,
            Some(condition) => node.with_child(condition.into_node()),
        }
    }
}

impl StreamCondition {
    fn from_node(node: &Node) -> Self {
        let text = |attr| node.attr_str(attr).map(Str::from);
        match node.tag() {
            "conflict" => Self::Conflict(match node.attr_str("type") {
                Some("replaced") => Conflict::Replaced,
                Some("device_removed") => Conflict::DeviceRemoved,
                other => Conflict::Other(other.unwrap_or_default().into()),
            }),
            "ack" => Self::Ack { class: text("class"), id: text("id") },
            "xml-not-well-formed" => Self::XmlNotWellFormed,
            other => Self::Other(other.into()),
        }
    }

    fn into_node(self) -> Node {
        match self {
            Self::Conflict(Conflict::Replaced) => Node::new("conflict").with_attr("type", "replaced"),
            Self::Conflict(Conflict::DeviceRemoved) => {
                Node::new("conflict").with_attr("type", "device_removed")
            }
            Self::Conflict(Conflict::Other(kind)) if kind.is_empty() => Node::new("conflict"),
            Self::Conflict(Conflict::Other(kind)) => Node::new("conflict").with_attr("type", kind),
            Self::Ack { class, id } => Node::new("ack").with_attr_opt("class", class).with_attr_opt("id", id),
            Self::XmlNotWellFormed => Node::new("xml-not-well-formed"),
            Self::Other(tag) => Node::new(tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_codes() {
        for code in 0..1000 {
            assert_eq!(FailureReason::from(code).code(), code);
        }
        assert_eq!(FailureReason::from(405), FailureReason::ClientOutdated);
        assert_eq!(FailureReason::from(419), FailureReason::Other(419));
        let last = (400..600).filter(|code| FailureReason::from(*code).is_final());
        assert_eq!(last.collect::<Vec<_>>(), [401, 402, 403, 405, 406, 409, 416]);
    }

    #[test]
    fn errors() {
        let success = |xml: &str| Success::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        let missing = |attr| StanzaError::MissingAttr { element: "success", attr };
        let invalid = |attr| StanzaError::InvalidAttr { element: "success", attr };
        assert_eq!(success("<iq/>"), StanzaError::WrongTag { expected: "success" });
        assert_eq!(success("<success location='frc'/>"), missing("t"));
        assert_eq!(success("<success t='+1' location='frc'/>"), invalid("t"));
        assert_eq!(success("<success t='18446744073709551616' location='frc'/>"), invalid("t"));
        assert_eq!(success("<success t='1' location='frc' lid='a@b@c'/>"), invalid("lid"));
        let failure = |xml: &str| Failure::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        assert_eq!(failure("<failure/>"), StanzaError::MissingAttr { element: "failure", attr: "reason" });
        assert_eq!(
            failure("<failure reason='65536'/>"),
            StanzaError::InvalidAttr { element: "failure", attr: "reason" }
        );
        let error = StreamError::try_from(&"<stream:error code='x'/>".parse::<Node>().unwrap());
        assert_eq!(error, Err(StanzaError::InvalidAttr { element: "stream:error", attr: "code" }));
    }
}
