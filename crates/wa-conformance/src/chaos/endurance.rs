//! A real client in a process of its own, killed again and again; and watched while it works.
//!
//! The client ([`serve`]) says on its standard output what became durable; its parent ([`survive`]) kills it in
//! the middle and compares in the end what was said with what the phone has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use wa_interop::binary::Jid;
use wa_interop::chat::{AccountKeys, Content, Event, EventId, MessageId};
use wa_interop::noise::TrustRoot;
use wa_interop::store::{AccountId, AccountStore, SqliteStore, StoreKey};
use wa_interop::{Client, Events, TcpConnector};

use crate::report::failure::{Failure, ensure, expect};
use crate::rules::Document;
use crate::target::environment::{Environment, INTEGRATOR, PHONE};

pub(crate) const USER: &str = "endurance";

/// What a client in its own process is told; one JSON object as its argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    store: PathBuf,
    key: [u8; 32],
    chat: String,
    root: [u8; 32],
    pub(crate) token: String,
    /// The first text to send, and how many.
    pub(crate) from: u64,
    pub(crate) count: u64,
    /// Characters of each text, at least.
    length: usize,
}

/// What such a client says; one JSON object a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// It is about to hand over text `n`.
    Sending(u64),
    /// Text `n` is durable.
    Accepted(u64),
    /// A text was shown, under this event.
    Shown(u64, String),
    /// That event is confirmed, durably.
    Confirmed(u64),
    /// It holds the account.
    Took,
    /// It has given the account back.
    Left,
    /// Its client has ended, for this reason.
    Ended(String),
}

/// Says it on the standard output.
///
/// # Errors
/// Nobody reads it.
#[expect(clippy::print_stdout, reason = "what it says is its output")]
pub(crate) fn say(said: Said) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(&said)?);
    Ok(())
}

impl Orders {
    pub(crate) fn store(&self) -> Result<SqliteStore, Failure> {
        Ok(SqliteStore::open(&self.store, &StoreKey::from_bytes(self.key))?)
    }

    pub(crate) async fn client(&self, account: AccountStore) -> Result<(Client, Events), Failure> {
        let root = TrustRoot::new(wa_interop::keys::PublicKey::from_bytes(self.root));
        let chatd = TcpConnector::to(&self.chat);
        Ok(Client::open(account, chatd, Document::ReferenceOffer.profile(), root).await?)
    }

    /// Hands over one text.
    pub(crate) async fn send(&self, client: &Client, number: u64) -> Result<(), Failure> {
        say(Said::Sending(number))?;
        let id = MessageId(format!("endurance-{number}"));
        let text = format!("{:width$}", format!("text {number}"), width = self.length);
        client.send(Jid::phone(PHONE)?, id, Content::text(text)).await?;
        say(Said::Accepted(number))
    }
}

/// Runs one client as it is told, until it is killed.
///
/// # Errors
/// The store or the login fails.
pub async fn serve(orders: &str) -> Result<(), Failure> {
    let orders: Orders = serde_json::from_str(orders)?;
    let store = orders.store()?;
    let (client, mut events) = orders.client(store.account(&AccountId::new(USER)?)?).await?;
    client.connect(orders.token.clone()).await?;
    let mut next = orders.from;
    loop {
        if next < orders.from + orders.count {
            orders.send(&client, next).await?;
            next += 1;
        }
        let Ok(event) = events.next().await else { return Ok(()) };
        show(&client, &event).await?;
    }
}

/// Says what a durable event tells, and confirms it.
pub(crate) async fn show(client: &Client, event: &Event) -> Result<(), Failure> {
    let Some(EventId(id)) = event.id() else { return Ok(()) };
    if let Event::Message { content, .. } = event {
        say(Said::Shown(id, content.as_text().unwrap_or_default().to_owned()))?;
    }
    client.confirm(EventId(id)).await?;
    say(Said::Confirmed(id))
}

/// One user, whose client is killed and started again.
pub(crate) struct Survivor {
    pub(crate) environment: Environment,
    directory: tempfile::TempDir,
    key: StoreKey,
    token: String,
    login: Jid,
    pub(crate) program: PathBuf,
    /// Texts that the client said are durable, and the next one.
    pub(crate) next: u64,
    written: Vec<String>,
    shown: BTreeMap<u64, String>,
    confirmed: BTreeSet<u64>,
    /// What was said in this life.
    pub(crate) said: Vec<String>,
}

