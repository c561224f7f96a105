//! The channel: handshake, login, frames (overview §2; observed).

use prost::Message as _;
use serde_json::json;
use wa_binary::{EncodeOptions, Node};
use wa_keys::PrivateKey;
use wa_proto::handshake::{AppVersion, ClientPayload, UserAgent};

use crate::kit::NOW;
use crate::rules::{Row, Stage, joined, row};
use crate::user::{claims, jwks, sign, token};

pub(crate) fn rows() -> Vec<Row> {
    [handshakes(), logins(), frames()].into_iter().flatten().collect()
}

/// A handshake and login as they should be.
fn good(stage: &mut Stage) -> String {
    stage.line();
    "ok".to_owned()
}

/// Bytes from the first one on; the wait that follows them.
fn bytes(bytes: Vec<u8>, seconds: i64) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let id = stage.bench.world.connect(NOW);
        stage.bench.send_raw(id, &bytes);
        stage.bench.advance(seconds);
        let (answer, is_closed) = stage.bench.raw_outputs(id);
        match (is_closed, answer.is_empty()) {
            (true, true) => "closed".to_owned(),
            (true, false) => "answered, then closed".to_owned(),
            (false, _) => "open".to_owned(),
        }
    }
}

fn framed(body: &[u8]) -> Vec<u8> {
    [b"WA\x06\x03", &wa_noise::frame(body).unwrap()[..]].concat()
}

fn handshakes() -> Vec<Row> {
    let hello = [&[0x12, 34, 0x0A, 32][..], &[9; 32]].concat();
    let finish = [&[0x22, 68, 0x0A, 48][..], &[1; 48], &[0x12, 16], &[2; 16]].concat();
    let unsealed = [framed(&hello), wa_noise::frame(&finish).unwrap().to_vec()].concat();
    vec![
        row("handshake-prologue", good, bytes(b"GET / HTTP/1.1\r\n".to_vec(), 0)),
        row("handshake-hello", good, bytes(framed(b"nonsense"), 0)),
        row("handshake-finish", good, bytes(unsealed, 0)),
        row("handshake-length", good, bytes(b"WA\x06\x03\x01\x00\x00".to_vec(), 0)),
        row("handshake-time", bytes(framed(&hello), 19), bytes(b"WA\x06\x03".to_vec(), 20)),
    ]
}

/// A login with this changed.
fn login(change: fn(&mut ClientPayload)) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let mut payload = stage.user.client_payload(&token("alice", NOW));
        change(&mut payload);
        answered(stage, &payload.encode_to_vec())
    }
}

fn answered(stage: &mut Stage, payload: &[u8]) -> String {
    let mut line = stage.bench.login(&mut stage.user, payload);
    let nodes = stage.bench.read(&mut line);
    if nodes[0].tag() == "success" { "ok".to_owned() } else { joined(&nodes) }
}

fn version(payload: &mut ClientPayload, primary: u32) {
    let version = AppVersion { primary: Some(primary), secondary: Some(0), tertiary: Some(0) };
    payload.user_agent = Some(UserAgent { app_version: Some(version) });
}

fn logins() -> Vec<Row> {
    vec![
        row("login-payload", good, |stage| answered(stage, b"\xFF\xFF")),
        row("login-product", login(|it| it.product = Some(2)), login(|it| it.product = Some(0))),
        row("login-interop-data", good, login(|it| it.interop_data.as_mut().unwrap().token = None)),
        row("login-unenlisted", good, login(|it| it.interop_data.as_mut().unwrap().account_id = Some(5))),
        row("login-static-key", good, |stage| {
            stage.user.noise = PrivateKey::generate(&mut stage.bench.rng);
            login(|_| ())(stage)
        }),
        row("login-version", good, login(|it| it.user_agent = None)),
        row("login-version-old", login(|it| version(it, 1)), login(|it| version(it, 0))),
        row("login-early-stanza", early(false), early(true)),
    ]
}

/// A ping behind a login that waits for its token's key, before or after the answer.
fn early(is_early: bool) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let token = sign(&json!({ "kid": "new", "alg": "RS256" }), &claims("alice", NOW));
        let payload = stage.user.client_payload(&token).encode_to_vec();
        let mut line = stage.bench.login(&mut stage.user, &payload);
        if !is_early {
            stage.bench.world.handle_keys(1, Ok(&jwks("new")), NOW);
        }
        let ping = r#"<iq id="1" type="get" xmlns="w:p" to="s.whatsapp.net"/>"#;
        joined(&stage.bench.ask(&mut line, ping))
    }
}

/// What is in a frame before it is sealed.
fn body(body: Vec<u8>) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let (bench, _, line) = stage.line();
        bench.send_body(line, &body);
        joined(&bench.read(line))
    }
}

/// A frame of a session as it goes over the wire.
fn frame(bytes: Vec<u8>) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let (bench, _, line) = stage.line();
        bench.send_raw(line.id, &bytes);
        joined(&bench.read(line))
    }
}

/// A ping; zlib is used above so many bytes.
fn packed(node: &Node, above: usize) -> Vec<u8> {
    wa_binary::pack(node, &EncodeOptions::new().with_compress_above(above)).unwrap()
}

fn frames() -> Vec<Row> {
    let ping: Node = "<iq id='26' to='s.whatsapp.net' type='get' xmlns='w:p'/>".parse().unwrap();
    let (plain, deflated) = (packed(&ping, usize::MAX), packed(&ping, 0));
    let bomb = packed(&Node::new("a").with_bytes(vec![0; 17 << 20]), 0);
    let trailing = [&plain[..], &[3]].concat();
    vec![
        row("frame-length", body(plain.clone()), frame(vec![0, 0, 3, 1, 2, 3])),
        row("frame-seal", body(plain.clone()), frame([&[0, 0, 17][..], &[9; 17]].concat())),
        row("frame-flags", body(plain.clone()), body([&[7], &plain[1..]].concat())),
        row("frame-zlib", body(deflated.clone()), body(deflated[..deflated.len() - 3].to_vec())),
        row("frame-inflated", body(deflated), body(bomb)),
        row("frame-node", body(plain), body(trailing)),
    ]
}
