//! Where settings come from: flags before the environment before one TOML file (overview §1.3).

use std::path::Path;

use config::{Config, ConfigError, File, FileFormat, Value, ValueKind};
use thiserror::Error;
use toml::de::{DeTable, DeValue};
use wa_http_server::SystemError;

use super::Settings;

/// Why settings are refused; the configuration's fault.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The operating system refused the file.
    #[error("{file} cannot be read: {reason}")]
    Io {
        /// The path of the settings file.
        file: String,
        /// What the operating system said.
        reason: SystemError,
    },
    /// The file is not TOML.
    #[error("{file}, line {line}: {message}")]
    Form {
        /// The path of the settings file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The file holds what is no setting, or a setting that cannot be.
    #[error("{file}, line {line}, {key}: {message}")]
    InFile {
        /// The path of the settings file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The table, and the setting in it.
        key: String,
        /// What is allowed.
        message: String,
    },
    /// A variable or a flag says what cannot be.
    #[error("{origin}: {message}")]
    Given {
        /// The variable or the flag.
        origin: String,
        /// What is allowed.
        message: String,
    },
}

/// A setting that a variable or a flag gives.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    /// The table, and the setting in it.
    pub(crate) key: String,
    /// The variable or the flag.
    pub(crate) origin: String,
    pub(crate) value: String,
}

