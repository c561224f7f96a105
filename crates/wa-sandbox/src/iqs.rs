//! What the server answers to each request of a client (overview §3, §5; observed, or assumed by the profile).

use wa_binary::{Jid, Node};
use wa_profile::Reachability;

use crate::account::MAX_PREKEYS;
use crate::phone::{read_prekey, read_signed_prekey, write_bundle};
use crate::record::Deviation;
use crate::rules::book::{
    BLOCKLISTS, BLOCKS, DELETIONS, DELETIONS_OLD, DEVICE_LISTS, FOREIGN_REQUESTS, KEY_COUNTS, KEY_DIGESTS,
    KEY_FETCHES, KEY_UPLOADS, PASSIVES, PINGS, PONGS, PREKEY_SIGNATURE, REACHES, REPORTS, ROTATIONS,
    TOO_MANY_PREKEYS, UNKNOWN_REQUEST, UPLOAD_IDENTITY, UPLOAD_REGISTRATION,
};
use crate::rules::{Clause, FOREIGN_NAMESPACES};
use crate::session::from_server;
use crate::stanzas::{IqError, NOT_FOUND, NOT_IMPLEMENTED, Sent, error, iq_error};
use crate::world::{World, remember};

type Answered = Result<Answer, Box<Deviation>>;

/// How a request is answered.
enum Answer {
    /// A result with these inside.
    Result(Vec<Node>),
    /// The request is answered with an error.
    Error(IqError),
    /// It has been.
    Done,
}

impl World {
    pub(crate) fn handle_iq(&mut self, sent: Sent<'_>) -> Result<(), Box<Deviation>> {
        let Sent { id, node, .. } = sent;
        let stanza = node.attr_str("id").unwrap_or_default().to_owned();
        if node.attr_str("type") == Some("result") {
            self.judge(sent, &PONGS)?;
            remember(&mut self.pongs, stanza);
            return Ok(());
        }
        if self.is_withheld(node) {
            return Ok(());
        }
        match self.answer(sent)? {
            Answer::Done => {}
            Answer::Error(with) => self.send(id, &iq_error(&stanza, with)),
            Answer::Result(inside) => {
                let result = iq_answer(&stanza, "result");
                self.send(id, &if inside.is_empty() { result } else { result.with_children(inside) });
            }
        }
        Ok(())
    }

    fn answer(&mut self, sent: Sent<'_>) -> Answered {
        let Sent { id, number, node } = sent;
        let Some(xmlns) = node.attr_str("xmlns") else {
            if node.child("remove").is_some() {
                self.judge(sent, &DELETIONS_OLD)?;
                return Ok(self.delete(sent));
            }
            return Err(unknown(node));
        };
        match xmlns {
            _ if xmlns == self.profile.chat.ping.client_xmlns => {
                self.judge(sent, &PINGS)?;
                Ok(Answer::Result(Vec::new()))
            }
            "encrypt" => self.prekeys(sent),
            "usync" => {
                self.judge(sent, &DEVICE_LISTS)?;
                Ok(Answer::Result(vec![self.devices(node)]))
            }
            "blocklist" => self.blocklist(sent),
            "passive" => {
                self.judge(sent, &PASSIVES)?;
                if node.child("active").is_some() {
                    self.send(id, &iq_answer(node.attr_str("id").unwrap_or_default(), "result"));
                    self.hand_out(id, number, usize::MAX);
                    return Ok(Answer::Done);
                }
                Ok(Answer::Result(Vec::new()))
            }
            _ => self.answer_by_profile(sent, xmlns),
        }
    }

    /// Requests in the namespaces that the profile names, and in those that are no third party's.
    fn answer_by_profile(&mut self, sent: Sent<'_>, xmlns: &str) -> Answered {
        let Sent { number, node, .. } = sent;
        match xmlns {
            _ if xmlns == self.profile.chat.report_xmlns => {
                self.judge(sent, &REPORTS)?;
                remember(&mut self.reports, node.to_string());
                Ok(Answer::Result(Vec::new()))
            }
            _ if xmlns == self.profile.chat.deletion.xmlns => {
                self.judge(sent, &DELETIONS)?;
                named(node, &self.profile.chat.deletion.child, &DELETIONS)?;
                Ok(self.delete(sent))
            }
            _ if self.reachability(xmlns).is_some() => {
                self.judge(sent, &REACHES)?;
                let form = self.reachability(xmlns).cloned().unwrap_or_default();
                named(node, &form.child, &REACHES)?;
                Ok(self.reach(number, node, form.nobody))
            }
            _ if FOREIGN_NAMESPACES.contains(&xmlns) => {
                self.judge(sent, &FOREIGN_REQUESTS)?;
                // Properties are asked for at each login; there are none.
                let is_properties = xmlns == "abt" || node.child("props").is_some();
                let properties =
                    vec![Node::new("props").with_attr("hash", "").with_attr("refresh", 86_400_u64)];
                Ok(if is_properties { Answer::Result(properties) } else { Answer::Error(NOT_IMPLEMENTED) })
            }
            _ => Err(unknown(node)),
        }
    }

