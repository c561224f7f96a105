//! A demonstration integrator: what a third party's server must do, in one file, so that nobody needs one to begin
//! (overview §1.3, §3.2.2, §4.1). It gives tokens to everybody who asks, so it is for this machine only.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rand::rngs::SysRng;
use rand_core::{Rng, UnwrapErr};
use serde::Deserialize;
use serde_json::{Value, json};
use wa_keys::PrivateKey;
use wa_profile::Profile;
use wa_signal::SignedPrekey;

use crate::api::{Problem, read};
use crate::guard;
use crate::newest::Newest;
use crate::shared::Shared;
use crate::signing_key::{KeyGeneration, SigningKey};

mod user;
pub(crate) mod users;

/// The name of its key.
const KID: &str = "demonstration";

/// Seconds for which its tokens live.
const LIFETIME: u64 = 600;

/// Longest file that it hosts, in bytes, and how many.
const MAX_FILE: usize = 32 << 20;
const MAX_FILES: usize = 100;

/// Longest body of anything else, in bytes.
const MAX_BODY: usize = 64 << 10;

/// Pushes that it remembers.
const MAX_PUSHES: usize = 1000;

const WELCOME: &str = "\
This is the demonstration integrator of wa-sandbox: a third party's server.

GET  /.well-known/oauth/openid/jwks   its keys
POST /token {\"user\": \"alice\"}         a token for a user
POST /form {\"user\": \"alice\"}          a whole enlistment with throw-away keys, as the form that the API takes
POST /push                            where WhatsApp's pushes arrive
GET  /pushes                          those that arrived, and what was wrong with them
POST /media                           hosts the encrypted file in the body; gives its direct path
GET  /{reference}                     the file
";

/// The demonstration integrator's server.
pub(crate) struct Demo {
    id: u16,
    base_url: String,
    profile: Profile,
    jwk: Value,
    key: EncodingKey,
    whatsapp: Arc<Shared>,
    kept: Mutex<Kept>,
}

struct Kept {
    pushes: VecDeque<Value>,
    files: Newest<String, Bytes>,
}

impl Kept {
    fn new() -> Self {
        Self { pushes: VecDeque::new(), files: Newest::new(MAX_FILES) }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    user: String,
}

#[derive(Deserialize)]
struct Push {
    to: String,
}

type Answer = Response<Full<Bytes>>;

impl Demo {
    pub(crate) fn new(
        id: u16,
        base_url: String,
        profile: Profile,
        whatsapp: Arc<Shared>,
    ) -> Result<Self, KeyGeneration> {
        let key = SigningKey::generate()?;
        let (jwk, private) = (key.jwk(KID), key.to_pkcs1().ok_or(KeyGeneration)?);
        let key = EncodingKey::from_rsa_der(&private);
        Ok(Self { id, base_url, profile, jwk, key, whatsapp, kept: Mutex::new(Kept::new()) })
    }

    fn token(&self, user: &str) -> Result<Value, Problem> {
        let now = self.whatsapp.clock.now();
        let claims = json!({
            "iss": self.base_url,
            "sub": user,
            "aud": self.profile.token.audience,
            "iat": now,
            "exp": now + LIFETIME,
        });
        let header = Header { kid: Some(KID.to_owned()), ..Header::new(Algorithm::RS256) };
        match jsonwebtoken::encode(&header, &claims, &self.key) {
            Ok(token) => Ok(json!({ "token": token, "expires_in": LIFETIME })),
            Err(error) => Err(Problem::new(500, "cannot-sign", error.to_string())),
        }
    }

    /// An enlistment as the overview has it, with keys that nobody keeps.
    fn form(&self, user: &str) -> Result<String, Problem> {
        let token = self.token(user)?;
        let mut rng = UnwrapErr(SysRng);
        let (noise, identity) = (PrivateKey::generate(&mut rng), PrivateKey::generate(&mut rng));
        let signed = SignedPrekey::sign(1, &PrivateKey::generate(&mut rng), &identity, &mut rng);
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = |name: &str| token.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let arguments = [
            ("authkey", encode(noise.public_key().as_bytes())),
            ("e_keytype", encode(&[5])),
            ("e_regid", encode(&rng.next_u32().to_be_bytes())),
            ("e_ident", encode(identity.public_key().as_bytes())),
            ("e_skey_id", encode(&[0, 0, 1])),
            ("e_skey_val", encode(signed.key.as_bytes())),
            ("e_key_sig", encode(signed.signature.as_bytes())),
            ("integrator_id", self.id.to_string()),
            ("user_identifier", user.to_owned()),
            ("token", text("token")),
        ];
        Ok(form_urlencoded::Serializer::new(String::new()).extend_pairs(arguments).finish())
    }

    /// What is wrong with a push's token, if anything (overview §3.2.2).
    fn judge_push(&self, authorization: Option<&str>) -> Result<(), String> {
        let token =
            authorization.and_then(|it| it.strip_prefix("Bearer ")).ok_or("there is no bearer token")?;
        let kid = jsonwebtoken::decode_header(token).map_err(|error| error.to_string())?.kid;
        let jwks = self.whatsapp.with_pushes(|pushes| pushes.jwks());
        let jwks: Value = serde_json::from_str(&jwks).map_err(|error| error.to_string())?;
        let keys = jwks.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        let text = |key: &Value, name: &str| key.get(name).and_then(Value::as_str).map(str::to_owned);
        let key =
            keys.iter().find(|key| text(key, "kid") == kid).ok_or("its kid names no key of WhatsApp's")?;
        let (n, e) = (text(key, "n").unwrap_or_default(), text(key, "e").unwrap_or_default());
        let key = DecodingKey::from_rsa_components(&n, &e).map_err(|error| error.to_string())?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&self.profile.push.issuer]);
        validation.set_audience(&[self.profile.push.audience(&self.base_url)]);
        validation.set_required_spec_claims(&["aud", "exp", "iss"]);
        // The sandbox's clock is compared, not the machine's.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Value>(token, &key, &validation);
        let exp = claims.map_err(|error| error.to_string())?.claims.get("exp").and_then(Value::as_u64);
        if exp.is_some_and(|exp| exp >= self.whatsapp.clock.now()) {
            Ok(())
        } else {
            Err("it has expired".to_owned())
        }
    }

    fn push(&self, authorization: Option<&str>, body: &[u8]) -> Answer {
        let judged = self.judge_push(authorization);
        let to = serde_json::from_slice::<Push>(body).ok().map(|push| push.to);
        let pushed = json!({ "at": self.whatsapp.clock.now(), "to": to, "refused": judged.as_ref().err() });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.pushes.len() == MAX_PUSHES {
            kept.pushes.pop_front();
        }
        kept.pushes.push_back(pushed);
        match (judged, to) {
            (Ok(()), Some(_)) => status(StatusCode::OK),
            (Ok(()), None) => status(StatusCode::BAD_REQUEST),
            (Err(_), _) => status(StatusCode::UNAUTHORIZED),
        }
    }

    fn host(&self, file: Bytes) -> Value {
        let mut name = [0; 16];
        UnwrapErr(SysRng).fill_bytes(&mut name);
        let reference = hex::encode(name);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.files.get_or_insert(reference.clone(), file);
        let form = &self.profile.media.interop_direct_path;
        let path =
            form.replace("{integrator}", &self.id.to_string()).replace("{storage_reference}", &reference);
        json!({ "storage_reference": reference, "direct_path": path })
    }

    fn hosted(&self, reference: &str) -> Option<Bytes> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).files.get(&reference.to_owned()).cloned()
    }

    fn pushes(&self) -> Value {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        json!({ "pushes": kept.pushes })
    }
}

