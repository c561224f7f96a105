//! Reads stanzas as XML, one a line, and prints the ack of each message: what a gateway does that must not decrypt.
//!
//! ```sh
//! echo '<message from="14155551001@s.whatsapp.net" id="3EB0" type="text" t="1700000000"/>' \
//!     | cargo run -p wa-stanza --example acknowledge
//! ```

use std::error::Error;
use std::io;

use wa_binary::Node;
use wa_stanza::{Ack, Stanza};

#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    for line in io::stdin().lines() {
        let node: Node = line?.parse()?;
        match Stanza::try_from(node) {
            Ok(Stanza::Message(message)) => println!("{}", Node::from(Ack::from(&message))),
            Ok(_) => {}
            Err(error) => println!("<!-- {error} -->"),
        }
    }
    Ok(())
}
