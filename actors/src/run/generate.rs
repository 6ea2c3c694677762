//! The step in which the model writes: calls, until the answer is whole.

use super::{
    Changes,
    answer::{Answer, Answered},
    artifact,
    caller::Caller,
    drive::{Drive, Stop},
    output::{Output, edit_failed},
    project::Project,
    prompt::{CONTEXT_BYTES_MAX, Mend, PromptInput, Remedy, Turn},
    replay::Replay,
    tag::Tag,
    usage,
};
use crate::{
    plant::{self, Plant},
    port::{Finish, Message, Request},
    session::{RunSpec, Steer},
};
use greenroom_protocol::{
    error::{Code, ErrorBody, Reason},
    event::{Event, Outcome, StepName, Usage},
};
use std::sync::Arc;

/// Candidates for a tag; the first nearly always is free.
const TAG_TRIES: usize = 16;

/// What a call of a run is for.
#[derive(Clone, Copy)]
enum Purpose<'a> {
    /// Its first answer, or the rest of one that a crash cut off.
    Answer,
    /// The rest of an answer, now that more was said.
    Steered,
    /// Edits that could not be applied.
    Mend(Mend<'a>),
}

impl Drive {
    /// The model writes; its complete changes. What is said to the run meanwhile is taken up by a
    /// further call. Edits that can't be applied are asked for once more, then as whole files;
    /// where that fails too, the run does.
    pub(super) async fn generate(
        &mut self,
        project: &Project,
        replay: Replay,
    ) -> Result<Changes, Stop> {
        let limits = self.arguments.node.config.output;
        let done = (self.spec().attempt > 1).then(|| replay.changes().clone());
        self.take_up();
        let (tag, messages) = self.prompt(project, done.as_ref(), Purpose::Answer)?;
        let output = Output::resume(&tag, limits, replay).over(Arc::clone(&project.contents));
        let mut output = self.call(messages, output, true).await?;
        while self.bill.stopped().is_none() && self.take_up() {
            let (tag, messages) = self.prompt(project, Some(output.changes()), Purpose::Steered)?;
            output = self.call(messages, output.following(&tag), false).await?;
        }
        for remedy in Remedy::ALL {
            let failures: Vec<_> = output.failures().cloned().collect();
            if failures.is_empty() {
                break;
            }
            let mend = Purpose::Mend(Mend { failures: &failures, remedy });
            let (tag, messages) = self.prompt(project, Some(output.changes()), mend)?;
            output = self.call(messages, output.following(&tag), false).await?;
        }
        if let Some(failure) = output.failures().next() {
            return Err(Stop::failed(edit_failed(&format!(
                "{failure}; the model could not mend it, and nothing was changed; ask for less at \
                 once"
            ))));
        }
        self.mouth.outbox.push(Event::StepFinished { name: StepName::Generating });
        Ok(output.changes().clone())
    }

    /// Takes up what was said to the run: the runs that would else have answered it are over.
    pub(super) fn take_up(&mut self) -> bool {
        let said = self.arguments.orders.take_said();
        for Steer { run, text } in &said {
            let (run, outcome) = (*run, Outcome::Steered);
            self.mouth.outbox.push(Event::RunFinished { run, outcome, error: None });
            self.request.push_str("\n\n");
            self.request.push_str(text);
        }
        !said.is_empty()
    }

