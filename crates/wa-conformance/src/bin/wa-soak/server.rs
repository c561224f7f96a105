//! The other process: the local WhatsApp and the service, and a word with them.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use wa_conformance::{Document, Failure, Playground, World};

/// The other process.
pub(crate) struct Server {
    child: Child,
    world: World,
    asking: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
    has_rotated: bool,
}

impl Server {
    pub(crate) async fn start() -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--serve")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(asking), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::new("no pipes"));
        };
        let mut answers = BufReader::new(output).lines();
        let world = answers.next_line().await?.ok_or_else(|| Failure::new("the other process ended"))?;
        Ok(Self { child, world: serde_json::from_str(&world)?, asking, answers, has_rotated: false })
    }

    pub(crate) fn world(&self) -> World {
        self.world.clone()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Asks the control interface.
    pub(crate) async fn ask(&mut self, path: &str, body: Value) -> Result<(), Failure> {
        self.say(&json!({ "path": path, "body": body })).await
    }

    /// Cuts the connections of these logins.
    pub(crate) async fn cut(&mut self, logins: &[String]) -> Result<(), Failure> {
        for login in logins {
            self.ask(&format!("accounts/{login}/cut"), json!({})).await?;
        }
        Ok(())
    }

    /// The service signs with a new key: once, since the next one may sign only after it was published for a day.
    pub(crate) async fn rotate_keys(&mut self) -> Result<(), Failure> {
        if std::mem::replace(&mut self.has_rotated, true) {
            return Ok(());
        }
        self.say(&json!({ "rotate": true })).await
    }

    async fn say(&mut self, what: &Value) -> Result<(), Failure> {
        self.asking.write_all(format!("{what}\n").as_bytes()).await?;
        match self.answers.next_line().await?.as_deref() {
            Some("done") => Ok(()),
            other => Err(Failure::new(format!("{what}: {}", other.unwrap_or("the other process ended")))),
        }
    }
}

/// Says where it is, does what it is told, and ends with its standard input.
pub(crate) async fn serve() -> Result<(), Failure> {
    let playground = Playground::start(Document::ReferenceOffer).await?;
    println!("{}", serde_json::to_string(&playground.world()?)?);
    let mut lines: Lines<BufReader<Stdin>> = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match obey(&playground, &serde_json::from_str(&line)?).await {
            Ok(()) => println!("done"),
            Err(failure) => println!("{}", failure.to_string().replace('\n', " ")),
        }
    }
    Ok(())
}

async fn obey(playground: &Playground, what: &Value) -> Result<(), Failure> {
    match what.get("path").and_then(Value::as_str) {
        // A connection that is gone already cannot be cut.
        Some(path) if path.ends_with("/cut") => {
            drop(playground.control(path, json!({})).await);
            Ok(())
        }
        Some(path) => playground.control(path, what.get("body").cloned().unwrap_or_default()).await.map(drop),
        None => playground.rotate_keys().await,
    }
}
