//! A run as one page of HTML that needs nothing else: to be read, and to be mailed.

use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use crate::report::evidence::{Deviation, Exchange, Stanza};
use crate::report::hex::bytes_of;
use crate::report::junit::escaped;
use crate::report::terminal::seconds;
use crate::report::{Judged, Report, Totals, Verdict};

const STYLE: &str = include_str!("report.css");

/// Bytes of a stanza that are shown in a row.
const ROW: usize = 16;

/// Bytes of a stanza that are shown.
const MAX_BYTES: usize = 512;

impl Report {
    /// The report as one page without anything to fetch.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>Conformance: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n",
            escaped(&self.about.target)
        );
        self.head(&mut text);
        let failed = self.results.iter().filter(|it| matches!(it.verdict, Verdict::Fail { .. }));
        let failed: Vec<&Judged> = failed.collect();
        if !failed.is_empty() {
            text.push_str("<h2>What failed, and how to mend it</h2>\n");
            failed.into_iter().for_each(|judged| failure(&mut text, judged));
        }
        for number in 1..=6 {
            self.milestone(&mut text, number);
        }
        text.push_str("</main>\n</body>\n</html>\n");
        text
    }

    fn head(&self, text: &mut String) {
        let (about, totals) = (&self.about, self.totals());
        let word = if totals.failed == 0 { "pass" } else { "fail" };
        _ = write!(
            text,
            "<h1>Conformance: {}</h1>\n<p class=\"totals {word}\">{totals} in {:.1} s</p>\n<table class=\"about\">\n",
            escaped(&about.target),
            seconds(about.ms)
        );
        let seed =
            about.seed.map_or_else(|| "none: in the order of the list".to_owned(), |it| it.to_string());
        for (name, value) in [
            ("suite", format!("wa-conformance {}", about.version)),
            ("rules", about.rules.join(", ")),
            ("seed", seed),
            ("at the same time", about.jobs.to_string()),
            ("began", httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(about.began))),
        ] {
            _ = writeln!(text, "<tr><th>{name}</th><td>{}</td></tr>", escaped(&value));
        }
        text.push_str("</table>\n");
    }

    fn milestone(&self, text: &mut String, number: u8) {
        let of: Vec<&Judged> = self.results.iter().filter(|it| it.milestone == number).collect();
        if of.is_empty() {
            return;
        }
        let totals = Totals::of(of.iter().copied());
        let word = if totals.failed == 0 { "pass" } else { "fail" };
        _ = write!(
            text,
            "<h2>Milestone {number} <small class=\"{word}\">{totals}</small></h2>\n<table>\n\
             <tr><th>result</th><th>check</th><th>rules</th><th>requirements</th><th>ms</th></tr>\n"
        );
        for judged in of {
            row(text, judged);
        }
        text.push_str("</table>\n");
    }
}

fn row(text: &mut String, judged: &Judged) {
    let (id, word, ms) = (judged.id, judged.verdict.word(), judged.ms);
    let (title, document) = (escaped(judged.title), escaped(&judged.document));
    _ = write!(
        text,
        "<tr><td class=\"{word}\">{word}</td><td><b>{id}</b><br>{title}{}</td><td>{document}</td><td>",
        said(&judged.verdict)
    );
    for it in &judged.requirements {
        let words = escaped(&it.words);
        _ = write!(
            text,
            "<span title=\"{words}\">{1}</span> <span class=\"label {0}\">{0}</span> <small>{2}</small><br>",
            it.label,
            it.id,
            escaped(&it.section)
        );
    }
    _ = writeln!(text, "</td><td class=\"number\">{ms}</td></tr>");
}

fn said(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Pass => String::new(),
        Verdict::Fail { failure } => format!("<br><em>{}</em>", escaped(failure)),
        Verdict::Accepted { failure, reason } => {
            format!("<br><em>{}</em><br>accepted: {}", escaped(failure), escaped(reason))
        }
        Verdict::Skip { reason } => format!("<br><em>{}</em>", escaped(reason)),
    }
}

