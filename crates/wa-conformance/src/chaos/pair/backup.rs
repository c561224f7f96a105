//! A copy of the store that is put back: what was sent or shown since then is not known any more, and no key is used twice.

use std::collections::BTreeSet;

use wa_interop::chat::{Client, Key, Read, Restoration, Rows, Transaction, Write};

use crate::chaos::pair::Pair;
use crate::report::failure::{Failure, ensure};

/// What became of the copy.
#[derive(Debug, Default)]
pub(super) enum Backup {
    #[default]
    None,
    Made(Rows),
    PutBack,
}

/// What cannot be known any more, in a run in which a copy was put back.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Texts that were accepted after the copy was made: they are at the phone, or lost.
    pub(super) sent: BTreeSet<String>,
    /// Texts that the phone wrote and that had come after the copy was made: they were shown, are shown again, or are lost.
    pub(super) written: BTreeSet<String>,
}

impl Pair {
    pub(super) fn back_up(&mut self) -> Result<(), Failure> {
        let (from, to) = (Key::from_bytes(&[0]), Key::from_bytes(&[255]));
        let all = Read::Page { from, to, limit: u16::MAX, bytes: usize::MAX };
        let rows = self.store.apply(&Transaction { reads: vec![all], ..Transaction::default() })?;
        self.ledger.doubts.sent = self.accepted_texts();
        self.backup = Backup::Made(rows);
        Ok(())
    }

    pub(super) fn put_back(&mut self, copy: &Rows) -> Result<(), Failure> {
        self.crash()?;
        let write = |(key, value): &_| Write {
            key: Key::clone(key),
            value: Some(Clone::clone(value)),
            expires: None,
        };
        let writes = copy.0.iter().map(write).collect();
        self.store.apply(&Transaction { erase: true, writes, ..Transaction::default() })?;
        let mut restoration = Restoration::new(self.client_now().unix);
        let mut transaction = Some(restoration.first());
        while let Some(next) = transaction {
            let rows = self.store.apply(&next)?;
            transaction = restoration.next(&rows)?;
        }
        self.client = Client::open(self.profile.clone(), self.root);
        let since: BTreeSet<String> = self.accepted_texts();
        let known = std::mem::take(&mut self.ledger.doubts.sent);
        self.ledger.doubts.sent = since.difference(&known).cloned().collect();
        self.ledger.doubts.written = self.ledger.written.iter().map(|(text, _)| text.clone()).collect();
        // What was confirmed since comes again; what was marked since may be marked again.
        self.ledger.confirmed.clear();
        self.ledger.unread.clear();
        self.backup = Backup::PutBack;
        Ok(())
    }

    fn accepted_texts(&self) -> BTreeSet<String> {
        let accepted = self.ledger.sent.iter().filter(|(_, accepted)| *accepted);
        accepted.map(|(text, _)| text.clone()).collect()
    }

    /// Whether a copy was put back in this run.
    pub(super) fn is_restored(&self) -> bool {
        matches!(self.backup, Backup::PutBack)
    }

    /// Nothing is lost or doubled but what is in doubt.
    pub(super) fn texts_in_doubt(&mut self) -> Result<(), Failure> {
        let at_phone = self.texts_at_phone();
        let count = |texts: &[String], text: &String| texts.iter().filter(|it| *it == text).count();
        for (text, _) in &self.ledger.sent {
            let times = count(&at_phone, text);
            let is_right = times == 1 || times == 0 && self.ledger.doubts.sent.contains(text);
            ensure(&format!("{text} is at the phone {times} times"), is_right)?;
        }
        let shown: Vec<String> =
            self.ledger.order.iter().filter_map(|event| self.ledger.shown.get(event).cloned()).collect();
        for (text, _) in &self.ledger.written {
            let times = count(&shown, text);
            let is_right = times == 1 || self.ledger.doubts.written.contains(text);
            ensure(&format!("{text} is shown {times} times"), is_right)?;
        }
        Ok(())
    }
}
