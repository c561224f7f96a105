//! Overview §2.1.1: XML text to a node.

use std::collections::BTreeSet;
use std::str::FromStr;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use super::escape::unescape;
use super::write::is_blank;
use super::{BYTES, JID, NAME, NAMESPACE, NODE, PREFIX, TAG, TEXT, TYPE, VALUE, address};
use crate::content::{AttrValue, NodeContent};
use crate::data::Data;
use crate::error::{XmlError, XmlErrorKind};
use crate::jid::Jid;
use crate::limits::Limits;
use crate::node::Node;
use crate::text::Str;

impl FromStr for Node {
    type Err = XmlError;

    /// Reads one element, perhaps with comments and white space around it.
    fn from_str(xml: &str) -> Result<Self, XmlError> {
        let mut reader = Reader::from_str(xml);
        let mut open = Vec::new();
        let mut root = None;
        loop {
            let at = |reader: &Reader<&[u8]>| usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
            let offset = at(&reader);
            let event = reader.read_event();
            let event = event.map_err(|_| XmlError { kind: XmlErrorKind::Syntax, offset: at(&reader) })?;
            if matches!(event, Event::Eof) {
                return root.ok_or(XmlError { kind: XmlErrorKind::UnexpectedEnd, offset });
            }
            handle(&event, &mut open, &mut root).map_err(|kind| XmlError { kind, offset })?;
        }
    }
}

fn handle(event: &Event<'_>, open: &mut Vec<Element>, root: &mut Option<Node>) -> Result<(), XmlErrorKind> {
    match event {
        Event::Start(_) | Event::Empty(_) if root.is_some() => Err(XmlErrorKind::Trailing),
        Event::Start(_) | Event::Empty(_) if open.len() >= Limits::MAX_DEPTH => Err(XmlErrorKind::TooDeep),
        Event::Start(start) => {
            open.push(Element::start(start)?);
            Ok(())
        }
        Event::Empty(start) => close(Element::start(start)?, open, root),
        Event::End(_) => match open.pop() {
            Some(element) => close(element, open, root),
            None => Err(XmlErrorKind::Syntax),
        },
        Event::Text(text) => characters(&text.xml10_content(), open, root),
        Event::CData(text) => characters(&text.xml10_content(), open, root),
        Event::GeneralRef(reference) => {
            let c = resolve(reference)?;
            match open.last_mut() {
                Some(element) => element.text.push(c),
                None => return Err(outside(root)),
            }
            Ok(())
        }
        Event::Comment(_) | Event::Eof => Ok(()),
        Event::Decl(_) | Event::PI(_) | Event::DocType(_) => Err(XmlErrorKind::Declaration),
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Node>) -> Result<(), XmlErrorKind> {
    let node = element.end()?;
    match open.last_mut() {
        Some(parent) => parent.children.push(node),
        None => *root = Some(node),
    }
    Ok(())
}

fn characters(text: &str, open: &mut [Element], root: &Option<Node>) -> Result<(), XmlErrorKind> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if is_blank(text) => {}
        None => return Err(outside(root)),
    }
    Ok(())
}

