//! A wire between client and chatd that records how it begins, and flips a bit when told to.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::prove::WireFault;
use crate::report::failure::Failure;
use crate::target::serving::Serving;

/// Bytes of a connection that are recorded: more than a handshake has.
const RECORDED: usize = 64 * 1024;

/// A proxy on a loopback port; it ends with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
    _serving: Serving,
}

#[derive(Debug, Default)]
struct State {
    /// Where connections are forwarded to; nowhere before that is known.
    target: Option<String>,
    /// The first bytes that the client of the last connection has sent, at most [`RECORDED`].
    sent: Vec<u8>,
    flip: Option<Direction>,
    /// What a saboteur does.
    fault: Option<WireFault>,
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

impl Proxy {
    /// Listens, and forwards every connection to `target`.
    pub(crate) async fn start(target: &str) -> Result<Self, Failure> {
        let proxy = Self::waiting().await?;
        proxy.forward_to(target);
        Ok(proxy)
    }

    /// Listens; its address is known before what is behind it is there.
    pub(crate) async fn waiting() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let serving = Serving::new(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                while connections.try_join_next().is_some() {}
                let target = shared.lock().unwrap_or_else(PoisonError::into_inner).target.clone();
                let Some(target) = target else { continue };
                let Ok(server) = TcpStream::connect(&target).await else { continue };
                shared.lock().unwrap_or_else(PoisonError::into_inner).sent.clear();
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                connections.spawn(forward(from_client, to_server, Direction::ToServer, Arc::clone(&shared)));
                connections.spawn(forward(from_server, to_client, Direction::ToClient, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, _serving: serving })
    }

    /// Forwards connections from now on.
    pub(crate) fn forward_to(&self, target: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).target = Some(target.to_owned());
    }

    /// Does this from now on.
    pub(crate) fn spoil(&self, fault: WireFault) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(fault);
    }

    /// The first bytes that the client of the last connection has sent so far.
    pub(crate) fn sent(&self) -> Vec<u8> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).sent.clone()
    }

    /// Flips a bit of the next bytes that go this way.
    pub(crate) fn flip(&self, direction: Direction) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).flip = Some(direction);
    }
}

async fn forward(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    state: Arc<Mutex<State>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        let Some(bytes) = buffer.get_mut(..length).filter(|bytes| !bytes.is_empty()) else { break };
        touch(&mut state.lock().unwrap_or_else(PoisonError::into_inner), direction, bytes);
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    let fault = state.lock().unwrap_or_else(PoisonError::into_inner).fault;
    match fault.filter(|_| direction == Direction::ToClient) {
        Some(WireFault::NeverEnds) => return std::future::pending().await,
        // Whether it is read, the client knows.
        Some(WireFault::LastWord) => drop(to.write_all(b"!").await),
        None => {}
    }
    // The other side hears that there is no more; an error means that it knows already.
    let _ = to.shutdown().await;
}

/// Records, and flips the last bit: it belongs to a tag, never to a length.
fn touch(state: &mut State, direction: Direction, bytes: &mut [u8]) {
    if direction == Direction::ToServer {
        let room = RECORDED.saturating_sub(state.sent.len());
        state.sent.extend(bytes.iter().take(room));
    }
    if state.flip == Some(direction)
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 1;
        state.flip = None;
    }
}
