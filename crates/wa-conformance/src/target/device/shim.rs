//! Somebody else's client behind a shim: a program that reads a JSON command a line and answers each with a JSON line.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use crate::report::failure::Failure;
use crate::target::device::{Answer, Command, Device, Hello, PROTOCOL, Verb};

/// How long a shim may take for its first line, and for each answer beyond what a command itself waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of the longest answer.
const MAX_LINE: u64 = 16 * 1024 * 1024;

/// The command that starts a shim, and what the shim says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimProgram {
    command: String,
    name: String,
    can: Vec<Verb>,
}

/// A running shim; it ends with this value.
#[derive(Debug)]
pub(crate) struct Shim {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl ShimProgram {
    /// Starts the command once, to hear what it can do.
    ///
    /// # Errors
    /// It does not start, or its first line is not a hello of this version.
    pub async fn probe(command: &str) -> Result<Self, Failure> {
        let (_, Hello { name, can, .. }) = Shim::start(command).await?;
        Ok(Self { command: command.to_owned(), name, can })
    }

    /// The client's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it can do this.
    #[must_use]
    pub fn can(&self, verb: Verb) -> bool {
        self.can.contains(&verb)
    }

    pub(crate) async fn start(&self) -> Result<Shim, Failure> {
        Ok(Shim::start(&self.command).await?.0)
    }
}

impl Shim {
    async fn start(command: &str) -> Result<(Self, Hello), Failure> {
        let named = |error: std::io::Error| Failure(format!("{command}: {error}"));
        let mut program = tokio::process::Command::new("sh");
        // In place of the shell, so that ending it ends the client.
        program.arg("-c").arg(format!("exec {command}")).kill_on_drop(true);
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = program.spawn().map_err(named)?;
        let (input, output) = (process.stdin.take(), process.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err(Failure::new("no pipes")) };
        let mut shim = Self { process, input, output: BufReader::new(output) };
        let line = shim.line(PATIENCE).await.map_err(|it| it.of(command))?;
        let hello: Hello = serde_json::from_str(&line)
            .map_err(|error| Failure(format!("{command}: the first line is no hello: {error}: {line}")))?;
        if hello.hello != PROTOCOL {
            let why = format!("{command} speaks version {} of the protocol, not {PROTOCOL}", hello.hello);
            return Err(Failure(why));
        }
        Ok((shim, hello))
    }

    async fn line(&mut self, patience: Duration) -> Result<String, Failure> {
        let mut line = String::new();
        let mut bounded = (&mut self.output).take(MAX_LINE);
        let read = tokio::time::timeout(patience, bounded.read_line(&mut line)).await;
        match read {
            Err(_) => Err(Failure(format!("no answer within {} s", patience.as_secs()))),
            Ok(Ok(0)) => Err(Failure::new("the shim has ended")),
            Ok(Ok(_)) if line.ends_with('\n') => Ok(line),
            Ok(Ok(_)) => Err(Failure::new("the answer is cut off, or too long")),
            Ok(Err(error)) => Err(error.into()),
        }
    }
}

#[async_trait]
impl Device for Shim {
    async fn ask(&mut self, command: Command) -> Result<Answer, Failure> {
        let text = serde_json::to_string(&command)?;
        self.input.write_all(format!("{text}\n").as_bytes()).await?;
        self.input.flush().await?;
        let own = match command {
            Command::Next { within } => Duration::from_millis(within),
            _ => Duration::ZERO,
        };
        let line = self.line(PATIENCE + own).await.map_err(|it| it.of(&text))?;
        serde_json::from_str(&line).map_err(|error| Failure(format!("{text}: {error} in the answer {line}")))
    }

    async fn end(mut self: Box<Self>) {
        // It may have ended already.
        let _ = self.process.kill().await;
    }
}
