//! Overview §2.1.2: nodes and addresses as JSON, or any other serde format. Feature `serde`.
//!
//! A node is `{"tag": …, "attrs": [[name, value], …], "content": …}`. A value is a string, or `{"jid": …}`
//! for an address. Content is null, `{"text": …}`, `{"jid": …}`, `{"bytes": hexadecimal}`, or an array of
//! nodes. An address by itself is its text.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::content::{AttrValue, NodeContent};
use crate::jid::Jid;
use crate::limits::Limits;
use crate::node::Node;
use crate::text::Str;

impl Serialize for Jid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Jid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(JidVisitor)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut node = serializer.serialize_struct("Node", FIELDS.len())?;
        node.serialize_field("tag", self.tag())?;
        node.serialize_field("attrs", &self.attrs)?;
        node.serialize_field("content", &self.content)?;
        node.end()
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NodeSeed { depth: 1 }.deserialize(deserializer)
    }
}

impl Serialize for Str {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Serialize for AttrValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => text.serialize(serializer),
            Self::Jid(jid) => single(serializer, "jid", jid),
        }
    }
}

impl Serialize for NodeContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_none(),
            Self::Nodes(nodes) => nodes.serialize(serializer),
            Self::Bytes(bytes) => single(serializer, "bytes", &hex::encode(bytes)),
            Self::Text(text) => single(serializer, "text", text),
            Self::Jid(jid) => single(serializer, "jid", jid),
        }
    }
}

const FIELDS: &[&str] = &["tag", "attrs", "content"];

fn single<S: Serializer>(
    serializer: S,
    key: &'static str,
    value: &impl Serialize,
) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(1))?;
    map.serialize_entry(key, value)?;
    map.end()
}

struct JidVisitor;

impl Visitor<'_> for JidVisitor {
    type Value = Jid;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a jid")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Jid, E> {
        text.parse().map_err(E::custom)
    }
}

/// Reads a node at this depth; refuses one too deep, whatever the format allows.
#[derive(Clone, Copy)]
struct NodeSeed {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for NodeSeed {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        if self.depth > Limits::MAX_DEPTH {
            return Err(D::Error::custom("nodes nested too deep"));
        }
        deserializer.deserialize_struct("Node", FIELDS, self)
    }
}

impl<'de> Visitor<'de> for NodeSeed {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a node with tag, attrs and content")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let (mut tag, mut attrs, mut content) = (None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            let repeated = match key.as_str() {
                "tag" => tag.replace(Str::from(map.next_value::<String>()?)).is_some(),
                "attrs" => attrs.replace(map.next_value::<Vec<(Text, AttrValue)>>()?).is_some(),
                "content" => content.replace(map.next_value_seed(ContentSeed(self))?).is_some(),
                _ => return Err(A::Error::unknown_field(&key, FIELDS)),
            };
            if repeated {
                return Err(A::Error::custom("a field is repeated"));
            }
        }
        let attrs = attrs.unwrap_or_default().into_iter().map(|(name, value)| (name.0, value)).collect();
        let tag = tag.ok_or_else(|| A::Error::missing_field("tag"))?;
        Ok(Node { tag, attrs, content: content.unwrap_or_default() })
    }
}

/// An attribute's name.
struct Text(Str);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.into()))
    }
}

