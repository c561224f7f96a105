//! Pushes as WhatsApp sends them, each with a token of its own, and what bare verification makes of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use josekit::jwk::Jwk;
use josekit::jws::RS256;
use josekit::jws::alg::rsassa::RsassaJwsVerifier;
use serde_json::{Value, json};
use wa_http::{HttpClient, HttpError};
use wa_integrator::{Clock, SigningKey};

/// For whom they are.
pub const AUDIENCE: &str = "https://integrator.example";

const KID: &str = "1aXf8";

/// Distinct pushes, signed beforehand.
#[derive(Debug)]
pub struct Pushes {
    tokens: Vec<Signed>,
    key_set: String,
    verifier: RsassaJwsVerifier,
}

#[derive(Debug)]
struct Signed {
    message: String,
    signature: Vec<u8>,
}

/// WhatsApp's keys, without a network.
#[derive(Clone, Debug)]
pub struct Published(pub String);

impl HttpClient for Published {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut response = Response::new(Bytes::from(self.0.clone()));
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(response)
    }
}

/// WhatsApp's keys, when they come slowly and are none of those that are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Slow;

impl HttpClient for Slow {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        Err(HttpError::Timeout)
    }
}

impl Pushes {
    /// Signs so many, on all processors.
    ///
    /// # Panics
    /// If OpenSSL fails.
    pub fn sign(count: usize) -> Self {
        let key = SigningKey::generate().expect("a key");
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let now = Clock::system().now();
        let tokens = std::thread::scope(|scope| {
            let part = |thread: usize| {
                let key = &key;
                scope.spawn(move || (thread..count).step_by(threads).map(|n| signed(key, n, now)).collect())
            };
            let parts: Vec<_> = (0..threads).map(part).collect();
            parts.into_iter().flat_map(|part| -> Vec<Signed> { part.join().expect("signing") }).collect()
        });
        let (n, e) = (key.public_key().n(), key.public_key().e());
        let public = json!({"kty": "RSA", "kid": KID, "alg": "RS256", "use": "sig", "n": n, "e": e});
        let Value::Object(members) = public.clone() else { unreachable!("an object") };
        let jwk = Jwk::from_map(members).expect("a key");
        let verifier = RS256.verifier_from_jwk(&jwk).expect("a key that verifies");
        Self { tokens, key_set: json!({ "keys": [public] }).to_string(), verifier }
    }

    /// WhatsApp's key set.
    pub fn published(&self) -> Published {
        Published(self.key_set.clone())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The request of one of them, to a user of its own.
    ///
    /// # Panics
    /// If there is no such push.
    pub fn request(&self, number: usize) -> Request<Full<Bytes>> {
        let Signed { message, signature } = &self.tokens[number];
        let token = format!("Bearer {message}.{}", URL_SAFE_NO_PAD.encode(signature));
        Request::post("/push")
            .header(header::HOST, "integrator.example")
            .header(header::AUTHORIZATION, token)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(format!("{{\"to\":\"user {number}\"}}")))
            .expect("a request")
    }

    /// The request to the same user with the token of the first of them.
    ///
    /// # Panics
    /// If there is no push.
    pub fn repeated(&self, number: usize) -> Request<Full<Bytes>> {
        let mut request = self.request(number);
        let first = self.request(0);
        request.headers_mut().clone_from(first.headers());
        request
    }

    /// One of them as HTTP/1.1 says it.
    ///
    /// # Panics
    /// If there is no such push.
    pub fn bytes(&self, number: usize) -> Vec<u8> {
        let Signed { message, signature } = &self.tokens[number];
        let (signature, body) = (URL_SAFE_NO_PAD.encode(signature), format!("{{\"to\":\"user {number}\"}}"));
        let length = body.len();
        format!(
            "POST /push HTTP/1.1\r\nhost: integrator.example\r\nauthorization: Bearer {message}.{signature}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Nothing but the RSA verification of one of them.
    ///
    /// # Panics
    /// If it does not verify, or there is no such push.
    pub fn verify(&self, number: usize) {
        use josekit::jws::JwsVerifier as _;
        let Signed { message, signature } = &self.tokens[number];
        self.verifier.verify(message.as_bytes(), signature).expect("its signature");
    }
}

fn signed(key: &SigningKey, number: usize, now: u64) -> Signed {
    let header = json!({"alg": "RS256", "kid": KID, "typ": "JWT"}).to_string();
    let iat = now - 60 - u64::try_from(number % 1000).unwrap_or(0);
    let claims =
        json!({"iss": "WHATSAPP", "aud": AUDIENCE, "iat": iat, "exp": iat + 3600, "n": number}).to_string();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(message.as_bytes()).expect("a signature");
    Signed { message, signature }
}
