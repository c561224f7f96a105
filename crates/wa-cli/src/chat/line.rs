//! What a user types: a text, or a command that begins with a slash.

use std::path::PathBuf;

/// One line of input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// To be sent.
    Text(String),
    /// In reply to the peer's last message.
    Reply(String),
    /// A reaction to the peer's last message; empty takes it back.
    React(String),
    /// New text for one's own last message.
    Edit(String),
    /// One's own last message is taken back.
    Revoke,
    /// A file to be sent.
    Send(PathBuf),
    /// The peer's last file, to be saved; none for a name of its own.
    Save(Option<PathBuf>),
    Block,
    Unblock,
    Blocklist,
    /// What the two may compare to know that nobody stands between them.
    Verify,
    /// The peer's last message goes to WhatsApp.
    Report,
    Help,
    Quit,
    /// Nothing was typed.
    Empty,
    /// A command that there is not, or without what it needs.
    Unknown(String),
}

/// What `/help` shows.
pub(super) const HELP: &str = "\
  TEXT            send it
  /reply TEXT     answer the last message
  /react EMOJI    react to the last message; without an emoji, take the reaction back
  /edit TEXT      change your last message
  /revoke         take your last message back
  /send PATH      send a file
  /save [PATH]    save the last file
  /block, /unblock, /blocklist
  /verify         show the safety number, to compare with the other side
  /report         report the last message to WhatsApp
  /quit           leave (or end the input)
  //TEXT          send a text that begins with a slash";

impl Line {
    pub(super) fn parse(line: &str) -> Self {
        let line = line.trim_end();
        let Some(command) = line.strip_prefix('/') else {
            return if line.is_empty() { Self::Empty } else { Self::Text(line.to_owned()) };
        };
        if command.starts_with('/') {
            return Self::Text(command.to_owned());
        }
        let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
        let rest = rest.trim();
        match (name, rest.is_empty()) {
            ("reply", false) => Self::Reply(rest.to_owned()),
            ("react", _) => Self::React(rest.to_owned()),
            ("edit", false) => Self::Edit(rest.to_owned()),
            ("revoke", true) => Self::Revoke,
            ("send", false) => Self::Send(rest.into()),
            ("save", _) => Self::Save(Some(rest).filter(|path| !path.is_empty()).map(Into::into)),
            ("block", true) => Self::Block,
            ("unblock", true) => Self::Unblock,
            ("blocklist", true) => Self::Blocklist,
            ("verify", true) => Self::Verify,
            ("report", true) => Self::Report,
            ("help", true) => Self::Help,
            ("quit" | "exit", true) => Self::Quit,
            _ => Self::Unknown(line.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (line, expected) in [
            ("hello /there", Line::Text("hello /there".into())),
            ("//home", Line::Text("/home".into())),
            ("   ", Line::Empty),
            ("", Line::Empty),
            ("/reply  yes, do ", Line::Reply("yes, do".into())),
            ("/reply", Line::Unknown("/reply".into())),
            ("/react \u{1F44D}", Line::React("\u{1F44D}".into())),
            ("/react", Line::React(String::new())),
            ("/edit new", Line::Edit("new".into())),
            ("/revoke", Line::Revoke),
            ("/revoke that", Line::Unknown("/revoke that".into())),
            ("/send /tmp/a picture.jpg", Line::Send("/tmp/a picture.jpg".into())),
            ("/send", Line::Unknown("/send".into())),
            ("/save", Line::Save(None)),
            ("/save here.jpg", Line::Save(Some("here.jpg".into()))),
            ("/block", Line::Block),
            ("/quit", Line::Quit),
            ("/dance", Line::Unknown("/dance".into())),
        ] {
            assert_eq!(Line::parse(line), expected, "{line:?}");
        }
    }

    #[test]
    fn every_command_is_in_the_help() {
        for name in [
            "reply",
            "react",
            "edit",
            "revoke",
            "send",
            "save",
            "block",
            "unblock",
            "blocklist",
            "report",
            "quit",
        ] {
            assert!(HELP.contains(&format!("/{name}")), "{name}");
        }
    }
}
