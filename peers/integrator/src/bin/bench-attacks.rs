//! `cargo xtask bench attacks [--json]`: what is left of well-behaved clients' rate while others attack, and of the
//! server's memory.
//!
//! The server, its attackers and its clients are three processes. Rounds without and with an attack alternate.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use measure::{Report, Row, Unit, median, resident};
use peers_integrator::{ATTACKS, AUDIENCE, Attack, KEYS_PATH, Load, Slow, issuing};
use wa_http_server::{ConnectionLimits, Server};
use wa_integrator::{
    Blobs, ChannelSink, Clock, DeliveryRules, MediaHost, MediaRules, MemoryStore, Outbox, Push, PushRules,
    SigningKey, SqliteMedia, rs256,
};
use wa_jwt::{KeyCache, KeyCacheRules};
use wa_profile::Profile;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How often each attack is measured; a figure is the median.
const ROUNDS: usize = 5;
/// How many attacks it takes until the allocator has what it needs.
const WARM: usize = 10;
const CONNECTIONS: usize = 32;
const ROUND_TIME: Duration = Duration::from_millis(700);
/// How often each well-behaved connection asks: 4,000 requests a second in all.
const PACE: Duration = Duration::from_millis(8);
/// Until an attack is under way, and until it is over.
const BETWEEN: Duration = Duration::from_millis(300);
/// How long attackers are alone with the server.
const ALONE: Duration = Duration::from_millis(1500);

fn main() -> Result<(), Fault> {
    let (mut json, mut only) = (false, None);
    let mut arguments = std::env::args().skip(1);
    let named = |name: &str| ATTACKS.into_iter().find(|attack| attack.name == name);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--serve" => return serve(),
            "--attack" => {
                let attack = arguments.next().and_then(|name| named(&name)).ok_or("no such attack")?;
                return attacking(attack, arguments.next().ok_or("no target")?.parse()?);
            }
            "--json" => json = true,
            name if named(name).is_some() => only = Some(argument),
            other => return Err(format!("bench-attacks does not know `{other}`").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::new("without the attack");
    for attack in ATTACKS {
        if only.as_deref().is_none_or(|only| only == attack.name) {
            runtime.block_on(measured(attack))?.into_iter().for_each(|row| report.push(row));
        }
    }
    report.print(json);
    Ok(())
}

/// The server's process: says where it is, and ends with its standard input.
#[tokio::main]
async fn serve() -> Result<(), Fault> {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    let address = server.address();
    let directory = tempfile::tempdir()?;
    let media = MediaHost::new(
        Blobs::local(&directory.path().join("media"))?,
        Arc::new(SqliteMedia::open(&directory.path().join("media.sqlite"))?),
        MediaRules::new(&Profile::default().media),
        Clock::system(),
    );
    let service =
        issuing(&format!("http://{address}"), SigningKey::generate()?).with_media(media).with_push(push()?);
    println!("{address}");
    tokio::spawn(server.run(service, std::future::pending()));
    until_told().await
}

/// Pushes of somebody whose keys come slowly.
fn push() -> Result<Push, Fault> {
    let (store, profile) = (Arc::new(MemoryStore::new()), Profile::default());
    let url = profile.push.whatsapp_jwks_url.parse()?;
    let keys =
        KeyCache::new(Slow, url, KeyCacheRules::default().with_cooldown(Duration::from_secs(1)), rs256);
    let (sink, _) = ChannelSink::new("channel", 1);
    let outbox = Outbox::new(Arc::clone(&store) as _, vec![Arc::new(sink)], DeliveryRules::default());
    Ok(Push::new(store, outbox, keys, PushRules::new(&profile.push, &AUDIENCE.parse()?, 40), Clock::system()))
}

/// The attackers' process: attacks until its standard input ends, and says how much it sent.
#[tokio::main(flavor = "current_thread")]
async fn attacking(attack: Attack, target: SocketAddr) -> Result<(), Fault> {
    let sent = Arc::new(AtomicU64::new(0));
    let attackers = attack.begin(target, &sent);
    until_told().await?;
    drop(attackers);
    println!("{}", sent.load(Ordering::Relaxed));
    Ok(())
}

async fn until_told() -> Result<(), Fault> {
    let waiting = || std::io::stdin().lock().read_line(&mut String::new());
    tokio::task::spawn_blocking(waiting).await??;
    Ok(())
}

/// What one attack does, in rows: the rate of clients that keep a pace, how long they wait, the rate of clients that
/// ask as fast as they are answered, the server's memory, and its processor time in a second of attack beside that of
/// the attackers.
async fn measured(attack: Attack) -> Result<Vec<Row>, Fault> {
    let mut server = Process::start(&["--serve"])?;
    let target = server.line()?.parse()?;
    let mut load = Load::open(target, KEYS_PATH, CONNECTIONS).await?;
    // Whatever is allocated once is allocated now.
    load.rate(ROUND_TIME).await?;
    for _ in 0..WARM {
        attacked(attack, target, async || Ok(())).await?;
    }
    let before = server.resident()?;
    let (mut quiet, mut under_attack) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        quiet.add(&mut load).await?;
        attacked(attack, target, async || under_attack.add(&mut load).await).await?;
    }
    let after = server.resident()?;
    let start = server.processor_time()?;
    let attackers = attacked(attack, target, async || {
        tokio::time::sleep(ALONE).await;
        Ok(())
    })
    .await?;
    let time = ALONE.as_secs_f64() + BETWEEN.as_secs_f64();
    let (theirs, ours) = (attackers / time, (server.processor_time()? - start) / time);
    server.end()?;

    let name = attack.name;
    let row = |what: &str, unit, ours, reference| Row::new(format!("{name}{what}"), unit, ours, reference);
    Ok(vec![
        row("", Unit::PerSecond, median(under_attack.paced), median(quiet.paced)),
        row(", memory", Unit::Bytes, after, before),
        row(", slowest", Unit::Nanoseconds, median(under_attack.slowest), median(quiet.slowest)).with_info(),
        row(", saturated", Unit::PerSecond, median(under_attack.most), median(quiet.most)).with_info(),
        row(", processor", Unit::Nanoseconds, ours, theirs).with_info(),
    ])
}

