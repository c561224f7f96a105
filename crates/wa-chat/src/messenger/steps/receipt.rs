//! Receipts: what the peer did with messages of ours (seed §3.2; kinds observed).

use wa_stanza::{Ack, Receipt, ReceiptKind};

use crate::Status;
use crate::messenger::conversation::put_inbox;
use crate::messenger::state::draft::Draft;
use crate::messenger::state::view::Stop;
use crate::messenger::steps::Step;
use crate::row::{InboxEntry, InboxItem};

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
        let mut counters = self.view.counters()?;
        let ids = receipt.ids().map(ToString::to_string).collect();
        let what = InboxItem::Receipt { status, timestamp: receipt.t };
        let entry = InboxEntry { peer: peer.clone().without_device(), ids, what };
        put_inbox(&mut draft, &mut counters, entry);
        draft.put_counters(counters);
        Ok(draft)
    }
}
