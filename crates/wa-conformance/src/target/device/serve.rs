//! This project's own client behind the protocol of shims: the program `wa-shim`.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt};

use crate::report::failure::Failure;
use crate::target::device::{Answer, Device, Hello, OwnDevice, PROTOCOL, Verb};

/// Says hello, then reads commands, a line each, and writes their answers until there are no more.
///
/// # Errors
/// The streams break, or a line is no command.
pub async fn serve_shim(
    input: impl AsyncBufRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
) -> Result<(), Failure> {
    let name = format!("wa-shim {}", env!("CARGO_PKG_VERSION"));
    say(&mut output, &Hello { hello: PROTOCOL, name, can: Verb::ALL.to_vec() }).await?;
    let (mut device, mut lines) = (OwnDevice::default(), input.lines());
    while let Some(line) = lines.next_line().await? {
        let answer = match serde_json::from_str(&line) {
            Ok(command) => device.ask(command).await.unwrap_or_else(|failure| Answer::Failed(failure.0)),
            Err(error) => Answer::Failed(format!("that is no command: {error}")),
        };
        say(&mut output, &answer).await?;
    }
    Ok(())
}

async fn say(output: &mut (impl AsyncWrite + Unpin), what: &impl serde::Serialize) -> Result<(), Failure> {
    output.write_all(format!("{}\n", serde_json::to_string(what)?).as_bytes()).await?;
    Ok(output.flush().await?)
}
