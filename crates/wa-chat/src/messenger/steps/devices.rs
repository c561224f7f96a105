//! The devices of a user, and messages that wait for them (overview §3.1; lists of devices observed).

use wa_binary::Jid;
use wa_stanza::{DeviceLists, Iq};

use crate::key::Key;
use crate::messenger::conversation::{Conversation, address, existing};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::Devices;

impl Step<'_> {
    /// The server tells which devices a user has. If it does not, messages go where they went, and it is asked again later.
    pub(super) fn receive_devices(&mut self, user: &Jid, named: &Jid, iq: &Iq) -> Result<Draft, Stop> {
        let lists = DeviceLists::try_from(iq).map(|lists| lists.users).unwrap_or_default();
        let listed = lists.into_iter().find(|list| list.jid == *named).map(|list| list.devices);
        let listed = listed.filter(|devices| !devices.is_empty());
        // Devices that there cannot be are dropped; the rest of the list is taken.
        let listed = listed.map(|devices| existing(user, Devices::new(devices, self.now.unix)).devices);
        let devices = listed.iter().flatten().chain([&0]);
        let addresses: Vec<Jid> = devices.map(|&device| address(user, device)).collect();
        self.view.need(addresses.iter().flat_map(Key::of_device))?;
        let draft = Draft { fetched: Some(user.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(self, &address(user, 0), draft)?;
        match listed {
            Some(devices) => conversation.set_devices(self, devices)?,
            None => conversation.keep_devices(self),
        }
        self.go_on(conversation)
    }

    /// Messages for a user wait: asks for what is missing, or sends them.
    pub(super) fn wake(&mut self, user: &Jid) -> Result<Draft, Stop> {
        let mut conversation = Conversation::load(self, &address(user, 0), Draft::default())?;
        conversation.send_all_waiting(self)?;
        if !self.view.waiting(user)?.is_empty() && !conversation.is_ready(self) {
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// Sends what waited, or asks for what is still missing.
    pub(super) fn go_on(&mut self, mut conversation: Conversation) -> Result<Draft, Stop> {
        conversation.send_all_waiting(self)?;
        if !conversation.is_ready(self) && !self.view.waiting(&conversation.user)?.is_empty() {
            let user = conversation.user.clone();
            conversation.draft.wake.push(user);
        }
        Ok(conversation.finish())
    }
}
