//! No shim: a person does with their client what they are told, and the local WhatsApp judges what arrives.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Interval, interval};
use wa_sandbox::{Addresses, Binding, Clock, Integrator, Sandbox, WorldConfig};

use crate::checks::catalogue::Catalogue;
use crate::report::evidence::{Deviation, Evidence};
use crate::report::failure::Failure;
use crate::report::{About, Judged, Report, Verdict};
use crate::rules::Rules;
use crate::target::environment::{INTEGRATOR, PHONE};
use crate::target::exchange::{get_json, post_json};
use crate::target::tokens::unix_now;

/// How often it is looked whether something has arrived.
const TURN: Duration = Duration::from_millis(200);

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Watch {
    /// The rules that apply.
    pub rules: Rules,
    /// The port of the local WhatsApp's HTTP; chatd has the next one, the demonstration integrator the one after. 0: any.
    pub port: u16,
    /// The base URL of the third party's own server, in place of the demonstration integrator.
    pub integrator: Option<String>,
    /// How long each step may take.
    pub patience: Duration,
    /// The milestones; all, if none is named. What a later one needs of an earlier one is asked for all the same.
    pub milestones: Vec<u8>,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The check that it stands for.
    pub id: &'static str,
    /// The milestone of the documents.
    pub milestone: u8,
    /// What a person is to do.
    pub words: String,
}

