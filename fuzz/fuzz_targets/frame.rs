//! Frames come out of a stream the same, however it was split (wa-noise).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_noise::{FrameDecoder, FrameError, MAX_FRAME};

const PROLOGUE: &[u8] = b"WA\x06\x03";

/// Every frame, and the error after them if there is one. The intro, where the stream has one, comes first.
fn frames(stream: &[u8], step: usize) -> (Vec<Vec<u8>>, Option<FrameError>) {
    let mut decoder = FrameDecoder::new(MAX_FRAME);
    let (mut all, mut begun) = (Vec::new(), false);
    for piece in stream.chunks(step) {
        decoder.push(piece);
        loop {
            let next = match begun {
                true => decoder.next_frame().map(|frame| frame.map(|frame| frame.to_vec())),
                false => decoder.next_intro(PROLOGUE).map(|intro| {
                    begun = intro.is_some();
                    intro.map(|intro| intro.routing_info.unwrap_or_default().to_vec())
                }),
            };
            match next {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(error) => return (all, Some(error)),
            }
        }
    }
    (all, None)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (step, stream) = input;
    assert_eq!(frames(stream, usize::from(step) + 1), frames(stream, stream.len().max(1)));
});
