//! What the server answers to each request of a client (seed §3, §5; observed, or assumed by the profile).

use wa_binary::{Jid, Node};
use wa_profile::Reachability;

use crate::account::MAX_PREKEYS;
use crate::phone::{read_prekey, read_signed_prekey, write_bundle};
use crate::rules::{self, Violation};
use crate::world::{ConnectionId, World};

impl World {
    pub(crate) fn handle_iq(&mut self, id: ConnectionId, number: u64, node: &Node) -> Result<(), Violation> {
        let stanza = node.attr_str("id").unwrap_or_default().to_owned();
        if node.attr_str("type") == Some("result") {
            rules::PONG.check(node)?;
            self.pongs.push(stanza);
            return Ok(());
        }
        if self.is_withheld(node) {
            return Ok(());
        }
        let answer = match (node.attr_str("xmlns"), node.attr_str("type")) {
            (Some(xmlns), _) if xmlns == self.profile.chat.ping.client_xmlns => {
                rules::PING.check(node)?;
                Vec::new()
            }
            (Some("encrypt"), _) => self.prekeys(number, node)?,
            (Some("usync"), _) => {
                rules::DEVICES.check(node)?;
                vec![self.devices(node)]
            }
            (Some("blocklist"), _) => self.blocklist(number, node)?,
            (Some(xmlns), _) if xmlns == self.profile.chat.report_xmlns => {
                rules::REPORT.check(node)?;
                self.reports.push(node.to_string());
                Vec::new()
            }
            (Some(xmlns), _) if xmlns == self.profile.chat.deletion.xmlns => {
                rules::DELETION.check(node)?;
                named(node, &self.profile.chat.deletion.child)?;
                self.send(id, &iq_answer(&stanza, "result"));
                self.unenlist(number);
                return Ok(());
            }
            (Some(xmlns), _) if self.reachability(xmlns).is_some() => {
                rules::REACH.check(node)?;
                let child = self.reachability(xmlns).map(|form| form.child.as_str());
                named(node, child.unwrap_or_default())?;
                self.reach(id, number, &stanza, node);
                return Ok(());
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

    /// Whether a node, or one in it, names a phone about which nothing is answered.
    fn is_withheld(&self, node: &Node) -> bool {
        let jid = node.attr("jid").and_then(wa_binary::Value::to_jid);
        let phone = jid.and_then(|jid| self.phones.get(&*jid.user()?));
        phone.is_some_and(|phone| phone.withheld)
            || node.children().iter().any(|child| self.is_withheld(child))
    }

    fn prekeys(&mut self, number: u64, node: &Node) -> Result<Vec<Node>, Violation> {
        match node.attr_str("type") {
            Some("get") if node.child("count").is_some() => {
                rules::PREKEY_COUNT.check(node)?;
                let left = self.accounts.get(&number).map_or(0, |account| account.prekeys.len());
                Ok(vec![Node::new("count").with_attr("value", u64::try_from(left).unwrap_or(u64::MAX))])
            }
            Some("get") => {
                rules::PREKEY_FETCH.check(node)?;
                Ok(vec![self.fetch(node)])
            }
            _ if node.child("rotate").is_some() => {
                rules::ROTATION.check(node)?;
                self.rotate(number, node)?;
                Ok(Vec::new())
            }
            _ => {
                rules::PREKEY_UPLOAD.check(node)?;
                self.upload(number, node)?;
                Ok(Vec::new())
            }
        }
    }

    fn rotate(&mut self, number: u64, node: &Node) -> Result<(), Violation> {
        let violation = |what: &str| Violation { tag: "iq".to_owned(), what: what.to_owned() };
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        let skey = node.child("rotate").and_then(|rotate| rotate.child("skey"));
        let signed = skey.and_then(read_signed_prekey).ok_or(violation("has a bad skey"))?;
        if account.identity.verify(&signed.key.to_prefixed(), &signed.signature).is_err() {
            return Err(violation("has a skey with a bad signature"));
        }
        account.signed_prekey = signed;
        Ok(())
    }

    /// The devices of users; one that is not known has none.
    fn devices(&self, node: &Node) -> Node {
        let users = node.child("usync").and_then(|usync| usync.child("list")).map(Node::children);
        let users = users.unwrap_or_default().iter().filter_map(|user| user.attr("jid")?.to_jid());
        let list = users.map(|jid| {
            let phone = self.phones.get(&*jid.user().unwrap_or_default());
            let numbers = phone.map(|phone| phone.devices.keys().chain(&phone.hollow)).into_iter().flatten();
            let devices = numbers.map(|&number| Node::new("device").with_attr("id", u32::from(number)));
            let devices = Node::new("device-list").with_children(devices);
            Node::new("user").with_attr("jid", &jid).with_child(Node::new("devices").with_child(devices))
        });
        Node::new("usync").with_child(Node::new("list").with_children(list.collect::<Vec<_>>()))
    }

    fn blocklist(&mut self, number: u64, node: &Node) -> Result<Vec<Node>, Violation> {
        let is_get = node.attr_str("type") == Some("get");
        if is_get {
            rules::BLOCKLIST.check(node)?
        } else {
            rules::BLOCK.check(node)?
        }
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(Vec::new()) };
        if let Some(item) = node.child("item") {
            let jid = item.attr("jid").and_then(wa_binary::Value::to_jid).map(|jid| jid.to_string());
            match item.attr_str("action") {
                Some("block") => account.blocked.extend(jid),
                _ => account.blocked.retain(|blocked| jid.as_ref() != Some(blocked)),
            }
        }
        let jids = account.blocked.iter().filter_map(|jid| jid.parse::<Jid>().ok());
        let items = jids.map(|jid| Node::new("item").with_attr("jid", jid));
        Ok(vec![Node::new("list").with_children(items.collect::<Vec<_>>())])
    }

    fn reachability(&self, xmlns: &str) -> Option<&Reachability> {
        self.profile.chat.reachability.as_ref().filter(|form| form.xmlns == xmlns)
    }

    /// A user pings a WhatsApp user, who is told.
    fn reach(&mut self, id: ConnectionId, number: u64, stanza: &str, node: &Node) {
        let user = node.children().first().and_then(|it| it.child("user")?.attr("jid")?.to_jid());
        let phone = user.and_then(|jid| self.phones.get_mut(&*jid.user()?));
        let (Some(phone), Some(account)) = (phone, self.accounts.get(&number)) else {
            let error = Node::new("error").with_attr("code", "404").with_attr("text", "item-not-found");
            self.send(id, &iq_answer(stanza, "error").with_child(error));
            return;
        };
        phone.reached_by.insert(account.login.to_string());
        self.send(id, &iq_answer(stanza, "result"));
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
            let phone = self.phones.get_mut(&*jid.user().unwrap_or_default());
            match phone.and_then(|phone| phone.bundle(jid.device(), &mut self.rng)) {
                Some(bundle) => user.with_children(write_bundle(&bundle, true)),
                None => user.with_child(
                    Node::new("error").with_attr("code", "404").with_attr("text", "item-not-found"),
                ),
            }
        });
        Node::new("list").with_children(users.collect::<Vec<_>>())
    }
}

pub(crate) fn iq_answer(id: &str, kind: &str) -> Node {
    Node::new("iq").with_attr("from", Jid::whatsapp()).with_attr("id", id).with_attr("type", kind)
}

/// The one child of a request is the one that the profile names.
fn named(node: &Node, child: &str) -> Result<(), Violation> {
    match node.child(child) {
        Some(_) => Ok(()),
        None => Err(Violation { tag: node.tag().to_owned(), what: format!("holds no {child}") }),
    }
}
