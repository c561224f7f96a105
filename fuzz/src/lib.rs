//! Both ends of a handshake with fixed keys, for the targets that need one.

pub mod first;
pub mod sessions;

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_chat::Known;
use wa_keys::PrivateKey;
use wa_noise::{
    CertificateAuthority, Dialect, ExpectResumption, ExpectServerHello, HandshakeError, Hello, KnownServer,
    Resume, Resumption, SendFinish, SendServerHello, Setup, Transport, TrustRoot, Validity,
};

/// A client, a server and the authority that certifies it, always the same.
pub struct World {
    /// What the client brings.
    pub client: Setup,
    /// What the server brings.
    pub server: Setup,
    /// What the client trusts.
    pub root: TrustRoot,
    /// The server's certificate chain.
    pub chain: Vec<u8>,
}

/// The world that targets share.
pub static WORLD: LazyLock<World> = LazyLock::new(World::new);

impl World {
    fn new() -> Self {
        let setup = |key: u8| Setup {
            prologue: Bytes::from_static(b"WA\x06\x03"),
            dialect: Dialect::WhatsApp,
            static_key: PrivateKey::from_bytes([key; 32]),
        };
        let (client, server) = (setup(1), setup(2));
        let mut rng = StdRng::seed_from_u64(1);
        let authority = CertificateAuthority::generate(&mut rng);
        let validity = Validity { not_before: 0, not_after: u64::from(u32::MAX) };
        let chain = authority.issue(&server.static_key.public_key(), validity, &mut rng).encode_to_vec();
        Self { client, server, root: authority.root(), chain }
    }

    /// A source of randomness, always the same.
    pub fn rng(&self) -> StdRng {
        StdRng::seed_from_u64(2)
    }

    /// A client that has begun, and its hello.
    pub fn client(&self) -> (ExpectServerHello, Bytes) {
        ExpectServerHello::start(&self.client, &mut self.rng()).expect("a client begins")
    }

    /// A server that has read this hello of a client that does not resume.
    pub fn server(&self, hello: Bytes) -> SendServerHello {
        match Hello::read(&self.server, hello, &mut StdRng::seed_from_u64(3)) {
            Ok(Hello::Full(server)) => server,
            _ => panic!("the client's hello is good"),
        }
    }

    /// The client's verdict on a server's hello.
    pub fn read_server_hello(
        &self,
        client: ExpectServerHello,
        hello: Bytes,
    ) -> Result<SendFinish, HandshakeError> {
        client.read_server_hello(hello, &self.root, 1_700_000_000)
    }

    /// The server, as a client knows it from before.
    pub fn known(&self) -> Known {
        let key = self.server.static_key.public_key();
        let server = KnownServer { key, not_after: u64::from(u32::MAX) };
        Known { server, routing_info: None }
    }

    /// A client that resumes, and its hello.
    pub fn resuming(&self) -> (ExpectResumption, Bytes) {
        let known = self.known().server;
        ExpectResumption::start(&self.client, &known, b"login", &mut self.rng()).expect("a client begins")
    }

    /// A server that has read this hello of a client that resumes.
    pub fn resumed(&self, hello: Bytes) -> Resume {
        match Hello::read(&self.server, hello, &mut StdRng::seed_from_u64(3)) {
            Ok(Hello::Resume(resume)) => resume,
            _ => panic!("the client's hello is good"),
        }
    }

    /// The resuming client's verdict on a server's hello.
    pub fn read_resumption(
        &self,
        client: ExpectResumption,
        hello: Bytes,
    ) -> Result<Resumption, HandshakeError> {
        client.read_server_hello(hello, &self.root, 1_700_000_000)
    }

    /// The client's and the server's end of a finished handshake.
    pub fn transports(&self) -> (Transport, Transport) {
        let (client, hello) = self.client();
        let (server, hello) = self.server(hello).send(&self.chain).expect("a chain fits");
        let (client, finish) = self
            .read_server_hello(client, hello)
            .and_then(|client| client.finish(b"login"))
            .expect("a good server");
        let (server, _) = server.read_client_finish(finish).expect("a good client");
        (client, server)
    }
}
