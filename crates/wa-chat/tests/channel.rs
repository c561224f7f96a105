//! A channel and a server of this test's own, above the handshake: what may be said before the login stands, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_binary::{EncodeOptions, Limits, Node};
use wa_chat::{Channel, ChannelEvent, DisconnectReason, Known, Login, Now, Refusal};
use wa_keys::PrivateKey;
use wa_noise::{
    CertificateAuthority, Dialect, FrameDecoder, Hello, KnownServer, MAX_FRAME, Setup, Transport, TrustRoot,
    Validity,
};
use wa_profile::{NoiseDialect, Profile};

const NOW: Now = Now { unix: 1_800_000_000, tick: Duration::ZERO };

/// A channel whose handshake is done and whose login is awaited, and the server's end of it.
struct Line {
    rng: StdRng,
    channel: Channel,
    frames: FrameDecoder,
    server: Transport,
}

impl Line {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let profile = Profile::reference_offer_1_0_3();
        let authority = CertificateAuthority::generate(&mut rng);
        let dialect = match profile.chat.dialect {
            NoiseDialect::Strict => Dialect::Strict,
            _ => Dialect::WhatsApp,
        };
        let prologue = Bytes::copy_from_slice(&profile.chat.prologue);
        let setup = Setup { prologue, dialect, static_key: PrivateKey::generate(&mut rng) };
        let validity = Validity { not_before: NOW.unix - 60, not_after: NOW.unix + 60 };
        let chain = authority.issue(&setup.static_key.public_key(), validity, &mut rng);
        let root = authority.root();
        let mut channel = dial(root, &profile, &mut rng);
        let mut frames = FrameDecoder::new(MAX_FRAME);
        while let Some(bytes) = channel.poll_transmit() {
            frames.push(&bytes);
        }
        frames.next_intro(&setup.prologue).unwrap().unwrap();
        let hello = frames.next_frame().unwrap().unwrap().freeze();
        let Hello::Full(hello) = Hello::read(&setup, hello, &mut rng).unwrap() else { unreachable!() };
        let (finish, reply) = hello.send(&prost::Message::encode_to_vec(&chain)).unwrap();
        channel.handle_bytes(NOW, &wa_noise::frame(&reply).unwrap(), &mut rng);
        frames.push(&channel.poll_transmit().unwrap());
        let finished = frames.next_frame().unwrap().unwrap().freeze();
        let (server, _) = finish.read_client_finish(finished).unwrap();
        assert!(matches!(channel.poll_event(), Some(ChannelEvent::Server(_))));
        Self { rng, channel, frames, server }
    }

    /// The server says something.
    fn say(&mut self, xml: &str) {
        self.say_node(&xml.parse().unwrap());
    }

    fn say_node(&mut self, node: &Node) {
        let frame = self.frame(node);
        self.channel.handle_bytes(NOW, &frame, &mut self.rng);
    }

    /// A frame of the server's, compressed where it is long.
    fn frame(&mut self, node: &Node) -> Bytes {
        let packed = wa_binary::pack(node, &EncodeOptions::new().with_compress_above(1024)).unwrap();
        let mut body = BytesMut::from(packed.as_slice());
        self.server.sealer.seal(&mut body).unwrap();
        wa_noise::frame(&body).unwrap()
    }

    /// What the channel answers.
    fn answers(&mut self) -> Vec<Node> {
        while let Some(bytes) = self.channel.poll_transmit() {
            self.frames.push(&bytes);
        }
        let mut nodes = Vec::new();
        while let Some(mut frame) = self.frames.next_frame().unwrap() {
            self.server.opener.open(&mut frame).unwrap();
            let body = wa_binary::unpack(frame.freeze(), &Limits::new()).unwrap();
            nodes.push(wa_binary::decode(&body, &Limits::new()).unwrap());
        }
        nodes
    }

    /// Why the channel ended, if it did.
    fn end(&mut self) -> Option<DisconnectReason> {
        std::iter::from_fn(|| self.channel.poll_event()).find_map(|event| match event {
            ChannelEvent::Closed(reason) => Some(reason),
            _ => None,
        })
    }
}

fn dial(root: TrustRoot, profile: &Profile, rng: &mut StdRng) -> Channel {
    let key = PrivateKey::generate(rng);
    Channel::connect(key, Login::new(7, "token"), root, None, profile.clone(), NOW, rng)
}

const SUCCESS: &str = "<success t='1800000000' location='frc'/>";

