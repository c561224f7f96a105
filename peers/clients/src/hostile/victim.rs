//! A client whose login stands, and the server at the other end of its line.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use measure::held;
use prost::Message;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_binary::{EncodeOptions, Jid, Limits, Node};
use wa_chat::{AccountKeys, Client, Command, Now, Ticket};
use wa_keys::PrivateKey;
use wa_noise::{CertificateAuthority, Dialect, FrameDecoder, Hello, MAX_FRAME, Setup, Transport, Validity};
use wa_profile::Profile;

use crate::attacks::Attack;
use crate::shelf::Shelf;

/// What an attack amounted to.
pub struct Held {
    /// Bytes that the client held at most, beyond what it held before.
    pub most: i64,
    /// Bytes that the first frame takes when it is read.
    pub frame: i64,
    /// Stanzas that the client took.
    pub stanzas: u64,
}

pub struct Victim {
    client: Client,
    shelf: Shelf,
    stalled: bool,
    server: Transport,
    rng: StdRng,
    now: Now,
}

const UNIX: u64 = 1_800_000_000;

impl Victim {
    /// A client that is logged in, with its prekeys made. If it is stalled its store runs nothing from then on.
    pub fn new(stalled: bool) -> Self {
        let (profile, mut rng) = (Profile::reference_offer_1_0_3(), StdRng::seed_from_u64(1));
        let now = Now { unix: UNIX, tick: Duration::ZERO };
        let authority = CertificateAuthority::generate(&mut rng);
        let mut shelf = Shelf::default();
        shelf.apply(&Client::create(&AccountKeys::generate(&mut rng)));
        let prologue = Bytes::copy_from_slice(&profile.chat.prologue);
        let mut client = Client::open(profile, authority.root());
        run(&mut client, &mut shelf, now, &mut rng);
        let login = Jid::interop(7, 25).expect("a login");
        client.handle_command(now, Ticket(1), Command::Enlisted(login), &mut rng);
        run(&mut client, &mut shelf, now, &mut rng);
        client.connect(now, "token", &mut rng).expect("connects");
        let setup =
            Setup { prologue, dialect: Dialect::WhatsApp, static_key: PrivateKey::generate(&mut rng) };
        let server = greet(&mut client, &setup, &authority, &mut rng);
        let mut victim = Self { client, shelf, stalled: false, server, rng, now };
        victim.hear(&"<success t='1800000000' location='x'/>".parse().expect("a node"));
        victim.run();
        // What it wants to say is said, and the application has seen all.
        while victim.client.poll_transmit().is_some() || victim.client.poll_event().is_some() {}
        victim.run();
        victim.stalled = stalled;
        victim
    }

    /// Suffers so many stanzas of an attack, as far as it reads them.
    pub fn suffer(mut self, attack: Attack, stanzas: u64) -> Held {
        let base = held() - self.shelf.bytes;
        let mut result = Held { most: 0, frame: 0, stanzas: 0 };
        while result.stanzas < stanzas && self.client.is_connected() && self.client.wants_input() {
            let frame = {
                let node = attack(result.stanzas);
                if result.stanzas == 0 {
                    result.frame = cost(&node);
                }
                self.sealed(&node)
            };
            let length = i64::try_from(frame.len()).unwrap_or(i64::MAX);
            self.client.handle_bytes(self.now, &frame, &mut self.rng);
            result.most = result.most.max(held() - self.shelf.bytes - base - length);
            drop(frame);
            self.run();
            result.most = result.most.max(held() - self.shelf.bytes - base);
            result.stanzas += 1;
        }
        result
    }

    fn hear(&mut self, node: &Node) {
        let frame = self.sealed(node);
        self.client.handle_bytes(self.now, &frame, &mut self.rng);
    }

    /// A frame as a server sends it, compressed where that is shorter.
    fn sealed(&mut self, node: &Node) -> Bytes {
        let options = EncodeOptions::new().with_compress_above(1024);
        let mut body = BytesMut::from(wa_binary::pack(node, &options).expect("packs").as_slice());
        self.server.sealer.seal(&mut body).expect("seals");
        wa_noise::frame(&body).expect("fits")
    }

    fn run(&mut self) {
        if !self.stalled {
            run(&mut self.client, &mut self.shelf, self.now, &mut self.rng);
        }
    }
}

fn run(client: &mut Client, shelf: &mut Shelf, now: Now, rng: &mut StdRng) {
    while let Some(transaction) = client.poll_transaction() {
        let rows = shelf.apply(&transaction);
        drop(transaction);
        client.handle_committed(now, rows, rng).expect("goes on");
    }
}

/// The server's side of the handshake.
fn greet(
    client: &mut Client,
    setup: &Setup,
    authority: &CertificateAuthority,
    rng: &mut StdRng,
) -> Transport {
    let now = Now { unix: UNIX, tick: Duration::ZERO };
    let mut frames = FrameDecoder::new(MAX_FRAME);
    let mut next = |client: &mut Client| {
        while let Some(bytes) = client.poll_transmit() {
            frames.push(&bytes);
        }
        frames.next_intro(&setup.prologue).ok();
        frames.next_frame().expect("a frame").expect("whole").freeze()
    };
    let hello = next(client);
    let validity = Validity { not_before: UNIX - 60, not_after: UNIX + 60 };
    let chain = authority.issue(&setup.static_key.public_key(), validity, rng).encode_to_vec();
    let Ok(Hello::Full(hello)) = Hello::read(setup, hello, rng) else { unreachable!("nothing to resume") };
    let (finish, reply) = hello.send(&chain).expect("answers");
    client.handle_bytes(now, &wa_noise::frame(&reply).expect("fits"), rng);
    let mut frames = FrameDecoder::new(MAX_FRAME);
    while let Some(bytes) = client.poll_transmit() {
        frames.push(&bytes);
    }
    let finished = frames.next_frame().expect("a frame").expect("whole").freeze();
    finish.read_client_finish(finished).expect("proves").0
}

/// What a node takes when it is read.
fn cost(node: &Node) -> i64 {
    let bytes = Bytes::from(wa_binary::encode(node, &EncodeOptions::new()).expect("encodes"));
    let before = held() - i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let read = wa_binary::decode(&bytes, &Limits::new()).expect("decodes");
    let cost = held() - before;
    drop(read);
    cost
}
