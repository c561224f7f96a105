//! Overview §2.1.1: each stanza as it stands in the protocol, written by hand, read and written.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use wa_binary::{EncodeOptions, Jid, Limits, Node, NodeContent, decode, encode};
use wa_stanza::{
    Ack, Chatstate, Conflict, Edit, Enc, EncKind, Failure, FailureReason, Ib, IbItem, Iq, IqError, Malformed,
    Message, MessageKind, Notification, NotificationContent, ReachabilityPing, Receipt, ReceiptKind, Stanza,
    StanzaError, StreamCondition, StreamError, Success, Typing, ping,
};

fn node(xml: &str) -> Node {
    xml.parse().unwrap()
}

fn jid(text: &str) -> Jid {
    text.parse().unwrap()
}

/// Both directions, through the binary form too.
fn golden(xml: &str, stanza: impl Into<Stanza>) {
    let (node, stanza) = (node(xml), stanza.into());
    let bytes = encode(&node, &EncodeOptions::new()).unwrap();
    let read = decode(&bytes.into(), &Limits::new()).unwrap();
    assert_eq!(Stanza::try_from(read), Ok(stanza.clone()), "{xml}");
    assert_eq!(Node::from(stanza), node);
}

fn message(id: &str, kind: MessageKind) -> Message {
    let mut message = Message::new(Jid::whatsapp(), id, kind, Enc::new(EncKind::Msg, ""));
    message.to = None;
    message.encs.clear();
    message
}

fn receipt(id: &str, from: &str, kind: ReceiptKind) -> Receipt {
    Receipt {
        id: id.into(),
        more_ids: Vec::new(),
        to: None,
        from: Some(jid(from)),
        participant: None,
        recipient: None,
        kind,
        t: None,
        offline: None,
        children: Vec::new(),
    }
}

#[test]
fn logins() {
    golden(
        "<success t='1700000000' location='frc' creation='1690000000' lid='100000012345678@lid' display_name='Joe'/>",
        Success {
            t: 1_700_000_000,
            location: Some("frc".into()),
            creation: Some(1_690_000_000),
            lid: Some(jid("100000012345678@lid")),
            display_name: Some("Joe".into()),
            static_pq_key: None,
        },
    );
    golden(
        "<success t='1700000000' static_pq_key='c3RhdGlj'/>",
        Success {
            t: 1_700_000_000,
            location: None,
            creation: None,
            lid: None,
            display_name: None,
            static_pq_key: Some("c3RhdGlj".into()),
        },
    );
    let failure = |reason: FailureReason| Failure::new(reason);
    golden("<failure reason='401'/>", failure(FailureReason::NotAuthorized));
    golden(
        "<failure reason='405' location='frc' t='1900000000'/>",
        Failure {
            location: Some("frc".into()),
            t: Some(1_900_000_000),
            ..failure(FailureReason::ClientOutdated)
        },
    );
    golden(
        "<failure reason='402' location='frc' code='101' expire='3600' appeal_token='abc'/>",
        Failure {
            location: Some("frc".into()),
            code: Some(101),
            expire: Some(3600),
            appeal_token: Some("abc".into()),
            ..failure(FailureReason::TemporaryBan)
        },
    );
    golden(
        "<failure reason='403' vt='2' violation_reason='spam' is_eu='true'/>",
        Failure {
            vt: Some("2".into()),
            violation_reason: Some("spam".into()),
            is_eu: Some("true".into()),
            ..failure(FailureReason::Locked)
        },
    );
    golden(
        "<failure reason='503' retry='30' message='later'/>",
        Failure { retry: Some(30), message: Some("later".into()), ..failure(FailureReason::Unavailable) },
    );
    golden("<failure reason='477'/>", failure(FailureReason::Other(477)));
}

