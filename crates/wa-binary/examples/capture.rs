//! Shows captured stanzas as XML: one frame's body a line, decrypted, in hexadecimal, with its flag byte.
//!
//! ```sh
//! echo 00f8091908990429165711fa0003 | cargo run -p wa-binary --example capture
//! ```

use std::error::Error;
use std::io;

use wa_binary::{Limits, decode, unpack};

#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let limits = Limits::new();
    for line in io::stdin().lines() {
        let body = hex::decode(line?.trim())?;
        let node = decode(&unpack(body.into(), &limits)?, &limits)?;
        println!("{node:#}");
    }
    Ok(())
}