/// Answers one request.
pub(crate) async fn handle(demo: Arc<Demo>, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path();
    // A web page may not make tokens.
    let admitted = guard::admit(&parts.headers, parts.uri.authority(), demo.whatsapp.token.as_deref());
    let most = if admitted.is_ok() && path == "/media" { MAX_FILE } else { MAX_BODY };
    let Ok(body) = Limited::new(body, most).collect().await else {
        return status(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let body = body.to_bytes();
    let answer = match (&parts.method, path) {
        (&Method::GET, "/") => {
            return text("text/plain; charset=utf-8", Bytes::from_static(WELCOME.as_bytes()));
        }
        (&Method::GET, path) if path == demo.profile.token.jwks_path => Ok(json!({ "keys": [demo.jwk] })),
        (&Method::POST, path) if path == demo.profile.push.path => {
            let authorization = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
            return demo.push(authorization, &body);
        }
        (&Method::GET, "/pushes") => admitted.map(|()| demo.pushes()),
        (&Method::POST, "/token") => {
            admitted.and_then(|()| read::<Ask>(&body)).and_then(|ask| demo.token(&ask.user))
        }
        (&Method::POST, "/form") => {
            let form = admitted.and_then(|()| read::<Ask>(&body)).and_then(|ask| demo.form(&ask.user));
            match form {
                Ok(form) => return text("application/x-www-form-urlencoded", form.into()),
                Err(problem) => Err(problem),
            }
        }
        (&Method::POST, "/media") => admitted.map(|()| demo.host(body)),
        (&Method::GET, path) => match demo.hosted(path.trim_start_matches('/')) {
            Some(file) => return text("application/octet-stream", file),
            None => return status(StatusCode::NOT_FOUND),
        },
        _ => return status(StatusCode::NOT_FOUND),
    };
    said(answer)
}

fn said(answer: Result<Value, Problem>) -> Answer {
    match answer {
        Ok(value) => text("application/json", value.to_string().into()),
        Err(problem) => {
            let mut answer = text("application/problem+json", problem.to_json().to_string().into());
            *answer.status_mut() = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
            answer
        }
    }
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = status;
    answer
}

fn text(content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    answer
}

impl std::fmt::Debug for Demo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Demo").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}
