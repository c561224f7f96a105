//! Stanzas that are no request (overview §2.1.1, §3; observed).

use serde_json::json;
use wa_binary::{Jid, Node};

use crate::kit::PHONE;
use crate::rules::{Row, Stage, golden, phone, row, xml};

pub(crate) fn rows() -> Vec<Row> {
    [conversation(), around()].into_iter().flatten().collect()
}

fn conversation() -> Vec<Row> {
    let message = |attribute: &str| {
        format!(
            "<message to='{PHONE}@s.whatsapp.net' id='A' type='text'{attribute}>\
             <enc v='2' type='pkmsg' wa:bytes='330801'/></message>"
        )
    };
    let receipt = |kind: &str| format!("<receipt to='{PHONE}@s.whatsapp.net' id='A' type='{kind}'/>");
    let typing = |inside: &str| format!("<chatstate to='{PHONE}@s.whatsapp.net'>{inside}</chatstate>");
    vec![
        row(
            "message",
            golden(
                "<message to='14155551001@s.whatsapp.net' id='3EB0C767D26A8B4A5E6F' type='text'>
                    <enc v='2' type='pkmsg' wa:bytes='330801'/>
                </message>",
            ),
            xml(message(" sticker='1'")),
        ),
        row("receipt", xml(receipt("read")), xml(receipt("seen"))),
        row("receipt-retry", xml(retry("1")), xml(retry("2"))),
        row("chatstate", xml(typing("<composing media='audio'/>")), xml(typing("<gone/>"))),
        row(
            "ack",
            golden("<ack class='message' id='3EB0' to='14155551001@s.whatsapp.net'/>"),
            xml(format!("<ack class='call' id='3EB0' to='{PHONE}@s.whatsapp.net'/>")),
        ),
        row("ack-to", acked(phone()), acked(Jid::whatsapp())),
    ]
}

fn retry(version: &str) -> String {
    format!(
        "<receipt to='{PHONE}@s.whatsapp.net' id='A' type='retry'>\
         <retry count='1' id='A' t='1' v='{version}'/><registration wa:bytes='00000001'/></receipt>"
    )
}

/// A message of the phone's, acknowledged with this address.
fn acked(to: Jid) -> impl Fn(&mut Stage) -> String {
    move |stage| {
        let text = json!({ "to": stage.user.login(), "text": "hello" });
        let (bench, ..) = stage.line();
        bench.post(&format!("phones/{PHONE}/send"), text);
        let (bench, _, line) = stage.line();
        let messages = bench.read(line);
        let id = messages[0].attr_str("id").unwrap();
        let ack = Node::new("ack").with_attr("class", "message").with_attr("id", id);
        stage.send(&ack.with_attr("to", &to))
    }
}

fn around() -> Vec<Row> {
    let ping = "<iq id='26' to='s.whatsapp.net' type='get' xmlns='w:p'/>";
    vec![
        row("ib", golden("<ib><offline_batch count='200'/></ib>"), xml("<ib><offline count='1'/></ib>")),
        row(
            "presence",
            xml("<presence type='available' name='Alice'/>"),
            xml("<presence type='somewhere' name='Alice'/>"),
        ),
        row("stream-end", golden(ping), |stage| stage.send(&Node::stream_end())),
        row("stanza-unknown", golden(ping), xml("<presents type='available'/>")),
    ]
}
