//! A schedule carried out between two parties, and the verdicts on every step of it.

use rand::SeedableRng;
use rand::rngs::StdRng;
use wa_signal::Kind;

use crate::oracle::{Oracle, OracleError, Refusal};
use crate::party::{Party, Side};
use crate::schedule::{Schedule, Step};

/// What came of a step: what two runs of a schedule have in common, whatever code speaks in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A session was begun, or was not.
    Established(Result<(), Refusal>),
    /// A message of that kind and length was written, or was not.
    Sent(Result<(Kind, usize), Refusal>),
    /// A message arrived and was opened, or was refused.
    Arrived(Result<Vec<u8>, Refusal>),
}

/// What came of a schedule.
pub struct Run {
    /// In order, with the step that each came of.
    pub events: Vec<(Step, Event)>,
    /// Messages that were opened as something else than what was written. There must be none.
    pub wrong: usize,
}

/// Carries out the schedule of `seed` between two sides.
pub fn run(seed: u64, sides: [Side; 2], oracle: &mut Oracle) -> Result<Run, OracleError> {
    let schedule = Schedule::new(seed);
    let mut conversation = Conversation::new(sides, &schedule, seed, oracle)?;
    for step in schedule.steps {
        conversation.step(step)?;
    }
    let Conversation { events, wrong, .. } = conversation;
    Ok(Run { events, wrong })
}

struct Conversation<'a> {
    parties: [Party; 2],
    /// Messages to each side that have not arrived yet, oldest first.
    under_way: [Vec<Message>; 2],
    /// Those that have.
    arrived: [Vec<Message>; 2],
    sent: u8,
    events: Vec<(Step, Event)>,
    wrong: usize,
    oracle: &'a mut Oracle,
}

#[derive(Clone)]
struct Message {
    kind: Kind,
    bytes: Vec<u8>,
    plaintext: Vec<u8>,
}

const NAMES: [&str; 2] = ["alice", "bob"];

impl<'a> Conversation<'a> {
    fn new(
        sides: [Side; 2],
        schedule: &Schedule,
        seed: u64,
        oracle: &'a mut Oracle,
    ) -> Result<Self, OracleError> {
        oracle.reset()?;
        let mut rng = StdRng::seed_from_u64(!seed);
        let ids = schedule.registration_ids;
        let parties = [
            Party::new(sides[0], NAMES, ids[0], oracle, &mut rng)?,
            Party::new(sides[1], [NAMES[1], NAMES[0]], ids[1], oracle, &mut rng)?,
        ];
        let (under_way, arrived) = Default::default();
        Ok(Self { parties, under_way, arrived, sent: 0, events: Vec::new(), wrong: 0, oracle })
    }

    fn step(&mut self, step: Step) -> Result<(), OracleError> {
        match step {
            Step::Establish { who, signed_id, one_time_id } => {
                let bundle = self.parties[1 - who].bundle(signed_id, one_time_id, self.oracle)?;
                let established = self.parties[who].process(&bundle, self.oracle)?;
                self.events.push((step, Event::Established(established)));
            }
            Step::Send { who, length } => self.send(step, who, length)?,
            Step::Deliver { to, pick } => {
                if let Some(message) = take(&mut self.under_way[to], pick) {
                    self.arrive(step, to, &message)?;
                    self.arrived[to].push(message);
                }
            }
            Step::Repeat { to, pick } => {
                if let Some(message) = copy(&self.arrived[to], pick) {
                    self.arrive(step, to, &message)?;
                }
            }
            Step::Corrupt { to, pick, bit } => {
                if let Some(message) = copy(&self.under_way[to], pick) {
                    let corrupted = message.corrupted(bit, self.oracle.is_newest());
                    self.arrive(step, to, &corrupted)?;
                }
            }
            Step::Lose { to, pick } => drop(take(&mut self.under_way[to], pick)),
            Step::Drain { to, reversed } => {
                let mut messages = std::mem::take(&mut self.under_way[to]);
                if reversed {
                    messages.reverse();
                }
                for message in messages {
                    self.arrive(step, to, &message)?;
                    self.arrived[to].push(message);
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, step: Step, who: usize, length: usize) -> Result<(), OracleError> {
        self.sent = self.sent.wrapping_add(1);
        let plaintext = vec![self.sent; length];
        let sent = self.parties[who].encrypt(&plaintext, self.oracle)?;
        self.events.push((
            step,
            Event::Sent(
                sent.as_ref().map_or_else(|refusal| Err(*refusal), |(kind, bytes)| Ok((*kind, bytes.len()))),
            ),
        ));
        if let Ok((kind, bytes)) = sent {
            self.under_way[1 - who].push(Message { kind, bytes, plaintext });
        }
        Ok(())
    }

    fn arrive(&mut self, step: Step, to: usize, message: &Message) -> Result<(), OracleError> {
        let opened = self.parties[to].decrypt(message.kind, &message.bytes, self.oracle)?;
        self.wrong += usize::from(opened.as_ref().is_ok_and(|opened| *opened != message.plaintext));
        self.events.push((step, Event::Arrived(opened)));
        Ok(())
    }
}

impl Message {
    fn corrupted(&self, bit: usize, is_newest: bool) -> Self {
        let bits = self.bytes.len() * 8;
        let mut bit = bit % bits;
        while self.kind == Kind::PreKey && is_read_differently(&self.bytes, bit, is_newest) {
            bit = (bit + 1) % bits;
        }
        let mut corrupted = self.clone();
        corrupted.bytes[bit / 8] ^= 1 << (bit % 8);
        corrupted
    }
}

/// The bits of a first message of which the versions of the official library think differently.
///
/// We think as the newest does, or more strictly: the base key's unused top bit gives a session a second name; one bit
/// turns the tag of the registration id into that of a post-quantum prekey's. The older version opens a message of an
/// archived session also with a base key that is not that session's.
fn is_read_differently(message: &[u8], bit: usize, is_newest: bool) -> bool {
    let base_key = message.windows(3).position(|window| window == [0x12, 33, 5]).unwrap_or_default() + 3;
    let is_alias = bit == (base_key + 31) * 8 + 7;
    let is_kyber = message[bit / 8] == 0x28 && bit % 8 == 4;
    let is_base_key = (base_key..base_key + 32).contains(&(bit / 8));
    is_alias || is_kyber || (is_base_key && !is_newest)
}

fn take(messages: &mut Vec<Message>, pick: usize) -> Option<Message> {
    let position = pick.checked_rem(messages.len())?;
    Some(messages.remove(position))
}

fn copy(messages: &[Message], pick: usize) -> Option<Message> {
    messages.get(pick.checked_rem(messages.len())?).cloned()
}