#[test]
fn before_the_login_stands_nothing_but_its_outcome_is_taken_or_answered() {
    for xml in [
        "<iq id='1' type='get' xmlns='urn:xmpp:ping' from='s.whatsapp.net'/>",
        "<iq id='1' type='get' xmlns='w:other' from='s.whatsapp.net'/>",
        "<call id='1' from='4915551234@s.whatsapp.net'><offer/></call>",
        "<message id='1' from='4915551234@s.whatsapp.net' type='text' t='1'><enc v='2' type='msg'/></message>",
        "<notification id='1' from='s.whatsapp.net'/>",
        "<unheard-of/>",
    ] {
        let mut line = Line::new();
        line.say(xml);
        assert!(
            matches!(line.channel.poll_event(), Some(ChannelEvent::Malformed { refusal: None, .. })),
            "{xml}"
        );
        assert_eq!(line.answers(), [], "{xml}");
        assert_eq!(line.channel.poll_event(), None, "{xml}");
        // It is passed over; the login goes on.
        line.say(SUCCESS);
        assert_eq!(line.channel.poll_event(), Some(ChannelEvent::Open), "{xml}");
        line.say("<iq id='2' type='get' xmlns='urn:xmpp:ping' from='s.whatsapp.net'/>");
        assert_eq!(line.answers().len(), 1, "{xml}");
    }
}

#[test]
fn a_login_that_is_not_decided_ends_in_time_whatever_the_server_says_meanwhile() {
    let at = |seconds| Now { unix: NOW.unix + seconds, tick: Duration::from_secs(seconds) };
    let mut line = Line::new();
    let frame = line.frame(&Node::new("unheard-of"));
    line.channel.handle_bytes(at(15), &frame, &mut line.rng);
    assert_eq!(line.channel.poll_timeout(), Some(Duration::from_secs(20)));
    line.channel.handle_timeout(at(20), &mut line.rng);
    assert_eq!(line.end(), Some(DisconnectReason::TimedOut));
    // A login that stands is kept alive from then on. Where the server is, it need not say.
    let mut line = Line::new();
    let frame = line.frame(&"<success t='1800000000'/>".parse().unwrap());
    line.channel.handle_bytes(at(15), &frame, &mut line.rng);
    let ping = line.channel.poll_timeout().unwrap();
    assert!((at(35).tick..=at(45).tick).contains(&ping), "{ping:?}");
}

#[test]
fn before_the_login_stands_no_long_frame_is_waited_for() {
    let mut line = Line::new();
    line.channel.handle_bytes(NOW, &[1, 0, 1], &mut line.rng);
    assert!(matches!(line.end(), Some(DisconnectReason::Frame(_))));
    let mut line = Line::new();
    line.say(SUCCESS);
    line.channel.handle_bytes(NOW, &[1, 0, 1], &mut line.rng);
    assert_eq!(line.end(), None);
}

#[test]
fn a_server_that_says_go_away_is_left_and_may_be_tried_again() {
    let profile = Profile::overview();
    let mut rng = StdRng::seed_from_u64(2);
    let root = TrustRoot::new(PrivateKey::generate(&mut rng).public_key());
    let mut channel = dial(root, &profile, &mut rng);
    channel.handle_bytes(NOW, b"GO", &mut rng);
    assert_eq!(channel.poll_event(), None);
    channel.handle_bytes(NOW, b"A", &mut rng);
    let reason = DisconnectReason::GoAway;
    assert!(!reason.is_terminal());
    assert_eq!(channel.poll_event(), Some(ChannelEvent::Closed(reason)));
}

#[test]
fn the_way_that_the_server_named_is_said_before_the_handshake() {
    let (profile, mut rng) = (Profile::overview(), StdRng::seed_from_u64(2));
    let root = TrustRoot::new(PrivateKey::generate(&mut rng).public_key());
    let server = KnownServer { key: PrivateKey::generate(&mut rng).public_key(), not_after: NOW.unix - 1 };
    for routing_info in [None, Some(Bytes::from_static(b"edge 7"))] {
        let known = Known { server, routing_info: routing_info.clone() };
        let (key, login) = (PrivateKey::generate(&mut rng), Login::new(7, "token"));
        let mut channel = Channel::connect(key, login, root, Some(&known), profile.clone(), NOW, &mut rng);
        let mut frames = FrameDecoder::new(MAX_FRAME);
        frames.push(&channel.poll_transmit().unwrap());
        let intro = frames.next_intro(&profile.chat.prologue).unwrap().unwrap();
        // The server's proof is too old; the way is not.
        assert_eq!(intro.routing_info, routing_info);
        channel.handle_lost();
        assert!(!channel.is_proved());
    }
    assert!(Line::new().channel.is_proved());
}

