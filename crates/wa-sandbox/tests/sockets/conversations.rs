//! What the console is made of: demonstration users, conversations with how far each message came, stanzas with what a
//! phone decrypted, files, the log of HTTP, and everything that happens as events.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wa_sandbox::{Addresses, ask};

use crate::client::{enlisted, eventually, get, post, sandbox};

const PHONE: &str = "14155551001";

async fn demo_user(addresses: &Addresses, name: &str) -> String {
    let enlisted = post(&format!("{}demo/users", addresses.control), json!({ "user": name })).await;
    enlisted["login"].as_str().unwrap().to_owned()
}

async fn messages(addresses: &Addresses, login: &str) -> Vec<Value> {
    let chat = get(&format!("{}phones/{PHONE}/chats/{login}", addresses.control)).await;
    chat["messages"].as_array().unwrap().clone()
}

async fn refused(addresses: &Addresses, path: &str, body: Value) -> (u16, String) {
    ask("POST", &format!("{}{path}", addresses.control), None, Some(body.to_string())).await.unwrap()
}

#[tokio::test]
async fn a_conversation_is_seen_from_both_sides() {
    let addresses = sandbox(true, None).await;
    let login = demo_user(&addresses, "alice").await;
    let (user, phone) =
        (format!("{}demo/users/{login}", addresses.control), format!("{}phones/{PHONE}", addresses.control));
    let sent = post(&format!("{user}/send"), json!({ "to": PHONE, "text": "Hello" })).await;
    eventually(async || messages(&addresses, &login).await.len() == 2).await;
    eventually(async || !messages(&addresses, &login).await[1]["delivered"].is_null()).await;
    let said = messages(&addresses, &login).await;
    assert_eq!(
        (&said[0]["by"], &said[0]["id"], &said[0]["content"]["text"]),
        (&json!("user"), &sent["id"], &json!("Hello"))
    );
    assert!(said[0]["delivered"].is_u64(), "{said:?}");
    assert_eq!((&said[1]["by"], &said[1]["content"]["text"]), (&json!("phone"), &json!("echo: Hello")));
    assert_eq!((&said[0]["read"], &said[1]["read"]), (&Value::Null, &Value::Null));
    post(&format!("{user}/mark"), json!({ "to": PHONE, "ids": [said[1]["id"]], "kind": "read" })).await;
    post(&format!("{phone}/mark"), json!({ "to": login, "ids": [sent["id"]], "kind": "played" })).await;
    eventually(async || messages(&addresses, &login).await.iter().all(|it| !it["read"].is_null())).await;
    assert!(messages(&addresses, &login).await[0]["played"].is_u64());
    // A client that is strict itself would have been told of a deviation.
    assert_eq!(get(&format!("{}deviations", addresses.control)).await["deviations"], json!([]));
    let chats = get(&format!("{phone}/chats")).await;
    assert_eq!(chats["chats"][0]["messages"], 2);
}

#[tokio::test]
async fn a_demonstration_user_recovers_what_cannot_be_decrypted() {
    let addresses = sandbox(true, None).await;
    let login = demo_user(&addresses, "alice").await;
    let phone = format!("{}phones/{PHONE}", addresses.control);
    for harm in ["spoil", "reinstall"] {
        post(&format!("{phone}/{harm}"), json!({})).await;
        let sent = post(&format!("{phone}/send"), json!({ "to": login, "text": harm })).await;
        let is_there = |it: &Value| it["id"] == sent["id"] && !it["delivered"].is_null();
        eventually(async || messages(&addresses, &login).await.iter().any(is_there)).await;
    }
    assert_eq!(messages(&addresses, &login).await[0]["retries"], 1);
    // And what the phone cannot decrypt is sent again.
    post(&format!("{phone}/forget"), json!({ "to": login })).await;
    let user = format!("{}demo/users/{login}", addresses.control);
    let sent = post(&format!("{user}/send"), json!({ "to": PHONE, "text": "again" })).await;
    let is_read = |it: &Value| it["id"] == sent["id"] && it["content"]["text"] == "again";
    eventually(async || messages(&addresses, &login).await.iter().any(is_read)).await;
}