fn outside(root: &Option<Node>) -> XmlErrorKind {
    if root.is_some() { XmlErrorKind::Trailing } else { XmlErrorKind::Syntax }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, XmlErrorKind> {
    if let Some(c) = reference.resolve_char_ref().map_err(|_| XmlErrorKind::Entity)? {
        return Ok(c);
    }
    let entity = quick_xml::escape::resolve_predefined_entity(reference).ok_or(XmlErrorKind::Entity)?;
    entity.chars().next().ok_or(XmlErrorKind::Entity)
}

/// An element whose end has not come yet.
struct Element {
    tag: Str,
    attrs: Vec<(Str, AttrValue)>,
    bytes: Option<Data>,
    kind: Option<Kind>,
    text: String,
    children: Vec<Node>,
}

/// What `wa:type` can say.
enum Kind {
    Text,
    Jid,
    List,
}

impl Element {
    fn start(start: &BytesStart<'_>) -> Result<Self, XmlErrorKind> {
        let mut element = Self {
            tag: Str::from(start.name().as_ref()),
            attrs: Vec::new(),
            bytes: None,
            kind: None,
            text: String::new(),
            children: Vec::new(),
        };
        let mut markers = Markers::default();
        let mut names = BTreeSet::new();
        let mut attributes = start.attributes();
        for attribute in attributes.with_checks(false) {
            let attribute = attribute.map_err(|_| XmlErrorKind::Syntax)?;
            let name = attribute.key.into_inner();
            let value =
                attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| XmlErrorKind::Entity)?;
            if !names.insert(name) {
                return Err(XmlErrorKind::Repeated);
            }
            element.attribute(name, &value, &mut markers)?;
        }
        if markers.name.is_some() || (element.tag == *NODE) != markers.tag.is_some() {
            return Err(XmlErrorKind::Marker);
        }
        if let Some(tag) = markers.tag.take() {
            element.tag = tag;
        }
        markers.apply(&mut element.attrs)?;
        Ok(element)
    }

    fn attribute(&mut self, name: &str, value: &str, markers: &mut Markers) -> Result<(), XmlErrorKind> {
        match name {
            NAMESPACE => {}
            TAG if self.tag == *NODE => markers.tag = Some(unescape(value)?.into()),
            BYTES => self.bytes = Some(hex::decode(value).map_err(|_| XmlErrorKind::Hex)?.into()),
            TYPE => self.kind = Some(Kind::named(value)?),
            TEXT => markers.texts = value.split_ascii_whitespace().map(str::to_owned).collect(),
            JID => markers.jids = value.split_ascii_whitespace().map(str::to_owned).collect(),
            _ if name.starts_with(PREFIX) => self.odd_attribute(name, value, markers)?,
            _ => self.attrs.push((Str::from(name), AttrValue::from(value))),
        }
        Ok(())
    }

    /// One of the pair `wa:nameN` and then `wa:valueN` or `wa:jidN`.
    fn odd_attribute(&mut self, name: &str, value: &str, markers: &mut Markers) -> Result<(), XmlErrorKind> {
        let text = unescape(value)?;
        if let Some(number) = name.strip_prefix(NAME) {
            return match markers.name.replace((number.to_owned(), text)) {
                None => Ok(()),
                Some(_) => Err(XmlErrorKind::Marker),
            };
        }
        let (number, odd_name) = markers.name.take().ok_or(XmlErrorKind::Marker)?;
        let value = match (name.strip_prefix(VALUE), name.strip_prefix(JID)) {
            (Some(n), _) if n == number => AttrValue::from(text),
            (_, Some(n)) if n == number => AttrValue::Jid(text.parse::<Jid>()?),
            _ => return Err(XmlErrorKind::Marker),
        };
        markers.odd.insert(self.attrs.len());
        self.attrs.push((odd_name.into(), value));
        Ok(())
    }

    fn end(self) -> Result<Node, XmlErrorKind> {
        let marked = self.bytes.is_some() || self.kind.is_some();
        let content = match (self.bytes, self.kind) {
            (Some(_), Some(_)) => return Err(XmlErrorKind::Marker),
            _ if marked && !self.children.is_empty() => return Err(XmlErrorKind::Mixed),
            (None, Some(Kind::Text)) => NodeContent::Text(unescape(&self.text)?.into()),
            (None, Some(Kind::Jid)) => NodeContent::from(unescape(&self.text)?.parse::<Jid>()?),
            _ if marked && !is_blank(&self.text) => return Err(XmlErrorKind::Mixed),
            (Some(bytes), None) => NodeContent::Bytes(bytes),
            (None, Some(Kind::List)) => NodeContent::Nodes(Vec::new()),
            (None, None) if self.children.is_empty() && is_blank(&self.text) => NodeContent::Empty,
            (None, None) if self.children.is_empty() => NodeContent::Bytes(self.text.into()),
            (None, None) if is_blank(&self.text) => NodeContent::Nodes(self.children),
            (None, None) => return Err(XmlErrorKind::Mixed),
        };
        Ok(Node { tag: self.tag, attrs: self.attrs, content })
    }
}

impl Kind {
    fn named(name: &str) -> Result<Self, XmlErrorKind> {
        match name {
            "text" => Ok(Self::Text),
            "jid" => Ok(Self::Jid),
            "list" => Ok(Self::List),
            _ => Err(XmlErrorKind::Marker),
        }
    }
}

/// What the `wa:` attributes of an element say about its other attributes.
#[derive(Default)]
struct Markers {
    /// The real tag of a `wa:node`.
    tag: Option<Str>,
    texts: BTreeSet<String>,
    jids: BTreeSet<String>,
    /// A `wa:nameN` whose value has not come yet: N and the name.
    name: Option<(String, String)>,
    /// Positions of attributes whose kind is already known.
    odd: BTreeSet<usize>,
}