#[test]
fn ends_of_streams() {
    let error = |code, condition| StreamError { code, condition };
    let conflict = |conflict| Some(StreamCondition::Conflict(conflict));
    golden("<stream:error code='515'/>", error(Some(515), None));
    golden(
        "<stream:error code='401'><conflict type='device_removed'/></stream:error>",
        error(Some(401), conflict(Conflict::DeviceRemoved)),
    );
    golden(
        "<stream:error><conflict type='replaced'/></stream:error>",
        error(None, conflict(Conflict::Replaced)),
    );
    golden("<stream:error><conflict/></stream:error>", error(None, conflict(Conflict::Other("".into()))));
    golden(
        "<stream:error><ack class='message' id='3EB0'/></stream:error>",
        error(None, Some(StreamCondition::Ack { class: Some("message".into()), id: Some("3EB0".into()) })),
    );
    golden(
        "<stream:error><xml-not-well-formed/></stream:error>",
        error(None, Some(StreamCondition::XmlNotWellFormed)),
    );
    golden("<xmlstreamend/>", Stanza::StreamEnd);
}

#[test]
fn pings() {
    golden("<iq id='26' to='s.whatsapp.net' type='get' xmlns='w:p'/>", ping("26"));
    let asked = node("<iq from='s.whatsapp.net' type='get' xmlns='urn:xmpp:ping'/>");
    let Ok(Stanza::Iq(asked)) = Stanza::try_from(asked) else { panic!("not an iq") };
    assert!(asked.is_ping());
    golden("<iq to='s.whatsapp.net' type='result'/>", asked.result());
}

#[test]
fn iqs() {
    let passive = Iq::set("5", "passive").with_children([Node::new("active")]);
    golden("<iq id='5' to='s.whatsapp.net' type='set' xmlns='passive'><active/></iq>", passive.clone());
    let mut from_server = passive.clone();
    from_server.from = from_server.to.take();
    golden("<iq id='5' to='s.whatsapp.net' type='result'/>", from_server.result());
    let mut refused = from_server.refusal(IqError { code: 503, text: Some("service-unavailable".into()) });
    refused.from = refused.to.take();
    golden(
        "<iq id='5' from='s.whatsapp.net' type='error'><error code='503' text='service-unavailable'/></iq>",
        refused.clone(),
    );
    refused.content = NodeContent::Nodes(vec![Node::new("active")]);
    golden(
        "<iq id='5' from='s.whatsapp.net' type='error'><error code='503' text='service-unavailable'/><active/></iq>",
        refused,
    );
}

#[test]
fn messages() {
    let enc = Enc::new(EncKind::PkMsg, &b"\x33\x08\x01"[..]);
    golden(
        "<message to='14155551001@s.whatsapp.net' id='3EB0C767D26A8B4A5E6F' type='text'>
            <enc v='2' type='pkmsg' wa:bytes='330801'/>
        </message>",
        Message::new(
            jid("14155551001@s.whatsapp.net"),
            "3EB0C767D26A8B4A5E6F",
            MessageKind::Text,
            enc.clone(),
        ),
    );
    let image = Enc::new(EncKind::Msg, &b"\x33\x0a"[..]).with_media_type("image").with_count(2);
    golden(
        "<message to='14155551001@s.whatsapp.net' id='3EB1' type='media' edit='1'>
            <enc v='2' type='msg' mediatype='image' count='2' wa:bytes='330a'/>
        </message>",
        Message::new(jid("14155551001@s.whatsapp.net"), "3EB1", MessageKind::Media, image)
            .with_edit(Edit::Message),
    );
    golden(
        "<message from='1-10853634039893@interop' id='3EB2' type='reaction' t='1700000000' notify='joe' offline='0'>
            <enc v='2' type='msg' decrypt-fail='hide' wa:bytes='33'/>
            <reporting><reporting_token v='2' wa:bytes='00ff'/></reporting>
        </message>",
        Message {
            from: Some(Jid::interop(1, 10_853_634_039_893).unwrap()),
            t: Some(1_700_000_000),
            notify: Some("joe".into()),
            offline: Some(0),
            encs: vec![Enc { hide_failure: true, ..Enc::new(EncKind::Msg, "3") }],
            children: vec![node("<reporting><reporting_token v='2' wa:bytes='00ff'/></reporting>")],
            ..message("3EB2", MessageKind::Reaction)
        },
    );
}

