//! `openapi.yaml` and the running server say the same: every answer of the one is given by the other, in that form.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, Request, Response};
use sha2::{Digest as _, Sha256};
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::{SharedSecret, UserIdentifier};

use crate::fixture::callers::{publish, pushes, token};
use crate::fixture::document::Document;
use crate::fixture::postgres::Postgres;
use crate::fixture::program::{Program, command};

const SECRET: [u8; 32] = [0x5a; 32];
const BASE: &str = "https://integrator.example";
const JWKS: &str = "/.well-known/oauth/openid/jwks";
const MEDIA: &str = "/{storage_reference}";

/// The servers, the document, and which of its answers were given.
struct World {
    document: Document,
    seen: BTreeSet<(String, String, u16)>,
    client: HyperClient,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_of_the_document_is_given() {
    let (mut database, directory, whatsapp) =
        (Postgres::start(), tempfile::tempdir().unwrap(), publish().await);
    let secret = directory.path().join("secret");
    fs::write(&secret, hex::encode(SECRET)).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    let mut quiet = command(&directory.path().join("data"));
    quiet.env("WA_INTEGRATOR_LOG", "off").env("WA_INTEGRATOR_POSTGRES", database.database().await);
    quiet.args(["--listen", "127.0.0.1:0", "--base-url", BASE, "--set", "push.strangers=not-found"]);
    for limit in ["tokens.a_minute=1", "push.a_minute=1", "media.bytes_max=100", "media.files_a_day=3"] {
        quiet.args(["--set", limit]);
    }
    quiet.env("WA_INTEGRATOR_SHARED_SECRET_FILE", &secret);
    quiet.env("WA_INTEGRATOR_MEDIA_DIRECTORY", directory.path().join("media")).args(pushes(&whatsapp));
    let program = Program::of(&mut quiet);
    let address = program.ready["address"].as_str().unwrap().to_owned();
    let mut world = World {
        document: Document::read(),
        seen: BTreeSet::new(),
        client: HyperClient::new(HttpLimits::default()).with_plain_http(PlainHttp::Http1),
    };
    let reference = world.while_all_is_well(&address).await;
    database.stop();
    world.without_a_database(&address, &reference).await;
    let anybody = credential("anybody");
    for (path, methods) in world.document.methods() {
        // An upload is looked at once it is known whose it is.
        let headers = [("authorization", anybody.as_str())];
        let headers = if path == "/media" { &headers[..] } else { &[] };
        let response = world.send(&address, &path.replace(MEDIA, &reference), "PUT", headers, b"").await;
        assert_eq!(response.status(), 405, "{path}");
        let allow = response.headers()["allow"].to_str().unwrap();
        assert_eq!(allow.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), methods, "{path}");
    }
    // Needs minutes of time or of traffic: `tests/media`, `tests/routes.rs`.
    let elsewhere = [
        (JWKS, "get", 503),
        (JWKS, "head", 503),
        ("/media", "post", 408),
        ("/push", "post", 429),
        (MEDIA, "get", 429),
        (MEDIA, "head", 429),
    ];
    let elsewhere = elsewhere.map(|(path, method, status)| (path.to_owned(), method.to_owned(), status));
    world.seen.extend(elsewhere);
    assert_eq!(world.seen, world.document.answers());
}

