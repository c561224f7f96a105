//! What the server does with each stanza of a client (seed §2.1.1, §3; observed).

use wa_binary::{Jid, Node};
use wa_keys::{PublicKey, Signature};
use wa_signal::{Bundle, SignedPrekey};

use crate::account::MAX_PREKEYS;
use crate::phone::{Delivery, Reply};
use crate::rules::{self, Violation};
use crate::world::{ConnectionId, World};

impl World {
    /// Judges a stanza of account `number` and acts on it.
    pub(crate) fn handle_stanza(&mut self, id: ConnectionId, number: u64, node: &Node, now: u64) {
        let done = match node.tag() {
            "iq" => self.handle_iq(id, number, node),
            "message" => self.handle_message(id, number, node, now),
            "receipt" => self.handle_receipt(id, number, node),
            "ack" => rules::ACK.check(node).map(|()| self.handle_ack(number, node)),
            "ib" => rules::IB.check(node).map(|()| self.handle_pull(id, number, node)),
            _ => Err(Violation { tag: node.tag().to_owned(), what: "is unknown".to_owned() }),
        };
        if let Err(violation) = done {
            self.violation(violation);
            self.answer_violation(id, node);
        }
    }

    /// An iq gets an error, a message or receipt a negative ack, anything else ends the stream.
    fn answer_violation(&mut self, id: ConnectionId, node: &Node) {
        let Some(stanza) = node.attr("id").map(|id| id.to_text().into_owned()) else {
            return self.end_stream(id, Node::new("xml-not-well-formed"));
        };
        match node.tag() {
            "iq" => {
                let error = Node::new("error").with_attr("code", "400").with_attr("text", "bad-request");
                self.send(id, &iq_answer(&stanza, "error").with_child(error));
            }
            "message" | "receipt" => {
                let ack = Node::new("ack").with_attr("class", node.tag()).with_attr("id", stanza);
                self.send(id, &ack.with_attr("from", Jid::whatsapp()).with_attr("error", "479"));
            }
            _ => self.end_stream(id, Node::new("xml-not-well-formed")),
        }
    }

    fn handle_iq(&mut self, id: ConnectionId, number: u64, node: &Node) -> Result<(), Violation> {
        let stanza = node.attr_str("id").unwrap_or_default().to_owned();
        if node.attr_str("type") == Some("result") {
            rules::PONG.check(node)?;
            self.pongs.push(stanza);
            return Ok(());
        }
        let ping = self.profile.chat.ping.client_xmlns.clone();
        let answer = match (node.attr_str("xmlns"), node.attr_str("type")) {
            (Some(xmlns), _) if xmlns == ping => {
                rules::PING.check(node)?;
                Vec::new()
            }
            (Some("encrypt"), Some("get")) if node.child("count").is_some() => {
                rules::PREKEY_COUNT.check(node)?;
                let left = self.accounts.get(&number).map_or(0, |account| account.prekeys.len());
                vec![Node::new("count").with_attr("value", u64::try_from(left).unwrap_or(u64::MAX))]
            }
            (Some("encrypt"), Some("get")) => {
                rules::PREKEY_FETCH.check(node)?;
                vec![self.fetch(node)]
            }
            (Some("encrypt"), Some("set")) => {
                rules::PREKEY_UPLOAD.check(node)?;
                self.upload(number, node)?;
                Vec::new()
            }
            _ => {
                let what = "has an unknown xmlns or type".to_owned();
                return Err(Violation { tag: "iq".to_owned(), what });
            }
        };
        let result = iq_answer(&stanza, "result");
        self.send(id, &if answer.is_empty() { result } else { result.with_children(answer) });
        Ok(())
    }

