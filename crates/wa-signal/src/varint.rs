//! Protobuf's numbers of varying length, for the messages and records that are written and read straight (observed).

/// Appends a number.
pub(crate) fn push(mut number: u64, out: &mut Vec<u8>) {
    while number > LOW {
        out.push((number & LOW) as u8 | MORE);
        number >>= 7;
    }
    out.push((number & LOW) as u8);
}

/// The length of a number.
pub(crate) const fn length(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

/// The number of at most five bytes and 32 bits that `bytes` begin with, and what follows.
pub(crate) fn split(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        number |= (u64::from(*byte) & LOW) << (7 * index);
        if *byte < MORE {
            return Some((u32::try_from(number).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

const LOW: u64 = 0x7F;
const MORE: u8 = 0x80;

#[cfg(test)]
mod tests {
    use prost::encoding::{encode_varint, encoded_len_varint};

    use super::*;

    #[test]
    fn agrees_with_protobuf() {
        let edges = (0..64).flat_map(|shift| [(1_u64 << shift) - 1, 1 << shift, (1 << shift) + 1]);
        for number in edges.chain([u64::MAX, u64::MAX - 1]) {
            let (mut ours, mut theirs) = (vec![9], vec![9]);
            push(number, &mut ours);
            encode_varint(number, &mut theirs);
            assert_eq!(ours, theirs, "{number}");
            assert_eq!(length(number), encoded_len_varint(number), "{number}");
            theirs.push(7);
            let expected = u32::try_from(number).ok().map(|number| (number, &[7][..]));
            assert_eq!(split(&theirs[1..]), expected, "{number}");
        }
        assert_eq!(split(&[]), None);
        assert_eq!(split(&[0x80; 4]), None, "cut");
        assert_eq!(split(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]), None, "too long");
    }
}
