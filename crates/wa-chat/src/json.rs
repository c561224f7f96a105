//! Events and contents in serde's formats: bytes in hexadecimal digits, errors in their words. Feature `serde`.

use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use wa_media::MediaKey;
use wa_stanza::Typing;

use crate::{Answer, NoAnswer};

/// An error as what it says: for logs and for people. Programs compare the value before.
pub(crate) fn words<S: Serializer>(error: &impl fmt::Display, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(error)
}

/// What a peer is doing, in a word.
pub(crate) fn typing<S: Serializer>(typing: &Typing, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(match typing {
        Typing::Recording => "recording",
        Typing::Paused => "paused",
        _ => "composing",
    })
}

/// `{"Ok": …}`, or `{"Err": …}` in words.
pub(crate) fn answer<S: Serializer>(answer: &Result<Answer, NoAnswer>, to: S) -> Result<S::Ok, S::Error> {
    answer.as_ref().map_err(ToString::to_string).serialize(to)
}

/// Bytes as hexadecimal digits.
pub(crate) mod hex {
    use super::{Bytes, Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &impl AsRef<[u8]>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&::hex::encode(bytes))
    }

    pub(crate) fn deserialize<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<Bytes>,
    {
        let text = String::deserialize(from)?;
        let bytes = ::hex::decode(&text).map_err(de::Error::custom)?;
        T::try_from(Bytes::from(bytes)).map_err(|_| de::Error::custom("another number of bytes"))
    }
}

/// A SHA-256 digest as hexadecimal digits.
pub(crate) mod digest {
    use super::{Bytes, Deserializer, Serializer, de, hex};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        hex::serialize(bytes, to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let bytes: Bytes = hex::deserialize(from)?;
        bytes.as_ref().try_into().map_err(|_| de::Error::invalid_length(bytes.len(), &"32 bytes"))
    }
}

/// A file's key, which is all that it takes to read the file.
pub(crate) mod key {
    use super::{Deserializer, MediaKey, Serializer, digest};

    pub(crate) fn serialize<S: Serializer>(key: &MediaKey, to: S) -> Result<S::Ok, S::Error> {
        digest::serialize(key.as_bytes(), to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<MediaKey, D::Error> {
        digest::deserialize(from).map(MediaKey::from_bytes)
    }
}

/// Bytes that may not be there.
pub(crate) mod maybe {
    use super::{Bytes, Deserialize, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &Option<Bytes>, to: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => to.serialize_some(&::hex::encode(bytes)),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Bytes>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| ::hex::decode(text).map(Bytes::from).map_err(de::Error::custom)).transpose()
    }
}

/// Public keys as hexadecimal digits.
pub(crate) mod public {
    use super::{Serializer, digest};
    use wa_keys::PublicKey;

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(crate) fn serialize<S: Serializer>(key: &Option<PublicKey>, to: S) -> Result<S::Ok, S::Error> {
        match key {
            Some(key) => digest::serialize(key.as_bytes(), to),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn one<S: Serializer>(key: &PublicKey, to: S) -> Result<S::Ok, S::Error> {
        digest::serialize(key.as_bytes(), to)
    }

    /// Devices by number.
    pub(crate) fn by_device<S: Serializer>(keys: &[(u16, PublicKey)], to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(keys.iter().map(|(device, key)| (device, ::hex::encode(key.as_bytes()))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wa_binary::Jid;
    use wa_keys::PrivateKey;
    use wa_media::FileFacts;

    use crate::{
        Content, DisconnectReason, Event, EventId, Media, MediaFile, MediaKind, MessageId, Reply, Text,
    };

    use super::*;

    fn peer() -> Jid {
        Jid::phone("14155551001").unwrap()
    }

    #[test]
    fn every_content_comes_back() {
        let reply =
            Reply { id: MessageId::from("q"), author: peer(), quoted: Bytes::from_static(b"\x0a\x01q") };
        let text = Text { body: "hello".into(), reply: Some(reply.clone()), mentions: vec![peer()] };
        let facts = FileFacts { sha256: [1; 32], enc_sha256: [2; 32], length: 3 };
        let file = MediaFile::new("/v/a", MediaKey::from_bytes([4; 32]), facts, "image/jpeg");
        let mut media = Media::new(MediaKind::Image, file);
        media.thumbnail = Some(Bytes::from_static(b"jpeg"));
        media.reply = Some(reply);
        for content in [
            Content::Text(text.clone()),
            Content::Edit { id: MessageId::from("e"), text },
            Content::Revoke { id: MessageId::from("r") },
            Content::Media(Box::new(media)),
            Content::Unknown(Bytes::from_static(b"\xff\x00")),
        ] {
            let written = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<Content>(&written).unwrap(), content, "{written}");
        }
    }

    #[test]
    fn an_event_says_what_and_how() {
        let message = Event::Message {
            event: EventId(7),
            from: peer(),
            id: MessageId::from("m"),
            timestamp: 1,
            content: Content::text("hello"),
            device: 0,
            is_accepted: true,
            push_name: None,
            waited: false,
        };
        let expected = json!({ "message": {
            "event": 7, "from": "14155551001@s.whatsapp.net", "id": "m", "timestamp": 1,
            "content": { "text": { "body": "hello", "reply": null, "mentions": [] } },
            "device": 0, "is_accepted": true, "push_name": null, "waited": false,
        }});
        assert_eq!(serde_json::to_value(&message).unwrap(), expected);
        let ended = serde_json::to_value(Event::Disconnected(DisconnectReason::Closed)).unwrap();
        assert_eq!(ended, json!({ "disconnected": DisconnectReason::Closed.to_string() }));
        let key = PrivateKey::from_bytes([5; 32]).public_key();
        let changed = Event::DevicesChanged {
            event: EventId(8),
            peer: peer(),
            added: vec![(3, key)],
            removed: vec![],
            is_first: true,
        };
        let changed = serde_json::to_value(&changed).unwrap();
        assert_eq!(changed["devices_changed"]["added"]["3"], Value::from(::hex::encode(key.as_bytes())));
    }

    #[test]
    fn what_is_no_content_is_an_error() {
        for (wrong, why) in [
            (r#"{"unknown":"0g"}"#, "Invalid character"),
            (r#"{"text":{"body":1}}"#, "invalid type"),
            (r#"{"revoke":{}}"#, "missing field `id`"),
        ] {
            let error = serde_json::from_str::<Content>(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
