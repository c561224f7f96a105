//! Schedules of crashes, cut links and repeated transactions: nothing is lost, doubled or re-keyed.

use wa_conformance::{Pair, Tally};

#[test]
fn three_hundred_schedules_balance() {
    let mut total = Tally::default();
    for seed in 0..300 {
        match Pair::run(seed) {
            Ok(tally) => {
                total.sent += tally.sent;
                total.received += tally.received;
                total.amid_faults += tally.amid_faults;
                total.crashes += tally.crashes;
            }
            Err(failure) => panic!("seed {seed}: {failure}"),
        }
    }
    // The schedules did something, and most of it amid the faults.
    let is_lively = total.sent > 2000 && total.received > 2000 && total.crashes > 1000;
    assert!(is_lively && total.amid_faults * 2 > total.sent, "{total:?}");
}
