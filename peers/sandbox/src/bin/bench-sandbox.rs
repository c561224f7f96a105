//! The sandbox under load, beside the one of commit 7c586d0: resident bytes of a connected client, then messages a second.
//!
//! `bench-sandbox [--json]`; the environment variable `CLIENTS` says how many are connected (10,000), `SANDBOX` and `OTHER`
//! name programs that are built already. Without them it builds both, the older one from an export of its commit.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use measure::{Report, Row, Unit, median};
use peers_sandbox::Failure;
use peers_sandbox::client::LoadClient;
use peers_sandbox::process::Process;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Child;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const OTHER: &str = "7c586d0";
const PHONES: [&str; 8] = [
    "14155550001",
    "14155550002",
    "14155550003",
    "14155550004",
    "14155550005",
    "14155550006",
    "14155550007",
    "14155550008",
];

/// Clients that write at the same time, and are there before memory is read; messages of each in a round, and rounds.
const WRITERS: usize = 64;
const MESSAGES: usize = 1600;
const ROUNDS: usize = 9;

/// Messages of each before it is measured.
const WARM_UP: usize = 20;

/// Clients that are being connected at the same time.
const AT_ONCE: usize = 32;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [HOLD, line, issuer, first, end] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        return hold(line, issuer, first.parse()?..end.parse()?).await;
    }
    let is_json = arguments.first().map(String::as_str) == Some("--json");
    let count = std::env::var("CLIENTS").map_or(Ok(10_000), |count| count.parse())?;
    let (ours, other) = (ours()?, other()?);
    // The demonstration integrator of one more sandbox gives the tokens to both.
    let issuer = Process::start(&ours, &["--port".to_owned(), "0".to_owned()]).await?;
    let mut sides = Vec::new();
    for (program, is_ours) in [(ours, true), (other, false)] {
        eprintln!("connecting {count} clients to {program}");
        sides.push(Side::new(&program, is_ours, issuer.address("integrator"), count).await?);
    }
    let mut rates = [Vec::new(), Vec::new()];
    let mut efforts = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (at, side) in sides.iter_mut().enumerate() {
            let (rate, effort) = side.round(MESSAGES).await?;
            rates[at].push(rate);
            efforts[at].push(effort);
        }
    }
    let [ours, other] = rates.map(median);
    let [ours_cpu, other_cpu] = efforts.map(median);
    let mut report = Report::new(OTHER);
    report.push(Row::new("messages a second", Unit::PerSecond, ours, other));
    report.push(Row::new("a second of its processor time", Unit::PerSecond, ours_cpu, other_cpu));
    report.push(Row::new("resident bytes a client", Unit::Bytes, sides[0].each, sides[1].each));
    report.print(is_json);
    Ok(())
}

/// Holds silent clients in a process of its own, since a process may have so many files only, until its input ends.
const HOLD: &str = "--hold";

async fn hold(line: &str, issuer: &str, numbers: Range<usize>) -> Result<(), Failure> {
    let _clients = connect(&Arc::new(Process::started(line)?), issuer, numbers).await?;
    println!("there");
    BufReader::new(tokio::io::stdin()).read_line(&mut String::new()).await?;
    Ok(())
}

/// Silent clients in another process.
async fn held(sandbox: &Process, issuer: &str, numbers: Range<usize>) -> Result<Child, Failure> {
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .args([HOLD, &sandbox.line(), issuer, &numbers.start.to_string(), &numbers.end.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    BufReader::new(output).lines().next_line().await?.ok_or("clients could not be connected")?;
    Ok(child)
}

/// One sandbox with its clients.
struct Side {
    sandbox: Process,
    writers: Vec<LoadClient>,
    /// Connected, and silent.
    _idle: Child,
    each: f64,
}

impl Side {
    async fn new(program: &str, is_ours: bool, issuer: &str, count: usize) -> Result<Self, Failure> {
        let mut arguments = vec![format!("--integrator=1={issuer}"), "--profile=1.0.3".to_owned()];
        arguments.extend(PHONES.map(|phone| format!("--phone={phone}")));
        if is_ours {
            arguments.push("--port=0".to_owned());
        }
        let sandbox = Arc::new(Process::start(program, &arguments).await?);
        let clients = connect(&sandbox, issuer, 0..WRITERS).await?;
        let before = sandbox.resident()?;
        let idle = held(&sandbox, issuer, WRITERS..count.max(WRITERS)).await?;
        let more = sandbox.resident()?.saturating_sub(before);
        let each = more as f64 / count.saturating_sub(WRITERS).max(1) as f64;
        let sandbox = Arc::into_inner(sandbox).ok_or("somebody still connects")?;
        let mut side = Self { sandbox, writers: clients, _idle: idle, each };
        // Sessions begin, and the phones answer once; what is measured is messages without answers.
        side.round(WARM_UP).await?;
        for phone in PHONES {
            let path = if is_ours { format!("phones/{phone}/manners") } else { format!("phones/{phone}") };
            side.sandbox.control(&path, &json!({ "answers": false })).await?;
        }
        side.round(WARM_UP).await?;
        Ok(side)
    }

    /// All writers write at once: messages a second, and messages a second of the sandbox's processor time.
    async fn round(&mut self, messages: usize) -> Result<(f64, f64), Failure> {
        let (cpu, start) = (self.sandbox.processor_time()?, Instant::now());
        let mut tasks = JoinSet::new();
        for mut writer in self.writers.drain(..) {
            tasks.spawn(async move { writer.write(messages).await.map(|()| writer) });
        }
        while let Some(writer) = tasks.join_next().await {
            self.writers.push(writer??);
        }
        let count = (self.writers.len() * messages) as f64;
        let cpu = self.sandbox.processor_time()? - cpu;
        Ok((count / start.elapsed().as_secs_f64(), count / cpu.max(0.01)))
    }
}

async fn connect(
    sandbox: &Arc<Process>,
    issuer: &str,
    numbers: Range<usize>,
) -> Result<Vec<LoadClient>, Failure> {
    let (places, mut tasks) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for number in numbers {
        let (sandbox, issuer) = (Arc::clone(sandbox), issuer.to_owned());
        let place = Arc::clone(&places).acquire_owned().await?;
        tasks.spawn(async move {
            let client =
                LoadClient::connect(&sandbox, &issuer, number as u64, PHONES[number % PHONES.len()]).await;
            drop(place);
            client
        });
    }
    let mut clients = Vec::new();
    while let Some(client) = tasks.join_next().await {
        clients.push(client??);
    }
    Ok(clients)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn ours() -> Result<String, Failure> {
    std::env::var("SANDBOX").or_else(|_| built(&root()))
}

/// The older sandbox, built from an export of its commit, once.
fn other() -> Result<String, Failure> {
    if let Ok(program) = std::env::var("OTHER") {
        return Ok(program);
    }
    let place = root().join("target").join(OTHER);
    if !place.join("Cargo.toml").exists() {
        std::fs::create_dir_all(&place)?;
        let archive = place.join("tree.tar");
        run(Command::new("git").args(["archive", "--output"]).arg(&archive).arg(OTHER).current_dir(root()))?;
        run(Command::new("tar").arg("xf").arg(&archive).current_dir(&place))?;
        std::fs::remove_file(archive)?;
    }
    built(&place)
}

fn built(place: &Path) -> Result<String, Failure> {
    let target = place.join("target");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--quiet", "-p", "wa-sandbox", "--bins", "--target-dir"]).arg(&target);
    run(cargo.current_dir(place))?;
    Ok(target.join("release/wa-sandbox").to_string_lossy().into_owned())
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed").into()) }
}
