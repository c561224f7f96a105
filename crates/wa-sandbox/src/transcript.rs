//! Every stanza that went over a channel, in order, to be read afterwards.

use std::collections::VecDeque;
use std::fmt::Write as _;

use serde_json::json;
use wa_binary::Node;

/// Stanzas that are kept.
const MAX_ENTRIES: usize = 5000;

/// One stanza on its way.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) at: u64,
    pub(crate) connection: u64,
    pub(crate) login: Option<String>,
    pub(crate) from_client: bool,
    pub(crate) node: Node,
}

/// The newest stanzas.
#[derive(Debug, Default)]
pub(crate) struct Transcript(VecDeque<Entry>);

impl Transcript {
    pub(crate) fn push(&mut self, entry: Entry) {
        if self.0.len() == MAX_ENTRIES {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// One XML document; `login`: only the stanzas of that account.
    pub(crate) fn to_xml(&self, login: Option<&str>) -> String {
        let mut text = "<transcript xmlns:wa=\"urn:wa\">\n".to_owned();
        for entry in self.of(login) {
            let Entry { at, connection, node, .. } = entry;
            let login = entry.login.as_deref().unwrap_or_default();
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "<stanza at=\"{at}\" connection=\"{connection}\" login=\"{login}\" by=\"{}\">{node}</stanza>",
                entry.by()
            );
        }
        text.push_str("</transcript>\n");
        text
    }

    /// One JSON object a line.
    pub(crate) fn to_json_lines(&self, login: Option<&str>) -> String {
        let line = |entry: &Entry| {
            let Entry { at, connection, login, node, .. } = entry;
            let by = entry.by();
            json!({ "at": at, "connection": connection, "login": login, "by": by, "xml": node.to_string() })
        };
        self.of(login).map(|entry| format!("{}\n", line(entry))).collect()
    }

    fn of<'a>(&'a self, login: Option<&'a str>) -> impl Iterator<Item = &'a Entry> {
        self.0.iter().filter(move |entry| login.is_none() || entry.login.as_deref() == login)
    }
}

impl Entry {
    fn by(&self) -> &'static str {
        if self.from_client { "client" } else { "server" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_xml_and_as_json_lines() {
        let mut transcript = Transcript::default();
        let entry = |login: Option<&str>, from_client, node| Entry {
            at: 5,
            connection: 2,
            login: login.map(str::to_owned),
            from_client,
            node,
        };
        transcript.push(entry(None, false, Node::new("success")));
        transcript.push(entry(Some("1-2@interop"), true, Node::new("ib").with_attr("a", "\"")));
        assert_eq!(
            transcript.to_xml(None),
            "<transcript xmlns:wa=\"urn:wa\">\n\
             <stanza at=\"5\" connection=\"2\" login=\"\" by=\"server\"><success/></stanza>\n\
             <stanza at=\"5\" connection=\"2\" login=\"1-2@interop\" by=\"client\"><ib a=\"&quot;\"/></stanza>\n\
             </transcript>\n"
        );
        let lines = transcript.to_json_lines(Some("1-2@interop"));
        let line: serde_json::Value = serde_json::from_str(lines.trim_end()).unwrap();
        assert_eq!(line["xml"], "<ib a=\"&quot;\"/>");
        assert_eq!(line["by"], "client");
    }

    #[test]
    fn only_the_newest_are_kept() {
        let mut transcript = Transcript::default();
        for at in 0..u64::try_from(MAX_ENTRIES).unwrap() + 2 {
            let node = Node::new("a");
            transcript.push(Entry { at, connection: 0, login: None, from_client: true, node });
        }
        assert_eq!(transcript.0.len(), MAX_ENTRIES);
        assert_eq!(transcript.0.front().map(|entry| entry.at), Some(2));
    }
}
