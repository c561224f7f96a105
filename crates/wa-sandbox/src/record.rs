//! What the sandbox has to say of what clients do: one record for each refusal and each note.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;
use wa_binary::Node;

use crate::rules::{Class, Clause, Finding, Place, marked, shortened};

/// Records that are kept.
const MAX_RECORDS: usize = 1000;

/// Logins of which records are counted; beyond them counting begins anew.
const MAX_COUNTED: usize = 20_000;

/// Characters of a stanza that are kept with a record.
const MAX_STANZA: usize = 64 * 1024;

/// Who did it, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Who {
    /// The number of the chat connection.
    pub connection: Option<u64>,
    /// The account's login.
    pub login: Option<String>,
    /// The user identifier.
    pub user: Option<String>,
    /// The integrator's id.
    pub integrator: Option<u16>,
}

/// A refusal or a note, with the rule that it rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Counts from 1.
    pub number: u64,
    /// When it was first so, in Unix seconds of the sandbox's clock.
    pub at: u64,
    /// How often the same was so; more than 1 only for notes.
    pub times: u64,
    /// How it was taken.
    pub class: Class,
    /// Where the rule was broken.
    pub place: Place,
    /// The rule's name.
    pub rule: &'static str,
    /// Which stanza it was, by its number in the transcript.
    pub stanza_number: Option<u64>,
    /// Who did it.
    pub who: Who,
    /// What is the matter.
    pub what: String,
    /// The stanza as XML.
    pub stanza: Option<String>,
    /// The stanza with the part at fault between `⟦` and `⟧`.
    pub marked: Option<String>,
    /// The rule in our words.
    pub says: &'static str,
    /// The document and its section, or what the rule rests on.
    pub source: &'static str,
    /// How to mend it.
    pub mend: String,
    /// How it was answered.
    pub answer: &'static str,
}

/// The records, newest last.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// The number of the stanza that is being handled.
    pub(crate) stanza: Option<u64>,
    records: VecDeque<Record>,
    fresh: VecDeque<Record>,
    /// Of each login, how many deviations and notes there were.
    counts: HashMap<String, [u64; 2]>,
    next: u64,
}

/// A breach of a rule by a stanza.
#[derive(Clone, Debug)]
pub(crate) struct Deviation {
    pub(crate) clause: &'static Clause,
    pub(crate) finding: Finding,
}

impl Deviation {
    /// A breach that no grammar sees, at the node that is reached over these tags.
    pub(crate) fn at(clause: &'static Clause, node: &Node, path: &[&str], what: impl Into<String>) -> Self {
        let (mut place, mut at) = (Vec::new(), node);
        for tag in path {
            let Some((index, child)) = at.children().iter().enumerate().find(|(_, child)| child.is(tag))
            else {
                break;
            };
            place.push(index);
            at = child;
        }
        let (tag, mend) = (at.tag().to_owned(), clause.mend.to_owned());
        Self { clause, finding: Finding { tag, what: what.into(), mend, place, attribute: None } }
    }

    /// The same, of one attribute of the stanza.
    pub(crate) fn of_attribute(mut self, name: &str) -> Self {
        self.finding.attribute = Some(name.to_owned());
        self
    }
}

impl Journal {
    /// A breach, or a note, that is about no stanza.
    pub(crate) fn breach(&mut self, at: u64, who: Who, clause: &'static Clause, what: impl Into<String>) {
        let mend = clause.mend.to_owned();
        self.push(at, who, clause, clause.class, (what.into(), mend), None);
    }

    /// A stanza that broke a rule.
    pub(crate) fn deviation(&mut self, at: u64, who: Who, node: &Node, deviation: &Deviation) {
        let Deviation { clause, finding } = deviation;
        let said = (format!("{} {}", finding.tag, finding.what), finding.mend.clone());
        self.push(at, who, clause, Class::Deviation, said, Some((node, finding)));
    }

    /// A stanza with something beyond the documents.
    pub(crate) fn note(
        &mut self,
        at: u64,
        who: Who,
        clause: &'static Clause,
        (node, finding): (&Node, &Finding),
    ) {
        let said = (format!("{} {}", finding.tag, finding.what), finding.mend.clone());
        self.push(at, who, clause, Class::Note, said, Some((node, finding)));
    }

