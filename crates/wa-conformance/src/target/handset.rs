//! A user whose client is judged: enlisted, with a device of the setting's kind.

use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use wa_interop::binary::Jid;

use crate::checks::patience::patience;
use crate::prove::{Fault, SabotagedDevice, Side};
use crate::report::failure::{Failure, expect};
use crate::target::device::{Answer, Command, Device, Happening, Outcome, OwnDevice, Place, Refused, Why};
use crate::target::environment::{Environment, INTEGRATOR, PHONE};
use crate::target::setting::ClientSetting;

/// How long a check waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// One user whose client is driven by a shim.
#[derive(Debug)]
pub(crate) struct Handset {
    pub(crate) name: String,
    pub(crate) login: Jid,
    device: Box<dyn Device>,
    place: Place,
    _state: TempDir,
}

impl Environment {
    /// A new user, enlisted and not connected.
    pub(crate) async fn handset(&self, name: &str) -> Result<Handset, Failure> {
        let (mut device, place, state) = self.device(None).await?;
        let enlist = Command::Enlist { user: name.to_owned(), token: self.issue(name).await? };
        let outcome = done(device.ask(enlist).await?)?;
        let login: Jid = outcome.login.ok_or_else(|| Failure::new("the client told no login"))?.parse()?;
        self.enlisted(&login);
        Ok(Handset { name: name.to_owned(), login, device, place, _state: state })
    }

    /// A new user, connected.
    pub(crate) async fn online(&self, name: &str) -> Result<Handset, Failure> {
        let mut user = self.handset(name).await?;
        user.connect(self).await?;
        Ok(user)
    }

    /// A device in a directory of its own; `enlist`: at another URL than the local WhatsApp's.
    pub(crate) async fn device(
        &self,
        enlist: Option<&str>,
    ) -> Result<(Box<dyn Device>, Place, TempDir), Failure> {
        let state = tempfile::tempdir()?;
        let profile = match &self.fault {
            Some(Fault::Assumes(_)) => {
                let path = state.path().join("profile.toml");
                std::fs::write(&path, self.profile_of(Side::Client)?.to_toml())?;
                path.display().to_string()
            }
            _ => self.rules().name().to_owned(),
        };
        let place = Place {
            enlist: enlist.unwrap_or(&self.sandbox.enlist).to_owned(),
            chat: self.sandbox.chat.clone(),
            media: self.sandbox.media.clone(),
            noise_root: self.sandbox.noise_root.clone(),
            integrator: INTEGRATOR,
            profile,
            state: state.path().display().to_string(),
        };
        Ok((self.start_device(&place).await?, place, state))
    }

    async fn start_device(&self, place: &Place) -> Result<Box<dyn Device>, Failure> {
        let mut device: Box<dyn Device> = match (&self.client, self.client_fault()) {
            (ClientSetting::Own, None) => Box::new(OwnDevice::default()),
            (ClientSetting::Own, Some(fault)) => Box::new(SabotagedDevice::new(fault)),
            (ClientSetting::Shim(program), _) => Box::new(program.start().await?),
        };
        done(device.ask(Command::Open(Box::new(place.clone()))).await?)?;
        Ok(device)
    }
}

/// What came of a command that must be done.
pub(crate) fn done(answer: Answer) -> Result<Outcome, Failure> {
    match answer {
        Answer::Ok(outcome) => Ok(outcome),
        Answer::Refused(Refused { why, said }) => Err(Failure(format!("refused: {why:?}: {said}"))),
        Answer::Failed(why) => Err(Failure(why)),
    }
}

impl Handset {
    /// Has the client do something that must be done.
    pub(crate) async fn tell(&mut self, command: Command) -> Result<Outcome, Failure> {
        done(self.device.ask(command).await?)
    }

    /// Connects with a fresh token.
    pub(crate) async fn connect(&mut self, environment: &Environment) -> Result<(), Failure> {
        let token = environment.issue(&self.name).await?;
        self.tell(Command::Connect { token }).await.map(drop)
    }

    /// Connects with a token, and is refused for this.
    pub(crate) async fn refused(&mut self, token: String, expected: Why) -> Result<(), Failure> {
        match self.device.ask(Command::Connect { token }).await? {
            Answer::Refused(Refused { why, .. }) if why == expected => Ok(()),
            other => Err(Failure(format!("instead of a refusal ({expected:?}): {other:?}"))),
        }
    }

    /// Sends a text to the phone.
    pub(crate) async fn write(&mut self, id: &str, text: &str) -> Result<(), Failure> {
        let (to, id, text) = (PHONE.to_owned(), id.to_owned(), text.to_owned());
        self.tell(Command::Send { to, id, text }).await.map(drop)
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Result<Happening, Failure> {
        let within = u64::try_from(patience(PATIENCE).as_millis())?;
        let outcome = self.tell(Command::Next { within }).await?;
        outcome.event.ok_or_else(|| Failure::new("no event came"))
    }

    /// The next event that is wanted; others are passed over.
    pub(crate) async fn until<T>(&mut self, wanted: impl Fn(&Happening) -> Option<T>) -> Result<T, Failure> {
        loop {
            if let Some(found) = wanted(&self.next().await?) {
                return Ok(found);
            }
        }
    }

    /// The next text, whatever comes before it.
    pub(crate) async fn text(&mut self) -> Result<String, Failure> {
        self.until(|event| match event {
            Happening::Text { text, .. } => Some(text.clone()),
            _ => None,
        })
        .await
    }

    /// Writes a text, and reads the phone's echo of it.
    pub(crate) async fn round_trip(&mut self, id: &str) -> Result<(), Failure> {
        self.write(id, id).await?;
        expect("answer", self.text().await?, format!("echo: {id}"))
    }

    /// Waits for the end of the connection.
    pub(crate) async fn ended(&mut self) -> Result<(), Failure> {
        self.until(|event| matches!(event, Happening::Disconnected { .. }).then_some(())).await
    }

    /// Ends the client and starts it anew in the same directory.
    pub(crate) async fn restart(self, environment: &Environment) -> Result<Self, Failure> {
        self.device.end().await;
        let device = environment.start_device(&self.place).await?;
        Ok(Self { device, ..self })
    }

    /// Ends the connection, and waits until WhatsApp has noticed.
    pub(crate) async fn sleep(&mut self, environment: &Environment) -> Result<(), Failure> {
        self.tell(Command::Disconnect).await?;
        environment.is_connected(&self.login, false).await
    }
}

impl Environment {
    /// Waits until an account is, or is not, connected.
    pub(crate) async fn is_connected(&self, login: &Jid, connected: bool) -> Result<(), Failure> {
        self.account_says(login, "connected", &json!(connected)).await
    }

    /// Waits until the control interface says this of an account.
    pub(crate) async fn account_says(&self, login: &Jid, name: &str, value: &Value) -> Result<(), Failure> {
        let path = format!("accounts/{login}");
        crate::checks::eventually(async || Ok(self.observe(&path).await?.get(name) == Some(value)))
            .await
            .map_err(|it| it.of(&format!("{name} of the account")))
    }
}
