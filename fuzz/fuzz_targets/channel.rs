//! A channel with a server that is real and says anything: it opens after a success and only then, hands on nothing before
//! it and nothing after its end, keeps its limits, and takes bytes alike however they come (wa-chat).
//!
//! The input is the size of pieces; flags: whether the server is known, and whether it shakes hands; and bytes instead of
//! its hello, or what it says behind the handshake: bodies with their length, each sealed, or as they are.
#![no_main]

use std::time::Duration;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_chat::{Channel, ChannelEvent, Login, Now};
use wa_fuzz::WORLD;
use wa_noise::{FrameDecoder, Hello, MAX_FRAME, Transport, frame};
use wa_profile::Profile;

fuzz_target!(|data: &[u8]| {
    let Some((&[step, flags], said)) = data.split_first_chunk() else { return };
    let pieces = tell(usize::from(step) + 1, flags, said);
    let whole = tell(usize::MAX, flags, said);
    assert_eq!(pieces, whole, "as it came in pieces, and at once");
});

const NOW: Now = Now { unix: 1_700_000_000, tick: Duration::ZERO };

/// What the channel tells.
fn tell(step: usize, flags: u8, said: &[u8]) -> Vec<ChannelEvent> {
    let mut rng = StdRng::seed_from_u64(5);
    let (key, login) = (WORLD.client.static_key.clone(), Login::new(7, b"token".to_vec()));
    let known = (flags & 1 != 0).then(|| WORLD.known());
    let profile = Profile::reference_offer_1_0_3();
    let channel = Channel::connect(key, login, WORLD.root, known.as_ref(), profile, NOW, &mut rng);
    let mut line = Line { channel, rng, step, events: Vec::new() };
    if flags & 2 == 0 {
        line.bring(said);
    } else if let Some(mut server) = line.shakes_hands() {
        line.hears(&mut server, said);
    }
    line.events
}

struct Line {
    channel: Channel,
    rng: StdRng,
    step: usize,
    events: Vec<ChannelEvent>,
}

impl Line {
    /// What the server answers to the client's hello, and its end of the channel.
    fn shakes_hands(&mut self) -> Option<Transport> {
        let mut frames = FrameDecoder::new(MAX_FRAME);
        self.take(&mut frames);
        frames.next_intro(&WORLD.client.prologue).ok()??;
        let hello = frames.next_frame().ok()??.freeze();
        match Hello::read(&WORLD.server, hello, &mut WORLD.rng()).ok()? {
            Hello::Resume(resume) => {
                let (transport, _, answer) = resume.accept(&[]).ok()?;
                self.bring(&frame(&answer).ok()?);
                Some(transport)
            }
            Hello::Full(server) => {
                let (server, answer) = server.send(&WORLD.chain).ok()?;
                self.bring(&frame(&answer).ok()?);
                self.take(&mut frames);
                let finish = frames.next_frame().ok()??.freeze();
                Some(server.read_client_finish(finish).ok()?.0)
            }
        }
    }

    /// Bodies with their length, sealed if its highest bit is not set.
    fn hears(&mut self, server: &mut Transport, mut said: &[u8]) {
        while let Some((length, rest)) = said.split_first_chunk() {
            let length = u16::from_be_bytes(*length);
            let (body, rest) = rest.split_at(rest.len().min(usize::from(length & 0x7FFF)));
            said = rest;
            let mut body = BytesMut::from(body);
            if length & 0x8000 == 0 && server.sealer.seal(&mut body).is_err() {
                return;
            }
            let Ok(framed) = frame(&body) else { return };
            self.bring(&framed);
        }
    }

    fn bring(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.step) {
            let (open, closed) = (self.channel.is_open(), self.channel.is_closed());
            self.channel.handle_bytes(NOW, piece, &mut self.rng);
            self.listen(open, closed);
        }
    }

    fn listen(&mut self, mut open: bool, closed: bool) {
        while let Some(event) = self.channel.poll_event() {
            assert!(!closed, "{event:?} after the end");
            match &event {
                ChannelEvent::Open => open = true,
                ChannelEvent::Stanza { .. } => assert!(open, "{event:?} before the login stood"),
                ChannelEvent::Malformed { refusal, .. } => assert!(open || refusal.is_none()),
                ChannelEvent::Closed(_) => assert!(self.channel.is_closed()),
                _ => assert!(self.channel.is_proved()),
            }
            self.events.push(event);
        }
        assert!(!self.channel.is_open() || self.channel.is_proved(), "open to a server that proved nothing");
    }

    /// What the client sends.
    fn take(&mut self, frames: &mut FrameDecoder) {
        while let Some(bytes) = self.channel.poll_transmit() {
            frames.push(&bytes);
        }
    }
}
