//! Streams and floods by the heads of frames.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn frame(kind: u8, flags: u8, stream: u32, length: u32) -> Vec<u8> {
    let [_, high, middle, low] = length.to_be_bytes();
    let mut frame = [&[high, middle, low, kind, flags][..], &stream.to_be_bytes()].concat();
    frame.resize(9 + length as usize, 0);
    frame
}

fn opened(now: Instant) -> Http2 {
    let mut http2 = Http2::new(now);
    http2.receive(&[b'x'; 24], now).unwrap();
    http2
}

#[test]
fn a_stream_is_open_from_its_head_to_its_answers_end() {
    let now = Instant::now();
    for ending in [frame(0, 1, 1, 5), frame(1, 5, 1, 5), frame(3, 0, 1, 4)] {
        let mut http2 = opened(now);
        assert!(http2.is_idle());
        http2.receive(&frame(1, 5, 1, 10), now).unwrap();
        assert!(!http2.is_idle());
        http2.send(&[frame(4, 0, 0, 6), frame(1, 4, 1, 10), frame(0, 0, 1, 10)].concat(), now);
        assert!(!http2.is_idle());
        http2.send(&ending, now);
        assert!(http2.is_idle());
        http2.receive(&frame(1, 5, 1, 10), now).unwrap();
        assert!(http2.is_idle(), "trailers of a stream that has ended open none");
    }
    let mut http2 = opened(now);
    http2.receive(&[frame(1, 4, 1, 10), frame(3, 0, 1, 4)].concat(), now).unwrap();
    assert!(http2.is_idle(), "reset by the peer");
}

#[test]
fn a_head_is_open_until_its_last_frame_whatever_comes_between() {
    let now = Instant::now();
    let mut http2 = opened(now);
    http2.receive(&frame(1, 1, 1, 10), now).unwrap();
    assert_eq!(http2.head_since(), Some(now));
    http2.receive(&[frame(6, 0, 0, 8), frame(9, 0, 1, 1)].concat(), now + SECOND).unwrap();
    assert_eq!(http2.head_since(), Some(now));
    http2.receive(&frame(9, 4, 1, 1), now).unwrap();
    assert_eq!(http2.head_since(), None);
}

#[test]
fn requests_and_answers_that_stop_or_trickle_are_seen() {
    let start = Instant::now();
    let stalled =
        |http2: &Http2, seconds: u32| http2.stalled(start + SECOND * seconds, SECOND * 10, SECOND * 20, 100);
    let mut request = opened(start);
    request.receive(&frame(1, 4, 1, 10), start).unwrap();
    assert_eq!(stalled(&request, 9), None);
    assert_eq!(stalled(&request, 10), Some(Stalled::Request));
    for second in 1..11 {
        request.receive(&frame(0, 0, 1, 1), start + SECOND * second).unwrap();
        assert_eq!(stalled(&request, second), (second == 10).then_some(Stalled::Request), "{second}");
    }
    let mut answer = opened(start);
    answer.receive(&[frame(1, 4, 1, 10), frame(0, 1, 1, 10_000)].concat(), start).unwrap();
    assert_eq!(stalled(&answer, 19), None);
    assert_eq!(stalled(&answer, 20), Some(Stalled::Answer), "the request's bytes earn its answer nothing");
    for second in 1..21 {
        answer.send(&frame(0, 0, 1, 1), start + SECOND * second);
        assert_eq!(stalled(&answer, second), (second == 20).then_some(Stalled::Answer), "{second}");
    }
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
        let mut http2 = opened(now);
        http2.receive(&nothing.repeat(most), now).unwrap();
        let refused = http2.receive(&[settings.clone(), nothing.repeat(1)].concat(), now).unwrap_err();
        let at = if most == 1000 { 0 } else { settings.len() };
        assert_eq!(refused, Flood { at: Some(at) }, "{name}");
    }
}

#[test]
fn what_asks_for_something_is_free() {
    let now = Instant::now();
    let mut http2 = opened(now);
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        // A client that opens both windows after each answer.
        let asked = [frame(1, 5, stream, 10), frame(8, 0, 0, 4), frame(8, 0, stream, 4)].concat();
        http2.receive(&asked, now).unwrap();
        http2.send(&[frame(1, 4, stream, 10), frame(0, 1, stream, 100)].concat(), now);
    }
    for _ in 0..20_000 {
        http2.receive(&[frame(0, 0, 40_001, 1024), frame(8, 0, 0, 4)].concat(), now).unwrap();
    }
    for _ in 0..3000 {
        http2.receive(&frame(0, 0, 40_001, 1), now).unwrap();
    }
}
