//! The control interface: what a test may see and do behind WhatsApp's back. Not part of any protocol.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /control/phones/{number}` | what the phone received, receipts for what it sent, who types, who pinged it, bundles handed out, messages whose key was used before |
//! | `POST /control/phones/{number}` | `{"answers": bool, "lively": bool, "silent": bool, "withheld": bool}`: whether it answers texts, shows that it reads and types, says nothing of what has arrived, and whether the server leaves unanswered what asks about it |
//! | `POST /control/phones/{number}/send` | `{"to": login, …}` with one of `text`, `reply`, `reaction`, `edit`, `revoke`, `media`, `raw`: the phone writes; gives `{"id": …}` |
//! | `POST /control/phones/{number}/mark` | `{"to": login, "ids": […], "kind": "read"}`: a receipt; also `played`, `server-error` |
//! | `POST /control/phones/{number}/typing` | `{"to": login, "state": "composing"}`: also `recording`, `paused` |
//! | `POST /control/phones/{number}/forget` | `{"to": login}`: the phone loses its session |
//! | `POST /control/phones/{number}/spoil` | the phone's next message loses a bit |
//! | `POST /control/phones/{number}/reinstall` | another identity; accounts are told |
//! | `POST /control/phones/{number}/devices` | `{"id": n}`: one more device; with `"keys": false` it is listed and has none, with `"gone": true` it goes; accounts are told |
//! | `POST /control/phones/{number}/block` | `{"login": …}`: its user blocks an account |
//! | `GET /control/accounts/{login}` | prekeys left, signed prekey, stanzas waiting, messages sent, blocklist, connection |
//! | `POST /control/accounts/{login}/unenlist` | the account is gone |
//! | `POST /control/accounts/{login}/cut` | the connection ends without a word |
//! | `POST /control/accounts/{login}/notify` | `{"xml": …}`: a stanza of the server goes to the account |
//! | `POST /control/ping` | `{"to": login}`: the server pings the client; gives `{"id": …}` |
//! | `POST /control/certificate` | `{"fault": name or null}`: spoils the chain of later handshakes |
//! | `POST /control/noise-key` | chatd gets another static key |
//! | `POST /control/clock` | `{"offset": seconds}`: moves the clock |
//! | `GET /control/pushes` | pushes that were sent, and how they were answered |
//! | `POST /control/push-token` | `{"header": {…}, "claims": {…}}`: signs them with WhatsApp's key; gives `{"token": …}` |
//! | `POST /control/push-key` | pushes are signed with a new key; the one before stays published |
//! | `POST /control/push-key/revoke-older` | only the newest key stays published |
//! | `POST /control/push-http/{1 or 2}` | which HTTP pushes are sent with |
//! | `POST /control/media` | a phone uploads a file, see `media.rs`; gives what a message says of it |
//! | `GET /control/media` | ranges that were asked of the media host |
//! | `POST /control/media/open` | a phone opens a third party's file through the proxy |
//! | `GET /control/pongs` | ids of those pings that clients have answered |
//! | `GET /control/reports` | reports that clients made |
//! | `GET /control/violations` | stanzas that broke the rules |

use serde::Deserialize;
use serde_json::{Value, json};
use wa_binary::{Jid, Node};

use crate::clock::Clock;
use crate::connection::CertificateFault;
use crate::phone::{Device, Written};
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    answers: Option<bool>,
    lively: Option<bool>,
    silent: Option<bool>,
    withheld: Option<bool>,
}

