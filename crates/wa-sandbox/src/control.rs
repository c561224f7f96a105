//! The control interface: what a test may see and do behind WhatsApp's back. Not part of any protocol.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /control/phones/{number}` | what the phone received, receipts for what it sent, bundles of it handed out |
//! | `GET /control/accounts/{login}` | prekeys left, stanzas waiting, messages sent, whether and how a client is connected |
//! | `POST /control/phones/{number}` | `{"answers": bool}`: whether it answers texts |
//! | `POST /control/phones/{number}/send` | `{"to": login, "text": …}`: the phone writes; gives `{"id": …}` |
//! | `POST /control/ping` | `{"to": login}`: the server pings the client; gives `{"id": …}` |
//! | `POST /control/certificate` | `{"fault": name or null}`: spoils the chain of later handshakes |
//! | `POST /control/noise-key` | chatd gets another static key |
//! | `POST /control/clock` | `{"offset": seconds}`: moves the clock |
//! | `GET /control/pongs` | ids of those pings that clients have answered |
//! | `GET /control/violations` | stanzas that broke the rules |

use serde::Deserialize;
use serde_json::{Value, json};
use wa_binary::Jid;

use crate::clock::Clock;
use crate::connection::CertificateFault;
use crate::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answers {
    answers: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Send {
    to: String,
    text: String,
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
        handle(self, clock, get, path, body)
    }
}

fn handle(world: &mut World, clock: &Clock, get: bool, path: &str, body: &[u8]) -> Option<Value> {
    let path: Vec<&str> = path.split('/').collect();
    match (get, path.as_slice()) {
        (true, ["phones", number]) => {
            let phone = world.phones.get(*number)?;
            Some(json!({
                "number": number,
                "received": phone.received,
                "receipts": phone.receipts,
                "bundles": phone.bundles,
            }))
        }
        (false, ["phones", number]) => {
            world.phones.get_mut(*number)?.answers = read::<Answers>(body)?.answers;
            Some(json!({}))
        }
        (false, ["phones", number, "send"]) => {
            let Send { to, text } = read(body)?;
            let id = world.phone_sends(number, &to.parse::<Jid>().ok()?, &text, clock.now())?;
            Some(json!({ "id": id }))
        }
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
        (true, ["accounts", login]) => {
            let (_, number) = login.parse::<Jid>().ok()?.as_interop()?;
            let account = world.accounts.get(&number)?;
            Some(json!({
                "prekeys": account.prekeys.len(),
                "mailbox": account.mailbox.len(),
                "messages": account.messages,
                "connected": account.connection.is_some(),
                "handshake": account.handshake,
            }))
        }
        (true, ["pongs"]) => Some(json!({ "pongs": world.pongs })),
        (true, ["violations"]) => {
            let shown = world.violations.iter().map(|it| format!("{} {}", it.tag, it.what));
            Some(json!({ "violations": shown.collect::<Vec<_>>() }))
        }
        _ => None,
    }
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}
