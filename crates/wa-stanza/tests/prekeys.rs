//! Overview §3: the stanzas that carry prekeys, written by hand, read and written.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use wa_binary::{Jid, Node};
use wa_stanza::{
    FetchedBundle, FetchedUser, Iq, IqError, IqKind, OneTimePrekey, PrekeyBundles, PrekeyCount, PrekeyFetch,
    PrekeyId, PrekeyUpload, Receipt, ReceiptKind, Retry, RetryKeys, SignedPrekeyNode, SignedPrekeyRotation,
    StanzaError, WantedUser,
};

/// Writes `{name}` as many bytes of one value as the protocol has there.
fn xml(text: &str) -> Node {
    let text = text
        .replace("{identity}", &format!("<identity wa:bytes='{}'/>", "11".repeat(32)))
        .replace(
            "{key1}",
            &format!("<key><id wa:bytes='000001'/><value wa:bytes='{}'/></key>", "21".repeat(32)),
        )
        .replace(
            "{key2}",
            &format!("<key><id wa:bytes='fffffe'/><value wa:bytes='{}'/></key>", "22".repeat(32)),
        )
        .replace(
            "{skey}",
            &format!(
                "<skey><id wa:bytes='fed749'/><value wa:bytes='{}'/><signature wa:bytes='{}'/></skey>",
                "31".repeat(32),
                "41".repeat(64)
            ),
        );
    text.parse().unwrap()
}

fn iq(text: &str) -> Iq {
    Iq::try_from(&xml(text)).unwrap()
}

fn key1() -> OneTimePrekey {
    OneTimePrekey { id: PrekeyId::new(1).unwrap(), value: [0x21; 32] }
}

fn key2() -> OneTimePrekey {
    OneTimePrekey { id: PrekeyId::new(0xff_fffe).unwrap(), value: [0x22; 32] }
}

fn skey() -> SignedPrekeyNode {
    SignedPrekeyNode { id: PrekeyId::new(0xfe_d749).unwrap(), value: [0x31; 32], signature: [0x41; 64] }
}

const COUNT: &str = "<iq id='1' to='s.whatsapp.net' type='get' xmlns='encrypt'><count/></iq>";
const COUNTED: &str = "<iq id='1' from='s.whatsapp.net' type='result'><count value='19'/></iq>";
const UPLOAD: &str = "<iq id='2' to='s.whatsapp.net' type='set' xmlns='encrypt'>
        <registration wa:bytes='c7a83ab4'/><type wa:bytes='05'/>{identity}<list>{key1}{key2}</list>{skey}
    </iq>";
const FETCH: &str = "<iq id='3' to='s.whatsapp.net' type='get' xmlns='encrypt'>
        <key><user jid='14155551001@s.whatsapp.net'/><user jid='1-5@interop' reason='identity'/></key>
    </iq>";
const FETCHED: &str = "<iq id='3' from='s.whatsapp.net' type='result'><list>
        <user jid='14155551001@s.whatsapp.net'>
            <registration wa:bytes='0000012c'/><type wa:bytes='05'/>{identity}{key1}{skey}
        </user>
        <user jid='14155551001:2@s.whatsapp.net'>
            <registration wa:bytes='0000012c'/><type wa:bytes='05'/>{identity}{skey}
        </user>
        <user jid='1-5@interop'><error code='404' text='item-not-found'/></user>
    </list></iq>";

#[test]
fn count() {
    assert_eq!(Node::from(PrekeyCount::request("1")), xml(COUNT));
    assert_eq!(PrekeyCount::try_from(&iq(COUNTED)), Ok(PrekeyCount { value: 19 }));
    assert_eq!(&PrekeyCount { value: 19 }.into_node(), iq(COUNTED).child("count").unwrap());
}

#[test]
fn upload() {
    let upload = PrekeyUpload {
        registration: 0xc7a8_3ab4,
        identity: [0x11; 32],
        one_time: vec![key1(), key2()],
        signed: skey(),
    };
    assert_eq!(PrekeyUpload::try_from(&iq(UPLOAD)), Ok(upload.clone()));
    assert_eq!(Node::from(upload.into_iq("2")), xml(UPLOAD));
}

