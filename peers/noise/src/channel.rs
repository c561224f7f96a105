//! Our own two ends, whose handshake is the same each time because its randomness is.

use bytes::Bytes;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_keys::PrivateKey;
use wa_noise::{
    CertificateAuthority, Dialect, ExpectServerHello, HandshakeError, Hello, Setup, Transport, TrustRoot,
    Validity,
};

/// The bytes before the first frame, as both sides hash them.
pub const PROLOGUE: [u8; 4] = *b"WA\x06\x03";

/// The time of every handshake, in Unix seconds.
pub const NOW: u64 = 1_800_000_000;

/// What a client logs in with; of a usual length.
pub const LOGIN: [u8; 200] = [0x0A; 200];

/// A client, a server, and the messages of their one handshake.
pub struct Channel {
    /// What the client brings.
    pub client: Setup,
    /// What the server brings.
    pub server: Setup,
    /// What the client trusts.
    pub root: TrustRoot,
    /// What proves the server, in protobuf.
    pub chain: Vec<u8>,
    /// Client hello, server hello, client finish.
    pub messages: [Bytes; 3],
    /// The client's end.
    pub client_end: Transport,
    /// The server's end.
    pub server_end: Transport,
}

impl Channel {
    /// Runs the handshake once.
    ///
    /// # Panics
    /// If the two ends do not agree.
    pub fn open() -> Self {
        let mut rng = StdRng::seed_from_u64(7);
        let (client, server) = (setup(&mut rng), setup(&mut rng));
        let (root, chain) = certify(&server, &mut rng);
        let (expect_hello, hello) = ExpectServerHello::start(&client, &mut client_rng()).expect("starts");
        let asked = Hello::read(&server, hello.clone(), &mut server_rng()).expect("a hello");
        let Hello::Full(answer) = asked else { panic!("a client that knows no server does not resume") };
        let (expect_finish, answer) = answer.send(&chain).expect("answers");
        let verified = expect_hello.read_server_hello(answer.clone(), &root, NOW).expect("verifies");
        let (client_end, finish) = verified.finish(&LOGIN).expect("finishes");
        let (server_end, identity) = expect_finish.read_client_finish(finish.clone()).expect("finishes");
        assert_eq!(identity.key, client.static_key.public_key());
        assert_eq!(identity.payload.as_slice(), LOGIN);
        Self { client, server, root, chain, messages: [hello, answer, finish], client_end, server_end }
    }

    /// The client's whole part of the handshake.
    pub fn client_part(&self) -> Result<Transport, HandshakeError> {
        let (expect_hello, _) = ExpectServerHello::start(&self.client, &mut client_rng())?;
        let verified = expect_hello.read_server_hello(self.messages[1].clone(), &self.root, NOW)?;
        Ok(verified.finish(&LOGIN)?.0)
    }

    /// The server's whole part of the handshake.
    pub fn server_part(&self) -> Result<Transport, HandshakeError> {
        let Hello::Full(answer) = Hello::read(&self.server, self.messages[0].clone(), &mut server_rng())?
        else {
            return Err(HandshakeError::OutOfStep);
        };
        let (expect_finish, _) = answer.send(&self.chain)?;
        Ok(expect_finish.read_client_finish(self.messages[2].clone())?.0)
    }
}

/// A new end with a key of its own.
pub fn setup(rng: &mut StdRng) -> Setup {
    let static_key = PrivateKey::generate(rng);
    Setup { prologue: Bytes::from_static(&PROLOGUE), dialect: Dialect::WhatsApp, static_key }
}

/// A chain that proves the server at [`NOW`], and the root above it.
pub fn certify(server: &Setup, rng: &mut StdRng) -> (TrustRoot, Vec<u8>) {
    let authority = CertificateAuthority::generate(rng);
    let validity = Validity { not_before: NOW - 10, not_after: NOW + 1_000_000 };
    let chain = authority.issue(&server.static_key.public_key(), validity, rng);
    (authority.root(), chain.encode_to_vec())
}

fn client_rng() -> StdRng {
    StdRng::seed_from_u64(11)
}

fn server_rng() -> StdRng {
    StdRng::seed_from_u64(13)
}
