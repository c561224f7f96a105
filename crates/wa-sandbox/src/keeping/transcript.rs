//! The file of the transcript: a line is added for each stanza; it is written anew where lines are of no use any more.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::keeping::{Fault, KeepingError, private, replace};
use crate::transcript::{Entry, MAX_ENTRIES, Transcript};
use crate::world::World;

/// One stanza on its way.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    number: u64,
    at: u64,
    connection: u64,
    login: Option<String>,
    by: String,
    size: usize,
    node: String,
}

#[derive(Debug)]
pub(super) struct TranscriptFile {
    path: PathBuf,
    /// The number of the last stanza that is in it.
    last: u64,
    lines: usize,
    /// How often the transcript had been cleared then.
    clears: u64,
}

/// What is to be written.
pub(super) struct News {
    entries: Vec<Entry>,
    /// Whether the file begins anew with it.
    is_whole: bool,
    last: u64,
    clears: u64,
}

impl TranscriptFile {
    /// Goes on from a file, if it is there.
    pub(super) fn open(path: PathBuf, world: &mut World) -> Result<Self, KeepingError> {
        let at = |fault| KeepingError { path: path.clone(), fault };
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            other => other.map_err(|error| at(error.into()))?,
        };
        let mut lines = 0;
        for (index, line) in text.split_inclusive('\n').enumerate() {
            // The program may have ended in the middle of the last one.
            let Some(line) = line.strip_suffix('\n') else { break };
            let entry = serde_json::from_str::<Line>(line).ok().and_then(Line::entry);
            world.go_on_from(entry.ok_or_else(|| at(Fault::Line(index + 1)))?);
            lines += 1;
        }
        let (last, clears) = (world.transcript.count(), world.transcript.clears());
        let mut file = Self { path, last, lines, clears };
        if !text.is_empty() && !text.ends_with('\n') {
            let entries = world.transcript.entries();
            let whole = News { entries, is_whole: true, last, clears };
            file.write(whole)
                .map_err(|error| KeepingError { path: file.path.clone(), fault: error.into() })?;
        }
        Ok(file)
    }

    /// What is not written yet.
    pub(super) fn news(&self, transcript: &Transcript) -> News {
        let (last, clears) = (transcript.count(), transcript.clears());
        let is_whole = clears != self.clears || self.lines > 2 * MAX_ENTRIES;
        let entries = if is_whole { transcript.entries() } else { transcript.behind(self.last) };
        News { entries, is_whole, last, clears }
    }

    pub(super) fn write(&mut self, news: News) -> io::Result<()> {
        let News { entries, is_whole, last, clears } = news;
        if entries.is_empty() && !is_whole {
            return Ok(());
        }
        let mut text = String::new();
        for entry in &entries {
            // Writing to a text does not fail.
            let _ = writeln!(text, "{}", serde_json::json!(Line::from_entry(entry)));
        }
        if is_whole {
            replace(&self.path, text.as_bytes())?;
            self.lines = 0;
        } else {
            let mut file = private(OpenOptions::new().append(true).create(true), &self.path)?;
            let before = file.metadata()?.len();
            file.write_all(text.as_bytes()).inspect_err(|_| {
                // The rest of a line would not be one; if this fails too, the next start says which it is.
                let _ = file.set_len(before);
            })?;
        }
        self.lines += entries.len();
        (self.last, self.clears) = (last, clears);
        Ok(())
    }
}

impl Line {
    fn from_entry(entry: &Entry) -> Self {
        Self {
            number: entry.number,
            at: entry.at,
            connection: entry.connection,
            login: entry.login.as_ref().map(ToString::to_string),
            by: entry.by().to_owned(),
            size: entry.size,
            node: hex::encode(&entry.node),
        }
    }

    fn entry(self) -> Option<Entry> {
        let Self { number, at, connection, login, by, size, node } = self;
        let from_client = match &*by {
            "client" => true,
            "server" => false,
            _ => return None,
        };
        let login = login.map(|login| login.parse()).transpose().ok()?;
        let node = hex::decode(node).ok()?.into();
        Some(Entry { number, at, connection, login, from_client, size, node })
    }
}
