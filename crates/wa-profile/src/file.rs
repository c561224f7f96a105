//! A profile as a file: TOML, in which what is left out is as in the reference offer 1.0.3.
//!
//! A table for each part (`[chat]`, `[chat.ping]`, ...), keys named like the fields. Values of enums are written in small
//! letters with hyphens (`delivery-and-read`), durations with their unit (`"30s"`, `"24h"`, `"7d"`), ranges as a pair of
//! the least and the most, and an `Option` that is empty as `false`. What is no field is refused.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use toml::de::DeTable;

use crate::Profile;

mod rules;
pub(crate) mod values;

pub(crate) use self::values::{duration, durations, numbers, optional};

/// The text of a profile is wrong, and so the fault of its author.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}{}{key}: {message}", if .key.is_empty() { "" } else { ", " })]
pub struct ProfileTextError {
    /// The line, from 1.
    pub line: usize,
    /// The field, as `chat.ping.interval`; empty where the text is not TOML.
    pub key: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// Why there is no profile of this name or at this path; the fault is the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProfileFileError {
    /// It is not the name of a document, and the operating system did not let it be read as a file.
    #[error("{} is neither a document (overview, 1.0.3) nor a file that can be read: {}", .path.display(), said(*.kind))]
    Read {
        /// The file that cannot be read.
        path: PathBuf,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// The file holds no profile.
    #[error("{}, {error}", .path.display())]
    Text {
        /// The file that cannot be used.
        path: PathBuf,
        /// What is wrong with it.
        error: ProfileTextError,
    },
}

impl Profile {
    /// The profile of a document by its name (`overview`, `1.0.3`), or the one in the TOML file at this path.
    ///
    /// # Errors
    /// [`ProfileFileError`].
    pub fn open(name_or_path: &str) -> Result<Self, ProfileFileError> {
        if let Some(profile) = Self::from_document(name_or_path) {
            return Ok(profile);
        }
        let path = Path::new(name_or_path).to_owned();
        match fs::read_to_string(&path) {
            Ok(text) => Self::from_toml(&text).map_err(|error| ProfileFileError::Text { path, error }),
            Err(error) => Err(ProfileFileError::Read { path, kind: error.kind() }),
        }
    }

    /// The profile that a TOML text says, over the reference offer 1.0.3.
    ///
    /// # Errors
    /// [`ProfileTextError`], for the first thing that is wrong.
    pub fn from_toml(text: &str) -> Result<Self, ProfileTextError> {
        let refused = |key: String, error: &toml::de::Error| ProfileTextError {
            line: line(text, error.span().map_or(0, |span| span.start)),
            key,
            message: sentence(error.message()),
        };
        let deserializer = toml::Deserializer::parse(text).map_err(|error| refused(String::new(), &error))?;
        let profile: Self = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| refused(error.path().to_string(), error.inner()))?;
        match rules::broken(&profile) {
            None => Ok(profile),
            Some((key, message)) => Err(ProfileTextError {
                line: line(text, offset(text, key)),
                key: key.to_owned(),
                message: message.to_owned(),
            }),
        }
    }

    /// The whole profile as TOML, from which [`from_toml`](Self::from_toml) makes an equal one. Of durations the whole seconds
    /// are written.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Only values that TOML cannot write fail, and a profile has none.
        toml::to_string(self).unwrap_or_default()
    }
}

fn said(kind: io::ErrorKind) -> String {
    match kind {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        other => other.to_string(),
    }
}

/// What the parser says, in one line and without the names of Rust's numbers.
fn sentence(message: &str) -> String {
    let mut sentence = message.trim_end().replace('\n', ", ");
    for (number, range) in NUMBERS {
        if let Some(front) = sentence.strip_suffix(number) {
            sentence = format!("{front}{range}");
        }
    }
    sentence
}

const NUMBERS: [(&str, &str); 4] =
    [(" u8", " 0 to 255"), (" u16", " 0 to 65535"), (" u32", " 0 to 4294967295"), (" usize", " 0 or more")];

/// The line at an offset, from 1.
fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or_default().matches('\n').count() + 1
}

