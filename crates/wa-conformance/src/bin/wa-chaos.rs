//! `wa-chaos`: many runs of client and WhatsApp under faults, each of which replays from its number.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::{Parser, Subcommand, ValueEnum};
use sha2::{Digest, Sha256};
use wa_conformance::{Failure, Faults, Pair, Schedule, StorageKind, Tally};

/// Runs client and WhatsApp under faults. A run that fails is named by its seed, and replays.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Random schedules of crashes and of a bad line
    Seeds {
        /// The number of schedules
        #[arg(long, default_value_t = 10_000)]
        seeds: u64,
        /// The first one
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// What goes wrong
        #[arg(long, value_enum, default_value_t = Wrong::All)]
        faults: Wrong,
        /// What rows are kept in
        #[arg(long, value_enum, default_value_t = Rows::Memory)]
        store: Rows,
    },
    /// A death at every edge of a conversation, and at every pair of two edges
    Edges {
        /// Every so many-th pair only
        #[arg(long, default_value_t = 1)]
        every: u64,
    },
    /// Empty full mailboxes with the loop of the README, on busy processors
    Drain {
        /// The number of mailboxes
        #[arg(long, default_value_t = 100)]
        runs: u32,
    },
    /// One SHA-256 over all that the client lets out in many schedules; a change that only moves code keeps it
    Digest {
        /// How many schedules
        #[arg(long, default_value_t = 1_000)]
        seeds: u64,
    },
    /// Write a store file of this version, for the tests of later ones
    Fixture {
        /// Into which directory
        directory: PathBuf,
    },
    /// Kill a running client again and again
    Kill {
        /// How often the client is killed
        #[arg(long, default_value_t = 200)]
        times: u32,
    },
    /// See with strace that the store is synced before a text leaves
    Sync {
        /// How many texts
        #[arg(long, default_value_t = 20)]
        texts: u64,
    },
    /// Two processes take turns at one account, are killed, stopped and overtaken
    Turns {
        /// How often the processes change
        #[arg(long, default_value_t = 50)]
        times: u32,
    },
    /// One of those two
    #[command(hide = true)]
    Turn {
        /// What it is told, in JSON
        orders: String,
    },
    /// The client that the others start
    #[command(hide = true)]
    Client {
        /// What it is told, in JSON
        orders: String,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Wrong {
    All,
    Crashes,
    Link,
}

#[derive(Clone, Copy, ValueEnum)]
enum Rows {
    Memory,
    Sqlite,
}

fn main() -> ExitCode {
    let (what, outcome) = match Arguments::parse().what {
        What::Drain { runs } => return done(wa_conformance::drain(runs)),
        What::Digest { seeds } => return done(digest(seeds)),
        What::Fixture { directory } => {
            let written = wa_conformance::write_fixture(&directory)
                .and_then(|()| wa_conformance::open_fixture(&directory));
            return done(written.map(|()| format!("written and opened: {}", directory.display())));
        }
        What::Kill { times } => return live(async |program| wa_conformance::survive(program, times).await),
        What::Sync { texts } => return live(async |program| wa_conformance::watch(program, texts).await),
        What::Client { orders } => {
            return live(async |_| wa_conformance::serve(&orders).await.map(|()| String::new()));
        }
        What::Turns { times } => {
            return live(async |program| wa_conformance::take_turns(program, times).await);
        }
        What::Turn { orders } => {
            return live(async |_| wa_conformance::turn(&orders).await.map(|()| String::new()));
        }
        What::Seeds { seeds, from, faults, store } => {
            let faults = match faults {
                Wrong::All => Faults::All,
                Wrong::Crashes => Faults::Crashes,
                Wrong::Link => Faults::Link,
            };
            let storage = match store {
                Rows::Memory => StorageKind::Memory,
                Rows::Sqlite => StorageKind::Sqlite,
            };
            let run = |number| Schedule { seed: from + number, faults, storage }.run();
            (format!("{seeds} schedules from seed {from}"), many(seeds, "seed", from, run))
        }
        What::Edges { every } => edges(every),
    };
    report(&what, outcome)
}

/// Runs something that needs sockets; it is told where this program lies.
fn live(run: impl AsyncFnOnce(&Path) -> Result<String, Failure>) -> ExitCode {
    let outcome = std::env::current_exe().map_err(Failure::from).and_then(|program| {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(run(&program))
    });
    done(outcome)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]
fn done(outcome: Result<String, Failure>) -> ExitCode {
    match outcome {
        Ok(done) => {
            println!("{done}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("wa-chaos: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// The digest of the digests of schedules, in their order.
fn digest(seeds: u64) -> Result<String, Failure> {
    let digests = Mutex::new(BTreeMap::new());
    let run = |seed| {
        let digest = Schedule { seed, faults: Faults::All, storage: StorageKind::Memory }.digest()?;
        digests.lock().unwrap_or_else(PoisonError::into_inner).insert(seed, digest);
        Ok(Tally::default())
    };
    many(seeds, "seed", 0, run).map_err(Failure)?;
    let digests = digests.into_inner().unwrap_or_else(PoisonError::into_inner);
    let whole = digests.values().fold(Sha256::new(), |whole, digest| whole.chain_update(digest));
    Ok(hex::encode(whole.finalize()))
}

/// Each edge alone, and every so many-th pair, under both documents.
fn edges(every: u64) -> (String, Result<Tally, String>) {
    let mut runs: Vec<(u64, Vec<usize>)> = Vec::new();
    for seed in 0..2 {
        let edges = match Pair::count_edges(seed) {
            Ok(edges) => edges,
            Err(failure) => return ("edges".to_owned(), Err(failure.to_string())),
        };
        runs.extend((0..edges).map(|edge| (seed, vec![edge])));
        let pairs = (0..edges).flat_map(|first| (first + 1..edges).map(move |second| vec![first, second]));
        let step = usize::try_from(every).unwrap_or(usize::MAX).max(1);
        runs.extend(pairs.step_by(step).map(|pair| (seed, pair)));
    }
    let count = u64::try_from(runs.len()).unwrap_or(u64::MAX);
    let run = |number: u64| {
        let run = usize::try_from(number).ok().and_then(|number| runs.get(number));
        let (seed, edges) = run.ok_or_else(|| Failure::new("no such run"))?;
        let told = |failure: Failure| Failure::new(format!("document {seed}, edges {edges:?}: {failure}"));
        Ok(Pair::run_edges(*seed, edges).map_err(told)?.0)
    };
    (format!("{count} deaths at edges, alone and in pairs"), many(count, "run", 0, run))
}

/// Runs them on all processors; the first failure stops the others.
fn many(
    count: u64,
    what: &str,
    from: u64,
    run: impl Fn(u64) -> Result<Tally, Failure> + Sync,
) -> Result<Tally, String> {
    let next = AtomicU64::new(0);
    let total = Mutex::new(Ok(Tally::default()));
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let outcome = run(number);
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            match (&mut *total, outcome) {
                (Ok(total), Ok(tally)) => *total += tally,
                (total @ Ok(_), Err(failure)) => {
                    *total = Err(format!("{what} {}: {failure}", from + number));
                    next.store(count, Ordering::Relaxed);
                }
                (Err(_), _) => {}
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command-line program")]
fn report(what: &str, outcome: Result<Tally, String>) -> ExitCode {
    match outcome {
        Ok(Tally { sent, received, crashes, .. }) => {
            println!("{what}: all balance; {sent} texts out, {received} in, {crashes} deaths");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
