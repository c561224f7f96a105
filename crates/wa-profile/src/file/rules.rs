//! What a profile from a file must keep beyond the types of its fields, so that a slip is found when it is read.

use std::time::Duration;

use crate::Profile;

/// The first rule that a profile breaks: the field and what is allowed.
pub(super) fn broken(profile: &Profile) -> Option<(&'static str, &'static str)> {
    RULES.iter().find(|rule| !(rule.holds)(profile)).map(|rule| (rule.key, rule.message))
}

struct Rule {
    key: &'static str,
    message: &'static str,
    holds: fn(&Profile) -> bool,
}

const URL: &str = "a URL begins with https:// or http://";
const PATH: &str = "a path begins with a slash";

/// Prekeys that one stanza holds: three nodes each, of the 32,768 that a reader takes.
const MAX_UPLOAD: u16 = 10_000;

const RULES: &[Rule] = &[
    Rule { key: "enlistment.url", message: URL, holds: |it| is_url(&it.enlistment.url) },
    Rule {
        key: "token.user_identifier_chars_max",
        message: "a user identifier has at least one character",
        holds: |it| it.token.user_identifier_chars_max > 0,
    },
    Rule {
        key: "token.lifetime_max",
        message: "a token lives for at least a second",
        holds: |it| it.token.lifetime_max > Duration::ZERO,
    },
    Rule { key: "token.jwks_path", message: PATH, holds: |it| it.token.jwks_path.starts_with('/') },
    Rule { key: "chat.host", message: "there must be a host", holds: |it| !it.chat.host.is_empty() },
    Rule { key: "chat.port", message: "a port is 1 to 65535", holds: |it| it.chat.port > 0 },
    Rule {
        key: "chat.failures",
        message: "the three reasons must differ: a client does something else for each",
        holds: |it| {
            let failures = it.chat.failures;
            failures.token_refused != failures.unenlisted
                && failures.token_refused != failures.version_too_old
                && failures.unenlisted != failures.version_too_old
        },
    },
    Rule {
        key: "chat.ping.interval",
        message: "pauses are at least a second, the least before the most",
        holds: |it| {
            let interval = &it.chat.ping.interval;
            *interval.start() > Duration::ZERO && !interval.is_empty()
        },
    },
    Rule {
        key: "chat.offline_batch",
        message: "a client asks for at least one stanza",
        holds: |it| it.chat.offline_batch > 0,
    },
    Rule {
        key: "encryption.one_time_prekeys.first_upload",
        message: "1 to 10,000 prekeys are uploaded at once: one stanza holds no more",
        holds: |it| (1..=MAX_UPLOAD).contains(&it.encryption.one_time_prekeys.first_upload),
    },
    Rule {
        key: "encryption.one_time_prekeys.refill_to",
        message: "at most 10,000 prekeys are uploaded at once: one stanza holds no more",
        holds: |it| it.encryption.one_time_prekeys.refill_to <= MAX_UPLOAD,
    },
    Rule {
        key: "encryption.one_time_prekeys.refill_at",
        message: "must be less than refill_to",
        holds: |it| it.encryption.one_time_prekeys.refill_at < it.encryption.one_time_prekeys.refill_to,
    },
    Rule {
        key: "encryption.signed_prekey.keep",
        message: "an old prekey is kept for longer than rotate_after",
        holds: |it| it.encryption.signed_prekey.rotate_after < it.encryption.signed_prekey.keep,
    },
    Rule {
        key: "encryption.padding",
        message: "padding is 1 to 255 bytes, the least before the most",
        holds: |it| *it.encryption.padding.start() > 0 && !it.encryption.padding.is_empty(),
    },
    Rule {
        key: "encryption.forward_jump",
        message: "at most 24,999 messages may be missing: one message costs no more steps than that",
        holds: |it| it.encryption.forward_jump < 25_000,
    },
    Rule { key: "media.whatsapp_origin", message: URL, holds: |it| is_url(&it.media.whatsapp_origin) },
    Rule {
        key: "media.interop_direct_path",
        message: "a direct path begins with a slash and holds {integrator} and {storage_reference}",
        holds: |it| {
            let path = &it.media.interop_direct_path;
            path.starts_with('/')
                && ["{integrator}", "{storage_reference}"].iter().all(|part| path.matches(part).count() == 1)
        },
    },
    Rule {
        key: "push.lifetime_max",
        message: "a token lives for at least a second",
        holds: |it| it.push.lifetime_max > Duration::ZERO,
    },
    Rule { key: "push.path", message: PATH, holds: |it| it.push.path.starts_with('/') },
    Rule { key: "push.whatsapp_jwks_url", message: URL, holds: |it| is_url(&it.push.whatsapp_jwks_url) },
];

fn is_url(text: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documents_keep_every_rule() {
        assert_eq!(broken(&Profile::overview()), None);
        assert_eq!(broken(&Profile::reference_offer_1_0_3()), None);
    }

    #[test]
    fn each_rule_can_be_broken_alone() {
        let lines = [
            ("enlistment.url", "[enlistment]\nurl = \"v.whatsapp.net\""),
            ("token.user_identifier_chars_max", "[token]\nuser_identifier_chars_max = 0"),
            ("token.lifetime_max", "[token]\nlifetime_max = \"0s\""),
            ("token.jwks_path", "[token]\njwks_path = \"jwks\""),
            ("chat.host", "[chat]\nhost = \"\""),
            ("chat.port", "[chat]\nport = 0"),
            ("chat.failures", "[chat]\nfailures = { token_refused = 415 }"),
            ("chat.ping.interval", "[chat.ping]\ninterval = [\"3s\", \"2s\"]"),
            ("chat.offline_batch", "[chat]\noffline_batch = 0"),
            ("encryption.one_time_prekeys.first_upload", "[encryption.one_time_prekeys]\nfirst_upload = 0"),
            ("encryption.one_time_prekeys.refill_to", "[encryption.one_time_prekeys]\nrefill_to = 10001"),
            ("encryption.one_time_prekeys.refill_at", "[encryption.one_time_prekeys]\nrefill_at = 100"),
            ("encryption.signed_prekey.keep", "[encryption.signed_prekey]\nkeep = \"7d\""),
            ("encryption.padding", "[encryption]\npadding = [0, 15]"),
            ("encryption.forward_jump", "[encryption]\nforward_jump = 25000"),
            ("media.whatsapp_origin", "[media]\nwhatsapp_origin = \"https://\""),
            ("media.interop_direct_path", "[media]\ninterop_direct_path = \"/{integrator}/\""),
            ("push.lifetime_max", "[push]\nlifetime_max = \"0h\""),
            ("push.path", "[push]\npath = \"push\""),
            ("push.whatsapp_jwks_url", "[push]\nwhatsapp_jwks_url = \"ftp://x\""),
        ];
        for (key, text) in lines {
            let error = Profile::from_toml(text).unwrap_err();
            assert_eq!((error.key.as_str(), error.line), (key, 2), "{error}");
        }
        let many = Profile::from_toml("[encryption.one_time_prekeys]\nfirst_upload = 10001").unwrap_err();
        assert_eq!(many.key, "encryption.one_time_prekeys.first_upload");
        assert_eq!(
            lines.map(|(key, _)| key).as_slice(),
            RULES.iter().map(|rule| rule.key).collect::<Vec<_>>()
        );
    }
}