    fn push(
        &mut self,
        at: u64,
        who: Who,
        clause: &'static Clause,
        class: Class,
        (what, mend): (String, String),
        stanza: Option<(&Node, &Finding)>,
    ) {
        if class == Class::Note {
            let is_same = |it: &&mut Record| {
                (it.class, it.rule, &*it.what) == (class, clause.id, &*what) && it.who.login == who.login
            };
            if let Some(same) = self.records.iter_mut().rev().find(is_same) {
                same.times += 1;
                return;
            }
        }
        if let Some(login) = &who.login {
            if self.counts.len() == MAX_COUNTED {
                self.counts.clear();
            }
            let [deviations, notes] = self.counts.entry(login.clone()).or_default();
            *(if class == Class::Note { notes } else { deviations }) += 1;
        }
        self.next += 1;
        let record = Record {
            number: self.next,
            at,
            times: 1,
            class,
            place: clause.place,
            rule: clause.id,
            stanza_number: self.stanza,
            who,
            what,
            stanza: stanza.map(|(node, _)| node.to_string().chars().take(MAX_STANZA).collect()),
            marked: stanza.map(|(node, finding)| shortened(&marked(node, finding), MAX_STANZA)),
            says: clause.says,
            source: clause.source,
            mend,
            answer: if class == Class::Note { "taken" } else { clause.answer },
        };
        log(&record);
        keep(&mut self.fresh, record.clone());
        keep(&mut self.records, record);
    }

    /// How many deviations and notes of a login there were.
    pub(crate) fn counts(&self, login: &str) -> [u64; 2] {
        self.counts.get(login).copied().unwrap_or_default()
    }

    pub(crate) fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter()
    }

    /// Those that nobody was told of yet.
    pub(crate) fn take_fresh(&mut self) -> VecDeque<Record> {
        std::mem::take(&mut self.fresh)
    }

    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.counts.clear();
    }
}

fn keep(records: &mut VecDeque<Record>, record: Record) {
    if records.len() == MAX_RECORDS {
        records.pop_front();
    }
    records.push_back(record);
}

fn log(record: &Record) {
    let Record { number, rule, what, says, source, mend, answer, .. } = record;
    let login = record.who.login.as_deref().or(record.who.user.as_deref()).unwrap_or("-");
    match record.class {
        Class::Note => tracing::info!(number, rule, login, what, mend, "note"),
        Class::Deviation => {
            let marked = record.marked.as_deref().unwrap_or_default();
            tracing::warn!(number, rule, login, what, marked, says, source, mend, answer, "deviation");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::book::{ACKS, FORM, FORM_TYPE};

    #[test]
    fn deviations_are_kept_one_by_one_and_notes_are_counted() {
        let mut journal = Journal::default();
        for login in ["1-2@interop", "1-3@interop", "1-2@interop"] {
            let who = || Who { login: Some(login.to_owned()), ..Who::default() };
            journal.breach(7, who(), &FORM, "is JSON");
            journal.breach(8, who(), &FORM_TYPE, "is text/plain");
        }
        let shown: Vec<_> = journal.records().map(|it| (it.number, it.rule, it.times, it.at)).collect();
        let expected = [
            (1, "enlist-form", 1, 7),
            (2, "enlist-content-type", 2, 8),
            (3, "enlist-form", 1, 7),
            (4, "enlist-content-type", 1, 8),
            (5, "enlist-form", 1, 7),
        ];
        assert_eq!(shown, expected);
        assert_eq!((journal.take_fresh().len(), journal.take_fresh().len()), (5, 0));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut journal = Journal::default();
        for _ in 0..MAX_RECORDS + 3 {
            journal.breach(1, Who::default(), &FORM, "is JSON");
        }
        assert_eq!(journal.records().count(), MAX_RECORDS);
        assert_eq!(journal.records().next().map(|it| it.number), Some(4));
    }

    #[test]
    fn a_record_shows_the_stanza_and_the_place() {
        let node: Node = "<ack class='message' id='1' to='s.whatsapp.net'/>".parse().unwrap();
        let deviation = Deviation::at(&ACKS, &node, &[], "has another to").of_attribute("to");
        let mut journal = Journal::default();
        journal.deviation(1, Who::default(), &node, &deviation);
        let record = journal.records().next().unwrap();
        assert_eq!(record.what, "ack has another to");
        let marked = r#"<ack class="message" id="1" ⟦to="s.whatsapp.net"⟧/>"#;
        assert_eq!(record.marked.as_deref(), Some(marked));
        assert_eq!(record.answer, "stream error xml-not-well-formed, closed");
    }
}
