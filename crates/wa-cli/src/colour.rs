//! Colours for XML: tags, attributes, values, and the `wa:` markers that only say how a value is written.

use anstyle::{AnsiColor, Style};

/// The text with colours around its parts; they are stripped where they are not wanted.
pub(crate) fn coloured(xml: &str) -> String {
    let mut out = String::with_capacity(xml.len() * 2);
    let mut rest = xml;
    // A node's own XML has no `<` or `>` but around its tags, and no `"` but around its values.
    while let Some((text, after)) = rest.split_once('<') {
        out.push_str(text);
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        colour_tag(&mut out, tag);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// What stands between `<` and `>`.
fn colour_tag(out: &mut String, tag: &str) {
    let (name, mut rest) = tag.split_at(tag.find([' ']).unwrap_or(tag.len()));
    let (name, end) = match name.strip_suffix('/') {
        Some(name) => (name, "/"),
        None => (name, ""),
    };
    let (slash, name) = match name.strip_prefix('/') {
        Some(name) => ("/", name),
        None => ("", name),
    };
    push(out, PUNCTUATION, &format!("<{slash}"));
    push(out, TAG, name);
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"').unwrap_or((after, ""));
        let marker = name.starts_with(" wa:");
        push(out, if marker { MARKER } else { NAME }, name);
        push(out, PUNCTUATION, "=\"");
        push(out, if marker { MARKER } else { VALUE }, value);
        push(out, PUNCTUATION, "\"");
        rest = after;
    }
    push(out, PUNCTUATION, &format!("{end}{rest}>"));
}

const PUNCTUATION: Style = Style::new().dimmed();
const TAG: Style = AnsiColor::Blue.on_default().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const VALUE: Style = AnsiColor::Green.on_default();
const MARKER: Style = AnsiColor::Magenta.on_default();

fn push(out: &mut String, style: Style, text: &str) {
    if !text.is_empty() {
        out.push_str(&format!("{style}{text}{style:#}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_colours_are_added() {
        for xml in [
            "<a/>",
            r#"<a b="c"/>"#,
            r#"<a b="c/ d=e" wa:text="b">te=xt</a>"#,
            "<a>\n  <b x=\"1\"/>\n  <c wa:bytes=\"00\"/>\n</a>",
            r#"<wa:node wa:tag="\u{0}"><b>&lt;&gt;&quot;</b></wa:node>"#,
        ] {
            let shown = coloured(xml);
            assert_ne!(shown, xml);
            assert_eq!(anstream::adapter::strip_str(&shown).to_string(), xml);
        }
    }
}
