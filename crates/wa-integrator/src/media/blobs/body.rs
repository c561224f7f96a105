//! A blob as an answer's body: read piece by piece as it is asked for, never more than one in memory.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::{Body, Frame, SizeHint};
use object_store::GetResultPayload;
use tokio::task::JoinHandle;

use crate::media::downloads::Download;
use crate::value::answers::BodyError;

/// Exactly the bytes that were promised, or an error.
pub(crate) struct BlobBody {
    source: Source,
    left: u64,
    /// For as long as this lives it counts as one.
    _download: Option<Download>,
}

enum Source {
    File(File),
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    Stream(Pin<Box<dyn Stream<Item = object_store::Result<Bytes>> + Send>>),
    Ended,
}

/// How much is read at a time.
const PIECE: usize = 32 * 1024;

impl BlobBody {
    /// `length` bytes of what was found; of a file, those from `start` on.
    pub(super) fn new(payload: GetResultPayload, start: u64, length: u64) -> Self {
        let source = match payload {
            GetResultPayload::File(mut file, _) => match file.seek(SeekFrom::Start(start)) {
                Ok(_) => Source::File(file),
                Err(_) => Source::Ended,
            },
            GetResultPayload::Stream(stream) => Source::Stream(stream),
        };
        Self { source, left: length, _download: None }
    }

    /// This body, counting as this download until it is dropped.
    pub(crate) fn counted(mut self, download: Download) -> Self {
        self._download = Some(download);
        self
    }

    /// The next bytes, or that there are no more.
    fn poll_bytes(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Bytes>, BodyError>> {
        loop {
            match std::mem::replace(&mut self.source, Source::Ended) {
                Source::File(file) => {
                    let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(PIECE);
                    self.source = Source::Reading(tokio::task::spawn_blocking(move || read(file, length)));
                }
                Source::Reading(mut reading) => match Pin::new(&mut reading).poll(context) {
                    Poll::Pending => {
                        self.source = Source::Reading(reading);
                        return Poll::Pending;
                    }
                    Poll::Ready(Ok(Ok((file, bytes)))) => {
                        self.source = Source::File(file);
                        return Poll::Ready(Ok(Some(bytes)));
                    }
                    Poll::Ready(_) => return Poll::Ready(Err(BodyError)),
                },
                Source::Stream(mut stream) => {
                    let polled = stream.as_mut().poll_next(context);
                    self.source = Source::Stream(stream);
                    return polled.map(|item| item.transpose().map_err(|_| BodyError));
                }
                Source::Ended => return Poll::Ready(Err(BodyError)),
            }
        }
    }
}

impl Body for BlobBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let bytes = match ready!(self.poll_bytes(context)) {
            Ok(Some(bytes)) if !bytes.is_empty() && bytes.len() as u64 <= self.left => bytes,
            // Shorter or longer than it was: the answer breaks off.
            Ok(_) | Err(BodyError) => return Poll::Ready(Some(Err(BodyError))),
        };
        self.left -= bytes.len() as u64;
        metrics::counter!("wa_integrator_media_bytes_total", "direction" => "out")
            .increment(bytes.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn read(mut file: File, length: usize) -> io::Result<(File, Bytes)> {
    let mut bytes = BytesMut::zeroed(length);
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    Ok((file, bytes.freeze()))
}