/// What is told meanwhile.
#[derive(Clone, Debug)]
pub enum News<'a> {
    /// Where everything is.
    Ready(&'a Addresses),
    /// What is to be done now.
    Task(&'a Task),
    /// How it went.
    Judged(&'a Judged),
}

/// What a person does with their client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Enlist,
    LogIn,
    Upload,
    Pong,
    Write,
    Read,
    Confirm,
    Leave,
    Return,
    Fetch,
    Block,
    Unblock,
    Delete,
}

/// A step, before anybody has done it.
struct Step {
    deed: Deed,
    id: &'static str,
    milestone: u8,
    title: &'static str,
    words: &'static str,
}

const fn step(deed: Deed, id: &'static str, milestone: u8, title: &'static str, words: &'static str) -> Step {
    Step { deed, id, milestone, title, words }
}

/// All steps, in order. Names in braces are filled in.
const STEPS: [Step; 13] = [
    step(
        Deed::Enlist,
        "enlist-ok",
        1,
        "a user enlists",
        "Enlist a user of integrator 1 at {enlist}. {token}",
    ),
    step(
        Deed::LogIn,
        "handshake",
        2,
        "the login stands",
        "Connect to {chat} and log in; the certificates' root is {noise_root}.",
    ),
    step(Deed::Upload, "prekeys-uploaded", 2, "one-time prekeys are uploaded", "Upload one-time prekeys."),
    step(
        Deed::Pong,
        "server-ping",
        2,
        "a ping is answered",
        "Stay connected: a ping of the server's comes, and wants an answer.",
    ),
    step(Deed::Write, "text-out", 3, "the phone reads a text", "Write a text to {phone}."),
    step(
        Deed::Read,
        "text-in",
        3,
        "a text of the phone's is read",
        "{phone} writes a text with a number in it. Write the number back.",
    ),
    step(
        Deed::Confirm,
        "delivered",
        3,
        "the phone hears that its text has arrived",
        "Have your client say that the text has arrived.",
    ),
    step(Deed::Leave, "offline", 3, "the connection ends", "End the connection."),
    step(
        Deed::Return,
        "offline",
        3,
        "a text that waited is read",
        "{phone} has written another number. Connect again, and write it back.",
    ),
    step(Deed::Fetch, "media-fetched", 4, "a picture is fetched", "{phone} sends a picture. Open it."),
    step(Deed::Block, "block", 4, "somebody is blocked", "Block {phone}."),
    step(Deed::Unblock, "block", 4, "somebody is unblocked", "Unblock {phone}."),
    step(Deed::Delete, "deleted", 5, "the account is deleted", "Delete the account."),
];

/// A run under way.
struct Scene {
    addresses: Addresses,
    /// The login of the user who has enlisted.
    login: Option<String>,
    /// What the person must write back, or WhatsApp must see.
    wanted: Option<String>,
    /// The number of the last deviation that was told of.
    told: u64,
}

/// Tells a person what to do, step by step, and judges what arrives.
///
/// # Errors
/// The local WhatsApp cannot be started.
pub async fn attend(watch: &Watch, tell: &mut dyn FnMut(News<'_>)) -> Result<Report, Failure> {
    let (began, catalogue) = (unix_now(), Catalogue::open()?);
    let (mut scene, _running) = Scene::start(watch).await?;
    tell(News::Ready(&scene.addresses));
    let last = watch.milestones.iter().max().copied().unwrap_or(u8::MAX);
    let (mut results, mut is_over) = (Vec::new(), false);
    for step in STEPS.iter().filter(|step| step.milestone <= last) {
        let start = unix_now();
        let (verdict, evidence) = if is_over {
            let reason = "what it needs has not come".to_owned();
            (Verdict::Skip { reason }, Evidence::default())
        } else {
            let task = Task { id: step.id, milestone: step.milestone, words: scene.fill(step.words) };
            tell(News::Task(&task));
            scene.judge(step, watch.patience).await?
        };
        is_over |= matches!(verdict, Verdict::Fail { .. }) && step.milestone < 3 && !scene.is_known().await?;
        let judged = Judged {
            id: step.id,
            document: watch.rules.name().to_owned(),
            milestone: step.milestone,
            title: step.title,
            requirements: catalogue.of_check(step.id).cloned().collect(),
            verdict,
            ms: unix_now().saturating_sub(start) * 1000,
            evidence,
        };
        tell(News::Judged(&judged));
        results.push(judged);
    }
    Ok(Report { about: about(watch, began), results })
}

fn about(watch: &Watch, began: u64) -> About {
    About {
        target: "a client, by a person's hands".to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        rules: vec![watch.rules.name().to_owned()],
        seed: None,
        jobs: 1,
        began,
        ms: unix_now().saturating_sub(began) * 1000,
    }
}

impl Scene {
    async fn start(watch: &Watch) -> Result<(Self, oneshot::Sender<()>), Failure> {
        let integrator = watch.integrator.clone().map(|base_url| Integrator { id: INTEGRATOR, base_url });
        let config = WorldConfig {
            profile: watch.rules.profile().clone(),
            integrators: integrator.into_iter().collect(),
            phones: vec![PHONE.to_owned()],
            strict: false,
        };
        let binding = Binding { port: watch.port, demo: watch.integrator.is_none(), ..Binding::default() };
        let sandbox = Sandbox::bind_at(config, Clock::default(), binding).await?;
        let addresses = sandbox.addresses().clone();
        let (end, ended) = oneshot::channel::<()>();
        tokio::spawn(sandbox.run(async { drop(ended.await) }));
        Ok((Self { addresses, login: None, wanted: None, told: 0 }, end))
    }

    fn fill(&self, words: &str) -> String {
        let Addresses { enlist, chat, noise_root, integrator, .. } = &self.addresses;
        let token = integrator
            .as_ref()
            .map(|base| format!("A token for alice: curl -s {base}/token -d '{{\"user\": \"alice\"}}'"));
        words
            .replace("{enlist}", enlist)
            .replace("{chat}", chat)
            .replace("{noise_root}", noise_root)
            .replace("{phone}", PHONE)
            .replace("{token}", token.as_deref().unwrap_or("Your server's token is the proof."))
    }

    /// Waits until a step was done, and looks at what was recorded meanwhile.
    async fn judge(&mut self, step: &Step, patience: Duration) -> Result<(Verdict, Evidence), Failure> {
        self.prepare(step.deed).await?;
        let mut turns: Interval = interval(TURN);
        let mut left = patience.as_millis() / TURN.as_millis();
        let has_come = loop {
            turns.tick().await;
            if self.has_come(step.deed).await? {
                break true;
            }
            if left == 0 {
                break false;
            }
            left -= 1;
        };
        let deviations = self.deviations().await?;
        let wrong = deviations.iter().find(|it| it.class != "note");
        let failure = match wrong {
            Some(it) => Some(format!(
                "the local WhatsApp recorded a deviation of {}: {}; {}",
                it.rule, it.what, it.mend
            )),
            None if has_come => None,
            None => Some(format!("nothing of the sort came within {} s", patience.as_secs())),
        };
        let verdict = failure.map_or(Verdict::Pass, |failure| Verdict::Fail { failure });
        Ok((verdict, Evidence { deviations, ..Evidence::default() }))
    }

    /// What the other side does first.
    async fn prepare(&mut self, deed: Deed) -> Result<(), Failure> {
        self.wanted = None;
        match deed {
            Deed::Pong => {
                let ping = self.control(&format!("accounts/{}/ping", self.login()), json!({})).await;
                self.wanted = ping.ok().and_then(|it| it.get("id")?.as_str().map(str::to_owned));
            }
            Deed::Read | Deed::Return => self.write_number().await?,
            Deed::Fetch => {
                let mut file = self.control("media", json!({ "class": "image", "length": 5000 })).await?;
                let path = file.get("direct_path").and_then(Value::as_str);
                self.wanted = path.and_then(|it| it.split('?').next()).map(str::to_owned);
                if let Some(file) = file.as_object_mut() {
                    file.extend(
                        [("kind", "image"), ("mime", "image/jpeg")]
                            .map(|(name, it)| (name.to_owned(), json!(it))),
                    );
                }
                self.phone_sends(json!({ "to": self.login(), "media": file })).await?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether a step was done.
    async fn has_come(&mut self, deed: Deed) -> Result<bool, Failure> {
        if deed == Deed::Enlist {
            let accounts = self.observe("accounts").await?;
            let newest = accounts.pointer("/accounts/0/login").and_then(Value::as_str);
            self.login = newest.map(str::to_owned);
            return Ok(self.login.is_some());
        }
        if deed == Deed::Delete {
            return Ok(!self.is_known().await?);
        }
        let account = self.observe(&format!("accounts/{}", self.login())).await.unwrap_or_default();
        let (member, yes) = (|name: &str| account.get(name).cloned().unwrap_or_default(), json!(true));
        Ok(match deed {
            Deed::LogIn => member("connected") == yes && !member("handshake").is_null(),
            Deed::Upload => member("prekeys").as_u64() > Some(0),
            Deed::Pong => {
                let pongs = self.observe("pongs").await?;
                let pongs = pongs.get("pongs").and_then(Value::as_array).cloned().unwrap_or_default();
                self.wanted.as_ref().is_some_and(|id| pongs.contains(&json!(id)))
            }
            Deed::Write => self.has_written("").await?,
            Deed::Read => self.has_written_back().await?,
            Deed::Confirm => {
                self.at_phone("receipts").await?.iter().any(|it| it.get("kind") == Some(&json!("delivery")))
            }
            Deed::Leave => member("connected") != yes,
            Deed::Return => self.has_written_back().await?,
            Deed::Fetch => {
                let exchanges = self.observe("exchanges").await?.to_string();
                self.wanted.as_ref().is_some_and(|path| exchanges.contains(path.as_str()))
            }
            Deed::Block => member("blocked").as_array().is_some_and(|it| !it.is_empty()),
            Deed::Unblock => member("blocked").as_array().is_some_and(Vec::is_empty),
            Deed::Enlist | Deed::Delete => false,
        })
    }

    /// The phone writes a text with a number that nobody could guess.
    async fn write_number(&mut self) -> Result<(), Failure> {
        let number = format!("{:06}", rand::random_range(0..1_000_000));
        self.phone_sends(json!({ "to": self.login(), "text": format!("The number is {number}.") })).await?;
        self.wanted = Some(number);
        Ok(())
    }

    async fn has_written_back(&self) -> Result<bool, Failure> {
        match &self.wanted {
            Some(number) => self.has_written(number).await,
            None => Ok(false),
        }
    }

    /// Whether the phone has read a text with this in it.
    async fn has_written(&self, within: &str) -> Result<bool, Failure> {
        let received = self.at_phone("received").await?;
        Ok(received
            .iter()
            .any(|it| it.get("text").and_then(Value::as_str).is_some_and(|text| text.contains(within))))
    }

    /// What the phone has of the user in one of its lists.
    async fn at_phone(&self, list: &str) -> Result<Vec<Value>, Failure> {
        let phone = self.observe(&format!("phones/{PHONE}")).await?;
        let all = phone.get(list).and_then(Value::as_array).cloned().unwrap_or_default();
        let login = json!(self.login());
        Ok(all.into_iter().filter(|item| item.get("from") == Some(&login)).collect())
    }

    async fn is_known(&self) -> Result<bool, Failure> {
        let accounts = self.observe("accounts").await?;
        let all = accounts.get("accounts").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(all.iter().any(|it| it.get("login") == Some(&json!(self.login()))))
    }

    fn login(&self) -> &str {
        self.login.as_deref().unwrap_or_default()
    }

    async fn deviations(&mut self) -> Result<Vec<Deviation>, Failure> {
        let mut seen = self.observe(&format!("deviations?after={}", self.told)).await?;
        let records = seen.get_mut("deviations").map(Value::take).unwrap_or_default();
        let records: Vec<Deviation> = serde_json::from_value(records)?;
        self.told = records.last().map_or(self.told, |it| it.number);
        Ok(records)
    }

    async fn phone_sends(&self, content: Value) -> Result<Value, Failure> {
        self.control(&format!("phones/{PHONE}/send"), content).await
    }

    async fn observe(&self, path: &str) -> Result<Value, Failure> {
        get_json(&format!("{}{path}", self.addresses.control)).await
    }

    async fn control(&self, path: &str, body: Value) -> Result<Value, Failure> {
        post_json(&format!("{}{path}", self.addresses.control), &body).await
    }
}
