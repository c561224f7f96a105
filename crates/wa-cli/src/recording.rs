//! A recorded chat channel whose key is known: frames opened, their stanzas shown (overview §2).

use bytes::BytesMut;
use wa_binary::Node;
use wa_noise::{FrameDecoder, MAX_FRAME, Opener};

use crate::arguments::{Envelope, Recording};
use crate::failure::{Failure, Malformed};

/// What a client sends before its first frame: two letters and two version bytes.
const PROLOGUE: &[u8] = b"WA";
const PROLOGUE_LENGTH: usize = 4;

impl Recording {
    /// The key of the direction, if there is a recording.
    pub(crate) fn key(&self) -> Result<Option<[u8; 32]>, Failure> {
        let Some(path) = &self.key_file else { return Ok(None) };
        let path = path.display().to_string();
        let text =
            std::fs::read_to_string(&path).map_err(|error| Failure::File { path: path.clone(), error })?;
        let key = hex::decode(text.trim()).ok().and_then(|key| key.try_into().ok());
        key.map(Some).ok_or(Failure::Key(path))
    }

    /// Hands over each stanza, until a frame is not of this key, or malformed. A frame that the end cuts off is passed over.
    pub(crate) fn read(
        &self,
        key: [u8; 32],
        input: &[u8],
        mut stanza: impl FnMut(Node) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut opener = Opener::from_recording(key, self.missing);
        let mut decoder = FrameDecoder::new(MAX_FRAME);
        let mut start = if input.starts_with(PROLOGUE) { PROLOGUE_LENGTH.min(input.len()) } else { 0 };
        decoder.push(input.get(start..).unwrap_or_default());
        let mut handshake = self.handshake;
        let packed = Envelope { framed: false, packed: true };
        loop {
            let frame = decoder.next_frame().map_err(|error| Malformed::Frame { start, error })?;
            let Some(frame) = frame else { return Ok(()) };
            let end = start + LENGTH + frame.len();
            if handshake > 0 {
                handshake -= 1;
            } else {
                let mut body = BytesMut::from(&*frame);
                opener.open(&mut body).map_err(|error| Malformed::Sealed { start, error })?;
                packed.read(body.to_vec(), &mut stanza)?;
            }
            start = end;
        }
    }
}

/// Bytes of the length before a frame's body.
const LENGTH: usize = 3;
