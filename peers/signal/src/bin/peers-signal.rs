//! `peers-signal [--conversations N] [--seed S]`: random conversations with two versions of the official library.
//!
//! Each conversation is carried out four times: both ends official, each end ours in turn, both ends ours. Every
//! verdict must be the same in all four: what is opened, what is refused and why, what is sent and how long it is.
//! Conversation number i has seed S + i, and its parity chooses the version. With each go one signature of each side
//! and one fingerprint. Exit code 0 only if all agree.

use std::process::ExitCode;

use peers_signal::conversation::{Event, Run, run};
use peers_signal::oracle::{Oracle, OracleError, VERSIONS, bytes, text};
use peers_signal::party::{Party, Side};
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::{Value, json};
use wa_keys::Signature;
use wa_signal::Fingerprint;

fn main() -> ExitCode {
    let Some(args) = Args::parse() else {
        eprintln!("usage: peers-signal [--conversations N] [--seed S]");
        return ExitCode::from(2);
    };
    match converse(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

struct Args {
    conversations: u64,
    seed: u64,
}

impl Args {
    fn parse() -> Option<Self> {
        let mut args = std::env::args().skip(1);
        let mut parsed = Self { conversations: 300, seed: u64::from(rand::rng().next_u32()) };
        while let Some(arg) = args.next() {
            let value = args.next()?.parse().ok()?;
            match arg.as_str() {
                "--conversations" => parsed.conversations = value,
                "--seed" => parsed.seed = value,
                _ => return None,
            }
        }
        Some(parsed)
    }
}

/// The number of disagreements.
fn converse(args: &Args) -> Result<u64, OracleError> {
    let mut oracles = [Oracle::start(VERSIONS[0])?, Oracle::start(VERSIONS[1])?];
    let mut totals = [Totals::default(), Totals::default()];
    for index in 0..args.conversations {
        let seed = args.seed.wrapping_add(index);
        let version = (seed % 2) as usize;
        let (oracle, totals) = (&mut oracles[version], &mut totals[version]);
        let disagreement = match compare(seed, oracle, totals)? {
            None => check_keys(seed, oracle, totals)?,
            found => found,
        };
        if let Some(disagreement) = disagreement {
            totals.disagreements += 1;
            println!("DISAGREEMENT with {}: {disagreement}", VERSIONS[version]);
            println!("  again: peers-signal --conversations 1 --seed {seed}");
        }
    }
    println!("seed {}", args.seed);
    for (version, totals) in VERSIONS.iter().zip(&totals) {
        println!("libsignal-client {version}: {totals}");
    }
    Ok(totals.iter().map(|totals| totals.disagreements).sum())
}

/// What was done with one version.
#[derive(Default)]
struct Totals {
    conversations: u64,
    sessions: u64,
    sent: u64,
    opened: u64,
    refused: u64,
    signatures: u64,
    fingerprints: u64,
    disagreements: u64,
}

impl Totals {
    fn count(&mut self, run: &Run) {
        for (_, event) in &run.events {
            match event {
                Event::Established(_) => self.sessions += 1,
                Event::Sent(_) => self.sent += 1,
                Event::Arrived(Ok(_)) => self.opened += 1,
                Event::Arrived(Err(_)) => self.refused += 1,
            }
        }
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { conversations, sessions, sent, opened, refused, signatures, fingerprints, disagreements } =
            self;
        write!(
            f,
            "{conversations} conversations ({sessions} sessions, {sent} messages sent, {opened} opened, {refused} \
             refused), {signatures} signatures, {fingerprints} fingerprints, {disagreements} disagreements"
        )
    }
}

/// The conversation of a seed between all pairs of sides; the first disagreement.
fn compare(seed: u64, oracle: &mut Oracle, totals: &mut Totals) -> Result<Option<String>, OracleError> {
    let expected = run(seed, [Side::Official; 2], oracle)?;
    totals.conversations += 1;
    totals.count(&expected);
    for sides in [[Side::Ours, Side::Official], [Side::Official, Side::Ours], [Side::Ours; 2]] {
        let found = run(seed, sides, oracle)?;
        if found.wrong > 0 {
            return Ok(Some(format!("{sides:?} opened {} messages as another text", found.wrong)));
        }
        if let Some(difference) = difference(&expected, &found) {
            return Ok(Some(format!("{sides:?}, {difference}")));
        }
    }
    Ok(None)
}

fn difference(expected: &Run, found: &Run) -> Option<String> {
    let pairs = expected.events.iter().zip(&found.events).enumerate();
    let differing = pairs.into_iter().find(|(_, (expected, found))| expected != found);
    differing.map(|(index, ((step, expected), (_, found)))| {
        format!("event {index}, {step:?}: {} and not {}", shown(found), shown(expected))
    })
}

fn shown(event: &Event) -> String {
    match event {
        Event::Arrived(Ok(plaintext)) => format!("opened {} bytes", plaintext.len()),
        other => format!("{other:?}"),
    }
}

/// A signature by each side, verified by the other, whole and bent; and a fingerprint made by both.
fn check_keys(seed: u64, oracle: &mut Oracle, totals: &mut Totals) -> Result<Option<String>, OracleError> {
    let mut rng = StdRng::seed_from_u64(seed);
    oracle.reset()?;
    let ours = Party::new(Side::Ours, ["alice", "bob"], 1, oracle, &mut rng)?;
    let theirs = Party::new(Side::Official, ["bob", "alice"], 2, oracle, &mut rng)?;
    let mut message = vec![0; rng.random_range(0..200)];
    rng.fill_bytes(&mut message);
    for signer in [&ours, &theirs] {
        let good = signer.sign(&message, oracle, &mut rng)?;
        let mut bent = *good.as_bytes();
        bent[rng.random_range(0..64)] ^= 1 << rng.random_range(0..8);
        for (signature, expected) in [(good, true), (Signature::from_bytes(bent), false)] {
            totals.signatures += 1;
            let here = signer.identity().verify(&message, &signature).is_ok();
            let there = verify(&signer.identity().to_prefixed(), &message, &signature, oracle)?;
            if (here, there) != (expected, expected) {
                return Ok(Some(format!("signature: we say {here}, the library {there}")));
            }
        }
    }
    totals.fingerprints += 1;
    check_fingerprint([&ours, &theirs], oracle, &mut rng)
}

fn verify(
    key: &[u8],
    message: &[u8],
    signature: &Signature,
    oracle: &mut Oracle,
) -> Result<bool, OracleError> {
    let answer = oracle.ask(&json!({
        "command": "verify", "key": text(key), "message": text(message), "signature": text(signature.as_bytes()),
    }))?;
    Ok(answer.get("valid") == Some(&Value::Bool(true)))
}

fn check_fingerprint(
    parties: [&Party; 2],
    oracle: &mut Oracle,
    rng: &mut StdRng,
) -> Result<Option<String>, OracleError> {
    let version = rng.random_range(1..=2);
    let identifiers = [0, 1].map(|_| rng.random::<u64>().to_string());
    let keys = parties.map(|party| [party.identity()]);
    let side = |index: usize| wa_signal::Party {
        identifier: identifiers[index].as_bytes(),
        identities: &keys[index],
    };
    let ours = Fingerprint::new(version, side(0), side(1));
    let answer = oracle.ask(&json!({
        "command": "fingerprint", "version": version,
        "local": text(identifiers[0].as_bytes()), "local_key": text(&keys[0][0].to_prefixed()),
        "remote": text(identifiers[1].as_bytes()), "remote_key": text(&keys[1][0].to_prefixed()),
    }))?;
    let display = answer.get("display").and_then(Value::as_str);
    if display != Some(ours.to_string().as_str()) {
        return Ok(Some("fingerprint: other digits".to_owned()));
    }
    let scanned = bytes(&answer, "scannable")?;
    let turned = Fingerprint::new(version, side(1), side(0));
    if scanned != ours.scannable() || !turned.matches(&scanned) {
        return Ok(Some("fingerprint: another code".to_owned()));
    }
    Ok(None)
}
