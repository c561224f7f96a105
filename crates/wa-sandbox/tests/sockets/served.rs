//! What is served: pushes to the demonstration integrator, its files through the proxy, events, 503s, the guard.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;
use wa_binary::Node;
use wa_profile::Profile;
use wa_sandbox::{Addresses, Binding, Clock, Sandbox, WorldConfig, ask};

use crate::client::{enlisted, eventually, form, get, post, sandbox};

/// One request, written by hand; the answer as far as it comes.
async fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn connections_end_with_what_serves_them() {
    let config = WorldConfig {
        profile: Profile::default(),
        integrators: Vec::new(),
        phones: Vec::new(),
        strict: false,
    };
    let binding = Binding { demo: true, ..Binding::default() };
    let sandbox = Sandbox::bind_at(config, Clock::default(), binding).await.unwrap();
    let Addresses { chat, media, integrator, .. } = sandbox.addresses().clone();
    let (end, ended) = oneshot::channel::<()>();
    let running = tokio::spawn(sandbox.run(async { drop(ended.await) }));
    let mut open = Vec::new();
    for address in [media, integrator.unwrap()] {
        let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H', "{address}");
        open.push(stream);
    }
    open.push(TcpStream::connect(chat).await.unwrap());
    drop(end);
    running.await.unwrap();
    for mut stream in open {
        // Whether it ends or is reset, it is over.
        drop(timeout(Duration::from_secs(10), stream.read_to_end(&mut Vec::new())).await.unwrap());
    }
}

#[tokio::test]
async fn a_push_wakes_the_integrator_and_its_token_holds() {
    let addresses = sandbox(false, None).await;
    let user = enlisted(&addresses, "alice").await;
    let control = &addresses.control;
    post(&format!("{control}phones/14155551001/send"), json!({ "to": user.login, "text": "wake up" })).await;
    let pushes = format!("{}/pushes", addresses.integrator.as_deref().unwrap());
    eventually(async || !get(&pushes).await["pushes"].as_array().unwrap().is_empty()).await;
    let pushed = get(&pushes).await["pushes"][0].clone();
    assert_eq!((&pushed["to"], &pushed["refused"]), (&json!("alice"), &Value::Null));
    // One without a token is refused.
    let url = format!("{}/push", addresses.integrator.as_deref().unwrap());
    let (status, _) = ask("POST", &url, None, Some(json!({ "to": "alice" }).to_string())).await.unwrap();
    assert_eq!(status, 401);
    let forged = post(
        &format!("{control}push-token"),
        json!({ "claims": { "iss": "WHATSAPP", "exp": 9_999_999_999_u64 } }),
    )
    .await;
    let (status, _) = ask("POST", &url, forged["token"].as_str(), Some(json!({ "to": "alice" }).to_string()))
        .await
        .unwrap();
    assert_eq!(status, 401, "another audience");
    // Some are lost on order.
    post(&format!("{control}faults"), json!({ "push_drop": 1 })).await;
    let before = get(&pushes).await["pushes"].as_array().unwrap().len();
    post(&format!("{control}phones/14155551001/send"), json!({ "to": user.login, "text": "again" })).await;
    post(&format!("{control}phones/14155551001/send"), json!({ "to": user.login, "text": "and again" }))
        .await;
    eventually(async || get(&pushes).await["pushes"].as_array().unwrap().len() == before + 1).await;
    assert_eq!(get(&format!("{control}faults")).await["push_drop"], 0);
}

#[tokio::test]
async fn a_push_may_be_forged_or_malformed() {
    let addresses = sandbox(false, None).await;
    let user = enlisted(&addresses, "alice").await;
    let (control, pushes) = (&addresses.control, format!("{}pushes", addresses.control));
    for (number, (fault, status)) in
        [("push_forged", 401), ("push_malformed", 400), ("push_drop", 200)].into_iter().enumerate()
    {
        let count = u32::from(fault != "push_drop");
        post(&format!("{control}faults"), json!({ fault: count })).await;
        post(&format!("{control}phones/14155551001/send"), json!({ "to": user.login, "text": "x" })).await;
        eventually(async || get(&pushes).await["pushes"].as_array().unwrap().len() == number + 1).await;
        assert_eq!(get(&pushes).await["pushes"][number]["status"], status, "{fault}");
    }
}

