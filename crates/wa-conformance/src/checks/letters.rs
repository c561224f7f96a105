//! Bytes that a published example, or a peer of the suite's own, has written (overview §2.1.2, §3; observed).

use std::time::Duration;

use serde_json::{Value, json};
use wa_interop::binary::{Limits, Node, decode};
use wa_interop::chat::{Event, Table};

use crate::chaos::fixture::Peer;
use crate::checks::Drives::{Client, Own};
use crate::checks::channel::eventually;
use crate::checks::{Check, check};
use crate::prove::ClientFault;
use crate::report::failure::{Failure, ensure, expect};
use crate::target::device::Verb::Codec;
use crate::target::device::{Answer, Command};
use crate::target::environment::Environment;
use crate::target::handset::done;
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!(
        "codec",
        2,
        Client(&[Codec]),
        "the printed stanza is its XML and its bytes, an interop JID both its forms",
        codec
    ),
    check!("codec-refused", 2, Client(&[Codec]), "bytes of another length are refused", codec_refused),
    check!("padding", 3, Own, "content with padding of 1 to 255 bytes is read", padding),
    check!(
        "padding-refused",
        3,
        Own,
        "content with padding that cannot be is shown to nobody",
        padding_refused
    ),
    check!(
        "signed-prekey-rotation",
        3,
        Own,
        "the signed prekey is rotated, and the one before still serves",
        rotation
    ),
];

/// The example of the overview up to the length of its text (overview §2.1.2).
const HEAD: &[u8] = &[
    248, 12, 19, 17, 250, 255, 134, 20, 21, 85, 81, 0, 31, 3, 6, 250, 255, 134, 20, 21, 85, 81, 0, 15, 3, 8,
    252, 6, 49, 50, 51, 52, 53, 54, 4, 56, 24, 252, 3, b'j', b'o', b'e', 248, 1, 248, 2, 237, 117, 252,
];
const TEXT: &[u8] = b"Body text of message.";
const XML: &str = "<message to='14155551001@s.whatsapp.net' from='14155551000@s.whatsapp.net' id='123456' \
                   type='text' notify='joe'><body>Body text of message.</body></message>";

/// A peer whom the local WhatsApp does not know.
const PEER: &str = "14155551077";

async fn codec(environment: &Environment) -> Result<(), Failure> {
    let (mut device, ..) = environment.device(None).await?;
    let bytes = [HEAD, &[21], TEXT].concat();
    let node: Node = XML.parse()?;
    let read = done(device.ask(Command::Decode { bytes: hex::encode(&bytes) }).await?)?.xml;
    expect("the bytes, read", read.unwrap_or_default().parse::<Node>()?, node.clone())?;
    let written = done(device.ask(Command::Encode { xml: node.to_string() }).await?)?.bytes;
    let written = hex::decode(written.unwrap_or_default())?;
    // Digits may be packed or not, so the stanza may be written in several ways.
    expect("the stanza, written", decode(&written.into(), &Limits::new())?, node)?;
    // 245, the user, device and integrator in two bytes each; behind it the server's name, or not.
    let short = [248, 3, 25, 6, 245, 255, 2, 0x12, 0x34, 0, 0, 0, 12];
    let long = [&short[..], &[252, 7], b"interop"].concat();
    for bytes in [short.to_vec(), long] {
        let xml = done(device.ask(Command::Decode { bytes: hex::encode(bytes) }).await?)?.xml;
        let xml = xml.unwrap_or_default();
        ensure(&format!("12-1234@interop is not in {xml}"), xml.contains("12-1234@interop"))?;
    }
    Ok(())
}

async fn codec_refused(environment: &Environment) -> Result<(), Failure> {
    let (mut device, ..) = environment.device(None).await?;
    // The length as it is printed is an erratum: seven bytes are left over.
    for length in [14, 22] {
        let bytes = hex::encode([HEAD, &[length], TEXT].concat());
        let answer = device.ask(Command::Decode { bytes }).await?;
        ensure(&format!("a length of {length}: {answer:?}"), matches!(answer, Answer::Refused(_)))?;
    }
    Ok(())
}