impl<'de> Deserialize<'de> for AttrValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = AttrValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or a jid as {\"jid\": string}")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AttrValue, E> {
        Ok(AttrValue::from(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AttrValue, A::Error> {
        match marked(&mut map)? {
            NodeContent::Jid(jid) => Ok(AttrValue::Jid(*jid)),
            _ => Err(A::Error::invalid_type(Unexpected::Map, &self)),
        }
    }
}

struct ContentSeed(NodeSeed);

impl<'de> DeserializeSeed<'de> for ContentSeed {
    type Value = NodeContent;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<NodeContent, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ContentSeed {
    type Value = NodeContent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, nodes, or content as {\"text\", \"bytes\" or \"jid\": string}")
    }

    fn visit_unit<E: Error>(self) -> Result<NodeContent, E> {
        Ok(NodeContent::Empty)
    }

    fn visit_none<E: Error>(self) -> Result<NodeContent, E> {
        Ok(NodeContent::Empty)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NodeContent, A::Error> {
        let seed = NodeSeed { depth: self.0.depth + 1 };
        let mut nodes = Vec::new();
        while let Some(node) = seq.next_element_seed(seed)? {
            nodes.push(node);
        }
        Ok(NodeContent::Nodes(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeContent, A::Error> {
        marked(&mut map)
    }
}

/// Reads a map of one entry that says what its string is.
fn marked<'de, A: MapAccess<'de>>(map: &mut A) -> Result<NodeContent, A::Error> {
    const KINDS: &[&str] = &["text", "bytes", "jid"];
    let Some((key, text)) = map.next_entry::<String, String>()? else {
        return Err(A::Error::custom("an empty object is no content"));
    };
    let content = match key.as_str() {
        "text" => NodeContent::Text(text.into()),
        "bytes" => NodeContent::Bytes(hex::decode(text).map_err(A::Error::custom)?.into()),
        "jid" => NodeContent::from(text.parse::<Jid>().map_err(A::Error::custom)?),
        _ => return Err(A::Error::unknown_field(&key, KINDS)),
    };
    match map.next_key::<String>()? {
        None => Ok(content),
        Some(key) => Err(A::Error::unknown_field(&key, &[])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{"tag":"message","attrs":[["to",{"jid":"1-5@interop"}],["id","a@b"],["id","2"]],"content":[{"tag":"enc","attrs":[],"content":{"bytes":"00ff"}},{"tag":"t","attrs":[],"content":{"text":"1"}},{"tag":"j","attrs":[],"content":{"jid":"lid"}},{"tag":"list","attrs":[],"content":[]},{"tag":"end","attrs":[],"content":null}]}"#;

    fn node() -> Node {
        Node::new("message")
            .with_attr("to", Jid::interop(1, 5).unwrap())
            .with_attr("id", "a@b")
            .with_attr("id", "2")
            .with_child(Node::new("enc").with_bytes(&b"\0\xff"[..]))
            .with_child(Node::new("t").with_text("1"))
            .with_child(Node::new("j").with_content(Jid::server_only("lid").unwrap().into()))
            .with_child(Node::new("list").with_children([]))
            .with_child(Node::new("end"))
    }

    #[test]
    fn both_ways() {
        assert_eq!(serde_json::to_string(&node()).unwrap(), JSON);
        assert_eq!(serde_json::from_str::<Node>(JSON).unwrap(), node());
        assert_eq!(serde_json::from_str::<Node>(r#"{"tag":"a"}"#).unwrap(), Node::new("a"));
    }

    #[test]
    fn refuses_the_rest() {
        for (json, error) in [
            (r#"{}"#, "missing field `tag`"),
            (r#"{"tag":1}"#, "invalid type: integer `1`, expected a string"),
            (r#"{"tag":"a","tag":"b"}"#, "a field is repeated"),
            (r#"{"tag":"a","x":"b"}"#, "unknown field `x`, expected one of `tag`, `attrs`, `content`"),
            (r#"{"tag":"a","content":{}}"#, "an empty object is no content"),
            (r#"{"tag":"a","content":{"bytes":"0"}}"#, "Odd number of digits"),
            (r#"{"tag":"a","content":{"jid":"a@"}}"#, "invalid jid server"),
            (
                r#"{"tag":"a","content":{"x":"a"}}"#,
                "unknown field `x`, expected one of `text`, `bytes`, `jid`",
            ),
            (r#"{"tag":"a","content":{"text":"a","jid":"b"}}"#, "unknown field `jid`, there are no fields"),
            (
                r#"{"tag":"a","attrs":[["b",{"text":"c"}]]}"#,
                "invalid type: map, expected a string, or a jid as {\"jid\": string}",
            ),
        ] {
            let text = serde_json::from_str::<Node>(json).unwrap_err().to_string();
            assert_eq!(text.split(" at line").next(), Some(error), "{json}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| {
            let open = r#"{"tag":"a","content":["#.repeat(depth - 1);
            format!(r#"{open}{{"tag":"a"}}{}"#, "]}".repeat(depth - 1))
        };
        let read = |depth| {
            let text = nested(depth);
            let mut deserializer = serde_json::Deserializer::from_str(&text);
            deserializer.disable_recursion_limit();
            Node::deserialize(&mut deserializer).map_err(|error| error.to_string())
        };
        assert!(read(64).is_ok());
        assert!(read(65).unwrap_err().starts_with("nodes nested too deep"));
        assert!(read(100_000).unwrap_err().starts_with("nodes nested too deep"));
    }
}