impl Survivor {
    pub(crate) async fn new(program: &Path) -> Result<Self, Failure> {
        let environment = Environment::in_process(Document::ReferenceOffer).await?;
        let (directory, key) = (tempfile::tempdir()?, StoreKey::generate());
        let store = SqliteStore::create(&directory.path().join(FILE), &key)?;
        let keys = AccountKeys::generate(&mut rand::rng());
        let account = store.account(&AccountId::new(USER)?)?;
        Client::create(&account, &keys).await?;
        let token = environment.issue(USER).await?;
        let login = environment.enlist(INTEGRATOR, USER, &keys, &token).await??;
        let chatd = TcpConnector::to(&environment.sandbox.chat);
        let (client, _events) =
            Client::open(account, chatd, environment.profile(), environment.root()?).await?;
        client.enlisted(login.clone()).await?;
        client.close().await;
        store.close().await;
        Ok(Self {
            environment,
            directory,
            key,
            token,
            login,
            program: program.to_owned(),
            next: 0,
            written: Vec::new(),
            shown: BTreeMap::new(),
            confirmed: BTreeSet::new(),
            said: Vec::new(),
        })
    }

    /// The client as a process: directly, or under another program.
    async fn start(
        &self,
        count: u64,
        length: usize,
        under: &[&str],
    ) -> Result<(Child, Lines<BufReader<ChildStdout>>), Failure> {
        let mut command = match under.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.arg("client").arg(serde_json::to_string(&self.orders(count, length)?)?);
        spawn(command.stdin(Stdio::null()))
    }

    pub(crate) fn orders(&self, count: u64, length: usize) -> Result<Orders, Failure> {
        Ok(Orders {
            store: self.directory.path().join(FILE),
            key: *self.key.as_bytes(),
            chat: self.environment.sandbox.chat.clone(),
            root: <[u8; 32]>::try_from(hex::decode(&self.environment.sandbox.noise_root)?.as_slice())?,
            token: self.token.clone(),
            from: self.next,
            count,
            length,
        })
    }

    /// The phone writes one more text.
    pub(crate) async fn write(&mut self) -> Result<(), Failure> {
        let text = format!("phone {}", self.written.len());
        self.environment.phone_writes(&self.login, &text).await?;
        self.written.push(text);
        Ok(())
    }

    pub(crate) fn hear(&mut self, line: &str) -> Result<(), Failure> {
        self.said.push(line.to_owned());
        match serde_json::from_str(line)? {
            Said::Sending(_) | Said::Took | Said::Left | Said::Ended(_) => {}
            Said::Accepted(text) => self.next = self.next.max(text + 1),
            Said::Shown(event, text) => {
                ensure("shown again after it was confirmed", !self.confirmed.contains(&event))?;
                if let Some(before) = self.shown.insert(event, text.clone()) {
                    expect("the same event", text, before)?;
                }
            }
            Said::Confirmed(event) => drop(self.confirmed.insert(event)),
        }
        Ok(())
    }

    /// A life: a few texts each way, and a kill after so many lines.
    async fn live(&mut self, lines: u32) -> Result<(), Failure> {
        self.said.clear();
        let (mut child, mut output) = self.start(5, 0, &[]).await?;
        self.write().await?;
        for _ in 0..lines {
            let line = output.next_line().await?;
            self.hear(&line.ok_or_else(|| Failure::new("the client ended by itself"))?)?;
        }
        child.kill().await?;
        // What it said before it died counts.
        while let Some(line) = output.next_line().await? {
            // The last line may be cut.
            if line.ends_with('}') {
                self.hear(&line)?;
            }
        }
        Ok(())
    }

    /// The last life ends when everything has come to rest.
    pub(crate) async fn rest(&mut self) -> Result<(), Failure> {
        let (mut child, mut output) = self.start(1, 0, &[]).await?;
        let from_phone = |it: &Self| {
            it.shown.values().filter(|text| !text.starts_with("echo: ")).cloned().collect::<Vec<_>>()
        };
        // The echo of the last text comes behind everything else.
        let last = format!("echo: text {}", self.next);
        while !self.shown.values().any(|text| *text == last) || from_phone(self).len() < self.written.len() {
            let line = output.next_line().await?;
            self.hear(&line.ok_or_else(|| Failure::new("the client ended by itself"))?)?;
        }
        child.kill().await?;
        expect("texts of the phone", from_phone(self), self.written.clone())?;
        let received = self.environment.received(&self.login.to_string()).await?;
        let expected: Vec<String> = (0..self.next).map(|number| format!("text {number}")).collect();
        expect("texts at the phone", received, expected)
    }
}

