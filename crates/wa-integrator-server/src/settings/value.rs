//! Values that a text and a TOML value may hold, and what they must be (overview §1.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use wa_integrator::BaseUrl;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Within<const MIN: u64, const MAX: u64>(u64);

/// An address, or a network of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AddressOrNetwork(pub(crate) IpNet);

/// The networks of these.
pub(super) fn networks(these: &[AddressOrNetwork]) -> Vec<IpNet> {
    these.iter().map(|AddressOrNetwork(network)| *network).collect()
}

/// A path below the base URL: plain segments, as in the base URL itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UrlPath(pub(crate) String);

impl<const MIN: u64, const MAX: u64> Within<MIN, MAX> {
    /// The number.
    pub(crate) const fn value(self) -> u64 {
        self.0
    }

    fn new(value: u64) -> Result<Self, String> {
        if (MIN..=MAX).contains(&value) { Ok(Self(value)) } else { Err(format!("{value} {}", Self::must())) }
    }

    fn must() -> String {
        format!("is not in {MIN}..={MAX}")
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Within<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("{text} {}", Self::must())).and_then(Self::new)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        let small = || D::Error::custom(format!("{number} {}", Self::must()));
        Self::new(u64::try_from(number).map_err(|_| small())?).map_err(D::Error::custom)
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

/// Values that are written as a list of texts in the file.
pub(super) fn texts<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect::<Result<_, _>>().map(Some)
}

/// A value that is written as a text in the file.
pub(super) fn text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: fmt::Display,
{
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}
