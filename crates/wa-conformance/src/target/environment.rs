//! What the checks run against: an integrator and a local WhatsApp, on loopback ports.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use wa_interop::binary::Jid;
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_sandbox::{Addresses, Binding, Clock, Sandbox, WorldConfig};

use crate::prove::{ClientFault, Door, Fault, Meddler, Side, Struck, sabotage};
use crate::report::evidence::{Deviation, Stanza, of_logins};
use crate::report::failure::Failure;
use crate::rules::Rules;
use crate::target::exchange::{Http, get, get_json, post_json};
use crate::target::proxy::Proxy;
use crate::target::server::{Issuer, OwnServer, Server, Start};
use crate::target::setting::{ClientSetting, ServerSetting, Setting};

/// The integrator's id at the local WhatsApp.
pub const INTEGRATOR: u16 = 1;

/// The id of a third party of the suite's own.
pub(crate) const OTHER_INTEGRATOR: u16 = 2;

/// How often a port is tried that another local WhatsApp has, and how long there is between.
const TRIES: u32 = 60;
const TURN: Duration = Duration::from_millis(50);

/// How often somebody else's server is asked before there is none.
const PATIENT_TRIES: u32 = 100;

/// The WhatsApp user that checks write to.
pub const PHONE: &str = "14155551001";

/// Another one, about which the server may be silent.
pub(crate) const SILENT_PHONE: &str = "14155551002";

/// Both servers, running.
#[derive(Debug)]
pub struct Environment {
    pub(crate) server: Arc<dyn Server>,
    pub(crate) client: ClientSetting,
    /// What a saboteur breaks.
    pub(crate) fault: Option<Fault>,
    struck: Struck,
    /// The same server, if it is this project's own.
    own: Option<Arc<OwnServer>>,
    pub(crate) sandbox: Addresses,
    rules: Rules,
    mark: Mutex<Mark>,
    /// Whether a check has changed it for good.
    is_spent: AtomicBool,
    _whatsapp: WhatsApp,
}

/// What has been since the check began.
#[derive(Debug, Default)]
struct Mark {
    /// The number of the last deviation before it.
    deviation: u64,
    /// Logins of users that it enlisted.
    logins: Vec<String>,
    /// Rules that it breaks on purpose.
    provoked: BTreeSet<String>,
}

/// The local WhatsApp; it ends with this value.
#[derive(Debug)]
enum WhatsApp {
    Program { _process: Child },
    InProcess { _end: oneshot::Sender<()>, _fronts: Box<Fronts> },
}

/// What stands before the local WhatsApp: a saboteur of its HTTP, and one of its chatd's lines.
#[derive(Debug)]
struct Fronts {
    _http: Option<Meddler>,
    _chat: Option<Proxy>,
}

impl Environment {
    /// Starts everything; it ends with this value.
    ///
    /// # Errors
    /// A server does not start, or does not say where it listens.
    pub async fn start(setting: &Setting, rules: impl Into<Rules>) -> Result<Self, Failure> {
        let rules = rules.into();
        let (base, own) = match &setting.server {
            ServerSetting::Foreign(server) => {
                answers(server.base_url()).await?;
                (server.base_url().to_owned(), None)
            }
            _ => {
                let start =
                    Start::new(Fault::at(setting.fault.as_ref(), Door::Server), &setting.struck).await?;
                (start.base_url().to_owned(), Some(start))
            }
        };
        let (fault, struck) = (setting.fault.clone(), setting.struck.clone());
        let (sandbox, whatsapp) = match &setting.sandbox {
            Some(program) => WhatsApp::program(program, &rules, &base).await?,
            None => WhatsApp::in_process(&rules, &base, setting.port, (fault.as_ref(), &struck)).await?,
        };
        let program = match &setting.server {
            ServerSetting::Program(program) => Some(program),
            _ => None,
        };
        let own = match own {
            Some(start) => {
                let profile = Fault::profile_of(fault.as_ref(), Side::Server, rules.profile())?;
                Some(Arc::new(start.run(program, &rules.with_profile(profile), &sandbox.jwks).await?))
            }
            None => None,
        };
        let server: Arc<dyn Server> = match (&own, &setting.server) {
            (Some(own), _) => Arc::clone(own) as Arc<dyn Server>,
            (None, ServerSetting::Foreign(server)) => Arc::new((**server).clone()),
            (None, _) => return Err(Failure::new("no server was started")),
        };
        let client = setting.client.clone();
        let mark = Mutex::default();
        let is_spent = AtomicBool::new(false);
        Ok(Self { server, client, fault, struck, own, sandbox, rules, mark, is_spent, _whatsapp: whatsapp })
    }

