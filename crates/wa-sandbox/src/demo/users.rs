//! The demonstration users: enlisted and connected on order, and what is asked of them at the control interface.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use wa_binary::{Jid, Node};

use crate::api::{Problem, TypingState, read, written};
use crate::demo::user::{Ended, User};
use crate::listen;
use crate::media::{Class, generated};
use crate::phone::{MediaWritten, Written};
use crate::shared::Shared;

/// How many there may be.
const MAX_USERS: usize = 100;

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// All of them, by login.
#[derive(Debug, Default)]
pub(crate) struct Users(Mutex<BTreeMap<String, Arc<Seat>>>);

/// One user, and what wakes the task of her connection.
#[derive(Debug)]
struct Seat {
    name: String,
    user: Mutex<User>,
    /// There is something to send, or the connection is to end.
    stirred: Notify,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    user: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    to: String,
    ids: Vec<String>,
    kind: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typing {
    to: String,
    state: TypingState,
}

impl Users {
    fn seats(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who there is.
    pub(crate) fn list(&self) -> Value {
        let seats: Vec<(String, Arc<Seat>)> =
            self.seats().iter().map(|(login, seat)| (login.clone(), Arc::clone(seat))).collect();
        let users = seats.iter().map(|(login, seat)| {
            json!({ "login": login, "user": seat.name, "connected": seat.with(|user| user.is_connected()) })
        });
        json!({ "users": users.collect::<Vec<_>>() })
    }

    /// They are all gone.
    pub(crate) fn clear(&self) {
        let seats = std::mem::take(&mut *self.seats());
        seats.values().for_each(|seat| seat.act(User::disconnect));
    }

    fn seat(&self, login: &str) -> Result<Arc<Seat>, Problem> {
        let seat = self.seats().get(login).cloned();
        seat.ok_or_else(|| Problem::not_found("unknown-user", format!("{login} is no demonstration user")))
    }
}

impl Seat {
    fn with<T>(&self, act: impl FnOnce(&mut User) -> T) -> T {
        act(&mut self.user.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Does something of which there may be something to send.
    fn act<T>(&self, act: impl FnOnce(&mut User) -> T) -> T {
        let done = self.with(act);
        self.stirred.notify_one();
        done
    }

    fn connected<T>(&self, act: impl FnOnce(&mut User) -> T) -> Result<T, Problem> {
        if !self.with(|user| user.is_connected()) {
            return Err(Problem::conflict("not-connected", "the user is not connected"));
        }
        Ok(self.act(act))
    }
}

/// A request about a demonstration user, by its path below `/v1/demo/users`.
pub(crate) async fn control(shared: &Arc<Shared>, path: &str, body: &[u8]) -> Result<Value, Problem> {
    let Some((login, verb)) = path.trim_start_matches('/').split_once('/') else {
        return enlist(shared, read(body)?).await;
    };
    let seat = shared.users.seat(login)?;
    match verb {
        "send" => return send(shared, &seat, body).await,
        "mark" => {
            let Mark { to, ids, kind } = read(body)?;
            let to = phone(&to)?;
            seat.connected(|user| user.mark(&to, &ids, &kind))?
                .ok_or_else(|| Problem::bad_body("ids is empty"))?;
        }
        "typing" => {
            let Typing { to, state } = read(body)?;
            let (to, state) = (phone(&to)?, state.node());
            seat.connected(|user| user.show_typing(&to, state))?;
        }
        "disconnect" => seat.act(User::disconnect),
        _ => connect(shared, &seat, login).await?,
    }
    Ok(json!({}))
}

async fn enlist(shared: &Arc<Shared>, NewUser { user: name }: NewUser) -> Result<Value, Problem> {
    if shared.users.seats().len() >= MAX_USERS {
        return Err(Problem::conflict("too-many", format!("there are {MAX_USERS} demonstration users")));
    }
    let profile = shared.with_world(|world, _| world.profile.clone());
    let mut user = User::new(profile);
    let token = token(shared, &name).await?;
    let (authkey, bundle) = user.keys();
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let signed = &bundle.signed_prekey;
    let id: Vec<u8> = signed.id.to_be_bytes().into_iter().skip(1).collect();
    let arguments = [
        ("authkey", encode(authkey.as_bytes())),
        ("e_keytype", encode(&[5])),
        ("e_regid", encode(&bundle.registration_id.to_be_bytes())),
        ("e_ident", encode(bundle.identity.as_bytes())),
        ("e_skey_id", encode(&id)),
        ("e_skey_val", encode(signed.key.as_bytes())),
        ("e_key_sig", encode(signed.signature.as_bytes())),
        ("integrator_id", listen::DEMO.to_string()),
        ("user_identifier", name.clone()),
        ("token", token),
    ];
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish();
    let answer =
        post(shared, &shared.addresses.enlist, "application/x-www-form-urlencoded", form.into()).await?;
    let login = answer.get("login").and_then(Value::as_str).map(str::to_owned);
    let login =
        login.ok_or_else(|| Problem::conflict("refused", format!("the enlistment was refused: {answer}")))?;
    user.enlisted(login.parse().map_err(|_| Problem::conflict("refused", "the login is no address"))?);
    let seat = Arc::new(Seat { name: name.clone(), user: Mutex::new(user), stirred: Notify::new() });
    {
        let mut seats = shared.users.seats();
        // Who enlists again has another login.
        seats.retain(|_, old| old.name != name);
        seats.insert(login.clone(), Arc::clone(&seat));
    }
    connect(shared, &seat, &login).await?;
    Ok(json!({ "login": login }))
}

async fn connect(shared: &Arc<Shared>, seat: &Arc<Seat>, login: &str) -> Result<(), Problem> {
    let token = token(shared, &seat.name).await?;
    let root = shared.with_world(|world, _| world.noise_root());
    let begun = seat.with(|user| user.connect(root, &token));
    begun.map_err(|Ended(why)| Problem::conflict("not-connected", why))?;
    let stream = listen::dial(&shared.addresses.chat).await;
    let stream = stream.map_err(|error| Problem::conflict("not-connected", error.to_string()))?;
    let (reader, writer) = stream.into_split();
    let (shared, seat, login) = (Arc::clone(shared), Arc::clone(seat), login.to_owned());
    let (welcome, welcomed) = oneshot::channel();
    tokio::spawn(async move {
        let done = run(&shared, &seat, (reader, writer), welcome).await;
        tracing::debug!(login, ?done, "a demonstration user's connection has ended");
        seat.with(User::disconnect);
        shared.tell_changed();
    });
    let refused = || Problem::conflict("not-connected", "the login was refused; /deviations says why");
    welcomed.await.map_err(|_| refused())
}

/// Carries bytes until the connection ends.
async fn run(
    shared: &Shared,
    seat: &Seat,
    (mut reader, mut writer): (impl AsyncReadExt + Unpin, impl AsyncWriteExt + Unpin),
    welcome: oneshot::Sender<()>,
) -> Result<(), Ended> {
    let mut welcome = Some(welcome);
    let mut buffer = vec![0; 16 * 1024];
    let broken = |error: std::io::Error| Ended(error.to_string());
    loop {
        for frame in seat.with(User::take_outputs) {
            writer.write_all(&frame).await.map_err(broken)?;
        }
        tokio::select! {
            read = reader.read(&mut buffer) => {
                let bytes = buffer.get(..read.map_err(broken)?).unwrap_or_default();
                if bytes.is_empty() {
                    return Ok(());
                }
                seat.with(|user| user.handle_bytes(bytes, shared.clock.now()))?;
                if seat.with(|user| user.is_connected()) {
                    // The request may have stopped waiting.
                    welcome.take().map(|welcome| welcome.send(()));
                }
            }
            () = seat.stirred.notified() => if !seat.with(|user| user.has_line()) {
                return Ok(());
            }
        }
    }
}

async fn send(shared: &Arc<Shared>, seat: &Seat, body: &[u8]) -> Result<Value, Problem> {
    let (to, said) = written(body)?;
    let to = phone(&to)?;
    let said = match said {
        Written::Picture(picture) => {
            let jpeg = generated::picture(picture.width, picture.height).ok_or_else(cannot_write)?;
            let file = shared.host_at_integrator(&jpeg, Class::Image).await?;
            Written::Media(MediaWritten::new("image", "image/jpeg", file).sized(&picture))
        }
        Written::Voice { seconds } => {
            let ogg = generated::voice(seconds).ok_or_else(cannot_write)?;
            let file = shared.host_at_integrator(&ogg, Class::Audio).await?;
            Written::Media(MediaWritten::new("voice", "audio/ogg; codecs=opus", file).lasting(seconds))
        }
        said => said,
    };
    let (now, origin) = (shared.clock.now(), shared.addresses.media.clone());
    let said = match said {
        Written::Media(file) => Written::Media(file.sent(now, &origin)),
        said => said,
    };
    let id = seat.connected(|user| user.write(&to, said, now))?.ok_or_else(cannot_write)?;
    Ok(json!({ "id": id }))
}

fn cannot_write() -> Problem {
    Problem::bad_request("cannot-write", "that cannot be written: hex, a kind or a file is wrong")
}

fn phone(number: &str) -> Result<Jid, Problem> {
    Jid::phone(number).map_err(|_| Problem::bad_body("to is no phone number: 1 to 20 digits, without +"))
}

/// A token of the demonstration integrator's.
async fn token(shared: &Shared, name: &str) -> Result<String, Problem> {
    let integrator = shared.addresses.integrator.as_ref().ok_or_else(|| {
        let detail = "there is no demonstration integrator: the sandbox was started with --integrator";
        Problem::conflict("no-demonstration", detail)
    })?;
    let ask = json!({ "user": name }).to_string();
    let answer = post(shared, &format!("{integrator}/token"), "application/json", ask.into()).await?;
    let token = answer.get("token").and_then(Value::as_str).map(str::to_owned);
    token.ok_or_else(|| Problem::conflict("refused", format!("no token was given: {answer}")))
}

/// Posts to a server of the sandbox's own.
pub(crate) async fn post(
    shared: &Shared,
    url: &str,
    kind: &'static str,
    body: bytes::Bytes,
) -> Result<Value, Problem> {
    let request = hyper::Request::post(url).header(CONTENT_TYPE, kind);
    let token = shared.token.as_ref().map(|token| format!("Bearer {token}"));
    let request = match token {
        Some(token) => request.header(AUTHORIZATION, token),
        None => request,
    };
    let failed = |why: String| Problem::conflict("no-answer", format!("{url}: {why}"));
    let request = request.body(Full::new(body)).map_err(|error| failed(error.to_string()))?;
    let (_, body) = shared.outgoing.send(1, request, MAX_ANSWER).await.map_err(failed)?;
    Ok(serde_json::from_slice(&body).unwrap_or(Value::Object(Map::new())))
}

impl TypingState {
    /// The element that shows it.
    pub(crate) fn node(self) -> Node {
        match self {
            Self::Composing => Node::new("composing"),
            Self::Recording => Node::new("composing").with_attr("media", "audio"),
            Self::Paused => Node::new("paused"),
        }
    }
}
