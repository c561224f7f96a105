//! Two processes take turns at one account, as an application and its notification extension do; they are killed, stopped
//! and overtaken.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;
use wa_interop::store::{AccountId, Lease};
use wa_interop::{Client, ClientError, Drained, Ended, Events};

use crate::chaos::endurance::{Orders, PATIENCE, Said, Survivor, USER, say, show, spawn};
use crate::report::failure::{Failure, ensure};

/// How long a process that says nothing keeps the account.
const TERM: Duration = Duration::from_secs(2);

/// What one process is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Turn {
    holder: String,
    /// It holds the account until it is told to go on.
    waits: bool,
    client: Orders,
}

/// One process's turn: it waits for the account, sends and takes what there is, and gives it back.
///
/// # Errors
/// The store fails.
pub async fn turn(orders: &str) -> Result<(), Failure> {
    let turn: Turn = serde_json::from_str(orders)?;
    let store = turn.client.store()?;
    let lease = store.lease(&AccountId::new(USER)?, &turn.holder, TERM).await?;
    say(Said::Took)?;
    if turn.waits {
        // Its lease is renewed by a thread of its own.
        std::io::stdin().read_line(&mut String::new())?;
    }
    match work(&turn.client, &lease).await {
        Ok(()) => {
            lease.release().await;
            store.close().await;
            say(Said::Left)
        }
        Err(ended) => say(Said::Ended(ended.0)),
    }
}

async fn work(orders: &Orders, lease: &Lease) -> Result<(), Failure> {
    let (client, mut events) = orders.client(lease.account()).await?;
    let done = tokio::select! {
        ended = take(&client, &mut events) => ended,
        done = empty(orders, &client) => done,
    };
    client.close().await;
    done
}

async fn take(client: &Client, events: &mut Events) -> Result<(), Failure> {
    loop {
        let event = events.next().await?;
        show(client, &event).await?;
    }
}

async fn empty(orders: &Orders, client: &Client) -> Result<(), Failure> {
    client.connect(orders.token.clone()).await?;
    for number in orders.from..orders.from + orders.count {
        orders.send(client, number).await?;
    }
    match client.drain(Instant::now() + PATIENCE).await? {
        Drained::Empty => Ok(()),
        other => Err(Failure(format!("{other:?}"))),
    }
}

/// A process that has begun its turn.
struct Process {
    child: Child,
    orders: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(survivor: &Survivor, holder: &str, waits: bool) -> Result<Self, Failure> {
        let turn = Turn { holder: holder.to_owned(), waits, client: survivor.orders(1, 0)? };
        let mut command = Command::new(&survivor.program);
        command.arg("turn").arg(serde_json::to_string(&turn)?).stdin(Stdio::piped());
        let (mut child, lines) = spawn(&mut command)?;
        let orders = child.stdin.take().ok_or_else(|| Failure::new("no input"))?;
        Ok(Self { child, orders, lines })
    }

    /// The next thing that it says; none after its end.
    async fn said(&mut self, survivor: &mut Survivor) -> Result<Option<Said>, Failure> {
        let Some(line) = self.lines.next_line().await? else { return Ok(None) };
        // The last line of one that was killed may be cut.
        let Ok(said) = serde_json::from_str(&line) else { return Ok(None) };
        survivor.hear(&line)?;
        Ok(Some(said))
    }

    /// Hears it out; gives the last thing that it said.
    async fn finish(&mut self, survivor: &mut Survivor) -> Result<Option<Said>, Failure> {
        let mut last = None;
        while let Some(said) = self.said(survivor).await? {
            last = Some(said);
        }
        Ok(last)
    }

    /// It holds the account.
    async fn took(&mut self, survivor: &mut Survivor) -> Result<(), Failure> {
        loop {
            match self.said(survivor).await? {
                Some(Said::Took) => return Ok(()),
                Some(_) => {}
                None => return Err(Failure::new("it ended before it had the account")),
            }
        }
    }

