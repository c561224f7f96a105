//! Rules in words: what an attribute must hold and what must stand inside.

use std::fmt;

use crate::rules::{Inside, Kind, Rule};

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id => f.write_str("a text of 1 to 64 characters"),
            Self::Server => f.write_str("s.whatsapp.net"),
            Self::User => f.write_str("a WhatsApp user, such as the JID 14155551001@s.whatsapp.net"),
            Self::Device => f.write_str(
                "a WhatsApp user or one of their devices, such as the JID 14155551001@s.whatsapp.net",
            ),
            Self::Address => f.write_str("a JID"),
            Self::Text => f.write_str("a text"),
            Self::Sender => f.write_str("s.whatsapp.net or a WhatsApp user's JID"),
            Self::OneOf([word]) => write!(f, "\"{word}\""),
            Self::OneOf(words) => write!(f, "one of \"{}\"", words.join("\", \"")),
            Self::Number => f.write_str("a decimal number"),
        }
    }
}

impl fmt::Display for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = |children: &[(&str, &Rule)]| {
            children.iter().map(|(tag, rule)| element(tag, rule)).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Bytes(least, most) if least == most => write!(f, "{least} bytes"),
            Self::Bytes(least, most) => write!(f, "{least} to {most} bytes"),
            Self::Text => f.write_str("text"),
            Self::Children(children) => f.write_str(&tags(children)),
            Self::Maybe(tag, rule) => write!(f, "nothing or {}", element(tag, rule)),
            Self::Many(tag, rule, most) => write!(f, "1 to {most} {}", element(tag, rule)),
            Self::Parts(required, optional) => {
                write!(f, "{}, perhaps {}", tags(required), tags(optional))
            }
            Self::OneOf(choices) => {
                let choices = choices.iter().filter(|choice| !matches!(choice, Self::Noted(_)));
                f.write_str(&choices.map(ToString::to_string).collect::<Vec<_>>().join(", or "))
            }
            Self::Noted(inside) => write!(f, "{inside} (noted)"),
            Self::Named(rule) => f.write_str(&element("…", rule)),
            Self::Anything => f.write_str("anything"),
        }
    }
}

/// An element with the names of its attributes, those that may be left out in brackets.
pub(super) fn element(tag: &str, rule: &Rule) -> String {
    let required = rule.required.iter().map(|(name, kind)| match kind {
        Kind::OneOf([word]) => format!(" {name}=\"{word}\""),
        _ => format!(" {name}"),
    });
    let optional = rule.optional.iter().map(|(name, _)| format!(" [{name}]"));
    format!("<{tag}{}>", required.chain(optional).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{EMPTY, bytes};

    #[test]
    fn rules_read_aloud() {
        const ITEM: Rule = Rule::new(&[("id", Kind::Id)], Inside::Nothing).optional(&[("t", Kind::Number)]);
        const BYTES: Rule = bytes(3, 3);
        for (inside, said) in [
            (Inside::Many("item", &ITEM, 9), "1 to 9 <item id [t]>"),
            (Inside::Maybe("ping", &EMPTY), "nothing or <ping>"),
            (Inside::Parts(&[("a", &BYTES)], &[("b", &EMPTY)]), "<a>, perhaps <b>"),
            (BYTES.content, "3 bytes"),
        ] {
            assert_eq!(inside.to_string(), said);
        }
        assert_eq!(Kind::OneOf(&["2"]).to_string(), "\"2\"");
        assert_eq!(Kind::OneOf(&["get", "set"]).to_string(), "one of \"get\", \"set\"");
    }
}
