//! The console: a page over the control interface, in a few plain files that are part of the program.

use bytes::Bytes;
use hyper::Response;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::body::SandboxBody;

/// What the page may do: run and show its own files, ask its own origin, show pictures and recordings as blobs. Text can
/// never become script or style, whatever a browser makes of it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; \
                      media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// The files by their paths.
const FILES: &[(&str, &str, &str)] = &[
    ("/", HTML, include_str!("console/index.html")),
    ("/console/style.css", CSS, include_str!("console/style.css")),
    ("/console/icon.svg", "image/svg+xml", include_str!("console/icon.svg")),
    ("/console/main.js", SCRIPT, include_str!("console/main.js")),
    ("/console/server.js", SCRIPT, include_str!("console/server.js")),
    ("/console/element.js", SCRIPT, include_str!("console/element.js")),
    ("/console/place.js", SCRIPT, include_str!("console/place.js")),
    ("/console/panes.js", SCRIPT, include_str!("console/panes.js")),
    ("/console/who.js", SCRIPT, include_str!("console/who.js")),
    ("/console/chat.js", SCRIPT, include_str!("console/chat.js")),
    ("/console/composer.js", SCRIPT, include_str!("console/composer.js")),
    ("/console/file.js", SCRIPT, include_str!("console/file.js")),
    ("/console/recorder.js", SCRIPT, include_str!("console/recorder.js")),
    ("/console/wire.js", SCRIPT, include_str!("console/wire.js")),
    ("/console/log.js", SCRIPT, include_str!("console/log.js")),
    ("/console/detail.js", SCRIPT, include_str!("console/detail.js")),
    ("/console/xml.js", SCRIPT, include_str!("console/xml.js")),
    ("/console/bar.js", SCRIPT, include_str!("console/bar.js")),
];

/// The file at a path of the console, if it has one.
pub(crate) fn file(path: &str) -> Option<Response<SandboxBody>> {
    let (_, kind, text) = FILES.iter().find(|(at, ..)| *at == path)?;
    let mut answer = Response::new(SandboxBody::from(Bytes::from_static(text.as_bytes())));
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, *kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::VARY, "accept"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}

/// Whether a browser wants a page, rather than `curl` the welcome in text.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).is_some_and(|it| it.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_a_file_names_is_there() {
        let is_there =
            |name: &str| FILES.iter().any(|(path, ..)| path.strip_prefix("/console/") == Some(name));
        for (path, _, text) in FILES {
            for part in text.split("from \"./").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(is_there(name), "{path} imports {name}");
            }
            for part in text.split("\"/console/").skip(1) {
                let name = part.split('"').next().unwrap();
                assert!(is_there(name), "{path} names {name}");
            }
        }
    }

    /// What came over the wire is set as text: the console has nothing that reads markup, and nothing that the policy forbids.
    #[test]
    fn nothing_in_the_console_reads_markup() {
        for (path, _, text) in FILES {
            for word in [
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "DOMParser",
                "createContextualFragment",
                "srcdoc",
                "eval(",
                "Function(",
                "javascript:",
                " style=",
                "onclick=",
                "http-equiv",
            ] {
                assert!(!text.contains(word), "{path} has {word}");
            }
        }
    }

    #[test]
    fn every_file_comes_with_the_policy() {
        for (path, kind, _) in FILES {
            let answer = file(path).unwrap();
            let header = |name: &str| answer.headers().get(name).unwrap().to_str().unwrap().to_owned();
            assert_eq!(header("content-type"), *kind);
            assert_eq!(header("x-content-type-options"), "nosniff");
            assert_eq!(
                header("content-security-policy"),
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' \
                 blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            );
        }
        assert!(file("/console/../world.rs").is_none() && file("/console/").is_none());
    }
}
