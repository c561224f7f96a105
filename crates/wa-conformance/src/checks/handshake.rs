//! Milestone 2: resuming, falling back, and a wire that misbehaves (overview §2).

use std::convert::Infallible;
use std::sync::Arc;

use rand_core::{TryCryptoRng, TryRng};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wa_interop::chat::{DisconnectReason, Event};
use wa_interop::keys::PrivateKey;
use wa_interop::noise::{Dialect, ExpectServerHello, HandshakeError, Setup, TransportError};
use wa_interop::profile::NoiseDialect;
use wa_stanza::Iq;

use crate::checks::Drives::Own;
use crate::checks::{Check, check};
use crate::prove::Side;
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::Environment;
use crate::target::proxy::{Direction, Proxy};
use crate::target::raw::bytes as field;
use crate::target::user::User;
use crate::target::wire::Wire;

pub(super) const CHECKS: &[Check] = &[
    check!("resume", 2, Own, "a client that knows the server resumes in one round trip", resume),
    check!("fallback", 2, Own, "a server with another key is proved anew on the same connection", fallback),
    check!(
        "replayed-hello",
        2,
        Own,
        "a replayed first message displaces no login and drains no mailbox",
        replayed
    ),
    check!(
        "noise-recorded",
        2,
        Own,
        "a handshake that another implementation recorded is gone through as it was",
        recorded
    ),
    check!("corrupted-frame", 2, Own, "a flipped bit ends the connection and loses nothing", corrupted),
    check!("oversized-frame", 2, Own, "a frame beyond the server's cap ends that connection only", oversized),
    check!(
        "counter-exhausted",
        2,
        Own,
        "a channel ends at its limit of messages; the next one works",
        exhausted
    ),
];

async fn resume(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("resume").await?;
    handshake_was(environment, &user, "full").await?;
    reconnect(environment, &mut user).await?;
    handshake_was(environment, &user, "resumed").await?;
    user.write("1", "resumed").await?;
    expect("answer", user.read().await?, "echo: resumed".to_owned())?;
    // What it knows of the server outlives the program.
    let mut user = user.restart(environment).await?;
    environment.is_connected(&user.login, false).await?;
    user.connect(environment).await?;
    user.write("2", "again").await?;
    expect("answer", user.read().await?, "echo: again".to_owned())?;
    handshake_was(environment, &user, "resumed").await
}

async fn fallback(environment: &Environment) -> Result<(), Failure> {
    let mut user = environment.connected("fallback").await?;
    environment.control("noise-key", json!({})).await?;
    reconnect(environment, &mut user).await?;
    handshake_was(environment, &user, "fallback").await?;
    user.write("1", "fell back").await?;
    expect("answer", user.read().await?, "echo: fell back".to_owned())?;
    // The new key is the known one now.
    reconnect(environment, &mut user).await?;
    handshake_was(environment, &user, "resumed").await
}

/// Another connection of the same account ends this one; then the client connects again.
async fn reconnect(environment: &Environment, user: &mut User) -> Result<(), Failure> {
    drop(Wire::login(environment, user, None).await?);
    loop {
        match user.next().await? {
            Event::Disconnected(reason) => {
                expect("reason", reason, DisconnectReason::Replaced)?;
                break;
            }
            Event::Connected => {}
            other => return Err(Failure(format!("instead of an end: {other:?}"))),
        }
    }
    user.connect(environment).await
}

async fn handshake_was(environment: &Environment, user: &User, expected: &str) -> Result<(), Failure> {
    environment.account_says(&user.login, "handshake", &json!(expected)).await
}

async fn replayed(environment: &Environment) -> Result<(), Failure> {
    let proxy = Proxy::start(&environment.sandbox.chat).await?;
    let mut user = environment.user("replayed").await?;
    (user.client, user.events) = environment.open_at(&proxy.address, Arc::clone(&user.store)).await?;
    user.connect(environment).await?;
    reconnect(environment, &mut user).await?;
    handshake_was(environment, &user, "resumed").await?;
    let first = first_message(&proxy.sent())?;

    // While the user is online, and once more while texts wait for it.
    let mut attacker = TcpStream::connect(&environment.sandbox.chat).await?;
    attacker.write_all(&first).await?;
    ensure("the replay got no answer", attacker.read_u8().await.is_ok())?;
    environment.phone_writes(&user.login, "still yours").await?;
    expect("text", user.read().await?, "still yours".to_owned())?;
    environment.account_says(&user.login, "mailbox", &json!(0)).await?;

    let mut user = user.restart(environment).await?;
    environment.is_connected(&user.login, false).await?;
    environment.phone_writes(&user.login, "waiting").await?;
    let mut attacker = TcpStream::connect(&environment.sandbox.chat).await?;
    attacker.write_all(&first).await?;
    ensure("the replay got no answer", attacker.read_u8().await.is_ok())?;
    let account = environment.observe(&format!("accounts/{}", user.login)).await?;
    ensure("the replay logged in", account.get("connected") == Some(&json!(false)))?;
    ensure("the mailbox was drained", account.get("mailbox") == Some(&json!(1)))?;
    user.connect(environment).await?;
    expect("text", user.read().await?, "waiting".to_owned())
}

/// Prologue and first frame of a recorded connection.
fn first_message(sent: &[u8]) -> Result<Vec<u8>, Failure> {
    let cut = || Failure::new("the recording is too short");
    let length =
        sent.get(4..7).ok_or_else(cut)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    Ok(sent.get(..7 + length).ok_or_else(cut)?.to_vec())
}

