//! `wa decode`: bytes to XML or JSON.

use crate::arguments::DecodeArguments;
use crate::failure::{Failure, Malformed};
use crate::output::{self, Answers, Shown};

/// Decodes what the arguments name.
pub(crate) fn run(arguments: &DecodeArguments) -> Result<(), Failure> {
    if arguments.lines {
        return lines(arguments);
    }
    let pretty = arguments.pretty || output::is_terminal();
    let shown = Shown { json: arguments.json, pretty };
    let input = arguments.from.read(arguments.source.read()?)?;
    if let Some(key) = arguments.recording.key()? {
        return arguments.recording.read(key, &input, |node| output::line(&shown.text(&node)));
    }
    arguments.envelope.read(input, |node| output::line(&shown.text(&node)))
}

fn lines(arguments: &DecodeArguments) -> Result<(), Failure> {
    let shown = Shown { json: arguments.json, pretty: false };
    let mut answers = Answers::default();
    arguments.source.for_each_line(|line| {
        let answer = arguments.from.read(line.to_vec()).and_then(|input| {
            let mut texts = Vec::new();
            arguments.envelope.read(input, |node| {
                texts.push(shown.text(&node));
                Ok::<(), Malformed>(())
            })?;
            Ok(texts.join(" "))
        });
        answers.write(answer)
    })?;
    answers.finish()
}
