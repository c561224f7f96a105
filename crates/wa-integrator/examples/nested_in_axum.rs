//! The third party's routes inside an application's own, with axum: `cargo run --example nested_in_axum`.
//!
//! The application keeps its listener, its TLS and its middleware; what no route of its own takes goes to the
//! integrator, which knows by its base URL what is meant for it. The limits of `wa_integrator::Server` are not there
//! then: time and size of requests are the application's business.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;
use wa_integrator::{
    BaseUrl, Clock, Integrator, IntegratorError, Keys, SharedSecret, SigningKey, TokenIssuer,
};
use wa_profile::Profile;

/// An application with a page of its own, and the integrator below `/whatsapp`.
///
/// # Errors
/// [`IntegratorError`] if the address makes no base URL, or no key can be made.
pub(crate) fn application(address: SocketAddr) -> Result<Router, IntegratorError> {
    let rules = Profile::default().token;
    let base_url: BaseUrl = format!("http://{address}/whatsapp").parse()?;
    let issuer = TokenIssuer::new(base_url, &rules, rules.lifetime_max)?;
    let keys = Keys::fixed(SigningKey::generate()?);
    let authenticator = SharedSecret::new([7; 32], rules.user_identifier_chars_max);
    let integrator = Integrator::new(issuer, keys, authenticator, Clock::system());
    Ok(Router::new().route("/", get(|| async { "our own page" })).fallback_service(integrator))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, application(SocketAddr::from(([127, 0, 0, 1], 8080)))?).await?;
    Ok(())
}