impl Markers {
    /// Turns the values that are addresses into addresses.
    fn apply(mut self, attrs: &mut [(Str, AttrValue)]) -> Result<(), XmlErrorKind> {
        for (index, (name, value)) in attrs.iter_mut().enumerate() {
            let AttrValue::Text(text) = value else { continue };
            if self.odd.contains(&index) {
                continue;
            }
            let is_text = self.texts.remove(name.as_str());
            if self.jids.remove(name.as_str()) {
                *value = AttrValue::Jid(text.parse::<Jid>()?);
            } else if let (false, Some(jid)) = (is_text, address(text)) {
                *value = AttrValue::Jid(jid);
            }
        }
        // A marker that names no attribute says something the text does not hold.
        if self.texts.is_empty() && self.jids.is_empty() { Ok(()) } else { Err(XmlErrorKind::Marker) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_by_hand() {
        let xml = "<!-- a message -->
            <message to='14155551001@s.whatsapp.net' id=\"123456\" type='text' notify='joe'>
                <body>Body text &amp; &#x6d;ore <![CDATA[<of>]]> message.</body>
                <list/>
            </message>\n";
        let expected = Node::new("message")
            .with_attr("to", Jid::phone("14155551001").unwrap())
            .with_attr("id", "123456")
            .with_attr("type", "text")
            .with_attr("notify", "joe")
            .with_child(Node::new("body").with_bytes("Body text & more <of> message."))
            .with_child(Node::new("list"));
        assert_eq!(xml.parse(), Ok(expected));
    }

    #[test]
    fn refuses_what_is_not_one_node() {
        use XmlErrorKind as Kind;
        for (xml, kind) in [
            ("", Kind::UnexpectedEnd),
            ("<a", Kind::Syntax),
            ("<a>", Kind::UnexpectedEnd),
            ("<a></b>", Kind::Syntax),
            ("</a>", Kind::Syntax),
            ("a<a/>", Kind::Syntax),
            ("<a/>b", Kind::Trailing),
            ("<a/><b/>", Kind::Trailing),
            ("<a/>&amp;", Kind::Trailing),
            ("<a b/>", Kind::Syntax),
            ("<a b=c/>", Kind::Syntax),
            ("<a b='1' b='2'/>", Kind::Repeated),
            ("<a>b<c/></a>", Kind::Mixed),
            ("<a wa:type='list'>b</a>", Kind::Mixed),
            ("<a wa:bytes='00'>b</a>", Kind::Mixed),
            ("<a wa:bytes='00'><b/></a>", Kind::Mixed),
            ("<a wa:type='text'><b/></a>", Kind::Mixed),
            ("<?xml version='1.0'?><a/>", Kind::Declaration),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", Kind::Declaration),
            ("<?p ?><a/>", Kind::Declaration),
            ("<a>&b;</a>", Kind::Entity),
            ("<a b='&c;'/>", Kind::Entity),
            ("<a wa:bytes='0'/>", Kind::Hex),
            ("<a wa:bytes='zz'/>", Kind::Hex),
            ("<a wa:bytes='' wa:type='text'/>", Kind::Marker),
            ("<a wa:type='other'/>", Kind::Marker),
            ("<a wa:other='b'/>", Kind::Marker),
            ("<a wa:tag='b'/>", Kind::Marker),
            ("<wa:node/>", Kind::Marker),
            ("<a wa:text='b'/>", Kind::Marker),
            ("<a wa:jid='b'/>", Kind::Marker),
            ("<a wa:name1='b'/>", Kind::Marker),
            ("<a wa:value1='b'/>", Kind::Marker),
            ("<a wa:name1='b' wa:value2='c'/>", Kind::Marker),
            ("<a wa:name1='b' wa:name2='c'/>", Kind::Marker),
            ("<a wa:type='text'>\\</a>", Kind::Escape),
            ("<a wa:jid='b' b='c@'/>", Kind::Jid(crate::JidError::Server)),
            ("<a wa:type='jid'>@b</a>", Kind::Jid(crate::JidError::User)),
        ] {
            assert_eq!(xml.parse::<Node>().map_err(|error| error.kind), Err(kind), "{xml}");
        }
    }

    #[test]
    fn errors_say_where() {
        let error = |kind, offset| Err(XmlError { kind, offset });
        assert_eq!("<a><b/>c</a>".parse::<Node>(), error(XmlErrorKind::Mixed, 8));
        assert_eq!("<a/> <b/>".parse::<Node>(), error(XmlErrorKind::Trailing, 5));
        assert_eq!("<a><b>&c;".parse::<Node>(), error(XmlErrorKind::Entity, 6));
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}<b/>{}", "<a>".repeat(depth - 1), "</a>".repeat(depth - 1));
        assert!(nested(64).parse::<Node>().is_ok());
        assert_eq!(nested(65).parse::<Node>().map_err(|error| error.kind), Err(XmlErrorKind::TooDeep));
        let long = "<a>".repeat(1_000_000);
        assert_eq!(long.parse::<Node>().map_err(|error| error.kind), Err(XmlErrorKind::TooDeep));
    }
}
