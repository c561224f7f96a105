//! Writing results: at once, and for people where people read.

use std::io::{self, IsTerminal, Write};

use wa_binary::Node;

use crate::colour::coloured;
use crate::failure::{Failure, Malformed};

/// How stanzas are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) json: bool,
    pub(crate) pretty: bool,
}

impl Shown {
    /// A stanza as text.
    pub(crate) fn text(self, node: &Node) -> String {
        match (self.json, self.pretty) {
            (false, true) => coloured(&format!("{node:#}")),
            (false, false) => coloured(&node.to_string()),
            // A node holds nothing that JSON could not say.
            (true, true) => serde_json::to_string_pretty(node).unwrap_or_default(),
            (true, false) => serde_json::to_string(node).unwrap_or_default(),
        }
    }
}

/// Whether standard output is read by a person.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Writes a line at once; colours only where they are wanted.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    Failure::output(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Writes bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    Failure::output(out.write_all(bytes).and_then(|()| out.flush()))
}

/// Answers each line: what it means, or what is wrong with it.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    bad: u64,
    all: u64,
}

impl Answers {
    /// Writes the answer to one line.
    pub(crate) fn write(&mut self, answer: Result<String, Malformed>) -> Result<(), Failure> {
        self.all += 1;
        match answer {
            Ok(text) => line(&text),
            Err(error) => {
                self.bad += 1;
                line(&format!("error: {error}"))
            }
        }
    }

    /// The end of the input: a failure if one line was bad.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        let Self { bad, all } = self;
        if bad == 0 { Ok(()) } else { Err(Failure::Lines { bad, all }) }
    }
}
