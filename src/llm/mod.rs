//! Providers: models behind OpenAI-compatible APIs, or Ollama's own.
//!
//! ```text
//! openai    one call: request, status, content type        (network)
//! stream    body -> deltas, under patience and pace        (network, clock)
//! request   what is asked, in the words of each API        (pure, as all below)
//! answer    bytes -> deltas
//!   sse       bytes -> events                  ndjson    bytes -> lines
//!   chunk     event -> text, reasoning, …      ollama    line -> the same
//!   think     text -> reasoning in tags, text
//!   tools     fragments -> calls, which are counted and dropped
//! failure   status, headers, body -> class of the failure
//!   retry     headers, text -> time to wait
//!   limits    headers, text -> what is left, and whose it is
//! watched   any provider, counted and traced        (around the call)
//! secret    keys, and texts without them
//! probe     one tiny call, timed
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
mod limits;
mod meter;
mod ndjson;
mod ollama;
mod openai;
mod pace;
mod patience;
mod probe;
#[cfg(test)]
mod recordings;
mod request;
mod retry;
mod secret;
pub mod sse;
mod stream;
mod think;
mod tools;
mod watched;

pub use config::{
    ConfigError, MAX_TOKENS_DEFAULT, OnCancel, ProviderConfig, ProviderKind, Timeouts,
};
pub use meter::Meter;
pub use openai::{ApiKey, ERROR_BODY_BYTES_MAX, OpenAi, OpenAiConfig, RUN_HEADER};
pub use probe::{Probe, connect_time, probe};
pub use request::{Api, MaxTokensName};
pub use secret::Secret;
pub(crate) use watched::Watched;
