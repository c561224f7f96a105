//! Writes the first inputs of every target to `fuzz/seeds`, or with `--check` says whether they are there:
//! `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! They are made of the published example, of stanzas in XML and of the recordings that the crates are tested with.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use wa_binary::{EncodeOptions, InteropSuffix, Limits, Node, Packing, decode, encode, pack};
use wa_chat::{AccountKeys, Client, MemoryStore, Table, rows_of};
use wa_fuzz::WORLD;
use wa_fuzz::first::{IDENTITY, PREKEYS};
use wa_fuzz::sessions::{BODIES, GROUP, envelopes};
use wa_keys::PrivateKey;
use wa_noise::{Intro, frame};
use wa_profile::Profile;
use wa_signal::{Bundle, SenderKey, SenderKeyRecord, SessionRecord, SignedPrekey, Trust};

/// Stanzas with every form of string, address and content.
const STANZAS: &[&str] = &[
    "<message to='14155551001@s.whatsapp.net' from='14155551000@s.whatsapp.net' id='123456' type='text' \
     notify='joe'><body>Body text of message.</body></message>",
    "<ack class='message' id='3EB0C767D26A8B4A5E6F' from='1-10853634039893@interop' t='1700000000'/>",
    "<iq id='26' type='get' xmlns='w:p' to='s.whatsapp.net'/>",
    "<iq from='s.whatsapp.net' type='result' id='1234.5678-12'><list><user jid='14155551001:3@s.whatsapp.net'>\
     <registration wa:bytes='01020304'/><key><id wa:bytes='000001'/></key></user>\
     <user jid='5:1@lid'/><user jid='5:300@msgr'/><user jid='5:2@hosted'/><user jid='5@g.us'/></list></iq>",
    "<a wa:type='list'/>",
    "<a wa:text='b' b='5@lid' wa:name1='b' wa:value1='\\u{0}'><c wa:type='text'>500</c><d wa:type='jid'>lid</d></a>",
    "<wa:node wa:tag='\\u{1}'/>",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut nodes = Vec::new();
    for xml in STANZAS {
        nodes.push(xml.parse::<Node>()?);
        write("xml", xml.as_bytes())?;
    }
    for node in &nodes {
        node_seeds(node)?;
    }
    for text in [
        "1-10853634039893@interop",
        "1-5:0@interop",
        "5:3@s.whatsapp.net",
        "s.whatsapp.net",
        "5:300@msgr",
        "a@b",
    ] {
        write("jid", text.as_bytes())?;
    }
    for xml in IQS {
        write("answers", &encode(&xml.parse::<Node>()?, &EncodeOptions::new())?)?;
    }
    chat_seeds()?;
    noise_seeds()?;
    integrator_seeds()?;
    media_seeds()?;
    signal_seeds()?;
    client_seeds()?;
    server_seeds()
}

