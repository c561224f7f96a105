//! The rule book: every reason for which the sandbox refuses or notes something, as a value with a name.
//!
//! A record of a deviation quotes its clause, and the table of `docs/SANDBOX.md` is written from the same values, so
//! that both say the same.

use crate::rules::{Class, Rule};

mod channel;
mod entry;
mod stanza;
mod table;

pub use self::channel::*;
pub use self::entry::*;
pub use self::stanza::*;
pub use self::table::table;

/// One rule: what is demanded, where that is written, and how to mend a breach.
#[derive(Clone, Copy, Debug)]
pub struct Clause {
    /// The name of the rule.
    pub id: &'static str,
    /// At which door it is judged.
    pub place: Place,
    /// How a breach is taken; where a stanza fits the rule's grammar, how the stanza itself is taken.
    pub class: Class,
    /// The rule in our words.
    pub says: &'static str,
    /// The document and its section, or what else it rests on.
    pub source: &'static str,
    /// How to mend a breach.
    pub mend: &'static str,
    /// How the sandbox answers a breach.
    pub answer: &'static str,
    /// The grammar, of a stanza.
    pub grammar: Option<&'static Rule>,
}

/// Where a client meets the sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// `POST /3p/interop_reg`.
    Enlistment,
    /// The third party's token, at enlistment or login.
    Token,
    /// The login's payload.
    Login,
    /// The Noise handshake.
    Handshake,
    /// A frame of an open channel.
    Frame,
    /// A stanza of the chat channel.
    Stanza,
}

impl Clause {
    pub(crate) const fn new(
        id: &'static str,
        place: Place,
        says: &'static str,
        source: &'static str,
    ) -> Self {
        Self { id, place, class: Class::Deviation, says, source, mend: "", answer: "", grammar: None }
    }

    pub(crate) const fn mend(mut self, mend: &'static str) -> Self {
        self.mend = mend;
        self
    }

    pub(crate) const fn answer(mut self, answer: &'static str) -> Self {
        self.answer = answer;
        self
    }

    pub(crate) const fn note(mut self) -> Self {
        self.class = Class::Note;
        self.answer = "taken";
        self
    }

    const fn grammar(mut self, grammar: &'static Rule) -> Self {
        self.grammar = Some(grammar);
        self
    }
}

/// Every clause, in the order of the table.
pub fn clauses() -> impl Iterator<Item = &'static Clause> {
    ENTRY.iter().chain(CHANNEL).chain(STANZA).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clause_is_in_the_book() {
        for (source, listed) in [
            (include_str!("book/entry.rs"), ENTRY),
            (include_str!("book/channel.rs"), CHANNEL),
            (include_str!("book/stanza.rs"), STANZA),
        ] {
            assert_eq!(source.matches("\npub const ").count(), listed.len());
        }
    }

    #[test]
    fn every_clause_has_a_name_of_its_own_and_says_everything() {
        let mut names: Vec<&str> = clauses().map(|clause| clause.id).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for clause in clauses() {
            let says = [clause.says, clause.source, clause.answer];
            assert!(says.iter().all(|text| !text.is_empty()), "{}", clause.id);
            let is_mended = !clause.mend.is_empty() || clause.grammar.is_some();
            assert!(is_mended, "{} does not say how to mend it", clause.id);
        }
    }
}
