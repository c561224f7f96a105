//! Each call is dropped after each number of turns that it takes, and made again: done once, and the client goes on.

use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::time::Instant;
use wa_interop::chat::{ConnectError, Report};

use super::*;

/// More turns than any call takes while no time passes.
const TURNS: usize = 1000;

type Call<'d> = Pin<Box<dyn Future<Output = Result<(), ClientError>> + Send + 'd>>;

/// Runs a test on virtual time, where a turn is one poll of one task: nothing is done between two that cannot be dropped
/// in between.
fn turn_by_turn(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.event_interval(1).enable_all().start_paused(true).build().unwrap().block_on(test);
}

/// Polls a call so many times, with everything else running in between, and drops it; tells whether it had ended.
async fn ends_within(turns: usize, call: impl Future) -> bool {
    let mut call = pin!(call);
    for _ in 0..turns {
        if std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_ready())).await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// What a handle can be asked for, each as an application asks.
fn calls(client: &Client) -> Vec<(&'static str, Call<'_>)> {
    let ids = || vec![MessageId("one".to_owned())];
    let report = Report { flow: "MessageMenu".into(), jid: phone(), messages: Vec::new() };
    let key = wa_interop::keys::PublicKey::from_bytes([9; 32]);
    vec![
        ("public_keys", Box::pin(async { client.public_keys().await.map(drop) })),
        ("login", Box::pin(async { client.login().await.map(drop) })),
        ("enlisted", Box::pin(async { client.enlisted(client.login().await?.unwrap()).await })),
        ("send", Box::pin(client.send(phone(), MessageId("one".to_owned()), Content::text("once")))),
        ("identities", Box::pin(async { client.identities(phone()).await.map(drop) })),
        ("safety_number", Box::pin(async { client.safety_number(phone()).await.map(drop) })),
        ("accept_identity", Box::pin(client.accept_identity(phone(), key))),
        ("confirm", Box::pin(client.confirm(EventId(0)))),
        ("confirm_through_id", Box::pin(client.confirm_through_id(EventId(0)))),
        ("mark", Box::pin(client.mark(phone(), ids(), Mark::Read))),
        ("typing", Box::pin(client.typing(phone(), Typing::Composing))),
        ("blocklist", Box::pin(async { client.blocklist().await.map(drop) })),
        ("block", Box::pin(client.block(phone()))),
        ("unblock", Box::pin(client.unblock(phone()))),
        ("report", Box::pin(client.report(report))),
        ("reach", Box::pin(async { client.reach(phone()).await.map(drop) })),
        ("drain", Box::pin(async { client.drain(Instant::now() + BOUND).await.map(drop) })),
    ]
}

/// The call of that name.
fn call<'c>(client: &'c Client, name: &str) -> Call<'c> {
    calls(client).into_iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn a_call_that_is_dropped_anywhere_can_be_made_again() {
    turn_by_turn(async {
        let driven = Driven::connected().await;
        let names: Vec<_> = calls(&driven.client).iter().map(|(name, _)| *name).collect();
        for name in names {
            let Driven { client, mut events, .. } = Driven::connected().await;
            // A drain ends only when somebody takes what there is.
            tokio::spawn(async move { while events.next().await.is_ok() {} });
            let mut turns = 0;
            while turns < TURNS && !ends_within(turns, call(&client, name)).await {
                turns += 1;
            }
            assert!((1..TURNS).contains(&turns), "{name} took {turns} turns");
            in_time(name, call(&client, name)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            in_time("blocklist", client.blocklist()).await.unwrap();
        }
    });
}

#[test]
fn a_text_whose_call_was_dropped_arrives_once() {
    turn_by_turn(async {
        for turns in 0.. {
            let Driven { client, mut events, .. } = Driven::connected().await;
            let has_ended = ends_within(turns, call(&client, "send")).await;
            in_time("send", call(&client, "send")).await.unwrap();
            let mut echoes = 0;
            let taking = async {
                while let Ok(event) = events.next().await {
                    echoes += usize::from(matches!(event, Event::Message { .. }));
                    client.confirm_through(&event).await.unwrap();
                }
            };
            assert!(tokio::time::timeout(BOUND, taking).await.is_err(), "the client goes on");
            assert_eq!(echoes, 1, "after {turns} turns");
            if has_ended {
                break;
            }
        }
    });
}

/// A call that stops waiting for an event loses nothing.
#[test]
fn an_event_whose_call_was_dropped_comes_with_the_next() {
    turn_by_turn(async {
        let Driven { client, mut events, .. } = Driven::connected().await;
        for number in 0..50 {
            let id = MessageId(number.to_string());
            client.send(phone(), id, Content::text(number.to_string())).await.unwrap();
            let (mut turns, mut echoes) = (0, 0);
            while echoes == 0 {
                let mut next = None;
                // One turn for each call: what does not come at once is dropped.
                ends_within(1, async { next = Some(events.next().await.unwrap()) }).await;
                echoes += usize::from(matches!(next, Some(Event::Message { .. })));
                turns += 1;
                assert!(turns < TURNS, "the echo of text {number} was lost");
            }
        }
    });
}

#[test]
fn what_makes_and_ends_connections_can_be_dropped_anywhere() {
    turn_by_turn(async {
        let mut stood = 0;
        for turns in 0.. {
            let Driven { client, token, .. } = Driven::new(Manners::default()).await;
            if ends_within(turns, client.connect(token.clone())).await {
                break;
            }
            match in_time("connect", client.connect(token.clone())).await {
                // Dropped when the login stood already, and nobody had heard of it.
                Err(ClientError::Connect(ConnectError::Connected)) => stood += 1,
                connected => connected.unwrap(),
            }
            ends_within(turns, client.disconnect()).await;
            in_time("disconnect", client.disconnect()).await.unwrap();
            in_time("connect", client.connect(token)).await.unwrap();
            in_time("blocklist", client.blocklist()).await.unwrap();
        }
        // The login is told in one turn, and the call that waits for it has one of the next; the driver takes what is ready in
        // any order. Six were seen where abandoned attempts went on.
        assert!(stood <= 4, "an attempt ends with the call: {stood}");
    });
}

#[test]
fn what_ends_a_client_can_be_dropped_anywhere() {
    turn_by_turn(async {
        for turns in 0..20 {
            let Driven { client, .. } = Driven::connected().await;
            ends_within(turns, client.close()).await;
            in_time("close", client.close()).await;
            assert_eq!(client.confirm(EventId(0)).await, Err(ClientError::Ended(Ended::Closed)));
            let Driven { client, .. } = Driven::connected().await;
            ends_within(turns, client.delete_account()).await;
            match in_time("delete_account", client.delete_account()).await {
                Ok(()) | Err(ClientError::Ended(Ended::Deleted)) => {}
                // The first was on its way, and the account is gone at WhatsApp.
                Err(error) => assert_eq!(error, ClientError::Answer(NoAnswer::Lost), "after {turns} turns"),
            }
        }
    });
}
