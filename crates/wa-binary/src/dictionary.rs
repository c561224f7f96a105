//! Overview §2.1.2: the token dictionary, version 3.
//!
//! `data/tokens-v3.tsv` is the only list. It is parsed while compiling, into one table from token to
//! string and one open-addressed hash table from string to token; nothing is built at run time.

/// A string of the dictionary, written on the wire as one or two bytes.
///
/// 235 tokens take one byte (1–235), 1,024 take two (236–239, then an index). Source: overview §2.1.2 for the
/// principle, the table as agreed on by every public client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(u16);

impl Token {
    /// The token of number 1.
    pub(crate) const FIRST: Self = Self(1);

    /// The token that stands for `text`, if the dictionary has it.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        Self::find_bytes(text.as_bytes())
    }

    /// The token of the one-byte form; none for 0 and for 236 and above.
    #[must_use]
    pub const fn single(byte: u8) -> Option<Self> {
        if byte == 0 || byte as u16 >= SINGLE { None } else { Some(Self(byte as u16)) }
    }

    /// The token of the two-byte form: `page` 0–3 is the first byte less 236, `index` the second byte.
    #[must_use]
    pub const fn double(page: u8, index: u8) -> Option<Self> {
        if page as u16 >= PAGES { None } else { Some(Self(SINGLE + page as u16 * PAGE + index as u16)) }
    }

    /// The string the token stands for; never empty.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> &'static str {
        STRINGS.get(usize::from(self.0)).copied().unwrap_or_default()
    }

    /// The wire form: the first byte and, for a two-byte token, the second.
    #[must_use]
    #[inline]
    pub fn wire(self) -> (u8, Option<u8>) {
        match self.0.checked_sub(SINGLE) {
            None => (self.0.to_le_bytes()[0], None),
            Some(double) => {
                let [index, page] = double.to_le_bytes();
                (DOUBLE_0 + page, Some(index))
            }
        }
    }

    pub(crate) fn find_bytes(text: &[u8]) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let mut slot = hash(text);
        loop {
            let index = *SLOTS.get(slot)?;
            if index == 0 {
                return None;
            }
            let token = Self(index);
            if token.as_str().as_bytes() == text {
                return Some(token);
            }
            slot = (slot + 1) % SLOT_COUNT;
        }
    }
}

/// First byte of the two-byte tokens of page 0; pages 1–3 follow.
pub(crate) const DOUBLE_0: u8 = 236;

const SINGLE: u16 = 236;
const PAGES: u16 = 4;
const PAGE: u16 = 256;
const COUNT: usize = 236 + 4 * 256;
const LONGEST: usize = 48;
const SLOT_COUNT: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 12;

const TSV: &str = include_str!("../data/tokens-v3.tsv");
static STRINGS: [&str; COUNT] = parse(TSV);
static SLOTS: [u16; SLOT_COUNT] = index(&STRINGS);

/// Hash of the length and of the first and last eight bytes; the table tells the rest apart.
const fn hash(text: &[u8]) -> usize {
    let (head, tail) = ends(text);
    let mixed = head ^ tail.rotate_left(23) ^ ((text.len() as u64) << 56);
    (mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - SLOT_BITS)) as usize
}

const fn ends(text: &[u8]) -> (u64, u64) {
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        return (u64::from_le_bytes(*head), u64::from_le_bytes(*tail));
    }
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        return (u32::from_le_bytes(*head) as u64, u32::from_le_bytes(*tail) as u64);
    }
    match text {
        [a] => (*a as u64, 0),
        [a, b] => (*a as u64, *b as u64),
        [a, b, c, ..] => (*a as u64, (*b as u64) << 8 | *c as u64),
        [] => (0, 0),
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is a build error")]
const fn parse(source: &'static str) -> [&'static str; COUNT] {
    let mut table = [""; COUNT];
    let mut rest = source.as_bytes();
    while let [first, ..] = rest {
        let (line, tail) = split_once(rest, b'\n');
        if *first != b'#' {
            let (page, fields) = split_once(line, b'\t');
            let (number, token) = split_once(fields, b'\t');
            table[base(page) + decimal(number)] = text(token);
        }
        rest = tail;
    }
    table
}

const fn split_once(bytes: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        if *first == separator {
            return (bytes.split_at(bytes.len() - rest.len()).0, tail);
        }
        rest = tail;
    }
    (bytes, rest)
}

const fn base(page: &[u8]) -> usize {
    match page {
        [digit] => SINGLE as usize + (*digit - b'0') as usize * PAGE as usize,
        _ => 0,
    }
}

const fn decimal(digits: &[u8]) -> usize {
    let mut value = 0;
    let mut rest = digits;
    while let [digit, tail @ ..] = rest {
        value = value * 10 + (*digit - b'0') as usize;
        rest = tail;
    }
    value
}

