//! Schedules of crashes, cut links, bad lines and repeated transactions: nothing is lost, doubled or re-keyed.

use wa_conformance::{Faults, Pair, Schedule, StorageKind, Tally};

fn run(faults: Faults, storage: StorageKind, seeds: std::ops::Range<u64>) -> Result<Tally, String> {
    let mut total = Tally::default();
    for seed in seeds {
        let schedule = Schedule { seed, faults, storage };
        total += schedule.run().map_err(|failure| format!("seed {seed}: {failure}"))?;
    }
    Ok(total)
}

#[test]
fn three_hundred_schedules_balance() {
    let total = run(Faults::All, StorageKind::Memory, 0..300).unwrap();
    // The schedules did something, and most of it amid the faults.
    let is_lively = total.sent > 2000 && total.received > 2000 && total.crashes > 800;
    assert!(is_lively && total.amid_faults * 4 > total.sent, "{total:?}");
}

#[test]
fn twenty_schedules_balance_over_sqlite() {
    let total = run(Faults::Crashes, StorageKind::Sqlite, 0..20).unwrap();
    assert!(total.crashes > 50, "{total:?}");
}

#[test]
fn a_death_at_every_edge_loses_nothing() {
    for seed in 0..2 {
        let edges = Pair::count_edges(seed).unwrap();
        assert!(edges > 80, "{edges} edges");
        for edge in 0..edges {
            if let Err(failure) = Pair::run_edges(seed, &[edge]) {
                panic!("seed {seed}, edge {edge}: {failure}");
            }
        }
    }
}
