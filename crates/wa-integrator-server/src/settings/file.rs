//! The file of settings: TOML 1.0, whatever it holds besides is refused (overview §1.3).

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;
use wa_http_server::SystemError;

use super::Settings;

/// Why a file of settings is refused; the configuration's fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsFileError {
    /// The operating system refused it.
    #[error("{path} cannot be read: {reason}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: SystemError,
    },
    /// It is not TOML.
    #[error("{path}, line {line}: {message}", path = .path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// It holds what is no setting, or a setting that cannot be.
    #[error("{path}, line {line}, {key}: {message}", path = .path.display())]
    Setting {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The table, and the setting in it.
        key: String,
        /// What is allowed.
        message: String,
    },
}

/// Reads the file at `path`.
pub(super) fn read(path: &Path) -> Result<Settings, SettingsFileError> {
    let content = fs::read_to_string(path)
        .map_err(|error| SettingsFileError::Io { path: path.to_owned(), reason: (&error).into() })?;
    parse(&content, path)
}

/// Reads settings from the content of the file at `path`.
pub(super) fn parse(content: &str, path: &Path) -> Result<Settings, SettingsFileError> {
    let form = |error: toml::de::Error| SettingsFileError::Form {
        path: path.to_owned(),
        line: line(content, &error),
        message: sentence(&error),
    };
    let deserializer = toml::Deserializer::parse(content).map_err(form)?;
    serde_path_to_error::deserialize(deserializer).map_err(|error| SettingsFileError::Setting {
        path: path.to_owned(),
        line: line(content, error.inner()),
        key: error.path().to_string(),
        message: sentence(error.inner()),
    })
}

/// Where in the file it is, from 1.
fn line(content: &str, error: &toml::de::Error) -> usize {
    let before = error.span().and_then(|span| content.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

/// What is wrong, without the picture of it.
fn sentence(error: &toml::de::Error) -> String {
    error.message().trim_end().replace('\n', ", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(content: &str) -> String {
        parse(content, Path::new("a.toml")).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_allowed() {
        for (content, sentence) in [
            (
                "\n[listen]\naddress = \"localhost\"\n",
                "a.toml, line 3, listen.address: invalid socket address syntax",
            ),
            ("[limits]\nconnections = 0\n", "a.toml, line 2, limits.connections: 0 is not in 1..=100000"),
            ("[limits]\nconnections = -1\n", "a.toml, line 2, limits.connections: -1 is not in 1..=100000"),
            (
                "[push]\nstrangers = \"ignore\"\n",
                "a.toml, line 2, push.strangers: unknown variant `ignore`, expected one of `deliver`, `drop`, `not-found`",
            ),
            (
                "[push]\npath = \"push\"\n",
                "a.toml, line 2, push.path: a path begins with a slash and has plain segments, such as /push",
            ),
            (
                "[media]\ndays = \"30\"\n",
                "a.toml, line 2, media.days: invalid type: string \"30\", expected i64",
            ),
        ] {
            assert_eq!(refused(content), sentence);
        }
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        let unknown = refused("[store]\ndata_dri = \"x\"\n");
        assert!(
            unknown.starts_with("a.toml, line 2, store.data_dri: unknown field `data_dri`, expected "),
            "{unknown}"
        );
        assert!(unknown.contains("`data_dir`"), "{unknown}");
        let unknown = refused("[stor]\n");
        assert!(
            unknown.starts_with("a.toml, line 1, stor: unknown field `stor`, expected one of `store`, "),
            "{unknown}"
        );
        let unknown = refused("data_dir = 1\n");
        assert!(unknown.contains("line 1, data_dir: unknown field `data_dir`"), "{unknown}");
    }

    #[test]
    fn a_file_that_is_no_toml_or_not_there_is_named() {
        assert!(refused("[listen\n").starts_with("a.toml, line 1: "), "{}", refused("[listen\n"));
        assert!(refused("[keys]\ndays = 3\ndays = 4\n").starts_with("a.toml, line 3"), "twice");
        let absent = read(Path::new("/nowhere/a.toml")).unwrap_err();
        assert_eq!(absent.to_string(), "/nowhere/a.toml cannot be read: no such file or directory");
    }
}
