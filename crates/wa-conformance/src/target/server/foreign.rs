//! Anybody's server: its URL, and a file in TOML that says how what only the service can do is had.
//!
//! ```toml
//! [token]                       # prints a token for {user}
//! command = ["./service", "token", "{user}"]
//!
//! [upload]                      # hosts the file {file}, prints its reference
//! http = "POST http://127.0.0.1:8080/files?user={user}"
//! member = "/reference"         # a JSON pointer into the answer; without it the whole answer counts
//! ```

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use crate::report::failure::Failure;
use crate::target::exchange::{Http, send};
use crate::target::server::{Facility, Server};

/// How long a command or a call may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignServer {
    base_url: String,
    ways: Ways,
}

/// How each thing is had.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ways {
    token: Way,
    upload: Option<Way>,
    woken: Option<Way>,
    anonymous: Option<Way>,
}

/// One way to have something. In every text `{user}`, `{file}` and `{base_url}` are replaced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Way {
    Command(CommandWay),
    Http(HttpWay),
}

/// A program and its arguments; the answer is what it prints.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandWay {
    command: Vec<String>,
}

/// A method and a URL. The body is `body`, or the file that is uploaded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpWay {
    http: String,
    #[serde(default)]
    headers: Vec<String>,
    #[serde(default)]
    body: String,
    member: Option<String>,
}

/// What is put in the place of names in braces.
struct Named<'a> {
    user: &'a str,
    base_url: &'a str,
    file: Option<(&'a str, &'a [u8])>,
}

/// Why a way led nowhere.
enum Miss {
    /// The service said no: a status of 4xx, or a program that ended with an error.
    Refused(String),
    Failed(Failure),
}

impl ForeignServer {
    /// The server at this URL, with the file's text that says how things are had.
    ///
    /// # Errors
    /// The text is not of the form above; the message names the place.
    pub fn parse(base_url: &str, ways: &str) -> Result<Self, Failure> {
        let ways: Ways = toml::from_str(ways)?;
        let all = [Some(&ways.token), ways.upload.as_ref(), ways.woken.as_ref(), ways.anonymous.as_ref()];
        for way in all.into_iter().flatten() {
            way.check()?;
        }
        Ok(Self { base_url: base_url.trim_end_matches('/').to_owned(), ways })
    }

    /// True if the file does not say how the service does this for the suite.
    #[must_use]
    pub fn lacks(&self, facility: Facility) -> bool {
        !self.has(facility)
    }

    fn way(&self, facility: Facility) -> Result<&Way, Failure> {
        let way = match facility {
            Facility::Upload => &self.ways.upload,
            Facility::Woken => &self.ways.woken,
            Facility::Anonymous => &self.ways.anonymous,
        };
        way.as_ref().ok_or_else(|| Failure(format!("the file has no [{facility}]")))
    }
}

#[async_trait]
impl Server for ForeignServer {
    fn base_url(&self) -> &str {
        &self.base_url
    }

    fn has(&self, facility: Facility) -> bool {
        self.way(facility).is_ok()
    }

    async fn token(&self, user: &str) -> Result<String, Failure> {
        let named = Named { user, base_url: &self.base_url, file: None };
        self.ways.token.go(&named).await.map_err(Failure::from)
    }

    async fn upload(&self, user: &str, file: &[u8]) -> Result<String, Failure> {
        let written = tempfile::NamedTempFile::new()?;
        std::fs::write(written.path(), file)?;
        let path = written.path().display().to_string();
        let named = Named { user, base_url: &self.base_url, file: Some((&path, file)) };
        self.way(Facility::Upload)?.go(&named).await.map_err(Failure::from)
    }

    async fn woken(&self, user: &str) -> Result<u64, Failure> {
        let named = Named { user, base_url: &self.base_url, file: None };
        let number = self.way(Facility::Woken)?.go(&named).await.map_err(Failure::from)?;
        number.parse().map_err(|_| Failure(format!("[woken] gave {number:?}, not a number")))
    }

    async fn refuses_anonymous(&self, user: &str) -> Result<bool, Failure> {
        let named = Named { user, base_url: &self.base_url, file: None };
        match self.way(Facility::Anonymous)?.go(&named).await {
            Ok(_) => Ok(false),
            Err(Miss::Refused(_)) => Ok(true),
            Err(Miss::Failed(failure)) => Err(failure),
        }
    }
}

impl Way {
    /// Fails if it can lead nowhere.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Command(CommandWay { command }) if command.is_empty() => {
                Err(Failure::new("a command needs at least the name of a program"))
            }
            Self::Http(HttpWay { http, .. }) if !http.contains(' ') => {
                Err(Failure(format!("http = {http:?} is not a method and a URL")))
            }
            Self::Http(HttpWay { headers, .. }) if headers.iter().any(|it| !it.contains(':')) => {
                Err(Failure::new("a header is a name, a colon and a value"))
            }
            _ => Ok(()),
        }
    }

    /// What it gives for a user, where there is no base URL and no file.
    pub(crate) async fn ask(&self, user: &str) -> Result<String, Failure> {
        Ok(self.go(&Named { user, base_url: "", file: None }).await?)
    }

    async fn go(&self, named: &Named<'_>) -> Result<String, Miss> {
        let answer = async {
            match self {
                Self::Command(way) => way.go(named).await,
                Self::Http(way) => way.go(named).await,
            }
        };
        let answer = tokio::time::timeout(PATIENCE, answer).await;
        let answer =
            answer.unwrap_or_else(|_| Err(Miss::Failed(Failure(format!("{self:?} took too long")))))?;
        Ok(answer.trim().to_owned())
    }
}