#[test]
fn refusals_and_ends_say_what_they_are() {
    let locked = |violation: &str| Refusal::Locked { violation: Some(violation.to_owned()) };
    for (xml, reason, is_terminal) in [
        (
            "<failure reason='402' code='101' expire='3600' appeal_token='x'/>",
            DisconnectReason::Refused(Refusal::Banned { code: Some(101), seconds: Some(3600) }),
            true,
        ),
        (
            "<failure reason='403' vt='1' violation_reason='spam' is_eu='true'/>",
            DisconnectReason::Refused(locked("spam")),
            true,
        ),
        (
            "<failure reason='405' t='1900000000'/>",
            DisconnectReason::Refused(Refusal::VersionTooOld { until: Some(1_900_000_000) }),
            true,
        ),
        (
            "<failure reason='406' code='3'/>",
            DisconnectReason::Refused(Refusal::Banned { code: Some(3), seconds: None }),
            true,
        ),
        ("<failure reason='416'/>", DisconnectReason::Refused(Refusal::Other(416)), true),
        ("<failure reason='503'/>", DisconnectReason::Refused(Refusal::Other(503)), false),
        (
            "<stream:error code='401'><conflict type='device_removed'/></stream:error>",
            DisconnectReason::LoggedOut,
            true,
        ),
        ("<stream:error code='515'/>", DisconnectReason::StreamError(Some(515)), false),
    ] {
        let mut line = Line::new();
        line.say(xml);
        assert_eq!(reason.is_terminal(), is_terminal, "{xml}");
        assert_eq!(line.end(), Some(reason), "{xml}");
    }
}

/// A stanza with so many bytes of zeros inside, which compress to nothing.
fn long(tag: &str, length: usize) -> Node {
    let node =
        Node::new(tag).with_attr("id", "1").with_attr("type", if tag == "iq" { "result" } else { "x" });
    let node = node.with_attr("from", "4915551234@s.whatsapp.net".parse::<wa_binary::Jid>().unwrap());
    node.with_child(Node::new("x").with_bytes(vec![0; length]))
}

#[test]
fn messages_and_answers_alone_may_be_long() {
    let mut line = Line::new();
    line.say(SUCCESS);
    assert_eq!(line.channel.poll_event(), Some(ChannelEvent::Open));
    for (tag, length, is_taken) in [
        ("notification", 1_000_000, true),
        ("notification", 1 << 20, false),
        ("receipt", 1 << 20, false),
        ("x", 1 << 20, false),
        ("message", 15 << 20, true),
        ("iq", 15 << 20, true),
    ] {
        line.say_node(&long(tag, length));
        match line.channel.poll_event() {
            Some(ChannelEvent::Stanza { bytes, .. }) => assert!(is_taken && bytes >= length, "{tag}"),
            Some(ChannelEvent::Malformed { what: wa_chat::BadStanza::TooLong(found), refusal }) => {
                assert!(!is_taken && found > length, "{tag}");
                // What can be refused is to be acked, so that it does not come again.
                assert_eq!(refusal.map(|ack| ack.error), (tag != "x").then_some(Some(488)), "{tag}");
            }
            event => panic!("{event:?}"),
        }
    }
}

#[test]
fn before_the_login_stands_nothing_inflates_to_much() {
    for (length, is_taken) in [(60_000, true), (65_536, false)] {
        let mut line = Line::new();
        line.say_node(&long("x", length));
        assert_eq!(line.end().is_none(), is_taken, "{length}");
    }
}

#[test]
fn answers_that_nobody_takes_are_bounded_and_what_arrived_is_read_when_there_is_room() {
    const PINGS: usize = 40_000;
    let mut line = Line::new();
    line.say(SUCCESS);
    let ping = "<iq id='2' type='get' xmlns='urn:xmpp:ping' from='s.whatsapp.net'/>".parse().unwrap();
    let frames: Vec<Bytes> = (0..PINGS).map(|_| line.frame(&ping)).collect();
    // All in one read.
    line.channel.handle_bytes(NOW, &frames.concat(), &mut line.rng);
    assert!(!line.channel.wants_input());
    let mut answered = 0;
    while answered < PINGS {
        let answers = line.answers().len();
        assert!((1..PINGS / 2).contains(&answers), "{answers} after {answered}");
        answered += answers;
        if answered < PINGS {
            assert_eq!(line.channel.poll_timeout(), Some(Duration::ZERO), "after {answered}");
            line.channel.handle_timeout(NOW, &mut line.rng);
        }
    }
    assert!(line.channel.wants_input());
    assert_ne!(line.channel.poll_timeout(), Some(Duration::ZERO));
}
