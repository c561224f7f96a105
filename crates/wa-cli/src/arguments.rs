//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use wa_profile::{Profile, ProfileFileError};

/// WhatsApp's chat protocol on the command line.
#[derive(Debug, Parser)]
#[command(name = "wa", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Bytes to XML or JSON
    #[command(after_help = DECODE_EXAMPLES)]
    Decode(DecodeArguments),
    /// XML or JSON to bytes
    #[command(after_help = ENCODE_EXAMPLES)]
    Encode(EncodeArguments),
    /// Chat with a WhatsApp user, as a user of your service
    #[cfg(feature = "chat")]
    #[command(after_help = CHAT_EXAMPLES)]
    Chat(Box<ChatArguments>),
    /// Show what a document leaves open, as a file to change
    #[command(after_help = PROFILE_EXAMPLES)]
    Profile {
        #[command(subcommand)]
        command: ProfileCommand,
    },
    /// Encrypt, decrypt and fetch files
    #[cfg(feature = "media")]
    Media {
        #[command(subcommand)]
        command: crate::media::MediaCommand,
    },
    /// Print what a shell needs to complete this command line
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command
    Man {
        /// Into which directory; it must be there
        directory: PathBuf,
    },
    /// Run a local WhatsApp to test against, or control one that runs
    #[cfg(feature = "sandbox")]
    Sandbox(Box<wa_sandbox::program::Arguments>),
}

#[derive(Debug, Args)]
pub(crate) struct DecodeArguments {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How the bytes are written
    #[arg(long, value_enum, default_value_t = Form::Hex)]
    pub(crate) from: Form,
    /// Write JSON, one object for each stanza
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) envelope: Envelope,
    #[command(flatten)]
    pub(crate) recording: Recording,
    /// One input in each line: one line out for each line in, at once; a bad one says so and the next is read
    #[arg(long)]
    pub(crate) lines: bool,
    /// Indent, as on a terminal
    #[arg(long, conflicts_with = "lines")]
    pub(crate) pretty: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EncodeArguments {
    #[command(flatten)]
    pub(crate) source: Source,
    /// How to write the bytes
    #[arg(long, value_enum, default_value_t = Form::Hex)]
    pub(crate) to: Form,
    /// Read JSON instead of XML
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) envelope: Envelope,
    /// One stanza in each line: one line out for each line in, at once; a bad one says so and the next is read
    #[arg(long)]
    pub(crate) lines: bool,
    /// Which strings to pack two characters to a byte
    #[arg(long, value_enum, default_value_t = Packing::Everything)]
    pub(crate) packing: Packing,
    /// End interop addresses in their server's name, as servers do
    #[arg(long)]
    pub(crate) interop_suffix: bool,
    /// Compress what is longer than this many bytes
    #[arg(long, value_name = "BYTES", requires = "packed")]
    pub(crate) compress_above: Option<usize>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Print the whole profile as TOML
    Show {
        /// A document, overview or 1.0.3, or a TOML file
        #[arg(value_name = "NAME|FILE", value_parser = open_profile)]
        profile: Box<Profile>,
    },
}

#[cfg(feature = "chat")]
fn phone_number(number: &str) -> Result<wa_binary::Jid, wa_binary::JidError> {
    match wa_binary::Jid::phone(number) {
        Ok(jid) => Ok(jid),
        Err(_) => wa_binary::Jid::e164(number),
    }
}

/// Boxed, because the other commands are small.
pub(crate) fn open_profile(name_or_path: &str) -> Result<Box<Profile>, ProfileFileError> {
    Profile::open(name_or_path).map(Box::new)
}

