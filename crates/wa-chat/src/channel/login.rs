//! The login: the client payload inside the last handshake message (overview §1.1, §6.3; the mapping is assumed).

use std::fmt;

use bytes::Bytes;
use prost::Message;
use wa_profile::{Profile, VersionAtLogin};
use wa_proto::handshake::{AppVersion, ClientPayload, InteropData, UserAgent};
use zeroize::Zeroizing;

/// Who logs in.
#[derive(Clone)]
pub struct Login {
    account: u64,
    token: Bytes,
}

impl Login {
    /// The digits of the login after `integrator-`, and a fresh token of the third party's server.
    pub fn new(account: u64, token: impl Into<Bytes>) -> Self {
        Self { account, token: token.into() }
    }

    /// The client payload in protobuf.
    pub(crate) fn payload(&self, profile: &Profile) -> Zeroizing<Vec<u8>> {
        let rules = &profile.chat.login;
        let version = (rules.version == VersionAtLogin::AppVersion).then_some(AppVersion {
            primary: Some(profile.version.primary),
            secondary: Some(profile.version.secondary),
            tertiary: Some(profile.version.tertiary),
        });
        let interop = InteropData {
            account_id: Some(self.account),
            token: Some(self.token.clone()),
            enable_read_receipts: Some(rules.enable_read_receipts),
        };
        let payload = ClientPayload {
            username: rules.username.then_some(self.account),
            passive: Some(rules.passive),
            user_agent: version.map(|version| UserAgent { app_version: Some(version) }),
            product: i32::try_from(rules.product).ok(),
            interop_data: Some(interop),
        };
        Zeroizing::new(payload.encode_to_vec())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(..)")
    }
}
