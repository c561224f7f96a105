//! Very many clients for a long time: they write and are answered, while lines are cut, clients close and open again, keys
//! change, stanzas are lost, spoilt and doubled, and clocks jump.
//!
//! `wa-soak MINUTES`; the environment variable `CLIENTS` says how many (10,000, or as many as there is memory for), `TEXTS`
//! how many texts all of them write in a second (100). The local WhatsApp and the service are in another process. Each
//! minute a line says what was written and answered and what both processes hold. In the end nothing may be lost or shown
//! twice, and the last third of the time may hold no more than the second.

#![expect(clippy::print_stdout, reason = "what it says is its output")]

#[path = "wa-soak/crowd.rs"]
mod crowd;
#[path = "wa-soak/memory.rs"]
mod memory;
#[path = "wa-soak/misfortune.rs"]
mod misfortune;
#[path = "wa-soak/server.rs"]
mod server;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use wa_conformance::Failure;
use wa_interop::store::{SqliteStore, StoreKey};

use crowd::Crowd;
use memory::Memory;
use misfortune::Misfortune;
use server::Server;

/// Clients, if there is memory for them, and what each takes in both processes, generously.
const CLIENTS: u64 = 10_000;
const BYTES_EACH: u64 = 400 << 10;

/// Texts a second, all clients together.
const TEXTS: u64 = 100;

/// Seconds between two readings of memory, and between two misfortunes.
const READING: u64 = 5;
const MISFORTUNE: u64 = 20;

/// How long it may take until everything has arrived in the end; halfway every line is cut, for what was lost on it.
const SETTLING: Duration = Duration::from_secs(240);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("--serve") => server::serve().await,
        Some(minutes) => soak(minutes.parse()?).await,
        None => Err(Failure::new("say for how many minutes")),
    }
}

async fn soak(minutes: u64) -> Result<(), Failure> {
    let count = match given("CLIENTS")? {
        Some(count) => count,
        None => CLIENTS.min(memory::available()? / BYTES_EACH),
    };
    let mut server = Server::start().await?;
    let directory = tempfile::tempdir()?;
    let store = SqliteStore::create(&directory.path().join("store.db"), &StoreKey::generate())?;
    let begun = Instant::now();
    let crowd = Arc::new(Crowd::gather(server.world(), store, count).await?);
    println!("{count} clients are connected after {} s", begun.elapsed().as_secs());
    let mut memory = Memory::of(server.id());
    live(&crowd, &mut server, &mut memory, minutes).await?;
    server
        .ask("faults", serde_json::json!({ "drop": 0, "duplicate": 0, "reorder": 0, "corrupt": 0 }))
        .await?;
    settle(&crowd, &mut server).await?;
    crowd.tally().judge()?;
    memory.judge(crowd.tally().written)?;
    println!("nothing was lost, nothing was shown twice, and no memory that was judged has grown");
    Ok(())
}

/// What a variable of the environment says.
fn given(name: &str) -> Result<Option<u64>, Failure> {
    Ok(std::env::var(name).ok().map(|number| number.parse()).transpose()?)
}

/// Texts all the time, a misfortune now and then.
async fn live(
    crowd: &Arc<Crowd>,
    server: &mut Server,
    memory: &mut Memory,
    minutes: u64,
) -> Result<(), Failure> {
    let (begun, texts) = (Instant::now(), given("TEXTS")?.unwrap_or(TEXTS));
    let mut misfortunes = Misfortune::ALL.iter().cycle();
    for second in 1..=minutes * 60 {
        crowd.write(texts).await?;
        if second % MISFORTUNE == 0
            && let Some(misfortune) = misfortunes.next()
        {
            misfortune.befall(crowd, server).await?;
        }
        if second % READING == 0 {
            memory.read()?;
        }
        if second % 60 == 0 {
            println!("{:>4} min  {}  {memory}", second / 60, crowd.tally());
        }
        sleep_until(begun + Duration::from_secs(second)).await;
    }
    Ok(())
}

/// Until every text was answered.
async fn settle(crowd: &Arc<Crowd>, server: &mut Server) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut were_cut = false;
    while crowd.tally().waiting > 0 && begun.elapsed() < SETTLING {
        if begun.elapsed() > SETTLING / 4 && !were_cut {
            server.cut(&crowd.waiting()).await?;
            were_cut = true;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    println!("settled after {} s: {}", begun.elapsed().as_secs(), crowd.tally());
    Ok(())
}
