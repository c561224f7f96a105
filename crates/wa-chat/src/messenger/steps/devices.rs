//! The devices of a user, and messages that wait for them (seed §3.1; lists of devices observed).

use wa_binary::Jid;
use wa_stanza::{DeviceLists, Iq};

use crate::messenger::conversation::{Conversation, address, keys_of};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::Devices;

impl Step<'_> {
    /// The server tells which devices a user has; without an answer there is the primary one.
    pub(super) fn receive_devices(&mut self, user: &Jid, iq: &Iq) -> Result<Draft, Stop> {
        let lists = DeviceLists::try_from(iq).map(|lists| lists.users).unwrap_or_default();
        let listed = lists.into_iter().find(|list| list.jid == *user).map(|list| list.devices);
        let mut devices = listed.filter(|devices| !devices.is_empty()).unwrap_or_else(|| vec![0]);
        devices.sort_unstable();
        devices.dedup();
        let addresses: Vec<Jid> = devices.iter().map(|&device| address(user, device)).collect();
        self.view.need(addresses.iter().flat_map(keys_of))?;
        let draft = Draft { fetched: Some(user.clone()), ..Draft::default() };
        let mut conversation = Conversation::load(self, &address(user, 0), draft)?;
        conversation.set_devices(self, Devices { devices, since: self.now.unix })?;
        self.go_on(conversation)
    }

    /// Messages for a user wait: asks for what is missing, or sends them.
    pub(super) fn wake(&mut self, user: &Jid) -> Result<Draft, Stop> {
        let mut conversation = Conversation::load(self, &address(user, 0), Draft::default())?;
        conversation.send_waiting(self)?;
        let is_unready = |device| !conversation.is_ready_for(self, &address(user, device));
        let waiting = self.view.waiting(user)?;
        // A device that asked for a message again, and is not on the list, is fetched too.
        let asking = waiting.iter().filter_map(|(_, message)| message.device);
        let asking: Vec<u16> = asking.filter(|&device| is_unready(device)).collect();
        asking.into_iter().for_each(|device| conversation.learn_device(device));
        if !waiting.is_empty() && !conversation.is_ready(self) {
            conversation.ask(self);
        }
        Ok(conversation.finish())
    }

    /// Sends what waited, or asks for what is still missing.
    pub(super) fn go_on(&mut self, mut conversation: Conversation) -> Result<Draft, Stop> {
        conversation.send_waiting(self)?;
        if !conversation.is_ready(self) && !self.view.waiting(&conversation.user)?.is_empty() {
            let user = conversation.user.clone();
            conversation.draft.wake.push(user);
        }
        Ok(conversation.finish())
    }
}
