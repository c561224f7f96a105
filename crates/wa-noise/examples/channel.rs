//! A channel from the first byte to the first sealed frame, both ends in one process: what goes over the wire, and how
//! long it is.
//!
//! ```sh
//! cargo run -p wa-noise --example channel
//! ```

use std::error::Error;

use bytes::{Bytes, BytesMut};
use prost::Message;
use rand::rngs::SysRng;
use rand_core::UnwrapErr;
use wa_keys::PrivateKey;
use wa_noise::{
    CertificateAuthority, Dialect, ExpectServerHello, FrameDecoder, Hello, MAX_FRAME, Setup, Validity, frame,
};

/// The date of the handshake, in Unix seconds.
const NOW: u64 = 1_800_000_000;

#[expect(clippy::print_stdout, reason = "what it shows is what it is for")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut rng = UnwrapErr(SysRng);
    let (client, server) = (setup(&mut rng), setup(&mut rng));
    // At WhatsApp's real server the root is `WHATSAPP_ROOT`.
    let authority = CertificateAuthority::generate(&mut rng);
    let validity = Validity { not_before: NOW, not_after: NOW + 3600 };
    let chain = authority.issue(&server.static_key.public_key(), validity, &mut rng).encode_to_vec();

    let (client, hello) = ExpectServerHello::start(&client, &mut rng)?;
    println!("client hello:  {} bytes", hello.len());
    let Hello::Full(server) = Hello::read(&server, hello, &mut rng)? else {
        return Err("nobody resumes".into());
    };
    let (server, hello) = server.send(&chain)?;
    println!("server hello:  {} bytes, with its certificates", hello.len());
    let (client, finish) = client.read_server_hello(hello, &authority.root(), NOW)?.finish(b"who logs in")?;
    println!("client finish: {} bytes, with the login", finish.len());
    let (server, identity) = server.read_client_finish(finish)?;
    println!("the server knows: {}", String::from_utf8_lossy(&identity.payload));

    let (mut client, mut server) = (client, server);
    let mut message = BytesMut::from(&b"the first message"[..]);
    client.sealer.seal(&mut message)?;
    let wire = frame(&message)?;
    println!("sealed frame:  {} bytes", wire.len());

    let mut frames = FrameDecoder::new(MAX_FRAME);
    frames.push(&wire);
    let mut body = frames.next_frame()?.ok_or("a whole frame was sent")?;
    server.opener.open(&mut body)?;
    println!("the server reads: {}", String::from_utf8_lossy(&body));
    Ok(())
}

fn setup(rng: &mut UnwrapErr<SysRng>) -> Setup {
    Setup {
        prologue: Bytes::from_static(b"WA\x06\x03"),
        dialect: Dialect::WhatsApp,
        static_key: PrivateKey::generate(rng),
    }
}
