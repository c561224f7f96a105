//! `bench-codec [--json]`: decoding and encoding beside wacore-binary 0.7.0, in time and in allocations.
//!
//! Both sides get the same stanzas and write the same bytes, which is checked before anything is measured. Of
//! the reference's ways to encode the fastest on the row is the one compared with.

use bytes::Bytes;
use measure::{Counting, Report, Row, Unit, allocations, interleaved};
use peers_codec::inputs::{Input, inputs};
use peers_codec::reading::{sum_ours, sum_reference};
use wa_binary::{EncodeOptions, Limits, Node, decode, encode};
use wacore_binary::marshal::{marshal, marshal_auto, marshal_exact, unmarshal_ref};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let mut report = Report::new("wacore-binary 0.7.0");
    let inputs: Vec<_> = inputs().into_iter().map(Both::new).collect();
    inputs.iter().for_each(|input| report.push(input.decode_time()));
    inputs.iter().for_each(|input| report.push(input.encode_time()));
    inputs.iter().for_each(|input| report.push(input.decode_allocations()));
    inputs.iter().for_each(|input| report.push(input.encode_allocations()));
    report.print(json);
}

/// One stanza, as each side holds it.
struct Both {
    name: &'static str,
    bytes: Bytes,
    ours: Node,
    reference: wacore_binary::Node,
}

impl Both {
    /// # Panics
    /// If the two do not read and write the stanza alike.
    fn new(input: Input) -> Self {
        let Input { name, node, packing } = input;
        let bytes = encode(&node, &EncodeOptions::new().with_packing(packing)).expect("encodes");
        let borrowed = unmarshal_ref(&bytes).expect("the reference decodes it");
        assert_eq!(sum_ours(&node), sum_reference(&borrowed), "{name}");
        let reference = borrowed.to_owned();
        let written = marshal(&reference).expect("the reference encodes it");
        assert_eq!(encode(&node, &EncodeOptions::new()).as_deref(), Ok(&written[1..]), "{name}");
        Self { name, bytes: bytes.into(), ours: node, reference }
    }

    fn decode_time(&self) -> Row {
        let (ours, reference) = interleaved(|| self.decode_ours(), || self.decode_reference());
        Row::new(format!("decode/{}", self.name), Unit::Nanoseconds, ours, reference)
    }

    fn decode_allocations(&self) -> Row {
        let ours = allocations(|| self.decode_ours()) as f64;
        let reference = allocations(|| self.decode_reference()) as f64;
        Row::new(format!("allocs/decode {}", self.name), Unit::Allocations, ours, reference)
    }

    fn encode_time(&self) -> Row {
        let runs = WAYS.map(|way| interleaved(|| self.encode_ours(), || self.encode_reference(way)));
        let [first, rest @ ..] = runs;
        let (ours, reference) =
            rest.into_iter().fold(first, |best, run| if run.1 < best.1 { run } else { best });
        Row::new(format!("encode/{}", self.name), Unit::Nanoseconds, ours, reference)
    }

    fn encode_allocations(&self) -> Row {
        let ours = allocations(|| self.encode_ours()) as f64;
        let least = WAYS.map(|way| allocations(|| self.encode_reference(way))).into_iter().min();
        let reference = least.unwrap_or_default() as f64;
        Row::new(format!("allocs/encode {}", self.name), Unit::Allocations, ours, reference)
    }

    fn decode_ours(&self) -> u64 {
        decode(&self.bytes, &Limits::new()).map_or(0, |node| sum_ours(&node).0)
    }

    fn decode_reference(&self) -> u64 {
        unmarshal_ref(&self.bytes).map_or(0, |node| sum_reference(&node).0)
    }

    fn encode_ours(&self) -> u64 {
        encode(&self.ours, &EncodeOptions::new()).map_or(0, |bytes| ends(&bytes))
    }

    fn encode_reference(&self, way: Way) -> u64 {
        way(&self.reference).map_or(0, |bytes| ends(&bytes))
    }
}

/// A way of the reference to encode.
type Way = fn(&wacore_binary::Node) -> Result<Vec<u8>, wacore_binary::error::BinaryError>;

/// All its ways from an owned node to a new buffer.
const WAYS: [Way; 3] = [marshal, marshal_auto, marshal_exact];

fn ends(bytes: &[u8]) -> u64 {
    bytes.len() as u64 + bytes.last().copied().map_or(0, u64::from)
}
