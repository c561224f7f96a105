//! The gates of the store contract (docs/ARCHITECTURE.md, "State and durability"), and what breaks each of them.

use crate::sabotage::Sabotage;

const PAIR: &str = "-p wa-conformance --lib pair::";
const CRASH: &str = "-p wa-conformance --test crash";
const DRIVEN: &str = "-p wa-conformance --lib driven::";
const FIXTURE: &str = "-p wa-conformance --lib fixture::";
const MESSENGER: &str = "-p wa-chat --lib messenger::";
const STORE: &str = "-p wa-store";

const QUEUE: &str = "crates/wa-chat/src/messenger/queue.rs";
const CONVERSATION: &str = "crates/wa-chat/src/messenger/conversation.rs";
const RECIPIENTS: &str = "crates/wa-chat/src/messenger/recipients.rs";
const CURSOR: &str = "crates/wa-chat/src/messenger/state/cursor.rs";

pub(super) const GATES: &[Sabotage] = &[
    // Nothing leaves or is shown before its commit.
    Sabotage {
        name: "stanza-before-commit",
        file: QUEUE,
        from: "        self.batch.join(draft);",
        to: "        let mut draft = draft;
        for stanza in std::mem::take(&mut draft.effects.transmits) {
            self.transmit(stanza);
        }
        self.batch.join(draft);",
        tests: &[CRASH, PAIR],
    },
    Sabotage {
        name: "message-before-commit",
        file: QUEUE,
        from: "        self.batch.join(draft);",
        to: "        let mut draft = draft;
        for (_, entry) in std::mem::take(&mut draft.effects.outbox) {
            self.transmits.push(entry.stanza, 0);
        }
        self.batch.join(draft);",
        tests: &[CRASH, PAIR],
    },
    Sabotage {
        name: "event-before-commit",
        file: QUEUE,
        from: "        self.batch.join(draft);",
        to: "        let mut draft = draft;
        for (number, entry) in std::mem::take(&mut draft.effects.inbox) {
            self.events.push(number, entry);
        }
        self.batch.join(draft);",
        tests: &[CRASH, PAIR],
    },
    Sabotage {
        name: "accepted-before-commit",
        file: QUEUE,
        from: "        self.batch.join(draft);",
        to: "        let mut draft = draft;
        self.accepted.extend(std::mem::take(&mut draft.effects.accepted));
        self.batch.join(draft);",
        tests: &[CRASH, PAIR],
    },
    // What a step changes is in its draft.
    Sabotage {
        name: "session-not-written",
        file: CONVERSATION,
        from: "self.draft.put(key, Row::Peer(Box::new(device.session)));",
        to: "drop((key, device.session));",
        tests: &[CRASH],
    },
    Sabotage {
        name: "keys-not-written",
        file: CONVERSATION,
        from: "self.draft.set_until(Key::key_block(&key, id), block, self.keys_until);",
        to: "drop((id, block));",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "counters-not-written",
        file: CONVERSATION,
        from: "        self.draft.put(Key::counters(), Row::Counters(self.counters));\n",
        to: "",
        tests: &[CRASH],
    },
    Sabotage {
        name: "seen-not-written",
        file: CONVERSATION,
        from: "        self.draft.put_until(Key::seen(&self.user, id), Row::Seen, step.now.unix + REMEMBER);\n",
        to: "        let _ = (id, step);\n",
        tests: &[CRASH, FIXTURE],
    },
    Sabotage {
        name: "outbox-not-written",
        file: CONVERSATION,
        from: "    draft.put(Key::outbox(number), Row::Outbox(entry.clone()));\n",
        to: "",
        tests: &[CRASH],
    },
    Sabotage {
        name: "inbox-not-written",
        file: CONVERSATION,
        from: "    draft.put(Key::inbox(number), Row::Inbox(entry.clone()));\n",
        to: "",
        tests: &[CRASH],
    },
    Sabotage {
        name: "identity-not-written",
        file: RECIPIENTS,
        from: "        self.draft.put(key, Row::Identity(identity));\n",
        to: "        drop(key);\n",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "used-prekey-kept",
        file: "crates/wa-chat/src/messenger/steps/message.rs",
        from: "            conversation.draft.delete(Key::prekey(used));\n",
        to: "            let _ = used;\n",
        tests: &[CRASH],
    },
    // What is dealt with goes.
    Sabotage {
        name: "acked-message-kept",
        file: "crates/wa-chat/src/messenger/steps/ack.rs",
        from: "        draft.delete(Key::outbox(number));\n        let what",
        to: "        let what",
        tests: &[CRASH],
    },
    Sabotage {
        name: "confirmed-event-kept",
        file: "crates/wa-chat/src/messenger/steps/command.rs",
        from: "                draft.delete(Key::inbox(event.0));\n",
        to: "                draft.expire(&Key::inbox(event.0), 0);\n",
        tests: &[CRASH],
    },
    Sabotage {
        name: "deleted-account-kept",
        file: "crates/wa-chat/src/messenger/steps/ask.rs",
        from: "matches!((ask, &answer), (Ask::DeleteAccount, Ok(_)))",
        to: "false",
        tests: &[DRIVEN],
    },
    // Logs are read in their order, from their start.
    Sabotage {
        name: "live-rows-overtake-pages",
        file: CURSOR,
        from: "        let is_at_end = self.next == Some(self.end);",
        to: "        let is_at_end = self.next.is_some();",
        tests: &[MESSENGER, CRASH],
    },
    Sabotage {
        name: "page-from-before-a-restart",
        file: CURSOR,
        from: "if page.epoch != self.epoch || self.next != Some(page.from) {",
        to: "if self.next.is_none() {",
        tests: &[MESSENGER, CRASH],
    },
    Sabotage {
        name: "overtaken-page-taken",
        file: "crates/wa-chat/src/messenger/state/view.rs",
        from: "!matches!(self, Self::Row(_)) && draft.writes.range(from..to).next().is_some()",
        to: "draft.writes.range(from..to).next().is_some() && false",
        tests: &[MESSENGER, CRASH],
    },
    // Nothing stalls, and answers come in their order.
    Sabotage {
        name: "unwritten-batch-held",
        file: QUEUE,
        from: "let is_unwritten = self.in_flight.is_none() && !self.batch.is_empty() && self.batch.is_unwritten();",
        to: "let is_unwritten = false;",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "ack-before-retry",
        file: "crates/wa-chat/src/messenger/state/draft.rs",
        from: "        self.effects.transmits.extend(receipt.map(Stanza::from));\n        self.transmit(ack);",
        to: "        self.transmit(ack);\n        self.effects.transmits.extend(receipt.map(Stanza::from));",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "dial-goes-on",
        file: "crates/wa-client/src/driver.rs",
        from: "        if let Line::Dialing { .. } = self.line {",
        to: "        if false {",
        tests: &[DRIVEN],
    },
    Sabotage {
        name: "store-not-asked-again",
        file: "crates/wa-client/src/driver.rs",
        from: "                self.run_transaction(STORE_RETRY);\n",
        to: "",
        tests: &[DRIVEN],
    },
    // Copies, and other processes.
    Sabotage {
        name: "restored-chain-used",
        file: "crates/wa-chat/src/restoration.rs",
        from: "            session.receive_only();\n            session.archive_current();\n",
        to: "",
        tests: &[PAIR],
    },
    Sabotage {
        name: "fence-down",
        file: "crates/wa-store/src/writer.rs",
        from: "        Some(epoch) if epoch == job.epoch => Ok(()),",
        to: "        Some(_) => Ok(()),",
        tests: &[STORE],
    },
    // Nobody joins in silence (docs/SECURITY-MODEL.md, "Who may read a message").
    Sabotage {
        name: "used-before-told",
        file: RECIPIENTS,
        from: "if step.announcing.contains_key(&self.user) || self.draft.announces.is_some() {",
        to: "if false {",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "delivered-again",
        file: "crates/wa-chat/src/messenger/steps/retry.rs",
        from: "!dispatch.is_delivered && dispatch.times",
        to: "dispatch.times",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "stranger-asks",
        file: "crates/wa-chat/src/messenger/steps/retry.rs",
        from: "!conversation.is_recipient(device) || !may_resend",
        to: "!may_resend",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "any-key-accepted",
        file: RECIPIENTS,
        from: "identity.key == *key && identity.is_held",
        to: "identity.is_held",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "old-identity-back",
        file: RECIPIENTS,
        from: "self.identity(address).map_or(Trust::Any, |identity| Trust::Newest(identity.key))",
        to: "self.identity(address).map_or(Trust::Any, |_| Trust::Any)",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "writer-becomes-reader",
        file: RECIPIENTS,
        from: "        device == 0 || self.devices",
        to: "        device == 0 || self.loaded.len() > 1 || self.devices",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "two-addresses-in-silence",
        file: "crates/wa-chat/src/messenger/names.rs",
        from: "        self.announce_again(step.policy == IdentityPolicy::Hold, Standing::Told);\n",
        to: "",
        tests: &[MESSENGER],
    },
    // What waits is overtaken by nothing, and the mailbox ends behind what was in it.
    Sabotage {
        name: "overtaken-after-a-clock",
        file: "crates/wa-chat/src/messenger/steps/command.rs",
        from: "if is_behind && !has_sent {",
        to: "if is_behind && has_sent {",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "mailbox-ends-too-early",
        file: "crates/wa-chat/src/messenger/link.rs",
        from: "self.mailbox_end.take_if(|_| !is_behind)?",
        to: "self.mailbox_end.take_if(|_| !is_behind || self.link.is_some())?",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "drained-unconfirmed",
        file: "crates/wa-chat/src/messenger/state/events.rs",
        from: " && self.unconfirmed.is_empty()",
        to: "",
        tests: &[MESSENGER],
    },
    Sabotage {
        name: "stale-count-believed",
        file: "crates/wa-chat/src/messenger/steps/notification.rs",
        from: "self.doubt_prekeys(*value),",
        to: "self.look_after_prekeys(*value)?,",
        tests: &[MESSENGER],
    },
];
