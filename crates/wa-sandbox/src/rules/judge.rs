//! Judging one node by its rule.

use wa_binary::Node;

use crate::rules::{Inside, Kind, Rule, is_empty};

/// How what a client did is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Beyond the documents, but public clients do it: taken.
    Note,
    /// Against a document, or known neither to the documents nor to public clients.
    Deviation,
}

/// One thing that a rule has to say of a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The tag of the node.
    pub tag: String,
    /// What is the matter with it, to be read after the tag: "lacks type".
    pub what: String,
    /// How to mend it.
    pub mend: String,
    /// Where the node is: positions among the children, from the stanza down.
    pub place: Vec<usize>,
    /// The attribute, if it is about one.
    pub attribute: Option<String>,
}

/// What has been found so far, and where the judge is.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    pub(super) notes: Vec<Finding>,
    place: Vec<usize>,
}

type Judged = Result<(), Box<Finding>>;

impl Judge {
    pub(super) fn node(&mut self, rule: &Rule, node: &Node) -> Judged {
        self.required(rule, node)?;
        self.attributes(rule, node)?;
        let mut children = Vec::new();
        for (index, child) in node.children().iter().enumerate() {
            if rule.beside.iter().any(|tag| child.is(tag)) {
                let what = format!("holds {}", child.tag());
                let mend = format!("leave <{}> out: no document has it", child.tag());
                self.note(node, what, mend, None);
            } else {
                children.push((index, child));
            }
        }
        self.inside(rule.content, node, &children)
    }

    fn required(&self, rule: &Rule, node: &Node) -> Judged {
        for (name, kind) in rule.required {
            if node.attr(name).is_none() {
                let mend = format!("add {name}: {kind}");
                return Err(self.deviation(node, format!("lacks {name}"), mend, Some(name)));
            }
        }
        Ok(())
    }

