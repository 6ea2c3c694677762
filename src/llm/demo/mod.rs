//! A built-in stand-in for a model: it needs no key and no network, and says what it is.
//!
//! It fills in one of three prepared web apps (a to-do list, a quiz, a kanban board) by the words
//! of the prompt, makes a fixed list of changes to them, and says so where a request is none of
//! these. The answer follows from the prompt alone, so that a call that goes on after a crash
//! writes the missing files with the bytes that they would have had.
//!
//! ```text
//! Request -> request (reads the prompt) -> answer ┬ brief -> app (templates) ┐
//!                                                 └ demand -> change (edits) ┴ tree -> text -> pace
//! ```
//!
//! Asked by the hub, it says what it would write, by the same words: see `hub`.
//!
//! A file that changes in a few places is edited, as a model would: see `blocks`.

mod answer;
mod app;
mod bank;
mod blocks;
mod brief;
mod change;
mod demand;
mod edit;
mod feature;
mod hub;
mod kind;
mod links;
mod look;
mod pace;
mod patch;
mod reader;
mod request;
mod template;
mod tree;
mod words;

use greenroom_actors::{
    port::{BoxFuture, DeltaStream, Provider, ProviderError, Request},
    run::hub::Asked,
};
use greenroom_protocol::event::{Usage, UsageSource};
use pace::Pace;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that are counted as one token.
const TOKEN_BYTES: usize = 4;

/// How fast the stand-in writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemoConfig {
    /// Tokens of about 4 letters a second; 0: as fast as they are read.
    pub tokens_per_second: u32,
    /// Time before the first token, in milliseconds.
    pub first_token_ms: u64,
}

impl Default for DemoConfig {
    /// A model's pace.
    fn default() -> Self {
        Self { tokens_per_second: 80, first_token_ms: 300 }
    }
}

/// The stand-in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Demo {
    config: DemoConfig,
}

impl Demo {
    /// A stand-in that writes at this pace.
    #[must_use]
    pub const fn new(config: DemoConfig) -> Self {
        Self { config }
    }
}

impl Provider for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }

    fn default_model(&self) -> &'static str {
        "stand-in"
    }

    fn is_stand_in(&self) -> bool {
        true
    }

    /// Never fails. The model that a request names makes no difference.
    fn stream(&self, request: Request) -> BoxFuture<'_, Result<DeltaStream, ProviderError>> {
        let pace = Pace {
            first: Duration::from_millis(self.config.first_token_ms),
            tokens_per_second: self.config.tokens_per_second,
        };
        Box::pin(async move {
            let start = Instant::now();
            let text = match Asked::read(&request.messages) {
                Some(asked) => hub::write(&asked),
                None => answer::write(&request::Prompt::read(&request.messages)),
            };
            let asked = request.messages.iter().map(|message| message.content.len()).sum();
            let usage = usage(asked, text.len());
            let stream: DeltaStream = Box::pin(pace::stream(text, usage, pace, start));
            Ok(stream)
        })
    }
}

/// What a call used, by its bytes.
fn usage(asked: usize, answered: usize) -> Usage {
    let tokens = |bytes: usize| u64::try_from(bytes.div_ceil(TOKEN_BYTES)).unwrap_or(u64::MAX);
    Usage {
        input_tokens: tokens(asked),
        output_tokens: tokens(answered),
        cached_tokens: 0,
        reasoning_tokens: 0,
        source: UsageSource::Estimate,
    }
}

#[cfg(test)]
mod tests;
