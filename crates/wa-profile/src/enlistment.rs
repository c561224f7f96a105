//! Enlistment: where it is sent and how its arguments are spelled (overview §1.2; RO 1.0.3).

/// The enlistment endpoint and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct Enlistment {
    /// The URL the form is posted to (overview §1.2.1; RO 1.0.3).
    pub url: String,
    /// How the signed prekey's three arguments are spelled (overview §1.2.2; RO 1.0.3).
    pub spelling: EnlistmentSpelling,
    /// Whether `integrator_id` and `user_identifier` are sent (overview §1.2.2: yes; RO 1.0.3 removed both, the
    /// token carries them).
    pub identity_arguments: bool,
    /// The argument that carries the protocol version, or `None` to send none.
    ///
    /// Assumed: the API checks the version number (overview §1.2), but no public document says where it travels.
    #[cfg_attr(feature = "file", serde(with = "crate::file::optional"))]
    pub version_argument: Option<String>,
    /// How the server learns which integrator a login belongs to (overview §1.2.2; RO 1.0.3).
    pub integrator_of_login: IntegratorOfLogin,
}

/// One spelling of the signed prekey's arguments.
///
/// The overview uses two: its table and its example differ. A server accepts every spelling and refuses a
/// request that gives one value twice, differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum EnlistmentSpelling {
    /// `e_skey_id`, `e_skey_val`, `e_key_sig`: the overview's table (overview §1.2.2).
    OverviewTable,
    /// `e_key_id`, `e_key_val`, `e_key_sig`: the overview's example (overview §1.2.2).
    OverviewExample,
    /// `e_skey_id`, `e_skey_val`, `e_skey_sig` (RO 1.0.3; observed in ordinary registration).
    ReferenceOffer,
}

/// What decides the integrator part of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "file", derive(serde::Deserialize, serde::Serialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum IntegratorOfLogin {
    /// The `integrator_id` argument (overview §1.2.2).
    Argument,
    /// The integrator whose published keys verified the token, by the token's issuer.
    ///
    /// Assumed: RO 1.0.3 removed the argument and names no replacement.
    TokenIssuer,
}

impl Default for Enlistment {
    fn default() -> Self {
        Self {
            url: "https://v.whatsapp.net/3p/interop_reg".to_owned(),
            spelling: EnlistmentSpelling::ReferenceOffer,
            identity_arguments: false,
            version_argument: Some("interop_version".to_owned()),
            integrator_of_login: IntegratorOfLogin::TokenIssuer,
        }
    }
}

impl EnlistmentSpelling {
    /// Every spelling a server accepts.
    pub const ALL: [Self; 3] = [Self::OverviewTable, Self::OverviewExample, Self::ReferenceOffer];

    /// The name of the argument with the signed prekey's identifier, 3 bytes.
    #[must_use]
    pub const fn prekey_id(self) -> &'static str {
        match self {
            Self::OverviewTable | Self::ReferenceOffer => "e_skey_id",
            Self::OverviewExample => "e_key_id",
        }
    }

    /// The name of the argument with the signed prekey's public key, 32 bytes.
    #[must_use]
    pub const fn prekey_value(self) -> &'static str {
        match self {
            Self::OverviewTable | Self::ReferenceOffer => "e_skey_val",
            Self::OverviewExample => "e_key_val",
        }
    }

    /// The name of the argument with the signed prekey's signature, 64 bytes.
    #[must_use]
    pub const fn prekey_signature(self) -> &'static str {
        match self {
            Self::OverviewTable | Self::OverviewExample => "e_key_sig",
            Self::ReferenceOffer => "e_skey_sig",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_the_documents() {
        let names = |spelling: EnlistmentSpelling| {
            [spelling.prekey_id(), spelling.prekey_value(), spelling.prekey_signature()]
        };
        assert_eq!(names(EnlistmentSpelling::OverviewTable), ["e_skey_id", "e_skey_val", "e_key_sig"]);
        assert_eq!(names(EnlistmentSpelling::OverviewExample), ["e_key_id", "e_key_val", "e_key_sig"]);
        assert_eq!(names(EnlistmentSpelling::ReferenceOffer), ["e_skey_id", "e_skey_val", "e_skey_sig"]);
    }
}