#[test]
fn messages_of_groups_and_devices() {
    let enc = Enc::new(EncKind::PkMsg, &b"\x33\x08\x01"[..]);
    golden(
        "<message from='120363012345678901@g.us' participant='55@lid' id='3EB3' type='poll'>
            <enc v='2' type='pkmsg' wa:bytes='330801'/>
            <enc v='2' type='skmsg' wa:bytes='3301'/>
        </message>",
        Message {
            from: Some(jid("120363012345678901@g.us")),
            participant: Some(jid("55@lid")),
            encs: vec![enc.clone(), Enc::new(EncKind::SkMsg, &b"\x33\x01"[..])],
            ..message("3EB3", MessageKind::Poll)
        },
    );
    golden(
        "<message to='14155551001@s.whatsapp.net' id='3EB4' type='text'>
            <participants>
                <to jid='14155551001@s.whatsapp.net'><enc v='2' type='pkmsg' wa:bytes='330801'/></to>
                <to jid='14155551001:3@s.whatsapp.net'><enc v='2' type='msg' wa:bytes='33'/></to>
            </participants>
        </message>",
        Message {
            to: Some(jid("14155551001@s.whatsapp.net")),
            participants: vec![
                (jid("14155551001@s.whatsapp.net"), enc),
                (jid("14155551001:3@s.whatsapp.net"), Enc::new(EncKind::Msg, "3")),
            ],
            ..message("3EB4", MessageKind::Text)
        },
    );
}

#[test]
fn receipts() {
    golden(
        "<receipt from='14155551001@s.whatsapp.net' id='3EB0'/>",
        receipt("3EB0", "14155551001@s.whatsapp.net", ReceiptKind::Delivery),
    );
    golden(
        "<receipt from='1-5@interop' id='3EB0' type='read' t='1700000000' offline='1'>
            <list><item id='3EB1'/><item id='3EB2'/></list>
        </receipt>",
        Receipt {
            more_ids: vec!["3EB1".into(), "3EB2".into()],
            t: Some(1_700_000_000),
            offline: Some(1),
            ..receipt("3EB0", "1-5@interop", ReceiptKind::Read)
        },
    );
    golden(
        "<receipt from='1-2@g.us' id='3EB0' type='server-error'><participants key='3EB0'/></receipt>",
        Receipt {
            children: vec![node("<participants key='3EB0'/>")],
            ..receipt("3EB0", "1-2@g.us", ReceiptKind::ServerError)
        },
    );
    for (word, kind) in [
        ("played", ReceiptKind::Played),
        ("inactive", ReceiptKind::Inactive),
        ("sender", ReceiptKind::Other("sender".into())),
    ] {
        golden(&format!("<receipt from='55@lid' id='1' type='{word}'/>"), receipt("1", "55@lid", kind));
    }
}

#[test]
fn acks() {
    let ack =
        Ack::for_node(&node("<message from='14155551001@s.whatsapp.net' id='3EB0' type='text'/>")).unwrap();
    golden("<ack class='message' id='3EB0' to='14155551001@s.whatsapp.net'/>", ack.clone());
    golden(
        "<ack class='message' id='3EB0' from='14155551001@s.whatsapp.net' t='1700000000' error='479'/>",
        Ack { from: ack.to.clone(), to: None, t: Some(1_700_000_000), ..ack.with_error(479) },
    );
}

#[test]
fn information() {
    golden("<ib><offline_batch count='200'/></ib>", Ib::offline_batch(200));
    let ib = |item| Ib { from: Some(Jid::whatsapp()), items: vec![item] };
    golden("<ib from='s.whatsapp.net'><offline count='3'/></ib>", ib(IbItem::Offline { count: 3 }));
    golden(
        "<ib from='s.whatsapp.net'>
            <offline_preview count='7' message='3' notification='2' receipt='1' appdata='1'/>
        </ib>",
        ib(IbItem::OfflinePreview { count: 7, message: 3, notification: 2, receipt: 1, appdata: 1 }),
    );
    golden(
        "<ib from='s.whatsapp.net'><dirty type='account_sync' timestamp='1700000000'/></ib>",
        ib(IbItem::Dirty { kind: "account_sync".into(), timestamp: Some(1_700_000_000) }),
    );
    golden(
        "<ib from='s.whatsapp.net'><edge_routing><routing_info wa:bytes='08 02'/></edge_routing></ib>"
            .replace("08 02", "0802")
            .as_str(),
        ib(IbItem::EdgeRouting { routing_info: vec![8, 2].into() }),
    );
    golden("<ib from='s.whatsapp.net'><tos id='1'/></ib>", ib(IbItem::Other(node("<tos id='1'/>"))));
}