    /// Starts everything in this process.
    ///
    /// # Errors
    /// A server does not start.
    pub async fn in_process(rules: impl Into<Rules>) -> Result<Self, Failure> {
        Self::start(&Setting::default(), rules).await
    }

    /// Another local WhatsApp, whose clock a check may move, with the suite's own server in the third party's place.
    pub(crate) async fn apart(&self) -> Result<(Self, Issuer), Failure> {
        let (rules, issuer) = (self.rules.clone(), Issuer::start(self.rules.profile()).await?);
        let (fault, struck) = (self.fault.clone(), self.struck.clone());
        let (sandbox, whatsapp) =
            WhatsApp::in_process(&rules, issuer.base_url(), 0, (fault.as_ref(), &struck)).await?;
        let (server, client) = (Arc::new(issuer.clone()), self.client.clone());
        let mark = Mutex::default();
        let apart = Self {
            server,
            client,
            fault,
            struck,
            own: None,
            sandbox,
            rules,
            mark,
            is_spent: AtomicBool::new(false),
            _whatsapp: whatsapp,
        };
        Ok((apart, issuer))
    }

    /// Moves the clock of the local WhatsApp on.
    pub(crate) async fn advance(&self, issuer: &Issuer, seconds: u64) -> Result<(), Failure> {
        issuer.advance(seconds);
        self.control("clock", json!({ "advance": seconds })).await.map(drop)
    }

    /// A third party beside the one that is judged, onboarded at the local WhatsApp under [`OTHER_INTEGRATOR`].
    pub(crate) async fn other_party(&self) -> Result<Issuer, Failure> {
        let issuer = Issuer::start(self.rules.profile()).await?;
        let party = json!({ "id": OTHER_INTEGRATOR, "base_url": issuer.base_url() });
        self.control("integrators", party).await?;
        Ok(issuer)
    }

    /// This project's own server.
    pub(crate) fn own(&self) -> Result<&OwnServer, Failure> {
        self.own.as_deref().ok_or_else(|| Failure::new("the server is not this project's own"))
    }