/// A user, and a peer with a session of its own making.
async fn with_peer(environment: &Environment, name: &str) -> Result<(User, Peer), Failure> {
    let user = environment.connected(name).await?;
    let mut peer = Peer::new(PEER)?;
    peer.establish(&user.keys.public(), None)?;
    Ok((user, peer))
}

async fn deliver(environment: &Environment, user: &User, stanza: &Node) -> Result<(), Failure> {
    let xml = json!({ "xml": stanza.to_string() });
    environment.control(&format!("accounts/{}/notify", user.login), xml).await.map(drop)
}

/// Padding as a client would take it: for one that takes any it is right, for one that takes none wrong.
fn padded(environment: &Environment, padding: Vec<u8>) -> Vec<u8> {
    match environment.client_fault() {
        Some(ClientFault::AnyPadding) => vec![1],
        Some(ClientFault::NoPadding) => vec![0],
        _ => padding,
    }
}

async fn padding(environment: &Environment) -> Result<(), Failure> {
    let (mut user, mut peer) = with_peer(environment, "padding").await?;
    for length in [1_u8, 2, 15, 16, 17, 128, 255] {
        let text = format!("padded with {length}");
        deliver(
            environment,
            &user,
            &peer.encrypt_padded(&text, &padded(environment, vec![length; length.into()]))?,
        )
        .await?;
        expect("text", user.text().await?, text)?;
    }
    Ok(())
}

async fn padding_refused(environment: &Environment) -> Result<(), Failure> {
    let (mut user, mut peer) = with_peer(environment, "padding-refused").await?;
    for (number, wrong) in [&[0][..], &[255], &[3, 3]].into_iter().enumerate() {
        deliver(
            environment,
            &user,
            &peer.encrypt_padded(&format!("wrong {number}"), &padded(environment, wrong.to_vec()))?,
        )
        .await?;
        let shown = user.until(|event| match event {
            Event::Message { content, .. } => Some(content.as_text().is_some()),
            Event::Undecryptable { .. } | Event::Refused { .. } => Some(false),
            _ => None,
        });
        ensure(&format!("padding {wrong:?} was taken"), !shown.await?)?;
    }
    deliver(environment, &user, &peer.encrypt_padded("right", &[1])?).await?;
    expect("text", user.text().await?, "right".to_owned())
}

/// The client's clock is the machine's, so the profile says that a signed prekey is old at once.
async fn rotation(environment: &Environment) -> Result<(), Failure> {
    let (user, mut peer) = with_peer(environment, "prekey-rotation").await?;
    let path = format!("accounts/{}", user.login);
    let id = async || {
        let account = environment.observe(&path).await?;
        Ok::<_, Failure>(account.get("signed_prekey").and_then(Value::as_u64))
    };
    expect("signed prekey", id().await?, Some(1))?;
    // The age of the first is counted from the first connection: prekeys come after that.
    eventually(async || {
        let account = environment.observe(&path).await?;
        Ok(account.get("prekeys").and_then(Value::as_u64) > Some(0))
    })
    .await?;
    user.client.disconnect().await?;
    let mut profile = environment.profile();
    profile.encryption.signed_prekey.rotate_after = Duration::ZERO;
    let (client, _events) = environment.open_with(&user.store, profile).await?;
    client.connect(environment.issue(&user.name).await?).await?;
    eventually(async || Ok(id().await?.is_some_and(|id| id > 1))).await?;
    ensure("old signed prekeys are kept", user.store.count(Table::SignedPrekey) > 1)?;
    client.close().await;
    let mut user = user.restart(environment).await?;
    user.connect(environment).await?;
    environment.phone_writes(&user.login, "with the new one").await?;
    expect("text", user.text().await?, "with the new one".to_owned())?;
    // The peer had fetched the keys before.
    deliver(environment, &user, &peer.encrypt_padded("with the one before", &[1])?).await?;
    expect("text", user.text().await?, "with the one before".to_owned())
}
