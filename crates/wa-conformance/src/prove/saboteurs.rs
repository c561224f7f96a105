//! The saboteurs, and who must notice them.

use crate::prove::ApiFault as Api;
use crate::prove::ClientFault as Client;
use crate::prove::ServerFault as Server;
use crate::prove::{Fault, Saboteur};

const fn server(
    id: &'static str,
    fault: Server,
    what: &'static str,
    noticed_by: &'static [&'static str],
) -> Saboteur {
    Saboteur { id, what, fault: Fault::Server(fault), noticed_by }
}

const fn api(
    id: &'static str,
    fault: Api,
    what: &'static str,
    noticed_by: &'static [&'static str],
) -> Saboteur {
    Saboteur { id, what, fault: Fault::Api(fault), noticed_by }
}

const fn client(
    id: &'static str,
    fault: Client,
    what: &'static str,
    noticed_by: &'static [&'static str],
) -> Saboteur {
    Saboteur { id, what, fault: Fault::Client(fault), noticed_by }
}

/// All of them.
pub const SABOTEURS: &[Saboteur] = &[
    server("no-keys", Server::NoKeys, "a server without keys", &["jwks-http1", "jwks-http2", "jwks-type"]),
    server("no-http2", Server::NoHttp2, "a server without HTTP/2", &["jwks-http2", "push-http2"]),
    server("keys-as-html", Server::KeysAsHtml, "a server that says its keys are HTML", &["jwks-type"]),
    server(
        "private-member",
        Server::PrivateMember,
        "a server that publishes a private member",
        &["jwks-public"],
    ),
    server(
        "short-modulus",
        Server::ShortModulus,
        "a server with short keys",
        &["jwks-key-size", "token-verifies"],
    ),
    server("renamed-keys", Server::RenamedKeys, "a server whose keys have other names", &["token-verifies"]),
    server("frozen-keys", Server::FrozenKeys, "a server that never publishes new keys", &["revocation"]),
    server("long-tokens", Server::LongTokens, "a server whose tokens live too long", &["token-life"]),
    server(
        "other-users-tokens",
        Server::OtherUsersTokens,
        "a server that gives everybody the same user's token",
        &["token-own-users", "token-verifies"],
    ),
    server(
        "tokens-for-all",
        Server::TokensForAll,
        "a server that gives a token to anybody",
        &["token-anonymous", "token-authenticated"],
    ),
    server("no-base-path", Server::NoBasePath, "a server that answers beside its base URL", &["base-path"]),
    server(
        "swallowed-pushes",
        Server::SwallowedPushes,
        "a server that says 200 to every wake-up and wakes nobody",
        &["push-http1", "push-http2", "push-refused", "push-sample", "push-malformed"],
    ),
    server(
        "pushes-204",
        Server::Pushes204,
        "a server that says 204 to wake-ups",
        &["push-http1", "push-http2"],
    ),
    server(
        "pushes-with-body",
        Server::PushesWithBody,
        "a server that answers wake-ups with a body",
        &["push-http1", "push-refused"],
    ),
    server(
        "any-algorithm",
        Server::AnyAlgorithm,
        "a server that takes HS256",
        &["push-sample", "push-refused"],
    ),
    server("any-push", Server::AnyPush, "a server that takes malformed wake-ups", &["push-malformed"]),
    server(
        "cut-files",
        Server::CutFiles,
        "a server that loses a byte of each file",
        &["media-hosted", "media-send"],
    ),
    server("untyped-files", Server::UntypedFiles, "a server whose files have no type", &["media-hosted"]),
    server(
        "files-everywhere",
        Server::FilesEverywhere,
        "a server that has a file under every name",
        &["media-unknown", "media-expired"],
    ),
    api(
        "refusals-400",
        Api::Refusals400,
        "an API that refuses with HTTP 400",
        &["enlist-status", "enlist-sizes", "enlist-no-token"],
    ),
    api(
        "takes-everything",
        Api::TakesEverything,
        "an API that takes everything",
        &[
            "enlist-status",
            "enlist-sizes",
            "enlist-encodings",
            "enlist-identifier-bounds",
            "enlist-integrator-form",
            "enlist-spellings-differ",
            "enlist-method",
            "enlist-no-token",
            "enlist-token-size",
            "enlist-token-dates",
            "enlist-foreign-token",
            "enlist-unknown-kid",
            "enlist-weak-key",
            "enlist-bad-integrator",
            "enlist-forged-token",
            "enlist-expired-token",
            "enlist-other-identifier",
            "enlist-bad-prekey",
            "enlist-old-version",
            "two-integrators-apart",
        ],
    ),
    api(
        "takes-nothing",
        Api::TakesNothing,
        "an API that takes nothing",
        &[
            "enlist-ok",
            "enlist-identifier-length",
            "enlist-spellings",
            "enlist-regid",
            "enlist-unique",
            "two-integrators",
            "enlist-again",
        ],
    ),
    api(
        "one-login",
        Api::OneLogin,
        "an API that gives everybody the same login",
        &["enlist-unique", "enlist-again"],
    ),
    api("any-method", Api::AnyMethod, "an API that takes every method", &["enlist-method"]),
    client(
        "mute",
        Client::Mute,
        "a client that sends nothing",
        &["text-out", "delivered", "hundred", "hundred-burst", "long-text", "retry-answered", "away-29-days"],
    ),
    client(
        "deaf",
        Client::Deaf,
        "a client that shows no text",
        &["text-in", "offline", "offline-batches", "mailbox-29-days", "retry-asked", "stream-restart"],
    ),
    client(
        "double",
        Client::Double,
        "a client that shows each text twice",
        &["offline", "offline-batches", "hundred", "hundred-burst"],
    ),
    client(
        "late",
        Client::Late,
        "a client that shows texts out of order",
        &["offline", "offline-batches", "hundred-burst", "sent-offline"],
    ),
    client("loud", Client::Loud, "a client that sends other texts", &["text-out", "long-text"]),
    client(
        "unconnected",
        Client::Unconnected,
        "a client that connects never",
        &["handshake", "server-ping", "prekeys-uploaded", "keys-stored", "block"],
    ),
    client(
        "trusting",
        Client::Trusting,
        "a client that says every login stands",
        &["login-expired-token", "login-other-user", "server-proof", "login-busy", "away-30-days"],
    ),
    client("enlists-twice", Client::EnlistsTwice, "a client that enlists twice", &["enlist-form"]),
    client("other-login", Client::OtherLogin, "a client that tells another login", &["enlist-ok"]),
    client("blocks-nobody", Client::BlocksNobody, "a client that blocks nobody", &["block"]),
    client("deletes-nothing", Client::DeletesNothing, "a client that deletes nothing", &["deleted"]),
    client("other-file", Client::OtherFile, "a client that opens another file", &["media-fetched"]),
    client("other-stanzas", Client::OtherStanzas, "a client that reads other stanzas", &["codec"]),
    client("reads-anything", Client::ReadsAnything, "a client that reads any bytes", &["codec-refused"]),
    client(
        "forgetful",
        Client::Forgetful,
        "a client that forgets everything when it starts",
        &["keys-stored", "acked-once", "sent-offline"],
    ),
    client(
        "hides-undecryptable",
        Client::HidesUndecryptable,
        "a client that does not say what did not decrypt",
        &["retry-asked"],
    ),
    client(
        "hides-delivered",
        Client::HidesDelivered,
        "a client that does not say what has arrived",
        &["delivered"],
    ),
];
