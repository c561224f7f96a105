//! What happens between two questions to the world, and to a client that is cut.

use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_binary::{Jid, Node};
use wa_keys::PrivateKey;
use wa_profile::Profile;
use wa_signal::{Kind, LocalIdentity, SessionRecord, Trust};

use super::*;
use crate::phone::{Delivery, Opened, SharedDevice};
use crate::world::WorldConfig;

const PHONE: &str = "14155551001";
const NOW: u64 = 1_800_000_000;

/// Surroundings without sockets.
fn shared() -> Arc<Shared> {
    let config = WorldConfig {
        profile: Profile::default(),
        integrators: Vec::new(),
        phones: vec![PHONE.to_owned()],
        strict: false,
    };
    let addresses =
        serde_json::json!({ "enlist": "", "chat": "", "jwks": "", "control": "", "noise_root": "" });
    Arc::new(Shared {
        world: Mutex::new(World::new(config, Box::new(UnwrapErr(SysRng)))),
        opening: RwLock::default(),
        clients: Mutex::default(),
        clock: Clock::still(NOW),
        pushes: Mutex::new(Pushes::new().unwrap()),
        outgoing: Outgoing::new(None).unwrap(),
        events: broadcast::channel(1).0,
        exchanges: Mutex::default(),
        users: Users::default(),
        token: None,
        addresses: serde_json::from_value(addresses).unwrap(),
    })
}

fn device(world: &World) -> SharedDevice {
    world.phones[PHONE].devices[&0].clone()
}

/// Somebody who writes to the phone, without an account.
struct Writer {
    rng: StdRng,
    local: LocalIdentity,
    session: SessionRecord,
}

impl Writer {
    fn new(device: &SharedDevice) -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let local = LocalIdentity { key: PrivateKey::generate(&mut rng), registration_id: 1 };
        let (mut session, bundle) = (SessionRecord::default(), device.lock().bundle(&mut rng));
        session.establish(&local.key, &bundle, &Trust::Any, NOW, &mut rng).unwrap();
        Self { rng, local, session }
    }

    /// A text that has arrived at the device.
    fn text(&mut self, id: u64, device: &SharedDevice) -> Arrival {
        let sealed = self.session.encrypt(&self.local, b"\x0A\x01x\x01", NOW, &mut self.rng).unwrap();
        let kind = if sealed.kind == Kind::PreKey { "pkmsg" } else { "msg" };
        let enc = Node::new("enc").with_attr("type", kind).with_bytes(sealed.bytes);
        let message = Node::new("message").with_attr("type", "text");
        let delivery = Delivery::new(Jid::interop(1, 2).unwrap(), id.into(), 0, (&message, &enc));
        Arrival::new(2, Jid::phone(PHONE).unwrap(), delivery, device.clone())
    }
}

#[test]
fn a_client_that_is_cut_gets_nothing_more() {
    let shared = shared();
    let mut line = shared.connect();
    let id = line.id;
    let say = |world: &mut World| world.outputs.push_back((id, Due::Bytes(Bytes::from_static(b"x"))));
    shared.with_world(|world, _| (0..=MAX_QUEUED).for_each(|_| say(world)));
    let sent = std::iter::from_fn(|| line.outputs.try_recv().ok()).count();
    assert_eq!(sent, MAX_QUEUED, "one is lost");
    shared.with_world_at(Some(&mut line), |world, _| say(world));
    assert!(line.next.is_empty(), "what is behind the one that is lost is not sent either");
}

#[test]
fn what_is_kept_has_no_message_that_is_opened_and_not_shown() {
    const MESSAGES: u64 = 300;
    let shared = shared();
    let device = shared.with_world(|world, _| device(world));
    let mut writer = Writer::new(&device);
    let arrivals: Vec<Arrival> = (0..MESSAGES).map(|id| writer.text(id, &device)).collect();
    let opener = Arc::clone(&shared);
    let opener = std::thread::spawn(move || {
        let mut line = opener.connect();
        arrivals.into_iter().for_each(|arrival| opener.open(&mut line, &[arrival].into()));
    });
    let mut shown = 0;
    while shown < MESSAGES {
        let is_done = opener.is_finished();
        let state = shared.with_settled_world(|world, _| world.save(0));
        let phone = &state["phones"][0][2];
        let count = |value: &serde_json::Value| u64::try_from(value.as_array().unwrap().len()).unwrap();
        shown = count(&phone["received"]);
        assert_eq!(count(&phone["devices"]["0"]["seen"]), shown);
        assert!(shown == MESSAGES || !is_done, "{shown} are shown");
    }
    opener.join().unwrap();
}

#[test]
fn what_was_opened_before_a_reset_is_shown_to_nobody_after_it() {
    let shared = shared();
    shared.with_world(|world, _| {
        let device = device(world);
        let arrival = Writer::new(&device).text(1, &device);
        let opened = arrival.open(&mut world.rng);
        assert!(matches!(opened, Opened::Plain(_)), "{opened:?}");
        world.reset();
        world.handle_opened(&arrival, opened);
        assert_eq!(world.phones[PHONE].received.len(), 0);
    });
}

#[test]
fn a_phone_that_is_installed_anew_meanwhile_opens_with_its_new_keys_and_knows_what_it_showed() {
    let shared = shared();
    shared.with_world(|world, _| {
        let device = device(world);
        let mut writer = Writer::new(&device);
        let [first, second] = [1, 2].map(|id| writer.text(id, &device));
        let opened = first.open(&mut world.rng);
        world.phones.get_mut(PHONE).unwrap().reinstall(&mut world.rng);
        world.handle_opened(&first, opened);
        assert_eq!(world.phones[PHONE].received.len(), 1);
        assert_eq!(first.open(&mut world.rng), Opened::Again);
        let opened = second.open(&mut world.rng);
        let new = self::device(world).lock().bundle(&mut world.rng).registration_id;
        assert!(
            matches!(opened, Opened::Ask { registration, .. } if registration == new),
            "its old keys are gone: {opened:?}"
        );
    });
}
