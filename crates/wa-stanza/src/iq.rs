//! Overview §2.1.1: `<iq>`, a request and its answer.

use wa_binary::{Jid, Node, NodeContent, Str};

use crate::error::StanzaError;
use crate::fields::Fields;

/// A request (get, set) or its answer (result, error).
///
/// What it asks or answers is [`Iq::content`]; an answer does not say of what kind that is, so typed
/// contents are read from an iq by the side that asked, as in `PrekeyBundles::try_from(&iq)`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Iq {
    /// Ties an answer to its request. A server's ping may have none.
    pub id: Option<Str>,
    /// Who sent it; absent on what a client sends.
    pub from: Option<Jid>,
    /// Whom it is for; mostly the server.
    pub to: Option<Jid>,
    /// The namespace of what is asked, such as `encrypt`; answers have none.
    pub xmlns: Option<Str>,
    /// What it is.
    pub kind: IqKind,
    /// What is asked or answered. Of an error, what is beside `<error>`.
    pub content: NodeContent,
}

/// The types of [`Iq`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IqKind {
    /// Asks for something.
    Get,
    /// A request that changes something.
    Set,
    /// The answer of success.
    Result,
    /// The answer of failure.
    Error(IqError),
}

/// `<error>`: why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IqError {
    /// Like HTTP: 400 bad request, 404 item not found, 429 too many, 501 not implemented, 503 unavailable.
    pub code: u16,
    /// The code in words, such as `item-not-found`.
    pub text: Option<Str>,
}

impl Iq {
    /// A request to the server for something.
    #[must_use]
    pub fn get(id: impl Into<Str>, xmlns: impl Into<Str>) -> Self {
        Self::request(IqKind::Get, id.into(), xmlns.into())
    }

    /// A request to the server to change something.
    #[must_use]
    pub fn set(id: impl Into<Str>, xmlns: impl Into<Str>) -> Self {
        Self::request(IqKind::Set, id.into(), xmlns.into())
    }

    /// The answer of success to this request.
    #[must_use]
    pub fn result(&self) -> Self {
        self.answer(IqKind::Result)
    }

    /// The answer of failure to this request.
    #[must_use]
    pub fn refusal(&self, error: IqError) -> Self {
        self.answer(IqKind::Error(error))
    }

    /// With these nodes as content.
    #[must_use]
    pub fn with_children(mut self, children: impl IntoIterator<Item = Node>) -> Self {
        self.content = NodeContent::Nodes(children.into_iter().collect());
        self
    }

    /// Whether this asks something and so needs an answer.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.kind, IqKind::Get | IqKind::Set)
    }

    /// The first node inside with that tag.
    #[must_use]
    pub fn child(&self, tag: &str) -> Option<&Node> {
        self.content.nodes().iter().find(|node| node.is(tag))
    }

    /// The content of a request of this type and namespace; `element` is what tells it from others.
    pub(crate) fn request_payload(
        &self,
        kind: &IqKind,
        xmlns: &str,
        element: &'static str,
    ) -> Result<Fields<'_>, StanzaError> {
        if self.kind != *kind || self.xmlns.as_deref() != Some(xmlns) || self.child(element).is_none() {
            return Err(StanzaError::WrongIq { element });
        }
        Ok(Fields::of_content(&self.content, "iq"))
    }

    /// The content of an answer of success, in which an element of this tag is expected.
    pub(crate) fn result_payload(&self, element: &'static str) -> Result<Fields<'_>, StanzaError> {
        match self.kind {
            IqKind::Result => Ok(Fields::of_content(&self.content, "iq")),
            _ => Err(StanzaError::WrongIq { element }),
        }
    }

    fn request(kind: IqKind, id: Str, xmlns: Str) -> Self {
        Self {
            id: Some(id),
            from: None,
            to: Some(Jid::whatsapp()),
            xmlns: Some(xmlns),
            kind,
            content: NodeContent::Empty,
        }
    }

    fn answer(&self, kind: IqKind) -> Self {
        Self {
            id: self.id.clone(),
            from: None,
            to: self.from.clone(),
            xmlns: None,
            kind,
            content: NodeContent::Empty,
        }
    }
}

