//! What can go wrong, in words to read aloud.

use std::io;
use std::process::ExitCode;

use thiserror::Error;
use wa_binary::{DecodeError, EncodeError, UnpackError, XmlError};
use wa_noise::{FrameError, TransportError};

/// Why a command did not do all it was asked.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// One input is malformed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Lines were malformed, and each has said so.
    #[error("{bad} of {all} lines were malformed")]
    Lines { bad: u64, all: u64 },
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    File { path: String, error: io::Error },
    /// A file cannot be written.
    #[error("cannot write {path}: {error}")]
    Written { path: String, error: io::Error },
    /// A file holds no key.
    #[error("{0} does not hold 32 bytes in hex")]
    Key(String),
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Input(io::Error),
    /// Standard output cannot be written.
    #[error("cannot write: {0}")]
    Output(io::Error),
    /// The chat ended against its user's will.
    #[cfg(feature = "chat")]
    #[error(transparent)]
    Chat(#[from] crate::chat::ChatFailure),
    /// A file was not encrypted, opened or fetched.
    #[cfg(feature = "media")]
    #[error(transparent)]
    Media(#[from] crate::media::MediaFailure),
    /// The system gives no threads.
    #[cfg(feature = "sandbox")]
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    /// Nobody reads the output any more, as after `| head`.
    #[error("nobody reads the output")]
    Unread,
}

/// What is wrong with an input, and where.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum Malformed {
    #[error("the text is not hexadecimal at byte {0}")]
    Hex(usize),
    #[error("the text ends inside a pair of hexadecimal digits at byte {0}")]
    HalfByte(usize),
    #[error("the text is not base64 at byte {0}")]
    Base64(usize),
    #[error("the text is not utf-8 at byte {0}")]
    Utf8(usize),
    /// The stanza that begins at this byte of the input is malformed.
    #[error("{} at byte {}", .error.kind, .start + .error.offset)]
    Stanza { start: usize, error: DecodeError },
    /// Likewise, but it was compressed: a byte of what came out.
    #[error("{} in the inflated stanza at byte {}", .0.kind, .0.offset)]
    Inflated(DecodeError),
    /// No stanza begins with 0 or 2, but a body with its flag byte does.
    #[error("{} (a flag byte? then say --packed) at byte {}", .error.kind, .start + .error.offset)]
    PerhapsPacked { start: usize, error: DecodeError },
    #[error("{error} at byte {start}")]
    Flag { start: usize, error: UnpackError },
    #[error("{error} at byte {start}")]
    Frame { start: usize, error: FrameError },
    /// With the wrong key, or with frames of the handshake before it, or missing.
    #[error(
        "{error}: the frame is not of this key, or not the next one (--handshake, --missing), at byte {start}"
    )]
    Sealed { start: usize, error: TransportError },
    #[error("input ends inside a frame at byte {0}")]
    PartialFrame(usize),
    #[error(transparent)]
    Xml(XmlError),
    /// No XML begins with a brace.
    #[error("{} (json? then say --json) at byte {}", .0.kind, .0.offset)]
    PerhapsJson(XmlError),
    #[error("{message} at byte {offset}")]
    Json { message: String, offset: usize },
    #[error("cannot be written: {0} at byte 0")]
    Unwritable(EncodeError),
    #[error("cannot be framed: {0} at byte 0")]
    Unframeable(FrameError),
}

impl Failure {
    /// What happened to output.
    pub(crate) fn output(result: io::Result<()>) -> Result<(), Self> {
        result.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Output(error),
        })
    }

    /// Says it on standard error.
    pub(crate) fn show(&self) {
        if !matches!(self, Self::Unread) {
            anstream::eprintln!("{RED}error:{RED:#} {self}");
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Malformed(_) | Self::Lines { .. } | Self::Key(_) => ExitCode::from(1),
            Self::Unread => ExitCode::SUCCESS,
            Self::File { .. } | Self::Written { .. } | Self::Input(_) | Self::Output(_) => ExitCode::from(3),
            #[cfg(feature = "sandbox")]
            Self::Runtime(_) => ExitCode::from(3),
            #[cfg(feature = "chat")]
            Self::Chat(_) => ExitCode::from(3),
            #[cfg(feature = "media")]
            Self::Media(failure) => ExitCode::from(if failure.is_malformed() { 1 } else { 3 }),
        }
    }
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