#[tokio::test]
async fn who_is_away_has_mail_and_gets_it_later() {
    let addresses = sandbox(false, None).await;
    let login = demo_user(&addresses, "alice").await;
    let user = format!("{}demo/users/{login}", addresses.control);
    post(&format!("{user}/disconnect"), json!({})).await;
    let account = format!("{}accounts/{login}", addresses.control);
    eventually(async || get(&account).await["connected"] == false).await;
    let (status, answer) =
        refused(&addresses, &format!("demo/users/{login}/send"), json!({ "to": PHONE, "text": "x" })).await;
    assert_eq!((status, answer.contains("not-connected")), (409, true), "{answer}");
    post(&format!("{}phones/{PHONE}/send", addresses.control), json!({ "to": login, "text": "wait" })).await;
    assert_eq!(messages(&addresses, &login).await[0]["delivered"], Value::Null);
    let pushes = format!("{}pushes", addresses.control);
    eventually(async || get(&pushes).await["pushes"][0]["status"] == 200).await;
    assert_eq!(
        (&get(&pushes).await["pushes"][0]["number"], &get(&pushes).await["pushes"][0]["to"]),
        (&json!(1), &json!("alice"))
    );
    post(&format!("{user}/connect"), json!({})).await;
    eventually(async || !messages(&addresses, &login).await[0]["delivered"].is_null()).await;
    let (status, _) =
        refused(&addresses, "demo/users/1-5@interop/send", json!({ "to": PHONE, "text": "x" })).await;
    assert_eq!(status, 404);
    post(&format!("{}reset", addresses.control), json!({})).await;
    assert_eq!(get(&format!("{}demo/users", addresses.control)).await["users"], json!([]));
}

#[tokio::test]
async fn a_stanza_is_shown_with_what_the_phone_decrypted_and_what_was_wrong() {
    let addresses = sandbox(false, None).await;
    let login = demo_user(&addresses, "alice").await;
    let user = format!("{}demo/users/{login}", addresses.control);
    let sent = post(&format!("{user}/send"), json!({ "to": PHONE, "text": "Hello" })).await;
    post(&format!("{user}/mark"), json!({ "to": PHONE, "ids": ["A"], "kind": "seen" })).await;
    let id = sent["id"].as_str().unwrap().to_owned();
    let rows = format!("{}stanzas?tag=message&by=client&text={id}", addresses.control);
    eventually(async || get(&rows).await["stanzas"].as_array().unwrap().len() == 1).await;
    let number = get(&rows).await["stanzas"][0]["number"].as_u64().unwrap();
    let shown = get(&format!("{}stanzas/{number}", addresses.control)).await;
    let expected = json!([{ "field": 1, "name": "conversation", "type": "string", "value": "Hello" }]);
    assert_eq!((&shown["content"]["phone"], &shown["content"]["tree"]), (&json!(PHONE), &expected));
    let node = hex::decode(shown["hex"].as_str().unwrap()).unwrap();
    let node = wa_binary::decode(&node.into(), &wa_binary::Limits::new()).unwrap();
    assert_eq!(shown["xml"], node.to_string());
    // The phone's answer, as the user got it.
    let answers = format!("{}stanzas?tag=message&by=server", addresses.control);
    eventually(async || get(&answers).await["stanzas"].as_array().unwrap().len() == 1).await;
    let number = get(&answers).await["stanzas"][0]["number"].as_u64().unwrap();
    let shown = get(&format!("{}stanzas/{number}", addresses.control)).await;
    assert_eq!(shown["content"]["tree"][0]["value"], "echo: Hello");
    let records = format!("{}deviations", addresses.control);
    eventually(async || get(&records).await["deviations"].as_array().unwrap().len() == 1).await;
    let record = get(&records).await["deviations"][0].clone();
    let shown = get(&format!("{}stanzas/{}", addresses.control, record["stanza_number"])).await;
    assert_eq!((&shown["deviations"], &shown["tag"]), (&json!([1]), &json!("receipt")));
    assert_eq!(get(&format!("{}accounts/{login}", addresses.control)).await["deviations"], 1);
    for (path, status) in [
        ("stanzas/99999", 404),
        ("stanzas/x", 404),
        ("stanzas?by=nobody", 400),
        ("stanzas?nothing=1", 400),
        ("stanzas?limit=x", 400),
    ] {
        let (found, answer) = ask("GET", &format!("{}{path}", addresses.control), None, None).await.unwrap();
        assert_eq!(found, status, "{path}: {answer}");
    }
}

