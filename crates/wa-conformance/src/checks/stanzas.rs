//! Stanzas, frames and logins that no client should send, and how WhatsApp answers them (overview §2.1; codes observed).

use wa_interop::binary::Node;
use wa_interop::noise::Dialect;
use wa_interop::profile::{NoiseDialect, VersionAtLogin};

use crate::checks::Drives::WhatsApp;
use crate::checks::{Check, check};
use crate::report::failure::{Failure, ensure, expect};
use crate::target::environment::{Environment, PHONE};
use crate::target::raw::{Payload, Raw};
use crate::target::user::User;

pub(super) const CHECKS: &[Check] = &[
    check!(
        "message-refused",
        3,
        WhatsApp,
        "a malformed message is refused by its ack, and nothing else",
        message
    ),
    check!("iq-malformed", 2, WhatsApp, "a malformed request is answered with 400", iq_malformed),
    check!("iq-unknown", 2, WhatsApp, "an unknown request is answered with 501", iq_unknown),
    check!("malformed-frame", 2, WhatsApp, "bytes that are no stanza end the connection", malformed_frame),
    check!("login-no-token", 2, WhatsApp, "a login without a token is refused", no_token),
    check!("login-any-version", 2, WhatsApp, "a login that says no version is taken", no_version),
    check!("noise-strict", 2, WhatsApp, "Noise in the other dialect does not come through", noise_strict),
    check!("prekeys-foreign", 2, WhatsApp, "prekeys of another identity are not taken", prekeys_foreign),
    check!("block-refused", 4, WhatsApp, "a block that names nobody is refused", block_refused),
    check!("report-refused", 4, WhatsApp, "a report that names nobody is refused", report_refused),
];

/// A user, and a raw channel that is logged in as them.
async fn logged_in(environment: &Environment, name: &str) -> Result<(User, Raw), Failure> {
    let user = environment.user(name).await?;
    let payload = payload(environment, &user).await?;
    let mut raw = Raw::connect(environment, &user.keys, &payload).await?;
    raw.expect("success").await?;
    Ok((user, raw))
}

async fn payload(environment: &Environment, user: &User) -> Result<Payload, Failure> {
    let (_, account) = user.login.as_interop().ok_or_else(|| Failure::new("no interop login"))?;
    let token = Some(environment.issue(&user.name).await?);
    Ok(Payload { token, ..Payload::of(environment, account) })
}

/// The connection is as it was.
async fn still_answers(environment: &Environment, raw: &mut Raw) -> Result<(), Failure> {
    let xmlns = environment.profile().chat.ping.client_xmlns;
    let ping = format!("<iq id='still' type='get' xmlns='{xmlns}' to='s.whatsapp.net'/>");
    expect("a ping afterwards", raw.ask(&ping).await?, None)
}

async fn message(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["message"]);
    let (_, mut raw) = logged_in(environment, "message-refused").await?;
    for (id, inside) in [("none", ""), ("other", "<enc v='2' type='unheard'>00</enc>"), ("plain", "<body/>")]
    {
        raw.send(&format!("<message to='{PHONE}@s.whatsapp.net' id='{id}' type='text'>{inside}</message>"))
            .await?;
        let ack = raw.expect("ack").await?;
        expect(id, (ack.attr_str("id"), ack.attr_str("error")), (Some(id), Some("479")))?;
    }
    still_answers(environment, &mut raw).await
}

async fn iq_malformed(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["prekey-fetch"]);
    let (_, mut raw) = logged_in(environment, "iq-malformed").await?;
    let xmlns = "encrypt";
    let fetch = format!("<iq id='m' type='get' xmlns='{xmlns}' to='s.whatsapp.net'><key><user/></key></iq>");
    expect("code", raw.ask(&fetch).await?, Some("400".to_owned()))?;
    still_answers(environment, &mut raw).await
}

async fn iq_unknown(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["iq-unknown"]);
    let (_, mut raw) = logged_in(environment, "iq-unknown").await?;
    let unknown = "<iq id='u' type='get' xmlns='no:such:thing' to='s.whatsapp.net'/>";
    expect("code", raw.ask(unknown).await?, Some("501".to_owned()))?;
    still_answers(environment, &mut raw).await
}

