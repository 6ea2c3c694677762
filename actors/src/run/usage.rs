//! Tokens from bytes, where a provider says nothing of them.

use super::{
    project::Project,
    prompt::{CONTEXT_BYTES_MAX, PromptInput},
    tag::Tag,
};
use crate::port::Message;
use greenroom_protocol::event::Usage;

/// About four bytes of text make a token; one at least for each text.
#[must_use]
pub(super) fn estimate(lens: impl IntoIterator<Item = usize>) -> u64 {
    lens.into_iter().map(|len| (len as u64).div_ceil(4)).sum()
}

/// Tokens of a prompt.
#[must_use]
pub(super) fn of_prompt(messages: &[Message]) -> u64 {
    estimate(messages.iter().map(|message| message.content.len()))
}

/// What two calls used together.
#[must_use]
pub(super) const fn sum(one: Usage, other: Usage) -> Usage {
    Usage {
        input_tokens: one.input_tokens.saturating_add(other.input_tokens),
        output_tokens: one.output_tokens.saturating_add(other.output_tokens),
        cached_tokens: one.cached_tokens.saturating_add(other.cached_tokens),
        reasoning_tokens: one.reasoning_tokens.saturating_add(other.reasoning_tokens),
        source: other.source,
    }
}

/// Tokens of the prompt that a request would make in a project, without earlier turns.
pub(crate) fn estimate_input(project: &Project, request: &str) -> Option<u64> {
    let (files, texts) = (&project.files, &project.contents);
    let input =
        PromptInput { history: &[], files, texts, request, done: None, steered: false, mend: None };
    // Any tag is as long as any other one.
    let tag = Tag::parse("aaaaaa")?;
    Some(of_prompt(&input.build(&tag, CONTEXT_BYTES_MAX)))
}
