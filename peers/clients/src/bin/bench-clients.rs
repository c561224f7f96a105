//! Many idle clients in one process, the local WhatsApp in another: resident bytes for each, then messages a second.
//!
//! `bench-clients [--json]`; the environment variable `CLIENTS` says how many (5,000).

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use measure::{Report, Row, Unit, processor_time, resident};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::task::JoinSet;
use wa_conformance::{Document, Failure, INTEGRATOR, PHONE, Playground, World};
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Content, Event, MessageId};
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, SqliteStore, StoreKey};
use wa_interop::{Client, Events, enlist};

/// Resident bytes of an idle client, at most.
const IDLE: f64 = 12_288.0;

/// Clients that are there before the first reading, so that what is made once is not counted.
const WARM: usize = 50;

/// Clients that write at the same time, and texts of each.
const WRITERS: usize = 64;
const TEXTS: usize = 50;

/// Clients that are being made at the same time.
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--serve") => serve().await,
        Some("--json") => measure(true).await,
        _ => measure(false).await,
    }
}

/// The other process: says where it is, and ends with its standard input.
async fn serve() -> Result<(), Failure> {
    let playground = Playground::start(Document::ReferenceOffer).await?;
    println!("{}", serde_json::to_string(&playground.world()?)?);
    let mut line = String::new();
    BufReader::new(tokio::io::stdin()).read_line(&mut line).await?;
    Ok(())
}

async fn measure(json: bool) -> Result<(), Failure> {
    let count = std::env::var("CLIENTS").map_or(Ok(5000), |count| count.parse())?;
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().ok_or_else(|| Failure::new("no output"))?;
    let line = BufReader::new(output)
        .lines()
        .next_line()
        .await?
        .ok_or_else(|| Failure::new("the other process ended"))?;
    let world: World = serde_json::from_str(&line)?;
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::create(&directory.path().join("store.db"), &StoreKey::generate())?;

    let mut clients = make(&world, &store, 0..WARM.min(count)).await?;
    let before = resident("self")?;
    clients.extend(make(&world, &store, clients.len()..count).await?);
    // Whatever their beginnings left behind is let go.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let more = u64::try_from(count - WARM.min(count))?.max(1);
    let each = resident("self")?.saturating_sub(before) / more;

    let (cpu, start) = (processor_time("self")?, Instant::now());
    let writers: Vec<(Client, Events)> = clients.drain(..WRITERS.min(count)).collect();
    let messages = u64::try_from(2 * writers.len() * TEXTS)?;
    converse(writers).await?;
    let (wall, cpu) = (start.elapsed().as_secs_f64(), processor_time("self")? - cpu);
    let mut memory = Report::new("the goal");
    memory.push(Row::new("resident, an idle client", Unit::Bytes, each as f64, IDLE));
    memory.print(json);
    let mut cost = Report::new("as many seconds of the clients' processor");
    cost.push(
        Row::new("messages, half each way", Unit::PerSecond, messages as f64 / wall, messages as f64 / cpu)
            .with_info(),
    );
    cost.print(json);
    drop(clients);
    Ok(())
}

/// Enlists and connects clients.
async fn make(
    world: &World,
    store: &SqliteStore,
    numbers: std::ops::Range<usize>,
) -> Result<Vec<(Client, Events)>, Failure> {
    let (mut tasks, mut clients) = (JoinSet::new(), Vec::new());
    let profile = Arc::new(world.profile());
    for number in numbers {
        if tasks.len() >= AT_ONCE {
            clients.extend(tasks.join_next().await.transpose()?.transpose()?);
        }
        tasks.spawn(connected(world.clone(), Arc::clone(&profile), store.clone(), number));
    }
    while let Some(client) = tasks.join_next().await {
        clients.push(client??);
    }
    Ok(clients)
}

async fn connected(
    world: World,
    profile: Arc<Profile>,
    store: SqliteStore,
    number: usize,
) -> Result<(Client, Events), Failure> {
    let user = format!("user-{number}");
    let account = store.account(&AccountId::new(&*user)?)?;
    let keys = AccountKeys::generate(&mut rand::rng());
    Client::create(&account, &keys).await?;
    let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let token = world.token(&user).await?;
    let login = enlist(&http, &profile, &keys.public(), INTEGRATOR, &user, &token).await?;
    let (client, mut events) = Client::open(account, world.chatd(), profile, world.root()).await?;
    client.enlisted(login).await?;
    client.connect(token).await?;
    while events.next().await? != Event::Connected {}
    Ok((client, events))
}

/// Each writes and waits for its echo, so many times.
async fn converse(writers: Vec<(Client, Events)>) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    for (client, mut events) in writers {
        tasks.spawn(async move {
            for number in 0..TEXTS {
                let id = MessageId(format!("text-{number}"));
                client.send(Jid::phone(PHONE)?, id, Content::text("a text of some length")).await?;
                loop {
                    let event = events.next().await?;
                    if let Some(id) = event.id() {
                        client.confirm(id).await?;
                    }
                    if matches!(event, Event::Message { .. }) {
                        break;
                    }
                }
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}
