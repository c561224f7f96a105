//! Rule: few files of ours open a socket, and they are named here (docs/ARCHITECTURE.md, "Sockets").

use crate::tidy::tree::{File, Tree, holds_word};
use crate::tidy::violation::Violation;

/// The names of what opens a socket, outside the files that may.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let sources = tree.rust().filter(|file| file.is_crate_source() && !may_open(file));
    sources
        .flat_map(|file| file.lines().filter_map(move |(line, text)| violation(file, line, text)))
        .collect()
}

fn violation(file: &File, line: usize, text: &str) -> Option<Violation> {
    if text.trim_start().starts_with("//") {
        return None;
    }
    let word = WORDS.iter().find(|word| holds_word(text, word))?;
    let message = format!("`{word}`: only {} open sockets", ALLOWED.join(", "));
    Some(Violation::new(&file.path, message).with_line(line))
}

fn may_open(file: &File) -> bool {
    ALLOWED.contains(&file.path.as_str()) || file.path.starts_with(EXEMPT)
}

const ALLOWED: [&str; 5] = [
    "crates/wa-http/src/hyper.rs",
    "crates/wa-http-server/src/server.rs",
    "crates/wa-client/src/connector.rs",
    "crates/wa-sandbox/src/listen.rs",
    "crates/wa-sandbox/src/outgoing.rs",
];

/// The suite that judges programs from outside is a test.
const EXEMPT: &str = "crates/wa-conformance/";

const WORDS: [&str; 9] = [
    "TcpListener",
    "TcpStream",
    "TcpSocket",
    "UdpSocket",
    "UnixListener",
    "UnixStream",
    "UnixDatagram",
    "HttpConnector",
    "lookup_host",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_elsewhere_is_named_with_its_line() {
        let tree = Tree::of(&[("crates/wa-chat/src/channel.rs", "//! Doc.\nuse std::net::TcpStream;\n")]);
        assert_eq!(
            check(&tree)[0].to_string(),
            "crates/wa-chat/src/channel.rs:2: `TcpStream`: only crates/wa-http/src/hyper.rs, \
             crates/wa-http-server/src/server.rs, crates/wa-client/src/connector.rs, crates/wa-sandbox/src/listen.rs, \
             crates/wa-sandbox/src/outgoing.rs open sockets"
        );
    }

    #[test]
    fn the_named_files_tests_comments_and_other_words_pass() {
        let socket = "use std::net::TcpListener;\n";
        let mut files: Vec<(&str, &str)> = ALLOWED.iter().map(|path| (*path, socket)).collect();
        files.push(("crates/wa-http/tests/loopback.rs", socket));
        files.push(("crates/wa-conformance/src/main.rs", socket));
        files.push(("crates/wa-chat/src/lib.rs", "// A TcpStream is the driver's.\nstruct MyTcpStreams;\n"));
        assert_eq!(check(&Tree::of(&files)), []);
    }
}
