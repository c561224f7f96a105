//! A bare channel on a socket, so that a check sees single stanzas.

use std::time::Duration;

use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wa_interop::chat::{Channel, ChannelEvent, Login, Now};
use wa_interop::keys::PrivateKey;
use wa_interop::noise::TrustRoot;
use wa_interop::profile::Profile;
use wa_stanza::{Iq, Stanza};

use crate::prove::{ClientFault, Side};
use crate::report::failure::{Failure, ensure};
use crate::target::environment::Environment;
use crate::target::tokens::unix_now;
use crate::target::user::User;

/// Where a channel leads.
pub(crate) struct At<'a> {
    /// Host and port.
    pub(crate) address: &'a str,
    /// The root of the server's certificates.
    pub(crate) root: TrustRoot,
    /// The profile that holds there.
    pub(crate) profile: Profile,
}

/// A channel that is logged in.
pub(crate) struct Wire {
    channel: Channel,
    stream: TcpStream,
    rng: UnwrapErr<SysRng>,
}

impl Wire {
    /// Logs a new user in.
    pub(crate) async fn connect(environment: &Environment, name: &str) -> Result<Self, Failure> {
        Self::login(environment, &environment.user(name).await?, None).await
    }

    /// Logs a user in, perhaps with a limit of messages.
    pub(crate) async fn login(
        environment: &Environment,
        user: &User,
        limit: Option<u64>,
    ) -> Result<Self, Failure> {
        let (_, number) = user.login.as_interop().ok_or_else(|| Failure::new("no interop login"))?;
        let login = Login::new(number, environment.issue(&user.name).await?);
        let (address, profile) = (&*environment.sandbox.chat, environment.profile_of(Side::Client)?);
        let at = At { address, root: environment.root()?, profile };
        let limit = limit.filter(|_| environment.client_fault() != Some(ClientFault::Endless));
        Self::open(at, user.keys.noise.clone(), login, limit).await
    }

    /// Logs in anywhere.
    pub(crate) async fn open(
        at: At<'_>,
        key: PrivateKey,
        login: Login,
        limit: Option<u64>,
    ) -> Result<Self, Failure> {
        let mut rng = UnwrapErr(SysRng);
        let channel = Channel::connect(key, login, at.root, None, at.profile, now(), &mut rng);
        let channel = match limit {
            Some(limit) => channel.with_message_limit(limit),
            None => channel,
        };
        let stream = TcpStream::connect(at.address).await?;
        let mut wire = Self { channel, stream, rng };
        loop {
            match wire.next().await? {
                ChannelEvent::Open => return Ok(wire),
                ChannelEvent::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
    }

    /// Sends an iq and waits for its answer.
    pub(crate) async fn ask(&mut self, iq: Iq) -> Result<Iq, Failure> {
        let id = iq.id.clone();
        self.channel.send(iq.into());
        loop {
            match self.next().await? {
                ChannelEvent::Stanza { stanza, .. } => {
                    if let Stanza::Iq(answer) = *stanza
                        && answer.id == id
                    {
                        return Ok(answer);
                    }
                }
                ChannelEvent::Closed(reason) => return Err(reason.into()),
                _ => {}
            }
        }
    }

    /// The next thing that the channel tells.
    pub(crate) async fn next(&mut self) -> Result<ChannelEvent, Failure> {
        loop {
            while let Some(bytes) = self.channel.poll_transmit() {
                self.stream.write_all(&bytes).await?;
            }
            if let Some(event) = self.channel.poll_event() {
                return Ok(event);
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer).await?;
            ensure("the server closed the connection", length > 0)?;
            self.channel.handle_bytes(now(), buffer.get(..length).unwrap_or_default(), &mut self.rng);
        }
    }
}

fn now() -> Now {
    Now { unix: unix_now(), tick: Duration::ZERO }
}