#[tokio::test]
async fn a_third_partys_file_is_fetched_through_the_proxy() {
    let addresses = sandbox(false, None).await;
    let integrator = addresses.integrator.as_deref().unwrap();
    let (_, hosted) =
        ask("POST", &format!("{integrator}/media"), None, Some("encrypted".to_owned())).await.unwrap();
    let hosted: Value = serde_json::from_str(&hosted).unwrap();
    let path = hosted["direct_path"].as_str().unwrap();
    assert!(path.starts_with("/interop/whatsapp/download/1/") && path.ends_with('/'), "{path}");
    let (status, body) = ask("GET", &format!("{}{path}", addresses.media), None, None).await.unwrap();
    assert_eq!((status, body.as_str()), (200, "encrypted"));
    for (path, expected) in [
        ("/interop/whatsapp/download/1/nothing/", 404),
        ("/interop/whatsapp/download/9/nothing/", 404),
        ("/interop/whatsapp/download/1/a%2Fb/", 404),
        ("/interop/whatsapp/download/1/nothing", 404),
    ] {
        let (status, _) = ask("GET", &format!("{}{path}", addresses.media), None, None).await.unwrap();
        assert_eq!(status, expected, "{path}");
    }
    post(&format!("{}faults", addresses.control), json!({ "media_unavailable": 1 })).await;
    let url = format!("{}{path}", addresses.media);
    let statuses =
        [ask("GET", &url, None, None).await.unwrap().0, ask("GET", &url, None, None).await.unwrap().0];
    assert_eq!(statuses, [503, 200]);
}

#[tokio::test]
async fn two_requests_make_an_enlisted_user() {
    let addresses = sandbox(true, None).await;
    let url = format!("{}/form", addresses.integrator.as_deref().unwrap());
    let (_, form) = ask("POST", &url, None, Some(json!({ "user": "alice" }).to_string())).await.unwrap();
    let (_, answer) = ask("POST", &addresses.enlist, None, Some(form)).await.unwrap();
    assert!(answer.contains("@interop"), "{answer}");
    assert_eq!(get(&format!("{}accounts", addresses.control)).await["accounts"][0]["user"], "alice");
}

#[tokio::test]
async fn an_enlistment_may_be_unavailable() {
    let addresses = sandbox(false, None).await;
    post(&format!("{}faults", addresses.control), json!({ "enlistment_unavailable": 1 })).await;
    let (form, ..) = form(&addresses, "alice").await;
    let (status, _) = ask("POST", &addresses.enlist, None, Some(form.clone())).await.unwrap();
    assert_eq!(status, 503);
    let (status, answer) = ask("POST", &addresses.enlist, None, Some(form)).await.unwrap();
    assert_eq!((status, answer.contains("\"ok\"")), (200, true), "{answer}");
}

#[tokio::test]
async fn a_refusal_is_http_200_and_strict_says_why() {
    for strict in [false, true] {
        let addresses = sandbox(strict, None).await;
        let (status, answer) =
            ask("POST", &addresses.enlist, None, Some("token=x".to_owned())).await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(
            (status, &answer["status"], &answer["reason"]),
            (200, &json!("fail"), &json!("bad_integrator"))
        );
        let rule = if strict { json!("enlist-integrator") } else { Value::Null };
        assert_eq!(answer["deviation"]["rule"], rule);
    }
}