/// A transcript of Noise as WhatsApp speaks it, made by another implementation with fixed keys and confirmed against a
/// public client; it stands beside the tests of `wa-noise`.
const RECORDED: &str = include_str!("../../data/wa_noise_kat.json");

/// Gives the same byte again and again, so that a client makes the key of the recording.
struct Fixed(u8);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_ne_bytes([self.0; 4]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_ne_bytes([self.0; 8]))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill(self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

/// The recorded server's payload is no chain of certificates: a client that has read as far as that could decrypt the rest.
async fn recorded(environment: &Environment) -> Result<(), Failure> {
    let cases: Vec<Value> = serde_json::from_str(RECORDED)?;
    let case = cases.iter().find(|it| it.pointer("/name") == Some(&json!("Noise_XX_25519_AESGCM_SHA256")));
    let part = |path: &str| {
        let text = case.and_then(|case| case.pointer(path)?.as_str());
        Ok::<_, Failure>(hex::decode(text.ok_or_else(|| Failure(format!("the recording has no {path}")))?)?)
    };
    let chat = environment.profile_of(Side::Client)?.chat;
    let dialect = match chat.dialect {
        NoiseDialect::Strict => Dialect::Strict,
        _ => Dialect::WhatsApp,
    };
    let setup = Setup {
        prologue: chat.prologue.to_vec().into(),
        dialect,
        static_key: PrivateKey::from_slice(&part("/client_static_private")?)?,
    };
    let ephemeral = part("/client_ephemeral_private")?.first().copied().unwrap_or_default();
    let (expecting, hello) = ExpectServerHello::start(&setup, &mut Fixed(ephemeral))?;
    let recorded = field(2, &field(1, &part("/client_hello/ephemeral")?));
    expect("the client's hello", hex::encode(&hello), hex::encode(recorded))?;
    let parts = [(1, "/server_hello/ephemeral"), (2, "/server_hello/static"), (3, "/server_hello/payload")];
    let mut answer = Vec::new();
    for (number, path) in parts {
        answer.extend(field(number, &part(path)?));
    }
    let read = expecting.read_server_hello(field(3, &answer).into(), &environment.root()?, 0);
    // Under the rules of a partner with another dialect or prologue, the recording is somebody else's.
    let rules = environment.profile().chat;
    let is_theirs = rules.dialect == NoiseDialect::Strict || rules.prologue.to_vec() != part("/prologue")?;
    let is_right = match read {
        Err(HandshakeError::Decrypt) => is_theirs,
        Err(HandshakeError::Certificate(_)) => !is_theirs,
        _ => false,
    };
    ensure(&format!("the server's hello: {:?}", read.err()), is_right)
}

async fn corrupted(environment: &Environment) -> Result<(), Failure> {
    let proxy = Proxy::start(&environment.sandbox.chat).await?;
    let mut user = environment.user("corrupted").await?;
    (user.client, user.events) = environment.open_at(&proxy.address, Arc::clone(&user.store)).await?;
    user.connect(environment).await?;
    user.write("0", "before").await?;
    expect("answer", user.read().await?, "echo: before".to_owned())?;

    proxy.flip(Direction::ToClient);
    environment.phone_writes(&user.login, "bent on the way in").await?;
    expect("reason", end_of(&mut user).await?, DisconnectReason::Transport(TransportError::Open))?;
    user.connect(environment).await?;
    expect("text", user.read().await?, "bent on the way in".to_owned())?;

    environment.provokes(&["frame-seal"]);
    proxy.flip(Direction::ToServer);
    user.write("1", "bent on the way out").await?;
    expect("reason", end_of(&mut user).await?, DisconnectReason::Lost)?;
    user.connect(environment).await?;
    expect("answer", user.read().await?, "echo: bent on the way out".to_owned())?;
    let received = environment.received(&user.login.to_string()).await?;
    expect("texts at the phone", received, vec!["before".to_owned(), "bent on the way out".to_owned()])
}

/// Waits for the end of the connection.
async fn end_of(user: &mut User) -> Result<DisconnectReason, Failure> {
    loop {
        match user.next().await? {
            Event::Disconnected(reason) => return Ok(reason),
            Event::Connected => {}
            Event::Receipt { event, .. } => user.client.confirm(event).await?,
            other => return Err(Failure(format!("instead of an end: {other:?}"))),
        }
    }
}

async fn oversized(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["handshake-length"]);
    let mut user = environment.connected("oversized").await?;
    let mut stranger = TcpStream::connect(&environment.sandbox.chat).await?;
    let prologue = environment.profile().chat.prologue;
    stranger.write_all(&[&prologue[..], &[0xFF; 3]].concat()).await?;
    expect("bytes from the server", stranger.read(&mut [0; 16]).await?, 0)?;
    user.write("1", "unharmed").await?;
    expect("answer", user.read().await?, "echo: unharmed".to_owned())
}

async fn exhausted(environment: &Environment) -> Result<(), Failure> {
    const LIMIT: u64 = 6;
    let xmlns = environment.profile().chat.ping.client_xmlns;
    let user = environment.user("exhausted").await?;
    let mut wire = Wire::login(environment, &user, Some(LIMIT)).await?;
    let mut pings = 0;
    let end = loop {
        match wire.ask(Iq::get(format!("ping {pings}"), &*xmlns)).await {
            Ok(_) => pings += 1,
            Err(end) => break end,
        }
        ensure("the channel went past its limit", pings <= LIMIT)?;
    };
    let reason = DisconnectReason::Transport(TransportError::Exhausted);
    expect("reason", end, Failure::from(reason))?;
    let mut wire = Wire::login(environment, &user, None).await?;
    wire.ask(Iq::get("again", &*xmlns)).await?;
    Ok(())
}
