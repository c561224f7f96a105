//! How values stand in a file: durations with a unit, ranges as pairs, absence as `false`.

use std::time::Duration;

const UNITS: [(char, u64); 4] = [('d', 24 * 60 * 60), ('h', 60 * 60), ('m', 60), ('s', 1)];
const DURATION: &str = "a duration is a whole number and its unit (s, m, h or d), such as 30s";

/// The duration in the largest unit that divides it; fractions of a second are left out.
fn write(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let whole = UNITS.iter().find(|(_, unit)| seconds.is_multiple_of(*unit));
    let (name, unit) = whole.filter(|_| seconds > 0).unwrap_or(&('s', 1));
    format!("{}{name}", seconds / unit)
}

fn read(text: &str) -> Result<Duration, &'static str> {
    let unit = UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(*name)?, *unit)));
    let (number, unit) = unit.ok_or(DURATION)?;
    let number = Some(number).filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let number: u64 = number.and_then(|number| number.parse().ok()).ok_or(DURATION)?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or("a duration has fewer than 2^64 seconds")
}

/// `"30s"`.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::write(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        super::read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// `["20s", "30s"]`.
pub(crate) mod durations {
    use std::ops::RangeInclusive;
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        range: &RangeInclusive<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        [range.start(), range.end()].map(|duration| super::write(*duration)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RangeInclusive<Duration>, D::Error> {
        let (least, most) = <(String, String)>::deserialize(deserializer)?;
        let read = |text: &str| super::read(text).map_err(D::Error::custom);
        Ok(read(&least)?..=read(&most)?)
    }
}

/// `[1, 15]`.
pub(crate) mod numbers {
    use std::ops::RangeInclusive;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        range: &RangeInclusive<u8>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        [range.start(), range.end()].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<RangeInclusive<u8>, D::Error> {
        let (least, most) = <(u8, u8)>::deserialize(deserializer)?;
        Ok(least..=most)
    }
}

/// A value, or `false` for none: TOML has no null, and what is left out is as in the document.
pub(crate) mod optional {
    use std::fmt;
    use std::marker::PhantomData;

    use serde::de::value::{MapAccessDeserializer, StrDeserializer};
    use serde::de::{Error, MapAccess, Unexpected, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<T: Serialize, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_bool(false),
        }
    }

    pub(crate) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(OrFalse(PhantomData))
    }

    struct OrFalse<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for OrFalse<T> {
        type Value = Option<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("`false` or a value")
        }

        fn visit_bool<E: Error>(self, value: bool) -> Result<Option<T>, E> {
            if value { Err(E::invalid_value(Unexpected::Bool(true), &self)) } else { Ok(None) }
        }

        fn visit_str<E: Error>(self, value: &str) -> Result<Option<T>, E> {
            T::deserialize(StrDeserializer::new(value)).map(Some)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map)).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_largest_unit_that_fits() {
        for (seconds, text) in [
            (0, "0s"),
            (1, "1s"),
            (60, "1m"),
            (90, "90s"),
            (3600, "1h"),
            (86_400, "1d"),
            (90_000, "25h"),
            (30 * 86_400, "30d"),
        ] {
            assert_eq!(write(Duration::from_secs(seconds)), text);
            assert_eq!(read(text), Ok(Duration::from_secs(seconds)));
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "s", "1", "-1s", "+1s", "1.5h", "1 h", "1w", "99999999999999999999s"] {
            assert_eq!(read(text), Err(DURATION), "{text}");
        }
        assert_eq!(read("999999999999999999d"), Err("a duration has fewer than 2^64 seconds"));
    }
}
