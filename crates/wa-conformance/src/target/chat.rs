//! A chat server that is really there, asked only what harms nobody.
//!
//! It logs in as one user of the third party's and reads: it takes no message out of the mailbox and no prekey of anybody's,
//! and changes nothing. What it cannot help: another connection of the same user ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use wa_interop::binary::Jid;
use wa_interop::chat::Login;
use wa_interop::keys::{PrivateKey, PublicKey};
use wa_interop::noise::{TrustRoot, WHATSAPP_ROOT};
use wa_stanza::{Blocklist, Iq, IqKind, PrekeyCount};
use zeroize::Zeroizing;

use crate::checks::catalogue::Catalogue;
use crate::report::evidence::Evidence;
use crate::report::failure::{Failure, expect};
use crate::report::{About, Judged, Report, Verdict};
use crate::rules::Rules;
use crate::target::server::Way;
use crate::target::tokens::unix_now;
use crate::target::wire::{At, Wire};

/// How long each check may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chat server, and who logs in there.
#[derive(Debug)]
pub struct ChatTarget {
    address: String,
    login: Jid,
    user: String,
    noise_key: PrivateKey,
    root: TrustRoot,
    token: Way,
}

/// The file of credentials.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    login: String,
    user: String,
    /// The private half of `authkey`, in hexadecimal.
    noise_key: Zeroizing<String>,
    /// The root of the server's certificates, in hexadecimal; WhatsApp's own, if nothing is said.
    root: Option<String>,
    token: Way,
}

/// What is asked: the check of the catalogue that it stands for, and what holds.
const CHECKS: [(&str, u8, &str); 4] = [
    ("handshake", 2, "the server proves itself, and the login stands"),
    ("ping", 2, "a ping is answered"),
    ("prekeys-uploaded", 2, "the server counts this user's own prekeys"),
    ("block", 4, "the blocklist is read"),
];