    fn attributes(&mut self, rule: &Rule, node: &Node) -> Judged {
        for (index, (name, value)) in node.attrs().iter().enumerate() {
            if node.attrs().iter().take(index).any(|(earlier, _)| earlier == name) {
                let mend = format!("give {name} once");
                return Err(self.deviation(node, format!("has {name} twice"), mend, Some(name)));
            }
            let named = |list: &'static [(&'static str, Kind)]| {
                list.iter().find(|(allowed, _)| *name == **allowed).map(|(_, kind)| *kind)
            };
            let known = named(rule.required).or_else(|| named(rule.optional));
            let noted = named(rule.noted);
            if known.is_some_and(|kind| kind.allows(value)) {
                continue;
            }
            if noted.is_some_and(|kind| kind.allows(value)) {
                let (what, mend) = match known {
                    Some(kind) => (format!("has {name}=\"{}\"", value.to_text()), format!("use {kind}")),
                    None => (format!("has {name}"), format!("leave {name} out: no document has it")),
                };
                self.note(node, what, mend, Some(name));
                continue;
            }
            let (what, mend) = match known.or(noted) {
                Some(kind) => (format!("has a bad {name}"), format!("{name} must be {kind}")),
                None => (format!("has an unknown {name}"), unknown(rule, node, name)),
            };
            return Err(self.deviation(node, what, mend, Some(name)));
        }
        Ok(())
    }

    fn inside(&mut self, inside: Inside, node: &Node, children: &[(usize, &Node)]) -> Judged {
        match inside {
            Inside::Anything => Ok(()),
            Inside::Nothing | Inside::Maybe(..)
                if children.is_empty() && (is_empty(node) || passed(node)) =>
            {
                Ok(())
            }
            Inside::Bytes(least, most) if node.bytes().is_some_and(|b| (least..=most).contains(&b.len())) => {
                Ok(())
            }
            Inside::Text if node.bytes().is_some() => Ok(()),
            Inside::Noted(inside) => {
                self.inside(*inside, node, children)?;
                let tags: Vec<&str> = children.iter().map(|(_, child)| child.tag()).collect();
                let what = format!("holds {}", tags.join(", "));
                self.note(node, what, "no document has it inside; public clients send it".to_owned(), None);
                Ok(())
            }
            Inside::OneOf(choices) => self.one_of(choices, node, children),
            Inside::Maybe(tag, rule) => self.parts(inside, node, children, &[], &[(tag, rule)]),
            Inside::Children(expected) => self.parts(inside, node, children, expected, &[]),
            Inside::Parts(required, optional) => self.parts(inside, node, children, required, optional),
            Inside::Named(rule) if children.len() == 1 => {
                children.iter().try_for_each(|(index, child)| self.child(*index, rule, child))
            }
            Inside::Many(tag, rule, most) if (1..=most).contains(&children.len()) => {
                children.iter().try_for_each(|(index, child)| match child.is(tag) {
                    true => self.child(*index, rule, child),
                    false => {
                        let what = format!("is no {tag}");
                        Err(self.at(*index).deviation(child, what, format!("must be <{tag}>"), None))
                    }
                })
            }
            _ => Err(self.content(inside, node)),
        }
    }

    /// The first choice that fits; if there is none, what is said of the one that fitted furthest.
    fn one_of(&mut self, choices: &[Inside], node: &Node, children: &[(usize, &Node)]) -> Judged {
        let mut nearest: Option<Box<Finding>> = None;
        for choice in choices {
            let mut judge = self.clone();
            match judge.inside(*choice, node, children) {
                Ok(()) => {
                    *self = judge;
                    return Ok(());
                }
                Err(finding) => {
                    let is_nearer = nearest.as_ref().is_none_or(|it| it.place.len() < finding.place.len());
                    nearest = if is_nearer { Some(finding) } else { nearest };
                }
            }
        }
        let whole = Inside::OneOf(&[]);
        Err(nearest.unwrap_or_else(|| self.content(whole, node)))
    }

    fn parts(
        &mut self,
        inside: Inside,
        node: &Node,
        children: &[(usize, &Node)],
        required: &[(&str, &Rule)],
        optional: &[(&str, &Rule)],
    ) -> Judged {
        if node.children().is_empty() && !required.is_empty() {
            return Err(self.content(inside, node));
        }
        for (tag, _) in required {
            if !children.iter().any(|(_, child)| child.is(tag)) {
                let mend = format!("must contain {inside}");
                return Err(self.deviation(node, format!("holds no {tag}"), mend, None));
            }
        }
        for (position, (index, child)) in children.iter().enumerate() {
            let is_double = children.iter().take(position).any(|(_, earlier)| earlier.is(child.tag()));
            let known = required.iter().chain(optional).find(|(tag, _)| child.is(tag));
            let Some((_, rule)) = known.filter(|_| !is_double) else {
                let what = if is_double { "is there twice" } else { "does not belong there" };
                let mend = format!("leave it out: <{}> must contain {inside}", node.tag());
                return Err(self.at(*index).deviation(child, what.to_owned(), mend, None));
            };
            self.child(*index, rule, child)?;
        }
        Ok(())
    }

    fn child(&mut self, index: usize, rule: &Rule, child: &Node) -> Judged {
        self.place.push(index);
        self.node(rule, child)?;
        self.place.pop();
        Ok(())
    }

    /// The judge of a child.
    fn at(&self, index: usize) -> Self {
        let place = self.place.iter().copied().chain([index]).collect();
        Self { notes: Vec::new(), place }
    }

    fn content(&self, inside: Inside, node: &Node) -> Box<Finding> {
        let mend = format!("must contain {inside}");
        self.deviation(node, "has other content than it must".to_owned(), mend, None)
    }

    fn note(&mut self, node: &Node, what: String, mend: String, attribute: Option<&str>) {
        let note = *self.deviation(node, what, mend, attribute);
        self.notes.push(note);
    }

    fn deviation(&self, node: &Node, what: String, mend: String, attribute: Option<&str>) -> Box<Finding> {
        let attribute = attribute.map(str::to_owned);
        Box::new(Finding { tag: node.tag().to_owned(), what, mend, place: self.place.clone(), attribute })
    }
}

/// What is left is what was passed over.
fn passed(node: &Node) -> bool {
    !node.children().is_empty()
}

