//! `cargo xtask guide`: does what `docs/BEGIN.md` says, and compares what the page says is printed.
//!
//! A block of `sh` is run, and the block of `text` behind it is what it must print, where `…` stands for anything. The
//! first block starts the local WhatsApp, which stays until the end. A block of `rust` must stand in the example. Ports
//! are others than the page's, so that somebody who is reading it is not disturbed.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::conformance::built;
use crate::failure::{Failure, io, no_more};
use crate::program::{Program, root};
use crate::report;

/// The page, and the program whose code it shows.
const PAGE: &str = "docs/BEGIN.md";
const EXAMPLE: &str = "crates/wa-interop/examples/hello.rs";

/// The command that stays, and the ports that it takes on the page.
const SANDBOX: &str = "cargo xtask sandbox";
const PORTS: [u16; 4] = [7400, 7401, 7402, 7403];

/// Reads the page from top to bottom.
pub(crate) fn guide(args: &[String]) -> Result<(), Failure> {
    no_more("guide", args)?;
    if !Program::new("curl").with_args(["--version"]).succeeds() {
        return Err(Failure::new(
            "the page's commands need curl (on Debian and Ubuntu: apt-get install curl)",
        ));
    }
    let read = |path: &str| {
        let path = root().join(path);
        fs::read_to_string(&path).map_err(|error| io(&path, &error))
    };
    let (page, example) = (read(PAGE)?, read(EXAMPLE)?);
    let blocks = blocks(&page);
    let port = free_ports()?;
    let mut sandbox = None;
    for (at, block) in blocks.iter().enumerate() {
        match block.language {
            "sh" if block.text.trim() == SANDBOX => sandbox = Some(Sandbox::start(port)?),
            "sh" => {
                let expected = blocks.get(at + 1).filter(|next| next.language == "text");
                run(block.text, expected.map_or("", |next| next.text), port)?;
            }
            "rust" if !example.contains(block.text) => {
                return Err(Failure::new(format!("{EXAMPLE} has not the code that {PAGE} shows")));
            }
            _ => {}
        }
    }
    drop(sandbox);
    report::line(&format!("{PAGE}: every command did what the page says"));
    Ok(())
}

/// A block of the page between two fences.
struct Block<'a> {
    language: &'a str,
    text: &'a str,
}

fn blocks(page: &str) -> Vec<Block<'_>> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.split_once('\n'))
        .map(|(language, text)| Block { language, text })
        .collect()
}

/// One block of commands in one shell, which ends at the first that fails.
fn run(commands: &str, expected: &str, port: u16) -> Result<(), Failure> {
    report::note(commands);
    let printed = Program::new("sh").with_args(["-euc", &elsewhere(commands, port)]).output()?;
    if matches(&printed, &elsewhere(expected, port)) {
        return Ok(());
    }
    Err(Failure::new(format!("{PAGE} says that this prints\n{expected}\nbut it prints\n{printed}")))
}

/// The page's ports replaced by ours.
fn elsewhere(text: &str, port: u16) -> String {
    let ports = PORTS.into_iter().zip(port..);
    ports.fold(text.to_owned(), |text, (theirs, ours)| {
        text.replace(&format!(":{theirs}"), &format!(":{ours}"))
    })
}

/// Whether a text is as expected, white space at its ends aside; `…` stands for anything.
fn matches(text: &str, expected: &str) -> bool {
    let mut pieces = expected.trim().split('…');
    let Some(mut rest) = text.trim().strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let mut is_open = false;
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = rest.get(at + piece.len()..).unwrap_or_default();
        is_open = piece.is_empty();
    }
    rest.is_empty() || is_open
}

/// The first of four ports in a row that nobody has.
fn free_ports() -> Result<u16, Failure> {
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let found = (17400_u16..27400).step_by(4).find(|first| (*first..first + 4).all(|port| is_free(&port)));
    found.ok_or_else(|| Failure::new("no four free ports in a row"))
}

/// The local WhatsApp, while the page is gone through.
struct Sandbox(Child);

impl Sandbox {
    /// Starts it and waits for its first line.
    fn start(port: u16) -> Result<Self, Failure> {
        let [program] = built(["wa-sandbox"])?;
        let mut command = Command::new(program);
        command.args(["--port", &port.to_string()]).stdin(Stdio::null());
        let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child =
            started.map_err(|error| Failure::new(format!("cannot start the sandbox: {error}")))?;
        let output = child.stdout.take();
        let sandbox = Self(child);
        let mut line = String::new();
        let mut output = std::io::BufReader::new(output.ok_or_else(|| Failure::new("no output"))?);
        match std::io::BufRead::read_line(&mut output, &mut line) {
            Ok(read) if read > 0 => Ok(sandbox),
            _ => Err(Failure::new("the sandbox ended before it was ready")),
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Errors mean that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_stands_between_fences() {
        let page = "a\n\n```sh\nls\n```\nb\n```text\nc\nd\n```\n";
        let found: Vec<_> = blocks(page).iter().map(|block| (block.language, block.text)).collect();
        assert_eq!(found, [("sh", "ls"), ("text", "c\nd")]);
    }

    #[test]
    fn an_ellipsis_stands_for_anything() {
        for (text, expected) in
            [("a", "a"), ("a\n", "a"), ("abc", "a…c"), ("abc", "…"), ("abc", "a…"), ("", "")]
        {
            assert!(matches(text, expected), "{text} {expected}");
        }
        for (text, expected) in [("a", ""), ("ab", "a"), ("abc", "a…d"), ("abcd", "a…c"), ("ba", "a…")]
        {
            assert!(!matches(text, expected), "{text} {expected}");
        }
    }

    #[test]
    fn ports_are_replaced_and_nothing_else() {
        assert_eq!(elsewhere("127.0.0.1:7401 +7401 :7403", 9000), "127.0.0.1:9001 +7401 :9003");
    }
}
