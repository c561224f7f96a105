//! Every stanza that went over a channel, in order and numbered, to be read afterwards.
//!
//! Kept as the bytes of its node, so that the message path copies bytes and the reader decodes.

use std::collections::VecDeque;
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use serde_json::{Value, json};
use wa_binary::{Jid, Limits, Node};

/// Stanzas that are kept.
pub(crate) const MAX_ENTRIES: usize = 20_000;

/// Bytes of nodes that are kept, so that a few long stanzas do not fill the memory.
const MAX_BYTES: usize = 64 << 20;

/// Bytes of memory that are asked for at a time; a longer node has its own.
const CHUNK: usize = 64 << 10;

/// Bytes of a node that is written out for a row of the log; of a longer one its tag is said.
const MAX_WRITTEN: usize = 64 * 1024;

/// Characters of a stanza in a row of the log.
const MAX_LINE: usize = 400;

/// One stanza on its way.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Counts from 1.
    pub(crate) number: u64,
    pub(crate) at: u64,
    pub(crate) connection: u64,
    pub(crate) login: Option<Jid>,
    pub(crate) from_client: bool,
    /// Bytes of the frame's body before it was sealed: the flag byte, and the node, perhaps deflated.
    pub(crate) size: usize,
    /// The node, behind the flag byte and inflated.
    pub(crate) node: Bytes,
}

/// The newest stanzas.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// Where the next nodes are copied to: they come and go in order, so that they may share their memory.
    room: BytesMut,
    /// How many there have been.
    count: u64,
    /// How often they were forgotten.
    clears: u64,
}

/// Which stanzas are asked for; what is not said is not looked at.
#[derive(Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Filter {
    /// Only those with a lower number.
    pub(crate) before: Option<u64>,
    /// Only those with a higher number.
    pub(crate) after: Option<u64>,
    /// At most so many: the newest, or with `after` the oldest.
    pub(crate) limit: Option<usize>,
    /// Only those of this account.
    pub(crate) login: Option<String>,
    /// Only those of the `client` or the `server`.
    pub(crate) by: Option<String>,
    /// Only those with this tag.
    pub(crate) tag: Option<String>,
    /// Only those whose XML holds this, whatever the case.
    pub(crate) text: Option<String>,
}

impl Transcript {
    /// Keeps a stanza and gives it its number.
    pub(crate) fn push(&mut self, entry: Entry) -> u64 {
        self.count += 1;
        self.keep(Entry { number: self.count, ..entry });
        self.count
    }

    /// The last one.
    pub(crate) fn newest(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// Keeps a stanza of an earlier run, unless its number is taken.
    pub(crate) fn go_on_from(&mut self, entry: Entry) {
        if entry.number > self.count {
            self.count = entry.number;
            self.keep(entry);
        }
    }

    fn keep(&mut self, entry: Entry) {
        self.bytes += entry.node.len();
        while self.entries.len() >= MAX_ENTRIES || self.bytes > MAX_BYTES {
            let Some(gone) = self.entries.pop_front() else { break };
            self.bytes -= gone.node.len();
        }
        let node = self.copied(&entry.node);
        self.entries.push_back(Entry { node, ..entry });
    }

    /// A node in memory of the transcript's: what it was read from is not kept for it.
    fn copied(&mut self, node: &[u8]) -> Bytes {
        if node.len() > CHUNK / 2 {
            return Bytes::copy_from_slice(node);
        }
        if self.room.capacity() < node.len() {
            self.room = BytesMut::with_capacity(CHUNK);
        }
        self.room.extend_from_slice(node);
        self.room.split().freeze()
    }

    /// Forgets them. Numbers go on, so that none means two stanzas.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.clears += 1;
    }

    /// How many there have been.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How often they were forgotten.
    pub(crate) fn clears(&self) -> u64 {
        self.clears
    }

    /// Those with a higher number, oldest first.
    pub(crate) fn behind(&self, number: u64) -> Vec<Entry> {
        let newer = self.entries.iter().rev().take_while(|entry| entry.number > number);
        let mut newer: Vec<_> = newer.cloned().collect();
        newer.reverse();
        newer
    }

    /// The stanza of this number, if it is kept.
    pub(crate) fn get(&self, number: u64) -> Option<&Entry> {
        let index = self.entries.binary_search_by_key(&number, |entry| entry.number).ok()?;
        self.entries.get(index)
    }

    /// All that are kept, oldest first, to be read without holding anything up.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.iter().cloned().collect()
    }
}

/// One XML document; `login`: only the stanzas of that account.
pub(crate) fn to_xml(entries: &[Entry], login: Option<&str>) -> String {
    let mut text = "<transcript xmlns:wa=\"urn:wa\">\n".to_owned();
    for entry in entries.iter().filter(|entry| entry.is_of(login)) {
        let Entry { at, connection, .. } = entry;
        let login = entry.login.as_ref().map(Jid::to_string).unwrap_or_default();
        // Writing to a text does not fail.
        let _ = writeln!(
            text,
            "<stanza at=\"{at}\" connection=\"{connection}\" login=\"{login}\" by=\"{}\">{}</stanza>",
            entry.by(),
            entry.xml()
        );
    }
    text.push_str("</transcript>\n");
    text
}