    fn delete(&mut self, sent: Sent<'_>) -> Answer {
        self.send(sent.id, &iq_answer(sent.node.attr_str("id").unwrap_or_default(), "result"));
        self.unenlist(sent.number);
        Answer::Done
    }

    /// Whether a node, or one in it, names a phone about which nothing is answered.
    fn is_withheld(&self, node: &Node) -> bool {
        let jid = node.attr("jid").and_then(wa_binary::AttrValue::to_jid);
        let phone = jid.and_then(|jid| self.phones.get(&*jid.user()?));
        phone.is_some_and(|phone| phone.manners.withheld)
            || node.children().iter().any(|child| self.is_withheld(child))
    }

    fn prekeys(&mut self, sent: Sent<'_>) -> Answered {
        let Sent { number, node, .. } = sent;
        let is_get = node.attr_str("type") == Some("get");
        let has = |tag| node.child(tag).is_some();
        Ok(Answer::Result(match () {
            () if is_get && has("count") => {
                self.judge(sent, &KEY_COUNTS)?;
                let left = self.accounts.get(&number).map_or(0, |account| account.prekeys.len());
                vec![Node::new("count").with_attr("value", u64::try_from(left).unwrap_or(u64::MAX))]
            }
            () if is_get && has("digest") => {
                self.judge(sent, &KEY_DIGESTS)?;
                self.digest(number)
            }
            () if is_get => {
                self.judge(sent, &KEY_FETCHES)?;
                vec![self.fetch(node)]
            }
            () if has("rotate") => {
                self.judge(sent, &ROTATIONS)?;
                self.rotate(number, node)?;
                Vec::new()
            }
            () => {
                self.judge(sent, &KEY_UPLOADS)?;
                self.upload(number, node)?;
                Vec::new()
            }
        }))
    }

    /// Which keys of an account the server has.
    fn digest(&self, number: u64) -> Vec<Node> {
        let Some(account) = self.accounts.get(&number) else { return Vec::new() };
        let id =
            |id: u32| Node::new("id").with_bytes(id.to_be_bytes().into_iter().skip(1).collect::<Vec<_>>());
        let bundle = wa_signal::Bundle {
            registration_id: account.registration_id,
            identity: account.identity,
            signed_prekey: account.signed_prekey.clone(),
            one_time_prekey: None,
        };
        let list =
            Node::new("list").with_children(account.prekeys.keys().map(|key| id(*key)).collect::<Vec<_>>());
        vec![Node::new("digest").with_children(write_bundle(&bundle, true)).with_child(list)]
    }

    fn rotate(&mut self, number: u64, node: &Node) -> Result<(), Box<Deviation>> {
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        let skey = node.child("rotate").and_then(|rotate| rotate.child("skey"));
        let signed = skey.and_then(read_signed_prekey);
        let signed =
            signed.filter(|it| account.identity.verify(&it.key.to_prefixed(), &it.signature).is_ok());
        let path = ["rotate", "skey", "signature"];
        account.signed_prekey =
            signed.ok_or_else(|| Deviation::at(&PREKEY_SIGNATURE, node, &path, "does not verify"))?;
        Ok(())
    }

    /// The devices of users; one that is not known has none.
    fn devices(&self, node: &Node) -> Node {
        let users = node.child("usync").and_then(|usync| usync.child("list")).map(Node::children);
        let users = users.unwrap_or_default().iter().filter_map(|user| user.attr("jid")?.to_jid());
        let list = users.map(|jid| {
            let phone = self.phones.get(&*jid.user().unwrap_or_default());
            let numbers = phone.map(|phone| phone.devices.keys().chain(&phone.hollow)).into_iter().flatten();
            // Companions have their place in the account's list of keys; public clients pass over those without.
            let devices = numbers.map(|&number| {
                let index = (number > 0).then(|| u32::from(number));
                Node::new("device").with_attr("id", u32::from(number)).with_attr_opt("key-index", index)
            });
            let devices = Node::new("device-list").with_children(devices);
            Node::new("user").with_attr("jid", &jid).with_child(Node::new("devices").with_child(devices))
        });
        Node::new("usync").with_child(Node::new("list").with_children(list.collect::<Vec<_>>()))
    }

