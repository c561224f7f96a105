//! The world and what connects it to its sockets: outputs, pushes, keys and files that are fetched.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::Full;
use hyper::http::response::Parts;
use hyper::{StatusCode, header};
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::sync::{broadcast, mpsc};

use crate::api::Problem;
use crate::clock::Clock;
use crate::connection::Connection;
use crate::demo::users::{self, Users};
use crate::exchanges::{Exchange, Exchanges};
use crate::faults::is_due;
use crate::listen::Addresses;
use crate::media::{Class, Described, Opening, Sealed, hosted};
use crate::news::News;
use crate::outgoing::Outgoing;
use crate::phone::Arrival;
use crate::push::{PushDue, Pushed, Pushes};
use crate::sending::Due;
use crate::world::{ConnectionId, World};

#[cfg(test)]
mod tests;

/// Outputs of others' making that may wait for a slow client before its connection is dropped.
const MAX_QUEUED: usize = 4096;

/// Events that may wait for a slow listener.
const MAX_EVENTS: usize = 1024;

/// Longest JWKS that is read, in bytes.
const MAX_JWKS: usize = 64 * 1024;
/// Longest file of a third party that a phone opens, in bytes.
const MAX_MEDIA: usize = 64 * 1024 * 1024;

/// The world and its surroundings.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) world: Mutex<World>,
    /// Held, for others to read, while phones open messages, until the world knows of it. Taken before the world.
    pub(crate) opening: RwLock<()>,
    pub(crate) clients: Mutex<HashMap<ConnectionId, mpsc::Sender<Due>>>,
    pub(crate) clock: Clock,
    pub(crate) pushes: Mutex<Pushes>,
    pub(crate) outgoing: Outgoing,
    /// What happens: the event's name, and its data as JSON.
    pub(crate) events: broadcast::Sender<(&'static str, Arc<str>)>,
    pub(crate) exchanges: Mutex<Exchanges>,
    /// The demonstration integrator's users.
    pub(crate) users: Users,
    /// What the control interface demands, off loopback.
    pub(crate) token: Option<String>,
    pub(crate) addresses: Addresses,
}

/// One client's connection as its socket has it.
pub(crate) struct Line {
    pub(crate) id: ConnectionId,
    connection: Arc<Mutex<Connection>>,
    /// What is to be sent, of others' making.
    pub(crate) outputs: mpsc::Receiver<Due>,
    /// What is to be sent next.
    pub(crate) next: Vec<Due>,
}

/// What a third party's server said to a request for a file.
pub(crate) struct Fetched {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Option<header::HeaderValue>,
    pub(crate) body: Bytes,
}

impl Line {
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing that the world has decided is still on its way here, or lost.
    fn is_up_to_date(&self) -> bool {
        self.outputs.is_empty() && !self.outputs.is_closed()
    }

    /// What is to be sent next, sealed and in one piece, up to where the connection is to be closed.
    pub(crate) fn take_next(&mut self) -> (Bytes, bool) {
        let next = std::mem::take(&mut self.next);
        let (mut bytes, mut connection) = (BytesMut::new(), self.connection());
        for due in next {
            match due {
                Due::Bytes(plain) => bytes.extend_from_slice(&plain),
                Due::Stanza(stanza) => connection.seal(&stanza, &mut bytes),
                Due::Close => return (bytes.freeze(), true),
            }
        }
        (bytes.freeze(), false)
    }
}

impl Shared {
    /// A world with nobody connected to it, what it asks others with, and where it is.
    pub(crate) fn new(
        world: World,
        pushes: Pushes,
        (clock, outgoing): (Clock, Outgoing),
        (token, addresses): (Option<String>, Addresses),
    ) -> Self {
        Self {
            world: Mutex::new(world),
            opening: RwLock::default(),
            clients: Mutex::new(HashMap::new()),
            clock,
            pushes: Mutex::new(pushes),
            outgoing,
            events: broadcast::channel(MAX_EVENTS).0,
            exchanges: Mutex::default(),
            users: Users::default(),
            token,
            addresses,
        }
    }

