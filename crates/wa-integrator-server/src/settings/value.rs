//! Values that a setting may have, and what they must be (overview §1.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer as _};
use serde::{Deserialize, Deserializer};
use wa_integrator::BaseUrl;

/// A whole number from `MIN` to `MAX`, and `DEFAULT` where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Within<const MIN: u64, const MAX: u64, const DEFAULT: u64>(u64);

/// An address, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressOrNetwork(IpNet);

/// A path below the base URL: plain segments, as in the base URL itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UrlPath(pub(crate) String);

/// Several values: a list, or one text with commas as a variable holds it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Several {
    List(Vec<String>),
    Text(String),
}

/// The networks of these.
pub(super) fn networks(these: &[AddressOrNetwork]) -> Vec<IpNet> {
    these.iter().map(|AddressOrNetwork(network)| *network).collect()
}

impl<const MIN: u64, const MAX: u64, const DEFAULT: u64> Within<MIN, MAX, DEFAULT> {
    /// As a number of things.
    pub(crate) fn count(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// As a time, in seconds.
    pub(crate) const fn seconds(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// As a time, in days.
    pub(crate) const fn days(self) -> Duration {
        Duration::from_secs(self.0 * 24 * 60 * 60)
    }
}

impl<const MIN: u64, const MAX: u64, const DEFAULT: u64> Default for Within<MIN, MAX, DEFAULT> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<'de, const MIN: u64, const MAX: u64, const DEFAULT: u64> Deserialize<'de> for Within<MIN, MAX, DEFAULT> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match u64::try_from(number) {
            Ok(value) if (MIN..=MAX).contains(&value) => Ok(Self(value)),
            _ => Err(D::Error::custom(format!("{number} is not in {MIN}..={MAX}"))),
        }
    }
}

impl FromStr for AddressOrNetwork {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = || text.parse::<IpAddr>().ok().map(|address| IpNet::from(address.to_canonical()));
        let network = text.parse::<IpNet>().ok().map(|network| network.trunc());
        network.or_else(address).map(Self).ok_or("is neither an address nor a network, such as 10.0.0.0/8")
    }
}

impl FromStr for UrlPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = format!("https://integrator.example{text}");
        match url.parse::<BaseUrl>() {
            Ok(url) if url.path() == text && !text.is_empty() => Ok(Self(text.to_owned())),
            _ => Err("a path begins with a slash and has plain segments, such as /push"),
        }
    }
}

/// Values that are written as texts.
pub(super) fn texts<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    let parse = |text: &str| text.parse().map_err(D::Error::custom);
    match Several::deserialize(deserializer)? {
        Several::List(texts) => texts.iter().map(|text| parse(text)).collect(),
        Several::Text(text) => text.split(',').map(parse).collect(),
    }
}

/// A value that is written as a text.
pub(super) fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// One of a few texts; another is refused with all of them.
pub(super) fn choice<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let text = String::deserialize(deserializer)?;
    T::deserialize(text.as_str().into_deserializer())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_network_of_one() {
        let network = |text: &str| text.parse().map(|AddressOrNetwork(network)| network.to_string());
        assert_eq!(network("10.1.2.3/8").as_deref(), Ok("10.0.0.0/8"));
        assert_eq!(network("10.1.2.3").as_deref(), Ok("10.1.2.3/32"));
        assert_eq!(network("::ffff:10.1.2.3").as_deref(), Ok("10.1.2.3/32"));
        for odd in ["", "10.0.0.0/33", "localhost", "10.0.0.0-10.0.0.9"] {
            assert!(network(odd).is_err(), "{odd}");
        }
    }
}