    /// Makes one call and reads its answer to the end. The first one of an attempt begins the step.
    async fn call(
        &mut self,
        messages: Vec<Message>,
        output: Output,
        is_first: bool,
    ) -> Result<Output, Stop> {
        let (node, orders) = (self.arguments.node.clone(), self.arguments.orders.clone());
        let input_tokens = usage::of_prompt(&messages);
        let RunSpec { ref run, .. } = self.arguments.spec;
        let (run, model) = (run.run, run.model.clone());
        let mut caller = Caller::new((&node, &orders), run, model.as_deref(), input_tokens)?;
        let ticket = caller.ticket(&mut self.mouth).await?.ok_or_else(|| self.asked_to_end())?;
        let answering = ticket.model().to_owned();
        let held = self.bill.hold(&answering, input_tokens).await?;
        if !std::mem::replace(&mut self.has_begun, true) {
            let (provider, model) = (ticket.provider.name().to_owned(), answering.clone());
            self.mouth.outbox.push(Event::RunStarted { run, provider, model });
        }
        held.into_iter().for_each(|event| self.mouth.outbox.push(event));
        if is_first {
            self.mouth.outbox.push(Event::StepStarted { name: StepName::Generating });
        }
        // Durable before the call: a call that the log does not know is never made.
        self.mouth.drain().await?;
        let request = Request { run, model, messages };
        let answer = Answer::new(&node, &orders, output, input_tokens);
        let Answered { mut output, finish, usage, failure, steered } =
            answer.read((&mut caller, ticket), request, (&mut self.mouth, &mut self.bill)).await?;
        let complete = matches!(finish, Some(Finish::Stop)) && failure.is_none();
        let ending = if complete { artifact::Ending::Stopped } else { artifact::Ending::CutOff };
        let mut events = Vec::new();
        let within_file = output.finish(ending, &mut events);
        let complete = complete || (within_file && plant::is(Plant::TruncatedFileCommitted));
        events.into_iter().for_each(|event| self.mouth.outbox.push(event));
        self.say_usage(usage);
        node.meter.edits(&answering, output.tally());
        let is_stopped = steered || self.bill.stopped().is_some();
        let complete = complete || (finish.is_none() && is_stopped);
        if let Some(failure) = failure.filter(|_| !complete) {
            return Err(failure);
        }
        if let Some(error) = cut_off(finish).filter(|_| !complete) {
            return Err(Stop::failed(error));
        }
        Ok(output)
    }

    fn say_usage(&mut self, usage: Option<Usage>) {
        let run = self.spec().run.run;
        if let Some(usage) = usage {
            self.bill.used(&usage);
            self.mouth.outbox.push(Event::Usage { run, usage });
        }
    }

    pub(super) fn asked_to_end(&self) -> Stop {
        let ending = self.arguments.orders.ending();
        let outcome = ending.map_or(Outcome::Cancelled, |ending| ending.outcome());
        Stop::End(Box::new((outcome, None)))
    }

    fn prompt(
        &self,
        project: &Project,
        done: Option<&Changes>,
        purpose: Purpose<'_>,
    ) -> Result<(Tag, Vec<Message>), Stop> {
        let history = self.history();
        let input = PromptInput {
            history: &history,
            files: &project.files,
            texts: &project.contents,
            request: &self.request,
            done,
            steered: matches!(purpose, Purpose::Steered),
            mend: if let Purpose::Mend(mend) = purpose { Some(mend) } else { None },
        };
        let candidates = std::iter::repeat_with(rand::random).take(TAG_TRIES);
        let tag =
            input.choose_tag(candidates).ok_or_else(|| Stop::failed(ErrorBody::internal()))?;
        let messages = input.build(&tag, CONTEXT_BYTES_MAX);
        Ok((tag, messages))
    }

    /// Earlier turns, as prompts show them.
    pub(super) fn history(&self) -> Vec<Turn> {
        let turns = self.spec().turns.iter();
        turns
            .map(|turn| Turn { prompt: turn.prompt.clone(), answer: turn.answer.clone() })
            .collect()
    }
}

/// The error of an answer that its provider did not end well.
pub(super) fn cut_off(finish: Option<Finish>) -> Option<ErrorBody> {
    match finish {
        Some(Finish::Stop) => None,
        Some(Finish::Length) => {
            let message = "the answer was cut at the model's length limit; ask for less at once";
            Some(ErrorBody::new(Code::ResourceExhausted, Reason::Truncated, message))
        }
        Some(Finish::ContentFilter) => {
            let message = "the provider's content filter ended the answer; change the request";
            Some(ErrorBody::new(Code::FailedPrecondition, Reason::ContentFiltered, message))
        }
        None => {
            let message = "the provider's answer broke off; try again";
            Some(ErrorBody::new(Code::Unavailable, Reason::ProviderBroken, message))
        }
    }
}