    /// Does something to what is known of pushes.
    pub(crate) fn with_pushes<T>(&self, act: impl FnOnce(&mut Pushes) -> T) -> T {
        act(&mut self.pushes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something to the world, then hands out what came of it: in order, before anybody else may act.
    pub(crate) fn with_world<T>(self: &Arc<Self>, act: impl FnOnce(&mut World, &Clock) -> T) -> T {
        self.with_world_at(None, act)
    }

    /// The same when the world knows of every message that a phone has opened.
    pub(crate) fn with_settled_world<T>(self: &Arc<Self>, act: impl FnOnce(&mut World, &Clock) -> T) -> T {
        let _settled = self.opening.write().unwrap_or_else(PoisonError::into_inner);
        self.with_world(act)
    }

    /// The same on a line, which gets what is for it at once, unless something waits for it already or it was cut.
    fn with_world_at<T>(
        self: &Arc<Self>,
        line: Option<&mut Line>,
        act: impl FnOnce(&mut World, &Clock) -> T,
    ) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.news.is_watched = self.events.receiver_count() > 0;
        let done = act(&mut world, &self.clock);
        self.hand_out(&mut world, line.filter(|line| line.is_up_to_date()));
        for record in world.journal.take_fresh() {
            self.tell("deviation", &record);
        }
        for news in world.news.take_fresh() {
            let (name, data) = news.event();
            self.tell(name, &data);
        }
        while let Some(integrator) = world.poll_fetch() {
            let shared = Arc::clone(self);
            tokio::spawn(async move { shared.fetch_keys(integrator.id).await });
        }
        while let Some(due) = world.poll_push() {
            if is_due(&mut world.faults.push_drop) {
                continue;
            }
            let delay = Duration::from_millis(world.faults.push_delay);
            let token = self.with_pushes(|pushes| pushes.token(&world, &due.base_url, self.clock.now()));
            let token = if is_due(&mut world.faults.push_forged) { token.map(forged) } else { token };
            let whole = serde_json::json!({ "to": due.to }).to_string();
            let body = if is_due(&mut world.faults.push_malformed) { whole.replace('}', "") } else { whole };
            let (shared, path) = (Arc::clone(self), world.profile.push.path.clone());
            tokio::spawn(async move { shared.push(due, &path, (token, body), delay).await });
        }
        done
    }

    /// Gives each line what it is to send.
    fn hand_out(&self, world: &mut World, mut line: Option<&mut Line>) {
        while let Some((id, due)) = world.poll_due() {
            if let Some(line) = line.as_mut().filter(|line| line.id == id) {
                line.next.push(due);
                continue;
            }
            let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
            let sent = clients.get(&id).is_some_and(|client| client.try_send(due).is_ok());
            if !sent {
                // A client that does not read loses its connection.
                clients.remove(&id);
            }
        }
    }

    /// Tells the watchers.
    fn tell(&self, name: &'static str, data: &impl serde::Serialize) {
        if self.events.receiver_count() > 0 {
            // The last of them may have gone by now.
            let _ = self.events.send((name, serde_json::json!(data).to_string().into()));
        }
    }

    /// Tells the watchers that something was changed.
    pub(crate) fn tell_changed(&self) {
        let (name, data) = News::Changed.event();
        self.tell(name, &data);
    }

    /// Writes down a request that was made, or answered.
    pub(crate) fn write_down(&self, exchange: Exchange) {
        let exchange = Exchange { at: self.clock.now(), ..exchange };
        let exchange = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        self.tell("http", &exchange);
    }

    /// What was written down.
    pub(crate) fn exchanges(&self) -> serde_json::Value {
        let exchanges = self.exchanges.lock().unwrap_or_else(PoisonError::into_inner);
        serde_json::json!({ "exchanges": exchanges.kept() })
    }

    /// What goes with a reset of the world.
    pub(crate) fn forget(&self) {
        self.users.clear();
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.with_pushes(Pushes::forget);
    }

    /// Hosts a file of a demonstration user's: what a message says of it.
    pub(crate) async fn host_at_integrator(&self, plain: &[u8], class: Class) -> Result<Described, Problem> {
        let none = || Problem::conflict("no-demonstration", "there is no demonstration integrator");
        let integrator = self.addresses.integrator.as_ref().ok_or_else(none)?;
        let sealed = Sealed::new(plain, class, &mut UnwrapErr(SysRng));
        let url = format!("{integrator}/media");
        let hosted = users::post(self, &url, "application/octet-stream", sealed.blob.clone()).await?;
        let path = hosted.get("direct_path").and_then(serde_json::Value::as_str);
        let path = path.ok_or_else(|| Problem::conflict("no-answer", format!("{url}: {hosted}")))?;
        Ok(sealed.described(path.to_owned()))
    }

    /// Time has passed.
    pub(crate) fn tick(self: &Arc<Self>) {
        self.with_world(|world, clock| world.tick(clock.now()));
    }

    /// A phone opens a third party's file, which the proxy fetches from its integrator (RO 1.0.3).
    pub(crate) async fn open_media(
        self: &Arc<Self>,
        opening: &Opening,
    ) -> Result<serde_json::Value, Problem> {
        match self.fetch_hosted(&opening.direct_path).await? {
            Ok(Fetched { status: StatusCode::OK, body, .. }) => opening.opened(&body),
            Ok(Fetched { status, .. }) => Ok(serde_json::json!({ "status": status.as_u16() })),
            Err(why) => Ok(serde_json::json!({ "status": 0, "failure": why })),
        }
    }

    /// A file of a message, decrypted, wherever it is hosted.
    pub(crate) async fn view_media(self: &Arc<Self>, opening: &Opening) -> Result<Bytes, Problem> {
        let path = opening.direct_path.split('?').next().unwrap_or_default();
        let cannot = |why: String| Problem::conflict("cannot-open", why);
        let blob = match self.with_world(|world, _| world.media.blob(path)) {
            Some(blob) => blob,
            None => match self.fetch_hosted(&opening.direct_path).await? {
                Ok(Fetched { status: StatusCode::OK, body, .. }) => body,
                Ok(Fetched { status, .. }) => {
                    return Err(cannot(format!("its host answers {}", status.as_u16())));
                }
                Err(why) => return Err(cannot(format!("its host does not answer: {why}"))),
            },
        };
        opening.open(&blob)?.map(Bytes::from).map_err(|error| cannot(error.to_string()))
    }

    /// What lies at a direct path of the profile's form, or why its integrator does not answer.
    pub(crate) async fn fetch_hosted(
        self: &Arc<Self>,
        path: &str,
    ) -> Result<Result<Fetched, String>, Problem> {
        let place = self.with_world(|world, _| {
            let (integrator, reference) = hosted(path, &world.profile.media.interop_direct_path)?;
            Some((world.integrators.get(&integrator)?.base_url.clone(), reference.to_owned()))
        });
        let (base, reference) = place.ok_or_else(|| {
            let detail = "the path is not of the form /interop/whatsapp/download/{integrator}/{reference}/, or the integrator is unknown";
            Problem::not_found("bad-direct-path", detail)
        })?;
        let answer = self.fetch("media", &format!("{base}/{reference}"), MAX_MEDIA).await;
        Ok(answer.map(|(head, body)| {
            let content_type = head.headers.get(header::CONTENT_TYPE).cloned();
            Fetched { status: head.status, content_type, body }
        }))
    }

    /// Fetches what a third party has at a URL, and writes that down.
    async fn fetch(&self, about: &'static str, url: &str, most: usize) -> Result<(Parts, Bytes), String> {
        let exchange = Exchange::made(about, url);
        let answer = self.outgoing.fetch(url, most).await;
        self.write_down(match &answer {
            Ok((head, body)) => exchange.answered(head.status, &head.headers, body),
            Err(why) => exchange.failed(why),
        });
        answer
    }

    /// Sends a push and remembers the answer.
    async fn push(&self, due: PushDue, path: &str, (token, body): (Option<String>, String), delay: Duration) {
        tokio::time::sleep(delay).await;
        let http = self.with_pushes(|pushes| pushes.http);
        let request = hyper::Request::post(format!("{}{path}", due.base_url))
            .header(header::AUTHORIZATION, format!("Bearer {}", token.unwrap_or_default()))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body));
        let answer = match request {
            Ok(request) => self.outgoing.send(http, request, MAX_JWKS).await,
            Err(error) => Err(error.to_string()),
        };
        let (at, to, url) = (self.clock.now(), due.to, due.base_url);
        let (status, body, failure) = match answer {
            Ok((head, body)) => (Some(head.status.as_u16()), !body.is_empty(), None),
            Err(why) => (None, false, Some(why)),
        };
        let pushed = Pushed { number: 0, at, to, url, http, status, body, failure };
        let pushed = self.with_pushes(|pushes| pushes.remember(pushed));
        self.tell("push", &pushed);
    }

    /// Fetches an integrator's JWKS and gives it to the world, or the news that it could not be had.
    pub(crate) async fn fetch_keys(self: &Arc<Self>, integrator: u16) {
        let url = self.with_world(|world, _| {
            let base = &world.integrators.get(&integrator)?.base_url;
            Some(format!("{base}{}", world.profile.token.jwks_path))
        });
        let Some(url) = url else { return };
        let keys = match self.fetch("keys", &url, MAX_JWKS).await {
            Ok((head, body)) if head.status == StatusCode::OK => Ok(body),
            Ok((head, _)) => Err(format!("it answered {}", head.status.as_u16())),
            Err(why) => Err(why),
        };
        let keys = keys.as_deref().map_err(String::as_str);
        self.with_world(|world, clock| world.handle_keys(integrator, keys, clock.now()));
    }

    /// A client has connected.
    pub(crate) fn connect(self: &Arc<Self>) -> Line {
        let (sender, outputs) = mpsc::channel(MAX_QUEUED);
        self.with_world(|world, clock| {
            let (id, connection) = world.connect_shared(clock.now());
            self.clients.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
            Line { id, connection, outputs, next: Vec::new() }
        })
    }

    /// A client's bytes have arrived: they are opened and read before the world is asked for, and what they bring to phones
    /// between two questions to it. Nothing leaves before both are answered.
    pub(crate) fn handle_bytes(self: &Arc<Self>, line: &mut Line, bytes: &[u8]) {
        let (id, sealed) = (line.id, line.connection().handle_sealed(bytes));
        let arrivals = self.with_world_at(Some(line), |world, clock| {
            match sealed {
                Some(incoming) => world.handle_incoming(id, clock.now(), incoming),
                None => world.handle_bytes(id, clock.now(), bytes),
            }
            std::mem::take(&mut world.arrivals)
        });
        if !arrivals.is_empty() {
            self.open(line, &arrivals);
        }
    }

    /// Phones open messages that a client has sent.
    fn open(self: &Arc<Self>, line: &mut Line, arrivals: &VecDeque<Arrival>) {
        let _opening = self.opening.read().unwrap_or_else(PoisonError::into_inner);
        let opened: Vec<_> = arrivals.iter().map(|arrival| arrival.open(&mut UnwrapErr(SysRng))).collect();
        self.with_world_at(Some(line), |world, clock| {
            world.now = clock.now();
            for (arrival, opened) in arrivals.iter().zip(opened) {
                world.handle_opened(arrival, opened);
            }
        });
    }

    /// A client is gone.
    pub(crate) fn disconnect(self: &Arc<Self>, id: ConnectionId) {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        self.with_world(|world, _| world.disconnect(id));
    }
}

/// A token whose signature is another: its last part begins with another letter.
fn forged(token: String) -> String {
    match token.rsplit_once('.') {
        Some((signed, signature)) => {
            let first = if signature.starts_with('A') { "B" } else { "A" };
            format!("{signed}.{first}{}", signature.get(1..).unwrap_or_default())
        }
        None => token,
    }
}
