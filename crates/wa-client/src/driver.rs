//! The task behind a client: the one place of the client side that opens sockets and asks for the time.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf, Bytes, BytesMut};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use wa_chat::{
    Answer, Command, ConnectError, DisconnectReason, Event, NoAnswer, Now, Rows, StateError, Store,
    StoreError, Ticket, Transaction,
};
use wa_profile::Profile;

use crate::client::{ClientError, Connection, Request};

/// Events that wait for a slow application before no more is read for it.
const MAX_EVENTS: usize = 256;

/// Bytes that a client without work keeps ready for its stream, and one with much.
const IDLE_BUFFER: usize = 512;
const BUSY_BUFFER: usize = 16 * 1024;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait before a transaction that the store could not run is run again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// Makes the byte stream to chatd.
pub trait Connector: Send + Sync + 'static {
    /// The stream.
    type Stream: AsyncRead + AsyncWrite + Send + 'static;

    /// Connects once.
    fn connect(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

/// TCP to one host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpConnector(String);

impl TcpConnector {
    /// To the profile's chat endpoint.
    pub fn new(profile: &Profile) -> Self {
        Self(format!("{}:{}", profile.chat.host, profile.chat.port))
    }

    /// To another `host:port`, for instance a sandbox's.
    pub fn to(address: impl Into<String>) -> Self {
        Self(address.into())
    }
}

impl Connector for TcpConnector {
    type Stream = TcpStream;

    async fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.0).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

/// Something under way, kept across turns of the loop.
struct Pending<T>(Pin<Box<dyn Future<Output = T> + Send>>);

/// The task behind a [`Client`](crate::Client).
pub(crate) struct Driver<S, C: Connector> {
    store: Arc<S>,
    connector: Arc<C>,
    client: wa_chat::Client,
    rng: UnwrapErr<SysRng>,
    start: Instant,
    dialing: Option<Pending<Result<C::Stream, ClientError>>>,
    /// The login that is on its way: its token, and who waits for it.
    connecting: Option<(String, oneshot::Sender<Result<Connection, ClientError>>)>,
    /// Who waits for the end of the connection.
    connected: Option<oneshot::Sender<DisconnectReason>>,
    reader: Option<ReadHalf<C::Stream>>,
    writer: Option<WriteHalf<C::Stream>>,
    /// Bytes on their way out.
    sending: Bytes,
    running: Option<Pending<Result<Rows, StoreError>>>,
    ready: VecDeque<Event>,
    commands: HashMap<Ticket, oneshot::Sender<()>>,
    asks: HashMap<Ticket, oneshot::Sender<Result<Answer, NoAnswer>>>,
    next_ticket: u64,
}

impl<S: Store + 'static, C: Connector> Driver<S, C> {
    #[expect(clippy::disallowed_methods, reason = "the client's clocks are read here and nowhere else")]
    pub(crate) fn new(store: S, connector: C, client: wa_chat::Client) -> Self {
        Self {
            store: Arc::new(store),
            connector: Arc::new(connector),
            client,
            rng: UnwrapErr(SysRng),
            start: Instant::now(),
            dialing: None,
            connecting: None,
            connected: None,
            reader: None,
            writer: None,
            sending: Bytes::new(),
            running: None,
            ready: VecDeque::new(),
            commands: HashMap::new(),
            asks: HashMap::new(),
            next_ticket: 0,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the client's clocks are read here and nowhere else")]
    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { unix: unix.as_secs(), tick: self.start.elapsed() }
    }

    /// Runs transactions until the account is there.
    pub(crate) async fn load(&mut self) -> Result<(), ClientError> {
        while self.client.account().is_none() {
            let transaction = self.client.poll_transaction().ok_or(StateError::NoTransaction)?;
            let rows = run(Arc::clone(&self.store), transaction).await?;
            self.client.handle_committed(self.now(), rows, &mut self.rng)?;
        }
        Ok(())
    }

    pub(crate) async fn run(
        &mut self,
        mut requests: mpsc::Receiver<Box<Request>>,
        events: mpsc::Sender<Box<Event>>,
    ) {
        let mut buffer = BytesMut::new();
        loop {
            self.take();
            let wants_input = self.client.wants_input();
            tokio::select! {
                biased;
                rows = done(&mut self.running) => if self.committed(rows).is_err() { return },
                stream = done(&mut self.dialing) => self.dialed(stream),
                sent = write(&mut self.writer, &self.sending), if !self.sending.is_empty() => match sent {
                    Ok(length) => self.sending.advance(length),
                    Err(_) => self.lost(),
                },
                permit = events.reserve(), if !self.ready.is_empty() => match permit {
                    Ok(permit) => if let Some(event) = self.ready.pop_front() { permit.send(Box::new(event)) },
                    Err(_) => return,
                },
                request = requests.recv(), if wants_input => match request.map(|request| *request) {
                    Some(Request::Shutdown { done }) => return self.shut_down(done).await,
                    Some(request) => self.handle_request(request),
                    None => return,
                },
                read = read(&mut self.reader, &mut buffer), if wants_input => match read {
                    Ok(length) if length > 0 => {
                        self.client.handle_bytes(self.now(), &buffer, &mut self.rng);
                        let is_busy = length >= IDLE_BUFFER;
                        buffer = if is_busy { BytesMut::with_capacity(BUSY_BUFFER) } else { BytesMut::new() };
                    }
                    _ => self.lost(),
                },
                () = until(self.start, self.client.poll_timeout()) => {
                    self.client.handle_timeout(self.now(), &mut self.rng);
                }
            }
        }
    }

    /// Takes out of the client whatever it has.
    fn take(&mut self) {
        if self.running.is_none() {
            let transaction = self.client.poll_transaction();
            self.running = transaction.map(|it| Pending(Box::pin(run(Arc::clone(&self.store), it))));
        }
        if self.sending.is_empty() && self.writer.is_some() {
            self.sending = self.client.poll_transmit().unwrap_or_default();
        }
        while let Some(ticket) = self.client.poll_accepted() {
            if let Some(done) = self.commands.remove(&ticket) {
                // Nobody may be waiting any more.
                let _ = done.send(());
            }
        }
        while let Some(event) = self.next_event() {
            if let Some(event) = self.notice(event) {
                self.ready.push_back(event);
            }
        }
    }

    /// Few wait for a slow application; but a login and an answer are told at once.
    fn next_event(&mut self) -> Option<Event> {
        if self.ready.len() < MAX_EVENTS { self.client.poll_event() } else { self.client.poll_notice() }
    }

    /// Whoever waits for a login, its end or an answer hears of it; the rest is the application's.
    fn notice(&mut self, event: Event) -> Option<Event> {
        let outcome = match &event {
            Event::Connected => {
                let (ended, connection) = oneshot::channel();
                self.connected = Some(ended);
                Ok(Connection(connection))
            }
            Event::Disconnected(reason) => {
                self.let_go();
                if let Some(ended) = self.connected.take() {
                    let _ = ended.send(reason.clone());
                }
                Err(ClientError::Disconnected(reason.clone()))
            }
            Event::Answered { ticket, .. } => {
                let Some(done) = self.asks.remove(ticket) else { return Some(event) };
                if let Event::Answered { answer, .. } = event {
                    // Nobody may be waiting any more.
                    let _ = done.send(answer);
                }
                return None;
            }
            _ => return Some(event),
        };
        if let Some((_, done)) = self.connecting.take() {
            let _ = done.send(outcome);
        }
        Some(event)
    }

    fn committed(&mut self, rows: Result<Rows, StoreError>) -> Result<(), ClientError> {
        self.running = None;
        let rows = rows?;
        Ok(self.client.handle_committed(self.now(), rows, &mut self.rng)?)
    }

    fn lost(&mut self) {
        self.let_go();
        self.client.handle_lost(self.now(), &mut self.rng);
    }

    fn let_go(&mut self) {
        (self.reader, self.writer, self.sending) = (None, None, Bytes::new());
    }

    fn handle_request(&mut self, request: Request) {
        match request {
            Request::Command { command, done } => {
                let ticket = self.ticket();
                self.commands.insert(ticket, done);
                self.client.handle_command(self.now(), ticket, command, &mut self.rng);
            }
            Request::Ask { ask, done } => {
                let ticket = self.ticket();
                self.asks.insert(ticket, done);
                self.client.handle_command(self.now(), ticket, Command::Ask(ask), &mut self.rng);
            }
            Request::Account { done } => {
                let account = self.client.account();
                // Nobody may be waiting any more.
                let _ = done.send(account.map(|account| (account.public(), account.login.clone())));
            }
            Request::Disconnect => self.client.close(self.now(), DisconnectReason::Closed, &mut self.rng),
            Request::Connect { done, .. } if self.connecting.is_some() || self.client.is_connected() => {
                let _ = done.send(Err(ConnectError::Connected.into()));
            }
            Request::Connect { token, done } => {
                self.connecting = Some((token, done));
                let connector = Arc::clone(&self.connector);
                self.dialing = Some(Pending(Box::pin(async move { dial(&*connector).await })));
            }
            Request::Shutdown { .. } => {}
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// The stream is there: the handshake begins. Or it is not.
    fn dialed(&mut self, stream: Result<C::Stream, ClientError>) {
        self.dialing = None;
        let Some((token, done)) = self.connecting.take() else { return };
        let begun = stream.and_then(|stream| {
            self.client.connect(self.now(), token, &mut self.rng)?;
            let (reader, writer) = tokio::io::split(stream);
            (self.reader, self.writer) = (Some(reader), Some(writer));
            Ok(())
        });
        match begun {
            Ok(()) => self.connecting = Some((String::new(), done)),
            Err(error) => {
                let _ = done.send(Err(error));
            }
        }
    }

    async fn shut_down(&mut self, done: oneshot::Sender<()>) {
        if let Some(running) = self.running.take() {
            // Whatever it says, nothing follows from it any more.
            let _ = running.0.await;
        }
        let _ = done.send(());
    }
}

/// Runs a transaction until the store has decided: retryable errors are nobody else's business.
async fn run<S: Store>(store: Arc<S>, transaction: Transaction) -> Result<Rows, StoreError> {
    loop {
        match store.run(&transaction).await {
            Err(error) if error.is_retryable() => tokio::time::sleep(STORE_RETRY).await,
            decided => return decided,
        }
    }
}

async fn dial<C: Connector>(connector: &C) -> Result<C::Stream, ClientError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connector.connect()).await {
        Ok(stream) => stream.map_err(|error| ClientError::Unreachable(error.kind())),
        Err(_) => Err(ClientError::Unreachable(io::ErrorKind::TimedOut)),
    }
}

async fn done<T>(pending: &mut Option<Pending<T>>) -> T {
    match pending {
        Some(pending) => (&mut pending.0).await,
        None => std::future::pending().await,
    }
}

async fn read<T: AsyncRead>(stream: &mut Option<ReadHalf<T>>, buffer: &mut BytesMut) -> io::Result<usize> {
    match stream {
        Some(stream) => {
            // Little is held by whoever waits; whoever reads much gets more.
            let room = if buffer.capacity() > IDLE_BUFFER { BUSY_BUFFER } else { IDLE_BUFFER };
            buffer.reserve(room);
            stream.read_buf(buffer).await
        }
        None => std::future::pending().await,
    }
}

async fn write<T: AsyncWrite>(stream: &mut Option<WriteHalf<T>>, bytes: &[u8]) -> io::Result<usize> {
    match stream {
        Some(stream) => stream.write(bytes).await,
        None => std::future::pending().await,
    }
}

async fn until(start: Instant, due: Option<Duration>) {
    match due {
        Some(due) => tokio::time::sleep_until((start + due).into()).await,
        None => std::future::pending().await,
    }
}