impl IqError {
    /// 501: a request that is not known.
    #[must_use]
    pub fn not_implemented() -> Self {
        Self { code: 501, text: Some("feature-not-implemented".into()) }
    }

    pub(crate) fn from_fields(fields: Fields<'_>) -> Result<Self, StanzaError> {
        Ok(Self { code: fields.number("code")?, text: fields.text_opt("text") })
    }
}

impl From<IqError> for Node {
    fn from(error: IqError) -> Self {
        Self::new("error").with_attr("code", error.code).with_attr_opt("text", error.text)
    }
}

impl TryFrom<&Node> for Iq {
    type Error = StanzaError;

    fn try_from(node: &Node) -> Result<Self, StanzaError> {
        let fields = Fields::of(node, "iq")?;
        let kind = match &*fields.text("type")? {
            "get" => IqKind::Get,
            "set" => IqKind::Set,
            "result" => IqKind::Result,
            "error" => IqKind::Error(IqError::from_fields(fields.child("error")?)?),
            _ => return Err(fields.invalid("type")),
        };
        let content = match kind {
            IqKind::Error(_) => match fields.others(&["error"]) {
                others if others.is_empty() => NodeContent::Empty,
                others => NodeContent::Nodes(others),
            },
            _ => node.content().clone(),
        };
        Ok(Self {
            id: fields.text_opt("id"),
            from: fields.jid_opt("from")?,
            to: fields.jid_opt("to")?,
            xmlns: fields.text_opt("xmlns"),
            kind,
            content,
        })
    }
}

impl From<Iq> for Node {
    fn from(iq: Iq) -> Self {
        let kind = match iq.kind {
            IqKind::Get => "get",
            IqKind::Set => "set",
            IqKind::Result => "result",
            IqKind::Error(_) => "error",
        };
        let node = Self::new("iq")
            .with_attr_opt("id", iq.id)
            .with_attr_opt("from", iq.from)
            .with_attr_opt("to", iq.to)
            .with_attr("type", kind)
            .with_attr_opt("xmlns", iq.xmlns);
        match (iq.kind, iq.content) {
            (IqKind::Error(error), NodeContent::Nodes(others)) => {
                node.with_child(error.into()).with_children(others)
            }
            (IqKind::Error(error), _) => node.with_child(error.into()),
            (_, content) => node.with_content(content),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors() {
        let error = |xml: &str| Iq::try_from(&xml.parse::<Node>().unwrap()).unwrap_err();
        assert_eq!(error("<ack/>"), StanzaError::WrongTag { expected: "iq" });
        assert_eq!(error("<iq id='1'/>"), StanzaError::MissingAttr { element: "iq", attr: "type" });
        assert_eq!(error("<iq type='put'/>"), StanzaError::InvalidAttr { element: "iq", attr: "type" });
        assert_eq!(
            error("<iq type='get' from='a@@b'/>"),
            StanzaError::InvalidAttr { element: "iq", attr: "from" }
        );
        assert_eq!(error("<iq type='error'/>"), StanzaError::MissingChild { element: "iq", child: "error" });
        assert_eq!(
            error("<iq type='error'><error/></iq>"),
            StanzaError::MissingAttr { element: "error", attr: "code" }
        );
        assert_eq!(
            error("<iq type='error'><error code='4x4'/></iq>"),
            StanzaError::InvalidAttr { element: "error", attr: "code" }
        );
    }

    #[test]
    fn answers_go_back() {
        let node: Node = "<iq from='s.whatsapp.net' id='7' type='get' xmlns='w:x'><a/></iq>".parse().unwrap();
        let request = Iq::try_from(&node).unwrap();
        assert!(request.is_request());
        let refusal = request.refusal(IqError::not_implemented());
        assert!(!refusal.is_request());
        let expected = "<iq id='7' to='s.whatsapp.net' type='error'><error code='501' text='feature-not-implemented'/></iq>";
        assert_eq!(Node::from(refusal), expected.parse().unwrap());
    }
}
