//! Writes the first inputs of every target to `fuzz/corpus`: `cargo run --manifest-path fuzz/Cargo.toml --example seeds`.
//!
//! They are made of the published example, of stanzas in XML and of the recordings that the crates are tested with.

use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use wa_binary::{EncodeOptions, InteropSuffix, Limits, Node, Packing, decode, encode, pack};
use wa_fuzz::WORLD;
use wa_fuzz::sessions::{BODIES, GROUP};
use wa_keys::PrivateKey;
use wa_noise::{Intro, frame};
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
    chat_seeds()?;
    noise_seeds()?;
    integrator_seeds()?;
    media_seeds()?;
    signal_seeds()
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

/// Files of every type that is read, and what is said of files.
fn media_seeds() -> Result<(), Box<dyn std::error::Error>> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/wa-media/tests/files");
    for file in fs::read_dir(files)? {
        write("metadata", &fs::read(file?.path())?)?;
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
        write("stanza", &bytes)?;
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
    Ok(())
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

/// Writes a seed, named by its length and a sum of its bytes.
fn write(target: &str, seed: &[u8]) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&directory)?;
    let sum = seed.iter().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    fs::write(directory.join(format!("seed-{}-{sum:08x}", seed.len())), seed)
}
