//! Stanzas as text and as bytes: for tools and for judging a client, no part of a conversation.

use wa_interop::binary::{EncodeOptions, Limits, Node, Packing, decode, encode};

use crate::error::WaError;

/// The XML of a stanza's bytes, which begin behind the byte of flags.
///
/// # Errors
/// They are no stanza.
#[uniffi::export]
pub fn decode_stanza(bytes: Vec<u8>) -> Result<String, WaError> {
    let node = decode(&bytes.into(), &Limits::new()).map_err(WaError::argument)?;
    Ok(node.to_string())
}

/// The bytes of a stanza in XML, with only its addresses packed.
///
/// # Errors
/// It is no XML, or no stanza.
#[uniffi::export]
pub fn encode_stanza(xml: &str) -> Result<Vec<u8>, WaError> {
    let node: Node = xml.parse().map_err(WaError::argument)?;
    encode(&node, &EncodeOptions::new().with_packing(Packing::JidsOnly)).map_err(WaError::argument)
}