#[cfg(feature = "chat")]
#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// The phone number of the WhatsApp user: digits with country code, or as people write it, with a +
    #[arg(value_name = "NUMBER", value_parser = phone_number)]
    pub(crate) to: wa_binary::Jid,
    /// Your service's name for the user who chats
    #[arg(long, value_name = "IDENTIFIER")]
    pub(crate) user: String,
    /// A shell command that prints a fresh token of your service for that user, run before each connection
    #[arg(long, value_name = "COMMAND", required_unless_present = "sandbox")]
    pub(crate) token_command: Option<String>,
    /// Where the account is kept; made, and enlisted, if it is not there
    #[arg(long, value_name = "PATH", required_unless_present = "sandbox")]
    pub(crate) store: Option<PathBuf>,
    /// The key that the account is encrypted with, 32 bytes in hex; made if it is not there
    #[arg(long, value_name = "PATH", required_unless_present = "sandbox")]
    pub(crate) key_file: Option<PathBuf>,
    /// A local WhatsApp that runs (`wa sandbox`): its addresses, its demonstration integrator's tokens, and a store that is
    /// made for this chat
    #[arg(
        long,
        value_name = "URL",
        num_args = 0..=1,
        default_missing_value = "http://127.0.0.1:7400",
        conflicts_with_all = ["token_command", "chat", "root", "enlist", "media_origin"],
    )]
    pub(crate) sandbox: Option<String>,
    /// Your integrator id, 1 to 999
    #[arg(long, default_value_t = 1)]
    pub(crate) integrator: u16,
    /// The rules that apply: a document, overview or 1.0.3, or a TOML file as `wa profile show` prints one
    #[arg(long, value_name = "NAME|FILE", default_value = "1.0.3", value_parser = Profile::open)]
    pub(crate) profile: Profile,
    /// Host and port of chatd, if not WhatsApp's
    #[arg(long, value_name = "HOST:PORT", requires = "root")]
    pub(crate) chat: Option<String>,
    /// What chatd's certificates come from, 32 bytes in hex, if not WhatsApp's
    #[arg(long, value_name = "HEX")]
    pub(crate) root: Option<String>,
    /// URL of the enlistment API, if not WhatsApp's
    #[arg(long, value_name = "URL")]
    pub(crate) enlist: Option<String>,
    /// Base URL of your service's own server, where files that you send lie
    #[arg(long, value_name = "URL", requires = "credential_command")]
    pub(crate) media_url: Option<String>,
    /// A shell command that prints what that server recognises the user by, run before each upload
    #[arg(long, value_name = "COMMAND", requires = "media_url")]
    pub(crate) credential_command: Option<String>,
    /// Where WhatsApp users' files lie, if not at WhatsApp's media host
    #[arg(long, value_name = "URL")]
    pub(crate) media_origin: Option<String>,
}

/// Where the input comes from; standard input if nothing is said.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// The input itself; `-` or nothing: standard input
    pub(crate) data: Option<String>,
    /// Read this file
    #[arg(long, value_name = "PATH", conflicts_with = "data")]
    pub(crate) file: Option<PathBuf>,
}

/// What is around a stanza's bytes.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Envelope {
    /// Each stanza has its length in front, in 3 bytes; there may be several
    #[arg(long)]
    pub(crate) framed: bool,
    /// Each stanza has its flag byte in front and may be compressed, as in a decrypted frame
    #[arg(long)]
    pub(crate) packed: bool,
}

/// One direction of a recorded connection.
#[derive(Debug, Args)]
pub(crate) struct Recording {
    /// The input is what one side of a chat channel sent, and this file holds that direction's transport key, 32 bytes in
    /// hex: its frames are opened, and their stanzas shown
    #[arg(long, value_name = "PATH", conflicts_with_all = ["framed", "packed", "lines"])]
    pub(crate) key_file: Option<PathBuf>,
    /// The input begins with so many frames of the handshake; before the client's stands its prologue
    #[arg(long, value_name = "FRAMES", default_value_t = 0, requires = "key_file")]
    pub(crate) handshake: u32,
    /// So many messages of this direction are missing before the input
    #[arg(long, value_name = "MESSAGES", default_value_t = 0, requires = "key_file")]
    pub(crate) missing: u64,
}

/// How bytes are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Hexadecimal, also as programs print it (0x.., \x.., commas, quotes); what stands between bytes does not matter
    Hex,
    /// Base64, standard or for URLs, with or without padding
    Base64,
    /// The bytes themselves
    Raw,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packing {
    /// All that can be, as clients do
    Everything,
    /// Only users of addresses, as in the published example
    Jids,
    /// Pack no string
    Nothing,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all was well, 1 an input was malformed, 2 the command line was wrong, 3 something could not be read \
or written.";

const DECODE_EXAMPLES: &str = "\
Examples:
  wa decode f8091908990429165711fa0003
  wa decode --packed --file frame.bin --from raw
  tail -f frames.hex | wa decode --packed --lines --json
  wa decode --from raw --file from-server.bin --key-file server.key --handshake 1";

#[cfg(feature = "chat")]
const CHAT_EXAMPLES: &str = "\
Type a line to send it; /help lists what else there is.

Example:
  wa chat 14155551001 --user alice --store alice.db --key-file alice.key --token-command './token alice'

Against a local WhatsApp that runs (wa sandbox):
  wa chat 14155551001 --user carol --sandbox

Against one of your own, in one command, from a checkout: cargo xtask chat";

const PROFILE_EXAMPLES: &str = "\
Examples:
  wa profile show 1.0.3 > partner.toml
  wa chat 14155551001 --profile partner.toml ...

A file need hold only what differs from 1.0.3.";

const ENCODE_EXAMPLES: &str = "\
Examples:
  wa encode '<iq id=\"1\" type=\"get\" xmlns=\"w:p\" to=\"s.whatsapp.net\"/>'
  wa encode --packed --framed --to raw --file ping.xml > ping.bin";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
