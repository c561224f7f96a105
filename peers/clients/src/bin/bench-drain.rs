//! A full mailbox, emptied by the loop of the example `wake`: wall time beside the processor time of client and local
//! WhatsApp together, which are both in this process.
//!
//! `bench-drain [--json]`; the environment variable `TEXTS` says how many wait (10,000).

use std::time::{Duration, Instant};

use measure::{Report, Row, Unit, processor_time};
use wa_conformance::{Document, Failure, INTEGRATOR, Playground};
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Event};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, Drained, enlist};

#[path = "../../../../crates/wa-interop/examples/wake.rs"]
#[allow(dead_code, unreachable_pub, clippy::pedantic, reason = "its command line is not used here")]
mod wake;

const USER: &str = "drain";

/// More than any machine takes for it.
const BUDGET: Duration = Duration::from_secs(600);

/// Wall time in processor time of both sides, at most.
const MOST: f64 = 1.5;

/// How often, each time with as many texts: the median counts.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let json = std::env::args().nth(1).is_some_and(|argument| argument == "--json");
    let texts = std::env::var("TEXTS").map_or(Ok(10_000), |texts| texts.parse())?;
    let playground = Playground::start(Document::ReferenceOffer).await?;
    playground.phone_answers(false).await?;
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::create(&directory.path().join("store.db"), &StoreKey::generate())?;
    let login = account(&playground, &store).await?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        for number in 0..texts {
            playground.phone_writes(&login, &format!("text {number}")).await?;
        }
        rounds.push(empty(&playground, &store, texts).await?);
    }
    rounds.sort_by(|(wall, cpu), (other_wall, other_cpu)| (wall / cpu).total_cmp(&(other_wall / other_cpu)));
    let (wall, cpu) = rounds[ROUNDS / 2];
    let mut report = Report::new("1.5 of the processor's");
    report.push(Row::new(format!("wall, {texts} texts"), Unit::Nanoseconds, wall * 1e9, MOST * cpu * 1e9));
    report.print(json);
    Ok(())
}

/// An account with a login.
async fn account(playground: &Playground, store: &SqliteStore) -> Result<Jid, Failure> {
    let account = store.account(&AccountId::new(USER)?)?;
    let keys = AccountKeys::generate(&mut rand::rng());
    Client::create(&account, &keys).await?;
    let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let token = playground.issue(USER).await?;
    let profile = playground.profile();
    let login = enlist(&http, &profile, &keys.public(), INTEGRATOR, USER, &token).await?;
    let (client, _events) = Client::open(account, playground.chatd(), profile, playground.root()?).await?;
    client.enlisted(login.clone()).await?;
    client.close().await;
    Ok(login)
}

/// Takes the account, connects, takes what waits, leaves; gives the seconds of wall and processor.
async fn empty(playground: &Playground, store: &SqliteStore, texts: usize) -> Result<(f64, f64), Failure> {
    let token = playground.issue(USER).await?;
    let (cpu, start) = (processor_time("self")?, Instant::now());
    let (chatd, profile, root) = (playground.chatd(), playground.profile(), playground.root()?);
    let whatsapp = wake::WhatsApp { chatd, profile, root };
    let mut seen = 0;
    let keep = |event: &Event| seen += usize::from(matches!(event, Event::Message { .. }));
    let until = tokio::time::Instant::now() + BUDGET;
    let drained = wake::wake(store, &AccountId::new(USER)?, whatsapp, token, until, keep).await;
    let drained = drained.map_err(|error| Failure::new(error.to_string()))?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), processor_time("self")? - cpu);
    if drained != Drained::Empty || seen != texts {
        return Err(Failure::new(format!("{drained:?}, {seen} texts of {texts}")));
    }
    Ok((wall, cpu))
}
