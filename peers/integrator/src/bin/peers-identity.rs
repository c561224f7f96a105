//! `cargo xtask peers identity`: clients of other languages verify our tokens with our published keys.
//!
//! npm `jose` and PyJWT, installed on first use beside their scripts, fetch the keys over HTTP from a server of ours
//! whose keys are rotated and revoked in between, and verify what it issues; they must refuse a changed token, and one
//! of a revoked key.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use peers_integrator::{Client, USER, WHATSAPP, credential};
use serde_json::Value;
use wa_http::{HttpClient as _, HttpLimits, HyperClient, PlainHttp};
use wa_http_server::{ConnectionLimits, Server};
use wa_integrator::{
    BaseUrl, Clock, Integrator, KeyKeeper, KeyRules, MemoryStore, SharedSecret, TokenIssuer,
};
use wa_profile::Profile;

type Fault = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Fault> {
    let clients = [Client::jose()?, Client::pyjwt()?];
    let (server, keeper) = serve().await?;
    let now = Clock::system().now();
    let mut agreed = 0;
    let first = server.token().await?;
    agreed += server.accepted(&clients, &first)?;
    keeper.rotate(now).await?;
    agreed += server.accepted(&clients, &first)?;
    let second = server.token().await?;
    agreed += server.accepted(&clients, &second)?;
    keeper.revoke(&kid(&second)?, now).await?;
    agreed += server.refused(&clients, &second)?;
    agreed += server.accepted(&clients, &server.token().await?)?;
    agreed += server.refused(&clients, &changed(&first))?;
    println!("{agreed} verdicts of {} clients, all as they should be", clients.len());
    Ok(())
}

/// A server of ours on a loopback port.
struct Running {
    base: String,
    jwks: String,
}

async fn serve() -> Result<(Running, KeyKeeper), Fault> {
    let rules = Profile::default().token;
    let server = Server::bind(([127, 0, 0, 1], 0).into(), ConnectionLimits::default()).await?;
    let base = BaseUrl::from_loopback(server.address())?;
    let keys = KeyRules::new(rules.peer_refresh_max, rules.lifetime_max);
    let keeper = KeyKeeper::new(Arc::new(MemoryStore::new()), keys);
    keeper.refresh(Clock::system().now()).await?;
    let issuer = TokenIssuer::new(base.clone(), &rules, rules.lifetime_max)?;
    let authenticator = SharedSecret::new([7; 32], rules.user_identifier_chars_max);
    let service = Integrator::new(issuer, keeper.keys(), authenticator, Clock::system());
    let running = Running { base: base.to_string(), jwks: service.jwks_url() };
    tokio::spawn(server.run(service, std::future::pending()));
    Ok((running, keeper))
}

impl Running {
    async fn token(&self) -> Result<String, Fault> {
        let client = HyperClient::new(HttpLimits::default().with_total(Duration::from_secs(5)));
        let request =
            Request::post(format!("{}/token", self.base)).header(header::AUTHORIZATION, credential());
        let answer = client.with_plain_http(PlainHttp::Http1).send(request.body(Bytes::new())?).await?;
        let answer: Value = serde_json::from_slice(answer.body())?;
        Ok(answer["token"].as_str().ok_or("no token")?.to_owned())
    }

    /// Every client accepts the token and reads the user in it.
    fn accepted(&self, clients: &[Client], token: &str) -> Result<usize, Fault> {
        for client in clients {
            let read =
                self.verify(client, token)?.ok_or_else(|| format!("{} refuses our token", client.name()))?;
            if read["claims"]["sub"] != USER || read["header"]["alg"] != "RS256" {
                return Err(format!("{} reads another token: {read}", client.name()).into());
            }
        }
        Ok(clients.len())
    }

    /// No client accepts it.
    fn refused(&self, clients: &[Client], token: &str) -> Result<usize, Fault> {
        for client in clients {
            if self.verify(client, token)?.is_some() {
                return Err(format!("{} accepts what it must not", client.name()).into());
            }
        }
        Ok(clients.len())
    }

    fn verify(&self, client: &Client, token: &str) -> Result<Option<Value>, Fault> {
        Ok(client.verify([&self.jwks, token, &self.base, WHATSAPP], None)?)
    }
}

/// The name of a token's key.
fn kid(token: &str) -> Result<String, Fault> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap_or_default())?;
    let header: Value = serde_json::from_slice(&header)?;
    Ok(header["kid"].as_str().ok_or("no kid")?.to_owned())
}

/// The token with another character in its signature.
fn changed(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or_default();
    let other = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{signed}.{other}{}", signature.get(1..).unwrap_or_default())
}
