//! What is judged, and how it is started.

use std::fmt;
use std::path::PathBuf;

use crate::checks::{Check, Drives};
use crate::prove::{Fault, Struck};
use crate::target::device::ShimProgram;
use crate::target::server::{ForeignServer, Server};

/// What is judged, and how it is started.
#[derive(Clone, Debug, Default)]
pub struct Setting {
    /// The third party's server.
    pub server: ServerSetting,
    /// The third party's client.
    pub client: ClientSetting,
    /// The program wa-sandbox; without it the local WhatsApp runs in this process.
    pub sandbox: Option<PathBuf>,
    /// The port of the local WhatsApp's HTTP; chatd has the next one. 0: any. Only for one that runs in this process.
    pub port: u16,
    /// What a saboteur breaks in it.
    pub fault: Option<Fault>,
    /// Whether they have found something to break.
    pub struck: Struck,
    /// Whether checks wait for less long than they should, since most will wait in vain.
    pub is_hurried: bool,
}

/// Which server is judged, or helps to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ServerSetting {
    /// This project's own, in this process.
    #[default]
    InProcess,
    /// This project's own, as the program wa-integrator.
    Program(PathBuf),
    /// Somebody else's, which runs.
    Foreign(Box<ForeignServer>),
}

/// Which client is judged, or helps to judge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ClientSetting {
    /// This project's own.
    #[default]
    Own,
    /// Somebody else's, behind a shim.
    Shim(ShimProgram),
}

impl Setting {
    /// Whether a check is about anything of what is judged here.
    #[must_use]
    pub fn concerns(&self, check: &Check) -> bool {
        match (&self.server, &self.client) {
            (ServerSetting::Foreign(_), _) => matches!(check.drives, Drives::Server(_)),
            (_, ClientSetting::Shim(_)) => matches!(check.drives, Drives::Client(_)),
            (_, ClientSetting::Own) => true,
        }
    }

    /// Why a check cannot run here; nothing if it can.
    pub(crate) fn lacks(&self, check: &Check) -> Option<String> {
        match (&self.server, &self.client, check.drives) {
            (ServerSetting::Foreign(server), _, Drives::Server(facilities)) => facilities
                .iter()
                .find(|facility| server.lacks(**facility))
                .map(|facility| format!("the server's file has no [{facility}]")),
            (_, ClientSetting::Shim(shim), Drives::Client(verbs)) => {
                verbs.iter().find(|verb| !shim.can(**verb)).map(|verb| format!("the client cannot {verb}"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let ClientSetting::Shim(shim) = &self.client {
            return write!(f, "the client {}", shim.name());
        }
        match &self.server {
            ServerSetting::InProcess => f.write_str("this project's own stack, in one process"),
            ServerSetting::Program(_) => f.write_str("this project's own stack"),
            ServerSetting::Foreign(server) => write!(f, "the server at {}", server.base_url()),
        }
    }
}
