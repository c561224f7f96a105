//! Overview §2.1.2, read defensively: how much one frame may cost its reader.

/// Bounds on decoding one frame.
///
/// A decoder refuses what exceeds them; it never truncates. A node takes 88 bytes and an attribute 64; content of
/// more than 38 bytes is a slice of the frame. Room is made for declared nodes and attributes only while the
/// frame is still long enough to hold all of them, so memory is bounded also by the length of the frame, at
/// about 32 times it, and is that much only for a frame of nothing but empty nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest inflated body, in bytes. Default 16 MiB, the longest a frame can be without compression.
    pub inflated_bytes: usize,
    /// Deepest nesting, the root being 1. Default and highest [`Limits::MAX_DEPTH`]; more is read as that.
    pub depth: usize,
    /// Most nodes in one frame, the root included. Default 32,768.
    pub nodes: usize,
    /// Most attributes in one frame, over all its nodes. Default 131,072.
    pub attrs: usize,
}

impl Limits {
    /// The deepest nesting that is ever read or written. Real stanzas stay below ten.
    pub const MAX_DEPTH: usize = 64;

    /// The most attributes that one node may have when it is read or written: a list holds twice as many strings, beside
    /// the node's name and its content.
    pub const MAX_ATTRS: usize = (0xffff - 2) / 2;

    /// The default bounds.
    #[must_use]
    pub const fn new() -> Self {
        Self { inflated_bytes: 16 << 20, depth: Self::MAX_DEPTH, nodes: 32_768, attrs: 131_072 }
    }

    /// With another bound on the inflated body, in bytes.
    #[must_use]
    pub const fn with_inflated_bytes(mut self, bytes: usize) -> Self {
        self.inflated_bytes = bytes;
        self
    }

    /// With another bound on nesting.
    #[must_use]
    pub const fn with_depth(mut self, depth: usize) -> Self {
        self.depth = depth;
        self
    }

    /// With another bound on the number of nodes.
    #[must_use]
    pub const fn with_nodes(mut self, nodes: usize) -> Self {
        self.nodes = nodes;
        self
    }

    /// With another bound on the number of attributes.
    #[must_use]
    pub const fn with_attrs(mut self, attrs: usize) -> Self {
        self.attrs = attrs;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::new()
    }
}
