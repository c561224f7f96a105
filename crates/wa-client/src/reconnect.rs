//! Staying connected: a fresh token for each attempt, growing pauses, and the end when nothing can help (overview §2).

use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{debug, info};
use wa_chat::{Backoff, DisconnectReason, Refusal};

use crate::client::{Connection, Control, connect};
use crate::error::ClientError;
use crate::events::{Ended, ended};

/// A connection that stood this long was a good one: the next pause is short again.
const GOOD: Duration = Duration::from_secs(60);

/// After how many wrong servers in a row, over how long a time, the application is told. One alone is the Wi-Fi of a hotel,
/// or a clock that is not set yet.
const IMPOSTORS: u32 = 5;
const IMPOSTURE: Duration = Duration::from_secs(600);

/// Where tokens come from: the third party's own server, asked anew for each connection.
pub trait TokenSource: Send + 'static {
    /// A token that has not been used yet.
    fn token(&mut self) -> impl Future<Output = Result<String, NoToken>> + Send;
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoToken {
    /// There is none now; it is asked for again later.
    #[error("no token to be had")]
    Later,
    /// There will be none: the user has left, or must log in anew. It is not asked for again.
    #[error("no token is to be had any more")]
    Never,
}

/// A client's task, as one knows it who must not keep it alive.
pub(crate) struct Task {
    pub(crate) controls: mpsc::WeakSender<Box<Control>>,
    pub(crate) ended: watch::Receiver<Option<Ended>>,
}

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
    task: Task,
    tokens: impl TokenSource,
    disconnected: OwnedNotified,
) -> ClientError {
    tokio::select! {
        biased;
        () = disconnected => DisconnectReason::Closed.into(),
        error = connect_again(task, tokens) => error,
    }
}

async fn connect_again(mut task: Task, mut tokens: impl TokenSource) -> ClientError {
    let mut rng = UnwrapErr(SysRng);
    let mut backoff = Backoff::default();
    let mut tokens_refused = 0;
    let mut impostors = Impostors::default();
    loop {
        let mut at_once = false;
        match attempt(&task, &mut tokens).await {
            Outcome::After(reason, stood) => {
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
            Outcome::Before(ClientError::Disconnected(DisconnectReason::Refused(Refusal::Token)))
                if tokens_refused == 0 =>
            {
                tokens_refused += 1;
                at_once = true;
            }
            Outcome::Before(error) if is_terminal(&error) || impostors.are_all_there_is(&error) => {
                return error;
            }
            Outcome::NoToken(NoToken::Never) => return ClientError::NoToken,
            Outcome::Before(_) | Outcome::NoToken(_) => {}
        }
        if !at_once {
            let pause = backoff.next_pause(&mut rng);
            debug!(?pause, "connecting again later");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = task.ended.changed() => return ended(&task.ended).into(),
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
            // A server that could not be reached says nothing about impostors.
            ClientError::Unreachable(_) => false,
            _ => {
                *self = Self::default();
                false
            }
        }
    }
}

/// How an attempt ended.
enum Outcome {
    NoToken(NoToken),
    /// There was no login.
    Before(ClientError),
    /// There was one, for so long.
    After(DisconnectReason, Duration),
}

async fn attempt(task: &Task, tokens: &mut impl TokenSource) -> Outcome {
    let token = match tokens.token().await {
        Ok(token) => token,
        Err(why) => {
            info!(%why, "no token");
            return Outcome::NoToken(why);
        }
    };
    let connected = match task.controls.upgrade() {
        Some(controls) => connect(&controls, token).await,
        None => None,
    };
    let has_ended = || Outcome::Before(ended(&task.ended).into());
    match connected {
        Some(Ok(Connection(end))) => {
            let since = Instant::now();
            end.await.map_or_else(|_| has_ended(), |reason| Outcome::After(reason, since.elapsed()))
        }
        Some(Err(error)) => Outcome::Before(error),
        None => has_ended(),
    }
}

fn is_terminal(error: &ClientError) -> bool {
    match error {
        ClientError::Unreachable(_) => false,
        ClientError::Disconnected(reason) => reason.is_terminal(),
        _ => true,
    }
}
