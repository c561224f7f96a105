//! A whole conversation under arbitrary stanzas and schedules: it neither panics nor breaks its own rows (wa-chat).
//!
//! The input is a list of acts: a stanza comes, a transaction runs, the link goes, the application writes.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_binary::{Jid, Limits, decode};
use wa_chat::{AccountKeys, Client, Command, Content, Mark, MemoryStore, MessageId, Messenger, Now, Ticket};
use wa_profile::Profile;
use wa_stanza::Stanza;

fuzz_target!(|data: &[u8]| {
    let mut world = World::new();
    let mut rest = data;
    for _ in 0..MOST {
        let Some((act, following)) = rest.split_first() else { break };
        rest = world.act(*act, following);
    }
    world.link_up();
    world.settle();
});

/// Acts in one input.
const MOST: usize = 200;

struct World {
    messenger: Messenger,
    store: MemoryStore,
    rng: StdRng,
    now: Now,
    tickets: u64,
}

impl World {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(1);
        let store = MemoryStore::default();
        store.apply(&Client::create(&AccountKeys::generate(&mut rng)));
        let now = Now { unix: 1_700_000_000, tick: Duration::ZERO };
        let messenger = Messenger::open(Profile::reference_offer_1_0_3());
        let mut world = Self { messenger, store, rng, now, tickets: 0 };
        world.settle();
        world
    }

    /// One act; gives what follows it in the input.
    fn act<'a>(&mut self, act: u8, rest: &'a [u8]) -> &'a [u8] {
        let peer = Jid::phone("14155551001").expect("digits");
        let id = || MessageId(format!("id-{}", act >> 3));
        match act & 7 {
            0 => return self.stanza(rest),
            1 => self.run(),
            2 => self.link_up(),
            3 => self.messenger.handle_link_down(),
            4 => self.command(Command::Send { to: peer, id: id(), content: Content::text("text") }),
            5 => self.take(),
            6 => self.command(Command::Mark { from: peer, ids: vec![id()], mark: Mark::Read }),
            _ => {
                self.now.unix += 3600 * u64::from(act);
                self.messenger.handle_timeout(self.now, &mut self.rng);
            }
        }
        rest
    }

    fn stanza<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some((length, rest)) = rest.split_first_chunk() else { return &[] };
        let (bytes, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*length))));
        let node = decode(&bytes.to_vec().into(), &Limits::new());
        if let Some(stanza) = node.ok().and_then(|node| Stanza::try_from(node).ok())
            && self.messenger.wants_input()
        {
            self.messenger.handle_stanza(self.now, stanza, bytes.len(), &mut self.rng);
        }
        rest
    }

    fn command(&mut self, command: Command) {
        if self.messenger.wants_input() {
            self.tickets += 1;
            self.messenger.handle_command(self.now, Ticket(self.tickets), command, &mut self.rng);
        }
    }

    fn link_up(&mut self) {
        self.messenger.handle_link_down();
        self.messenger.handle_link_up(self.now, &mut self.rng);
    }

    fn run(&mut self) {
        if let Some(transaction) = self.messenger.poll_transaction() {
            let rows = self.store.apply(&transaction);
            self.messenger.handle_committed(self.now, rows, &mut self.rng).expect("its own rows");
        }
    }

    /// The application takes what there is, and confirms half of it.
    fn take(&mut self) {
        while self.messenger.poll_accepted().is_some() || self.messenger.poll_stanza().is_some() {}
        while let Some(event) = self.messenger.poll_event() {
            if let Some(id) = event.id().filter(|id| id.0 % 2 == 0) {
                self.command(Command::Confirm(id));
            }
        }
    }

    fn settle(&mut self) {
        for _ in 0..MOST {
            self.run();
            self.take();
        }
        assert_eq!(self.messenger.queued(), 0, "inputs wait and nothing will run them");
    }
}
