//! Clients in other languages that verify tokens with published keys.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A client: its name, its program and its script.
#[derive(Debug)]
pub struct Client {
    name: &'static str,
    program: PathBuf,
    script: PathBuf,
}

impl Client {
    /// npm `jose`, installed on first use beside its script.
    pub fn jose() -> io::Result<Self> {
        let directory = directory();
        if !directory.join("node_modules").is_dir() {
            let mut npm = Command::new("npm");
            npm.args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&directory);
            run(&mut npm)?;
        }
        Ok(Self { name: "jose", program: "node".into(), script: directory.join("verify.mjs") })
    }

    /// PyJWT, installed on first use beside its script.
    pub fn pyjwt() -> io::Result<Self> {
        let directory = directory();
        let python = directory.join("venv/bin/python");
        if !python.exists() {
            run(Command::new("python3").args(["-m", "venv", "venv"]).current_dir(&directory))?;
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PYJWT]))?;
        }
        Ok(Self { name: "PyJWT", program: python, script: directory.join("verify.py") })
    }

    /// What it is called.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The token's header and claims by the keys at a URL, or nothing if it refuses the token; `asked` is the URL, the
    /// token, the issuer and the audience. `authority` is the certificate, in PEM, that the URL's server is checked by.
    pub fn verify(&self, asked: [&str; 4], authority: Option<&Path>) -> io::Result<Option<Value>> {
        let mut client = Command::new(&self.program);
        client.arg(&self.script).args(asked);
        if let Some(authority) = authority {
            client.env("NODE_EXTRA_CA_CERTS", authority);
        }
        let output = client.output()?;
        if !output.status.success() {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&output.stdout)?))
    }
}

/// For whom our tokens are.
pub const WHATSAPP: &str = "https://whatsapp.com";

/// The version of PyJWT; that of `jose` is in `clients/package.json`.
const PYJWT: &str = "PyJWT[crypto]==2.15.1";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients")
}

fn run(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{command:?}: {status}"))) }
}
