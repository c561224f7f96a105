//! The interoperability protocol version (overview §1.2, §6.3; RO 1.0.3 "versions").

use std::fmt;
use std::str::FromStr;

use crate::VersionError;

/// The version of the interoperability protocol a client states when it enlists and when it connects.
///
/// Text form `primary.secondary.tertiary`, for example `1.0.3`. Ordered part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "file",
    derive(serde::Deserialize, serde::Serialize),
    serde(try_from = "String", into = "String")
)]
pub struct ProtocolVersion {
    /// The first number.
    pub primary: u32,
    /// The second number.
    pub secondary: u32,
    /// The third number.
    pub tertiary: u32,
}

impl ProtocolVersion {
    /// The version with these three numbers.
    #[must_use]
    pub const fn new(primary: u32, secondary: u32, tertiary: u32) -> Self {
        Self { primary, secondary, tertiary }
    }
}

impl fmt::Display for ProtocolVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.primary, self.secondary, self.tertiary)
    }
}

impl FromStr for ProtocolVersion {
    type Err = VersionError;

    /// Reads exactly what `Display` writes: three plain decimal numbers, no sign, no leading zero.
    ///
    /// # Errors
    /// [`VersionError::Parts`] for another number of parts, [`VersionError::Part`] for a part that is no number.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let mut parts = text.split('.');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(primary), Some(secondary), Some(tertiary), None) => {
                Ok(Self::new(number(primary, 1)?, number(secondary, 2)?, number(tertiary, 3)?))
            }
            _ => Err(VersionError::Parts { found: text.split('.').count() }),
        }
    }
}

impl TryFrom<String> for ProtocolVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<ProtocolVersion> for String {
    fn from(version: ProtocolVersion) -> Self {
        version.to_string()
    }
}

fn number(text: &str, part: usize) -> Result<u32, VersionError> {
    let plain = text == "0" || !text.starts_with('0');
    if !plain || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VersionError::Part { part });
    }
    text.parse().map_err(|_| VersionError::Part { part })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for version in [
            ProtocolVersion::new(1, 0, 3),
            ProtocolVersion::new(0, 0, 0),
            ProtocolVersion::new(u32::MAX, 20, 10),
        ] {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
    }

    #[test]
    fn order_is_numeric_not_textual() {
        assert!(ProtocolVersion::new(1, 0, 10) > ProtocolVersion::new(1, 0, 9));
        assert!(ProtocolVersion::new(2, 0, 0) > ProtocolVersion::new(1, 9, 9));
    }

    #[test]
    fn refuses_everything_else_with_the_exact_reason() {
        let table = [
            ("", VersionError::Parts { found: 1 }),
            ("1", VersionError::Parts { found: 1 }),
            ("1.0", VersionError::Parts { found: 2 }),
            ("1.0.3.0", VersionError::Parts { found: 4 }),
            ("a.0.3", VersionError::Part { part: 1 }),
            ("1..3", VersionError::Part { part: 2 }),
            ("1.0.", VersionError::Part { part: 3 }),
            ("01.0.3", VersionError::Part { part: 1 }),
            ("1.+0.3", VersionError::Part { part: 2 }),
            ("1.0. 3", VersionError::Part { part: 3 }),
            ("1.0.4294967296", VersionError::Part { part: 3 }),
            ("1.0.٣", VersionError::Part { part: 3 }),
        ];
        for (text, error) in table {
            assert_eq!(text.parse::<ProtocolVersion>(), Err(error), "{text:?}");
        }
    }
}
