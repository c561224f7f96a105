//! Clauses about enlistment and tokens.

use crate::rules::{Clause, Place};

const E: Place = Place::Enlistment;
const T: Place = Place::Token;

const ARGUMENTS: &str = "status fail, sandbox_bad_arguments";
const TOKEN: &str = "status fail, sandbox_bad_token; at login: failure 401";
const WRONG_JSON: &str = "status fail, sandbox_bad_form";

/// Every clause of this file.
pub(super) const ENTRY: &[&Clause] = &[
    &FORM,
    &FORM_TYPE,
    &ARGUMENT_TWICE,
    &ARGUMENT_UNKNOWN,
    &INTEGRATOR,
    &IDENTIFIER,
    &VERSION,
    &VERSION_OLD,
    &AUTHKEY,
    &KEYTYPE,
    &REGID,
    &IDENT,
    &SKEY_ID,
    &SKEY_VAL,
    &SKEY_SIG,
    &SPELLINGS,
    &SIGNED,
    &TOKEN_MISSING,
    &TOKEN_SIZE,
    &TOKEN_FORM,
    &TOKEN_ALGORITHM,
    &TOKEN_KID,
    &TOKEN_KEY,
    &KEYS_AWAY,
    &TOKEN_SIGNATURE,
    &TOKEN_CLAIMS,
    &TOKEN_ISSUER,
    &TOKEN_AUDIENCE,
    &TOKEN_EXPIRED,
    &TOKEN_EARLY,
    &TOKEN_LIFE,
    &TOKEN_SUBJECT,
];

/// The body is a form.
pub const FORM: Clause =
    Clause::new("enlist-form", E, "the body is a form: name=value pairs joined by &", "overview §1.2.2")
        .mend(
            "send application/x-www-form-urlencoded, as curl --data-urlencode does; not JSON, not multipart",
        )
        .answer(WRONG_JSON);

/// The content type says so.
pub const FORM_TYPE: Clause = Clause::new(
    "enlist-content-type",
    E,
    "the content type is application/x-www-form-urlencoded",
    "overview §1.2.2, the example",
)
.mend("send the header Content-Type: application/x-www-form-urlencoded")
.note();

/// Each argument once.
pub const ARGUMENT_TWICE: Clause = Clause::new("enlist-twice", E, "each argument is given once", "assumed")
    .mend("give the argument once")
    .answer(ARGUMENTS);

/// No other arguments.
pub const ARGUMENT_UNKNOWN: Clause = Clause::new(
    "enlist-unknown-argument",
    E,
    "arguments are those of the documents",
    "overview §1.2.2; RO 1.0.3",
)
.mend("leave the argument out")
.note();

/// The integrator is known.
pub const INTEGRATOR: Clause = Clause::new(
    "enlist-integrator",
    E,
    "integrator_id, 1 to 999 without leading zeros, or without it the token's issuer, names an onboarded third party",
    "overview §1.2.2; by the issuer: assumed",
)
.mend("give the id that the sandbox has (GET /v1/integrators), and a token whose iss is that integrator's base URL")
.answer("status fail, bad_integrator");

/// The identifier is the token's.
pub const IDENTIFIER: Clause = Clause::new(
    "enlist-identifier",
    E,
    "user_identifier has 1 to 40 characters and is the one that the token names",
    "overview §1.2, §1.2.2",
)
.mend("give the user identifier that the token has in sub")
.answer("status fail, sandbox_bad_identifier");

/// The version can be read.
pub const VERSION: Clause = Clause::new(
    "enlist-version",
    E,
    "a protocol version, where one is given, has three numbers with dots between",
    "overview §1.2: checked; its argument is assumed",
)
.mend("give interop_version=1.0.3, or leave it out")
.answer("status fail, sandbox_bad_version");

/// The version is not too old.
pub const VERSION_OLD: Clause =
    Clause::new("enlist-version-old", E, "the protocol version is 1.0.0 or later", "overview §6.3; RO 1.0.3")
        .mend("state a version that was published: 1.0.0 to 1.0.3")
        .answer("status fail, sandbox_version_too_old");

