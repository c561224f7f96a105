//! A stanza as XML with the part at fault between `⟦` and `⟧`.

use std::borrow::Cow;

use wa_binary::{AttrValue, Node};

use crate::rules::Finding;

const OPEN: char = '⟦';
const CLOSE: char = '⟧';

/// The stanza with what the finding is about marked: an attribute, one that is missing (`name=?`), or a whole element.
pub(crate) fn marked(node: &Node, finding: &Finding) -> String {
    write(node, &finding.place, finding.attribute.as_deref())
}

/// The same with at most some `most` characters: of what is longer, the part at fault and what is beside it.
pub(crate) fn shortened(marked: &str, most: usize) -> String {
    let parts = marked.split_once(OPEN).and_then(|(before, rest)| Some((before, rest.rsplit_once(CLOSE)?)));
    let Some((before, (part, after))) = parts.filter(|_| marked.len() > most) else {
        return marked.to_owned();
    };
    let beside = most / 4;
    format!(
        "{}{OPEN}{}{CLOSE}{}",
        ending(before, beside),
        beginning(part, most / 2),
        beginning(after, beside)
    )
}

fn beginning(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

fn ending(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth_back(most) {
        Some((start, first)) => {
            Cow::Owned(format!("…{}", text.get(start + first.len_utf8()..).unwrap_or_default()))
        }
        None => Cow::Borrowed(text),
    }
}

fn write(node: &Node, place: &[usize], attribute: Option<&str>) -> String {
    let Some((index, below)) = place.split_first() else {
        return match attribute {
            Some(name) => with_attribute(node, name),
            None => format!("{OPEN}{node}{CLOSE}"),
        };
    };
    let children = node.children().iter().enumerate().map(|(position, child)| match position == *index {
        true => write(child, below, attribute),
        false => child.to_string(),
    });
    around(&start(node, None), &children.collect::<String>(), node.tag())
}

/// The last attribute of that name is marked: where one is there twice, the second is too many.
fn with_attribute(node: &Node, name: &str) -> String {
    let inside = inside(node);
    around(&start(node, Some(name)), &inside, node.tag())
}

fn start(node: &Node, marked: Option<&str>) -> String {
    let last = marked.and_then(|name| node.attrs().iter().rposition(|(it, _)| *it == *name));
    let attributes = node.attrs().iter().enumerate().map(|(index, (name, value))| {
        let written = attribute(name, value);
        if last == Some(index) { format!(" {OPEN}{written}{CLOSE}") } else { format!(" {written}") }
    });
    let attributes: String = attributes.collect();
    match marked {
        Some(name) if last.is_none() => format!("<{}{attributes} {OPEN}{name}=?{CLOSE}", node.tag()),
        _ => format!("<{}{attributes}", node.tag()),
    }
}

fn around(start: &str, inside: &str, tag: &str) -> String {
    if inside.is_empty() { format!("{start}/>") } else { format!("{start}>{inside}</{tag}>") }
}

/// What stands between a node's tags.
fn inside(node: &Node) -> String {
    let children: String = node.children().iter().map(ToString::to_string).collect();
    if !children.is_empty() {
        return children;
    }
    let bare = Node::new(node.tag()).with_content(node.content().clone()).to_string();
    let text = bare.split_once('>').and_then(|(_, rest)| rest.rsplit_once("</")).map(|(text, _)| text);
    text.unwrap_or_default().to_owned()
}

fn attribute(name: &str, value: &AttrValue) -> String {
    let xml = Node::new("x").with_attr(name, value.clone()).to_string();
    let written = xml.strip_prefix("<x ").and_then(|rest| rest.strip_suffix("/>"));
    written.unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &[usize], attribute: Option<&str>) -> Finding {
        let attribute = attribute.map(str::to_owned);
        let none = String::new;
        Finding { tag: none(), what: none(), mend: none(), place: place.to_vec(), attribute }
    }

    #[test]
    fn the_part_at_fault_is_marked() {
        let node: Node =
            r#"<message to="1@s.whatsapp.net" id="A&quot;"><enc v="1" wa:bytes="00"/><body>hi</body></message>"#
                .parse()
                .unwrap();
        for (finding, expected) in [
            (
                at(&[], Some("id")),
                r#"<message to="1@s.whatsapp.net" ⟦id="A&quot;"⟧><enc v="1" wa:bytes="00"/><body>hi</body></message>"#,
            ),
            (
                at(&[0], Some("v")),
                r#"<message to="1@s.whatsapp.net" id="A&quot;"><enc ⟦v="1"⟧/><body>hi</body></message>"#,
            ),
            (
                at(&[], Some("type")),
                r#"<message to="1@s.whatsapp.net" id="A&quot;" ⟦type=?⟧><enc v="1" wa:bytes="00"/><body>hi</body></message>"#,
            ),
            (
                at(&[1], None),
                r#"<message to="1@s.whatsapp.net" id="A&quot;"><enc v="1" wa:bytes="00"/>⟦<body>hi</body>⟧</message>"#,
            ),
        ] {
            assert_eq!(marked(&node, &finding), expected);
        }
        assert_eq!(marked(&node, &at(&[1], Some("x"))).matches("⟦x=?⟧>hi</body>").count(), 1);
    }

    #[test]
    fn of_a_long_stanza_the_part_at_fault_is_kept() {
        let ä = "ä".repeat(40);
        assert_eq!(shortened(&format!("{ä}⟦x⟧{ä}"), 20), "…äääää⟦x⟧äääää…");
        assert_eq!(shortened(&format!("a⟦{ä}⟧b"), 20), "a⟦ääääääääää…⟧b");
        assert_eq!(shortened("aa⟦x⟧bb", 20), "aa⟦x⟧bb");
    }
}
