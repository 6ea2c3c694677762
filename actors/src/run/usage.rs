//! Tokens from bytes, where a provider says nothing of them.

use super::{
    project::Project,
    prompt::{CONTEXT_BYTES_MAX, PromptInput},
    tag::Tag,
};
use crate::port::Message;

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

/// Tokens of the prompt that a request would make in a project, without earlier turns.
pub(crate) fn estimate_input(project: &Project, request: &str) -> Option<u64> {
    let (files, texts) = (&project.files, &project.contents);
    let input = PromptInput { history: &[], files, texts, request, done: None };
    // Any tag is as long as any other one.
    let tag = Tag::parse("aaaaaa")?;
    Some(of_prompt(&input.build(&tag, CONTEXT_BYTES_MAX)))
}
