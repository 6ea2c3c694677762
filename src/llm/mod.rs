//! Providers: models behind OpenAI-compatible APIs.
//!
//! ```text
//! openai    one call: request, status, content type        (network)
//! stream    body -> deltas, under the limits of patience   (network, clock)
//! answer    bytes -> deltas                                (pure, as all below)
//!   sse       bytes -> events
//!   chunk     event -> text, reasoning, usage, end, error
//! failure   status, headers, body -> class of the failure
//!   retry     headers, text -> time to wait
//! secret    keys, and texts without them
//! demo      the built-in stand-in that needs no key
//! config    what may be configured, defaults by kind
//! ```
//!
//! Usage is what the provider reports. Where it reports none, the run estimates it.

mod answer;
mod chunk;
mod config;
pub mod demo;
mod failure;
mod openai;
mod patience;
#[cfg(test)]
mod recordings;
mod retry;
mod secret;
pub mod sse;
mod stream;

pub use config::{ConfigError, MAX_TOKENS_DEFAULT, ProviderConfig, ProviderKind, Timeouts};
pub use openai::{ERROR_BODY_BYTES_MAX, MaxTokensName, OpenAi, OpenAiConfig, RUN_HEADER};
pub use secret::Secret;