/// One JSON object a line; `login`: only the stanzas of that account.
pub(crate) fn to_json_lines(entries: &[Entry], login: Option<&str>) -> String {
    let line = |entry: &Entry| {
        let Entry { number, at, connection, login, .. } = entry;
        let (login, by) = (login.as_ref().map(Jid::to_string), entry.by());
        json!({ "number": number, "at": at, "connection": connection, "login": login, "by": by, "xml": entry.xml() })
    };
    let entries = entries.iter().filter(|entry| entry.is_of(login));
    entries.map(|entry| format!("{}\n", line(entry))).collect()
}

impl Filter {
    /// Rows of the log that are asked for, oldest first, at most `most`.
    pub(crate) fn rows(&self, entries: &[Entry], most: usize) -> Vec<Value> {
        let most = self.limit.unwrap_or(most).min(most);
        let wanted = entries.iter().filter(|entry| self.lets_through(entry));
        if self.after.is_some() {
            return wanted.take(most).map(|entry| entry.row()).collect();
        }
        let mut rows: Vec<Value> = wanted.rev().take(most).map(|entry| entry.row()).collect();
        rows.reverse();
        rows
    }

    fn lets_through(&self, entry: &Entry) -> bool {
        let by_number = self.before.is_none_or(|before| entry.number < before)
            && self.after.is_none_or(|after| entry.number > after)
            && entry.is_of(self.login.as_deref())
            && self.by.as_deref().is_none_or(|by| by == entry.by());
        if !by_number || (self.tag.is_none() && self.text.is_none()) {
            return by_number;
        }
        let Some(node) = entry.node() else { return false };
        self.tag.as_deref().is_none_or(|tag| node.is(tag))
            && self
                .text
                .as_deref()
                .is_none_or(|text| node.to_string().to_lowercase().contains(&text.to_lowercase()))
    }
}

impl Entry {
    /// Who sent it.
    pub(crate) fn by(&self) -> &'static str {
        if self.from_client { "client" } else { "server" }
    }

    /// The stanza. What was sent or read once is read again.
    pub(crate) fn node(&self) -> Option<Node> {
        wa_binary::decode(&self.node, &Limits::new()).ok()
    }

    /// The stanza as XML.
    pub(crate) fn xml(&self) -> String {
        self.node().map(|node| node.to_string()).unwrap_or_default()
    }

    fn is_of(&self, login: Option<&str>) -> bool {
        login.is_none_or(|login| self.login.as_ref().is_some_and(|it| it.to_string() == login))
    }

    /// A row of the log: what it is in one line.
    pub(crate) fn row(&self) -> Value {
        let node = self.node().unwrap_or_else(|| Node::new("unreadable"));
        let mut line = match self.node.len() {
            length if length > MAX_WRITTEN => format!("<{} … of {length} bytes>", node.tag()),
            _ => node.to_string(),
        };
        if let Some((end, _)) = line.char_indices().nth(MAX_LINE) {
            line.truncate(end);
            line.push('…');
        }
        let attr = |name: &str| node.attr(name).map(|value| value.to_text().into_owned());
        json!({
            "number": self.number,
            "at": self.at,
            "connection": self.connection,
            "login": self.login.as_ref().map(Jid::to_string),
            "by": self.by(),
            "size": self.size,
            "tag": node.tag(),
            "type": attr("type").or_else(|| attr("class")).or_else(|| Some(node.children().first()?.tag().to_owned())),
            "line": line,
        })
    }
}

#[cfg(test)]
mod tests {
    use wa_binary::EncodeOptions;

    use super::*;

    fn entry(at: u64, login: Option<&str>, from_client: bool, xml: &str) -> Entry {
        let node: Node = xml.parse().unwrap();
        let node = Bytes::from(wa_binary::encode(&node, &EncodeOptions::new()).unwrap());
        let login = login.map(|login| login.parse().unwrap());
        Entry { number: 0, at, connection: 2, login, from_client, size: node.len() + 1, node }
    }

    fn numbers(rows: &[Value]) -> Vec<u64> {
        rows.iter().map(|row| row["number"].as_u64().unwrap()).collect()
    }

    #[test]
    fn it_is_written_as_xml_and_as_json_lines() {
        let mut transcript = Transcript::default();
        transcript.push(entry(5, None, false, "<success/>"));
        transcript.push(entry(5, Some("1-2@interop"), true, "<ib a='\"'/>"));
        let entries = transcript.entries();
        assert_eq!(
            to_xml(&entries, None),
            "<transcript xmlns:wa=\"urn:wa\">\n\
             <stanza at=\"5\" connection=\"2\" login=\"\" by=\"server\"><success/></stanza>\n\
             <stanza at=\"5\" connection=\"2\" login=\"1-2@interop\" by=\"client\"><ib a=\"&quot;\"/></stanza>\n\
             </transcript>\n"
        );
        let lines = to_json_lines(&entries, Some("1-2@interop"));
        let line: Value = serde_json::from_str(lines.trim_end()).unwrap();
        assert_eq!(line["xml"], "<ib a=\"&quot;\"/>");
        assert_eq!((&line["by"], &line["number"]), (&json!("client"), &json!(2)));
    }

