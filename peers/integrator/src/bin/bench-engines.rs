//! `cargo xtask bench engines [--json]`: pushes a second over sockets into each engine, and what a million of them cost.
//!
//! Servers are processes of their own, and so is the database; the sender is this one, on the same machine. CPU seconds
//! are those of Linux's `/proc`.

#[allow(dead_code, missing_docs, reason = "what the tests ask of the server")]
#[path = "../../../../crates/wa-integrator/tests/fixture/postgres.rs"]
mod postgres;

use std::io::{BufRead as _, BufReader, Write as _};
use std::num::NonZeroU32;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use measure::{Report, Row, Unit};
use peers_integrator::{AUDIENCE, Published, Pushes, issuing};
use postgres::Postgres;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use wa_http_server::{ConnectionLimits, Server};
use wa_integrator::{
    AnyStore, ChannelSink, Clock, DeliveryRules, Outbox, PostgresAddress, PostgresStore, Push, PushRules,
    SigningKey, SqliteStore, rs256,
};
use wa_jwt::{KeyCache, KeyCacheRules};
use wa_profile::Profile;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Pushes of one round, each to a user of its own; and rounds, of which the median counts.
const PUSHES: usize = 12_000;
const ROUNDS: usize = 3;
const CONNECTIONS: usize = 128;
/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(600);

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => tokio::time::timeout(LIMIT, bench(false)).await?,
        ["--json"] => tokio::time::timeout(LIMIT, bench(true)).await?,
        ["serve", store, keys] => serve(store, Path::new(keys)).await,
        _ => Err("bench-engines knows only --json".into()),
    }
}

/// What one engine did in one round.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    server_seconds: f64,
    database_seconds: f64,
}

async fn bench(json: bool) -> Result<(), Fault> {
    let pushes = Arc::new(Pushes::sign(PUSHES));
    let directory = tempfile::tempdir()?;
    let keys = directory.path().join("keys");
    std::fs::write(&keys, pushes.published().0)?;
    let database = Postgres::start();
    let engines = [("sqlite", 1), ("postgres", 1), ("postgres", 2)];
    let mut rounds: [Vec<Round>; 3] = Default::default();
    // By turns, so that whatever else the machine does falls on all of them.
    for number in 0..ROUNDS {
        for (engine, (name, replicas)) in engines.into_iter().enumerate() {
            let store = match name {
                "sqlite" => directory.path().join(format!("store-{number}")).display().to_string(),
                _ => database.database().await,
            };
            let servers =
                (0..replicas).map(|_| Replica::start(&store, &keys)).collect::<Result<Vec<_>, _>>()?;
            rounds[engine].push(round(&pushes, &servers, &database).await?);
        }
    }
    print(engines.into_iter().zip(rounds.map(median)), json);
    Ok(())
}

/// The others beside the first engine.
fn print<'n>(mut engines: impl Iterator<Item = ((&'n str, usize), Round)>, json: bool) {
    let mut report = Report::new("SQLite, one server");
    let Some((_, first)) = engines.next() else { return };
    let each = |seconds: f64| seconds * 1e9 / PUSHES as f64;
    let servers_alone = |round: Round| each(round.server_seconds);
    let all = |round: Round| each(round.server_seconds + round.database_seconds);
    for ((name, servers), round) in engines {
        let row = |what, unit, ours, reference| {
            Row::new(format!("{what}, {name}, servers: {servers}"), unit, ours, reference).with_info()
        };
        report.push(row("pushes", Unit::PerSecond, round.per_second, first.per_second));
        report.push(row(
            "servers' processor, a push",
            Unit::Nanoseconds,
            servers_alone(round),
            servers_alone(first),
        ));
        report.push(row("all processor, a push", Unit::Nanoseconds, all(round), all(first)));
    }
    report.print(json);
}