fn unknown(rule: &Rule, node: &Node, name: &str) -> String {
    let allowed: Vec<&str> = rule.required.iter().chain(rule.optional).map(|(name, _)| *name).collect();
    match allowed.as_slice() {
        [] => format!("leave {name} out: <{}> has no attributes", node.tag()),
        allowed => format!("leave {name} out: <{}> may have {}", node.tag(), allowed.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::EMPTY;

    const ITEM: Rule = Rule::new(&[("jid", Kind::User)], Inside::Nothing).optional(&[("n", Kind::Number)]);
    const LIST: Rule =
        Rule::new(&[("id", Kind::Id), ("type", Kind::OneOf(&["a"]))], Inside::Many("item", &ITEM, 2))
            .noted(&[("from", Kind::Address), ("type", Kind::OneOf(&["b"]))])
            .beside(&["extra"]);
    const EITHER: Rule = Rule::new(
        &[],
        Inside::OneOf(&[
            Inside::Children(&[("x", &EMPTY)]),
            Inside::Children(&[("list", &LIST)]),
            Inside::Noted(&Inside::Children(&[("y", &EMPTY)])),
        ]),
    );

    fn judged(rule: &Rule, xml: &str) -> Result<Vec<String>, (String, Vec<usize>)> {
        let said = |it: &Finding| format!("{} {}", it.tag, it.what);
        let node: Node = xml.parse().unwrap();
        match rule.check(&node) {
            Ok(notes) => Ok(notes.iter().map(said).collect()),
            Err(finding) => Err((said(&finding), finding.place)),
        }
    }

    #[test]
    fn what_is_fine_is_passed_without_a_word() {
        let item = r#"<item jid="1@s.whatsapp.net"/>"#;
        for xml in [
            format!(r#"<list id="1" type="a">{item}</list>"#),
            format!(r#"<list type="a" id="1">{item}{item}</list>"#),
            r#"<list id="1" type="a"><item jid="1@s.whatsapp.net" n="3" wa:type="list"/></list>"#.to_owned(),
        ] {
            assert_eq!(judged(&LIST, &xml), Ok(vec![]), "{xml}");
        }
    }

    #[test]
    fn what_public_clients_send_is_taken_with_a_note() {
        let item = r#"<item jid="1@s.whatsapp.net"/>"#;
        for (xml, notes) in [
            (format!(r#"<list id="1" type="a" from="1-2@interop">{item}</list>"#), "list has from"),
            (format!(r#"<list id="1" type="b">{item}</list>"#), "list has type=\"b\""),
            (format!(r#"<list id="1" type="a"><extra/>{item}</list>"#), "list holds extra"),
        ] {
            assert_eq!(judged(&LIST, &xml), Ok(vec![notes.to_owned()]), "{xml}");
        }
        assert_eq!(judged(&EITHER, "<e><y/></e>"), Ok(vec!["e holds y".to_owned()]));
    }

    #[test]
    fn a_deviation_says_where_it_is() {
        let list = |inside: &str| format!(r#"<list id="1" type="a">{inside}</list>"#);
        let item = r#"<item jid="1@s.whatsapp.net"/>"#;
        for (xml, said, place) in [
            (r#"<list type="a"/>"#.to_owned(), "list lacks id", vec![]),
            (format!(r#"<list id="1" type="c">{item}</list>"#), "list has a bad type", vec![]),
            (format!(r#"<list id="1" type="a" q="">{item}</list>"#), "list has an unknown q", vec![]),
            (list(""), "list has other content than it must", vec![]),
            (list(&item.repeat(3)), "list has other content than it must", vec![]),
            (list(&format!("{item}<x/>")), "x is no item", vec![1]),
            (list(&format!("<extra/>{item}<item/>")), "item lacks jid", vec![2]),
            (list(r#"<item jid="1-2@s.whatsapp.net"/>"#), "item has a bad jid", vec![0]),
            (
                list(r#"<item jid="1@s.whatsapp.net">x</item>"#),
                "item has other content than it must",
                vec![0],
            ),
        ] {
            assert_eq!(judged(&LIST, &xml), Err((said.to_owned(), place)), "{xml}");
        }
        let twice = format!(r#"<list id="1" type="a" id="2">{item}</list>"#);
        assert!(twice.parse::<Node>().is_err(), "XML says it once; a frame may say it twice");
        let twice = Node::new("e").with_attr("id", "1").with_attr("id", "2");
        let rule = Rule::new(&[("id", Kind::Id)], Inside::Nothing);
        assert_eq!(rule.check(&twice).unwrap_err().what, "has id twice");
    }

    #[test]
    fn of_several_forms_the_nearest_is_spoken_of() {
        assert_eq!(judged(&EITHER, "<e><x/></e>"), Ok(vec![]));
        assert_eq!(judged(&EITHER, "<e><list/></e>"), Err(("list lacks id".to_owned(), vec![0])));
        assert_eq!(judged(&EITHER, "<e/>"), Err(("e has other content than it must".to_owned(), vec![])));
        assert_eq!(judged(&EITHER, "<e><x/><x/></e>"), Err(("x is there twice".to_owned(), vec![1])));
    }
}