impl CommandWay {
    async fn go(&self, named: &Named<'_>) -> Result<String, Miss> {
        let words: Vec<String> = self.command.iter().map(|word| named.fill(word)).collect();
        let Some((program, arguments)) = words.split_first() else { return Ok(String::new()) };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        let failed = |error: std::io::Error| Miss::Failed(Failure(format!("{program}: {error}")));
        let output = command.stdout(Stdio::piped()).output().await.map_err(failed)?;
        if !output.status.success() {
            return Err(Miss::Refused(format!("{program}: {}", output.status)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

impl HttpWay {
    async fn go(&self, named: &Named<'_>) -> Result<String, Miss> {
        let filled = named.fill(&self.http);
        let (method, url) = filled.split_once(' ').unwrap_or(("GET", &filled));
        let mut request = Request::builder().method(method).uri(url.trim());
        for header in &self.headers {
            let (name, value) = header.split_once(':').unwrap_or((header, ""));
            request = request.header(name.trim(), named.fill(value.trim()));
        }
        let body = match named.file {
            Some((_, file)) if self.body.is_empty() => Bytes::copy_from_slice(file),
            _ => Bytes::from(named.fill(&self.body)),
        };
        let request = request.body(Full::new(body)).map_err(|error| Miss::Failed(error.into()))?;
        let answer = send(Http::One, request).await.map_err(Miss::Failed)?;
        let said = || format!("{method} {url} was answered with {}", answer.status());
        if answer.status().is_client_error() {
            return Err(Miss::Refused(said()));
        }
        if !answer.status().is_success() {
            return Err(Miss::Failed(Failure(said())));
        }
        self.read(answer.body()).map_err(Miss::Failed)
    }

    /// What of an answer counts.
    fn read(&self, body: &[u8]) -> Result<String, Failure> {
        let Some(member) = &self.member else { return Ok(String::from_utf8_lossy(body).into_owned()) };
        let json: Value = serde_json::from_slice(body)?;
        match json.pointer(member) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(Failure(format!("the answer has no text or number at {member}: {json}"))),
        }
    }
}

impl Named<'_> {
    fn fill(&self, text: &str) -> String {
        let file = self.file.map_or("", |(path, _)| path);
        text.replace("{user}", self.user).replace("{base_url}", self.base_url).replace("{file}", file)
    }
}

impl From<Miss> for Failure {
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Refused(why) => Self(why),
            Miss::Failed(failure) => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(ways: &str) -> Result<ForeignServer, Failure> {
        ForeignServer::parse("http://127.0.0.1:1/base/", ways)
    }

    #[tokio::test]
    async fn a_command_prints_what_is_asked_for() {
        let ways = "[token]\ncommand = [\"echo\", \"{user} of {base_url}\"]\n\
                    [upload]\ncommand = [\"cat\", \"{file}\"]\n[woken]\ncommand = [\"echo\", \"many\"]\n\
                    [anonymous]\ncommand = [\"false\"]";
        let server = server(ways).unwrap();
        assert_eq!(server.token("ann").await.unwrap(), "ann of http://127.0.0.1:1/base");
        assert_eq!(server.upload("ann", b"bytes").await.unwrap(), "bytes");
        assert_eq!(server.woken("ann").await.unwrap_err().0, "[woken] gave \"many\", not a number");
        assert!(server.refuses_anonymous("ann").await.unwrap());
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        for (ways, why) in [
            ("", "missing field `token`"),
            ("[token]\ncommand = []", "at least the name of a program"),
            ("[token]\nhttp = \"http://a\"", "is not a method and a URL"),
            ("[token]\nhttp = \"GET http://a\"\nheaders = [\"a\"]", "a name, a colon and a value"),
            ("[token]\ncommand = [\"a\"]\n[other]\ncommand = [\"a\"]", "unknown field `other`"),
        ] {
            let failure = server(ways).unwrap_err();
            assert!(failure.0.contains(why), "{failure}");
        }
        let lean = server("[token]\ncommand = [\"a\"]").unwrap();
        assert!(lean.lacks(Facility::Upload) && lean.lacks(Facility::Woken));
    }

    #[test]
    fn a_member_of_the_answer_counts() {
        let way = |member: Option<&str>| HttpWay {
            http: String::new(),
            headers: Vec::new(),
            body: String::new(),
            member: member.map(str::to_owned),
        };
        assert_eq!(way(None).read(b"text").unwrap(), "text");
        assert_eq!(way(Some("/a/0")).read(br#"{"a": [3]}"#).unwrap(), "3");
        assert!(way(Some("/b")).read(br#"{"a": [3]}"#).is_err());
    }
}