/// What is done while an attack is going on; the processor time of the attackers.
async fn attacked(
    attack: Attack,
    target: SocketAddr,
    meanwhile: impl AsyncFnOnce() -> Result<(), Fault>,
) -> Result<f64, Fault> {
    let mut attackers = Process::start(&["--attack", attack.name, &target.to_string()])?;
    tokio::time::sleep(BETWEEN).await;
    meanwhile().await?;
    let time = attackers.processor_time()?;
    let sent: u64 = attackers.end()?.trim().parse()?;
    tokio::time::sleep(BETWEEN).await;
    if sent == 0 { Err("the attackers sent nothing".into()) } else { Ok(time) }
}

/// One figure of each kind for each round.
#[derive(Default)]
struct Figures {
    paced: Vec<f64>,
    slowest: Vec<f64>,
    most: Vec<f64>,
}

impl Figures {
    async fn add(&mut self, load: &mut Load) -> Result<(), Fault> {
        let (rate, slowest) = load.paced(PACE, ROUND_TIME).await?;
        self.paced.push(rate);
        self.slowest.push(slowest.as_secs_f64() * 1e9);
        self.most.push(load.rate(ROUND_TIME).await?);
        Ok(())
    }
}

/// This program once more, in another role.
struct Process(Child);

impl Process {
    fn start(arguments: &[&str]) -> Result<Self, Fault> {
        let mut command = Command::new(std::env::current_exe()?);
        Ok(Self(command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?))
    }

    fn line(&mut self) -> Result<String, Fault> {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().ok_or("no output")?).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Ends it, and reads what it says then.
    fn end(&mut self) -> Result<String, Fault> {
        drop(self.0.stdin.take());
        let mut said = String::new();
        self.0.stdout.as_mut().ok_or("no output")?.read_to_string(&mut said)?;
        self.0.wait()?;
        Ok(said)
    }

    /// What it holds in memory, in bytes.
    fn resident(&self) -> Result<f64, Fault> {
        Ok(resident(self.0.id())? as f64)
    }

    /// What all its threads have had of the processor, in nanoseconds.
    fn processor_time(&self) -> Result<f64, Fault> {
        let mut time = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let of_one = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            time += of_one.split(' ').next().ok_or("no time")?.parse::<f64>()?;
        }
        Ok(time)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
