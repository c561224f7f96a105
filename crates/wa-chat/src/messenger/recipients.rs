//! Who may read a message: the devices that it goes to, their identities, and what the application is told of both before
//! anything is encrypted for them.
//!
//! "May be decrypted from" and "is encrypted to" are two sets. The second has one source: the first device, and where the
//! profile says so the devices that the server lists. What is new in it is announced in one commit and used in a later one.

use wa_binary::Jid;
use wa_keys::PublicKey;
use wa_profile::RecipientDevices;
use wa_signal::{SessionRecord, SkipLimits, Trust};

use crate::key::Key;
use crate::messenger::conversation::{Conversation, address, addresses};
use crate::messenger::state::requests::Request;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{Devices, Identity, InboxItem, Row, Standing};
use crate::{DeviceIdentity, IdentityPolicy};

/// Seconds after which a list of devices is asked for again, while messages go to the old one.
const DEVICES_AGE: u64 = 24 * 60 * 60;

/// Seconds after which it is asked for again if the server did not tell, or a device that is not on it has written.
const DEVICES_PAUSE: u64 = 60 * 60;

/// The date of a list that must be asked for before the next message.
const OUTDATED: u64 = 0;

/// One device of the user's.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) session: SessionRecord,
    pub(super) identity: Option<Identity>,
    /// The rows of the two.
    pub(super) keys: [Key; 2],
}

impl Device {
    /// From its rows, which must be loaded.
    pub(super) fn load(step: &Step<'_>, address: &Jid, keys: [Key; 2]) -> Result<Self, Stop> {
        let limits = SkipLimits::default().with_forward_jump(step.profile.encryption.forward_jump);
        let [session, identity] = &keys;
        let session = step.view.session(session)?.with_limits(limits);
        // The first programs kept identities in sessions alone.
        let of_session = || session.identity().map(|key| Identity::of_session(key, address.device()));
        let known = step.view.identity(identity)?.map(|known| known.read_for(address.device()));
        let identity = known.or_else(of_session);
        Ok(Self { session, identity, keys })
    }

    /// One of which there are no rows.
    fn unknown(address: &Jid) -> Self {
        Self { session: SessionRecord::default(), identity: None, keys: Key::of_device(address) }
    }

    /// Whether the session can encrypt, and does so for the newest identity.
    fn has_session(&self, now: u64) -> bool {
        let newest = self.identity.filter(|identity| !identity.is_outdated).map(|identity| identity.key);
        self.session.can_encrypt(now) && newest.is_some() && self.session.current_identity() == newest
    }
}

impl Conversation {
    /// Whether a message can be encrypted to everyone that it goes to.
    pub(crate) fn is_ready(&self, step: &Step<'_>) -> bool {
        let recipients = self.recipients();
        let is_listed = self.devices.as_ref().is_some_and(|devices| devices.since != OUTDATED);
        is_listed && !recipients.is_empty() && recipients.iter().all(|it| self.is_ready_for(step, it))
    }

    /// Whether there is a session with a device that can encrypt.
    pub(crate) fn has_session(&self, step: &Step<'_>, address: &Jid) -> bool {
        self.loaded.get(address).is_some_and(|device| device.has_session(step.now.unix))
    }

    /// Whether a message can be encrypted to this device: it gets messages, the application knows, and there is a session.
    pub(crate) fn is_ready_for(&self, step: &Step<'_>, address: &Jid) -> bool {
        let is_usable = |device: &Device| {
            device.has_session(step.now.unix) && device.identity.is_some_and(|it| it.is_usable())
        };
        self.is_recipient(address.device()) && self.loaded.get(address).is_some_and(is_usable)
    }

    /// Whether messages go to a device. To the first one they do, whatever the server lists.
    pub(crate) fn is_recipient(&self, device: u16) -> bool {
        device == 0 || self.devices.as_ref().is_some_and(|devices| devices.devices.contains(&device))
    }

