//! Nodes made at random, from a seed: every form of string, address and content.

use wa_binary::{AttrValue, Jid, Node, NodeContent, Str, Token};

/// A source of nodes; the same seed gives the same nodes.
pub struct Generator {
    state: u64,
}

impl Generator {
    /// The source that this seed starts.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next node, at most five deep.
    pub fn node(&mut self) -> Node {
        self.node_at(1)
    }

    fn node_at(&mut self, depth: u64) -> Node {
        let mut node = Node::new(self.name());
        for _ in 0..self.below(5) {
            let value = if self.below(3) == 0 {
                AttrValue::Jid(self.jid())
            } else {
                AttrValue::Text(self.text().into())
            };
            node = node.with_attr(self.name(), value);
        }
        let content = match self.below(8) {
            0 | 1 => NodeContent::Empty,
            2 | 3 if depth < 5 => {
                let count = self.below(5);
                NodeContent::Nodes((0..count).map(|_| self.node_at(depth + 1)).collect())
            }
            4 => NodeContent::Text(self.text().into()),
            _ => NodeContent::Bytes(self.bytes().into()),
        };
        node.with_content(content)
    }

    fn name(&mut self) -> Str {
        match self.below(4) {
            0 => self.letters(1, 12).into(),
            _ => self.token().as_str().into(),
        }
    }

    fn text(&mut self) -> String {
        match self.below(10) {
            0..=2 => self.token().as_str().to_owned(),
            3 => self.of(b"0123456789", 1, 20),
            4 => self.of(b"0123456789-.", 1, 40),
            5 => self.of(b"0123456789ABCDEF", 1, 40),
            6 => self.letters(0, 60),
            7 => self.of("aé€𝄞 \n&<>\"'\0".chars().collect::<Vec<_>>().as_slice(), 0, 20),
            8 => self.jid().to_string(),
            _ => {
                let length = [127, 128, 254, 255, 256, 300][self.index(6)];
                self.of(b"0123456789", length, length)
            }
        }
    }

    fn jid(&mut self) -> Jid {
        let user = self.of(b"123456789", 1, 15);
        let device = self.below(100) as u16;
        let jid = match self.below(10) {
            0 => Jid::server_only(["s.whatsapp.net", "g.us", "lid"][self.index(3)]),
            1 | 2 => Jid::new(&user, "s.whatsapp.net"),
            3 => Jid::new(&user, "s.whatsapp.net").and_then(|jid| jid.with_device(device)),
            4 => Jid::new(&user, "lid").and_then(|jid| jid.with_device(device)),
            5 => Jid::new(&user, "hosted").and_then(|jid| jid.with_device(device)),
            6 => Jid::new(&user, ["g.us", "newsletter", "broadcast", "call", "bot"][self.index(5)]),
            7 => Jid::new(&user, "msgr").and_then(|jid| jid.with_device(device * 7)),
            _ => Jid::interop(1 + self.below(999) as u16, user.parse().expect("digits")),
        };
        jid.expect("an address")
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = match self.below(12) {
            0 => [255, 256, 1000, 5000][self.index(4)],
            _ => self.below(80),
        };
        (0..length).map(|_| self.next() as u8).collect()
    }

    fn token(&mut self) -> Token {
        let index = self.next() as u8;
        match self.below(2) {
            0 => Token::single(1 + index % 235).expect("1 to 235"),
            _ => Token::double(index % 4, self.next() as u8).expect("0 to 3"),
        }
    }

    fn letters(&mut self, least: u64, most: u64) -> String {
        self.of(b"abcdefghijklmnopqrstuvwxyz_", least, most)
    }

    fn of<C: Copy + Into<char>>(&mut self, characters: &[C], least: u64, most: u64) -> String {
        let length = least + self.below(most - least + 1);
        (0..length).map(|_| characters[self.index(characters.len())].into()).collect()
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// The next number of SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
