//! What the server does with each stanza of a client (seed §2.1.1, §3; observed).

use wa_binary::{Jid, Node};

use crate::iqs::iq_answer;
use crate::phone::{Delivery, Written};
use crate::rules::{self, Violation};
use crate::world::{ConnectionId, World};

impl World {
    /// Judges a stanza of account `number` and acts on it.
    pub(crate) fn handle_stanza(&mut self, id: ConnectionId, number: u64, node: &Node, now: u64) {
        let done = match node.tag() {
            "iq" => self.handle_iq(id, number, node),
            "message" => self.handle_message(id, number, node, now),
            "receipt" => self.handle_receipt(id, number, node, now),
            "chatstate" => rules::CHATSTATE.check(node).map(|()| self.handle_chatstate(number, node)),
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
        let Some(phone) = to.user().and_then(|number| self.phones.get_mut(&*number)) else {
            self.send(id, &ack.with_attr("error", "404"));
            return Ok(());
        };
        let mut replies = Vec::new();
        // Whoever blocks somebody does not let them know.
        let is_blocked = phone.blocked.contains(&login.to_string());
        for (device, enc) in encs(node, &to).into_iter().filter(|_| !is_blocked) {
            let delivery = Delivery { from: login.clone(), id: stanza.clone(), device, message: node, enc };
            let from = address(&to, device);
            replies.extend(
                phone
                    .handle_message(&delivery, now, &mut self.rng)
                    .into_iter()
                    .map(|reply| reply.with_attr("from", &from)),
            );
        }
        self.send(id, &ack.with_attr("t", now));
        for reply in replies {
            // What somebody is doing right now is not kept for later.
            if reply.is("chatstate") { self.send(id, &reply) } else { self.deliver(number, reply) }
        }
        Ok(())
    }

    fn handle_receipt(
        &mut self,
        id: ConnectionId,
        number: u64,
        node: &Node,
        now: u64,
    ) -> Result<(), Violation> {
        match node.attr_str("type") {
            Some("retry") => rules::RETRY.check(node)?,
            _ => rules::RECEIPT.check(node)?,
        }
        let (stanza, to) = addressed(node)?;
        let Some(login) = self.accounts.get(&number).map(|account| account.login.clone()) else {
            return Ok(());
        };
        let phone = to.user().and_then(|number| self.phones.get_mut(&*number));
        let again = phone.and_then(|phone| phone.handle_receipt(&login, node, now, &mut self.rng));
        let ack = Node::new("ack").with_attr("class", "receipt").with_attr("id", stanza);
        self.send(id, &ack.with_attr("from", &to).with_attr_opt("type", node.attr_str("type")));
        if let Some(again) = again {
            self.deliver(number, again.with_attr("from", to));
        }
        Ok(())
    }

    fn handle_chatstate(&mut self, number: u64, node: &Node) {
        let to = node.attr("to").and_then(wa_binary::Value::to_jid);
        let login = self.accounts.get(&number).map(|account| account.login.clone());
        let phone = to.and_then(|to| self.phones.get_mut(&*to.user()?));
        if let (Some(phone), Some(login)) = (phone, login) {
            phone.handle_chatstate(&login, node);
        }
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

    /// A phone writes: takes a bundle of the account if it has no session. Gives the message's id.
    pub(crate) fn phone_writes(
        &mut self,
        phone: &str,
        to: &Jid,
        written: &Written,
        now: u64,
    ) -> Option<String> {
        let (_, number) = to.as_interop()?;
        let account = self.accounts.get_mut(&number).filter(|account| account.login == *to)?;
        let from = Jid::phone(phone).ok()?;
        let message = self.phones.get_mut(phone)?.write_to(account, written, now, &mut self.rng)?;
        let id = message.attr_str("id")?.to_owned();
        self.deliver(number, message.with_attr("from", from));
        Some(id)
    }

    /// A phone tells what became of messages: one receipt for all.
    pub(crate) fn phone_marks(
        &mut self,
        phone: &str,
        to: &Jid,
        ids: &[String],
        kind: &str,
        now: u64,
    ) -> Option<()> {
        let (_, number) = to.as_interop()?;
        let (first, more) = ids.split_first()?;
        let receipt = Node::new("receipt").with_attr("from", Jid::phone(phone).ok()?);
        let receipt = receipt.with_attr("id", &**first).with_attr("type", kind).with_attr("t", now);
        let items = more.iter().map(|id| Node::new("item").with_attr("id", &**id));
        let list = Node::new("list").with_children(items.collect::<Vec<_>>());
        self.deliver(number, if more.is_empty() { receipt } else { receipt.with_child(list) });
        Some(())
    }

    /// What a phone's user is doing is shown to those who are connected.
    pub(crate) fn phone_types(&mut self, phone: &str, to: &Jid, state: &str) -> Option<()> {
        let (_, number) = to.as_interop()?;
        let connection = self.accounts.get(&number)?.connection?;
        let state = match state {
            "recording" => Node::new("composing").with_attr("media", "audio"),
            state => Node::new(if state == "paused" { "paused" } else { "composing" }),
        };
        let chatstate = Node::new("chatstate").with_attr("from", Jid::phone(phone).ok()?).with_child(state);
        self.send(connection, &chatstate);
        Some(())
    }

    /// A phone has another identity, or another device: every account is told.
    pub(crate) fn phone_changed(&mut self, phone: &str, kind: &str, change: &Node) -> Option<()> {
        let from = Jid::phone(phone).ok()?;
        for number in self.accounts.keys().copied().collect::<Vec<_>>() {
            let notification = Node::new("notification").with_attr("from", &from);
            let notification = notification.with_attr("id", self.stanza_id()).with_attr("type", kind);
            self.deliver(number, notification.with_child(change.clone()));
        }
        Some(())
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

/// The `<enc>` for each device.
fn encs<'a>(node: &'a Node, to: &Jid) -> Vec<(u16, &'a Node)> {
    let fan_out = node.child("participants").map(Node::children).unwrap_or_default();
    let each = fan_out.iter().filter_map(|it| Some((it.attr("jid")?.to_jid()?.device(), it.child("enc")?)));
    each.chain(node.child("enc").map(|enc| (to.device(), enc))).collect()
}

/// The address of one device; of the phone itself, the user's.
fn address(user: &Jid, device: u16) -> Jid {
    user.clone().with_device(device).unwrap_or_else(|_| user.clone())
}