    fn upload(&mut self, number: u64, node: &Node) -> Result<(), Violation> {
        let violation = |what: &str| Violation { tag: "iq".to_owned(), what: what.to_owned() };
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        let bytes = |name| node.child(name).and_then(Node::bytes).unwrap_or_default();
        if bytes("type") != [5] || bytes("identity") != account.identity.as_bytes() {
            return Err(violation("uploads another identity"));
        }
        if bytes("registration") != account.registration_id.to_be_bytes() {
            return Err(violation("uploads another registration id"));
        }
        let signed = node.child("skey").and_then(read_signed_prekey).ok_or(violation("has a bad skey"))?;
        if account.identity.verify(&signed.key.to_prefixed(), &signed.signature).is_err() {
            return Err(violation("has a skey with a bad signature"));
        }
        let list = node.child("list").map(Node::children).unwrap_or_default();
        if account.prekeys.len() + list.len() > MAX_PREKEYS {
            return Err(violation("uploads too many prekeys"));
        }
        account.signed_prekey = signed;
        account.prekeys.extend(list.iter().filter_map(read_prekey));
        Ok(())
    }

    /// Bundles of the phones asked for, a one-time prekey in each.
    fn fetch(&mut self, node: &Node) -> Node {
        let asked = node.child("key").map(Node::children).unwrap_or_default();
        let users = asked.iter().filter_map(|user| user.attr("jid")?.to_jid()).map(|jid| {
            let user = Node::new("user").with_attr("jid", &jid);
            match self.phones.get_mut(&*jid.user().unwrap_or_default()) {
                Some(phone) => user.with_children(write_bundle(&phone.bundle(&mut self.rng))),
                None => user.with_child(
                    Node::new("error").with_attr("code", "404").with_attr("text", "item-not-found"),
                ),
            }
        });
        Node::new("list").with_children(users.collect::<Vec<_>>())
    }

    fn handle_message(
        &mut self,
        id: ConnectionId,
        number: u64,
        node: &Node,
        now: u64,
    ) -> Result<(), Violation> {
        rules::MESSAGE.check(node)?;
        let (stanza, to) = addressed(node)?;
        let ack = Node::new("ack").with_attr("class", "message").with_attr("id", &*stanza);
        let ack = ack.with_attr("from", &to);
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        account.messages += 1;
        let login = account.login.clone();
        let phone = to.user().and_then(|number| self.phones.get_mut(&*number));
        let Some((phone, enc)) = phone.zip(node.child("enc")) else {
            self.send(id, &ack.with_attr("error", "404"));
            return Ok(());
        };
        let delivery = Delivery { from: login, id: stanza, enc };
        let replies = phone.handle_message(&delivery, now, &mut self.rng);
        self.send(id, &ack.with_attr("t", now));
        let replies: Vec<Node> = replies.into_iter().map(|reply| write_reply(&to, reply, now)).collect();
        replies.into_iter().for_each(|reply| self.deliver(number, reply));
        Ok(())
    }

    fn handle_receipt(&mut self, id: ConnectionId, number: u64, node: &Node) -> Result<(), Violation> {
        rules::RECEIPT.check(node)?;
        let (stanza, to) = addressed(node)?;
        let Some(login) = self.accounts.get(&number).map(|account| account.login.clone()) else {
            return Ok(());
        };
        if let Some(phone) = to.user().and_then(|number| self.phones.get_mut(&*number)) {
            phone.handle_receipt(&login, &stanza, node.attr_str("type"));
        }
        let ack = Node::new("ack").with_attr("class", "receipt").with_attr("id", stanza);
        self.send(id, &ack.with_attr("from", to));
        Ok(())
    }

    fn handle_ack(&mut self, number: u64, node: &Node) {
        let (class, id) = (node.attr_str("class"), node.attr_str("id"));
        if let (Some(account), Some(class), Some(id)) = (self.accounts.get_mut(&number), class, id) {
            account.acknowledge(class, id);
        }
    }

    /// Hands out a batch of what waits; when nothing is left, says so and goes live.
    fn handle_pull(&mut self, id: ConnectionId, number: u64, node: &Node) {
        let asked = node.child("offline_batch").and_then(|batch| batch.attr_str("count")?.parse().ok());
        let Some(account) = self.accounts.get_mut(&number) else { return };
        let batch = account.waiting(id).take(asked.unwrap_or(0)).map(|mail| {
            mail.sent_on = Some(id);
            mail.node.clone().with_attr("offline", "1")
        });
        let batch: Vec<Node> = batch.collect();
        let is_last = account.waiting(id).next().is_none();
        account.live |= is_last;
        batch.iter().for_each(|mail| self.send(id, mail));
        if is_last {
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            let end = Node::new("offline").with_attr("count", count);
            self.send(id, &Node::new("ib").with_attr("from", Jid::whatsapp()).with_child(end));
        }
    }