#[expect(clippy::panic, reason = "evaluated at compile time, where a panic is a build error")]
const fn text(bytes: &'static [u8]) -> &'static str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("the token table is UTF-8"),
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated at compile time, where a panic is a build error")]
#[expect(clippy::cast_possible_truncation, reason = "the table has 1,260 entries")]
const fn index(strings: &[&str; COUNT]) -> [u16; SLOT_COUNT] {
    let mut slots = [0; SLOT_COUNT];
    let mut token = 1;
    while token < COUNT {
        let mut slot = hash(strings[token].as_bytes());
        while slots[slot] != 0 {
            slot = (slot + 1) % SLOT_COUNT;
        }
        slots[slot] = token as u16;
        token += 1;
    }
    slots
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Numbers checked by hand against the overview's example and the public clients.
    const KNOWN: &[(&str, u8, Option<u8>)] = &[
        ("xmlstreamstart", 1, None),
        ("xmlstreamend", 2, None),
        ("s.whatsapp.net", 3, None),
        ("type", 4, None),
        ("participant", 5, None),
        ("from", 6, None),
        ("receipt", 7, None),
        ("id", 8, None),
        ("notification", 9, None),
        ("jid", 12, None),
        ("user", 14, None),
        ("to", 17, None),
        ("message", 19, None),
        ("notify", 24, None),
        ("iq", 25, None),
        ("ack", 27, None),
        ("enc", 29, None),
        ("routing_info", 39, None),
        ("edge_routing", 40, None),
        ("urn:xmpp:ping", 43, None),
        ("chatstate", 46, None),
        ("skmsg", 50, None),
        ("composing", 52, None),
        ("media", 55, None),
        ("text", 56, None),
        ("item", 63, None),
        ("count", 65, None),
        ("success", 76, None),
        ("msg", 77, None),
        ("pkmsg", 83, None),
        ("ping", 86, None),
        ("w:p", 87, None),
        ("value", 108, None),
        ("list", 113, None),
        ("lid", 118, None),
        ("paused", 154, None),
        ("identity", 156, None),
        ("stream:error", 157, None),
        ("key", 158, None),
        ("registration", 173, None),
        ("remove", 175, None),
        ("encrypt", 203, None),
        ("msgr", 204, None),
        ("signature", 212, None),
        ("skey", 236, Some(45)),
        ("reason", 236, Some(46)),
        ("retry", 236, Some(11)),
        ("blocklist", 236, Some(217)),
        ("action", 237, Some(211)),
        ("failure", 238, Some(60)),
        ("keys", 239, Some(30)),
        ("urn:xmpp:whatsapp:account", 237, Some(69)),
        ("body", 237, Some(117)),
    ];

    #[test]
    fn known_numbers() {
        for &(text, first, second) in KNOWN {
            assert_eq!(Token::find(text).map(Token::wire), Some((first, second)), "{text}");
        }
    }

    #[test]
    fn words_of_interop_are_not_tokens() {
        for text in
            ["interop", "w:interop", "integrator", "users", "ib", "spam", "spam_list", "", "0123456789"]
        {
            assert_eq!(Token::find(text), None, "{text}");
        }
    }

    #[test]
    fn the_tables_hold_every_line_of_the_file() {
        let mut seen = HashSet::new();
        for line in TSV.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let number: u8 = fields[1].parse().unwrap();
            let token = match fields[0] {
                "single" => Token::single(number),
                page => Token::double(page.parse().unwrap(), number),
            };
            assert_eq!(token, Token::find(fields[2]), "{line}");
            assert_eq!(token.map_or("", Token::as_str), fields[2]);
            assert!(seen.insert(fields[2]), "{line}");
        }
        assert_eq!(seen.len(), COUNT);
        assert_eq!(seen.iter().map(|text| text.len()).max(), Some(LONGEST));
    }

    #[test]
    fn numbers_outside_the_pages() {
        assert_eq!(Token::single(0), None);
        assert_eq!(Token::single(236), None);
        assert_eq!(Token::double(4, 0), None);
    }

    /// It would find all the same, and slowly, if the texts were not spread over the table: fewer is better.
    #[test]
    fn few_places_are_looked_at_beyond_the_first() {
        let mut beyond = vec![];
        for (number, text) in STRINGS.iter().enumerate().skip(1) {
            let slot = SLOTS.iter().position(|slot| usize::from(*slot) == number).unwrap();
            beyond.push((slot + SLOT_COUNT - hash(text.as_bytes())) % SLOT_COUNT);
        }
        assert_eq!((beyond.len(), beyond.iter().sum(), beyond.iter().max()), (1259, 269, Some(&5)));
    }
}