#[test]
fn fetch() {
    let fetch = PrekeyFetch {
        users: vec![
            WantedUser { jid: Jid::phone("14155551001").unwrap(), identity_changed: false },
            WantedUser { jid: Jid::interop(1, 5).unwrap(), identity_changed: true },
        ],
    };
    assert_eq!(PrekeyFetch::try_from(&iq(FETCH)), Ok(fetch.clone()));
    assert_eq!(Node::from(fetch.into_iq("3")), xml(FETCH));
}

#[test]
fn fetched() {
    let phone = Jid::phone("14155551001").unwrap();
    let bundle = FetchedBundle {
        registration: 300,
        identity: [0x11; 32],
        one_time: Some(key1()),
        signed: skey(),
        post_quantum: false,
    };
    let bundles = PrekeyBundles {
        users: vec![
            FetchedUser { jid: phone.clone(), bundle: Ok(bundle) },
            FetchedUser {
                jid: phone.with_device(2).unwrap(),
                bundle: Ok(FetchedBundle { one_time: None, ..bundle }),
            },
            FetchedUser {
                jid: Jid::interop(1, 5).unwrap(),
                bundle: Err(IqError { code: 404, text: Some("item-not-found".into()) }),
            },
        ],
    };
    let answer = iq(FETCHED);
    assert_eq!(PrekeyBundles::try_from(&answer).as_ref(), Ok(&bundles));
    assert_eq!(&bundles.into_node(), answer.child("list").unwrap());
}

#[test]
fn what_is_ahead_of_its_time_does_not_disturb() {
    let upload = UPLOAD.replace("<registration", "<op mode='set'/><registration");
    assert_eq!(PrekeyUpload::try_from(&iq(&upload)), PrekeyUpload::try_from(&iq(UPLOAD)));
    let key = "<pqkey><id wa:bytes='000001'/><value wa:bytes='00'/><signature wa:bytes='00'/></pqkey></user>";
    let fetched = FETCHED.replace("<list>", "<list count_low='true'>").replacen("</user>", key, 1);
    assert_ne!(fetched, FETCHED);
    let users = |xml: &str| PrekeyBundles::try_from(&iq(xml)).unwrap().users;
    let (mut plain, read) = (users(FETCHED), users(&fetched));
    if let Ok(first) = &mut plain[0].bundle {
        first.post_quantum = true;
    }
    assert_eq!(read, plain);
}

#[test]
fn wrong_iqs() {
    let wrong = |element| StanzaError::WrongIq { element };
    assert_eq!(PrekeyUpload::try_from(&iq(FETCH)), Err(wrong("registration")));
    assert_eq!(PrekeyFetch::try_from(&iq(UPLOAD)), Err(wrong("key")));
    assert_eq!(PrekeyFetch::try_from(&iq(COUNT)), Err(wrong("key")));
    assert_eq!(
        PrekeyUpload::try_from(&iq(&UPLOAD.replace("'encrypt'", "'w:p'"))),
        Err(wrong("registration"))
    );
    assert_eq!(PrekeyUpload::try_from(&iq(&UPLOAD.replace("'set'", "'get'"))), Err(wrong("registration")));
    assert_eq!(PrekeyFetch::try_from(&iq(&FETCH.replace("'get'", "'set'"))), Err(wrong("key")));
    assert_eq!(PrekeyBundles::try_from(&iq(FETCH)), Err(wrong("list")));
    assert_eq!(PrekeyCount::try_from(&iq(COUNT)), Err(wrong("count")));
    let mut error = iq(COUNTED);
    error.kind = IqKind::Error(IqError::not_implemented());
    assert_eq!(PrekeyCount::try_from(&error), Err(wrong("count")));
    let missing = StanzaError::MissingChild { element: "iq", child: "list" };
    assert_eq!(PrekeyBundles::try_from(&iq(COUNTED)), Err(missing));
}

