//! The budget of frames that ask for nothing.

use super::*;

fn frame(kind: u8, flags: u8, stream: u32, length: u32) -> Vec<u8> {
    let [_, high, middle, low] = length.to_be_bytes();
    let mut frame = [&[high, middle, low, kind, flags][..], &stream.to_be_bytes()].concat();
    frame.resize(9 + length as usize, 0);
    frame
}

fn opened(now: Instant) -> Counted {
    let mut counted = Counted::new(now);
    counted.receive(&[b'x'; 24], now).unwrap();
    counted
}

#[test]
fn what_asks_for_nothing_is_counted() {
    let now = Instant::now();
    let settings = frame(4, 0, 0, 6);
    for (name, nothing, most) in [
        ("ping", frame(6, 0, 0, 8), 1000),
        ("ping answers", frame(6, 1, 0, 8), 1000),
        ("settings", settings.clone(), 1000),
        ("large settings", frame(4, 0, 0, 6 * 2000), 5),
        ("priority", frame(2, 0, 3, 5), 1000),
        ("windows", frame(8, 0, 0, 4), 1000),
        ("unknown", frame(99, 0, 0, 0), 1000),
        ("resets", frame(3, 0, 1, 4), 1000),
        ("continuation", frame(9, 0, 1, 0), 1000),
        ("empty data", frame(0, 0, 1, 0), 1000),
    ] {
        let mut counted = opened(now);
        counted.receive(&nothing.repeat(most), now).unwrap();
        let refused = counted.receive(&[settings.clone(), nothing.repeat(1)].concat(), now).unwrap_err();
        let at = if most == 1000 { 0 } else { settings.len() };
        assert_eq!(refused, Flood { at: Some(at) }, "{name}");
    }
}

#[test]
fn what_asks_for_something_is_free() {
    let now = Instant::now();
    let mut counted = opened(now);
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        // A client that opens both windows after each answer.
        let asked = [frame(1, 5, stream, 10), frame(8, 0, 0, 4), frame(8, 0, stream, 4)].concat();
        counted.receive(&asked, now).unwrap();
    }
    for _ in 0..20_000 {
        counted.receive(&[frame(0, 0, 40_001, 1024), frame(8, 0, 0, 4)].concat(), now).unwrap();
    }
    for _ in 0..3000 {
        counted.receive(&frame(0, 0, 40_001, 1), now).unwrap();
    }
    // A long download, whose client opens the window with every kibibyte that it was sent.
    for _ in 0..20_000 {
        counted.budget.sent(1024);
        counted.receive(&frame(8, 0, 1, 4), now).unwrap();
    }
}
