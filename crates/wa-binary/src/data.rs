//! Overview §2.1.2: bytes as they stand inside a node.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

use bytes::Bytes;

use crate::text::put;

/// The bytes inside a node: cheap to clone, 40 bytes.
///
/// Up to 38 are held in place, as is every key, identifier and count; more are a slice of shared [`Bytes`],
/// such as the frame they were read from. Equality and hash are those of the bytes.
#[derive(Clone)]
pub struct Data(Repr);

impl Data {
    /// The value that holds no bytes.
    pub const EMPTY: Self = Self(Repr::Short(Short { len: 0, bytes: [0; SHORT] }));

    /// The bytes as a value of their own; a copy only of those held in place.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        match &self.0 {
            Repr::Short(short) => Bytes::copy_from_slice(short.as_bytes()),
            Repr::Shared(bytes) => bytes.clone(),
        }
    }

    /// Becomes the slice `data` of `frame`, at the front of `rest`. Was empty.
    #[inline]
    pub(crate) fn set(&mut self, frame: &Bytes, data: &[u8], rest: &[u8]) {
        if data.len() > SHORT {
            put(&mut self.0, Repr::Shared(Bytes::new()));
            if let Repr::Shared(bytes) = &mut self.0 {
                put(bytes, frame.slice_ref(data));
            }
            return;
        }
        let Repr::Short(short) = &mut self.0 else { return };
        short.len = u8::try_from(data.len()).unwrap_or_default();
        match rest.first_chunk() {
            // A copy of fixed length is faster.
            Some(bytes) => short.bytes = *bytes,
            None => short.bytes.iter_mut().zip(data).for_each(|(to, byte)| *to = *byte),
        }
    }

    /// The bytes in place, whatever follows them, and how many they are.
    #[inline]
    pub(crate) fn in_place(&self) -> Option<(&[u8; SHORT], u8)> {
        match &self.0 {
            Repr::Short(short) => Some((&short.bytes, short.len)),
            Repr::Shared(_) => None,
        }
    }
}

#[derive(Clone)]
enum Repr {
    Short(Short),
    Shared(Bytes),
}

#[derive(Clone, Copy)]
struct Short {
    len: u8,
    /// What stands after the length means nothing.
    bytes: [u8; SHORT],
}

impl Short {
    #[inline]
    fn new(len: usize, bytes: [u8; SHORT]) -> Self {
        Self { len: u8::try_from(len).unwrap_or_default(), bytes }
    }

    #[inline]
    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// What remains of the 40 bytes that a slice of `Bytes` and its tag need.
pub(crate) const SHORT: usize = 38;

impl Default for Data {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Deref for Data {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Repr::Short(short) => short.as_bytes(),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Borrow<[u8]> for Data {
    fn borrow(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for Data {
    fn from(data: &[u8]) -> Self {
        let mut bytes = [0; SHORT];
        match bytes.get_mut(..data.len()) {
            Some(front) => {
                front.copy_from_slice(data);
                Self(Repr::Short(Short::new(data.len(), bytes)))
            }
            None => Self(Repr::Shared(Bytes::copy_from_slice(data))),
        }
    }
}

impl<const N: usize> From<&[u8; N]> for Data {
    fn from(data: &[u8; N]) -> Self {
        Self::from(&data[..])
    }
}

impl<const N: usize> From<[u8; N]> for Data {
    fn from(data: [u8; N]) -> Self {
        Self::from(&data[..])
    }
}

impl From<&str> for Data {
    fn from(text: &str) -> Self {
        Self::from(text.as_bytes())
    }
}

impl From<Bytes> for Data {
    fn from(bytes: Bytes) -> Self {
        if bytes.len() <= SHORT { Self::from(&bytes[..]) } else { Self(Repr::Shared(bytes)) }
    }
}

impl From<Vec<u8>> for Data {
    fn from(data: Vec<u8>) -> Self {
        if data.len() <= SHORT { Self::from(&data[..]) } else { Self(Repr::Shared(data.into())) }
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        Self::from(text.into_bytes())
    }
}

impl From<Data> for Bytes {
    fn from(data: Data) -> Self {
        match data.0 {
            Repr::Short(short) => Self::copy_from_slice(short.as_bytes()),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Data {}

impl Hash for Data {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

    use super::*;

    #[test]
    fn is_forty_bytes() {
        assert_eq!(size_of::<Data>(), 40);
        assert_eq!(size_of::<Option<Data>>(), 40);
    }

    #[test]
    fn is_what_it_was_made_of() {
        for len in [0, 1, 37, 38, 39, 300] {
            let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
            let shared = Bytes::from(bytes.clone());
            let followed = Bytes::from([&bytes[..], &[9; 50]].concat());
            let read = |frame: &Bytes| {
                let mut data = Data::EMPTY;
                data.set(frame, &frame[..len], frame);
                data
            };
            for data in [
                Data::from(&bytes[..]),
                Data::from(bytes.clone()),
                Data::from(shared.clone()),
                read(&shared),
                read(&followed),
            ] {
                assert_eq!(data[..], bytes[..]);
                assert_eq!(data, Data::from(shared.clone()));
                assert_eq!((data.to_bytes(), Bytes::from(data)), (shared.clone(), shared.clone()));
            }
        }
    }

    #[test]
    fn arrays_and_sets_see_the_bytes() {
        let set = HashSet::from([Data::from(*b"one"), Data::from(b"two")]);
        assert!(set.contains(&Data::from("one")) && set.contains(&Data::from("two")));
        let hashed = |data: &Data| BuildHasherDefault::<DefaultHasher>::default().hash_one(data);
        assert_ne!(hashed(&Data::from("one")), hashed(&Data::from("two")));
    }

    #[test]
    fn long_content_is_shared() {
        let frame = Bytes::from(vec![1; 100]);
        let mut data = Data::EMPTY;
        data.set(&frame, &frame[10..60], &frame[10..]);
        assert_eq!(data.as_ptr(), frame[10..].as_ptr());
        assert_eq!(data.to_bytes().as_ptr(), frame[10..].as_ptr());
    }
}