impl World {
    /// Gives the path of what was uploaded.
    async fn while_all_is_well(&mut self, address: &str) -> String {
        let etag = self.check(address, JWKS, "get", &[], b"", 200).await.headers()["etag"].clone();
        let etag = etag.to_str().unwrap();
        self.check(address, JWKS, "get", &[("if-none-match", etag)], b"", 304).await;
        self.check(address, JWKS, "head", &[], b"", 200).await;
        self.check(address, JWKS, "head", &[("if-none-match", etag)], b"", 304).await;

        let alice = credential("alice");
        let alice = ("authorization", alice.as_str());
        self.check(address, "/token", "post", &[alice], b"", 200).await;
        self.check(address, "/token", "post", &[alice], b"", 429).await;
        self.check(address, "/token", "post", &[], b"", 401).await;
        self.check(address, "/token", "post", &[alice], &[b' '; 5000], 413).await;

        let whatsapp = format!("Bearer {}", token(BASE));
        let (json, whatsapp) = (("content-type", "application/json"), ("authorization", whatsapp.as_str()));
        let push = br#"{"to":"alice"}"#;
        self.check(address, "/push", "post", &[json, whatsapp], push, 200).await;
        // Woken often enough: taken all the same, and brought later.
        self.check(address, "/push", "post", &[json, whatsapp], push, 200).await;
        self.check(address, "/push", "post", &[json, whatsapp], br#"{"to":"mallory"}"#, 404).await;
        self.check(address, "/push", "post", &[json, whatsapp], b"{}", 400).await;
        self.check(address, "/push", "post", &[json, whatsapp], &[b' '; 5000], 413).await;
        self.check(address, "/push", "post", &[whatsapp], push, 415).await;
        self.check(address, "/push", "post", &[json], push, 401).await;
        let dora = credential("dora");
        self.check(address, "/user", "delete", &[("authorization", &dora)], b"", 204).await;
        self.check(address, "/user", "delete", &[], b"", 401).await;
        self.media(address, alice).await
    }

    async fn media(&mut self, address: &str, alice: (&str, &str)) -> String {
        let digest = digest(b"file");
        let digest = ("content-digest", digest.as_str());
        self.check(address, "/media", "post", &[digest], b"file", 401).await;
        self.check(address, "/media", "post", &[alice], b"file", 400).await;
        self.check(address, "/media", "post", &[alice, digest], b"fire", 422).await;
        self.check(address, "/media", "post", &[alice, digest], &[0; 101], 413).await;
        self.check(address, "/media", "post", &[alice, digest, ("transfer-encoding", "chunked")], b"", 411)
            .await;
        let uploaded = self.check(address, "/media", "post", &[alice, digest], b"file", 201).await;
        let reference = format!("/{}", uploaded.headers()["location"].to_str().unwrap());
        self.check(address, "/media", "post", &[alice, digest], b"file", 201).await;
        self.check(address, "/media", "post", &[alice, digest], b"file", 429).await;

        let etag = self.check(address, &reference, "get", &[], b"", 200).await.headers()["etag"].clone();
        let known = ("if-none-match", etag.to_str().unwrap());
        let absent = format!("/{}", "A".repeat(43));
        for method in ["get", "head"] {
            self.check(address, &reference, method, &[], b"", 200).await;
            self.check(address, &reference, method, &[known], b"", 304).await;
            self.check(address, &reference, method, &[("authorization", "Bearer a.b.c")], b"", 401).await;
            self.check(address, &absent, method, &[], b"", 404).await;
        }
        self.check(address, &reference, "get", &[("range", "bytes=1-2")], b"", 206).await;
        self.check(address, &reference, "get", &[("range", "bytes=9-")], b"", 416).await;
        let bob = credential("bob");
        self.check(address, &reference, "delete", &[("authorization", &bob)], b"", 404).await;
        self.check(address, &reference, "delete", &[], b"", 401).await;
        self.check(address, &reference, "delete", &[alice], b"", 204).await;
        reference
    }

    async fn without_a_database(&mut self, address: &str, reference: &str) {
        let carol = credential("carol");
        let carol = ("authorization", carol.as_str());
        let whatsapp = format!("Bearer {}", token(BASE));
        let headers = [("content-type", "application/json"), ("authorization", whatsapp.as_str())];
        let digest = digest(b"file");
        self.check(address, "/token", "post", &[carol], b"", 503).await;
        self.check(address, "/push", "post", &headers, br#"{"to":"carol"}"#, 503).await;
        self.check(address, "/user", "delete", &[carol], b"", 503).await;
        self.check(address, "/media", "post", &[carol, ("content-digest", &digest)], b"file", 503).await;
        for method in ["get", "head"] {
            self.check(address, reference, method, &[], b"", 503).await;
        }
        self.check(address, reference, "delete", &[carol], b"", 503).await;
    }

    /// Asks, and compares the answer with the document's.
    async fn check(
        &mut self,
        address: &str,
        path: &str,
        method: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        status: u16,
    ) -> Response<Bytes> {
        let response = self.send(address, path, &method.to_uppercase(), headers, body).await;
        assert_eq!(response.status(), status, "{method} {path} {headers:?}");
        let template = if path.len() == 44 { MEDIA } else { path };
        self.document.compare(template, method, &response);
        self.seen.insert((template.to_owned(), method.to_owned(), status));
        response
    }

    async fn send(
        &self,
        address: &str,
        path: &str,
        method: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response<Bytes> {
        let method: Method = method.parse().unwrap();
        let mut request = Request::builder().method(method).uri(format!("{address}{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.client.send(request.body(Bytes::copy_from_slice(body)).unwrap()).await.unwrap()
    }
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the system's clock")]
fn credential(user: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let user = UserIdentifier::new(user, 40).unwrap();
    format!("Bearer {}", SharedSecret::new(SECRET, 40).credential(&user, now + 300))
}

fn digest(bytes: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)))
}