fn failure(text: &mut String, judged: &Judged) {
    let (id, document, milestone) = (judged.id, escaped(&judged.document), judged.milestone);
    let Verdict::Fail { failure } = &judged.verdict else { return };
    _ = write!(
        text,
        "<section id=\"{id}\">\n<h3>{id} <small>milestone {milestone}, {document}</small></h3>\n<p>{}</p>\n\
         <p class=\"fail\">{}</p>\n<ul>\n",
        escaped(judged.title),
        escaped(failure)
    );
    for it in &judged.requirements {
        let (words, section) = (escaped(&it.words), escaped(&it.section));
        _ = writeln!(
            text,
            "<li>{1} <span class=\"label {0}\">{0}</span> {words} <small>({section})</small></li>",
            it.label, it.id
        );
    }
    text.push_str("</ul>\n");
    let evidence = &judged.evidence;
    evidence.deviations.iter().for_each(|it| deviation(text, it));
    exchange(text, &evidence.requests, &evidence.stanzas);
    text.push_str("</section>\n");
}

fn deviation(text: &mut String, deviation: &Deviation) {
    let Deviation { class, rule, what, source, mend, answer, .. } = deviation;
    let (class, rule) = (escaped(class), escaped(rule));
    _ = write!(
        text,
        "<div class=\"deviation\"><p><b>{class}: {rule}</b> – {}</p>\n<p>Rule: {}. Answered with: {}.</p>\n\
         <p class=\"mend\">To mend it: {}</p>\n",
        escaped(what),
        escaped(source),
        escaped(answer),
        escaped(mend)
    );
    if let Some(marked) = &deviation.marked {
        _ = writeln!(text, "<pre>{}</pre>", marks(&escaped(marked)));
        if let Some((bytes, at)) = bytes_of(marked) {
            _ = writeln!(text, "<pre class=\"hex\">{}</pre>", dump(&bytes, at));
        }
    }
    text.push_str("</div>\n");
}

/// The marks of the local WhatsApp as those of HTML.
fn marks(escaped: &str) -> String {
    escaped.replace('⟦', "<mark>").replace('⟧', "</mark>")
}

/// Bytes in rows of hexadecimal, a part of them marked.
fn dump(bytes: &[u8], marked: Option<std::ops::Range<usize>>) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().take(MAX_BYTES).enumerate() {
        match index {
            0 => {}
            index if index.is_multiple_of(ROW) => text.push('\n'),
            _ => text.push(' '),
        }
        let is_marked = marked.as_ref().is_some_and(|range| range.contains(&index));
        _ = if is_marked { write!(text, "<mark>{byte:02x}</mark>") } else { write!(text, "{byte:02x}") };
    }
    if bytes.len() > MAX_BYTES {
        _ = write!(text, "\n… {} bytes", bytes.len());
    }
    text
}

fn exchange(text: &mut String, requests: &[Exchange], stanzas: &[Stanza]) {
    if !requests.is_empty() {
        text.push_str("<details><summary>HTTP requests of the suite</summary>\n");
        for Exchange { request, answer } in requests {
            _ = writeln!(
                text,
                "<pre>{}</pre>\n<pre class=\"answer\">{}</pre>",
                escaped(request),
                escaped(answer)
            );
        }
        text.push_str("</details>\n");
    }
    if !stanzas.is_empty() {
        text.push_str("<details><summary>Stanzas</summary>\n");
        for Stanza { by, xml, .. } in stanzas {
            let bytes = bytes_of(xml).map(|(bytes, _)| dump(&bytes, None)).unwrap_or_default();
            _ = writeln!(
                text,
                "<p class=\"by\">{}</p><pre>{}</pre>\n<details><summary>bytes</summary>\
                 <pre class=\"hex\">{bytes}</pre></details>",
                escaped(by),
                escaped(xml)
            );
        }
        text.push_str("</details>\n");
    }
}
