//! Nothing that was answered is lost: the program is killed while it takes pushes, and its system calls are watched.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::task::JoinSet;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{OutboxStore as _, SqliteStore};

use crate::fixture::callers::{publish, push, pushes, token, url};
use crate::fixture::program::{Program, command};

/// How many pushes are sent in all, to one process after the other; each is killed on the way.
const PUSHES: usize = 10_000;
const LIVES: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_ten_thousand_pushes_none_that_was_answered_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let whatsapp = publish().await;
    let mut answered = BTreeSet::new();
    for life in 0..LIVES {
        // Nobody reads its log.
        let mut quiet = command(directory.path());
        quiet.env("WA_INTEGRATOR_LOG", "off").args(["--listen", "127.0.0.1:0"]).args(pushes(&whatsapp));
        let program = Program::of(&mut quiet);
        let first = life * PUSHES / LIVES;
        answered.append(&mut until_killed(program, first..first + PUSHES / LIVES).await);
    }
    let store = SqliteStore::open(&directory.path().join("store.sqlite")).unwrap();
    let waiting = store.due_wake_ups("webhook", u64::MAX >> 1, PUSHES).await.unwrap();
    let kept: BTreeSet<String> = waiting.iter().map(|it| it.user.as_str().to_owned()).collect();
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} are lost", lost.len(), answered.len());
    assert!(answered.len() > PUSHES / 2 && kept.len() < PUSHES, "{} answered", answered.len());
}

/// Sends these pushes, kills the program when four fifths have been answered, and gives who was answered 200.
async fn until_killed(mut program: Program, numbers: std::ops::Range<usize>) -> BTreeSet<String> {
    let (url, audience) = (url(&program, "push"), url(&program, "address"));
    let token = Arc::new(token(&audience));
    let enough = numbers.len() * 4 / 5;
    let count = Arc::new(AtomicUsize::new(0));
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    let mut senders = JoinSet::new();
    for part in 0..SENDERS {
        let mine: Vec<usize> = numbers.clone().filter(|number| number % SENDERS == part).collect();
        let (client, url, token, count) =
            (client.clone(), url.clone(), Arc::clone(&token), Arc::clone(&count));
        senders.spawn(async move {
            let mut answered = Vec::new();
            for number in mine {
                let user = format!("user {number}");
                match client.send(push(&url, &token, &user)).await {
                    Ok(response) => {
                        assert_eq!(response.status(), StatusCode::OK, "push {number}");
                        answered.push(user);
                    }
                    // It is gone.
                    Err(_) => break,
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
            answered
        });
    }
    for _ in 0..60_000 {
        if count.load(Ordering::Relaxed) >= enough {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // SIGKILL.
    program.child.kill().unwrap();
    senders.join_all().await.into_iter().flatten().collect()
}

const SENDERS: usize = 64;

/// Needs `strace`; where there is none (`STRACE` may name it), the order is still shown without a process by
/// `tests/push.rs`, and the mode of the database by `tests/store.rs`.
#[tokio::test]
async fn the_disk_is_synced_between_the_push_and_its_answer() {
    let Some(strace) = strace() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (whatsapp, trace) = (publish().await, directory.path().join("trace"));
    let program = traced(&strace, &trace, &directory.path().join("data"), &pushes(&whatsapp));
    let token = token(&url(&program, "address"));
    let client = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
    for number in 0..3 {
        let user = format!("traced-{number}");
        let response = client.send(push(&url(&program, "push"), &token, &user)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    end(program);
    let calls = std::fs::read_to_string(&trace).unwrap();
    let mut calls = calls.lines();
    for number in 0..3 {
        let request = format!("traced-{number}");
        let came = calls
            .find(|call| call.contains("POST /push") && call.contains("recv") || call.contains(&request));
        assert!(came.is_some(), "push {number} is not in the trace");
        // Not the answer with WhatsApp's keys, which the program receives.
        let answer = |call: &str| call.contains("HTTP/1.1 200 OK") && !call.contains("recv");
        let between: Vec<_> = calls.by_ref().take_while(|call| !answer(call)).collect();
        let synced = between.iter().position(|call| call.contains("fdatasync(") || call.contains("fsync("));
        assert!(synced.is_some(), "push {number} was answered before a sync: {between:#?}");
    }
}

/// Ends the traced program, and with it the tracer.
fn end(mut program: Program) {
    let children =
        Command::new("ps").args(["-o", "pid=", "--ppid", &program.child.id().to_string()]).output();
    let children = String::from_utf8(children.unwrap().stdout).unwrap();
    for pid in children.split_whitespace() {
        assert!(Command::new("kill").args(["-TERM", pid]).status().unwrap().success());
    }
    program.child.wait().unwrap();
}

fn strace() -> Option<String> {
    let name = std::env::var("STRACE").unwrap_or_else(|_| "strace".to_owned());
    let tried = Command::new(&name).args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success()).then_some(name)
}

fn traced(strace: &str, trace: &Path, data: &Path, arguments: &[String]) -> Program {
    let program = command(data);
    let mut traced = Command::new(strace);
    let calls = "trace=read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync";
    traced
        .args(["-f", "-qq", "-s", "200", "-e", calls, "-o"])
        .arg(trace)
        .arg("--")
        .arg(program.get_program());
    traced.args(program.get_args()).args(["--listen", "127.0.0.1:0"]).args(arguments);
    Program::of(traced.stdout(Stdio::piped()).stderr(Stdio::null()))
}
