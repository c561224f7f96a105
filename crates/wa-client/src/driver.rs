//! The task behind a client: it carries bytes, runs transactions, asks for the time, and completes calls.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;
use tracing::{debug, info, warn};
use wa_chat::{
    Answer, Command, CommandError, ConnectError, DisconnectReason, Event, NoAnswer, Now, Rows, StateError,
    Store, StoreError, Ticket, Transaction,
};

use crate::client::{Control, Request};
use crate::connector::Connector;
use crate::error::ClientError;
use crate::events::Ended;
use crate::line::{Happened, Line, Login, Wire};
use crate::pending::{Pending, done};

/// Events that the driver takes out of the client for a slow application; the others stay in the client, which counts their
/// bytes.
const MAX_EVENTS: usize = 1;

/// How long making a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a line may take what is left to send before it is closed.
const FLUSH: Duration = Duration::from_secs(1);

/// How long to wait before a transaction that the store could not run is run again.
const STORE_RETRY: Duration = Duration::from_millis(200);

/// How long the end waits for the transaction under way.
const LAST_TRANSACTION: Duration = Duration::from_secs(10);

/// The task behind a [`Client`](crate::Client).
pub(crate) struct Driver<S, C: Connector> {
    store: Arc<S>,
    connector: Arc<C>,
    client: wa_chat::Client,
    rng: UnwrapErr<SysRng>,
    start: Instant,
    line: Line<C::Stream>,
    running: Option<Pending<Result<Rows, StoreError>>>,
    /// The transaction under way, to run again if the store could not; and whether that has happened.
    transaction: Arc<Transaction>,
    stalled: bool,
    ready: VecDeque<Event>,
    commands: HashMap<Ticket, oneshot::Sender<Result<(), CommandError>>>,
    asks: HashMap<Ticket, oneshot::Sender<Result<Answer, NoAnswer>>>,
    /// Those who wait for the end of the mailbox.
    drains: Vec<oneshot::Sender<()>>,
    next_ticket: u64,
}

