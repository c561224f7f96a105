//! What the server does with each stanza of a client (overview §2.1.1, §3; observed).

use wa_binary::{AttrValue, Jid, Node, Str};

use crate::iqs::iq_answer;
use crate::phone::{Arrival, By, Content, Delivery, Opened};
use crate::record::Deviation;
use crate::rules::book::{
    ACK_TO, ACKS, CHATSTATES, IBS, MESSAGES, PRESENCES, RECEIPTS, RETRIES, STREAM_END, UNKNOWN_REQUEST,
    UNKNOWN_STANZA,
};
use crate::rules::{Class, Clause, Finding};
use crate::world::{ConnectionId, World};

/// A stanza that somebody has sent: on which connection, for which account, and what it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) id: ConnectionId,
    pub(crate) number: u64,
    pub(crate) node: &'a Node,
}

impl World {
    /// Judges a stanza of account `number` and acts on it.
    pub(crate) fn handle_stanza(&mut self, id: ConnectionId, number: u64, node: &Node, now: u64) {
        self.now = now;
        let sent = Sent { id, number, node };
        let done = match node.tag() {
            "iq" => self.handle_iq(sent),
            "message" => self.handle_message(sent),
            "receipt" => self.handle_receipt(sent),
            "chatstate" => self.judge(sent, &CHATSTATES).map(|()| self.handle_chatstate(number, node)),
            "ack" => self.handle_ack(sent),
            "ib" => self.judge(sent, &IBS).map(|()| self.handle_ib(sent)),
            "presence" => self.judge(sent, &PRESENCES),
            _ if node.is_stream_end() => {
                let who = self.who(id);
                self.journal.breach(now, who, &STREAM_END, "xmlstreamend came");
                return self.close(id);
            }
            _ => Err(Deviation::at(&UNKNOWN_STANZA, node, &[], "is unknown").into()),
        };
        if let Err(deviation) = done {
            let who = self.who(id);
            self.journal.deviation(now, who, node, &deviation);
            self.answer_deviation(id, node, deviation.clause);
        }
    }

    /// Judges a stanza by its grammar, and records what is worth a note.
    pub(crate) fn judge(&mut self, sent: Sent<'_>, clause: &'static Clause) -> Result<(), Box<Deviation>> {
        let Some(grammar) = clause.grammar else { return Ok(()) };
        let mut notes =
            grammar.check(sent.node).map_err(|finding| Deviation { clause, finding: *finding })?;
        if clause.class == Class::Note {
            let (tag, mend) = (sent.node.tag().to_owned(), "nothing is to be mended".to_owned());
            let what = match sent.node.attr_str("xmlns") {
                Some(xmlns) => format!("in {xmlns}: {}", clause.id),
                None => "came".to_owned(),
            };
            notes.push(Finding { tag, what, mend, place: Vec::new(), attribute: None });
        }
        if notes.is_empty() {
            return Ok(());
        }
        let who = self.who(sent.id);
        for note in &notes {
            self.journal.note(self.now, who.clone(), clause, (sent.node, note));
        }
        Ok(())
    }

    /// An iq gets an error, a message or receipt a negative ack, anything else ends the stream; in strict mode everything
    /// does.
    fn answer_deviation(&mut self, id: ConnectionId, node: &Node, clause: &Clause) {
        let stanza = node.attr("id").map(|id| id.to_text().into_owned());
        match (node.tag(), stanza) {
            ("iq", Some(stanza)) => {
                let error = if clause.id == UNKNOWN_REQUEST.id { NOT_IMPLEMENTED } else { BAD_REQUEST };
                self.send(id, &iq_error(&stanza, error));
            }
            ("message" | "receipt", Some(stanza)) => {
                let ack = Node::new("ack").with_attr("class", node.tag()).with_attr("id", stanza);
                self.send(id, &ack.with_attr("from", Jid::whatsapp()).with_attr("error", "479"));
            }
            // It stays in the mailbox.
            ("ack", _) if clause.id == ACK_TO.id => {}
            _ => return self.end_stream(id, Node::new("xml-not-well-formed")),
        }
        if self.strict {
            self.end_stream(id, Node::new("xml-not-well-formed"));
        }
    }

