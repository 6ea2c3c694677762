//! Providers as the configuration names them, and the seeds' variables as aliases.

use super::{
    openai::{ApiKey, OpenAiConfig},
    request::{Api, MaxTokensName},
    secret::Secret,
};
use greenroom_actors::port::Terms;
use serde::{Deserialize, Deserializer};
use std::{collections::BTreeMap, time::Duration};

/// Longest answer asked for where the provider reserves quota for it, in tokens.
///
/// OpenAI, Groq and Cerebras count an unset limit as the model's greatest. All their default
/// models can write this much.
pub const MAX_TOKENS_DEFAULT: u32 = 16_384;

/// What serves an OpenAI-compatible API.
///
/// | kind | base URL | model | key |
/// |---|---|---|---|
/// | `openai` | `https://api.openai.com/v1` | `gpt-4o-mini` | needed |
/// | `groq` | `https://api.groq.com/openai/v1` | `openai/gpt-oss-120b` | needed |
/// | `cerebras` | `https://api.cerebras.ai/v1` | `gpt-oss-120b` | needed |
/// | `ollama` | `http://localhost:11434/v1` | `qwen2.5-coder` | not needed |
/// | `custom` | must be set | must be set | not needed |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// OpenAI.
    Openai,
    /// Groq.
    Groq,
    /// Cerebras.
    Cerebras,
    /// A local Ollama. `/v1` is added to a base URL without a path; one that ends in `/api` means
    /// its own API.
    Ollama,
    /// Any other server that speaks the same API.
    Custom,
}

/// One provider. Unset fields have the defaults of its [`ProviderKind`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// What it is.
    pub kind: ProviderKind,
    /// Its name in requests, logs and errors; the kind's name by default. Names are unique.
    #[serde(default)]
    pub name: Option<String>,
    /// Where its API is, without `/chat/completions`.
    #[serde(default)]
    pub base_url: Option<String>,
    /// The key, sent as `Authorization: Bearer …`.
    #[serde(default)]
    pub api_key: Option<Secret>,
    /// Further keys, each of an account of its own.
    #[serde(default)]
    pub keys: Vec<Secret>,
    /// Further keys by account: those of one account share its limits.
    #[serde(default)]
    pub accounts: BTreeMap<String, Vec<Secret>>,
    /// Calls a minute of an account for one model; 0: what the provider tells.
    #[serde(default)]
    pub requests_per_minute: u32,
    /// Tokens a minute of an account for one model; 0: what the provider tells.
    #[serde(default)]
    pub tokens_per_minute: u32,
    /// What becomes of an answer that nobody wants any more; none: what its kind bills.
    #[serde(default)]
    pub on_cancel: Option<OnCancel>,
    /// The model of requests that name none.
    #[serde(default)]
    pub model: Option<String>,
    /// Longest answer, in tokens; 0: no limit is sent. [`MAX_TOKENS_DEFAULT`], or no limit with
    /// `ollama` and `custom`, whose models may hold less.
    #[serde(default)]
    pub max_tokens: Option<u32>,
    /// Further headers of every call, such as `api-key`.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// An HTTP proxy to go through; the environment's proxy variables are not read.
    #[serde(default)]
    pub proxy: Option<Secret>,
    /// Limits of waiting.
    #[serde(default)]
    pub timeouts: Timeouts,
}

/// What becomes of an answer that nobody wants any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnCancel {
    /// The connection is closed, which ends the bill.
    Close,
    /// It is read to its end, since it is billed to there all the same.
    Drain,
}

/// How long a call may wait, each in milliseconds in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// `connect_ms`: for the connection with its TLS handshake.
    #[serde(rename = "connect_ms", deserialize_with = "millis")]
    pub connect: Duration,
    /// `first_content_ms`: from the call to the first word, tool call or reasoning.
    #[serde(rename = "first_content_ms", deserialize_with = "millis")]
    pub first_content: Duration,
    /// `stall_ms`: from content to content. Comments and empty deltas are none.
    #[serde(rename = "stall_ms", deserialize_with = "millis")]
    pub stall: Duration,
    /// `idle_ms`: from byte to byte, comments included; finds a dead connection where a model that
    /// thinks for long has a long `first_content_ms`.
    #[serde(rename = "idle_ms", deserialize_with = "millis")]
    pub idle: Duration,
    /// Fewest characters a second of an answer that has begun, over `rate_window`; 0: any rate
    /// will do. Time in which nobody reads does not count.
    pub chars_per_sec_min: u32,
    /// `rate_window_ms`: over how much waiting; at least twice `stall_ms`, so that one pause that
    /// `stall_ms` allows is none too many.
    #[serde(rename = "rate_window_ms", deserialize_with = "millis")]
    pub rate_window: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_content: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            idle: Duration::from_secs(60),
            chars_per_sec_min: 1,
            rate_window: Duration::from_secs(60),
        }
    }
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