    /// The addresses that messages go to, as far as they are known.
    fn recipients(&self) -> Vec<Jid> {
        match &self.devices {
            Some(devices) => addresses(&self.user, Some(devices)),
            None => vec![address(&self.user, 0)],
        }
    }

    /// Whether what is missing is the application's word.
    pub(crate) fn is_held(&self) -> bool {
        self.recipients().iter().filter_map(|it| self.identity(it)).any(|identity| identity.is_held)
    }

    /// The devices that messages go to, as far as their identities are known.
    pub(crate) fn identities(&self) -> Vec<DeviceIdentity> {
        let identity = |address: &Jid| {
            let identity = self.identity(address)?;
            let is_accepted = !identity.is_held && !identity.is_outdated;
            Some(DeviceIdentity { device: address.device(), key: identity.key, is_accepted })
        };
        self.recipients().iter().filter_map(identity).collect()
    }

    /// What is known of a device's identity.
    fn identity(&self, address: &Jid) -> Option<Identity> {
        self.loaded.get(address).and_then(|device| device.identity)
    }

    /// What is to be thought of sessions with a device.
    pub(crate) fn trust(&self, address: &Jid) -> Trust {
        self.identity(address).map_or(Trust::Any, |identity| Trust::Newest(identity.key))
    }

    /// Whether this is the identity of the device that messages may go to.
    pub(crate) fn is_accepted(&self, address: &Jid, key: &PublicKey) -> bool {
        self.identity(address).is_some_and(|it| it.key == *key && it.is_usable())
    }

    /// The identity of the user's first device, if it is known.
    pub(crate) fn primary_identity(&self) -> Option<PublicKey> {
        self.identity(&address(&self.user, 0)).map(|identity| identity.key)
    }

    /// Asks the server for what is missing, unless that is under way.
    pub(crate) fn ask(&mut self, step: &Step<'_>) {
        if step.fetching.contains(&self.user) {
            return;
        }
        match &self.devices {
            Some(devices) if devices.since != OUTDATED => {
                let mut missing = self.recipients();
                missing.retain(|address| !self.has_session(step, address));
                if !missing.is_empty() {
                    let (user, named) = (self.user.clone(), self.named.clone());
                    self.draft.request(Request::Bundles { user, named, devices: missing });
                }
            }
            _ => self.request_devices(),
        }
    }

    /// Asks for the devices again if the list is old.
    pub(crate) fn refresh_devices(&mut self, step: &Step<'_>) {
        self.refresh_after(step, DEVICES_AGE);
    }

    /// A device that is not on the list has written: asks for the list again, unless it is new.
    pub(crate) fn doubt_devices(&mut self, step: &Step<'_>) {
        self.refresh_after(step, DEVICES_PAUSE);
    }

    fn refresh_after(&mut self, step: &Step<'_>, age: u64) {
        let is_due = |devices: &Devices| {
            let may_ask = devices.refused.is_none_or(|refused| step.now.is_due(refused, DEVICES_PAUSE));
            may_ask && step.now.is_due(devices.since, age)
        };
        let is_old = self.devices.as_ref().is_some_and(is_due);
        if is_old && !step.fetching.contains(&self.user) {
            self.request_devices();
        }
    }

    fn request_devices(&mut self) {
        self.draft.request(Request::Devices { user: self.user.clone(), named: self.named.clone() });
    }

    /// Takes in another device, whose rows must be loaded.
    pub(crate) fn add(&mut self, step: &Step<'_>, address: &Jid) -> Result<(), Stop> {
        let device = Device::load(step, address, Key::of_device(address))?;
        self.loaded.entry(address.clone()).or_insert(device);
        Ok(())
    }

