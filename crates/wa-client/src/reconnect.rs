//! Staying connected: a fresh token for each attempt, growing pauses, and the end when nothing can help (overview §2).

use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wa_chat::{Backoff, DisconnectReason, Refusal};

use crate::client::{ClientError, Connection, Control, connect};

/// A connection that stood this long was a good one: the next pause is short again.
const GOOD: Duration = Duration::from_secs(60);

/// Who meets the wrong server so often in a row, and for so long, is told. Once is the Wi-Fi of a hotel, or a clock that is
/// not set yet.
const IMPOSTORS: u32 = 5;
const IMPOSTURE: Duration = Duration::from_secs(600);

/// Where tokens come from: the third party's own server, asked anew for each connection.
pub trait TokenSource: Send + 'static {
    /// A token that has not been used yet.
    fn token(&mut self) -> impl Future<Output = Result<String, NoToken>> + Send;
}

/// There is no token now; it is tried again later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("no token to be had")]
pub struct NoToken;

impl<F, R> TokenSource for F
where
    F: FnMut() -> R + Send + 'static,
    R: Future<Output = Result<String, NoToken>> + Send,
{
    fn token(&mut self) -> impl Future<Output = Result<String, NoToken>> + Send {
        self()
    }
}

/// Connects again and again, until that cannot help or the application disconnects.
pub(crate) async fn stay_connected(
    controls: mpsc::Sender<Box<Control>>,
    tokens: impl TokenSource,
    disconnected: OwnedNotified,
) -> ClientError {
    tokio::select! {
        biased;
        () = disconnected => DisconnectReason::Closed.into(),
        error = connect_again(controls, tokens) => error,
    }
}

async fn connect_again(controls: mpsc::Sender<Box<Control>>, mut tokens: impl TokenSource) -> ClientError {
    let mut rng = UnwrapErr(SysRng);
    let mut backoff = Backoff::default();
    let mut tokens_refused = 0;
    let mut impostors = Impostors::default();
    loop {
        let mut at_once = false;
        match attempt(&controls, &mut tokens).await {
            Ended::After(reason, stood) => {
                tokens_refused = 0;
                impostors = Impostors::default();
                if stood >= GOOD {
                    backoff.reset();
                }
                if reason.is_terminal() {
                    return reason.into();
                }
            }
            // One token may have been stale, or its key not fetched yet; two are a fault.
            Ended::Before(ClientError::Disconnected(DisconnectReason::Refused(Refusal::Token)))
                if tokens_refused == 0 =>
            {
                tokens_refused += 1;
                at_once = true;
            }
            Ended::Before(error) if is_terminal(&error) || impostors.are_all_there_is(&error) => {
                return error;
            }
            Ended::Before(_) | Ended::NoToken => {}
        }
        if !at_once {
            tokio::select! {
                () = tokio::time::sleep(backoff.next_pause(&mut rng)) => {}
                () = controls.closed() => return ClientError::Ended,
            }
        }
    }
}

/// Servers in a row whose certificates proved nothing.
#[derive(Default)]
struct Impostors {
    count: u32,
    since: Option<Instant>,
}

impl Impostors {
    /// Counts an attempt that failed; whether there is no hope of meeting the right server.
    fn are_all_there_is(&mut self, error: &ClientError) -> bool {
        match error {
            ClientError::Disconnected(reason) if reason.is_impostor() => {
                self.count += 1;
                let since = self.since.get_or_insert_with(Instant::now);
                self.count >= IMPOSTORS && since.elapsed() >= IMPOSTURE
            }
            // Whoever could not be reached says nothing of the others.
            ClientError::Unreachable(_) => false,
            _ => {
                *self = Self::default();
                false
            }
        }
    }
}

/// How an attempt ended.
enum Ended {
    NoToken,
    /// There was no login.
    Before(ClientError),
    /// There was one, for so long.
    After(DisconnectReason, Duration),
}

async fn attempt(controls: &mpsc::Sender<Box<Control>>, tokens: &mut impl TokenSource) -> Ended {
    let Ok(token) = tokens.token().await else { return Ended::NoToken };
    match connect(controls, token).await {
        Ok(Connection(ended)) => {
            let since = Instant::now();
            match ended.await {
                Ok(reason) => Ended::After(reason, since.elapsed()),
                Err(_) => Ended::Before(ClientError::Ended),
            }
        }
        Err(error) => Ended::Before(error),
    }
}

fn is_terminal(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable(_) => false,
        ClientError::Disconnected(reason) => reason.is_terminal(),
        _ => true,
    }
}
