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
                total.crashes += tally.crashes;
            }
            Err(failure) => panic!("seed {seed}: {failure}"),
        }
    }
    // The schedules did something.
    assert!(total.sent > 1000 && total.received > 1000 && total.crashes > 1000, "{total:?}");
}
