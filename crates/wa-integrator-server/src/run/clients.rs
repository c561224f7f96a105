//! Our own connections over HTTP, and what they trust.

use http::Uri;
use http::uri::Scheme;
use wa_http::{Addresses, HttpLimits, HyperClient, PlainHttp};
use wa_integrator::ClientTrust;

use crate::error::StartError;
use crate::settings::Settings;

/// The service's backend is on the same network, perhaps the same host. Whether plain text may go there was asked
/// before.
pub(crate) fn backend(trust: &ClientTrust) -> HyperClient {
    trusting(trust).with_plain_http(PlainHttp::Http1)
}

/// What fetches somebody's keys from there.
pub(crate) fn key_client(url: &Uri, settings: &Settings) -> Result<HyperClient, StartError> {
    let trust = settings.trust.trust()?;
    let client = trusting(&trust);
    let near = url.host().is_some_and(|host| trust.names_plain(host));
    match url.scheme() {
        Some(_) if settings.push.allow_private => Ok(client.with_plain_http(PlainHttp::Http1)),
        Some(scheme) if *scheme == Scheme::HTTP && near => Ok(client.with_plain_http(PlainHttp::Http1)),
        // An address of our own network, which the settings name.
        Some(scheme) if *scheme == Scheme::HTTPS && near => Ok(client),
        Some(scheme) if *scheme == Scheme::HTTPS => Ok(client.with_addresses(Addresses::Public)),
        _ => Err(StartError::KeyUrl { url: url.clone() }),
    }
}

fn trusting(trust: &ClientTrust) -> HyperClient {
    HyperClient::new(HttpLimits::default()).with_root_store(trust.roots().clone())
}