    /// Messages go to these devices from now on; the rows of their sessions must be loaded.
    pub(crate) fn set_devices(&mut self, step: &Step<'_>, mut devices: Vec<u16>) -> Result<(), Stop> {
        devices.push(0);
        devices.sort_unstable();
        devices.dedup();
        let before = self.devices.take().unwrap_or_else(|| Devices::new(Vec::new(), OUTDATED));
        let devices = Devices { is_known: before.is_known, ..Devices::new(devices, step.now.unix) };
        for address in addresses(&self.user, Some(&devices)) {
            self.add(step, &address)?;
        }
        let removed = before.devices.into_iter().filter(|device| !devices.devices.contains(device)).collect();
        self.put_devices(devices);
        self.announce_removed(removed);
        Ok(())
    }

    /// The server did not tell the devices: messages go where they went, and it is asked again later.
    pub(crate) fn keep_devices(&mut self, step: &Step<'_>) {
        let mut devices = self.devices.take().unwrap_or_else(|| Devices::new(vec![0], OUTDATED));
        devices.since = devices.since.max(OUTDATED + 1);
        devices.refused = Some(step.now.unix);
        self.put_devices(devices);
    }

    /// The list of devices must be asked for before the next message.
    pub(crate) fn outdate_devices(&mut self) {
        if let Some(devices) = self.devices.take() {
            self.put_devices(Devices { since: OUTDATED, ..devices });
        }
    }

    /// Messages go to this device no more: it has no keys.
    pub(crate) fn forget_device(&mut self, device: u16) {
        if let Some(mut devices) = self.devices.take() {
            devices.devices.retain(|&it| it != device);
            self.put_devices(devices);
            self.announce_removed(vec![device]);
        }
    }

    fn put_devices(&mut self, devices: Devices) {
        self.draft.put(Key::devices(&self.user), Row::Devices(devices.clone()));
        self.devices = Some(devices);
    }

    /// The server says that the user has another identity: nothing is encrypted before it is known.
    pub(crate) fn outdate_identities(&mut self) {
        let known: Vec<_> =
            self.loaded.iter().filter_map(|(address, it)| Some((address.clone(), it.identity?))).collect();
        for (address, identity) in known {
            self.put_identity(&address, Identity { is_outdated: true, ..identity });
        }
        self.put_inbox(Vec::new(), InboxItem::Identity { device: 0, key: None });
    }

    /// Keeps the identity that a new session of a device has proved, and tells of one that is not the newest known.
    pub(crate) fn notice_identity(&mut self, step: &Step<'_>, address: &Jid, key: PublicKey) {
        match self.identity(address) {
            Some(known) if known.key == key => {
                if known.is_outdated {
                    self.put_identity(address, Identity { is_outdated: false, ..known });
                }
            }
            Some(known) => {
                let is_held = step.policy == IdentityPolicy::Hold;
                let standing = known.standing().min(Standing::Told);
                let changed = Identity { key, is_held, is_outdated: false, ..known };
                self.put_identity(address, changed.with_standing(standing));
                let device = address.device();
                self.put_inbox(Vec::new(), InboxItem::Identity { device, key: Some(key) });
                self.draft.announces = Some(self.user.clone());
            }
            None => self.put_identity(address, Identity::new(key)),
        }
    }

    /// Remembers that a device offered keys that quantum computers do not break.
    pub(crate) fn notice_post_quantum(&mut self, address: &Jid) {
        if let Some(identity) = self.identity(address).filter(|identity| !identity.post_quantum) {
            self.put_identity(address, Identity { post_quantum: true, ..identity });
        }
    }

    /// The application accepts this key of a device. Another one than the newest is left as it is.
    pub(crate) fn accept_identity(&mut self, address: &Jid, key: &PublicKey) {
        if let Some(identity) =
            self.identity(address).filter(|identity| identity.key == *key && identity.is_held)
        {
            self.put_identity(address, Identity { is_held: false, ..identity });
        }
    }

