//! What answers and requests of the server's iqs hold: read or refused whatever the iq is, and what is read is written and
//! read the same (wa-stanza).
#![no_main]

use libfuzzer_sys::fuzz_target;
use wa_binary::{Limits, Node, NodeContent, decode};
use wa_stanza::{
    Blocklist, BlocklistChange, DeviceLists, Iq, IqKind, PrekeyBundles, PrekeyCount, PrekeyFetch,
    PrekeyUpload, SignedPrekeyRotation,
};

fuzz_target!(|data: &[u8]| {
    let Ok(node) = decode(&data.to_vec().into(), &Limits::new()) else { return };
    let Ok(iq) = Iq::try_from(&node) else { return };
    assert_eq!(Iq::try_from(&Node::from(iq.clone())).as_ref(), Ok(&iq));
    answers(&iq);
    requests(&iq);
});

/// None is read but from a result; a list says of whom it speaks and how much there is to read.
fn answers(iq: &Iq) {
    let is_result = matches!(iq.kind, IqKind::Result);
    if let Ok(count) = PrekeyCount::try_from(iq) {
        assert_eq!(PrekeyCount::try_from(&holding(count.into_node())), Ok(count));
        assert!(is_result);
    }
    if let Ok(bundles) = PrekeyBundles::try_from(iq) {
        assert_eq!(PrekeyBundles::try_from(&holding(bundles.clone().into_node())), Ok(bundles));
        assert!(is_result);
    }
    if let Ok(lists) = DeviceLists::try_from(iq) {
        assert!(is_result && lists.users.iter().all(|user| user.devices.len() <= 64));
        let users = iq.child("usync").and_then(|usync| usync.child("list")).expect("it was read");
        let named = users.content().nodes().iter().filter(|user| user.is("user")).count();
        assert_eq!(lists.users.len(), named, "one for each that is named");
    }
    if let Ok(list) = Blocklist::try_from(iq) {
        let items = iq.child("list").map_or(&[][..], |list| list.content().nodes());
        assert!(is_result && list.blocked.len() == items.iter().filter(|item| item.is("item")).count());
    }
}

fn requests(iq: &Iq) {
    if let Ok(fetch) = PrekeyFetch::try_from(iq) {
        assert_eq!(PrekeyFetch::try_from(&fetch.clone().into_iq("1")), Ok(fetch));
        assert_eq!(iq.kind, IqKind::Get);
    }
    if let Ok(upload) = PrekeyUpload::try_from(iq) {
        assert_eq!(PrekeyUpload::try_from(&upload.clone().into_iq("1")), Ok(upload));
        assert_eq!(iq.kind, IqKind::Set);
    }
    if let Ok(rotation) = SignedPrekeyRotation::try_from(iq) {
        assert_eq!(SignedPrekeyRotation::try_from(&rotation.into_iq("1")), Ok(rotation));
        assert_eq!(iq.kind, IqKind::Set);
    }
    if let Ok(change) = BlocklistChange::try_from(iq) {
        assert_eq!(BlocklistChange::try_from(&change.clone().into_iq("1")), Ok(change));
        assert_eq!(iq.kind, IqKind::Set);
    }
}

/// The answer of success that holds this.
fn holding(node: Node) -> Iq {
    let mut iq = Iq::get("1", "encrypt").result();
    iq.content = NodeContent::Nodes(vec![node]);
    iq
}