/// Beside `to` stands what is written.
#[derive(Deserialize)]
struct Send {
    to: String,
    #[serde(flatten)]
    written: Written,
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
    state: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceChange {
    id: u16,
    keys: Option<bool>,
    gone: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    login: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stanza {
    xml: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ping {
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Certificate {
    fault: Option<CertificateFault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offset {
    offset: i64,
}

impl World {
    /// Answers a control request by its path after `/control/`; `None` if there is no such thing.
    pub fn control(&mut self, clock: &Clock, get: bool, path: &str, body: &[u8]) -> Option<Value> {
        self.now = clock.now();
        handle(self, clock, get, path, body)
    }
}

fn handle(world: &mut World, clock: &Clock, get: bool, path: &str, body: &[u8]) -> Option<Value> {
    let path: Vec<&str> = path.split('/').collect();
    match (get, path.as_slice()) {
        (get, ["phones", number, action @ ..]) => phone(world, clock, get, number, action, body),
        (get, ["accounts", login, action @ ..]) => account(world, get, login, action, body),
        (false, ["ping"]) => {
            let (_, number) = read::<Ping>(body)?.to.parse::<Jid>().ok()?.as_interop()?;
            Some(json!({ "id": world.ping(number)? }))
        }
        (false, ["certificate"]) => {
            world.certificate_fault = read::<Certificate>(body)?.fault;
            Some(json!({}))
        }
        (false, ["noise-key"]) => {
            world.change_noise_key();
            Some(json!({}))
        }
        (false, ["clock"]) => {
            clock.set_offset(read::<Offset>(body)?.offset);
            Some(json!({}))
        }
        (true, ["pongs"]) => Some(json!({ "pongs": world.pongs })),
        (true, ["reports"]) => Some(json!({ "reports": world.reports })),
        (true, ["violations"]) => {
            let shown = world.violations.iter().map(|it| format!("{} {}", it.tag, it.what));
            Some(json!({ "violations": shown.collect::<Vec<_>>() }))
        }
        _ => None,
    }
}

/// What a phone shows and does.
fn phone(
    world: &mut World,
    clock: &Clock,
    get: bool,
    number: &str,
    action: &[&str],
    body: &[u8],
) -> Option<Value> {
    let now = clock.now();
    let phone = world.phones.get_mut(number)?;
    match (get, action) {
        (true, []) => {
            return Some(json!({
                "number": number,
                "received": phone.received,
                "receipts": phone.receipts,
                "typing": phone.typing,
                "reached_by": phone.reached_by,
                "bundles": phone.bundles,
                "reused": phone.devices.values().map(|device| device.reused).sum::<u64>(),
            }));
        }
        (false, []) => {
            let Answers { answers, lively, silent, withheld } = read(body)?;
            phone.answers = answers.unwrap_or(phone.answers);
            phone.silent = silent.unwrap_or(phone.silent);
            phone.lively = lively.unwrap_or(phone.lively);
            phone.withheld = withheld.unwrap_or(phone.withheld);
        }
        (false, ["send"]) => {
            let Send { to, written } = read(body)?;
            let id = world.phone_writes(number, &to.parse::<Jid>().ok()?, &written, now)?;
            return Some(json!({ "id": id }));
        }
        (false, ["mark"]) => {
            let Mark { to, ids, kind } = read(body)?;
            world.phone_marks(number, &to.parse::<Jid>().ok()?, &ids, &kind, now)?;
        }
        (false, ["typing"]) => {
            let Typing { to, state } = read(body)?;
            world.phone_types(number, &to.parse::<Jid>().ok()?, &state)?;
        }
        (false, ["forget"]) => {
            let login = read::<Ping>(body)?.to;
            phone.devices.values_mut().for_each(|device| device.forget(&login));
        }
        (false, ["spoil"]) => phone.spoils_next = true,
        (false, ["reinstall"]) => {
            phone.reinstall(&mut world.rng);
            world.phone_changed(number, "encrypt", &Node::new("identity"))?;
        }
        (false, ["devices"]) => {
            let DeviceChange { id, keys, gone } = read(body)?;
            let is_gone = gone.unwrap_or_default();
            phone.hollow.remove(&id);
            phone.devices.remove(&id);
            match (is_gone, keys.unwrap_or(true)) {
                (true, _) => {}
                (false, true) => drop(phone.devices.insert(id, Device::new(&mut world.rng))),
                (false, false) => drop(phone.hollow.insert(id)),
            }
            let device = Node::new("device").with_attr("jid", Jid::phone(number).ok()?.with_device(id).ok()?);
            let change = Node::new(if is_gone { "remove" } else { "add" });
            world.phone_changed(number, "devices", &change.with_child(device))?;
        }
        (false, ["block"]) => {
            phone.blocked.insert(read::<Login>(body)?.login);
        }
        _ => return None,
    }
    Some(json!({}))
}

/// What the server knows of an account, and does to it.
fn account(world: &mut World, get: bool, login: &str, action: &[&str], body: &[u8]) -> Option<Value> {
    let (_, number) = login.parse::<Jid>().ok()?.as_interop()?;
    let account = world.accounts.get(&number)?;
    match (get, action) {
        (true, []) => Some(json!({
            "prekeys": account.prekeys.len(),
            "signed_prekey": account.signed_prekey.id,
            "mailbox": account.mailbox.len(),
            "messages": account.messages,
            "blocked": account.blocked,
            "connected": account.connection.is_some(),
            "handshake": account.handshake,
        })),
        (false, ["unenlist"]) => {
            world.unenlist(number);
            Some(json!({}))
        }
        (false, ["cut"]) => {
            world.cut(number);
            Some(json!({}))
        }
        (false, ["notify"]) => {
            let node: Node = read::<Stanza>(body)?.xml.parse().ok()?;
            world.deliver(number, node);
            Some(json!({}))
        }
        _ => None,
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
