//! The handshake: the server proves who it is, and the login goes out (overview §2; resumption observed).

use bytes::Bytes;
use rand_core::CryptoRng;
use wa_noise::{
    ExpectResumption, ExpectServerHello, Intro, KnownServer, Resumption, SendFinish, Setup, Transport,
};

use crate::channel::{Channel, ChannelEvent, Login, State};
use crate::{DisconnectReason, Now};

/// What earlier connections told of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who it is, to resume with.
    pub server: KnownServer,
    /// Which of its edges this account belongs to, in the server's own words (observed: `<edge_routing>`). Said before the
    /// handshake.
    pub routing_info: Option<Bytes>,
}

/// A handshake whose answer is awaited.
#[derive(Debug)]
pub(super) enum Hello {
    Full(ExpectServerHello, Login),
    Resume(ExpectResumption, Login),
}

impl Channel {
    pub(super) fn start(
        &mut self,
        setup: &Setup,
        intro: &Intro,
        (login, server): (Login, Option<&KnownServer>),
        rng: &mut impl CryptoRng,
    ) -> Result<(), DisconnectReason> {
        let (state, hello) = match server {
            None => {
                let (handshake, hello) = ExpectServerHello::start(setup, rng)?;
                (Hello::Full(handshake, login), hello)
            }
            Some(server) => {
                let payload = login.payload(&self.profile);
                let (handshake, hello) = ExpectResumption::start(setup, server, &payload, rng)?;
                (Hello::Resume(handshake, login), hello)
            }
        };
        self.send_raw(intro.encode(&setup.prologue)?);
        self.send_raw(wa_noise::frame(&hello)?);
        self.state = State::Hello(Box::new(state));
        Ok(())
    }

    pub(super) fn handle_hello(&mut self, now: Now, hello: Bytes) -> Result<(), DisconnectReason> {
        // Should a step fail, the handshake is gone and the reason closes the channel.
        let State::Hello(state) = std::mem::replace(&mut self.state, State::Failed) else { return Ok(()) };
        let transport = match *state {
            Hello::Full(handshake, login) => {
                let proved = handshake.read_server_hello(hello, &self.root, now.unix)?;
                self.finish(proved, &login)?
            }
            Hello::Resume(handshake, login) => {
                match handshake.read_server_hello(hello, &self.root, now.unix)? {
                    Resumption::Resumed(transport) => transport,
                    Resumption::Fallback(proved) => self.finish(proved, &login)?,
                }
            }
        };
        self.state = State::Login(Box::new(transport.with_limit(self.message_limit)));
        self.is_proved = true;
        Ok(())
    }

    /// The server is proved: the login goes out.
    fn finish(&mut self, proved: SendFinish, login: &Login) -> Result<Transport, DisconnectReason> {
        let server = *proved.server();
        let (transport, finish) = proved.finish(&login.payload(&self.profile))?;
        self.events.push(ChannelEvent::Server(server), 0);
        self.send_raw(wa_noise::frame(&finish)?);
        Ok(transport)
    }
}
