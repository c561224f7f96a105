//! The enlistment request (overview §1.2.1, §1.2.2; RO 1.0.3).

use std::fmt;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use wa_keys::PublicKey;
use wa_profile::{Profile, TokenRules};
use zeroize::Zeroizing;

use crate::form::Form;
use crate::{EnlistError, EnlistedPrekey};

/// What a client says when it enlists: its public keys, its registration id and its identity token.
///
/// Everything has its exact size by its type. `Debug` shows none of it.
#[derive(Clone)]
pub struct EnlistRequest {
    auth_key: PublicKey,
    registration_id: u32,
    identity_key: PublicKey,
    signed_prekey: EnlistedPrekey,
    token: Zeroizing<String>,
    identity: Option<Identity>,
}

/// The overview's two arguments that the token made superfluous.
#[derive(Clone)]
struct Identity {
    integrator_id: u16,
    user_identifier: String,
}

impl EnlistRequest {
    /// A request with the client's Noise static key (`auth_key`), its Signal registration id, its Signal
    /// identity key, its signed prekey, and the JWT that its own service issued.
    ///
    /// # Errors
    /// [`EnlistError::TokenCharacter`] for a byte other than base64url's and the dot; the token's length is
    /// checked against the profile by [`EnlistRequest::to_http`].
    pub fn new(
        auth_key: PublicKey,
        registration_id: u32,
        identity_key: PublicKey,
        signed_prekey: EnlistedPrekey,
        token: &str,
    ) -> Result<Self, EnlistError> {
        let in_jwt = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        match token.bytes().position(|byte| !in_jwt(byte)) {
            Some(offset) => Err(EnlistError::TokenCharacter { offset }),
            None => Ok(Self {
                auth_key,
                registration_id,
                identity_key,
                signed_prekey,
                token: Zeroizing::new(token.to_owned()),
                identity: None,
            }),
        }
    }

    /// This request naming the integrator, 1 to 999, and the user, as the overview asks. A profile without
    /// these arguments does not send them.
    ///
    /// # Errors
    /// [`EnlistError::IntegratorId`] outside the range; the user identifier's length is checked against the
    /// profile by [`EnlistRequest::to_http`].
    pub fn with_identity(mut self, integrator_id: u16, user_identifier: &str) -> Result<Self, EnlistError> {
        if !(1..=999).contains(&integrator_id) {
            return Err(EnlistError::IntegratorId { id: integrator_id });
        }
        self.identity = Some(Identity { integrator_id, user_identifier: user_identifier.to_owned() });
        Ok(self)
    }

    /// The HTTP request: a form of base64url values without padding, posted to the profile's URL.
    ///
    /// Its body carries the token, and the `http` crate's `Debug` shows bodies.
    ///
    /// # Errors
    /// What the profile does not allow: [`EnlistError::TokenLength`], [`EnlistError::UserIdentifierLength`],
    /// [`EnlistError::IdentityMissing`], [`EnlistError::Url`].
    pub fn to_http(&self, profile: &Profile) -> Result<Request<Bytes>, EnlistError> {
        let uri: Uri = profile.enlistment.url.parse().map_err(|_| EnlistError::Url)?;
        if uri.scheme().is_none() {
            return Err(EnlistError::Url);
        }
        let mut request = Request::new(Bytes::from(self.form(profile)?.into_text()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    fn form(&self, profile: &Profile) -> Result<Form, EnlistError> {
        let enlistment = &profile.enlistment;
        let mut form = Form::default();
        form.push_bytes("authkey", self.auth_key.as_bytes());
        form.push_bytes("e_keytype", &[wa_keys::KEY_TYPE]);
        form.push_bytes("e_regid", &self.registration_id.to_be_bytes());
        form.push_bytes("e_ident", self.identity_key.as_bytes());
        form.push_bytes(enlistment.spelling.prekey_id(), self.signed_prekey.id());
        form.push_bytes(enlistment.spelling.prekey_value(), self.signed_prekey.key().as_bytes());
        form.push_bytes(enlistment.spelling.prekey_signature(), self.signed_prekey.signature().as_bytes());
        if enlistment.identity_arguments {
            self.push_identity(&mut form, &profile.token)?;
        }
        form.push("token", self.bounded_token(&profile.token)?);
        if let Some(name) = &enlistment.version_argument {
            form.push(name, &profile.version.to_string());
        }
        Ok(form)
    }

    fn push_identity(&self, form: &mut Form, rules: &TokenRules) -> Result<(), EnlistError> {
        let identity = self.identity.as_ref().ok_or(EnlistError::IdentityMissing)?;
        let max = rules.user_identifier_chars_max;
        let user = identity.user_identifier.as_str();
        if user.is_empty() || user.chars().nth(max).is_some() {
            return Err(EnlistError::UserIdentifierLength { max });
        }
        form.push("integrator_id", &identity.integrator_id.to_string());
        form.push("user_identifier", user);
        Ok(())
    }

    fn bounded_token(&self, rules: &TokenRules) -> Result<&str, EnlistError> {
        let (bytes, max) = (self.token.len(), rules.bytes_max);
        if bytes == 0 || bytes > max {
            return Err(EnlistError::TokenLength { bytes, max });
        }
        Ok(&self.token)
    }
}

impl fmt::Debug for EnlistRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnlistRequest").finish_non_exhaustive()
    }
}
