//! The padding between a message's protobuf and the ratchet (observed).

use std::ops::RangeInclusive;

use rand_core::Rng;

/// Appends `n` bytes of value `n`, with a random `n` of the range.
pub(crate) fn pad(content: &[u8], range: &RangeInclusive<u8>, rng: &mut impl Rng) -> Vec<u8> {
    let (least, most) = (*range.start(), *range.end());
    let span = u64::from(most.saturating_sub(least)) + 1;
    let count = least.saturating_add(u8::try_from(rng.next_u64() % span).unwrap_or(0));
    let mut padded = Vec::with_capacity(content.len() + usize::from(count));
    padded.extend_from_slice(content);
    padded.extend(std::iter::repeat_n(count, usize::from(count)));
    padded
}

/// Takes off as many bytes as the last one says: from 1 to all of them. `None`: there is no such padding.
pub(crate) fn unpad(mut padded: Vec<u8>) -> Option<Vec<u8>> {
    let count = usize::from(*padded.last()?);
    let length = padded.len().checked_sub(count).filter(|_| count > 0)?;
    padded.truncate(length);
    Some(padded)
}

#[cfg(test)]
mod tests {
    use rand::rngs::SysRng;
    use rand_core::UnwrapErr;

    use super::*;

    #[test]
    fn padding_comes_off_again() {
        let mut rng = UnwrapErr(SysRng);
        let mut counts = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let padded = pad(b"text", &(1..=15), &mut rng);
            counts.insert(padded.len() - 4);
            assert_eq!(unpad(padded).as_deref(), Some(b"text".as_slice()));
        }
        assert_eq!(counts, (1..=15).collect());
    }

    #[test]
    fn other_writers_padding_is_accepted_and_impossible_padding_is_not() {
        assert_eq!(unpad(vec![9, 16, 16]), None);
        assert_eq!(unpad([vec![7; 3], vec![16; 16]].concat()), Some(vec![7; 3]));
        assert_eq!(unpad(vec![1, 2, 9, 9, 3]), Some(vec![1, 2]), "only the last byte counts");
        assert_eq!(unpad(vec![0]), None);
        assert_eq!(unpad(vec![]), None);
        assert_eq!(unpad(vec![1]), Some(vec![]));
    }
}