    /// A phone writes first: takes a bundle of the account if it has no session. Gives the message's id.
    pub(crate) fn phone_sends(&mut self, phone: &str, to: &Jid, text: &str, now: u64) -> Option<String> {
        let (_, number) = to.as_interop()?;
        let account = self.accounts.get_mut(&number).filter(|account| account.login == *to)?;
        let from = Jid::phone(phone).ok()?;
        let reply = self.phones.get_mut(phone)?.send_text(account, text, now, &mut self.rng)?;
        let id = reply.id().to_owned();
        self.deliver(number, write_reply(&from, reply, now));
        Some(id)
    }

    /// The server pings a client: it must answer with a result.
    pub(crate) fn ping(&mut self, number: u64) -> Option<String> {
        let connection = self.accounts.get(&number)?.connection?;
        let id = self.stanza_id();
        let ping = Node::new("iq").with_attr("from", Jid::whatsapp()).with_attr("id", &*id);
        let ping = ping.with_attr("type", "get").with_attr("xmlns", &self.profile.chat.ping.server_xmlns);
        self.send(connection, &ping);
        Some(id)
    }
}

/// Id and recipient of a stanza that its rule has passed.
fn addressed(node: &Node) -> Result<(String, Jid), Violation> {
    let found =
        node.attr_str("id").map(str::to_owned).zip(node.attr("to").and_then(wa_binary::Value::to_jid));
    found.ok_or_else(|| Violation { tag: node.tag().to_owned(), what: "lacks id or to".to_owned() })
}

fn iq_answer(id: &str, kind: &str) -> Node {
    Node::new("iq").with_attr("from", Jid::whatsapp()).with_attr("id", id).with_attr("type", kind)
}

fn write_reply(from: &Jid, reply: Reply, now: u64) -> Node {
    match reply {
        Reply::Delivered { id } => {
            Node::new("receipt").with_attr("from", from).with_attr("id", id).with_attr("t", now)
        }
        Reply::Message { id, kind, bytes } => {
            let enc = Node::new("enc").with_attr("v", "2").with_attr("type", kind).with_bytes(bytes);
            let message = Node::new("message").with_attr("from", from).with_attr("id", id);
            message.with_attr("t", now).with_attr("type", "text").with_attr("notify", "phone").with_child(enc)
        }
    }
}

fn write_bundle(bundle: &Bundle) -> Vec<Node> {
    let key = |tag: &str, id: u32, key: &PublicKey| {
        Node::new(tag).with_children([
            Node::new("id").with_bytes(id.to_be_bytes().into_iter().skip(1).collect::<Vec<_>>()),
            Node::new("value").with_bytes(key.as_bytes().to_vec()),
        ])
    };
    let signed = &bundle.signed_prekey;
    let signature = Node::new("signature").with_bytes(signed.signature.as_bytes().to_vec());
    let mut children = vec![
        Node::new("registration").with_bytes(bundle.registration_id.to_be_bytes().to_vec()),
        Node::new("type").with_bytes(vec![5]),
        Node::new("identity").with_bytes(bundle.identity.as_bytes().to_vec()),
    ];
    children.extend(bundle.one_time_prekey.map(|(id, public)| key("key", id, &public)));
    children.push(key("skey", signed.id, &signed.key).with_child(signature));
    children
}

fn read_prekey(key: &Node) -> Option<(u32, PublicKey)> {
    let id = key.child("id")?.bytes()?;
    let id = id.iter().fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    Some((id, PublicKey::from_slice(key.child("value")?.bytes()?).ok()?))
}

fn read_signed_prekey(skey: &Node) -> Option<SignedPrekey> {
    let (id, key) = read_prekey(skey)?;
    let signature = Signature::from_slice(skey.child("signature")?.bytes()?).ok()?;
    Some(SignedPrekey { id, key, signature })
}