#[test]
fn notifications() {
    let notification = |kind: &str, content| Notification {
        id: "9".into(),
        from: Jid::whatsapp(),
        participant: None,
        kind: kind.into(),
        t: Some(1_700_000_000),
        offline: None,
        content,
    };
    golden(
        "<notification from='s.whatsapp.net' id='9' type='encrypt' t='1700000000'><count value='4'/></notification>",
        notification("encrypt", NotificationContent::PrekeysLeft { value: 4 }),
    );
    golden(
        "<notification from='s.whatsapp.net' id='9' type='encrypt' t='1700000000'><pq_count value='4'/></notification>",
        notification("encrypt", NotificationContent::PostQuantumPrekeysLeft { value: 4 }),
    );
    golden(
        "<notification from='s.whatsapp.net' id='9' type='w:interop' t='1700000000'>\
         <ping display_name='Ada'><integrator id='12' name='BirdyChat'/></ping></notification>",
        notification(
            "w:interop",
            NotificationContent::Reachability(ReachabilityPing {
                display_name: Some("Ada".into()),
                integrator: 12,
                integrator_name: Some("BirdyChat".into()),
            }),
        ),
    );
    let both = "<notification from='s.whatsapp.net' id='9' type='encrypt' t='1700000000'>\
                <pq_count value='1'/><count value='4'/></notification>";
    let read = Notification::try_from(&both.parse::<Node>().unwrap()).unwrap();
    assert_eq!(read.content, NotificationContent::PrekeysLeft { value: 4 });
    golden(
        "<notification from='1-5@interop' id='9' type='encrypt' t='1700000000' offline='2'><identity/></notification>",
        Notification {
            from: jid("1-5@interop"),
            offline: Some(2),
            ..notification("encrypt", NotificationContent::IdentityChanged)
        },
    );
    golden(
        "<notification from='s.whatsapp.net' id='9' type='w:interop' t='1700000000'><user jid='5@lid'/></notification>",
        notification(
            "w:interop",
            NotificationContent::Other(NodeContent::Nodes(vec![node("<user jid='5@lid'/>")])),
        ),
    );
}

#[test]
fn unknown_stanzas_survive_whole() {
    let xml = "<presence to='14155551001@s.whatsapp.net' b='1' a='2'><composing media='audio'/></presence>";
    let options = EncodeOptions::new();
    let bytes = encode(&node(xml), &options).unwrap();
    let stanza = Stanza::try_from(decode(&bytes.clone().into(), &Limits::new()).unwrap()).unwrap();
    assert_eq!(stanza, Stanza::Other(node(xml)));
    assert_eq!(encode(&stanza.into(), &options), Ok(bytes));
}

#[test]
fn unknown_attributes_do_not_matter() {
    let xml =
        "<message from='5@lid' id='1' type='text' new='1'><enc v='2' type='msg' new='1'>a</enc></message>";
    let Ok(Stanza::Message(message)) = Stanza::try_from(node(xml)) else { panic!("not a message") };
    assert_eq!((message.encs.len(), message.children.len()), (1, 0));
}

#[test]
fn malformed_stanzas_are_handed_back() {
    let bad = node("<message from='5@lid' id='1'/>");
    let error = StanzaError::MissingAttr { element: "message", attr: "type" };
    assert_eq!(Stanza::try_from(bad.clone()), Err(Malformed { error, node: bad }));
}

#[test]
fn chatstates() {
    for (xml, typing) in [
        ("<composing/>", Typing::Composing),
        ("<composing media='audio'/>", Typing::Recording),
        ("<paused/>", Typing::Paused),
    ] {
        golden(
            &format!("<chatstate to='14155551001@s.whatsapp.net'>{xml}</chatstate>"),
            Chatstate::new(jid("14155551001@s.whatsapp.net"), typing),
        );
        golden(
            &format!("<chatstate from='14155551001@s.whatsapp.net'>{xml}</chatstate>"),
            Chatstate { to: None, from: Some(jid("14155551001@s.whatsapp.net")), typing },
        );
    }
}