/// A process of this program, and what it says.
pub(crate) fn spawn(command: &mut Command) -> Result<(Child, Lines<BufReader<ChildStdout>>), Failure> {
    let command = command.stdout(Stdio::piped()).kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|error| Failure(format!("the client does not start: {error}")))?;
    let stdout = child.stdout.take().ok_or_else(|| Failure::new("no output"))?;
    Ok((child, BufReader::new(stdout).lines()))
}

/// Kills a running client so many times (SIGKILL where there are signals) and checks that nothing was lost, doubled or
/// shown again.
///
/// # Errors
/// What was.
pub async fn survive(program: &Path, times: u32) -> Result<String, Failure> {
    let mut survivor = Survivor::new(program).await?;
    for life in 0..times {
        let lines = rand::rng().random_range(0..14);
        let lived = tokio::time::timeout(PATIENCE, survivor.live(lines)).await;
        lived.unwrap_or_else(|_| Err(Failure::new("it stands still"))).map_err(|failure| {
            let said = &survivor.said;
            Failure(format!("life {life}, to be killed after {lines} lines: {failure}; it said {said:?}"))
        })?;
    }
    tokio::time::timeout(PATIENCE, survivor.rest()).await.unwrap_or_else(|_| Err(Failure::new("no rest")))?;
    let (sent, shown) = (survivor.next, survivor.written.len());
    Ok(format!("{times} kills: {sent} texts out and {shown} in, none lost, doubled or shown again"))
}

/// Watches a client's system calls (with strace): between a text and the first byte that it puts on the wire the
/// store's file is synced.
///
/// # Errors
/// It was not, or strace is not there.
pub async fn watch(program: &Path, texts: u64) -> Result<String, Failure> {
    let mut survivor = Survivor::new(program).await?;
    let trace = survivor.directory.path().join("trace");
    let calls = "trace=fsync,fdatasync,write,writev,sendto,sendmsg";
    let name = trace.to_string_lossy().into_owned();
    let under = ["strace", "-f", "-s", "64", "-e", calls, "-o", &name];
    let (mut child, mut output) = survivor.start(texts, LONG, &under).await?;
    while survivor.next < texts {
        let line = output.next_line().await?;
        survivor.hear(&line.ok_or_else(|| Failure::new("the client ended, or there is no strace"))?)?;
    }
    child.kill().await?;
    judge(&std::fs::read_to_string(trace)?, texts)
}

/// Bytes that a system call put into a socket.
fn sent(line: &str) -> usize {
    let is_send = line.contains("sendto(") || line.contains("sendmsg(");
    let result = line.rsplit(" = ").next().and_then(|result| result.trim().parse().ok());
    result.filter(|_| is_send).unwrap_or(0)
}

/// Reads a trace: after each announcement a sync must come before the text goes into a socket. Texts are told from what
/// else the client says by their length.
fn judge(trace: &str, texts: u64) -> Result<String, Failure> {
    let (mut announced, mut synced, mut judged) = (None, false, 0);
    for line in trace.lines() {
        if let Some((_, rest)) = line.split_once(r#"{\"sending\":"#) {
            announced = rest.split('}').next().map(str::to_owned);
            synced = false;
        } else if line.contains("fsync(") || line.contains("fdatasync(") {
            synced = true;
        } else if sent(line) >= LONG
            && let Some(text) = announced.take()
        {
            ensure(&format!("text {text} left before the sync"), synced)?;
            judged += 1;
        }
    }
    ensure("no text was seen leaving", judged > 0 && judged <= texts)?;
    Ok(format!("{judged} texts left, each behind a sync of the store"))
}

const FILE: &str = "store.db";

/// Longer than anything else that the client sends.
const LONG: usize = 20_000;

/// How long one life may stand still.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_without_a_sync_is_noticed() {
        let announced = r#"12 write(1, "{\"sending\":0}\n", 14) = 14"#;
        let (sync, send) = ("13 fdatasync(9) = 0", "12 sendto(10, \"..\", 20100, 0, NULL, 0) = 20100");
        assert!(judge(&[announced, sync, send].join("\n"), 1).is_ok());
        let ack = "12 sendto(10, \"..\", 60, 0, NULL, 0) = 60";
        assert!(judge(&[announced, ack, sync, send].join("\n"), 1).is_ok(), "an ack of before is no text");
        let early = judge(&[sync, announced, send, sync].join("\n"), 1).unwrap_err();
        assert_eq!(early.0, "text 0 left before the sync");
        assert!(judge(sync, 1).is_err(), "nothing was seen");
    }
}
