//! Receipts: what the peer did with messages of ours (overview §3.2; kinds observed).

use wa_binary::Jid;
use wa_stanza::{Ack, Receipt, ReceiptKind};

use crate::Status;
use crate::key::Key;
use crate::messenger::conversation::{REMEMBER, put_inbox};
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{InboxEntry, InboxItem, Row};

/// Messages of one receipt that are remembered as delivered: half the rows that a client keeps loaded (our
/// choice). Of the others the contents are kept until they expire.
const MAX_DELIVERED: usize = 512;

impl Step<'_> {
    pub(super) fn receive_receipt(&mut self, receipt: &Receipt) -> Result<Draft, Stop> {
        let mut draft = Draft::default();
        draft.transmit(Ack::from(receipt));
        let Some(peer) = &receipt.from else { return Ok(draft) };
        let status = match &receipt.kind {
            ReceiptKind::Delivery => Status::Delivered,
            ReceiptKind::Read => Status::Read,
            ReceiptKind::Played => Status::Played,
            ReceiptKind::ServerError => Status::MediaUnavailable,
            ReceiptKind::Retry(retry) => return self.send_again(receipt, retry, draft),
            _ => return Ok(draft),
        };
        let peer = &self.peer(peer, [])?;
        if status != Status::MediaUnavailable {
            self.remember_delivered(receipt, peer, &mut draft)?;
        }
        let mut counters = self.view.counters()?;
        let ids = receipt.ids().map(ToString::to_string).collect();
        let what = InboxItem::Receipt { status, timestamp: receipt.t };
        let entry = InboxEntry { peer: peer.clone().without_device(), ids, what };
        put_inbox(&mut draft, &mut counters, entry);
        draft.put_counters(counters);
        Ok(draft)
    }

    /// What has arrived at a device is not encrypted for it again; what has arrived at all of them is forgotten.
    fn remember_delivered(&self, receipt: &Receipt, peer: &Jid, draft: &mut Draft) -> Result<(), Stop> {
        let (user, device) = (peer.clone().without_device(), peer.device());
        let keys: Vec<Key> = receipt.ids().take(MAX_DELIVERED).map(|id| Key::sent(&user, id)).collect();
        self.view.need(keys.iter().cloned().chain([Key::counters()]))?;
        for key in keys {
            let Some(mut sent) = self.view.sent(&key)? else { continue };
            match sent.devices.get_mut(&device) {
                Some(dispatch) if !dispatch.is_delivered => dispatch.is_delivered = true,
                _ => continue,
            }
            if sent.is_delivered() {
                draft.delete(Key::content(sent.content));
            }
            draft.put_until(key, Row::Sent(sent), self.now.unix + REMEMBER);
        }
        Ok(())
    }
}