    fn handle_message(&mut self, sent: Sent<'_>) -> Result<(), Box<Deviation>> {
        self.judge(sent, &MESSAGES)?;
        let Sent { id, number, node } = sent;
        let (stanza, to) = addressed(node, &MESSAGES)?;
        let ack = Node::new("ack").with_attr("class", "message").with_attr("id", &stanza);
        let ack = ack.with_attr("from", &to);
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        account.messages += 1;
        let login = account.login.clone();
        if to.user().is_none_or(|number| !self.phones.contains_key(&*number)) {
            self.send(id, &ack.with_attr("error", "404"));
            return Ok(());
        }
        self.say(&to, &login, &stanza, By::User, Content::Sealed);
        self.send(id, &ack.with_attr("t", self.now));
        self.give_to_phone(number, &to, &login, node);
        Ok(())
    }

    /// A message of an account's comes to a phone, which opens it as soon as it can.
    pub(crate) fn give_to_phone(&mut self, account: u64, to: &Jid, login: &Jid, node: &Node) {
        let Some(phone) = to.user().and_then(|number| self.phones.get_mut(&*number)) else { return };
        if phone.is_away(self.now) {
            return phone.wait_for(login, node, self.now);
        }
        // A user who blocks another does not let them know.
        if !phone.blocked.is_empty() && phone.blocked.contains(&login.to_string()) {
            return;
        }
        let stanza = Str::from(node.attr_str("id").unwrap_or_default());
        if let Some(body) = node.child("body") {
            let reply = phone.show_body(login, &stanza, body, self.now);
            let replies = reply.into_iter().map(|reply| reply.with_attr("from", to)).collect();
            return self.answer_with(account, replies);
        }
        for (id, enc) in encs(node, to) {
            let Some(device) = phone.devices.get(&id).cloned() else { continue };
            let delivery = Delivery::new(login.clone(), stanza.clone(), id, (node, enc));
            self.arrivals.push_back(Arrival::new(account, address(to, id), delivery, device));
        }
    }

    /// Phones open what has arrived.
    pub(crate) fn open_arrivals(&mut self) {
        while let Some(arrival) = self.arrivals.pop_front() {
            let opened = arrival.open(&mut self.rng);
            self.handle_opened(&arrival, opened);
        }
    }

    /// A phone's device has opened a message. One that has been removed or replaced meanwhile shows nothing.
    pub(crate) fn handle_opened(&mut self, arrival: &Arrival, opened: Opened) {
        let Arrival { account, to, delivery, .. } = arrival;
        let Some(phone) = to.user().and_then(|number| self.phones.get_mut(&*number)) else { return };
        if !phone.devices.get(&delivery.device).is_some_and(|device| arrival.is_for(device)) {
            return;
        }
        let replies = phone.handle_opened(delivery, opened, self.now, &mut self.rng);
        let replies = replies.into_iter().map(|reply| reply.with_attr("from", to)).collect();
        self.answer_with(*account, replies);
    }

    /// What a phone sends in return: at once, or what its user takes time for, later.
    pub(crate) fn answer_with(&mut self, number: u64, replies: Vec<Node>) {
        for reply in replies {
            let is_machine = reply.is("receipt") && reply.attr_str("type") != Some("read");
            let delay = if is_machine { 0 } else { self.patience(&reply) };
            if delay == 0 {
                self.deliver_reply(number, reply);
            } else {
                self.replies.push_back((self.now.saturating_add(delay), number, reply));
            }
        }
    }

    /// Seconds that the user of the phone that sends this takes for it.
    fn patience(&self, reply: &Node) -> u64 {
        let user = reply.attr("from").and_then(AttrValue::to_jid);
        let phone = user.and_then(|from| self.phones.get(&*from.user()?));
        phone.map_or(0, |phone| phone.manners.answers_after)
    }

    /// What somebody is doing right now is not kept for later.
    pub(crate) fn deliver_reply(&mut self, number: u64, reply: Node) {
        if !reply.is("chatstate") {
            return self.deliver(number, reply);
        }
        let Some(account) = self.accounts.get(&number) else { return };
        let (login, connection) = (account.login.clone(), account.connection);
        self.tell_typing(&reply, By::Phone, &login);
        if let Some(id) = connection {
            self.send(id, &reply);
        }
    }

