//! Control: conversations as a phone has them, and stanzas with what a phone could decrypt of them.

use serde_json::{Value, json};
use wa_binary::{Jid, Node};

use crate::api::{Call, Problem, Route};
use crate::phone::{By, tree};
use crate::world::World;

/// Messages that are shown at once.
const MAX_SHOWN: u64 = 500;

/// Bytes of a stanza that are shown.
const MAX_HEX: usize = 64 * 1024;

/// Characters of its XML.
const MAX_XML: usize = 256 * 1024;

/// The routes about conversations.
pub(super) const ROUTES: &[Route] = &[
    ("GET", "phones/{number}/chats", list),
    ("GET", "phones/{number}/chats/{login}", show),
    ("GET", "stanzas/{number}", stanza),
];

fn list(call: &mut Call<'_>) -> Result<Value, Problem> {
    let (_, phone) = call.phone()?;
    Ok(json!({ "chats": phone.chats.all() }))
}

/// `?before=NUMBER`, `?limit=N`: the newest ones.
fn show(call: &mut Call<'_>) -> Result<Value, Problem> {
    let before = call.query_number("before")?;
    let limit = call.query_number("limit")?.unwrap_or(MAX_SHOWN).min(MAX_SHOWN);
    let login = call.capture(1).parse();
    let (_, phone) = call.phone()?;
    let said = login.map(|login| phone.chats.with(&login, before, usize::try_from(limit).unwrap_or(0)));
    Ok(json!({ "messages": said.unwrap_or_default() }))
}

fn stanza(call: &mut Call<'_>) -> Result<Value, Problem> {
    let number = call.capture(0);
    let entry = number.parse().ok().and_then(|number| call.world.transcript.get(number));
    let Some(entry) = entry.cloned() else {
        return Err(Problem::not_found("unknown-stanza", format!("stanza {number} is not kept")));
    };
    let records = call.world.records().filter(|record| record.stanza_number == Some(entry.number));
    let records: Vec<u64> = records.map(|record| record.number).collect();
    let mut shown = entry.row();
    let node = entry.node();
    let content = node.as_ref().and_then(|node| decrypted(call.world, entry.login.as_ref()?, node));
    if let Some(shown) = shown.as_object_mut() {
        let hex = hex::encode(entry.node.get(..MAX_HEX).unwrap_or(&entry.node));
        let mut xml = node.map(|node| node.to_string()).unwrap_or_default();
        let end = xml.char_indices().nth(MAX_XML).map(|(end, _)| end);
        xml.truncate(end.unwrap_or(xml.len()));
        shown.insert("xml".to_owned(), json!(xml));
        shown.insert("is_cut".to_owned(), json!(end.is_some()));
        shown.insert("bytes".to_owned(), json!(entry.node.len()));
        shown.insert("hex".to_owned(), json!(hex));
        shown.insert("deviations".to_owned(), json!(records));
        shown.insert("content".to_owned(), json!(content));
    }
    Ok(shown)
}

/// The protobuf in a message between a phone and a login, if the phone has it.
fn decrypted(world: &World, login: &Jid, node: &Node) -> Option<Value> {
    if !node.is("message") {
        return None;
    }
    let (address, by) = match node.attr("to") {
        Some(to) => (to, By::User),
        None => (node.attr("from")?, By::Phone),
    };
    let number = address.to_jid()?.user()?.into_owned();
    let plain = world.phones.get(&number)?.chats.plain(login, node.attr_str("id")?, by)?;
    Some(
        json!({ "phone": number, "hex": hex::encode(plain.get(..MAX_HEX).unwrap_or(plain)), "tree": tree(plain) }),
    )
}
