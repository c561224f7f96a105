//! Wake-ups as messages in a JetStream of NATS.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use async_nats::{ConnectOptions, HeaderMap, jetstream};
use bytes::Bytes;
use http::Uri;
use http::uri::Authority;
use tokio::sync::OnceCell;

use crate::push::{Delivery, PushSink, SinkError, WakeUp};
use crate::value::{ClientTrust, is_loopback};

/// Publishes each wake-up to one subject, and is content once a stream has stored it.
///
/// The body is `{"to": user identifier, "count": pushes folded into it, "received_at": Unix seconds}`. The header
/// `Nats-Msg-Id` is the same for the same wake-up, so that a stream drops one that comes twice within its window.
pub struct NatsSink {
    context: jetstream::Context,
    subject: String,
    stream: Option<Config>,
    /// Whether the stream is known to be there.
    made: OnceCell<()>,
}

impl NatsSink {
    /// The sink at a server: `tls://host:port`, or `nats://` on a loopback host or one that `trust` names. `credentials` is the
    /// content of a credentials file (`.creds`), where the server asks for one. The server need not be there yet.
    ///
    /// # Errors
    /// [`SinkError::Nats`] for another server or a subject that cannot be, [`SinkError::Credentials`].
    pub async fn connect(
        url: &str,
        subject: &str,
        credentials: Option<&str>,
        trust: &ClientTrust,
    ) -> Result<Self, SinkError> {
        let tls = is_tls(url, trust)?;
        if !is_subject(subject) {
            return Err(SinkError::Nats);
        }
        let options = ConnectOptions::new()
            .name("wa-integrator")
            .connection_timeout(Duration::from_secs(5))
            .retry_on_initial_connect()
            .tls_client_config(trust.tls_config().map_err(|_| SinkError::Unreachable)?)
            .require_tls(tls);
        let options = match credentials {
            Some(credentials) => options.credentials(credentials).map_err(|_| SinkError::Credentials)?,
            None => options,
        };
        let client = options.connect(url).await.map_err(|_| SinkError::Unreachable)?;
        let mut context = jetstream::new(client);
        context.set_timeout(ACK_TIME);
        Ok(Self { context, subject: subject.to_owned(), stream: None, made: OnceCell::new() })
    }

    /// This sink, making a stream of this name for its subject where there is none: in files, for thirty days.
    #[must_use]
    pub fn with_stream(mut self, name: &str) -> Self {
        self.stream = Some(Config {
            name: name.to_owned(),
            subjects: vec![self.subject.clone()],
            max_age: Duration::from_secs(30 * 24 * 60 * 60),
            discard: DiscardPolicy::New,
            ..Config::default()
        });
        self
    }

    async fn publish(&self, wake_up: &WakeUp) -> Result<(), SinkError> {
        if let Some(stream) = &self.stream {
            let made = self.made.get_or_try_init(|| async {
                self.context.get_or_create_stream(stream.clone()).await.map(drop)
            });
            made.await.map_err(|error| refused(&error))?;
        }
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", super::delivery_id(wake_up));
        let body = Bytes::from(super::Call::from(wake_up).to_json());
        let sent = self.context.publish_with_headers(self.subject.clone(), headers, body).await;
        let acknowledged = sent.map_err(|error| refused(&error))?.await;
        acknowledged.map(drop).map_err(|error| refused(&error))
    }
}

impl PushSink for NatsSink {
    fn name(&self) -> &str {
        "nats"
    }

    fn deliver<'a>(&'a self, wake_up: &'a WakeUp) -> Delivery<'a> {
        Delivery::new(self.publish(wake_up))
    }
}

impl fmt::Debug for NatsSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsSink").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// How long a stream may take to say that it has stored a message.
const ACK_TIME: Duration = Duration::from_secs(5);

/// Whether the connection is to be encrypted; what leaves this machine must be.
fn is_tls(url: &str, trust: &ClientTrust) -> Result<bool, SinkError> {
    let uri: Uri = url.parse().map_err(|_| SinkError::Nats)?;
    let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
    let host = uri.host().ok_or(SinkError::Nats)?;
    // A password in a url is seen by everybody on the machine.
    if authority.contains('@') {
        return Err(SinkError::Nats);
    }
    match uri.scheme_str() {
        Some("tls") => Ok(true),
        Some("nats") if is_loopback(host) || trust.is_plain(host) => Ok(false),
        _ => Err(SinkError::Nats),
    }
}

/// Names with dots between; none is a wildcard.
fn is_subject(subject: &str) -> bool {
    let name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    subject.len() <= 255 && subject.split('.').all(name)
}

fn refused(error: &dyn std::error::Error) -> SinkError {
    tracing::debug!(%error, "the stream did not take a wake-up");
    SinkError::Unreachable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_is_encrypted() {
        for (url, tls) in [
            ("nats://127.0.0.1:4222", Ok(false)),
            ("nats://localhost", Ok(false)),
            ("tls://nats.example:4222", Ok(true)),
            ("nats://nats.example:4222", Err(SinkError::Nats)),
            ("tls://user:password@nats.example", Err(SinkError::Nats)),
            ("http://127.0.0.1", Err(SinkError::Nats)),
            ("127.0.0.1:4222", Err(SinkError::Nats)),
            ("", Err(SinkError::Nats)),
        ] {
            assert_eq!(is_tls(url, &ClientTrust::public()), tls, "{url}");
        }
    }

    #[test]
    fn a_subject_is_one() {
        assert!(is_subject("wa.wake-ups") && is_subject("a"));
        for subject in ["", ".", "a..b", "a.*", "a.>", "a b", "a\r\nPUB", &"a".repeat(256)] {
            assert!(!is_subject(subject), "{subject}");
        }
    }
}