#[test]
fn malformed_uploads() {
    let error = |from: &str, to: &str| PrekeyUpload::try_from(&iq(&UPLOAD.replace(from, to))).unwrap_err();
    let child = |child| StanzaError::MissingChild { element: "iq", child };
    let length = |element, expected, found| StanzaError::Length { element, expected, found };
    assert_eq!(error("c7a83ab4", "c7a83a"), length("registration", 4, 3));
    assert_eq!(error("<type wa:bytes='05'/>", ""), child("type"));
    assert_eq!(error("wa:bytes='05'", "wa:bytes='06'"), StanzaError::KeyType(6));
    assert_eq!(error("wa:bytes='05'", "wa:bytes='0505'"), length("type", 1, 2));
    assert_eq!(error("{identity}", ""), child("identity"));
    let prefixed = format!("<identity wa:bytes='05{}'/>", "11".repeat(32));
    assert_eq!(error("{identity}", &prefixed), length("identity", 32, 33));
    assert_eq!(error("<list>{key1}{key2}</list>", ""), child("list"));
    let no_id = StanzaError::MissingChild { element: "key", child: "id" };
    assert_eq!(error("{key2}", "<key><value>a</value></key>"), no_id);
    assert_eq!(error("{key2}", "<key><id>abc</id><value>a</value></key>"), length("value", 32, 1));
    assert_eq!(error("{skey}", ""), child("skey"));
    let empty = UPLOAD.replace("<list>{key1}{key2}</list>", "<list/>");
    assert_eq!(PrekeyUpload::try_from(&iq(&empty)).map(|upload| upload.one_time), Ok(Vec::new()));
}

#[test]
fn malformed_bundles() {
    let error = |from: &str, to: &str| PrekeyBundles::try_from(&iq(&FETCHED.replace(from, to))).unwrap_err();
    let attr = |element, attr| StanzaError::MissingAttr { element, attr };
    assert_eq!(error(" code='404'", ""), attr("error", "code"));
    assert_eq!(error(" jid='1-5@interop'", ""), attr("user", "jid"));
    let invalid = StanzaError::InvalidAttr { element: "user", attr: "jid" };
    assert_eq!(error("'1-5@interop'", "'0-5@interop'"), invalid);
    assert_eq!(error("{skey}", ""), StanzaError::MissingChild { element: "user", child: "skey" });
    assert_eq!(error("wa:bytes='05'", "wa:bytes='04'"), StanzaError::KeyType(4));
}

#[test]
fn retries() {
    let text = "<receipt to='14155551001@s.whatsapp.net' id='3EB0' type='retry'>
            <retry count='1' id='3EB0' t='1700000000' v='1'/><registration wa:bytes='0000012c'/>
        </receipt>";
    let keys = "<keys><type wa:bytes='05'/>{identity}{key1}{skey}<device-identity wa:bytes='0a00'/></keys>";
    let retry = Retry {
        count: 1,
        id: "3EB0".into(),
        t: 1_700_000_000,
        v: 1,
        error: None,
        registration: 300,
        keys: None,
    };
    let receipt = |retry: Retry| Receipt {
        id: "3EB0".into(),
        more_ids: Vec::new(),
        to: Some(Jid::phone("14155551001").unwrap()),
        from: None,
        participant: None,
        recipient: None,
        kind: ReceiptKind::Retry(Box::new(retry)),
        t: None,
        offline: None,
        children: Vec::new(),
    };
    assert_eq!(Receipt::try_from(&xml(text)), Ok(receipt(retry.clone())));
    assert_eq!(Node::from(receipt(retry.clone())), xml(text));

    let with_keys = RetryKeys {
        identity: [0x11; 32],
        one_time: Some(key1()),
        signed: skey(),
        device_identity: Some(vec![0x0a, 0].into()),
    };
    let again = Retry { count: 2, keys: Some(with_keys), ..retry };
    let text = text.replace("count='1'", "count='2'").replace("</receipt>", &format!("{keys}</receipt>"));
    assert_eq!(Receipt::try_from(&xml(&text)), Ok(receipt(again.clone())));
    assert_eq!(Node::from(receipt(again)), xml(&text));
}

#[test]
fn rotation() {
    let signed = SignedPrekeyNode { id: PrekeyId::new(2).unwrap(), value: [3; 32], signature: [4; 64] };
    let xml = format!(
        "<iq id='9' to='s.whatsapp.net' type='set' xmlns='encrypt'><rotate><skey><id wa:bytes='000002'/>\
         <value wa:bytes='{}'/><signature wa:bytes='{}'/></skey></rotate></iq>",
        "03".repeat(32),
        "04".repeat(64)
    );
    let node: Node = xml.parse().unwrap();
    assert_eq!(Node::from(SignedPrekeyRotation { signed }.into_iq("9")), node);
    let iq = Iq::try_from(&node).unwrap();
    assert_eq!(SignedPrekeyRotation::try_from(&iq), Ok(SignedPrekeyRotation { signed }));
    assert_eq!(PrekeyUpload::try_from(&iq), Err(StanzaError::WrongIq { element: "registration" }));
}
