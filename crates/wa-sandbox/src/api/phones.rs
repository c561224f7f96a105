//! Control: phones and their users.

use serde::Deserialize;
use serde_json::{Value, json};
use wa_binary::{Jid, Node};

use crate::api::{Call, Problem, Route, account, done, plainly, read};
use crate::phone::{Device, Manners, Phone, SharedDevice, Written};

/// The routes about phones.
pub(super) const ROUTES: &[Route] = &[
    ("GET", "phones", list),
    ("POST", "phones", add),
    ("GET", "phones/{number}", show),
    ("DELETE", "phones/{number}", remove),
    ("POST", "phones/{number}/manners", manners),
    ("POST", "phones/{number}/send", send),
    ("POST", "phones/{number}/mark", mark),
    ("POST", "phones/{number}/typing", typing),
    ("POST", "phones/{number}/ping", ping),
    ("POST", "phones/{number}/forget", forget),
    ("POST", "phones/{number}/spoil", spoil),
    ("POST", "phones/{number}/reinstall", reinstall),
    ("POST", "phones/{number}/devices", devices),
    ("POST", "phones/{number}/block", block),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPhone {
    number: String,
    #[serde(default)]
    manners: Manners,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    to: String,
    ids: Vec<String>,
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    to: String,
    state: TypingState,
}

/// What a user shows of what she does.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TypingState {
    Composing,
    Recording,
    Paused,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceChange {
    id: u16,
    #[serde(default = "yes")]
    keys: bool,
    #[serde(default)]
    gone: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    login: String,
    #[serde(default = "yes")]
    blocked: bool,
}

fn yes() -> bool {
    true
}

fn list(call: &mut Call<'_>) -> Result<Value, Problem> {
    let phones = call.world.phones.iter();
    let phones = phones.map(|(number, phone)| json!({ "number": number, "manners": phone.manners }));
    Ok(json!({ "phones": phones.collect::<Vec<_>>() }))
}

fn add(call: &mut Call<'_>) -> Result<Value, Problem> {
    let NewPhone { number, manners } = call.read()?;
    if Jid::phone(&number).is_err() {
        return Err(Problem::bad_request("bad-number", "a phone number is 1 to 20 digits, without +"));
    }
    if call.world.phones.contains_key(&number) {
        return Err(Problem::conflict("phone-exists", format!("there is a phone {number} already")));
    }
    let mut phone = Phone::new(&number, &mut call.world.rng);
    phone.manners = manners;
    call.world.phones.insert(number, phone);
    done()
}

fn show(call: &mut Call<'_>) -> Result<Value, Problem> {
    let (number, phone) = call.phone()?;
    let devices = phone.devices.keys().chain(&phone.hollow).collect::<Vec<_>>();
    Ok(json!({
        "number": number,
        "manners": phone.manners,
        "devices": devices,
        "received": phone.received,
        "receipts": phone.receipts,
        "typing": phone.typing,
        "reached_by": phone.reached_by,
        "notices": phone.notices,
        "blocked": phone.blocked,
        "bundles": phone.bundles,
        "reused": phone.devices.values().map(|device| device.lock().reused).sum::<u64>(),
    }))
}

fn remove(call: &mut Call<'_>) -> Result<Value, Problem> {
    let (number, _) = call.phone()?;
    call.world.phones.remove(&number);
    done()
}

/// Only what is named changes.
fn manners(call: &mut Call<'_>) -> Result<Value, Problem> {
    let changes: serde_json::Map<String, Value> = call.read()?;
    let (_, phone) = call.phone()?;
    phone.manners = super::server::merged(&phone.manners, changes)?;
    call.world.bring_phones_back();
    done()
}

fn send(call: &mut Call<'_>) -> Result<Value, Problem> {
    let (to, written) = written(call.body)?;
    let (number, _) = call.phone()?;
    let to = login(call, &to)?;
    match call.world.phone_writes(&number, &to, &written) {
        Some(id) => Ok(json!({ "id": id })),
        None => Err(Problem::bad_request(
            "cannot-write",
            "that cannot be written: hex, a kind or a file is wrong",
        )),
    }
}

/// To whom, and beside it what is written.
pub(crate) fn written(body: &[u8]) -> Result<(String, Written), Problem> {
    let mut said: serde_json::Map<String, Value> = read(body)?;
    let to = said.remove("to").and_then(|to| to.as_str().map(str::to_owned));
    let to = to.ok_or_else(|| Problem::bad_body("to is missing"))?;
    let written = serde_path_to_error::deserialize(Value::Object(said))
        .map_err(|error| Problem::bad_body(plainly(&error.inner().to_string())))?;
    Ok((to, written))
}

fn mark(call: &mut Call<'_>) -> Result<Value, Problem> {
    let Mark { to, ids, kind } = call.read()?;
    let (number, _) = call.phone()?;
    let to = login(call, &to)?;
    call.world.phone_marks(&number, &to, &ids, &kind).ok_or_else(|| Problem::bad_body("ids is empty"))?;
    done()
}

fn typing(call: &mut Call<'_>) -> Result<Value, Problem> {
    let Typing { to, state } = call.read()?;
    let (number, _) = call.phone()?;
    let to = login(call, &to)?;
    call.world.phone_types(&number, &to, state.node()).ok_or_else(super::accounts::not_connected)?;
    done()
}

fn ping(call: &mut Call<'_>) -> Result<Value, Problem> {
    let To { to } = call.read()?;
    let (number, _) = call.phone()?;
    let to = login(call, &to)?;
    call.world.phone_pings(&number, &to);
    done()
}

fn forget(call: &mut Call<'_>) -> Result<Value, Problem> {
    let To { to } = call.read()?;
    let to: Jid = to.parse().map_err(|_| Problem::bad_body("to is no login"))?;
    let (_, phone) = call.phone()?;
    phone.devices.values().for_each(|device| device.lock().forget(&to));
    done()
}

fn spoil(call: &mut Call<'_>) -> Result<Value, Problem> {
    let (_, phone) = call.phone()?;
    phone.spoils_next = true;
    done()
}

fn reinstall(call: &mut Call<'_>) -> Result<Value, Problem> {
    let (number, _) = call.phone()?;
    let world = &mut *call.world;
    if let Some(phone) = world.phones.get_mut(&number) {
        phone.reinstall(&mut world.rng);
    }
    world.phone_changed(&number, "encrypt", &Node::new("identity"));
    done()
}

fn devices(call: &mut Call<'_>) -> Result<Value, Problem> {
    let DeviceChange { id, keys, gone } = call.read()?;
    let (number, _) = call.phone()?;
    let world = &mut *call.world;
    let jid = Jid::phone(&number).and_then(|jid| jid.with_device(id));
    let jid = jid.map_err(|error| Problem::bad_request("bad-device", error.to_string()))?;
    if let Some(phone) = world.phones.get_mut(&number) {
        phone.hollow.remove(&id);
        phone.devices.remove(&id);
        match (gone, keys) {
            (true, _) => {}
            (false, true) => drop(phone.devices.insert(id, SharedDevice::new(Device::new(&mut world.rng)))),
            (false, false) => drop(phone.hollow.insert(id)),
        }
    }
    let device = Node::new("device").with_attr("jid", jid);
    let change = Node::new(if gone { "remove" } else { "add" });
    world.phone_changed(&number, "devices", &change.with_child(device));
    done()
}

fn block(call: &mut Call<'_>) -> Result<Value, Problem> {
    let Block { login, blocked } = call.read()?;
    let (_, phone) = call.phone()?;
    if blocked {
        phone.blocked.insert(login);
    } else {
        phone.blocked.remove(&login);
    }
    done()
}

/// An enlisted user's address.
fn login(call: &Call<'_>, to: &str) -> Result<Jid, Problem> {
    account(call.world, to)?;
    to.parse().map_err(|_| Problem::bad_body("to is no login"))
}