async fn round(pushes: &Arc<Pushes>, servers: &[Replica], database: &Postgres) -> Result<Round, Fault> {
    // The first push of each fetches the keys.
    for server in servers {
        send(pushes, &server.address, &AtomicUsize::new(0), 1).await?;
    }
    let main = postmaster(database).await?;
    let servers_before: f64 = servers.iter().map(|server| cpu_seconds(server.child.id())).sum();
    let (database_before, start) = (family_seconds(main), Instant::now());
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (pushes, next) = (Arc::clone(pushes), Arc::clone(&next));
        let address = servers[connection % servers.len()].address.clone();
        senders.spawn(async move { send(&pushes, &address, &next, PUSHES).await });
    }
    while let Some(sent) = senders.join_next().await {
        sent??;
    }
    let time = start.elapsed().as_secs_f64();
    let servers_after: f64 = servers.iter().map(|server| cpu_seconds(server.child.id())).sum();
    Ok(Round {
        per_second: PUSHES as f64 / time,
        server_seconds: servers_after - servers_before,
        database_seconds: family_seconds(main) - database_before,
    })
}

/// Sends on one connection until so many have been sent by all; each is answered 200.
async fn send(pushes: &Pushes, address: &str, next: &AtomicUsize, count: usize) -> Result<(), Fault> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= count {
            return Ok(());
        }
        stream.write_all(&pushes.bytes(number)).await?;
        answer.clear();
        while !answer.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the server closed".into());
            }
        }
        if !answer.starts_with(b"HTTP/1.1 200 ") {
            return Err(format!("push {number}: {}", String::from_utf8_lossy(&answer)).into());
        }
    }
}

/// A server in a process of its own, which ends with this value.
struct Replica {
    child: Child,
    address: String,
}

impl Replica {
    fn start(store: &str, keys: &Path) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve").arg(store).arg(keys).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("no output")?).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One server: takes pushes into this store until its standard input ends. Nobody runs the outbox: what is measured ends
/// with the answer.
async fn serve(store: &str, keys: &Path) -> Result<(), Fault> {
    let store: AnyStore = if Path::new(store).is_absolute() {
        Arc::new(SqliteStore::open(Path::new(store))?)
    } else {
        Arc::new(PostgresStore::connect(&PostgresAddress::new(store)?).await?)
    };
    let (clock, profile) = (Clock::system(), Profile::default());
    let published = Published(std::fs::read_to_string(keys)?);
    let url = profile.push.whatsapp_jwks_url.parse()?;
    let keys = KeyCache::new(published, url, KeyCacheRules::default(), rs256);
    let (sink, _) = ChannelSink::new("channel", 1);
    let outbox = Outbox::new(Arc::clone(&store) as _, vec![Arc::new(sink)], DeliveryRules::default());
    let mut rules = PushRules::new(&profile.push, &AUDIENCE.parse()?, 40);
    (rules.per_user_a_minute, rules.a_second) = (NonZeroU32::MAX, NonZeroU32::MAX);
    let push = Push::new(store, outbox, keys, rules, clock);
    let service = issuing(AUDIENCE, SigningKey::generate()?).with_push(push);
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    println!("{}", server.address());
    std::io::stdout().flush()?;
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    server.run(service, async move { drop(ended.await) }).await;
    Ok(())
}

/// The database's main process.
async fn postmaster(database: &Postgres) -> Result<u32, Fault> {
    let (client, connection) =
        tokio_postgres::connect(&database.url("postgres"), tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.get(0);
    let parent = stat(backend.unsigned_abs()).and_then(|fields| fields.get(1)?.parse().ok());
    Ok(parent.ok_or("no parent of the database's process")?)
}

/// What a process and those of its children that have ended have used.
fn cpu_seconds(pid: u32) -> f64 {
    let fields = stat(pid).unwrap_or_default();
    let ticks: u64 = fields.iter().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / TICKS
}

/// What a process and its children have used.
fn family_seconds(pid: u32) -> f64 {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let parent = pid.to_string();
    let children = pids.filter(|child| stat(*child).is_some_and(|fields| fields.get(1) == Some(&parent)));
    cpu_seconds(pid) + children.map(cpu_seconds).sum::<f64>()
}

/// The fields of `/proc/PID/stat` from the state on: the parent is the second, times are the twelfth to the fifteenth.
fn stat(pid: u32) -> Option<Vec<String>> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(line.rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

/// `sysconf(_SC_CLK_TCK)`, which Linux keeps at this for programs.
const TICKS: f64 = 100.0;

/// The round in the middle by rate.
fn median(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    rounds[rounds.len() / 2]
}