#[tokio::test]
async fn files_of_ones_own_go_both_ways_and_are_seen_decrypted() {
    let addresses = sandbox(false, None).await;
    let login = demo_user(&addresses, "alice").await;
    for (at, from, to) in [
        ("whatsapp", format!("phones/{PHONE}"), &*login),
        ("integrator", format!("demo/users/{login}"), PHONE),
    ] {
        let url = format!("{}media/files?class=document&at={at}", addresses.control);
        let (_, hosted) = ask("POST", &url, None, Some(format!("<script>{at}</script>"))).await.unwrap();
        let mut file: Value = serde_json::from_str(&hosted).unwrap();
        file["kind"] = json!("document");
        file["mime"] = json!("text/html");
        post(&format!("{}{from}/send", addresses.control), json!({ "to": to, "media": file })).await;
        let has_it = |it: &Value| it["content"]["media"]["sha256"] == file["sha256"];
        eventually(async || messages(&addresses, &login).await.iter().any(has_it)).await;
        let mut opening = file.clone();
        opening["class"] = json!("document");
        for name in ["kind", "mime"] {
            opening.as_object_mut().unwrap().remove(name);
        }
        let view = format!("{}media/view", addresses.control);
        let (status, plain) = ask("POST", &view, None, Some(opening.to_string())).await.unwrap();
        assert_eq!((status, plain), (200, format!("<script>{at}</script>")));
        opening["key"] = json!("00".repeat(32));
        let (status, answer) = ask("POST", &view, None, Some(opening.to_string())).await.unwrap();
        assert_eq!((status, answer.contains("cannot-open")), (409, true), "{answer}");
    }
    for query in ["", "?class=nothing", "?class=image&at=home"] {
        let url = format!("{}media/files{query}", addresses.control);
        assert_eq!(ask("POST", &url, None, Some("x".to_owned())).await.unwrap().0, 400, "{query}");
    }
    let url = format!("{}media/files?class=image", addresses.control);
    assert_eq!(ask("POST", &url, None, Some("x".repeat(17 << 20))).await.unwrap().0, 413);
}

/// The decrypted file has no type that a browser would run, and none is guessed.
#[tokio::test]
async fn a_hostile_file_is_octets() {
    let addresses = sandbox(false, None).await;
    let url = format!("{}media/files?class=image", addresses.control);
    let (_, hosted) = ask("POST", &url, None, Some("<script>alert(1)</script>".to_owned())).await.unwrap();
    let mut opening: Value = serde_json::from_str(&hosted).unwrap();
    opening["class"] = json!("image");
    let body = opening.to_string();
    let mut stream = TcpStream::connect(addresses.media.trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/media/view HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let answer = answer.to_ascii_lowercase();
    assert!(answer.contains("content-type: application/octet-stream\r\n"), "{answer}");
    assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{answer}");
}

#[tokio::test]
async fn http_is_written_down_without_tokens() {
    let addresses = sandbox(false, None).await;
    let user = enlisted(&addresses, "alice").await;
    let exchanges = get(&format!("{}exchanges", addresses.control)).await["exchanges"].clone();
    let shown: Vec<_> = exchanges
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (&it["direction"], &it["about"], &it["status"]))
        .collect();
    let ok = json!(200);
    assert_eq!(shown, [(&json!("out"), &json!("keys"), &ok), (&json!("in"), &json!("enlistment"), &ok)]);
    let enlistment = exchanges[1].clone();
    assert!(enlistment["answered"].as_str().unwrap().contains(&user.login), "{enlistment}");
    assert!(enlistment["sent"].as_str().unwrap().contains("token=%28withheld%29"), "{enlistment}");
}