/// Why a provider cannot be used as configured.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A required field is not set.
    #[error("provider {provider}: {field} is not set; {help}")]
    Missing {
        /// The provider's name.
        provider: String,
        /// The field.
        field: &'static str,
        /// What to set.
        help: &'static str,
    },
    /// A field makes no sense. The value is not repeated: it may be secret.
    #[error("provider {provider}: {field} {problem}")]
    Invalid {
        /// The provider's name.
        provider: String,
        /// The field.
        field: &'static str,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The HTTP client cannot be built, as without root certificates.
    #[error("provider {provider}: the HTTP client cannot be built; are CA certificates installed?")]
    Client {
        /// The provider's name.
        provider: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
}

impl ProviderKind {
    /// Its name in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Groq => "groq",
            Self::Cerebras => "cerebras",
            Self::Ollama => "ollama",
            Self::Custom => "custom",
        }
    }

    /// Where its API is; none: it must be configured.
    #[must_use]
    pub const fn base_url(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("https://api.openai.com/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Cerebras => Some("https://api.cerebras.ai/v1"),
            Self::Ollama => Some("http://localhost:11434/v1"),
            Self::Custom => None,
        }
    }

    /// Its default model; none: it must be configured.
    #[must_use]
    pub const fn model(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("gpt-4o-mini"),
            Self::Groq => Some("openai/gpt-oss-120b"),
            Self::Cerebras => Some("gpt-oss-120b"),
            Self::Ollama => Some("qwen2.5-coder"),
            Self::Custom => None,
        }
    }

    /// What to set where a hosted service has no key; none: it may do without.
    const fn key_help(self) -> Option<&'static str> {
        match self {
            Self::Openai => Some("set it, or OPENAI_API_KEY in the environment"),
            Self::Groq => Some("set it, or GROQ_API_KEYS in the environment"),
            Self::Cerebras => Some("set it, or CEREBRAS_API_KEYS in the environment"),
            Self::Ollama | Self::Custom => None,
        }
    }

    /// Groq bills answers to their end, whoever closes the connection; the others stop, or cost
    /// nothing.
    const fn on_cancel(self) -> OnCancel {
        match self {
            Self::Groq => OnCancel::Drain,
            Self::Openai | Self::Cerebras | Self::Ollama | Self::Custom => OnCancel::Close,
        }
    }

    const fn max_tokens(self) -> (Option<u32>, MaxTokensName) {
        match self {
            Self::Openai | Self::Groq | Self::Cerebras => {
                (Some(MAX_TOKENS_DEFAULT), MaxTokensName::MaxCompletionTokens)
            }
            Self::Ollama | Self::Custom => (None, MaxTokensName::MaxTokens),
        }
    }
}

impl ProviderConfig {
    /// A provider with the defaults of its kind.
    #[must_use]
    pub fn new(kind: ProviderKind) -> Self {
        Self {
            kind,
            name: None,
            base_url: None,
            api_key: None,
            keys: Vec::new(),
            accounts: BTreeMap::new(),
            requests_per_minute: 0,
            tokens_per_minute: 0,
            on_cancel: None,
            model: None,
            max_tokens: None,
            headers: BTreeMap::new(),
            proxy: None,
            timeouts: Timeouts::default(),
        }
    }

    /// Its name: the configured one or the kind's.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.kind.name())
    }

    /// Fills in the defaults.
    ///
    /// # Errors
    /// [`ConfigError::Missing`] where there is none.
    pub fn resolve(&self) -> Result<OpenAiConfig, ConfigError> {
        let missing =
            |field, help| ConfigError::Missing { provider: self.name().to_owned(), field, help };
        let is_set = |value: &&str| !value.trim().is_empty();
        let base_url = self.base_url.as_deref().filter(is_set).or_else(|| self.kind.base_url());
        let base_url = base_url.ok_or_else(|| {
            missing("base_url", "set it to the server's API, such as http://host/v1")
        })?;
        let model = self.model.as_deref().filter(is_set).or_else(|| self.kind.model());
        let model =
            model.ok_or_else(|| missing("model", "set it to the model that the server offers"))?;
        let keys = self.all_keys();
        if let (true, Some(help), true) =
            (keys.is_empty(), self.kind.key_help(), self.headers.is_empty())
        {
            return Err(missing("api_key", help));
        }
        let (max_tokens, max_tokens_name) = self.kind.max_tokens();
        let max_tokens = self.max_tokens.or(max_tokens).filter(|max_tokens| *max_tokens > 0);
        let base_url = with_version(self.kind, base_url.trim());
        let is_native = self.kind == ProviderKind::Ollama && base_url.ends_with("/api");
        Ok(OpenAiConfig {
            name: self.name().to_owned(),
            api: if is_native { Api::Ollama } else { Api::OpenAi },
            base_url,
            keys,
            model: model.to_owned(),
            headers: self.headers.clone(),
            proxy: self.proxy.clone(),
            timeouts: self.timeouts,
            include_usage: true,
            max_tokens,
            max_tokens_name,
            terms: Terms {
                requests_per_minute: Some(self.requests_per_minute).filter(|limit| *limit > 0),
                tokens_per_minute: Some(self.tokens_per_minute).filter(|limit| *limit > 0),
                answer_tokens: max_tokens.unwrap_or(0),
                drains: self.on_cancel.unwrap_or_else(|| self.kind.on_cancel()) == OnCancel::Drain,
            },
        })
    }

    /// All keys, each once. Keys of `accounts` share limits; each of the others has its own.
    fn all_keys(&self) -> Vec<ApiKey> {
        let alone = self.api_key.iter().chain(&self.keys).map(|key| (key, None));
        let shared = self
            .accounts
            .iter()
            .flat_map(|(account, keys)| keys.iter().map(move |key| (key, Some(account.clone()))));
        let mut all = Vec::<ApiKey>::new();
        // What an account says of a key is more than that it exists.
        for (secret, account) in shared.chain(alone) {
            let is_new = all.iter().all(|known| known.secret != *secret);
            if is_new && !secret.expose().trim().is_empty() {
                all.push(ApiKey { secret: secret.clone(), account });
            }
        }
        all
    }
}

/// Ollama's own variable names the server, not its OpenAI-compatible API.
fn with_version(kind: ProviderKind, base_url: &str) -> String {
    let base_url = base_url.trim_end_matches('/');
    let has_path = base_url.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    let version = if kind == ProviderKind::Ollama && !has_path { "/v1" } else { "" };
    format!("{base_url}{version}")
}

#[cfg(test)]
mod tests;
