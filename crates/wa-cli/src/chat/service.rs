//! Where fresh tokens come from: a command of the user's service, or a local WhatsApp with a service of its own.

use tempfile::TempDir;

use crate::arguments::ChatArguments;
use crate::chat::ChatFailure;
use crate::shell::printed;

/// The service that vouches for the user.
#[derive(Clone, Debug)]
pub(super) enum Service {
    /// A shell command prints a token.
    Command(String),
    /// The demonstration integrator of a local WhatsApp is asked.
    #[cfg(feature = "sandbox")]
    Demonstration { url: String, user: String, secret: Option<String> },
}

impl Service {
    /// A token, unless none can be had now.
    pub(super) async fn token(&self) -> Option<String> {
        match self {
            Self::Command(command) => printed(command).await,
            #[cfg(feature = "sandbox")]
            Self::Demonstration { url, user, secret } => {
                let body = serde_json::json!({ "user": user }).to_string();
                let asked = wa_sandbox::ask("POST", url, secret.as_deref(), Some(body)).await;
                let answer: serde_json::Value = serde_json::from_str(&asked.ok()?.1).ok()?;
                Some(answer.get("token")?.as_str()?.to_owned())
            }
        }
    }
}

/// A folder that was made for one chat, for its user's eyes only, and goes with it.
pub(super) type Made = Option<TempDir>;

/// The service, and the arguments with what a local WhatsApp says of itself in them.
pub(super) async fn settle(arguments: ChatArguments) -> Result<(ChatArguments, Service, Made), ChatFailure> {
    match (&arguments.sandbox, &arguments.token_command) {
        (Some(url), _) => {
            let url = url.trim_end_matches('/').to_owned();
            of_sandbox(arguments, &url).await
        }
        (None, Some(command)) => {
            let service = Service::Command(command.clone());
            Ok((arguments, service, None))
        }
        (None, None) => Err(ChatFailure::Token),
    }
}

#[cfg(feature = "sandbox")]
async fn of_sandbox(
    mut arguments: ChatArguments,
    url: &str,
) -> Result<(ChatArguments, Service, Made), ChatFailure> {
    let failed = |why: String| ChatFailure::Sandbox(url.to_owned(), why);
    let secret = std::env::var("WA_SANDBOX_TOKEN").ok();
    let asked = wa_sandbox::ask("GET", &format!("{url}/v1/"), secret.as_deref(), None).await;
    let (_, answer) = asked.map_err(|_| failed("does not answer; start one with: wa sandbox".to_owned()))?;
    let mut answer: serde_json::Value =
        serde_json::from_str(&answer).map_err(|_| failed("is no sandbox".to_owned()))?;
    let addresses = answer.get_mut("addresses").map(serde_json::Value::take).unwrap_or_default();
    let addresses: wa_sandbox::Addresses =
        serde_json::from_value(addresses).map_err(|_| failed(format!("says: {answer}")))?;
    let integrator = addresses
        .integrator
        .ok_or_else(|| failed("has no demonstration integrator; say --token-command instead".to_owned()))?;
    arguments.chat = Some(addresses.chat);
    arguments.root = Some(addresses.noise_root);
    arguments.enlist = Some(addresses.enlist);
    arguments.media_origin = Some(addresses.media);
    let mut made = None;
    if arguments.store.is_none() {
        let made_here = tempfile::Builder::new().prefix("wa-chat-").tempdir();
        let folder = made_here.map_err(|error| ChatFailure::File { path: std::env::temp_dir(), error })?;
        arguments.store = Some(folder.path().join("account.db"));
        arguments.key_file = arguments.key_file.or_else(|| Some(folder.path().join("key")));
        made = Some(folder);
    }
    let user = arguments.user.clone();
    Ok((arguments, Service::Demonstration { url: format!("{integrator}/token"), user, secret }, made))
}

#[cfg(not(feature = "sandbox"))]
async fn of_sandbox(_: ChatArguments, url: &str) -> Result<(ChatArguments, Service, Made), ChatFailure> {
    let why = "cannot be asked: this program was built without the feature sandbox".to_owned();
    Err(ChatFailure::Sandbox(url.to_owned(), why))
}