    #[test]
    fn only_the_newest_are_kept_and_numbers_go_on() {
        let mut transcript = Transcript::default();
        let most = u64::try_from(MAX_ENTRIES).unwrap();
        for at in 0..most + 2 {
            transcript.push(entry(at, None, true, "<a/>"));
        }
        assert_eq!(transcript.entries().len(), MAX_ENTRIES);
        assert_eq!(transcript.get(2).map(|entry| entry.at), None);
        assert_eq!(transcript.get(3).map(|entry| entry.at), Some(2));
        assert_eq!(transcript.get(most + 2).map(|entry| entry.at), Some(most + 1));
        assert_eq!(transcript.get(most + 3).map(|entry| entry.at), None);
        transcript.clear();
        assert_eq!(transcript.push(entry(0, None, true, "<a/>")), most + 3);
    }

    #[test]
    fn nodes_that_share_memory_stay_what_they_were() {
        let mut transcript = Transcript::default();
        let node = |number: usize| vec![u8::try_from(number % 251).unwrap(); number * 7 % (CHUNK / 2 + 9)];
        for number in 0..3 * CHUNK / 100 {
            transcript.push(Entry { node: node(number).into(), ..entry(0, None, true, "<a/>") });
        }
        for (number, entry) in transcript.entries().iter().enumerate() {
            assert!(entry.node == node(number), "{number}");
        }
    }

    #[test]
    fn long_stanzas_push_others_out_and_one_is_always_kept() {
        let mut transcript = Transcript::default();
        let long = Entry { node: vec![0; MAX_BYTES / 2 + 1].into(), ..entry(0, None, true, "<a/>") };
        for _ in 0..3 {
            transcript.push(long.clone());
            assert_eq!(transcript.entries().len(), 1);
        }
        assert_eq!(transcript.bytes, MAX_BYTES / 2 + 1);
    }

    #[test]
    fn a_page_is_what_the_filter_lets_through() {
        let mut transcript = Transcript::default();
        for number in 1..=6 {
            let login = if number % 2 == 0 { "1-2@interop" } else { "1-3@interop" };
            let xml = if number == 4 { "<iq id='Needle'/>" } else { "<message id='hay'/>" };
            transcript.push(entry(number, Some(login), number < 4, xml));
        }
        let entries = transcript.entries();
        let text = |text: &str| Some(text.to_owned());
        for (filter, expected) in [
            (Filter::default(), &[1, 2, 3, 4, 5, 6][..]),
            (Filter { limit: Some(2), ..Filter::default() }, &[5, 6]),
            (Filter { before: Some(5), limit: Some(2), ..Filter::default() }, &[3, 4]),
            (Filter { after: Some(1), limit: Some(2), ..Filter::default() }, &[2, 3]),
            (Filter { login: text("1-2@interop"), ..Filter::default() }, &[2, 4, 6]),
            (Filter { by: text("server"), ..Filter::default() }, &[4, 5, 6]),
            (Filter { tag: text("iq"), ..Filter::default() }, &[4]),
            (Filter { text: text("nEEdle"), ..Filter::default() }, &[4]),
            (Filter { text: text("needle"), by: text("client"), ..Filter::default() }, &[]),
        ] {
            assert_eq!(numbers(&filter.rows(&entries, 500)), expected, "{filter:?}");
        }
        assert_eq!(Filter { limit: Some(9), ..Filter::default() }.rows(&entries, 3).len(), 3, "never more");
    }

    #[test]
    fn a_row_is_one_line_of_bounded_length() {
        let mut transcript = Transcript::default();
        let long = "ü".repeat(2 * MAX_LINE);
        let mut row = |entry| {
            transcript.push(entry);
            transcript.newest().unwrap().row()
        };
        let shown = row(entry(7, None, true, &format!("<iq type='get' id='{long}'/>")));
        assert_eq!((&shown["tag"], &shown["type"], &shown["at"]), (&json!("iq"), &json!("get"), &json!(7)));
        assert_eq!(shown["line"].as_str().unwrap().chars().count(), MAX_LINE + 1);
        let endless = "x".repeat(2 * MAX_WRITTEN);
        let shown = row(entry(7, None, true, &format!("<iq id='{endless}'/>")));
        assert!(shown["line"].as_str().unwrap().starts_with("<iq … of 131"), "{shown}");
        let shown = row(entry(7, None, true, "<ib><offline count='1'/></ib>"));
        assert_eq!(shown["type"], "offline");
        let shown = row(Entry { node: vec![255].into(), ..entry(7, None, true, "<a/>") });
        assert_eq!(shown["tag"], "unreadable");
    }
}