/// `authkey`.
pub const AUTHKEY: Clause = Clause::new(
    "enlist-authkey",
    E,
    "authkey is the Noise static public key: 32 bytes, in base64url without padding 43 characters, not all zero",
    "overview §1.2.2",
)
.mend("encode the 32 bytes with base64url and strip the ='s")
.answer(ARGUMENTS);

/// `e_keytype`.
pub const KEYTYPE: Clause =
    Clause::new("enlist-keytype", E, "e_keytype is the byte 5: BQ", "overview §1.2.2")
        .mend("give e_keytype=BQ")
        .answer(ARGUMENTS);

/// `e_regid`.
pub const REGID: Clause = Clause::new(
    "enlist-regid",
    E,
    "e_regid is the registration id: 4 bytes, big-endian, 6 characters",
    "overview §1.2.2; RO 1.0.3",
)
.mend("encode the number in 4 bytes, most significant first, with base64url and without padding")
.answer(ARGUMENTS);

/// `e_ident`.
pub const IDENT: Clause = Clause::new(
    "enlist-ident",
    E,
    "e_ident is the Signal identity key without the byte 5 in front: 32 bytes, 43 characters",
    "overview §1.2.2",
)
.mend("strip the byte 0x05 that Signal libraries put in front of keys, then base64url without padding")
.answer(ARGUMENTS);

/// `e_skey_id`.
pub const SKEY_ID: Clause = Clause::new(
    "enlist-skey-id",
    E,
    "e_skey_id (or e_key_id) is the signed prekey's id: 3 bytes, big-endian, 4 characters",
    "overview §1.2.2",
)
.mend("encode the number in 3 bytes with base64url")
.answer(ARGUMENTS);

/// `e_skey_val`.
pub const SKEY_VAL: Clause = Clause::new(
    "enlist-skey-val",
    E,
    "e_skey_val (or e_key_val) is the signed prekey without the byte 5 in front: 32 bytes, 43 characters",
    "overview §1.2.2",
)
.mend("strip the byte 0x05, then base64url without padding")
.answer(ARGUMENTS);

/// `e_skey_sig`.
pub const SKEY_SIG: Clause = Clause::new(
    "enlist-skey-sig",
    E,
    "e_skey_sig (or e_key_sig) is the signature: 64 bytes, 86 characters",
    "overview §1.2.2; RO 1.0.3",
)
.mend("encode the 64 bytes with base64url without padding; the overview's printed sample has one character too many")
.answer(ARGUMENTS);

/// Spellings that agree.
pub const SPELLINGS: Clause = Clause::new(
    "enlist-spellings",
    E,
    "where one value is given in two spellings, both say the same",
    "overview §1.2.2: table and example differ",
)
.mend("give one spelling")
.answer(ARGUMENTS);

/// The prekey's signature.
pub const SIGNED: Clause = Clause::new(
    "enlist-signature",
    E,
    "the signature is XEdDSA by the identity key over the byte 5 and the signed prekey: 33 bytes",
    "overview §1.2.2; the 33 bytes: observed",
)
.mend("sign 0x05 || e_skey_val, not the 32 bytes alone, with the identity's private key")
.answer("status fail, sandbox_bad_signature");

/// There is a token.
pub const TOKEN_MISSING: Clause =
    Clause::new("token-missing", T, "there is a token", "overview §1.1, §1.2.2")
        .mend("give the token that your server signed in the argument token")
        .answer(TOKEN);

/// The token's size.
pub const TOKEN_SIZE: Clause =
    Clause::new("token-size", T, "a token has at most 4,096 bytes", "overview §1.2.2")
        .mend("put fewer claims into it")
        .answer(TOKEN);

