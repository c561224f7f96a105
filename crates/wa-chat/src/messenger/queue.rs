//! The queue: inputs become steps, lane by lane, and their drafts join the open batch.

use std::collections::BTreeSet;

use rand_core::CryptoRng;

use crate::Now;
use crate::key::{Key, Table};
use crate::messenger::Messenger;
use crate::messenger::input::Input;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;

/// Steps that one batch takes.
const MAX_STEPS: usize = 64;

/// Rows and pages that one transaction reads for steps; the lanes behind wait for the next. Far fewer than a client keeps
/// loaded, so that what one step needs is never put out by what another one does.
const MAX_WANTED: usize = 128;

impl Messenger {
    /// Runs the steps that can run. One that misses rows holds up its own lane only.
    pub(super) fn process(&mut self, now: Now, rng: &mut impl CryptoRng) {
        self.requests.tell_time(now.tick);
        if self.erased {
            return self.queue.clear();
        }
        let mut blocked = BTreeSet::new();
        let mut position = 0;
        while self.batch.steps() < MAX_STEPS || self.release_unwritten() {
            let Some(input) = self.queue.get(position) else { break };
            let lane = input.lane();
            if blocked.contains(&lane) {
                position += 1;
                continue;
            }
            let (profile, fetching, unacked) = (&*self.profile, &self.fetching, &self.unacked);
            match (Step { profile, fetching, unacked, refill: self.refill, now, view: &self.view, rng })
                .run(input)
            {
                Ok(draft) => {
                    self.queue.remove(position);
                    self.join(draft, now);
                }
                Err(Stop::Missing(missing)) => {
                    self.wanted.extend(missing);
                    blocked.insert(lane);
                    position += 1;
                    if self.wanted.len() >= MAX_WANTED {
                        break;
                    }
                }
                Err(Stop::Corrupt(error)) => {
                    self.failed = Some(error);
                    return;
                }
            }
        }
        self.blocked = blocked;
        self.release_unwritten();
        if self.link.is_none() {
            self.forget_if_idle();
        }
    }

    /// Lets out what a batch without writes has caused: no transaction will come whose commit could do it, nor one that
    /// would run the queue on. Says whether there was such a batch.
    fn release_unwritten(&mut self) -> bool {
        let is_unwritten = self.in_flight.is_none() && !self.batch.is_empty() && self.batch.is_unwritten();
        if is_unwritten {
            let effects = self.batch.seal().effects;
            self.release(effects, self.link_number);
        }
        is_unwritten
    }

    /// Thousands of clients with nothing to do keep no rows. While there is a connection they do so only from its next
    /// timeout on, so that one text after the other finds its session loaded.
    pub(super) fn forget_if_idle(&mut self) {
        if self.queue.is_empty() && self.batch.is_empty() && self.in_flight.is_none() {
            self.view.clear();
            self.queue.shrink_to_fit();
        }
    }

    fn join(&mut self, draft: Draft, now: Now) {
        self.view.apply(&draft);
        let outbox = draft.writes.range(Key::start_of(Table::Outbox)..Key::end_of(Table::Outbox));
        let gone = outbox.filter(|(_, (row, _))| row.is_none()).filter_map(|(key, _)| key.number());
        gone.for_each(|number| self.unacked.remove(number));
        if let Some(sealed) = &mut self.in_flight {
            sealed.wanted.retain(|wanted| !wanted.is_overtaken(&draft));
        }
        self.join_refill(&draft, now);
        self.fetching.retain(|user| draft.fetched.as_ref() != Some(user));
        if self.link.is_some() {
            self.fetching.extend(draft.effects.requests.iter().filter_map(Request::fetched_user).cloned());
        }
        self.queue.extend(draft.wake.iter().cloned().map(Input::Wake));
        self.batch.join(draft);
    }

    fn join_refill(&mut self, draft: &Draft, now: Now) {
        if draft.uploaded {
            self.refill.end();
        }
        let is_upload = |request: &Request| matches!(request, Request::PrekeyUpload(..));
        if self.link.is_some() && draft.effects.requests.iter().any(is_upload) {
            self.refill.begin();
            if draft.made_prekeys {
                self.refill.made(now.tick);
            }
        }
    }
}
