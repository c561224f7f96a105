//! Commands of the user's that are asked for a word: a token, a credential.

/// What a shell command prints, if it does and succeeds.
pub(crate) async fn printed(command: &str) -> Option<String> {
    let output = tokio::process::Command::new("sh").arg("-c").arg(command).output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}