/// Where a key's value begins, or the innermost table of it that the text has.
fn offset(text: &str, key: &str) -> usize {
    let Ok(document) = DeTable::parse(text) else { return 0 };
    let (mut table, mut offset) = (Some(document.get_ref()), 0);
    for part in key.split('.') {
        let Some(value) = table.and_then(|table| table.get(part)) else { break };
        offset = value.span().start;
        table = value.get_ref().as_table();
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Receipts, VersionAtLogin};

    fn refused(text: &str) -> String {
        Profile::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn every_document_reads_back_equal() {
        for profile in [Profile::overview(), Profile::reference_offer_1_0_3()] {
            let text = profile.to_toml();
            assert_eq!(Profile::from_toml(&text).as_ref(), Ok(&profile), "{text}");
        }
    }

    #[test]
    fn what_is_left_out_is_the_reference_offers() {
        assert_eq!(Profile::from_toml(""), Ok(Profile::reference_offer_1_0_3()));
        let text = "\
version = \"1.0.4\"
[chat]
host = \"chat.example\"
receipts = \"delivery\"
reachability = false
[chat.login]
version = \"omitted\"
[chat.ping]
interval = [\"90s\", \"2h\"]
[encryption]
padding = [3, 3]
";
        let mut expected = Profile::reference_offer_1_0_3();
        expected.version.tertiary = 4;
        expected.chat.host = "chat.example".to_owned();
        expected.chat.receipts = Receipts::Delivery;
        expected.chat.reachability = None;
        expected.chat.login.version = VersionAtLogin::Omitted;
        expected.chat.ping.interval =
            std::time::Duration::from_secs(90)..=std::time::Duration::from_secs(7200);
        expected.encryption.padding = 3..=3;
        assert_eq!(Profile::from_toml(text), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            (
                "version = \"1.0\"",
                "line 1, version: a protocol version has three parts separated by dots, not 2",
            ),
            (
                "[chat]\nport = 70000",
                "line 2, chat.port: invalid value: integer `70000`, expected 0 to 65535",
            ),
            ("[chat]\n\nport = 0", "line 3, chat.port: a port is 1 to 65535"),
            (
                "[chat]\nreceipts = \"all\"",
                "line 2, chat.receipts: unknown variant `all`, expected `delivery` or `delivery-and-read`",
            ),
            (
                "[chat]\nreachability = true",
                "line 2, chat.reachability: invalid value: boolean `true`, expected `false` or a value",
            ),
            (
                "[chat]\nreachability = { xmlns = \"a\", children = 1 }",
                "line 2, chat.reachability.children: unknown field `children`, expected one of `xmlns`, `child`, `nobody`",
            ),
            (
                "[token]\nlifetime_max = \"1 h\"",
                "line 2, token.lifetime_max: a duration is a whole number and its unit (s, m, h or d), such as 30s",
            ),
            (
                "[token]\nlifetime_max = 30",
                "line 2, token.lifetime_max: invalid type: integer `30`, expected a string",
            ),
            (
                "[encryption]\npadding = [2]",
                "line 2, encryption.padding: invalid length 1, expected a tuple of size 2",
            ),
            (
                "[encryption]\npadding = [0, 15]",
                "line 2, encryption.padding: padding is 1 to 255 bytes, the least before the most",
            ),
            (
                "\n[encryption.one_time_prekeys]\nrefill_at = 100\n",
                "line 3, encryption.one_time_prekeys.refill_at: must be less than refill_to",
            ),
            (
                "\n[encryption.one_time_prekeys]\nrefill_to = 3\n",
                "line 2, encryption.one_time_prekeys.refill_at: must be less than refill_to",
            ),
            ("[chat\n", "line 1: unclosed table, expected `]`"),
            ("[chat]\nport = 1\nport = 2\n", "line 3: duplicate key"),
        ] {
            assert_eq!(refused(text), expected, "{text}");
        }
        let unknown = refused("[chat]\nprot = 1");
        assert!(
            unknown.starts_with("line 2, chat.prot: unknown field `prot`, expected one of `host`, "),
            "{unknown}"
        );
    }

    #[test]
    fn a_name_or_a_path() {
        assert_eq!(Profile::open("overview"), Ok(Profile::overview()));
        assert_eq!(Profile::open("1.0.3"), Ok(Profile::reference_offer_1_0_3()));
        let absent = Profile::open("/nowhere/a.toml").unwrap_err().to_string();
        assert_eq!(
            absent,
            "/nowhere/a.toml is neither a document (overview, 1.0.3) nor a file that can be read: there is no such file"
        );
        let manifest = Profile::open("Cargo.toml").unwrap_err().to_string();
        assert!(
            manifest.starts_with("Cargo.toml, line ") && manifest.contains(": unknown field `"),
            "{manifest}"
        );
    }
}