#[tokio::test]
async fn records_come_as_events() {
    let addresses = sandbox(false, None).await;
    let mut user = enlisted(&addresses, "alice").await;
    let mut line = user.connect(&addresses).await;
    for request in [
        "GET /v1/deviations/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /deviations HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(addresses.media.trim_start_matches("http://")).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let (mut text, mut buffer) = (String::new(), [0; 4096]);
        while !text.contains("events follow") {
            let length = stream.read(&mut buffer).await.unwrap();
            text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        assert!(text.contains("text/event-stream"), "{text}");
        line.send("<iq id='1' type='get' xmlns='urn:nobody' to='s.whatsapp.net'/>").await;
        while !text.contains("iq-unknown") {
            let length = stream.read(&mut buffer).await.unwrap();
            assert!(length > 0, "{text}");
            text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        }
        assert!(text.contains("event: deviation\ndata: {"), "{text}");
    }
}

/// What comes at once with what ends a stream, or changes what comes of it, is read and answered before.
#[tokio::test]
async fn phones_read_what_came_before_the_end() {
    let addresses = sandbox(false, None).await;
    let message = r#"<message to="14155551001@s.whatsapp.net" id="A" type="text"><enc v="2" type="msg" wa:bytes="33"/></message>"#;
    let block = r#"<iq id="B" type="set" xmlns="blocklist" to="s.whatsapp.net"><item action="block" jid="14155551001@s.whatsapp.net"/></iq>"#;
    let again = r#"<receipt to="14155551001@s.whatsapp.net" id="C" type="retry"><retry count="1" id="C" t="1" v="1"/><registration wa:bytes="00000009"/></receipt>"#;
    let (unknown, bad) = ("<unknown/>", r#"<ack class="nothing" id="A" to="s.whatsapp.net"/>"#);
    for (user, behind, expected) in [
        ("alice", block, &["ack", "receipt", "iq", "ack"][..]),
        ("dave", again, &["ack", "receipt", "ack", "ack", "receipt"]),
        ("bob", unknown, &["ack", "receipt", "stream:error"]),
        ("carol", bad, &["ack", "receipt", "stream:error"]),
    ] {
        let mut line = enlisted(&addresses, user).await.connect(&addresses).await;
        assert_eq!(line.read().await.unwrap().tag(), "ib");
        let parsed = |xml: &str| xml.parse::<Node>().unwrap();
        line.send_together(&[parsed(message), parsed(behind), parsed(message), Node::stream_end()]).await;
        let mut tags = Vec::new();
        while let Some(node) = line.read().await {
            tags.push(node.tag().to_owned());
        }
        assert_eq!(tags, expected, "{user}");
    }
}

#[tokio::test]
async fn the_transcript_is_xml_or_lines_of_json() {
    let addresses = sandbox(false, None).await;
    let mut user = enlisted(&addresses, "alice").await;
    let mut line = user.connect(&addresses).await;
    line.send("<iq id='a ping' type='get' xmlns='w:p' to='s.whatsapp.net'/>").await;
    while line.read().await.unwrap().attr_str("id") != Some("a ping") {}
    let url = format!("{}transcript", addresses.control);
    let (_, xml) = ask("GET", &url, None, None).await.unwrap();
    assert!(xml.starts_with("<transcript") && xml.contains("<success") && xml.contains("a ping"), "{xml}");
    let (_, lines) =
        ask("GET", &format!("{url}?format=jsonl&login={}", user.login), None, None).await.unwrap();
    let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(entries.iter().any(|entry| entry["by"] == "client"), "{lines}");
    let (status, _) = ask("GET", &format!("{url}?format=pdf"), None, None).await.unwrap();
    assert_eq!(status, 400);
}

#[tokio::test]
async fn a_web_page_may_neither_control_nor_get_tokens() {
    let addresses = sandbox(false, None).await;
    for (place, path) in [
        (addresses.media.as_str(), "/v1/phones"),
        (addresses.media.as_str(), "/v1"),
        (addresses.media.as_str(), "/deviations"),
        (addresses.integrator.as_deref().unwrap(), "/pushes"),
    ] {
        for header in ["Host: evil.example", "Host: localhost\r\nOrigin: https://evil.example"] {
            let answer =
                raw(place, &format!("GET {path} HTTP/1.1\r\n{header}\r\nConnection: close\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 403"), "{path} {header}: {answer}");
            assert!(answer.contains("application/problem+json"), "{answer}");
        }
        let answer =
            raw(place, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn with_a_token_only_its_bearer_may() {
    let addresses = sandbox(false, Some("secret")).await;
    let url = format!("{}phones", addresses.control);
    assert_eq!(ask("GET", &url, None, None).await.unwrap().0, 401);
    assert_eq!(ask("GET", &url, Some("other"), None).await.unwrap().0, 401);
    assert_eq!(ask("GET", &url, Some("secret"), None).await.unwrap().0, 200);
    // What any client of WhatsApp's may, it may still.
    assert_eq!(ask("GET", &addresses.jwks, None, None).await.unwrap().0, 200);
}

#[tokio::test]
async fn time_that_is_set_forward_has_its_effect_before_the_answer() {
    let addresses = sandbox(false, None).await;
    let user = enlisted(&addresses, "alice").await;
    let control = &addresses.control;
    assert_eq!(get(&format!("{control}accounts")).await["accounts"].as_array().unwrap().len(), 1);
    post(&format!("{control}clock"), json!({ "advance": 31 * 86_400 })).await;
    assert_eq!(get(&format!("{control}accounts")).await["accounts"], json!([]), "{}", user.login);
}

#[tokio::test]
async fn everything_is_there_over_tls_for_who_trusts_the_authority() {
    let addresses = sandbox(false, None).await;
    let trusting = |pem: &str| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_root_certificates(roots).with_no_client_auth();
        tokio_rustls::TlsConnector::from(std::sync::Arc::new(config))
    };
    let connect = async |connector: tokio_rustls::TlsConnector, name: &'static str| {
        let stream = TcpStream::connect(addresses.https.trim_start_matches("https://")).await.unwrap();
        connector.connect(name.try_into().unwrap(), stream).await
    };
    for name in ["localhost", "v.whatsapp.net"] {
        let mut stream = connect(trusting(&addresses.ca), name).await.unwrap();
        let request = "GET /v1/phones HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("14155551001"), "{answer}");
    }
    assert!(connect(trusting(&addresses.ca), "evil.example").await.is_err());
    let other = sandbox(false, None).await.ca;
    assert!(connect(trusting(&other), "localhost").await.is_err(), "another authority");
}