impl ChatTarget {
    /// The server at this host and port, and the credentials of a file that only its owner may read.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, or it has another form; the message says which, and no secret.
    pub fn open(address: &str, path: &Path) -> Result<Self, Failure> {
        let named = |what: &str| Failure(format!("{}: {what}", path.display()));
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions());
            if mode & 0o077 != 0 {
                return Err(named("others may read it, and it holds a private key: chmod 600"));
            }
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|error| named(&error.to_string()))?);
        let credentials: Credentials = toml::from_str(&text).map_err(|error| named(error.message()))?;
        credentials.token.check().map_err(|it| named(&it.0))?;
        let mut key = Zeroizing::new([0; 32]);
        hex::decode_to_slice(credentials.noise_key.as_str(), &mut *key)
            .map_err(|_| named("noise_key is not 32 bytes in hexadecimal"))?;
        let root = match &credentials.root {
            Some(root) => TrustRoot::new(PublicKey::from_slice(&hex::decode(root)?)?),
            None => WHATSAPP_ROOT,
        };
        Ok(Self {
            address: address.to_owned(),
            login: credentials.login.parse().map_err(|_| named("login is no address"))?,
            user: credentials.user,
            noise_key: PrivateKey::from_bytes(*key),
            root,
            token: credentials.token,
        })
    }

    /// Asks, and tells each answer.
    ///
    /// # Errors
    /// The catalogue is wrong.
    pub async fn judge(&self, rules: &Rules, tell: &mut dyn FnMut(&Judged)) -> Result<Report, Failure> {
        let (began, catalogue) = (unix_now(), Catalogue::open()?);
        let mut wire = None;
        let mut results = Vec::new();
        for (id, milestone, title) in CHECKS {
            let start = unix_now();
            let verdict = if id != "handshake" && wire.is_none() {
                Verdict::Skip { reason: "there is no connection".to_owned() }
            } else {
                let asked = tokio::time::timeout(PATIENCE, self.ask(id, rules, &mut wire)).await;
                let asked = asked.unwrap_or_else(|_| Err(Failure::new("took too long")));
                asked.map_or_else(|Failure(failure)| Verdict::Fail { failure }, |()| Verdict::Pass)
            };
            let requirements = catalogue.of_check(id).cloned().collect();
            let (document, ms) = (rules.name().to_owned(), unix_now().saturating_sub(start) * 1000);
            let evidence = Evidence::default();
            let judged = Judged { id, document, milestone, title, requirements, verdict, ms, evidence };
            tell(&judged);
            results.push(judged);
        }
        let about = About {
            target: format!("the chat server at {}", self.address),
            version: env!("CARGO_PKG_VERSION"),
            rules: vec![rules.name().to_owned()],
            seed: None,
            jobs: 1,
            began,
            ms: unix_now().saturating_sub(began) * 1000,
        };
        Ok(Report { about, results })
    }

    async fn ask(&self, id: &str, rules: &Rules, wire: &mut Option<Wire>) -> Result<(), Failure> {
        let Some(wire) = wire else {
            *wire = Some(self.connect(rules).await?);
            return Ok(());
        };
        match id {
            "ping" => {
                let xmlns = rules.profile().chat.ping.client_xmlns.clone();
                expect("answer", wire.ask(Iq::get("a-ping", xmlns)).await?.kind, IqKind::Result)
            }
            "prekeys-uploaded" => {
                PrekeyCount::try_from(&wire.ask(PrekeyCount::request("count")).await?)?;
                Ok(())
            }
            _ => {
                Blocklist::try_from(&wire.ask(Blocklist::request("blocklist")).await?)?;
                Ok(())
            }
        }
    }

    async fn connect(&self, rules: &Rules) -> Result<Wire, Failure> {
        let token = self.token.ask(&self.user).await.map_err(|it| it.of("[token]"))?;
        let (_, number) = self.login.as_interop().ok_or_else(|| Failure::new("login is no interop login"))?;
        let at = At { address: &self.address, root: self.root, profile: rules.profile().clone() };
        Wire::open(at, self.noise_key.clone(), Login::new(number, token), None).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Document;
    use crate::target::environment::Environment;
    use crate::target::user::User;

    fn file(directory: &Path, environment: &Environment, user: &User, root: &str) -> std::path::PathBuf {
        let (token, credential) =
            (&environment.own().unwrap().token, environment.credential(&user.name).unwrap());
        let text = format!(
            "login = \"{}\"\nuser = \"{}\"\nnoise_key = \"{}\"\nroot = \"{root}\"\n[token]\nhttp = \"POST {token}\"\n\
             headers = [\"authorization: Bearer {credential}\"]\nmember = \"/token\"\n",
            user.login,
            user.name,
            hex::encode(user.keys.noise.as_bytes()),
        );
        let path = directory.join("chat.toml");
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_server_is_asked_and_its_mailbox_left_alone() {
        let rules = Rules::from(Document::ReferenceOffer);
        let environment = Environment::in_process(rules.clone()).await.unwrap();
        let user = environment.user("chat").await.unwrap();
        environment.phone_writes(&user.login, "waits").await.unwrap();
        let path = format!("accounts/{}", user.login);
        let waits = async || environment.observe(&path).await.unwrap().get("mailbox").cloned();
        let before = waits().await;
        assert!(before.is_some() && before != Some(serde_json::json!(0)));
        let directory = tempfile::tempdir().unwrap();
        let credentials = file(directory.path(), &environment, &user, &environment.sandbox.noise_root);
        let target = ChatTarget::open(&environment.sandbox.chat, &credentials).unwrap();
        let report = target.judge(&rules, &mut |_| {}).await.unwrap();
        assert_eq!(report.totals().passed, CHECKS.len(), "{report:?}");
        assert_eq!(waits().await, before);

        // A server that does not prove itself is not asked for anything more.
        let credentials = file(directory.path(), &environment, &user, &"09".repeat(32));
        let target = ChatTarget::open(&environment.sandbox.chat, &credentials).unwrap();
        let totals = target.judge(&rules, &mut |_| {}).await.unwrap().totals();
        assert_eq!((totals.failed, totals.skipped), (1, CHECKS.len() - 1));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chat.toml");
        fs::write(&path, "login = 1").unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        assert!(ChatTarget::open("127.0.0.1:1", &path).unwrap_err().0.contains("chmod 600"));
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        assert!(!ChatTarget::open("127.0.0.1:1", &path).unwrap_err().0.contains("chmod"));
    }
}