/// It is a JWT.
pub const TOKEN_FORM: Clause = Clause::new(
    "token-form",
    T,
    "a token is a JWT in compact form: three parts of base64url with dots between",
    "overview §1.1; RFC 7519",
)
.mend("give the token as the library returns it, without quotes, spaces or padding")
.answer(TOKEN);

/// A token is signed with RS256.
pub const TOKEN_ALGORITHM: Clause =
    Clause::new("token-algorithm", T, "the header's alg is RS256", "overview §1.3: the keys' alg")
        .mend("sign with RS256 (RSASSA-PKCS1-v1_5, SHA-256)")
        .answer(TOKEN);

/// A key id.
pub const TOKEN_KID: Clause = Clause::new("token-kid", T, "the header has a kid", "overview §1.3")
    .mend("put the kid of your published key into the header")
    .answer(TOKEN);

/// A published key.
pub const TOKEN_KEY: Clause = Clause::new(
    "token-key",
    T,
    "the kid names a usable key of the JWKS: kty RSA, alg RS256, use sig, 2,048 bits or more",
    "overview §1.3",
)
.mend("publish the key at /.well-known/oauth/openid/jwks before it signs, and do not withdraw it while tokens live")
.answer(TOKEN);

/// The keys can be fetched.
pub const KEYS_AWAY: Clause = Clause::new(
    "token-keys-unreachable",
    T,
    "the integrator's JWKS can be fetched: HTTP 200, a JSON object with the member keys, within 10 s",
    "overview §1.1, §1.3",
)
.mend("start your server, and see that GET {base URL}/.well-known/oauth/openid/jwks answers")
.answer("status fail, sandbox_keys_unreachable; at login: failure 401");

/// A token's signature is of a published key.
pub const TOKEN_SIGNATURE: Clause = Clause::new(
    "token-signature",
    T,
    "the signature verifies with the key that kid names",
    "overview §1.1 (4)",
)
.mend("sign header.payload with the private half of the key that is published under this kid")
.answer(TOKEN);

/// A token has all the claims.
pub const TOKEN_CLAIMS: Clause = Clause::new(
    "token-claims",
    T,
    "the payload is a JSON object with iss, sub, aud, and iat and exp as whole seconds",
    "overview §1.1: standard OpenID; the choice is assumed",
)
.mend("add the claim")
.answer(TOKEN);

/// A token's issuer is the integrator's base URL.
pub const TOKEN_ISSUER: Clause =
    Clause::new("token-issuer", T, "iss is the integrator's base URL, without a slash at the end", "assumed")
        .mend("give iss exactly as the sandbox has the base URL (GET /v1/integrators)")
        .answer(TOKEN);

/// A token's audience is WhatsApp.
pub const TOKEN_AUDIENCE: Clause =
    Clause::new("token-audience", T, "aud is, or holds, the profile's audience", "assumed")
        .mend("give aud as the profile says: https://whatsapp.com (token.audience)")
        .answer(TOKEN);

/// A token has not expired.
pub const TOKEN_EXPIRED: Clause = Clause::new(
    "token-expired",
    T,
    "exp is not more than 60 s ago",
    "overview §1.1: at a given point in time",
)
.mend("make a new token for each enlistment and login; the sandbox's clock is at GET /v1/clock")
.answer(TOKEN);

/// Not from the future.
pub const TOKEN_EARLY: Clause = Clause::new(
    "token-early",
    T,
    "iat is not more than 60 s ahead",
    "overview §1.1: at a given point in time",
)
.mend("set your clock; the sandbox's is at GET /v1/clock")
.answer(TOKEN);

/// Not too long.
pub const TOKEN_LIFE: Clause =
    Clause::new("token-life", T, "exp is after iat, by at most one hour", "assumed")
        .mend("let tokens live for at most 3,600 s")
        .answer(TOKEN);

/// The account's own user.
pub const TOKEN_SUBJECT: Clause =
    Clause::new("token-subject", T, "sub is the user identifier that was enlisted", "overview §1.1")
        .mend("log in with a token of the user to whom this login was assigned")
        .answer("failure 401");
