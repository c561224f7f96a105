//! Control: enlisted users.

use serde::Deserialize;
use serde_json::{Value, json};
use wa_binary::Node;

use crate::account::Account;
use crate::api::{Call, Problem, Route, done};
use crate::session::from_server;

/// The routes about enlisted accounts.
pub(super) const ROUTES: &[Route] = &[
    ("GET", "accounts", list),
    ("GET", "accounts/{login}", show),
    ("POST", "accounts/{login}/unenlist", unenlist),
    ("POST", "accounts/{login}/cut", cut),
    ("POST", "accounts/{login}/ping", ping),
    ("POST", "accounts/{login}/notify", notify),
    ("POST", "accounts/{login}/stream-error", stream_error),
    ("POST", "accounts/{login}/routing-info", routing_info),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stanza {
    xml: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamError {
    #[serde(default)]
    code: Option<u16>,
    /// The element inside.
    #[serde(default)]
    xml: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoutingInfo {
    /// The bytes in hexadecimal digits.
    routing_info: String,
}

/// `?text=` in the user or the login, `?limit=N`: those with a connection first.
fn list(call: &mut Call<'_>) -> Result<Value, Problem> {
    let text = call.query("text").unwrap_or_default().to_lowercase();
    let limit = call.query_number("limit")?.and_then(|limit| usize::try_from(limit).ok());
    let accounts = call.world.accounts.iter();
    let fits = |account: &Account| {
        text.is_empty()
            || account.identifier.to_lowercase().contains(&text)
            || account.login.to_string().contains(&text)
    };
    let mut numbers: Vec<(bool, u64)> = accounts
        .filter(|(_, account)| fits(account))
        .map(|(number, account)| (account.connection.is_none(), *number))
        .collect();
    let total = numbers.len();
    if limit.is_some() {
        numbers.sort_unstable();
    }
    let shown = numbers.into_iter().take(limit.unwrap_or(usize::MAX));
    let accounts: Vec<Value> = shown.map(|(_, number)| described(call, number)).collect();
    Ok(json!({ "accounts": accounts, "total": total }))
}

fn show(call: &mut Call<'_>) -> Result<Value, Problem> {
    let number = call.account()?;
    Ok(described(call, number))
}

fn described(call: &Call<'_>, number: u64) -> Value {
    let Some(account) = call.world.accounts.get(&number) else { return Value::Null };
    let connection = account.connection.and_then(|id| call.world.connections.get(&id));
    let login = account.login.to_string();
    let sessions = call.world.phones.iter();
    let sessions = sessions
        .filter(|(_, phone)| phone.devices.values().any(|device| device.lock().knows(&account.login)));
    let sessions: Vec<&String> = sessions.map(|(number, _)| number).collect();
    let [deviations, notes] = call.world.journal.counts(&login);
    let routing_info = connection.and_then(|peer| peer.connection().routing_info.as_ref().map(hex::encode));
    json!({
        "login": login,
        "integrator": account.integrator,
        "user": account.identifier,
        "prekeys": account.prekeys.len(),
        "signed_prekey": account.signed_prekey.id,
        "mailbox": account.mailbox.len(),
        "messages": account.messages,
        "sessions": sessions,
        "deviations": deviations,
        "notes": notes,
        "blocked": account.blocked,
        "connected": account.connection.is_some(),
        "live": account.live,
        "last_seen": account.last_seen,
        "handshake": account.handshake,
        "routing_info": routing_info,
    })
}

fn unenlist(call: &mut Call<'_>) -> Result<Value, Problem> {
    let number = call.account()?;
    call.world.unenlist(number);
    done()
}

fn cut(call: &mut Call<'_>) -> Result<Value, Problem> {
    let number = call.account()?;
    call.world.cut(number);
    done()
}

fn ping(call: &mut Call<'_>) -> Result<Value, Problem> {
    let number = call.account()?;
    let id = call.world.ping(number).ok_or_else(not_connected)?;
    Ok(json!({ "id": id }))
}

fn notify(call: &mut Call<'_>) -> Result<Value, Problem> {
    let Stanza { xml } = call.read()?;
    let node: Node = xml.parse().map_err(bad_xml)?;
    let number = call.account()?;
    call.world.deliver(number, node);
    done()
}

fn stream_error(call: &mut Call<'_>) -> Result<Value, Problem> {
    let StreamError { code, xml } = call.read()?;
    let number = call.account()?;
    let connection = call.world.accounts.get(&number).and_then(|account| account.connection);
    let connection = connection.ok_or_else(not_connected)?;
    let error = Node::new("stream:error").with_attr_opt("code", code);
    let error = match xml {
        Some(xml) => error.with_child(xml.parse().map_err(bad_xml)?),
        None => error,
    };
    call.world.transmit(connection, &error);
    call.world.close(connection);
    done()
}

fn routing_info(call: &mut Call<'_>) -> Result<Value, Problem> {
    let RoutingInfo { routing_info } = call.read()?;
    let info =
        hex::decode(routing_info).map_err(|error| Problem::bad_body(format!("routing_info: {error}")))?;
    let number = call.account()?;
    let connection = call.world.accounts.get(&number).and_then(|account| account.connection);
    let info = Node::new("routing_info").with_bytes(info);
    let ib = from_server("ib").with_child(Node::new("edge_routing").with_child(info));
    call.world.send(connection.ok_or_else(not_connected)?, &ib);
    done()
}

pub(super) fn not_connected() -> Problem {
    Problem::conflict("not-connected", "the account is not connected")
}

fn bad_xml(error: wa_binary::XmlError) -> Problem {
    Problem::bad_body(format!("xml: {error}"))
}
