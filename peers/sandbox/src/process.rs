//! A sandbox as a process of its own: started, asked and measured.

use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use wa_sandbox::ask;

use crate::Failure;

/// A running sandbox.
#[derive(Debug)]
pub struct Process {
    child: Option<Child>,
    addresses: Value,
}

impl Process {
    /// Starts one; it ends with this value.
    ///
    /// # Errors
    /// It does not start, or says nothing.
    pub async fn start(program: &str, arguments: &[String]) -> Result<Self, Failure> {
        let mut command = Command::new(program);
        command.args(arguments).env("RUST_LOG", "off").stdin(Stdio::null()).stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().ok_or("no output")?;
        let line = BufReader::new(output).lines().next_line().await?.ok_or("the sandbox ended")?;
        Ok(Self { child: Some(child), addresses: serde_json::from_str(&line)? })
    }

    /// One that somebody else has started, by its ready line.
    ///
    /// # Errors
    /// The line is not JSON.
    pub fn started(line: &str) -> Result<Self, Failure> {
        Ok(Self { child: None, addresses: serde_json::from_str(line)? })
    }

    /// Its ready line.
    pub fn line(&self) -> String {
        self.addresses.to_string()
    }

    /// One of its addresses, by its name in the ready line.
    pub fn address(&self, name: &str) -> &str {
        self.addresses.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Asks the control interface.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn control(&self, path: &str, body: &Value) -> Result<(), Failure> {
        let url = format!("{}/{path}", self.address("control").trim_end_matches('/'));
        let (status, answer) = ask("POST", &url, None, Some(body.to_string())).await?;
        if status == 200 { Ok(()) } else { Err(format!("{url}: {answer}").into()) }
    }

    /// Resident bytes.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn resident(&self) -> Result<u64, Failure> {
        Ok(measure::resident(self.id()?)?)
    }

    /// Seconds of processor time.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn processor_time(&self) -> Result<f64, Failure> {
        Ok(measure::processor_time(self.id()?)?)
    }

    fn id(&self) -> Result<u32, Failure> {
        self.child.as_ref().and_then(Child::id).ok_or_else(|| "the sandbox has ended".into())
    }
}