    fn handle_receipt(&mut self, sent: Sent<'_>) -> Result<(), Box<Deviation>> {
        let Sent { id, number, node } = sent;
        let clause = if node.attr_str("type") == Some("retry") { &RETRIES } else { &RECEIPTS };
        self.judge(sent, clause)?;
        let (stanza, to) = addressed(node, clause)?;
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        let login = account.login.clone();
        let phone = to.user().and_then(|number| self.phones.get_mut(&*number));
        let again =
            phone.and_then(|phone| phone.handle_receipt(account, &login, node, self.now, &mut self.rng));
        let ack = Node::new("ack").with_attr("class", "receipt").with_attr("id", stanza);
        self.send(id, &ack.with_attr("from", &to).with_attr_opt("type", node.attr_str("type")));
        if let Some(phone) = to.user() {
            self.tell_chat(&phone, &login, "mark");
        }
        if let Some(again) = again {
            self.deliver(number, again.with_attr("from", to));
            self.announce_low_prekeys(number);
        }
        Ok(())
    }

    fn handle_chatstate(&mut self, number: u64, node: &Node) {
        let to = node.attr("to").and_then(AttrValue::to_jid);
        let login = self.accounts.get(&number).map(|account| account.login.clone());
        let phone = to.and_then(|to| self.phones.get_mut(&*to.user()?));
        if let (Some(phone), Some(login)) = (phone, login) {
            phone.handle_chatstate(&login, node);
            self.tell_typing(node, By::User, &login);
        }
    }

    /// Takes an acked stanza out of the mailbox. What is acked twice, or was never there, is no fault.
    fn handle_ack(&mut self, sent: Sent<'_>) -> Result<(), Box<Deviation>> {
        self.judge(sent, &ACKS)?;
        let Sent { number, node, .. } = sent;
        let (Some(class), Some(id)) = (node.attr_str("class"), node.attr_str("id")) else { return Ok(()) };
        let now = self.now;
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        account.last_fetch = now;
        let Some(position) = account.position(class, id) else { return Ok(()) };
        let from = account.mailbox.get(position).and_then(|mail| mail.node.attr("from"));
        let to = node.attr("to");
        let text = |value: Option<&AttrValue>| value.map(|it| it.to_text().into_owned());
        if from != to && text(from) != text(to) {
            let what = format!("has another to than the stanza's from, {}", text(from).unwrap_or_default());
            return Err(Box::new(Deviation::at(&ACK_TO, node, &[], what).of_attribute("to")));
        }
        account.mailbox.remove(position);
        Ok(())
    }

    fn handle_ib(&mut self, sent: Sent<'_>) {
        let Some(batch) = sent.node.child("offline_batch") else { return };
        let most = batch.attr_str("count").and_then(|count| count.parse().ok()).unwrap_or(0);
        self.hand_out(sent.id, sent.number, most);
    }

    /// The server pings a client: it must answer with a result.
    pub(crate) fn ping(&mut self, number: u64) -> Option<String> {
        let connection = self.accounts.get(&number)?.connection?;
        let ping = self.server_ping();
        self.send(connection, &ping);
        ping.attr_str("id").map(str::to_owned)
    }
}

/// A code and its text, as the server's errors have them.
pub(crate) type IqError = (u16, &'static str);

pub(crate) const BAD_REQUEST: IqError = (400, "bad-request");
pub(crate) const NOT_FOUND: IqError = (404, "item-not-found");
pub(crate) const NOT_IMPLEMENTED: IqError = (501, "feature-not-implemented");

/// `<error code text/>`.
pub(crate) fn error((code, text): IqError) -> Node {
    Node::new("error").with_attr("code", code).with_attr("text", text)
}

/// An iq that says what went wrong.
pub(crate) fn iq_error(stanza: &str, with: IqError) -> Node {
    iq_answer(stanza, "error").with_child(error(with))
}

/// Id and recipient of a stanza that its rule has passed.
fn addressed(node: &Node, clause: &'static Clause) -> Result<(Str, Jid), Box<Deviation>> {
    let to = node.attr("to").and_then(AttrValue::to_jid);
    let found = node.attr_str("id").map(Str::from).zip(to);
    found.ok_or_else(|| Box::new(Deviation::at(clause, node, &[], "lacks id or to")))
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
