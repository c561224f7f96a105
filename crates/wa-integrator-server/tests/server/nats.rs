//! Wake-ups in a JetStream of a real server: stored when they are settled, never twice, never lost while it is away.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::stream::Stream;
use http::StatusCode;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{ClientTrust, NatsSink, PushSink as _, SinkError, UserIdentifier, WakeUp};

use crate::fixture::callers::{publish, push, token};
use crate::fixture::nats::Nats;
use crate::fixture::program::{Program, command};

fn wake_up(user: &str, count: u64) -> WakeUp {
    WakeUp {
        id: 1,
        sink: "nats".to_owned(),
        user: UserIdentifier::new(user, 40).unwrap(),
        count,
        received_at: 1_700_000_000,
        attempts: 0,
        expires_at: u64::MAX,
    }
}

async fn context(url: &str) -> jetstream::Context {
    jetstream::new(async_nats::connect(url).await.unwrap())
}

/// The bodies of all messages in the stream.
async fn messages(stream: &mut Stream) -> Vec<String> {
    let state = stream.info().await.unwrap().state.clone();
    let mut bodies = Vec::new();
    for sequence in state.first_sequence..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.unwrap();
        bodies.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    bodies
}

#[tokio::test]
async fn a_message_is_stored_when_it_is_taken_and_not_twice() {
    let server = Nats::start();
    let sink = NatsSink::connect(&server.url, "wa.wake-ups", None, &ClientTrust::public()).await.unwrap();
    assert_eq!(sink.deliver(&wake_up("alice", 1)).await, Err(SinkError::Unreachable), "nobody stores it");
    let sink = sink.with_stream("WAKE");
    for taken in [wake_up("zoë \"🦊\"", 1), wake_up("zoë \"🦊\"", 1), wake_up("zoë \"🦊\"", 2)] {
        assert_eq!(sink.deliver(&taken).await, Ok(()));
    }
    let mut stream = context(&server.url).await.get_stream("WAKE").await.unwrap();
    let body = |count| format!(r#"{{"to":"zoë \"🦊\"","count":{count},"received_at":1700000000}}"#);
    assert_eq!(messages(&mut stream).await, [body(1), body(2)]);
    let first = stream.get_raw_message(1).await.unwrap();
    // SHA-256 of `1\nzoë "🦊"\n1\n1700000000`, computed with Python's hashlib.
    let id = "5ee7a72d14bcbfd350798d51cf93c8ef063b995a1790fef2c3beaccb3e140373";
    assert_eq!(first.headers.get("Nats-Msg-Id").unwrap().as_str(), id);
    assert_eq!(stream.info().await.unwrap().config.max_age, Duration::from_secs(30 * 24 * 3600));
}

/// The program: what was answered 200 while the stream was away is in it once it is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_pushed_while_the_stream_was_away_comes_to_it() {
    let (mut server, directory, whatsapp) = (Nats::start(), tempfile::tempdir().unwrap(), publish().await);
    let mut quiet = command(&directory.path().join("data"));
    quiet.env("WA_INTEGRATOR_LOG", "off").args(["--listen", "127.0.0.1:0"]);
    quiet.env("WA_INTEGRATOR_NATS", &server.url).env("WA_INTEGRATOR_NATS_STREAM", "WAKE");
    quiet.env("WA_INTEGRATOR_WHATSAPP_JWKS_URL", &whatsapp).env("WA_INTEGRATOR_ALLOW_PRIVATE", "true");
    let program = Program::of(&mut quiet);
    let (url, base) = (program.ready["push"].as_str().unwrap(), program.ready["address"].as_str().unwrap());
    let (client, token) =
        (HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1), token(base));
    let send = async |user: &str| client.send(push(url, &token, user)).await.unwrap().status();
    assert_eq!(send("before").await, StatusCode::OK);
    let mut stream = wait_for(&server, 1).await;
    server.stop();
    for user in ["one", "two"] {
        assert_eq!(send(user).await, StatusCode::OK);
    }
    server.restart();
    stream = {
        drop(stream);
        wait_for(&server, 3).await
    };
    let bodies = messages(&mut stream).await;
    for (number, user) in ["before", "one", "two"].iter().enumerate() {
        let to = format!(r#"{{"to":"{user}","#);
        assert_eq!(bodies.iter().filter(|body| body.starts_with(&to)).count(), 1, "{number}: {bodies:?}");
    }
    program.stop();
}

/// The stream, once it holds so many messages.
async fn wait_for(server: &Nats, count: u64) -> Stream {
    let context = context(&server.url).await;
    for _ in 0..1200 {
        if let Ok(mut stream) = context.get_stream("WAKE").await
            && stream.info().await.is_ok_and(|info| info.state.messages >= count)
        {
            return stream;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    unreachable!("{count} messages do not come");
}
