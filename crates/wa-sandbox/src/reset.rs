//! Going back to the start.

use crate::faults::Faults;
use crate::media::MediaFiles;
use crate::phone::{Manners, Phone};
use crate::world::{Integrator, World};

/// What a world goes back to.
#[derive(Clone, Debug)]
pub(crate) struct Initial {
    pub(crate) phones: Vec<(String, Manners)>,
    pub(crate) integrators: Vec<Integrator>,
}

impl World {
    /// Everything is as at the start, but for the server's own keys, which clients may have pinned; connections end.
    pub(crate) fn reset(&mut self) {
        for id in self.connections.keys().copied().collect::<Vec<_>>() {
            self.close(id);
        }
        let initial = self.initial.clone();
        let numbers = initial.phones.into_iter();
        self.phones =
            numbers.map(|(number, manners)| (number.clone(), self.new_phone(&number, manners))).collect();
        self.integrators = initial.integrators.into_iter().map(|it| (it.id, it.into())).collect();
        self.accounts.clear();
        self.media = MediaFiles::default();
        self.faults = Faults::default();
        self.journal.clear();
        self.transcript.clear();
        self.pongs.clear();
        self.reports.clear();
        self.delayed.clear();
        self.overtaken = None;
        self.replies.clear();
    }

    pub(crate) fn new_phone(&mut self, number: &str, manners: Manners) -> Phone {
        let mut phone = Phone::new(number, &mut self.rng);
        phone.manners = manners;
        phone
    }

    /// Phones with these manners, at the start and after each reset.
    pub(crate) fn begin_with(&mut self, phones: Vec<(String, Manners)>) {
        for (number, manners) in phones.clone() {
            // One that was kept stays as it is.
            if !self.phones.contains_key(&number) {
                let phone = self.new_phone(&number, manners);
                self.phones.insert(number, phone);
            }
        }
        self.initial.phones.extend(phones);
    }
}