    fn blocklist(&mut self, sent: Sent<'_>) -> Answered {
        let Sent { number, node, .. } = sent;
        let is_get = node.attr_str("type") == Some("get");
        self.judge(sent, if is_get { &BLOCKLISTS } else { &BLOCKS })?;
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(Answer::Result(Vec::new())) };
        if let Some(item) = node.child("item") {
            let jid = item.attr("jid").and_then(wa_binary::AttrValue::to_jid).map(|jid| jid.to_string());
            match item.attr_str("action") {
                Some("block") => account.blocked.extend(jid),
                _ => account.blocked.retain(|blocked| jid.as_ref() != Some(blocked)),
            }
        }
        let jids = account.blocked.iter().filter_map(|jid| jid.parse::<Jid>().ok());
        let items = jids.map(|jid| Node::new("item").with_attr("jid", jid));
        Ok(Answer::Result(vec![Node::new("list").with_children(items.collect::<Vec<_>>())]))
    }

    fn reachability(&self, xmlns: &str) -> Option<&Reachability> {
        self.profile.chat.reachability.as_ref().filter(|form| form.xmlns == xmlns)
    }

    /// A user pings a WhatsApp user, who is told in the form that WhatsApp's own users get (observed).
    fn reach(&mut self, number: u64, node: &Node, nobody: u16) -> Answer {
        let user = node.children().first().and_then(|it| it.child("user")?.attr("jid")?.to_jid());
        let phone = user.and_then(|jid| self.phones.get_mut(&*jid.user()?));
        let (Some(phone), Some(account)) = (phone, self.accounts.get(&number)) else {
            return Answer::Error((nobody, "item-not-found"));
        };
        let by = Node::new("integrator").with_attr("id", u32::from(account.integrator));
        let ping = Node::new("ping").with_attr("display_name", &*account.identifier).with_child(by);
        let told = from_server("notification").with_attr("type", "w:interop").with_attr("t", self.now);
        phone.reached(&account.login, &told.with_child(ping));
        Answer::Result(Vec::new())
    }

    fn upload(&mut self, number: u64, node: &Node) -> Result<(), Box<Deviation>> {
        let refused = |clause: &'static Clause, path: &[&str], what: &str| {
            Err(Box::new(Deviation::at(clause, node, path, what)))
        };
        let Some(account) = self.accounts.get_mut(&number) else { return Ok(()) };
        let bytes = |name| node.child(name).and_then(Node::bytes).unwrap_or_default();
        if bytes("type") != [5] {
            return refused(&UPLOAD_IDENTITY, &["type"], "is not 5");
        }
        if bytes("identity") != account.identity.as_bytes() {
            return refused(&UPLOAD_IDENTITY, &["identity"], "is another than the enlisted one");
        }
        if bytes("registration") != account.registration_id.to_be_bytes() {
            return refused(&UPLOAD_REGISTRATION, &["registration"], "is another than the enlisted one");
        }
        let signed = node.child("skey").and_then(read_signed_prekey);
        let signed =
            signed.filter(|it| account.identity.verify(&it.key.to_prefixed(), &it.signature).is_ok());
        let Some(signed) = signed else {
            return refused(&PREKEY_SIGNATURE, &["skey", "signature"], "does not verify");
        };
        let list = node.child("list").map(Node::children).unwrap_or_default();
        if account.prekeys.len() + list.len() > MAX_PREKEYS {
            return refused(&TOO_MANY_PREKEYS, &["list"], "has more than there is room for");
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
                None => user.with_child(error(NOT_FOUND)),
            }
        });
        Node::new("list").with_children(users.collect::<Vec<_>>())
    }
}

pub(crate) fn iq_answer(id: &str, kind: &'static str) -> Node {
    from_server("iq").with_attr("id", id).with_attr("type", kind)
}

fn unknown(node: &Node) -> Box<Deviation> {
    let deviation = Deviation::at(&UNKNOWN_REQUEST, node, &[], "has an unknown xmlns or type");
    Box::new(deviation.of_attribute("xmlns"))
}

/// The one child of a request is the one that the profile names.
fn named(node: &Node, child: &str, clause: &'static Clause) -> Result<(), Box<Deviation>> {
    if node.child(child).is_some() {
        return Ok(());
    }
    let mut deviation = Deviation::at(clause, node, &[], format!("holds no {child}"));
    deviation.finding.mend = format!("must contain <{child}>");
    Err(Box::new(deviation))
}