/// What every variable of ours begins with.
pub(crate) const PREFIX: &str = "WA_INTEGRATOR_";
/// Each variable, and its setting.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("WA_INTEGRATOR_PROFILE", "profile"),
    ("WA_INTEGRATOR_DATA_DIR", "store.data_dir"),
    ("WA_INTEGRATOR_POSTGRES", "store.postgres"),
    ("WA_INTEGRATOR_POSTGRES_PASSWORD_FILE", "store.postgres_password_file"),
    ("WA_INTEGRATOR_POSTGRES_AUTHORITIES_FILE", "store.postgres_authorities_file"),
    ("WA_INTEGRATOR_POSTGRES_CONNECTIONS", "store.postgres_connections"),
    ("WA_INTEGRATOR_MASTER_KEY_FILE", "keys.master_key_file"),
    ("WA_INTEGRATOR_MASTER_KEY_ALSO_FILE", "keys.master_key_also_file"),
    ("WA_INTEGRATOR_KEY_DAYS", "keys.days"),
    ("WA_INTEGRATOR_KEY_REFRESH", "keys.refresh"),
    ("WA_INTEGRATOR_LISTEN", "listen.address"),
    ("WA_INTEGRATOR_BASE_URL", "listen.base_url"),
    ("WA_INTEGRATOR_LISTEN_BESIDE", "listen.beside"),
    ("WA_INTEGRATOR_PROXY_PROTOCOL", "listen.proxy_protocol"),
    ("WA_INTEGRATOR_FORWARDED_FOR", "listen.forwarded_for"),
    ("WA_INTEGRATOR_DRAIN_DELAY", "listen.drain_delay"),
    ("WA_INTEGRATOR_CONNECTIONS", "limits.connections"),
    ("WA_INTEGRATOR_CONNECTIONS_PER_ADDRESS", "limits.connections_per_address"),
    ("WA_INTEGRATOR_HANDLER_SECONDS", "limits.handler_seconds"),
    ("WA_INTEGRATOR_IDLE_SECONDS", "limits.idle_seconds"),
    ("WA_INTEGRATOR_AGE_SECONDS", "limits.age_seconds"),
    ("WA_INTEGRATOR_DRAIN_SECONDS", "limits.drain_seconds"),
    ("WA_INTEGRATOR_TLS_CERTIFICATE", "tls.certificate"),
    ("WA_INTEGRATOR_TLS_KEY", "tls.key"),
    ("WA_INTEGRATOR_TLS_REFRESH", "tls.refresh"),
    ("WA_INTEGRATOR_ADMIN_LISTEN", "admin.listen"),
    ("WA_INTEGRATOR_AUTHENTICATOR", "tokens.authenticator"),
    ("WA_INTEGRATOR_SHARED_SECRET_FILE", "tokens.shared_secret_file"),
    ("WA_INTEGRATOR_SHARED_SECRET_ALSO_FILE", "tokens.shared_secret_also_file"),
    ("WA_INTEGRATOR_PROXY_HEADER", "tokens.proxy_header"),
    ("WA_INTEGRATOR_PROXY", "tokens.proxy"),
    ("WA_INTEGRATOR_OIDC_ISSUER", "tokens.oidc_issuer"),
    ("WA_INTEGRATOR_OIDC_AUDIENCE", "tokens.oidc_audience"),
    ("WA_INTEGRATOR_OIDC_JWKS_URL", "tokens.oidc_jwks_url"),
    ("WA_INTEGRATOR_OIDC_CLAIM", "tokens.oidc_claim"),
    ("WA_INTEGRATOR_TOKEN_LIFETIME", "tokens.lifetime"),
    ("WA_INTEGRATOR_TOKENS_A_MINUTE", "tokens.a_minute"),
    ("WA_INTEGRATOR_WEBHOOK", "push.webhook"),
    ("WA_INTEGRATOR_WEBHOOK_FORMAT", "push.webhook_format"),
    ("WA_INTEGRATOR_NATS", "push.nats"),
    ("WA_INTEGRATOR_NATS_SUBJECT", "push.nats_subject"),
    ("WA_INTEGRATOR_NATS_STREAM", "push.nats_stream"),
    ("WA_INTEGRATOR_NATS_CREDENTIALS_FILE", "push.nats_credentials_file"),
    ("WA_INTEGRATOR_PUSH_PATH", "push.path"),
    ("WA_INTEGRATOR_STRANGERS", "push.strangers"),
    ("WA_INTEGRATOR_PUSHES_A_MINUTE", "push.a_minute"),
    ("WA_INTEGRATOR_WHATSAPP_JWKS_URL", "push.whatsapp_jwks_url"),
    ("WA_INTEGRATOR_ALLOW_PRIVATE", "push.allow_private"),
    ("WA_INTEGRATOR_KEY_COOLDOWN", "push.key_cooldown"),
    ("WA_INTEGRATOR_MEDIA_DIRECTORY", "media.directory"),
    ("WA_INTEGRATOR_S3_BUCKET", "media.s3_bucket"),
    ("WA_INTEGRATOR_S3_ENDPOINT", "media.s3_endpoint"),
    ("WA_INTEGRATOR_S3_REGION", "media.s3_region"),
    ("WA_INTEGRATOR_S3_PREFIX", "media.s3_prefix"),
    ("WA_INTEGRATOR_S3_ACCESS_KEY_ID", "media.s3_access_key_id"),
    ("WA_INTEGRATOR_S3_SECRET_ACCESS_KEY_FILE", "media.s3_secret_access_key_file"),
    ("WA_INTEGRATOR_MEDIA_BYTES_MAX", "media.bytes_max"),
    ("WA_INTEGRATOR_MEDIA_BYTES_A_DAY", "media.bytes_a_day"),
    ("WA_INTEGRATOR_MEDIA_FILES_A_DAY", "media.files_a_day"),
    ("WA_INTEGRATOR_MEDIA_DOWNLOADS", "media.downloads"),
    ("WA_INTEGRATOR_MEDIA_DOWNLOADS_PER_ADDRESS", "media.downloads_per_address"),
    ("WA_INTEGRATOR_MEDIA_DAYS", "media.days"),
    ("WA_INTEGRATOR_MEDIA_TOKEN_REQUIRED", "media.token_required"),
    ("WA_INTEGRATOR_AUTHORITIES_FILE", "trust.authorities_file"),
    ("WA_INTEGRATOR_PLAIN_HTTP", "trust.plain_http"),
    ("WA_INTEGRATOR_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("WA_INTEGRATOR_TRACES_OF_A_THOUSAND", "telemetry.traces_of_a_thousand"),
    ("WA_INTEGRATOR_LOG_FORMAT", "telemetry.log_format"),
    ("WA_INTEGRATOR_ACCESS_LOG", "telemetry.access_log"),
];