async fn malformed_frame(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["frame-flags", "frame-zlib", "frame-node"]);
    for (number, body) in [
        // Unknown flags; compression without a stream; a stream that is none; a tag that is none; half a list.
        &[0xF0, 0xF8, 0x01, 0x13][..],
        &[2],
        &[2, 1, 2, 3],
        &[0, 0xF8, 0x01, 0xF4],
        &[0, 0xF8, 0x04, 0x13],
    ]
    .into_iter()
    .enumerate()
    {
        let (_, mut raw) = logged_in(environment, &format!("malformed-{number}")).await?;
        raw.send_body(body).await?;
        raw.closed().await.map_err(|it| it.of(&format!("{body:02x?}")))?;
    }
    // Others are not disturbed.
    let (_, mut raw) = logged_in(environment, "malformed-after").await?;
    still_answers(environment, &mut raw).await
}

/// What the server says to a login.
async fn answer(environment: &Environment, user: &User, payload: &Payload) -> Result<Node, Failure> {
    let mut raw = Raw::connect(environment, &user.keys, payload).await?;
    raw.read().await?.ok_or_else(|| Failure::new("the server closed the connection without a word"))
}

async fn no_token(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["login-interop-data"]);
    let user = environment.user("login-no-token").await?;
    let payload = Payload { token: None, ..payload(environment, &user).await? };
    let answer = answer(environment, &user, &payload).await?;
    ensure(&format!("{answer}"), answer.is("failure"))
}

async fn no_version(environment: &Environment) -> Result<(), Failure> {
    if environment.profile().chat.login.version != VersionAtLogin::Omitted {
        environment.provokes(&["login-version"]);
    }
    let user = environment.user("login-any-version").await?;
    let payload = Payload { version: None, ..payload(environment, &user).await? };
    let answer = answer(environment, &user, &payload).await?;
    ensure(&format!("{answer}"), answer.is("success"))
}

async fn noise_strict(environment: &Environment) -> Result<(), Failure> {
    let other = match environment.profile().chat.dialect {
        NoiseDialect::Strict => Dialect::WhatsApp,
        _ => Dialect::Strict,
    };
    let user = environment.user("noise-strict").await?;
    let payload = payload(environment, &user).await?;
    let other = Raw::connect_in(environment, &user.keys, &payload, other).await;
    ensure("the handshake completed", other.is_err())
}

async fn prekeys_foreign(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["prekey-identity"]);
    let (user, mut raw) = logged_in(environment, "prekeys-foreign").await?;
    let (key, keys) = ("ab".repeat(32), user.keys.public());
    let registration = hex::encode(keys.registration_id.to_be_bytes());
    let xmlns = "encrypt";
    let upload = format!(
        "<iq id='p' type='set' xmlns='{xmlns}' to='s.whatsapp.net'><registration wa:bytes='{registration}'/>\
         <type wa:bytes='05'/><identity wa:bytes='{key}'/><list><key><id wa:bytes='000001'/>\
         <value wa:bytes='{key}'/></key></list><skey><id wa:bytes='000001'/><value wa:bytes='{key}'/>\
         <signature wa:bytes='{key}{key}'/></skey></iq>"
    );
    ensure("the upload was taken", raw.ask(&upload).await?.is_some())?;
    let account = environment.observe(&format!("accounts/{}", user.login)).await?;
    expect("prekeys", account.get("prekeys"), Some(&serde_json::json!(0)))
}

async fn block_refused(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["block"]);
    let (_, mut raw) = logged_in(environment, "block-refused").await?;
    let block = "<iq id='b' type='set' xmlns='blocklist' to='s.whatsapp.net'><item action='block'/></iq>";
    ensure("nobody was blocked", raw.ask(block).await?.is_some())
}

async fn report_refused(environment: &Environment) -> Result<(), Failure> {
    environment.provokes(&["report"]);
    let (_, mut raw) = logged_in(environment, "report-refused").await?;
    let xmlns = environment.profile().chat.report_xmlns;
    let report = format!("<iq id='r' type='set' xmlns='{xmlns}' to='s.whatsapp.net'><spam_list/></iq>");
    ensure("nobody was reported", raw.ask(&report).await?.is_some())
}
