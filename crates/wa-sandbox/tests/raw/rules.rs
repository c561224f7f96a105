//! Every rule of the table in both forms: what is taken, beside what is refused or noted, and the record of it.
//!
//! What a client is told stands in `rules/told.txt`. A rule without a row here or without an entry there fails.

use std::collections::BTreeMap;

use wa_binary::{Jid, Node};
use wa_sandbox::Enlisted;
use wa_sandbox::rules::Class;
use wa_sandbox::rules::book::{Clause, clauses};

use crate::kit::{Bench, Line};
use crate::user::User;

mod channel;
mod entry;
mod requests;
mod stanzas;

/// What is told of each rule: the answer, what is the matter, the part at fault, where the rule is written, how to mend it.
const TOLD: &str = include_str!("rules/told.txt");

/// Stanzas that are pinned elsewhere: the overview's printed one, and those of the protocol as they are written by hand.
const GOLDEN: [&str; 2] = [
    include_str!("../../../wa-stanza/tests/golden.rs"),
    include_str!("../../../wa-binary/tests/overview.rs"),
];

/// One attempt of a client, and what came back.
pub(crate) type Attempt = Box<dyn Fn(&mut Stage) -> String>;

/// A rule, with an attempt that keeps it and one that does not.
pub(crate) struct Row {
    rule: &'static str,
    kept: Attempt,
    broken: Attempt,
}

/// A sandbox with a user of a third party, who is connected where the rule is about a session.
pub(crate) struct Stage {
    pub(crate) bench: Bench,
    pub(crate) user: User,
    line: Option<Line>,
}

pub(crate) fn row(
    rule: &'static str,
    kept: impl Fn(&mut Stage) -> String + 'static,
    broken: impl Fn(&mut Stage) -> String + 'static,
) -> Row {
    Row { rule, kept: Box::new(kept), broken: Box::new(broken) }
}

impl Stage {
    fn new() -> Self {
        let mut bench = Bench::new();
        let user = bench.enlisted("alice");
        Self { bench, user, line: None }
    }

    /// What the enlistment answers to a form.
    pub(crate) fn enlist(&mut self, form: &[(&str, String)]) -> String {
        told(self.bench.enlist(form))
    }

    /// The user's connection; begun if there is none.
    pub(crate) fn line(&mut self) -> (&mut Bench, &mut User, &mut Line) {
        let line = self.line.take().unwrap_or_else(|| self.bench.connect(&mut self.user));
        (&mut self.bench, &mut self.user, self.line.insert(line))
    }

    /// What comes back for a stanza.
    pub(crate) fn send(&mut self, node: &Node) -> String {
        let (bench, _, line) = self.line();
        bench.send(line, node);
        joined(&bench.read(line))
    }
}

pub(crate) fn told(answer: Enlisted) -> String {
    match answer {
        Enlisted::Login(_) => "ok".to_owned(),
        Enlisted::Refused(reason) => reason.to_owned(),
        other => format!("{other:?}"),
    }
}

pub(crate) fn joined(nodes: &[Node]) -> String {
    nodes.iter().map(ToString::to_string).collect()
}

/// A stanza, written as XML.
pub(crate) fn xml(text: impl Into<String>) -> impl Fn(&mut Stage) -> String {
    let text = text.into();
    move |stage| stage.send(&text.parse().unwrap_or_else(|error| panic!("{text}: {error}")))
}

/// The same for one that is pinned by another test, too.
pub(crate) fn golden(text: &'static str) -> impl Fn(&mut Stage) -> String {
    let bare = |text: &str| text.replace(char::is_whitespace, "").replace('\\', "");
    assert!(GOLDEN.iter().any(|tests| bare(tests).contains(&bare(text))), "no golden stanza: {text}");
    xml(text)
}

fn rows() -> Vec<Row> {
    [entry::rows(), channel::rows(), stanzas::rows(), requests::rows()].into_iter().flatten().collect()
}

/// What the records say, as an entry of `told.txt`.
fn entry(bench: &Bench, clause: &Clause, answer: &str) -> String {
    let records: Vec<_> = bench.world.records().collect();
    let [record] = records.as_slice() else {
        panic!("{}: {:?}, answered {answer}", clause.id, bench.records())
    };
    assert_eq!((record.rule, record.place, record.says), (clause.id, clause.place, clause.says));
    let marked = record.marked.as_deref().and_then(|it| Some(it.split_once('⟦')?.1.split_once('⟧')?.0));
    let is_stanza = record.stanza.is_some();
    assert_eq!(marked.is_some(), is_stanza, "{}: the part at fault is marked", clause.id);
    let (marked, answer) = (marked.unwrap_or("-"), if answer.is_empty() { "nothing" } else { answer });
    let cells = [clause.id, answer, &record.what, marked, record.source, &record.mend];
    cells.map(without_keys).join("\n    ")
}

/// Keys and signatures are other ones in every run.
fn without_keys(text: &str) -> String {
    let is_key = |run: &str| run.len() >= 64 && run.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .map(|word| match word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric()) {
            run if is_key(run) => word.replace(run, "…"),
            _ => word.to_owned(),
        })
        .collect()
}

#[test]
fn each_rule_is_kept_and_broken_and_what_is_told_is_right() {
    let rows: BTreeMap<&str, Row> = rows().into_iter().map(|row| (row.rule, row)).collect();
    let told: BTreeMap<&str, &str> =
        TOLD.trim_end().split("\n\n").map(|it| (it.lines().next().unwrap_or_default(), it)).collect();
    let mut wrong = Vec::new();
    for clause in clauses() {
        let Some(row) = rows.get(clause.id) else { panic!("{} has no row", clause.id) };
        let mut stage = Stage::new();
        let answer = (row.kept)(&mut stage);
        let records: Vec<_> = stage.bench.world.records().collect();
        let is_noted = clause.class == Class::Note && clause.grammar.is_some();
        let expected = if is_noted { vec![(clause.id, Class::Note)] } else { vec![] };
        let found: Vec<_> = records.iter().map(|it| (it.rule, it.class)).collect();
        assert_eq!(found, expected, "{}: {answer}", clause.id);
        let mut stage = Stage::new();
        let answer = (row.broken)(&mut stage);
        let found = entry(&stage.bench, clause, &answer);
        let class = stage.bench.world.records().next().map(|it| it.class);
        let is_note = clause.class == Class::Note && clause.grammar.is_none();
        assert_eq!(class == Some(Class::Note), is_note, "{}", clause.id);
        if told.get(clause.id) != Some(&&*found) {
            wrong.push(found);
        }
    }
    assert!(wrong.is_empty(), "told.txt has other entries than these:\n\n{}", wrong.join("\n\n"));
    assert_eq!((rows.len(), told.len()), (clauses().count(), clauses().count()), "a row is of no rule");
}

/// WhatsApp's server and the phone, as attributes have them.
pub(crate) fn phone() -> Jid {
    Jid::phone(crate::kit::PHONE).unwrap()
}
