//! Enlists a user, once: an account is made and stored, then WhatsApp is told its public keys.
//!
//! ```text
//! enlist STORE KEY_HEX INTEGRATOR USER TOKEN
//! ```

#![expect(clippy::print_stdout, reason = "an example speaks on stdout")]

use std::error::Error;
use std::path::Path;

use wa_interop::binary::Jid;
use wa_interop::http::HttpClient;
use wa_interop::http::{HttpLimits, HyperClient};
use wa_interop::noise::WHATSAPP_ROOT;
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, TcpConnector, enlist};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let [store, key, integrator, user, token] = arguments()?;
    let key = StoreKey::from_bytes(hex(&key).ok_or("KEY_HEX has 64 hexadecimal digits")?);
    let http = HyperClient::new(HttpLimits::default());
    let service = Service { integrator: integrator.parse()?, user, token };
    let login = enlist_user(&http, Profile::default(), Path::new(&store), &key, &service).await?;
    println!("{login}");
    Ok(())
}

/// The user who enlists, as the service knows them.
pub struct Service {
    /// The service's id at WhatsApp.
    pub integrator: u16,
    /// Its name for the user.
    pub user: String,
    /// Its token for the user.
    pub token: String,
}

/// Makes an account in a new store and enlists it.
pub async fn enlist_user(
    http: &impl HttpClient,
    profile: Profile,
    path: &Path,
    key: &StoreKey,
    service: &Service,
) -> Result<Jid, Box<dyn Error>> {
    let store = SqliteStore::create(path, key)?;
    let account = store.account(&AccountId::new(&*service.user)?)?;
    let Service { integrator, user, token } = service;
    let chatd = TcpConnector::new(&profile);
    // Its keys are durable before anybody hears of them: an enlistment whose keys are lost is of no use.
    let asking = async |keys| enlist(http, &profile, &keys, *integrator, user, token).await;
    let opened = Client::open_or_enlist(account, chatd, profile.clone(), WHATSAPP_ROOT, asking).await;
    let (client, _events) = opened?;
    let login = client.login().await?.ok_or("no login")?;
    client.close().await;
    store.close().await;
    Ok(login)
}

fn arguments<const N: usize>() -> Result<[String; N], String> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    given.try_into().map_err(|_| "usage: enlist STORE KEY_HEX INTEGRATOR USER TOKEN".to_owned())
}

fn hex(text: &str) -> Option<[u8; 32]> {
    let bytes = (0..32).map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().filter(|_| text.len() == 64)?.try_into().ok()
}
