//! `wa chat` as its user meets it, against a local WhatsApp with a phone that reads, types and answers.
#![cfg(feature = "chat")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use wa_conformance::{Document, Playground};

struct Terminal {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    seen: Vec<String>,
}

impl Terminal {
    fn open(playground: &Playground, directory: &Path) -> Self {
        let print = |name: &str| format!("cat '{}'", directory.join(name).display());
        let wa = Path::new(env!("CARGO_BIN_EXE_wa"));
        let mut command = playground.chat(wa, &print("token"), &print("credential"));
        let command = command
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output).lines(), seen: Vec::new() }
    }

    async fn write(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// Waits until a line with this in it has come.
    async fn wait(&mut self, part: &str) {
        let wait = async {
            loop {
                let line = self.output.next_line().await.unwrap().expect("the chat goes on");
                self.seen.push(line.clone());
                if line.contains(part) {
                    return;
                }
            }
        };
        if tokio::time::timeout(Duration::from_secs(30), wait).await.is_err() {
            panic!("no {part:?} in {:#?}", self.seen);
        }
    }

    async fn leave(mut self) {
        self.write("/quit").await;
        assert!(self.child.wait().await.unwrap().success());
    }
}

/// A local WhatsApp, and a directory in which the user's token and credential lie.
async fn world() -> (Playground, TempDir) {
    let playground = Playground::start(Document::ReferenceOffer).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), playground.issue("alice").await.unwrap()).unwrap();
    std::fs::write(directory.path().join("credential"), playground.credential("alice").unwrap()).unwrap();
    (playground, directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chat_with_ticks_typing_and_blocking_and_its_account_is_kept() {
    let (playground, directory) = world().await;
    let mut terminal = Terminal::open(&playground, directory.path());
    terminal.wait("connected").await;
    terminal.write("hello").await;
    for part in [
        "[1] \u{2022}",
        "[1] \u{2713}\u{2713} delivered",
        "[1] \u{2713}\u{2713} read",
        "typing",
        "echo: hello",
    ] {
        terminal.wait(part).await;
    }
    terminal.write("/react \u{1F44D}").await;
    terminal.wait("[2] \u{2713}\u{2713} read").await;
    terminal.write("/block").await;
    terminal.wait("is blocked").await;
    terminal.write("/blocklist").await;
    terminal.wait("14155551001@s.whatsapp.net").await;
    terminal.write("/unblock").await;
    terminal.wait("not blocked any more").await;
    terminal.write("/dance").await;
    terminal.wait("there is no command").await;
    terminal.leave().await;

    // The second time there is nothing to enlist, and a session is there.
    let mut terminal = Terminal::open(&playground, directory.path());
    terminal.wait("connected").await;
    terminal.write("me again").await;
    terminal.wait("echo: me again").await;
    terminal.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_and_come() {
    let (playground, directory) = world().await;
    let picture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wa-media/tests/files/picture.jpg");
    let mut terminal = Terminal::open(&playground, directory.path());
    terminal.wait("connected").await;
    terminal.write("/save").await;
    terminal.wait("there is no file yet").await;
    terminal.write("/send no such file").await;
    terminal.wait("no such file: ").await;
    terminal.write(&format!("/send {}", picture.display())).await;
    terminal.wait("[1] \u{2713}\u{2713} read").await;

    let shown = playground.phone_shows().await.unwrap()["content"]["media"].clone();
    assert_eq!((&shown["kind"], &shown["mime"]), (&json!("image"), &json!("image/jpeg")));
    let about = &shown["about"];
    assert_eq!((&about["width"], &about["height"]), (&json!(160), &json!(90)));
    assert!(about["thumbnail"].as_str().unwrap().starts_with("ffd8ff"), "a JPEG in hexadecimal");

    let file = playground.phone_sends_document(3000).await.unwrap();
    terminal.wait("(document, 2.93 KiB; /save)").await;
    for name in ["document.plain", "1-document.plain"] {
        terminal.write("/save").await;
        terminal.wait(&format!("saved as {name}")).await;
        let saved = std::fs::read(directory.path().join(name)).unwrap();
        assert_eq!(json!(hex::encode(Sha256::digest(saved))), file["sha256"]);
    }
    terminal.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_it_says_so() {
    let playground = Playground::start(Document::ReferenceOffer).await.unwrap();
    let wa = Path::new(env!("CARGO_BIN_EXE_wa"));
    let output = playground.chat(wa, "false", "false").stdin(Stdio::null()).output().await.unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the token command gives no token"), "{said}");
}
