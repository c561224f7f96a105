//! The conversation as its user sees it: lines in, lines out, each message with its number and its ticks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use indicatif::HumanBytes;
use rand::RngExt;
use wa_interop::binary::Jid;
use wa_interop::chat::{
    Content, DisconnectReason, Event, Mark, Media, MessageId, Reply, Report, ReportedMessage, Status, Target,
    Text, Typing,
};
use wa_interop::{Client, ClientError};

use super::ChatFailure;
use super::files::{Files, free_path};
use super::line::{HELP, Line};

/// One conversation as the terminal shows it.
pub(super) struct Conversation {
    client: Client,
    files: Files,
    to: Jid,
    /// The peer's last file.
    last_file: Option<Box<Media>>,
    /// The peer's last message.
    last: Option<Received>,
    /// Own messages: their number on the screen, by id.
    numbers: BTreeMap<MessageId, u64>,
    last_own: Option<MessageId>,
    /// Makes ids of this run differ from those of others.
    run: u64,
    is_typing: bool,
}

struct Received {
    id: MessageId,
    timestamp: u64,
    content: Content,
}

impl Conversation {
    pub(super) fn new(client: Client, files: Files, to: Jid) -> Self {
        Self {
            client,
            files,
            to,
            last_file: None,
            last: None,
            numbers: BTreeMap::new(),
            last_own: None,
            run: rand::rng().random(),
            is_typing: false,
        }
    }

    pub(super) fn greet(&self) {
        say(DIM, &format!("chat with {}; /help lists what you can do", self.to));
    }

    /// Does what was typed; `false` to leave.
    pub(super) async fn handle_line(&mut self, line: &str) -> Result<bool, ChatFailure> {
        match Line::parse(line) {
            Line::Quit => return Ok(false),
            Line::Empty => {}
            Line::Help => HELP.lines().for_each(|line| say(DIM, line)),
            Line::Unknown(line) => say(DIM, &format!("there is no command {line:?}; /help lists them")),
            Line::Text(text) => self.send(Content::text(text)).await?,
            Line::Edit(_) | Line::Revoke => self.change(Line::parse(line)).await?,
            Line::Reply(_) | Line::React(_) | Line::Report => self.answer(Line::parse(line)).await?,
            Line::Send(path) => self.send_file(&path).await?,
            Line::Save(path) => self.save_file(path).await,
            Line::Block => self.told(self.client.block(self.to.clone()).await, "blocked"),
            Line::Unblock => self.told(self.client.unblock(self.to.clone()).await, "not blocked any more"),
            Line::Verify => self.verify().await?,
            Line::Blocklist => match self.client.blocklist().await {
                Ok(blocked) if blocked.is_empty() => say(DIM, "nobody is blocked"),
                Ok(blocked) => blocked.iter().for_each(|jid| say(DIM, &jid.to_string())),
                Err(error) => say(RED, &error.to_string()),
            },
        }
        Ok(true)
    }