    /// Tells of what is new among those whom messages go to, and sends what waited for what was told in an earlier commit:
    /// before anything that comes now. Says whether what waited was looked at.
    pub(crate) fn look_after_recipients(&mut self, step: &mut Step<'_>) -> Result<bool, Stop> {
        self.announce(step);
        let begins = self.begin_using(step);
        if begins {
            self.send_waiting(step)?;
        }
        Ok(begins)
    }

    /// Likewise, and sends whatever waits and need not.
    pub(crate) fn send_all_waiting(&mut self, step: &mut Step<'_>) -> Result<(), Stop> {
        if self.look_after_recipients(step)? { Ok(()) } else { self.send_waiting(step) }
    }

    /// Messages go to those whom the application knows of by now. Says whether there was one; then whatever waits is to be
    /// sent in the same step.
    fn begin_using(&mut self, step: &Step<'_>) -> bool {
        if step.announcing.contains_key(&self.user) || self.draft.announces.is_some() {
            return false;
        }
        let told = |address: &Jid| self.identity(address).filter(|it| it.standing() == Standing::Told);
        let recipients = self.recipients();
        let told: Vec<_> = recipients.iter().filter_map(|address| Some((address, told(address)?))).collect();
        for (address, identity) in &told {
            self.put_identity(address, identity.with_standing(Standing::Recipient));
        }
        !told.is_empty()
    }

    fn announce(&mut self, step: &Step<'_>) {
        let mut added = Vec::new();
        let mut is_first = true;
        for address in self.recipients() {
            match self.identity(&address) {
                Some(identity) if identity.standing() == Standing::Overheard => {
                    added.push((address, identity))
                }
                Some(_) => is_first = false,
                None => {}
            }
        }
        if added.is_empty() {
            return;
        }
        let has_list = step.profile.encryption.recipient_devices == RecipientDevices::PrimaryAndListed;
        if let Some(devices) = self.devices.take_if(|_| has_list) {
            is_first &= !devices.is_known;
            self.put_devices(Devices { is_known: true, ..devices });
        }
        let is_held = !is_first && step.policy == IdentityPolicy::Hold;
        for (address, identity) in &added {
            let told = Identity { is_held: is_held || identity.is_held, ..*identity };
            self.put_identity(address, told.with_standing(Standing::Told));
        }
        let added = added.iter().map(|(address, identity)| (address.device(), identity.key)).collect();
        self.put_inbox(Vec::new(), InboxItem::Devices { added, removed: Vec::new(), is_first });
        self.draft.announces = Some(self.user.clone());
    }

    /// Nothing is encrypted for those whom messages go to before the application knows more of them.
    pub(super) fn announce_again(&mut self, is_held: bool, most: Standing) {
        for address in self.recipients() {
            if let Some(identity) = self.identity(&address) {
                let told = Identity { is_held: identity.is_held || is_held, ..identity };
                self.put_identity(&address, told.with_standing(identity.standing().min(most)));
            }
        }
    }

    /// Tells of devices that messages went to, and go to no more.
    fn announce_removed(&mut self, mut removed: Vec<u16>) {
        removed.retain(|&device| {
            let address = address(&self.user, device);
            let known = self.identity(&address).filter(|identity| identity.standing() > Standing::Overheard);
            if let Some(identity) = known {
                self.put_identity(&address, identity.with_standing(Standing::Overheard));
            }
            known.is_some()
        });
        if !removed.is_empty() {
            self.put_inbox(Vec::new(), InboxItem::Devices { added: Vec::new(), removed, is_first: false });
        }
    }

    fn put_identity(&mut self, address: &Jid, identity: Identity) {
        let device = self.device(address);
        device.identity = Some(identity);
        let [_, key] = device.keys.clone();
        self.draft.put(key, Row::Identity(identity));
    }

    /// A device; all that a step is about are loaded.
    pub(super) fn device(&mut self, address: &Jid) -> &mut Device {
        self.loaded.entry(address.clone()).or_insert_with_key(Device::unknown)
    }
}
