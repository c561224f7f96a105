//! `cargo xtask bench attacks [--json]`: what is left of well-behaved clients' rate while others attack, and of the
//! server's memory.
//!
//! The server runs in a process of its own. Rounds without and with an attack alternate.

use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use measure::{Report, Row, Unit};
use peers_integrator::{ATTACKS, Attack, KEYS_PATH, Load, issuing};
use wa_integrator::{ConnectionLimits, Server, SigningKey};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How often each attack is measured; a figure is the median.
const ROUNDS: usize = 7;
const CONNECTIONS: usize = 32;
const ROUND_TIME: Duration = Duration::from_millis(800);
/// Until an attack is under way, and until it is over.
const BETWEEN: Duration = Duration::from_millis(300);

fn main() -> Result<(), Fault> {
    let (mut json, mut only) = (false, None);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--serve" => return serve(),
            "--json" => json = true,
            name if ATTACKS.iter().any(|attack| attack.name == name) => only = Some(argument),
            other => return Err(format!("bench-attacks does not know `{other}`").into()),
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut report = Report::new("without the attack");
    for attack in ATTACKS {
        if only.as_deref().is_none_or(|only| only == attack.name) {
            let (rate, memory) = runtime.block_on(measured(attack))?;
            report.push(rate);
            report.push(memory);
        }
    }
    print!("{}", if json { report.json() } else { report.table() });
    Ok(())
}

/// The other process: says where it is, and ends with its standard input.
#[tokio::main]
async fn serve() -> Result<(), Fault> {
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    let address = server.address();
    let service = issuing(&format!("http://{address}"), SigningKey::generate()?);
    println!("{address}");
    tokio::spawn(server.run(service, std::future::pending()));
    let waiting = || std::io::stdin().lock().read_line(&mut String::new());
    tokio::task::spawn_blocking(waiting).await??;
    Ok(())
}

/// The rate with the attack beside that without, and the memory after it beside that before.
async fn measured(attack: Attack) -> Result<(Row, Row), Fault> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.as_mut().ok_or("no output")?).read_line(&mut line)?;
    let address = line.trim().parse()?;
    let mut load = Load::open(address, KEYS_PATH, CONNECTIONS).await?;
    // Whatever is allocated once is allocated now.
    load.rate(ROUND_TIME).await?;
    let before = resident(&child)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(load.rate(ROUND_TIME).await?);
        let attackers = attack.begin(address);
        tokio::time::sleep(BETWEEN).await;
        with.push(load.rate(ROUND_TIME).await?);
        drop(attackers);
        tokio::time::sleep(BETWEEN).await;
    }
    let after = resident(&child)?;
    drop(child.stdin.take());
    child.wait()?;
    let rate = Row::new(attack.name, Unit::PerSecond, median(with), median(without));
    let memory = Row::new(format!("{}, memory", attack.name), Unit::Bytes, after, before);
    Ok((rate, memory.with_info()))
}

/// What the process holds in memory, in bytes.
fn resident(child: &Child) -> Result<f64, Fault> {
    let status = std::fs::read_to_string(format!("/proc/{}/statm", child.id()))?;
    let pages: f64 = status.split(' ').nth(1).ok_or("no resident pages")?.parse()?;
    Ok(pages * 4096.0)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