    /// The HTTP versions on which a check asks: what HTTP/2 alone is about has checks of its own.
    pub(crate) fn versions(&self) -> &'static [Http] {
        if self.own.is_some() { &[Http::One, Http::Two] } else { &[Http::One] }
    }

    /// The third party's base URL.
    pub(crate) fn base(&self) -> String {
        self.server.base_url().to_owned()
    }

    /// The URL of the third party's public keys (overview §1.3).
    pub(crate) fn jwks_url(&self) -> String {
        format!("{}{}", self.base(), self.rules.profile().token.jwks_path)
    }

    /// The URL of its wake-ups (overview §3.2.2).
    pub(crate) fn push_url(&self) -> String {
        format!("{}{}", self.base(), self.rules.profile().push.path)
    }

    /// A check begins.
    pub(crate) async fn begin(&self) -> Result<(), Failure> {
        let all = self.deviations(0).await?;
        let deviation = all.last().map_or(0, |it| it.number);
        *self.mark() = Mark { deviation, ..Mark::default() };
        Ok(())
    }

    /// The check changes what others rely on: they get servers of their own.
    pub(crate) fn spend(&self) {
        self.is_spent.store(true, Ordering::Relaxed);
    }

    /// Whether a check has changed it for good.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed)
    }

    /// The check breaks these rules of the local WhatsApp on purpose.
    pub(crate) fn provokes(&self, rules: &[&str]) {
        self.mark().provoked.extend(rules.iter().map(|rule| (*rule).to_owned()));
    }

    /// The check has enlisted this user.
    pub(crate) fn enlisted(&self, login: &Jid) {
        self.mark().logins.push(login.to_string());
    }

    /// What the local WhatsApp has recorded since the check began.
    pub(crate) async fn recorded(&self) -> Result<Vec<Deviation>, Failure> {
        let after = self.mark().deviation;
        self.deviations(after).await
    }

    async fn deviations(&self, after: u64) -> Result<Vec<Deviation>, Failure> {
        let mut seen = self.observe(&format!("deviations?after={after}")).await?;
        let records = seen.get_mut("deviations").map(Value::take).unwrap_or_default();
        Ok(serde_json::from_value(records)?)
    }

    /// Fails unless exactly the rules were broken that the check said it would break.
    pub(crate) fn judge(&self, recorded: &[Deviation]) -> Result<(), Failure> {
        let provoked = self.mark().provoked.clone();
        // What public clients do beyond the documents is noted; of this project's own, even that is a failure.
        let is_strict = self.client == ClientSetting::Own;
        let mut counted = recorded.iter().filter(|it| is_strict || it.class != "note");
        if let Some(it) = counted.find(|it| !provoked.contains(&it.rule)) {
            return Err(Failure(format!(
                "the local WhatsApp recorded a {} of {}: {}",
                it.class, it.rule, it.what
            )));
        }
        match provoked.iter().find(|rule| !recorded.iter().any(|it| it.rule == **rule)) {
            Some(rule) => Err(Failure(format!("the local WhatsApp recorded no breach of {rule}"))),
            None => Ok(()),
        }
    }

    /// The stanzas of the users that the check enlisted.
    pub(crate) async fn stanzas(&self) -> Result<Vec<Stanza>, Failure> {
        let url = format!("{}transcript?format=jsonl", self.sandbox.control);
        let lines = get(Http::One, &url).await?.into_body();
        Ok(of_logins(&String::from_utf8_lossy(&lines), &self.mark().logins))
    }

    fn mark(&self) -> MutexGuard<'_, Mark> {
        self.mark.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rules under which everything runs.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The rules' profile, with the local WhatsApp in place of the real one.
    pub(crate) fn profile(&self) -> Profile {
        let mut profile = self.rules.profile().clone();
        profile.enlistment.url.clone_from(&self.sandbox.enlist);
        profile.media.whatsapp_origin.clone_from(&self.sandbox.media);
        profile
    }

    /// The same as a party has it: a saboteur may have it live by another value.
    pub(crate) fn profile_of(&self, side: Side) -> Result<Profile, Failure> {
        Fault::profile_of(self.fault.as_ref(), side, &self.profile())
    }

    /// What a saboteur breaks in the client.
    pub(crate) fn client_fault(&self) -> Option<ClientFault> {
        match self.fault {
            Some(Fault::Client(fault)) => Some(fault),
            _ => None,
        }
    }

    /// What certificates of the local chatd come from.
    pub(crate) fn root(&self) -> Result<TrustRoot, Failure> {
        let root = hex::decode(&self.sandbox.noise_root)?;
        Ok(TrustRoot::new(wa_interop::keys::PublicKey::from_slice(&root)?))
    }

    /// Reads something behind WhatsApp's back.
    pub(crate) async fn observe(&self, path: &str) -> Result<Value, Failure> {
        get_json(&format!("{}{path}", self.sandbox.control)).await
    }

    /// Does something behind WhatsApp's back.
    pub(crate) async fn control(&self, path: &str, body: Value) -> Result<Value, Failure> {
        post_json(&format!("{}{path}", self.sandbox.control), &body).await
    }

    /// What the phone has received from a login, in order.
    pub(crate) async fn received(&self, from: &str) -> Result<Vec<String>, Failure> {
        let seen = self.observe(&format!("phones/{PHONE}")).await?;
        let received = seen.get("received").and_then(Value::as_array).cloned().unwrap_or_default();
        let is_theirs = |message: &&Value| {
            message.get("from") == Some(&json!(from)) && message.get("device") == Some(&json!(0))
        };
        let theirs = received.iter().filter(is_theirs);
        let text = |message: &Value| message.get("text")?.as_str().map(str::to_owned);
        Ok(theirs.map(|message| text(message).unwrap_or_else(|| "(undecryptable)".to_owned())).collect())
    }
}