/// A request for events of which nothing is read.
async fn listener(addresses: &Addresses) -> TcpStream {
    let mut stream = TcpStream::connect(addresses.media.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    stream
}

#[tokio::test]
async fn who_listens_too_slowly_misses_events_and_is_told() {
    let addresses = sandbox(false, None).await;
    let mut user = enlisted(&addresses, "alice").await;
    let mut line = user.connect(&addresses).await;
    let mut slow = listener(&addresses).await;
    // What fills the buffers of a connection, and then more events than wait for a listener.
    let long = "x".repeat(60_000);
    for number in 0..80 {
        let request =
            format!("<iq id='{number}' type='get' xmlns='urn:nobody' to='s.whatsapp.net' x='{long}'/>");
        line.send(&request).await;
    }
    for number in 0..1600 {
        line.send(&format!("<iq id='{number}' type='get' xmlns='w:p' to='s.whatsapp.net'/>")).await;
    }
    let count = format!("{}accounts/{}", addresses.control, user.login);
    post(&format!("{}accounts/{}/ping", addresses.control, user.login), json!({})).await;
    assert_eq!(get(&count).await["connected"], true);
    let (mut text, mut buffer) = (String::new(), vec![0; 1 << 16]);
    while !text.contains("event: missed") {
        let length = slow.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the end without a word");
        // What is cut in the middle of a character is of no concern here.
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    assert!(text.contains("event: stanza\ndata: {"), "{}", &text[..1000]);
}

#[tokio::test]
async fn typing_and_conversations_come_as_events() {
    let addresses = sandbox(false, None).await;
    let login = demo_user(&addresses, "alice").await;
    // Typing is shown to a client that is connected, and is not kept for one that is not.
    let account = format!("{}accounts/{login}", addresses.control);
    eventually(async || get(&account).await["connected"] == true).await;
    let mut stream = listener(&addresses).await;
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    // What stands in one line, in whatever order.
    let wanted: [&[&str]; 5] = [
        &[r#""by":"phone""#, r#""kind":"typing""#, r#""state":"recording""#, r#""login""#],
        &[r#""by":"user""#, r#""kind":"typing""#, r#""state":"composing""#, r#""login""#],
        &[r#""kind":"message""#, r#""login""#],
        &[r#""kind":"mark""#, r#""login""#],
        &["event: http"],
    ];
    let (user, phone) =
        (format!("{}demo/users/{login}", addresses.control), format!("{}phones/{PHONE}", addresses.control));
    while !text.contains("events follow") {
        let length = stream.read(&mut buffer).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    post(&format!("{phone}/typing"), json!({ "to": login, "state": "recording" })).await;
    post(&format!("{user}/typing"), json!({ "to": PHONE, "state": "composing" })).await;
    post(&format!("{phone}/send"), json!({ "to": login, "text": "Hello" })).await;
    get(&addresses.jwks).await;
    let is_there =
        |text: &str, parts: &[&str]| text.lines().any(|line| parts.iter().all(|part| line.contains(part)));
    while let Some(missing) = wanted.iter().find(|parts| !is_there(&text, parts)) {
        let more = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut buffer)).await;
        let length = more.unwrap_or_else(|_| panic!("no {missing:?} in {text}")).unwrap();
        assert!(length > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}

#[tokio::test]
async fn browsers_get_the_console_and_others_a_few_words() {
    let addresses = sandbox(false, Some("secret")).await;
    let place = addresses.media.trim_start_matches("http://");
    for (path, accept, expected) in [
        ("/", "text/html,application/xhtml+xml", "<!doctype html>"),
        ("/", "*/*", "This is wa-sandbox"),
        ("/console/main.js", "*/*", "text/javascript"),
        ("/console/nothing.js", "*/*", "HTTP/1.1 404"),
    ] {
        let mut stream = TcpStream::connect(place).await.unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains(expected), "{path} {accept}: {answer}");
        let is_of_console = expected != "This is wa-sandbox" && !expected.contains("404");
        assert_eq!(answer.contains("default-src 'none'"), is_of_console, "{path} {accept}: {answer}");
    }
}

#[tokio::test]
async fn many_accounts_are_searched_and_cut_short() {
    let addresses = sandbox(false, None).await;
    for name in ["alice", "bob", "carol"] {
        enlisted(&addresses, name).await;
    }
    let login = demo_user(&addresses, "zoe").await;
    let found = get(&format!("{}accounts?limit=2", addresses.control)).await;
    assert_eq!(
        (&found["total"], &found["accounts"][0]["login"]),
        (&json!(4), &json!(login)),
        "who is connected comes first"
    );
    assert_eq!(found["accounts"].as_array().unwrap().len(), 2);
    let found = get(&format!("{}accounts?text=CAR", addresses.control)).await;
    assert_eq!((&found["total"], &found["accounts"][0]["user"]), (&json!(1), &json!("carol")));
}
