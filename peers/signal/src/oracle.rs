//! The official library as a process that answers JSON lines (`oracle/oracle.cjs`).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The versions that speak v3 sessions: the newest that writes version byte 0x33, and the newest of all.
pub const VERSIONS: [&str; 2] = ["0.23.1", "0.72.1"];

/// A running process of one version.
pub struct Oracle {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    is_newest: bool,
}

/// The library said no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The message was decrypted before.
    Duplicate,
    /// Another identity than the known one.
    Untrusted,
    /// Anything else: changed, too late, no session, no such prekey.
    Other,
}

/// The oracle itself is broken, or is used wrongly: nothing that it answers can be trusted any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
    /// npm or Node is missing or fails.
    #[error("{0}")]
    Process(String),
    /// A pipe to it is broken.
    #[error("the oracle's pipe: {0}")]
    Pipe(#[from] std::io::Error),
    /// An answer that means nothing.
    #[error("the oracle answered: {0}")]
    Answer(String),
}

impl Oracle {
    /// Installs the version if it is not there yet, and starts it.
    pub fn start(version: &str) -> Result<Self, OracleError> {
        install(version)?;
        let mut child = Command::new("node")
            .args([directory().join("oracle.cjs").as_os_str(), version.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| OracleError::Process(format!("node does not start: {error}")))?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, answers) =
            pipes.ok_or_else(|| OracleError::Process("node has no pipes".to_owned()))?;
        Ok(Self { child, requests, answers: BufReader::new(answers), is_newest: version == VERSIONS[1] })
    }

    /// Whether it is the newest of [`VERSIONS`].
    pub fn is_newest(&self) -> bool {
        self.is_newest
    }

    /// Forgets all parties.
    pub fn reset(&mut self) -> Result<(), OracleError> {
        self.ask(&json!({ "command": "reset" })).map(drop)
    }

    /// A request whose answer is no verdict.
    pub fn ask(&mut self, request: &Value) -> Result<Value, OracleError> {
        let answer = self.judge(request)?;
        answer.map_err(|refusal| OracleError::Answer(format!("{refusal:?} to {request}")))
    }

    /// A request that may be refused.
    pub fn judge(&mut self, request: &Value) -> Result<Result<Value, Refusal>, OracleError> {
        writeln!(self.requests, "{request}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value =
            serde_json::from_str(&line).map_err(|_| OracleError::Answer(format!("{line:?} to {request}")))?;
        if answer.get("error").is_some() {
            return Err(OracleError::Answer(answer.to_string()));
        }
        Ok(match answer.get("refused").and_then(Value::as_str) {
            None => Ok(answer),
            Some("duplicate") => Err(Refusal::Duplicate),
            Some("untrusted") => Err(Refusal::Untrusted),
            Some(_) => Err(Refusal::Other),
        })
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends when its input does; killing it spares waiting for its clean-up.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Bytes as the oracle takes them.
pub fn text(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// A member of an answer that holds bytes.
pub fn bytes(answer: &Value, member: &str) -> Result<Vec<u8>, OracleError> {
    let text = answer.get(member).and_then(Value::as_str);
    let bytes = text.and_then(|text| STANDARD.decode(text).ok());
    bytes.ok_or_else(|| OracleError::Answer(format!("no {member} in {answer}")))
}

fn install(version: &str) -> Result<(), OracleError> {
    let directory = directory().join(version);
    if directory.join("node_modules").is_dir() {
        return Ok(());
    }
    // The package brings its native part built; no script of its own need run.
    let installed = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"])
        .current_dir(&directory)
        .stdout(Stdio::null())
        .status();
    match installed {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(OracleError::Process(format!("npm in {}: {status}", directory.display()))),
        Err(error) => Err(OracleError::Process(format!("npm does not start: {error}"))),
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("oracle")
}