/// What is wrong with a bracket in a name: it would be an index into a list, and the list as long as that.
const NO_NAME: &str = "no setting's name has a bracket";

/// What the environment says; a variable that is empty says nothing.
pub(crate) fn variables() -> impl Iterator<Item = Given> {
    VARIABLES.iter().filter_map(|(origin, key)| {
        let value = std::env::var(origin).ok().filter(|value| !value.is_empty())?;
        Some(Given { key: (*key).to_owned(), origin: (*origin).to_owned(), value })
    })
}

/// Whether a variable is a setting.
pub(crate) fn is_setting(variable: &str) -> bool {
    VARIABLES.iter().any(|(known, _)| *known == variable)
}

/// The settings in the content of a file, with what is given over it; of two the later counts.
pub(super) fn read(file: Option<(&str, &Path)>, given: &[Given]) -> Result<Settings, SettingsError> {
    let (content, path) = file.unwrap_or(("", Path::new("")));
    let name = path.display().to_string();
    let table = DeTable::parse(content).map_err(|error| SettingsError::Form {
        file: name.clone(),
        line: line(content, error.span().map_or(0, |span| span.start)),
        message: error.message().trim_end().replace('\n', ", "),
    })?;
    if let Some(key) = table.get_ref().keys().find(|key| key.get_ref().contains('[')) {
        let (line, key) = (line(content, key.span().start), key.get_ref().to_string());
        return Err(SettingsError::InFile { file: name, line, key, message: NO_NAME.to_owned() });
    }
    let mut builder = Config::builder().add_source(File::from_str(content, FileFormat::Toml));
    for Given { key, origin, value } in given {
        if key.contains('[') {
            return Err(SettingsError::Given { origin: origin.clone(), message: NO_NAME.to_owned() });
        }
        let value = Value::new(Some(origin), ValueKind::String(value.clone()));
        builder = builder.set_override(key, value).map_err(|_| SettingsError::Given {
            origin: origin.clone(),
            message: format!("{key} is no setting"),
        })?;
    }
    let refused = |key: String, error: &ConfigError| {
        let message = sentence(error);
        // It, or one of its values; the last one is what was read.
        let is_at_fault = |given: &&Given| {
            key.strip_prefix(&given.key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        match given.iter().rfind(is_at_fault) {
            Some(Given { origin, .. }) => SettingsError::Given { origin: origin.clone(), message },
            None => {
                let line = line(content, place(table.get_ref(), &key));
                SettingsError::InFile { file: name.clone(), line, key, message }
            }
        }
    };
    let config = builder.build().map_err(|error| refused(String::new(), &error))?;
    serde_path_to_error::deserialize(config).map_err(|error| refused(error.path().to_string(), error.inner()))
}

/// Where in the file a setting is, or as much of its path as is there.
fn place(table: &DeTable<'_>, path: &str) -> usize {
    let (mut table, mut place) = (Some(table), 0);
    for name in path.split(['.', '[']) {
        let Some((key, value)) = table.and_then(|table| table.get_key_value(name)) else { break };
        place = key.span().start;
        table = match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => None,
        };
    }
    place
}

/// Which line that is, from 1.
fn line(content: &str, place: usize) -> usize {
    content.get(..place).unwrap_or_default().matches('\n').count() + 1
}

/// What is wrong, without where.
fn sentence(error: &ConfigError) -> String {
    match error {
        ConfigError::Type { unexpected, expected, .. } => {
            format!("invalid type: {unexpected}, expected {expected}")
        }
        ConfigError::At { error, .. } => sentence(error),
        error => error.to_string().trim_end().replace('\n', ", "),
    }
}