    pub(super) async fn handle_event(&mut self, event: Event) -> Result<(), ChatFailure> {
        let id = event.id();
        match event {
            Event::Message { from, id, timestamp, content, .. } => {
                self.receive(from, Received { id, timestamp, content }).await?;
            }
            Event::Receipt { ids, status, .. } => self.tick(&ids, status),
            Event::Typing { from, typing, .. } if from == self.to => self.show_typing(typing),
            event => {
                if let Some((style, words)) = self.notice(event) {
                    say(style, &words);
                }
            }
        }
        if let Some(id) = id {
            self.client.confirm(id).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, from: Jid, received: Received) -> Result<(), ChatFailure> {
        self.is_typing = false;
        self.show(&from, &received.content);
        // What changes another message is not read by itself.
        if !matches!(
            received.content,
            Content::Reaction { .. } | Content::Edit { .. } | Content::Revoke { .. }
        ) {
            self.client.mark(from.clone(), vec![received.id.clone()], Mark::Read).await?;
        }
        if from == self.to {
            if let Content::Media(media) = &received.content {
                self.last_file = Some(media.clone());
            }
            self.last = Some(received);
        }
        Ok(())
    }

    /// What a person is told of anything else.
    #[expect(clippy::too_many_lines, reason = "one arm a kind")]
    fn notice(&self, event: Event) -> Option<(Style, String)> {
        let number = |id: &MessageId| self.numbers.get(id).copied().unwrap_or_default();
        Some(match event {
            Event::Connected => (DIM, "connected".to_owned()),
            Event::Disconnected(DisconnectReason::Closed) => return None,
            Event::Disconnected(reason) => (DIM, format!("disconnected: {reason}")),
            Event::IdentityChanged { peer, .. } => {
                (YELLOW, format!("{peer} has a new identity key: /verify it if it matters"))
            }
            // Whom one writes to for the first time is no news.
            Event::DevicesChanged { is_first: true, .. } => return None,
            Event::DevicesChanged { peer, added, removed, .. } => {
                let (more, less) = (added.len(), removed.len());
                (YELLOW, format!("{peer} has other devices than before ({more} more, {less} fewer)"))
            }
            Event::Rejected { id, code, .. } => (RED, format!("[{}] refused (code {code})", number(&id))),
            Event::Undecryptable { from, asked: Some(_), .. } => {
                (DIM, format!("waiting for a message of {from}"))
            }
            Event::Undecryptable { from, why, .. } => (RED, format!("a message of {from} is lost: {why}")),
            Event::NoSession { peer, why, .. } => (RED, format!("no keys of {peer}: {why}")),
            Event::MailboxWaits { messages: 0, .. } | Event::MailboxEmpty { .. } => return None,
            Event::MailboxWaits { messages, .. } => (DIM, format!("{messages} messages wait")),
            Event::SameUser { peer, other, .. } => (YELLOW, format!("{other} is {peer}, says the server")),
            Event::Reached { from, display_name, .. } => {
                (DIM, format!("{from} {} can be written to now", display_name.unwrap_or_default()))
            }
            Event::Expired { id, .. } => {
                (RED, format!("[{}] was not sent in 30 days and is given up", number(&id)))
            }
            Event::Refused { from, stanza, why, .. } => {
                (RED, format!("a {stanza} of {from} cannot be read: {why}"))
            }
            Event::Malformed(what) => (RED, format!("the server said something that cannot be read: {what}")),
            Event::Unreadable { .. } => {
                (RED, "something in the store cannot be read, and is lost".to_owned())
            }
            Event::StoreStalled(error) => (RED, format!("the store cannot be written to: {error}")),
            Event::Dropped { events, .. } => (DIM, format!("{events} signs of life were passed over")),
            Event::Typing { .. } | Event::Answered { .. } => return None,
            Event::Notification { from, node, .. } => {
                let what = node.attr_str("type").unwrap_or("unknown");
                (DIM, format!("something about {from} has changed ({what})"))
            }
            _ => (DIM, "something happened that this version does not know".to_owned()),
        })
    }

    /// What was typed stays; the connection ends.
    pub(super) async fn leave(self) -> Result<(), ChatFailure> {
        self.client.disconnect().await?;
        self.client.close().await;
        Ok(())
    }

    /// Shows the safety number, twelve groups of five digits.
    async fn verify(&self) -> Result<(), ChatFailure> {
        let Some(number) = self.client.safety_number(self.to.clone()).await? else {
            say(DIM, "nothing is known of them yet: send something first");
            return Ok(());
        };
        let digits: Vec<char> = number.to_string().chars().collect();
        let groups: Vec<String> = digits.chunks(5).map(|group| group.iter().collect()).collect();
        let devices = self.client.identities(self.to.clone()).await?.len();
        say(DIM, &format!("compare with what {} shows ({devices} devices):", self.to));
        groups.chunks(4).for_each(|line| say(DIM, &format!("  {}", line.join(" "))));
        Ok(())
    }

    async fn send(&mut self, content: Content) -> Result<(), ChatFailure> {
        let number = u64::try_from(self.numbers.len()).unwrap_or(u64::MAX) + 1;
        let id = MessageId(format!("WA{:016X}{number:04X}", self.run));
        let is_text = matches!(content, Content::Text(_));
        self.client.send(self.to.clone(), id.clone(), content).await?;
        say(DIM, &format!("[{number}] \u{2022}"));
        if is_text {
            self.last_own = Some(id.clone());
        }
        self.numbers.insert(id, number);
        Ok(())
    }

    async fn send_file(&mut self, path: &Path) -> Result<(), ChatFailure> {
        match self.files.send(path).await {
            Ok(Some(content)) => self.send(content).await,
            Ok(None) => {
                say(DIM, "files need a server to lie on: --media-url and --credential-command");
                Ok(())
            }
            Err(error) => {
                say(RED, &format!("{}: {error}", path.display()));
                Ok(())
            }
        }
    }

    async fn save_file(&self, path: Option<PathBuf>) {
        let Some(media) = &self.last_file else { return say(DIM, "there is no file yet") };
        let path = path.unwrap_or_else(|| free_path(media));
        match self.files.save(media, &path).await {
            Ok(()) => say(DIM, &format!("saved as {}", path.display())),
            Err(error) => say(RED, &format!("{}: {error}", path.display())),
        }
    }

    /// Changes one's own last message.
    async fn change(&mut self, line: Line) -> Result<(), ChatFailure> {
        let Some(id) = self.last_own.clone() else {
            say(DIM, "you have written nothing yet");
            return Ok(());
        };
        match line {
            Line::Edit(text) => self.send(Content::Edit { id, text: Text::from(text) }).await,
            _ => {
                self.last_own = None;
                self.send(Content::Revoke { id }).await
            }
        }
    }

    /// Does something about the peer's last message.
    async fn answer(&mut self, line: Line) -> Result<(), ChatFailure> {
        let Some(Received { id, timestamp, content }) = &self.last else {
            say(DIM, "there is no message yet");
            return Ok(());
        };
        let encoded = content.encode(&self.to, *timestamp);
        let content = match line {
            Line::Reply(text) => {
                let reply = Reply { id: id.clone(), author: self.to.clone(), quoted: encoded };
                Content::Text(Text { reply: Some(reply), ..Text::from(text) })
            }
            Line::React(emoji) => {
                Content::Reaction { target: Target { id: id.clone(), by_sender: false }, emoji }
            }
            _ => {
                let message = ReportedMessage { id: id.0.as_str().into(), t: *timestamp, content: encoded };
                let report =
                    Report { flow: "MessageMenu".into(), jid: self.to.clone(), messages: vec![message] };
                self.told(self.client.report(report).await, "reported");
                return Ok(());
            }
        };
        self.send(content).await
    }

    fn told(&self, done: Result<(), ClientError>, what: &str) {
        match done {
            Ok(()) => say(DIM, &format!("{} is {what}", self.to)),
            Err(error) => say(RED, &error.to_string()),
        }
    }

    fn show(&self, from: &Jid, content: &Content) {
        let what = match content {
            Content::Text(text) if text.reply.is_some() => format!("(in reply) {}", text.body),
            Content::Text(text) => text.body.clone(),
            Content::Reaction { emoji, .. } if emoji.is_empty() => "(takes a reaction back)".to_owned(),
            Content::Reaction { emoji, .. } => format!("(reacts) {emoji}"),
            Content::Edit { text, .. } => format!("(corrects) {}", text.body),
            Content::Revoke { .. } => "(takes a message back)".to_owned(),
            Content::Media(media) => described(media),
            _ => "(something that is not shown here)".to_owned(),
        };
        let (from, what) = (harmless(&from.to_string()), harmless(&what));
        anstream::println!("{CYAN}{from}{CYAN:#} {what}");
    }

    fn tick(&self, ids: &[MessageId], status: Status) {
        let ticks = match status {
            Status::Sent => "\u{2713} sent",
            Status::Delivered => "\u{2713}\u{2713} delivered",
            Status::Read => "\u{2713}\u{2713} read",
            Status::Played => "\u{2713}\u{2713} played",
            _ => "media not available",
        };
        for number in ids.iter().filter_map(|id| self.numbers.get(id)) {
            say(DIM, &format!("[{number}] {ticks}"));
        }
    }

    fn show_typing(&mut self, typing: Typing) {
        let what = match typing {
            Typing::Composing => "is typing\u{2026}",
            Typing::Recording => "is recording\u{2026}",
            _ => {
                self.is_typing = false;
                return;
            }
        };
        if !self.is_typing {
            self.is_typing = true;
            say(DIM, &format!("{} {what}", self.to));
        }
    }
}

/// A file in one line, and how to have it.
fn described(media: &Media) -> String {
    let name = media.file_name.as_deref().or(media.caption.as_deref()).unwrap_or_default();
    let size = media.width.zip(media.height).map(|(width, height)| format!(", {width} x {height}"));
    let length = media.seconds.map(|seconds| format!(", {}:{:02}", seconds / 60, seconds % 60));
    let details = size.unwrap_or_default() + &length.unwrap_or_default();
    let (kind, bytes) = (media.kind.as_str(), HumanBytes(media.file.length));
    format!("({kind}, {bytes}{details}; /save) {name}")
}

/// Writes one line.
fn say(style: Style, text: &str) {
    anstream::println!("{style}{}{style:#}", harmless(text));
}

/// A text without what a terminal obeys: addresses, names and reasons are the server's or the peer's.
fn harmless(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).collect()
}

const DIM: Style = Style::new().dimmed();
const RED: Style = AnsiColor::Red.on_default();
const YELLOW: Style = AnsiColor::Yellow.on_default();
const CYAN: Style = AnsiColor::Cyan.on_default().bold();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_shown_moves_the_cursor_or_begins_a_line() {
        let from: Jid = "1\u{1b}[2J@lid".parse().unwrap();
        assert_eq!(
            harmless(&format!("{from} can be written to\r\n> now\u{9b}1m")),
            "1[2J@lid can be written to> now1m"
        );
        assert_eq!(harmless("J\u{f6}rg \u{2713}"), "J\u{f6}rg \u{2713}");
    }
}