impl WhatsApp {
    async fn program(program: &Path, rules: &Rules, base: &str) -> Result<(Addresses, Self), Failure> {
        let mut command = Command::new(program);
        command.args(["--integrator", &format!("{INTEGRATOR}={base}"), "--profile", rules.name()]);
        command.args(["--phone", PHONE, "--phone", SILENT_PHONE, "--port", "0"]);
        if std::env::var_os("RUST_LOG").is_none() {
            // Checks break rules on purpose.
            command.env("RUST_LOG", "off");
        }
        let (process, addresses) = start(command).await?;
        Ok((serde_json::from_str(&addresses)?, Self::Program { _process: process }))
    }

    async fn in_process(
        rules: &Rules,
        base: &str,
        port: u16,
        (fault, struck): (Option<&Fault>, &Struck),
    ) -> Result<(Addresses, Self), Failure> {
        let config = WorldConfig {
            profile: Fault::profile_of(fault, Side::Whatsapp, rules.profile())?,
            integrators: vec![wa_sandbox::Integrator { id: INTEGRATOR, base_url: base.to_owned() }],
            phones: vec![PHONE.to_owned(), SILENT_PHONE.to_owned()],
            strict: false,
        };
        let mut turn = tokio::time::interval(TURN);
        let mut tries = 0;
        let sandbox = loop {
            turn.tick().await;
            let binding = Binding { port, ..Binding::default() };
            match Sandbox::bind_at(config.clone(), Clock::default(), binding).await {
                // The one before it is just going.
                Err(error) if error.kind() == ErrorKind::AddrInUse && tries < TRIES => tries += 1,
                bound => break bound?,
            }
        };
        let sandbox = sandbox.sabotaged(sabotage(fault, struck)?);
        let (addresses, fronts) = fronted(sandbox.addresses().clone(), fault, struck).await?;
        let (end, ended) = oneshot::channel::<()>();
        tokio::spawn(sandbox.run(async { drop(ended.await) }));
        Ok((addresses, Self::InProcess { _end: end, _fronts: Box::new(fronts) }))
    }
}

/// The addresses of a local WhatsApp with a saboteur in front of it, if there is one.
async fn fronted(
    mut addresses: Addresses,
    fault: Option<&Fault>,
    struck: &Struck,
) -> Result<(Addresses, Fronts), Failure> {
    let mut http = None;
    if let Some(rewrite) = Fault::at(fault, Door::Whatsapp) {
        let meddler = Meddler::start(rewrite, struck).await?;
        let Addresses { enlist, jwks, media, control, .. } = &mut addresses;
        let behind = media.clone();
        meddler.forward_to(behind.trim_start_matches("http://"));
        let before = format!("http://{}", meddler.address);
        for address in [enlist, jwks, media, control] {
            *address = address.replacen(&behind, &before, 1);
        }
        http = Some(meddler);
    }
    let mut chat = None;
    if let Some(Fault::Wire(fault)) = fault {
        let proxy = Proxy::start(&addresses.chat).await?;
        proxy.spoil(*fault);
        addresses.chat.clone_from(&proxy.address);
        chat = Some(proxy);
    }
    Ok((addresses, Fronts { _http: http, _chat: chat }))
}

/// Waits until somebody else's server answers anything at all: it may have been started just now.
async fn answers(base: &str) -> Result<(), Failure> {
    let mut turn = tokio::time::interval(TURN);
    let mut tries = 0;
    loop {
        turn.tick().await;
        match get(Http::One, base).await {
            Ok(_) => return Ok(()),
            Err(failure) if tries == PATIENT_TRIES => {
                return Err(Failure(format!("there is no server at {base}: {failure}")));
            }
            Err(_) => tries += 1,
        }
    }
}

/// Starts a program and reads the line that it prints when it is ready.
pub(crate) async fn start(mut command: Command) -> Result<(Child, String), Failure> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure(format!("{name}: {error}")))?;
    let stdout = child.stdout.take().ok_or_else(|| Failure(format!("{name}: no output")))?;
    let line = BufReader::new(stdout).lines().next_line().await?;
    let line = line.ok_or_else(|| Failure(format!("{name} ended before it was ready")))?;
    Ok((child, line))
}
