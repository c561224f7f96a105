//! The program: its ready line, what it says when it cannot start, and `ctl`.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};

use wa_sandbox::Addresses;

const PROGRAM: &str = env!("CARGO_BIN_EXE_wa-sandbox");

/// A program that runs until it is dropped.
struct Running {
    child: Child,
    addresses: Addresses,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["--port", "0"]).args(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, addresses: serde_json::from_str(&line).unwrap() }
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        run(&[&["ctl", "--url", &self.addresses.media], arguments].concat())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).env_remove("WA_SANDBOX_TOKEN").output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn without_arguments_there_are_an_integrator_and_three_phones() {
    let running = Running::start(&[]);
    assert!(running.addresses.integrator.is_some());
    let phones = running.ctl(&["phones"]);
    assert_eq!(phones.status.code(), Some(0));
    for number in ["14155551001", "14155551002", "14155551003"] {
        assert!(said(&phones.stdout).contains(number), "{}", said(&phones.stdout));
    }
    let integrators = said(&running.ctl(&["integrators"]).stdout);
    assert!(integrators.contains(running.addresses.integrator.as_deref().unwrap()), "{integrators}");
}

#[test]
fn what_is_named_takes_the_place_of_what_is_there_by_itself() {
    let running = Running::start(&["--integrator", "7=http://127.0.0.1:9", "--phone", "4917"]);
    assert_eq!(running.addresses.integrator, None);
    let phones = said(&running.ctl(&["phones"]).stdout);
    assert!(phones.contains("4917") && !phones.contains("14155551001"), "{phones}");
}

#[test]
fn ctl_says_what_went_wrong_by_its_exit_code() {
    let running = Running::start(&[]);
    let done = running.ctl(&["phones", "number=4917", r#"manners:={"answers": false}"#]);
    assert_eq!((done.status.code(), said(&done.stdout).trim()), (Some(0), "{}"));
    let refused = running.ctl(&["phones", "number=4917"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused.stdout).contains("there is a phone 4917 already"), "{}", said(&refused.stdout));
    assert_eq!(running.ctl(&["-X", "delete", "phones/4917"]).status.code(), Some(0));
    let wrong = running.ctl(&["phones", "number"]);
    assert_eq!(wrong.status.code(), Some(2));
    let nobody = run(&["ctl", "--url", "http://127.0.0.1:9", "phones"]);
    assert_eq!(nobody.status.code(), Some(3));
    assert!(said(&nobody.stderr).contains("does not answer"), "{}", said(&nobody.stderr));
}

#[test]
fn it_says_why_it_does_not_start() {
    let off = run(&["--listen", "0.0.0.0", "--port", "0"]);
    assert_eq!(off.status.code(), Some(2));
    assert!(said(&off.stderr).contains("off loopback a token is needed"), "{}", said(&off.stderr));
    let running = Running::start(&[]);
    let port = running.addresses.media.rsplit(':').next().unwrap();
    let taken = run(&["--port", port]);
    assert_eq!(taken.status.code(), Some(1));
    assert!(said(&taken.stderr).contains("--port 0 takes any ports"), "{}", said(&taken.stderr));
    let nowhere = run(&["--authorities", "/nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(said(&nowhere.stderr).contains("/nowhere: No such file"), "{}", said(&nowhere.stderr));
    let empty = run(&["--port", "0", "--authorities", "/dev/null"]);
    assert_eq!(empty.status.code(), Some(1));
    assert!(said(&empty.stderr).contains("hold no certificate in PEM"), "{}", said(&empty.stderr));
    let profile = run(&["--profile", "/nowhere"]);
    assert!(said(&profile.stderr).contains("there is no such file"), "{}", said(&profile.stderr));
}

#[test]
fn the_rules_are_those_of_the_document() {
    let document = include_str!("../../../docs/SANDBOX.md");
    let rules = run(&["rules"]);
    assert!(document.contains(said(&rules.stdout).trim()), "run: cargo xtask codegen");
}

#[test]
fn the_authority_is_written_where_it_is_wanted() {
    let file = std::env::temp_dir().join(format!("wa-sandbox-ca-{}.pem", std::process::id()));
    let running = Running::start(&["--ca", file.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), running.addresses.ca);
    std::fs::remove_file(file).unwrap();
}
