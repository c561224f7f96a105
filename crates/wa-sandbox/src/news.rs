//! What happens, for those who watch: told as it happens, and to nobody when nobody watches.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::transcript::Entry;

/// What a watcher is told.
#[derive(Clone, Debug)]
pub(crate) enum News {
    /// A stanza went over a channel.
    Stanza(Box<Entry>),
    /// Something became of a conversation.
    Chat { phone: String, login: String, about: Value },
    /// Something was changed at the control interface, or a client came or went.
    Changed,
}

/// What nobody was told of yet.
#[derive(Debug, Default)]
pub(crate) struct NewsDesk {
    /// Whether anybody watches; else nothing is kept.
    pub(crate) is_watched: bool,
    fresh: VecDeque<News>,
}

impl NewsDesk {
    pub(crate) fn tell(&mut self, news: impl FnOnce() -> News) {
        if self.is_watched {
            self.fresh.push_back(news());
        }
    }

    pub(crate) fn take_fresh(&mut self) -> VecDeque<News> {
        std::mem::take(&mut self.fresh)
    }
}

impl News {
    /// Its name and its data, as a server-sent event has them.
    pub(crate) fn event(&self) -> (&'static str, Value) {
        match self {
            Self::Stanza(entry) => ("stanza", entry.row()),
            Self::Chat { phone, login, about } => {
                ("chat", json!({ "phone": phone, "login": login, "about": about }))
            }
            Self::Changed => ("changed", json!({})),
        }
    }
}
