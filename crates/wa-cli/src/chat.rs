//! `wa chat`: one conversation in the terminal, with ticks, typing, replies and reactions.

use std::io;
use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, BufReader};
use wa_interop::enlist::EnlistError;
use wa_interop::http::{HttpLimits, HyperClient, PlainHttp};
use wa_interop::noise::{TrustRoot, WHATSAPP_ROOT};
use wa_interop::profile::Profile;
use wa_interop::store::{AccountId, OpenError, SqliteStore, StoreKey};
use wa_interop::{
    Client, ClientError, EnlistmentError, Events, NoToken, OpenOrEnlistError, TcpConnector, TokenSource,
    enlist,
};

use crate::arguments::ChatArguments;
use crate::chat::conversation::Conversation;
use crate::chat::files::Files;
use crate::chat::service::{Service, settle};

mod conversation;
mod files;
mod line;
mod service;

/// Why there is no chat, or no more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChatFailure {
    #[error("--root is not 32 bytes in hexadecimal")]
    Root,
    #[error("{0} does not hold 32 bytes in hexadecimal")]
    Key(PathBuf),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("store: {0}")]
    Store(#[from] OpenError),
    #[error("account: {0}")]
    Account(#[from] wa_interop::store::BadAccountId),
    #[error("the token command gives no token")]
    Token,
    #[error("{0} {1}")]
    Sandbox(String, String),
    #[error("the credential command gives no credential")]
    Credential,
    #[error(transparent)]
    Transfer(#[from] wa_interop::MediaTransferError),
    #[error("enlistment: {0}")]
    Enlistment(#[from] EnlistmentError),
    #[error("enlistment: {0}")]
    Exchange(#[from] EnlistError),
    #[error("the chat ended: {0}")]
    Client(#[from] ClientError),
    #[error("terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// Chats until the input ends or the user quits.
pub(crate) fn run(arguments: ChatArguments) -> Result<(), ChatFailure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(chat(arguments));
    // A read of standard input that is under way cannot be taken back: it must not hold up the end.
    runtime.shutdown_background();
    done
}

async fn chat(arguments: ChatArguments) -> Result<(), ChatFailure> {
    let (arguments, service, _made) = settle(arguments).await?;
    let profile = profile(&arguments);
    let files = Files::new(&arguments, profile.clone());
    let (client, mut events) = open(&arguments, &service, profile).await?;
    let staying = client.stay_connected(tokens(service));
    let mut conversation = Conversation::new(client, files, arguments.to.clone());
    conversation.greet();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    tokio::pin!(staying);
    loop {
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) if conversation.handle_line(&line).await? => {}
                _ => return conversation.leave().await,
            },
            event = events.next() => {
                conversation.handle_event(event.map_err(ClientError::from)?).await?;
            }
            ended = &mut staying => return Err(ended.into()),
        }
    }
}

/// The profile's rules, with what the user has put in WhatsApp's place.
fn profile(arguments: &ChatArguments) -> Profile {
    let mut profile = arguments.profile.clone();
    if let Some(url) = &arguments.enlist {
        profile.enlistment.url.clone_from(url);
    }
    profile
}

/// The client over its store; account and login are made where they are not there.
async fn open(
    arguments: &ChatArguments,
    service: &Service,
    profile: Profile,
) -> Result<(Client, Events), ChatFailure> {
    let root = match &arguments.root {
        Some(root) => {
            TrustRoot::new(wa_interop::keys::PublicKey::from_bytes(key(root).ok_or(ChatFailure::Root)?))
        }
        None => WHATSAPP_ROOT,
    };
    let chatd = match &arguments.chat {
        Some(address) => TcpConnector::to(address),
        None => TcpConnector::new(&profile),
    };
    // The command line demands both, unless a sandbox is named, and then they are made.
    let path = arguments.store.clone().unwrap_or_default();
    let store_key = store_key(&path, arguments.key_file.as_deref().unwrap_or(Path::new("")))?;
    let store = match SqliteStore::open(&path, &store_key) {
        Err(OpenError::Missing) => SqliteStore::create(&path, &store_key)?,
        opened => opened?,
    };
    let account = store.account(&AccountId::new(&*arguments.user)?)?;
    let enlisting = async |keys| {
        let token = service.token().await.ok_or(ChatFailure::Token)?;
        // Plain HTTP is for a WhatsApp on this machine; the real one is named by https.
        let http = HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1);
        let (integrator, user) = (arguments.integrator, &arguments.user);
        Ok(enlist(&http, &profile, &keys, integrator, user, &token).await?)
    };
    match Client::open_or_enlist(account, chatd, profile.clone(), root, enlisting).await {
        Err(OpenOrEnlistError::Client(error)) => Err(error.into()),
        Err(OpenOrEnlistError::Enlistment(failure)) => Err(failure),
        Ok(opened) => Ok(opened),
    }
}

/// A fresh token of the user's service for each connection.
fn tokens(service: Service) -> impl TokenSource {
    move || {
        let service = service.clone();
        async move { service.token().await.ok_or(NoToken::Later) }
    }
}

/// The store's key, from its file or new.
fn store_key(store: &Path, path: &Path) -> Result<StoreKey, ChatFailure> {
    let file = |error| ChatFailure::File { path: path.to_owned(), error };
    match std::fs::read_to_string(path) {
        Ok(text) => key(&text).map(StoreKey::from_bytes).ok_or_else(|| ChatFailure::Key(path.to_owned())),
        // A key that is gone while its store is there must not be replaced: the store would be lost for good.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !store.exists() => {
            let key = StoreKey::generate();
            write_private(path, &hex::encode(key.as_bytes())).map_err(file)?;
            Ok(key)
        }
        Err(error) => Err(file(error)),
    }
}

fn key(text: &str) -> Option<[u8; 32]> {
    hex::decode(text.trim()).ok()?.try_into().ok()
}

/// A new file that nobody else may read.
fn write_private(path: &std::path::Path, text: &str) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    io::Write::write_all(&mut file, text.as_bytes())?;
    file.sync_all()
}