    /// Sends it a signal by its name.
    async fn signal(&self, name: &str) -> Result<(), Failure> {
        let id = self.child.id().ok_or_else(|| Failure::new("it has ended"))?;
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {id}")).status().await?;
        ensure("the signal is sent", sent.success())
    }

    async fn go_on(&mut self) -> Result<(), Failure> {
        Ok(self.orders.write_all(b"go on\n").await?)
    }
}

/// What has happened.
#[derive(Debug, Default)]
struct Count {
    killed: u32,
    overtaken: u32,
}

/// Lets two processes take turns so many times; every third time one of them is killed somewhere, and every third time one
/// is stopped while it holds the account, overtaken, and goes on. Nothing is lost, doubled or shown again.
///
/// # Errors
/// The error says what was lost, or who waits in vain.
pub async fn take_turns(program: &Path, times: u32) -> Result<String, Failure> {
    let mut survivor = Survivor::new(program).await?;
    let mut count = Count::default();
    for round in 0..times {
        survivor.said.clear();
        let taken = async {
            match round % 3 {
                0 => both(&mut survivor).await,
                1 => killed(&mut survivor, &mut count).await,
                _ => overtaken(&mut survivor, &mut count).await,
            }
        };
        let taken = tokio::time::timeout(PATIENCE, taken).await;
        taken.unwrap_or_else(|_| Err(Failure::new("it stands still"))).map_err(|failure| {
            let said = &survivor.said;
            Failure(format!("round {round}: {failure}; they said {said:?}"))
        })?;
    }
    tokio::time::timeout(PATIENCE, survivor.rest()).await.unwrap_or_else(|_| Err(Failure::new("no rest")))?;
    let Count { killed, overtaken } = count;
    Ok(format!(
        "{times} rounds of two processes at one account, {killed} killed and {overtaken} overtaken: {} texts out, none \
         lost, doubled or shown again",
        survivor.next
    ))
}

/// Both want the account at the same time.
async fn both(survivor: &mut Survivor) -> Result<(), Failure> {
    survivor.write().await?;
    let mut pair = [Process::start(survivor, "app", false)?, Process::start(survivor, "extension", false)?];
    for process in &mut pair {
        left(process.finish(survivor).await?)?;
    }
    Ok(())
}

/// One is killed after so many lines; the other waits no longer than the term.
async fn killed(survivor: &mut Survivor, count: &mut Count) -> Result<(), Failure> {
    survivor.write().await?;
    let mut first = Process::start(survivor, "extension", false)?;
    for _ in 0..rand::rng().random_range(1..7) {
        first.said(survivor).await?;
    }
    first.child.kill().await?;
    first.finish(survivor).await?;
    count.killed += 1;
    let mut second = Process::start(survivor, "app", false)?;
    left(second.finish(survivor).await?)
}

/// One is stopped while it holds the account; when it goes on, it finds that it is another's.
async fn overtaken(survivor: &mut Survivor, count: &mut Count) -> Result<(), Failure> {
    survivor.write().await?;
    let mut stopped = Process::start(survivor, "extension", true)?;
    stopped.took(survivor).await?;
    stopped.signal("STOP").await?;
    let begun = Instant::now();
    let mut other = Process::start(survivor, "app", false)?;
    other.took(survivor).await?;
    ensure("overtaken after the term", begun.elapsed() < TERM * 5)?;
    left(other.finish(survivor).await?)?;
    stopped.go_on().await?;
    stopped.signal("CONT").await?;
    count.overtaken += 1;
    let fenced = ClientError::from(Ended::Fenced).to_string();
    match stopped.finish(survivor).await? {
        Some(Said::Ended(reason)) if reason == fenced => Ok(()),
        other => Err(Failure(format!("{other:?} of one that was overtaken, not {fenced:?}"))),
    }
}

fn left(last: Option<Said>) -> Result<(), Failure> {
    match last {
        Some(Said::Left) => Ok(()),
        other => Err(Failure(format!("the last word is {other:?}"))),
    }
}