impl<S: Store + 'static, C: Connector> Driver<S, C> {
    pub(crate) fn new(store: S, connector: C, client: wa_chat::Client) -> Self {
        Self {
            store: Arc::new(store),
            connector: Arc::new(connector),
            client,
            rng: UnwrapErr(SysRng),
            start: Instant::now(),
            line: Line::Down,
            running: None,
            transaction: Arc::default(),
            stalled: false,
            ready: VecDeque::new(),
            commands: HashMap::new(),
            asks: HashMap::new(),
            drains: Vec::new(),
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
            let rows = loop {
                match self.store.run(&transaction).await {
                    Err(error) if error.is_retryable() => tokio::time::sleep(STORE_RETRY).await,
                    decided => break decided?,
                }
            };
            self.client.handle_committed(self.now(), rows, &mut self.rng)?;
        }
        Ok(())
    }

    /// Runs until the end, and says why before it lets go of anything. On the heap: a future has room for what it is given
    /// twice, as argument and as variable.
    pub(crate) async fn serve(
        mut self: Box<Self>,
        mut requests: mpsc::Receiver<Box<Request>>,
        mut controls: mpsc::Receiver<Box<Control>>,
        events: mpsc::Sender<Box<Event>>,
        end: watch::Sender<Option<Ended>>,
    ) {
        let ended = self.run(&mut requests, &mut controls, &events).await;
        info!(reason = %ended, "the client has ended");
        end.send_replace(Some(ended));
    }

    /// Runs until the application has let go of its last handle, asks for the end, or nothing can go on.
    ///
    /// The arms are chosen among at random when several are ready: a busy application does not keep the line waiting, nor
    /// the line the timers. What needs no store waits behind nothing that does: a client whose store is full still connects
    /// and still ends.
    #[expect(clippy::too_many_lines, reason = "all that can happen, side by side")]
    async fn run(
        &mut self,
        requests: &mut mpsc::Receiver<Box<Request>>,
        controls: &mut mpsc::Receiver<Box<Control>>,
        events: &mpsc::Sender<Box<Event>>,
    ) -> Ended {
        loop {
            self.take();
            if self.client.is_erased() {
                return Ended::Deleted;
            }
            if events.is_closed() {
                // Nobody takes them: rows stay where they are.
                self.ready.clear();
            }
            // One that was sent and not taken fills the channel.
            let is_taken = events.is_closed() || events.capacity() > 0;
            if is_taken {
                self.tell_drained();
            }
            let wants_room = !self.ready.is_empty() || !is_taken && !self.drains.is_empty();
            let wants_input = self.client.wants_input();
            tokio::select! {
                rows = done(&mut self.running) => if let Err(ended) = self.committed(rows) { return ended },
                happened = self.line.next(wants_input) => self.handle_line(happened),
                permit = events.reserve(), if wants_room => {
                    if let (Ok(permit), Some(event)) = (permit, self.pop_ready()) {
                        permit.send(Box::new(event));
                    }
                }
                control = controls.recv() => match control.map(|control| *control) {
                    Some(Control::Close { done }) => {
                        self.shut_down().await;
                        // Nobody may be waiting any more.
                        let _ = done.send(());
                        return Ended::Closed;
                    }
                    Some(control) => self.handle_control(control).await,
                    None => return Ended::Closed,
                },
                request = requests.recv(), if self.client.wants_commands() => match request {
                    Some(request) => self.handle_request(*request),
                    None => return Ended::Closed,
                },
                () = until(self.start, self.client.poll_timeout()) => {
                    self.client.handle_timeout(self.now(), &mut self.rng);
                }
            }
        }
    }

    /// What needs no store. Nobody may be waiting for it any more.
    async fn handle_control(&mut self, control: Control) {
        match control {
            Control::Connect { token, done } => self.dial(token, done),
            Control::Disconnect { done } => {
                self.disconnect().await;
                let _ = done.send(());
            }
            Control::Account { done } => {
                let account = self.client.account();
                let _ = done.send(account.map(|account| (account.public(), account.login.clone())));
            }
            Control::Drain { done } => self.drains.push(done),
            // Dealt with before: it ends the task.
            Control::Close { .. } => {}
        }
    }

    /// Completes the calls of `drain` once the mailbox is empty.
    fn tell_drained(&mut self) {
        self.drains.retain(|done| !done.is_closed());
        if !self.drains.is_empty() && self.is_drained() {
            for done in self.drains.drain(..) {
                // Nobody may be waiting any more.
                let _ = done.send(());
            }
        }
    }

    fn is_drained(&mut self) -> bool {
        let is_quiet = self.line.wire().is_some_and(|wire| wire.is_idle());
        is_quiet && self.running.is_none() && self.ready.is_empty() && self.client.is_drained()
    }

    /// Takes out of the client whatever it has.
    fn take(&mut self) {
        if self.running.is_none()
            && let Some(transaction) = self.client.poll_transaction()
        {
            self.transaction = Arc::new(transaction);
            self.run_transaction(Duration::ZERO);
        }
        if let Some(wire) = self.line.wire().filter(|wire| wire.is_idle())
            && let Some(bytes) = self.client.poll_transmit()
        {
            wire.send(bytes);
        }
        let accepted = std::iter::from_fn(|| self.client.poll_accepted()).map(|ticket| (ticket, Ok(())));
        let accepted: Vec<_> = accepted.collect();
        let refused =
            std::iter::from_fn(|| self.client.poll_refused()).map(|(ticket, error)| (ticket, Err(error)));
        for (ticket, decided) in accepted.into_iter().chain(refused) {
            if let Some(done) = self.commands.remove(&ticket) {
                // Nobody may be waiting any more.
                let _ = done.send(decided);
            }
        }
        while let Some(event) = self.next_event() {
            if let Some(event) = self.notice(event) {
                if self.ready.capacity() == 0 {
                    self.ready.reserve_exact(MAX_EVENTS);
                }
                self.ready.push_back(event);
            }
        }
    }

    /// The first event for the application; an empty queue holds no memory.
    fn pop_ready(&mut self) -> Option<Event> {
        let event = self.ready.pop_front();
        if self.ready.is_empty() {
            self.ready = VecDeque::new();
        }
        event
    }

    /// Few events wait for a slow application; but a login and an answer are told at once.
    fn next_event(&mut self) -> Option<Event> {
        if self.ready.len() < MAX_EVENTS { self.client.poll_event() } else { self.client.poll_notice() }
    }

    /// Completes the pending login, its end or the pending question; gives what the application should see.
    fn notice(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::Connected => {
                info!("the login stands");
                self.line.logged_in();
            }
            Event::Disconnected(ref reason) => {
                info!(%reason, is_final = reason.is_terminal(), "the connection has ended");
                self.line.hang_up(reason);
            }
            Event::Answered { ticket, ref answer, .. } => {
                let Some(done) = self.asks.remove(&ticket) else { return Some(event) };
                // Nobody may be waiting any more.
                let _ = done.send(answer.clone());
                return None;
            }
            _ => {}
        }
        Some(event)
    }

    /// Hands the transaction under way to the store, after a pause.
    fn run_transaction(&mut self, pause: Duration) {
        let (store, transaction) = (Arc::clone(&self.store), Arc::clone(&self.transaction));
        self.running = Some(Pending::new(async move {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            store.run(&transaction).await
        }));
    }

    /// The store has run the transaction, or could not: then it gets it again, and the application is told once.
    fn committed(&mut self, rows: Result<Rows, StoreError>) -> Result<(), Ended> {
        self.running = None;
        match rows {
            Err(error) if error.is_retryable() => {
                let is_news = !std::mem::replace(&mut self.stalled, true);
                if is_news {
                    warn!(%error, "the store cannot run a transaction");
                }
                // Where nobody listens one that waits says it all.
                if is_news && !self.ready.iter().any(|event| matches!(event, Event::StoreStalled(_))) {
                    self.ready.push_back(Event::StoreStalled(error));
                }
                self.run_transaction(STORE_RETRY);
                Ok(())
            }
            rows => {
                self.stalled = false;
                // An idle client holds no rows.
                self.transaction = Arc::default();
                let rows = rows.map_err(|error| match error {
                    StoreError::Fenced => Ended::Fenced,
                    error => Ended::Store(error),
                })?;
                self.client.handle_committed(self.now(), rows, &mut self.rng).map_err(Ended::Corrupt)
            }
        }
    }

    fn handle_line(&mut self, happened: Happened<C::Stream>) {
        match happened {
            Happened::Dialed { stream, token, login } => self.dialed(stream, token, login),
            Happened::Received => {
                if let Some(wire) = self.line.wire() {
                    let received = wire.take_received();
                    self.client.handle_bytes(self.now(), &received, &mut self.rng);
                }
            }
            Happened::Sent => {}
            Happened::Abandoned => self.abandon(),
            Happened::Lost => self.client.handle_lost(self.now(), &mut self.rng),
        }
    }

    /// The stream is there: the handshake begins. Or it is not.
    fn dialed(&mut self, stream: Result<C::Stream, ClientError>, token: String, login: Login) {
        let begun = stream.and_then(|stream| {
            self.client.connect(self.now(), token, &mut self.rng)?;
            Ok(Wire::new(stream))
        });
        match begun {
            Ok(wire) => self.line = Line::LoggingIn { wire, login },
            Err(error) => {
                info!(%error, "no connection");
                let _ = login.send(Err(error));
            }
        }
    }

    /// What the application wants of the client.
    fn handle_request(&mut self, request: Request) {
        let ticket = self.ticket();
        let command = match request {
            Request::Command { command, done } => {
                self.commands.insert(ticket, done);
                command
            }
            Request::Ask { ask, done } => {
                self.asks.insert(ticket, done);
                Command::Ask(ask)
            }
        };
        self.client.handle_command(self.now(), ticket, command, &mut self.rng);
    }

    /// Ends the attempt that nobody waits for. What the client says of its end is heard now: later it would end the next.
    fn abandon(&mut self) {
        self.line.hang_up(&DisconnectReason::Closed);
        self.client.close(self.now(), DisconnectReason::Closed, &mut self.rng);
        self.take();
    }

    /// Begins to make a connection, unless there is one.
    fn dial(&mut self, token: String, login: Login) {
        if self.line.is_abandoned() {
            self.abandon();
        }
        if !self.line.is_down() {
            let _ = login.send(Err(ConnectError::Connected.into()));
            return;
        }
        debug!("dialling");
        let connector = Arc::clone(&self.connector);
        let stream = Pending::new(async move { dial(&*connector).await });
        self.line = Line::Dialing { stream, token, login };
    }

    /// Ends the connection, or what was to become one.
    async fn disconnect(&mut self) {
        self.flush().await;
        if let Line::Dialing { .. } = self.line {
            self.line.hang_up(&DisconnectReason::Closed);
        }
        self.client.close(self.now(), DisconnectReason::Closed, &mut self.rng);
    }

    fn ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        Ticket(self.next_ticket)
    }

    /// Waits for the transaction under way, once and for so long: a store that cannot run it gets it no more. What its
    /// commit lets out still leaves.
    async fn shut_down(&mut self) {
        if let Some(running) = self.running.take()
            && let Ok(Ok(rows)) = tokio::time::timeout(LAST_TRANSACTION, running.0).await
        {
            // A client that cannot go on is at its end anyway.
            self.client.handle_committed(self.now(), rows, &mut self.rng).ok();
        }
        self.flush().await;
    }

    /// Sends what is ready to be sent, as long as the line takes it: acks that do not leave bring messages again.
    async fn flush(&mut self) {
        let (line, client) = (&mut self.line, &mut self.client);
        let flush = async {
            while let Some(wire) = line.wire() {
                if wire.is_idle() {
                    let Some(bytes) = client.poll_transmit() else { return };
                    wire.send(bytes);
                }
                if let Happened::Lost = line.next(false).await {
                    return;
                }
            }
        };
        // A line that takes nothing is given up.
        tokio::time::timeout(FLUSH, flush).await.ok();
    }
}

async fn dial<C: Connector>(connector: &C) -> Result<C::Stream, ClientError> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connector.connect()).await {
        Ok(stream) => stream.map_err(|error| ClientError::Unreachable(error.kind())),
        Err(_) => Err(ClientError::Unreachable(std::io::ErrorKind::TimedOut)),
    }
}

/// Waits until something is due; what no clock reaches never is.
async fn until(start: Instant, due: Option<Duration>) {
    match due.and_then(|due| start.checked_add(due)) {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
