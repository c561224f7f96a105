//! `wa-conformance --watch`, with this project's own client in the hands of a person who does what they are told.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const PHONE: &str = "14155551001";

/// A program that is ended with the test.
struct Program {
    process: Child,
    input: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut process = Command::new(path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (input, output) = (process.stdin.take(), process.stdout.take().unwrap());
        Self { process, input, lines: BufReader::new(output).lines() }
    }

    fn line(&mut self) -> Option<Value> {
        self.lines.next().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    }

    /// Has the client do something.
    fn ask(&mut self, command: Value) -> Value {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
        let answer = self.line().unwrap();
        assert!(answer.get("ok").is_some(), "{command}: {answer}");
        answer
    }

    /// The next event of this kind.
    fn event(&mut self, kind: &str) -> Value {
        loop {
            let answer = self.ask(json!({ "do": "next", "within": 20_000 }));
            let event = answer.pointer("/ok/event").unwrap_or_else(|| panic!("no {kind} came")).clone();
            if event["is"] == kind {
                return event;
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A person with a client.
struct Person {
    client: Program,
    addresses: Value,
    state: tempfile::TempDir,
}

impl Person {
    fn new(addresses: Value) -> Self {
        let mut client = Program::start(env!("CARGO_BIN_EXE_wa-shim"), &[]);
        assert!(client.line().unwrap()["hello"].is_number());
        Self { client, addresses, state: tempfile::tempdir().unwrap() }
    }

    fn token(&self) -> String {
        let address = self.addresses["integrator"].as_str().unwrap().trim_start_matches("http://").to_owned();
        let body = r#"{"user": "alice"}"#;
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        let length = body.len();
        write!(stream, "POST /token HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}").unwrap();
        let answer = std::io::read_to_string(stream).unwrap();
        let answer: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    fn connect(&mut self) {
        let token = self.token();
        self.client.ask(json!({ "do": "connect", "token": token }));
    }

    fn write(&mut self, id: &str, text: &str) {
        self.client.ask(json!({ "do": "send", "to": PHONE, "id": id, "text": text }));
    }

    fn write_number_back(&mut self, id: &str) {
        loop {
            let text = self.client.event("text")["text"].as_str().unwrap().to_owned();
            let number: String = text.chars().filter(char::is_ascii_digit).collect();
            if text.starts_with("The number is") {
                return self.write(id, &number);
            }
        }
    }

    /// Does what they are told; of some things nothing has to be done with this client.
    fn does(&mut self, task: &str, words: &str) {
        match task {
            "enlist-ok" => {
                let place = &self.addresses;
                let open = json!({
                    "do": "open", "enlist": place["enlist"], "chat": place["chat"], "media": place["media"],
                    "noise_root": place["noise_root"], "integrator": 1, "profile": "1.0.3",
                    "state": self.state.path(),
                });
                self.client.ask(open);
                let token = self.token();
                self.client.ask(json!({ "do": "enlist", "user": "alice", "token": token }));
            }
            "handshake" => self.connect(),
            "prekeys-uploaded" | "server-ping" | "delivered" => {}
            "text-out" => self.write("1", "hello"),
            "text-in" => self.write_number_back("2"),
            "offline" if words.starts_with("End") => drop(self.client.ask(json!({ "do": "disconnect" }))),
            "offline" => {
                self.connect();
                self.write_number_back("3");
            }
            "media-fetched" => {
                let id = self.client.event("media")["id"].clone();
                self.client.ask(json!({ "do": "fetch", "id": id }));
            }
            "block" => {
                let what = if words.starts_with("Block") { "block" } else { "unblock" };
                self.client.ask(json!({ "do": what, "user": PHONE }));
            }
            "deleted" => drop(self.client.ask(json!({ "do": "delete" }))),
            other => panic!("a task that nobody knows: {other}"),
        }
    }
}

#[test]
fn a_person_does_what_they_are_told_and_all_of_it_is_seen() {
    let arguments = ["--watch", "--json", "--port", "0", "--patience", "60"];
    let mut suite = Program::start(env!("CARGO_BIN_EXE_wa-conformance"), &arguments);
    let ready = suite.line().unwrap();
    let mut person = Person::new(ready["ready"].clone());
    let mut passed = Vec::new();
    while let Some(line) = suite.line() {
        if let Some(task) = line["task"].as_str() {
            person.does(task, line["words"].as_str().unwrap());
        } else if line["result"].is_string() {
            assert_eq!(line["result"], "pass", "{line}");
            passed.push(line["id"].clone());
        }
    }
    assert_eq!(passed.len(), 13, "{passed:?}");
    assert!(suite.process.wait().unwrap().success());
}

#[test]
fn a_person_who_does_nothing_is_not_waited_for_and_nothing_passes() {
    let arguments = ["--watch", "--json", "--port", "0", "--patience", "1", "--milestone", "3"];
    let mut suite = Program::start(env!("CARGO_BIN_EXE_wa-conformance"), &arguments);
    let mut results = Vec::new();
    while let Some(line) = suite.line() {
        results.extend(line["result"].as_str().map(str::to_owned));
    }
    assert_eq!(results, [vec!["fail"], vec!["skip"; 8]].concat());
    assert_eq!(suite.process.wait().unwrap().code(), Some(1));
}