/// What a client's own rows, profile and channel look like, and nodes in JSON.
fn client_seeds() -> Result<(), Box<dyn std::error::Error>> {
    let store = MemoryStore::default();
    store.apply(&Client::create(&AccountKeys::generate(&mut WORLD.rng())));
    for table in [Table::Account, Table::Counters, Table::SignedPrekey, Table::Prekey] {
        for (key, value) in store.apply(&rows_of(table)).0.into_iter().take(2) {
            write("row", &named(key.as_bytes(), value.as_bytes())?)?;
        }
    }
    let waiting = [&[10, 0, 0, 0, 17][..], b"5@s.whatsapp.net", &[0; 8]].concat();
    for (key, value) in [
        (&[3][..], &established()?.encode()[..]),
        (&waiting, b"\x08\x01\x12\x02id\x1A\x02hi"),
        (&[11, 0, 0, 0, 0, 0, 0, 0, 7], b"\x08\x01\x12\x02hi"),
        (&[15, b'5', b'@', b'l', b'i', b'd'], b"\x08\x01\x10\x07"),
        (&[14, b'5'], b"\x08\x01\x12\x02\x00\x03\x18\x07"),
    ] {
        write("row", &named(key, value)?)?;
    }
    write("seal", b"\0\x1E\x01\x03rowvalue")?;
    write("seal", b"\0\x1E\0\x03rowvalue")?;
    for profile in [Profile::overview(), Profile::reference_offer_1_0_3()] {
        write("profile", profile.to_toml().as_bytes())?;
    }
    write("profile", b"version = \"1.0.4\"\n[chat]\nhost = 5\n[chat.ping]\ninterval = [\"20s\", \"30s\"]\n")?;
    let mut said = Vec::new();
    for xml in SERVER.iter().rev() {
        let body = pack(&xml.parse::<Node>()?, &EncodeOptions::new())?;
        said.extend([&u16::try_from(body.len())?.to_be_bytes()[..], &body].concat());
        write("channel", &[&[7, 2], &u16::try_from(body.len())?.to_be_bytes()[..], &body].concat())?;
    }
    write("channel", &[&[200, 2], &said[..]].concat())?;
    write("channel", &[&[200, 3], &said[..]].concat())?;
    write("channel", b"\x01\0\0\0\x05hello")?;
    for xml in STANZAS {
        write("node_json", serde_json::to_string(&xml.parse::<Node>()?)?.as_bytes())?;
    }
    write("node_json", br#"{"jid":"5:3@lid"}"#)?;
    Ok(write("node_json", br#""5:3@s.whatsapp.net""#)?)
}

/// A row's name with its length, and its value.
fn named(key: &[u8], value: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok([&[u8::try_from(key.len())?], key, value].concat())
}

/// What reaches the third party's server, the local WhatsApp and the suite.
fn server_seeds() -> Result<(), Box<dyn std::error::Error>> {
    for request in [
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /b HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\nabc",
        b"GET http://b/ HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ] {
        write("http_server", &[&[3, 0], request].concat())?;
    }
    let frames = b"\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";
    write("http_server", &[&b"\x05\x01"[..], frames].concat())?;
    for header in [
        &b"PROXY TCP4 1.2.3.4 10.0.0.2 4096 80\r\nGET"[..],
        b"PROXY TCP6 2001:db8::1 ::1 5 80\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0C\x01\x02\x03\x04\x0A\0\0\x02\x10\0\0\x50",
    ] {
        write("http_server", &[&[0, 2], header].concat())?;
    }
    for credential in [
        &b"\0Bearer wau1.YWxpY2U.1700000060.-IaFLj7HCB_S-LKmim5lxuu-ve2HhinfWyI2N9BTwVw"[..],
        b"\x01wau1.YWxpY2U.1700000060",
        b"\x01eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJ3YS1pbnRlZ3JhdG9yIiwic3ViIjoiYWxpY2UiLCJleHAiOjE3MDAwMDAwNjB9",
        b"\x02alice",
    ] {
        write("credential", credential)?;
    }
    write("signing_key", b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n")?;
    write("signing_key", b"wae1\0\0\0\0\0\0\0\0\0\0\0\0")?;
    write("settings", b"[listen]\naddress = \"127.0.0.1:0\"\n[limits]\nidle_seconds = 5\n")?;
    write(
        "settings",
        b"[tokens]\nlifetime = \"1h\"\n[trust]\nplain_http = [\"localhost\"]\n[push]\nnats = 5\n",
    )?;
    let act = |act: u8, what: &[u8]| {
        Ok::<_, std::num::TryFromIntError>(
            [&[act], &u16::try_from(what.len())?.to_be_bytes()[..], what].concat(),
        )
    };
    let form =
        b"integrator_id=1&user_identifier=alice&token=a.b.c&authkey=AAAA&e_keytype=BQ&interop_version=1.0.3";
    let mut acts = act(0, form)?;
    for (route, what) in
        [(3_u8, &b"14155551001\n{\"to\":\"1\"}"[..]), (24, b"\n{\"offset\":5}"), (27, b"\n{}")]
    {
        acts.extend(act(route << 2 | 1, what)?);
    }
    write("sandbox", &acts)?;
    for what in [&b"{\"version\":1,\"noise_key\":\"00\"}"[..], b"{\"keys\":[{\"kty\":\"RSA\"}]}"] {
        write("sandbox", &act(2, what)?)?;
    }
    write("sandbox", &act(3, b"WA\x06\x03\0\0\x02hi")?)?;
    for line in [
        &b"\0{\"hello\":1,\"name\":\"a\",\"can\":[\"text\"]}"[..],
        b"\x01{\"do\":\"send\",\"to\":\"1\",\"id\":\"2\",\"text\":\"3\"}",
        b"\x01{\"do\":\"next\",\"within\":5}",
        b"\x02{\"ok\":{\"event\":{\"is\":\"text\",\"from\":\"1\",\"id\":\"2\",\"text\":\"3\"}}}",
        b"\x02{\"refused\":{\"why\":\"busy\"}}",
    ] {
        write("shim", line)?;
    }
    Ok(())
}

/// What WhatsApp's tokens, key sets and pushes look like, and their neighbours.
fn integrator_seeds() -> Result<(), Box<dyn std::error::Error>> {
    let header = r#"{"alg":"RS256","kid":"1aXf8","typ":"JWT"}"#;
    let claims = r#"{"iss":"WHATSAPP","aud":"https://integrator.com","iat":1688669232,"exp":1688672832}"#;
    for (header, claims) in [
        (header, claims),
        (r#"{"alg":"RS256","kid":"1aXf8","crit":[],"b64":false,"zip":"DEF","cty":"JWT"}"#, claims),
        (header, r#"{"iss":"WHATSAPP","aud":["https://integrator.com"],"iat":1.5,"nbf":0,"exp":1e300}"#),
    ] {
        write("jwt", format!("\n{header}\n{claims}").as_bytes())?;
    }
    write("jwt", b"eyJhbGciOiJSUzI1NiIsImtpZCI6IjFhWGY4In0.e30.AAAA")?;
    let n = format!("_{}8", "_".repeat(340));
    for key in [
        format!(r#"{{"kty":"RSA","kid":"a","alg":"RS256","use":"sig","n":"{n}","e":"AQAB"}}"#),
        format!(
            r#"{{"kty":"RSA","kid":"b","key_ops":["verify"],"n":"{n}","e":"Aw"}},{{"kty":"EC","crv":"P-256"}}"#
        ),
        r#"{"kty":"AKP","kid":"c","alg":"ML-DSA-44","pub":"AAAA"},{},1,null"#.to_owned(),
    ] {
        write("jwks", format!(r#"{{"keys":[{key}]}}"#).as_bytes())?;
    }
    for body in [r#"{"to":"alice421"}"#, r#"{"to":"zo\u00eb","x":[{"y":1e9}]}"#, r#"{"to":1,"to":""}"#] {
        write("push_request", body.as_bytes())?;
    }
    Ok(())
}

/// What is said of files. Files of every type that is read are with `wa-media`, and begun from as well.
fn media_seeds() -> Result<(), Box<dyn std::error::Error>> {
    for (status, lines) in [
        (100_u16, &b"\x01100\n\x02\"tag\""[..]),
        (106, b"\0bytes 5-9/10\n\x015\n\x02\"tag\""),
        (101, b"\x03/media/Zm9v_-1"),
        (316, b""),
    ] {
        let lengths = [10_u64, 5].map(u64::to_le_bytes).concat();
        write("transfer", &[&status.to_le_bytes()[..], &lengths, lines].concat())?;
    }
    for path in ["/v/t62.7118-24/1_2_n.enc?ccb=11-4&oh=01&oe=65", "/v/t/../x", "//host/v/t", "reference"] {
        write("direct_path", path.as_bytes())?;
    }
    for range in ["bytes=0-1", "bytes=-5", "bytes=7-", "bytes=0-0,2-3", "bytes 0-1/5", "bytes 5-9/*"] {
        write("range_header", range.as_bytes())?;
    }
    write("sidecar", &[7; 30])?;
    Ok(write("media_decrypt", &[7; 100])?)
}

/// What a server says to a client, each stanza alone and as an act of a conversation.
const SERVER: &[&str] = &[
    "<message from='14155551001@s.whatsapp.net' id='3EB0' type='text' t='1700000000' notify='joe' offline='1'>\
     <enc v='2' type='msg' count='1' mediatype='image' wa:bytes='330a210500'/></message>",
    "<message from='14155551001:3@s.whatsapp.net' id='3EB1' type='media' edit='1'><participants>\
     <to jid='1@lid'><enc v='2' type='pkmsg' wa:bytes='3308'/></to></participants></message>",
    "<receipt from='14155551001@s.whatsapp.net' id='id-0' type='read' t='1'><list><item id='id-1'/></list></receipt>",
    "<receipt from='14155551001@s.whatsapp.net' id='id-0' type='retry'><retry count='2' id='id-0' t='1' v='1' error='7'/>\
     <registration wa:bytes='00000001'/></receipt>",
    "<ack class='message' id='id-0' from='14155551001@s.whatsapp.net' error='479'/>",
    "<ack class='receipt' id='id-0' type='read' from='14155551001@s.whatsapp.net'/>",
    "<notification from='s.whatsapp.net' id='n' type='encrypt'><count value='3'/></notification>",
    "<notification from='14155551001@s.whatsapp.net' id='n' type='encrypt'><identity/></notification>",
    "<notification from='14155551001@s.whatsapp.net' id='n' type='devices'><add/></notification>",
    "<chatstate from='14155551001@s.whatsapp.net'><composing media='audio'/></chatstate>",
    "<ib from='s.whatsapp.net'><offline count='0'/></ib>",
    "<iq from='s.whatsapp.net' id='req-1' type='result'><count value='0'/></iq>",
    "<iq from='s.whatsapp.net' id='req-2' type='result'><usync><list><user jid='14155551001@s.whatsapp.net'><devices>\
     <device-list><device id='0'/><device id='3'/></device-list></devices></user></list></usync></iq>",
    "<iq from='s.whatsapp.net' id='req-2' type='error'><error code='503' text='no'/></iq>",
    "<stream:error><conflict type='replaced'/></stream:error>",
    "<failure reason='401' location='x'/>",
    "<success t='1' location='x'/>",
];

fn chat_seeds() -> Result<(), Box<dyn std::error::Error>> {
    // Link up, send to two peers' devices, and then what the server says, each behind a transaction.
    let mut conversation = vec![1, 2, 1, 4, 1, 12, 1, 6, 1, 5];
    for xml in SERVER {
        let bytes = encode(&xml.parse::<Node>()?, &EncodeOptions::new())?;
        write(if xml.starts_with("<iq") { "answers" } else { "stanza" }, &bytes)?;
        let length = u16::try_from(bytes.len())?.to_be_bytes();
        conversation.extend([&[0], &length[..], &bytes, &[1, 1, 5]].concat());
    }
    write("conversation", &conversation)?;
    for text in [
        &b"\x0A\x02hi"[..],
        b"\x32\x0C\x0A\x02hi\x8A\x01\x05\x0A\x03abc",
        b"\xF2\x02\x0B\x0A\x07\x10\x01\x1A\x03abc\x12\x00",
        b"\x62\x0B\x0A\x07\x10\x01\x1A\x03abc\x10\x00",
    ] {
        write("e2e_content", text)?;
    }
    write(
        "client_payload",
        b"\x18\x00\x2A\x08\x12\x06\x08\x01\x10\x00\x18\x03\xA0\x01\x02\xB2\x02\x04\x08\x05\x12\x00",
    )?;
    for body in [
        r#"{"login":"1-10853634039893@interop","status":"ok"}"#,
        r#"{"reason":"bad_integrator","status":"fail"}"#,
        r#"{"status":"fail","reason":"x","extra":[1,{}]}"#,
    ] {
        write("enlist_response", format!("\0{body}").as_bytes())?;
        write("enlist_response", format!("\u{1}{body}").as_bytes())?;
    }
    Ok(())
}

/// Answers and requests that the server's iqs hold.
const IQS: &[&str] = &[
    "<iq type='result' id='1' from='s.whatsapp.net'><list><user jid='14155551001@s.whatsapp.net'>\
     <registration wa:bytes='00000001'/><type wa:bytes='05'/><identity wa:bytes='\
     0101010101010101010101010101010101010101010101010101010101010101'/><skey><id wa:bytes='000001'/><value wa:bytes='\
     0101010101010101010101010101010101010101010101010101010101010101'/><signature wa:bytes='\
     01010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101010101'\
     /></skey></user><user jid='1@lid'><error code='404' text='item-not-found'/></user></list></iq>",
    "<iq type='result' id='1'><list dhash='17'><item jid='1@s.whatsapp.net'/></list></iq>",
    "<iq type='set' id='1' xmlns='blocklist' to='s.whatsapp.net'><item action='block' jid='1@s.whatsapp.net'/></iq>",
    "<iq type='get' id='1' xmlns='encrypt' to='s.whatsapp.net'><key><user jid='1@s.whatsapp.net' reason='identity'/></key></iq>",
    "<iq type='get' id='1' xmlns='encrypt' to='s.whatsapp.net'><count/></iq>",
];

fn node_seeds(node: &Node) -> Result<(), Box<dyn std::error::Error>> {
    for packing in [Packing::Everything, Packing::JidsOnly, Packing::Nothing] {
        let options = EncodeOptions::new().with_packing(packing).with_interop_suffix(InteropSuffix::Write);
        let bytes = encode(node, &options)?;
        decode(&bytes.clone().into(), &Limits::new())?;
        write("node", &bytes)?;
    }
    write("xml", format!("{node:#}").as_bytes())?;
    for above in [usize::MAX, 0] {
        let body = pack(node, &EncodeOptions::new().with_compress_above(above))?;
        write("unpack", &body)?;
        write("transport_open", &body)?;
        let intro = Intro { routing_info: Some(Bytes::from_static(b"route")) }.encode(b"WA\x06\x03")?;
        write("frame", &[&[3][..], &intro, &frame(&body)?, &frame(b"")?].concat())?;
        write("frame", &[&b"\x07WA\x06\x03"[..], &frame(&body)?].concat())?;
    }
    Ok(())
}

fn noise_seeds() -> Result<(), Box<dyn std::error::Error>> {
    let (client, hello) = WORLD.client();
    write("client_hello", &hello)?;
    let (_, answer) = WORLD.server(hello).send(&WORLD.chain)?;
    write("server_hello", &answer)?;
    write("server_hello", &WORLD.chain)?;
    let (_, finish) = WORLD.read_server_hello(client, answer)?.finish(b"login")?;
    write("client_finish", &finish)?;
    let (_, hello) = WORLD.resuming();
    write("client_hello", &hello)?;
    write("resumption", &WORLD.chain)?;
    let (_, answer) = WORLD.resumed(hello).fall_back(&mut WORLD.rng())?.send(&WORLD.chain)?;
    Ok(write("resumption", &answer)?)
}

/// From the recordings of other implementations.
fn signal_seeds() -> Result<(), Box<dyn std::error::Error>> {
    let recorded = recording("v3_transcripts_byte33.json")?;
    for scenario in array(&recorded["scenarios"]) {
        for message in array(&scenario["messages"]).iter().take(4) {
            let target = if message["type"] == 3 { "prekey_message" } else { "signal_message" };
            write(target, &bytes(&message["message"])?)?;
        }
    }
    for scenario in array(&recording("whatsapp_sender_keys.json")?["scenarios"]) {
        write("sender_key_message", &bytes(&scenario["skdm"])?)?;
        for message in array(&scenario["messages_in_delivery_order"]).iter().take(2) {
            write("sender_key_message", &bytes(&message["skmsg"])?)?;
        }
    }
    let key = SenderKey::generate(&mut WORLD.rng());
    let mut record = SenderKeyRecord::default();
    record.process(&key.distribution());
    write("sender_key", &key.encode())?;
    write("sender_key", &record.encode())?;
    write("sender_key_message", &key.distribution().encode())?;
    let message = GROUP.0.clone().encrypt(b"hello", &mut WORLD.rng())?;
    write("sender_key_message", &message[..message.len() - 64])?;
    for body in BODIES.iter() {
        write("session_decrypt", &[&[u8::try_from(body.len())?], &body[..]].concat())?;
    }
    let all = BODIES.iter().flat_map(|body| [&[body.len().to_le_bytes()[0]], &body[..]].concat());
    write("session_decrypt", &all.collect::<Vec<_>>())?;
    let (mut all, length) = (Vec::new(), |it: &[u8]| u16::try_from(it.len()).map(u16::to_be_bytes));
    for envelope in envelopes(&IDENTITY, &PREKEYS, &mut WORLD.rng()) {
        all.extend([&length(&envelope)?, &envelope[..]].concat());
        write("first_message", &[&length(&envelope)?, &envelope[..]].concat())?;
    }
    write("first_message", &all)?;
    write("bundle", &bundle(&[3]))?;
    write("bundle", &bundle(&[0]))?;
    write("session_record", &SessionRecord::default().encode())?;
    write("session_record", &established()?.encode())?;
    for (_, block) in wa_fuzz::sessions::SESSION.clone().take_block_changes() {
        write("key_block", &block.unwrap_or_default())?;
    }
    Ok(())
}

/// Flags, two ids, a signature, three keys.
fn bundle(flags: &[u8]) -> Vec<u8> {
    let [identity, signed, one_time] = [3, 4, 5].map(|byte| PrivateKey::from_bytes([byte; 32]));
    let signature = SignedPrekey::sign(1, &signed, &identity, &mut WORLD.rng()).signature;
    let keys = [&identity, &signed, &one_time].map(|key| *key.public_key().as_bytes());
    [flags, &[1, 2], signature.as_bytes(), keys.as_flattened()].concat()
}

/// A session that has been begun and waits for its first answer.
fn established() -> Result<SessionRecord, Box<dyn std::error::Error>> {
    let mut rng = WORLD.rng();
    let [ours, theirs, prekey] = [3, 4, 5].map(|byte| PrivateKey::from_bytes([byte; 32]));
    let bundle = Bundle {
        registration_id: 7,
        identity: theirs.public_key(),
        signed_prekey: SignedPrekey::sign(1, &prekey, &theirs, &mut rng),
        one_time_prekey: None,
    };
    let mut record = SessionRecord::default();
    record.establish(&ours, &bundle, &Trust::Any, 0, &mut rng)?;
    Ok(record)
}

fn recording(name: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wa-signal/tests/vectors");
    Ok(serde_json::from_slice(&fs::read(vectors.join(name))?)?)
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn bytes(value: &Value) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    Ok(hex::decode(value.as_str().ok_or("no text")?)?)
}

/// Writes a seed, named by its length and a sum of its bytes; or looks whether it is there.
fn write(target: &str, seed: &[u8]) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    let sum = seed.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    let file = directory.join(format!("seed-{}-{sum:08x}", seed.len()));
    if std::env::args().any(|argument| argument == "--check") {
        let there = fs::read(&file);
        let same = there.map_err(|error| io::Error::other(format!("{}: {error}", file.display())))? == seed;
        return same.then_some(()).ok_or_else(|| io::Error::other(format!("{} is another", file.display())));
    }
    fs::create_dir_all(&directory)?;
    fs::write(file, seed)
}
