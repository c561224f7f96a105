//! `wa encode`: XML or JSON to bytes.

use wa_binary::{EncodeOptions, InteropSuffix, Node, Packing};

use crate::arguments::{self, EncodeArguments, Form};
use crate::failure::{Failure, Malformed};
use crate::output::{self, Answers};

/// Encodes what the arguments name.
pub(crate) fn run(arguments: &EncodeArguments) -> Result<(), Failure> {
    if arguments.lines {
        let mut answers = Answers::default();
        arguments.source.for_each_line(|line| match (arguments.to, written(arguments, line)) {
            (Form::Raw, Ok(bytes)) => output::bytes(&bytes),
            (_, answer) => answers.write(answer.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        })?;
        return answers.finish();
    }
    let mut bytes = written(arguments, &arguments.source.read()?)?;
    if arguments.to != Form::Raw {
        bytes.push(b'\n');
    }
    output::bytes(&bytes)
}

/// The bytes of the stanza that a text says, as the arguments want them.
fn written(arguments: &EncodeArguments, text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let text = std::str::from_utf8(text).map_err(|error| Malformed::Utf8(error.valid_up_to()))?;
    let node = if arguments.json { from_json(text)? } else { from_xml(text)? };
    let bytes = arguments.envelope.write(&node, &options(arguments))?;
    Ok(arguments.to.write(&bytes))
}

fn from_xml(text: &str) -> Result<Node, Malformed> {
    text.parse().map_err(|error| match text.trim_start().starts_with('{') {
        true => Malformed::PerhapsJson(error),
        false => Malformed::Xml(error),
    })
}

fn from_json(text: &str) -> Result<Node, Malformed> {
    serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        let message = whole.rsplit_once(" at line").map_or(whole.as_str(), |(message, _)| message);
        let before = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len);
        let offset = before.sum::<usize>() + error.column().saturating_sub(1);
        Malformed::Json { message: message.to_owned(), offset }
    })
}

fn options(arguments: &EncodeArguments) -> EncodeOptions {
    let mut options = EncodeOptions::new().with_packing(match arguments.packing {
        arguments::Packing::Everything => Packing::Everything,
        arguments::Packing::Jids => Packing::JidsOnly,
        arguments::Packing::Nothing => Packing::Nothing,
    });
    if arguments.interop_suffix {
        options = options.with_interop_suffix(InteropSuffix::Write);
    }
    match arguments.compress_above {
        Some(bytes) => options.with_compress_above(bytes),
        None => options,
    }
}
